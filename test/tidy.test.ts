/**
 * The house rules, held over the whole project; and each rule shown a file that breaks it, because a rule
 * that finds nothing anywhere is indistinguishable from one that works.
 */
import { describe, expect, it } from 'vitest';
import { CHAOS_ARROWS, chaosDirections } from './tidy/chaos-rules.js';
import { noConsole, noWorldlyGlobals } from './tidy/global-rules.js';
import { ARROWS, importDirections, noCycles } from './tidy/import-rules.js';
import { parseSource, readSources, type Finding, type Rule } from './tidy/source.js';
import {
  fileHeaders,
  fileNames,
  fileSizes,
  namedExports,
  noFocusedTests,
  nothingLeftToDo,
  registeredErrors,
} from './tidy/style-rules.js';

const RULES = {
  'imports point one way': importDirections,
  'the laboratory knows what it judges only where it must': chaosDirections,
  'no cycles': noCycles,
  'only adapters and roots touch the world': noWorldlyGlobals,
  'no console but in the roots': noConsole,
  'names of files': fileNames,
  'sizes of files': fileSizes,
  'files open with their purpose': fileHeaders,
  'no default exports': namedExports,
  'errors come from the registry': registeredErrors,
  'no focused tests': noFocusedTests,
  'nothing left to do': nothingLeftToDo,
} as const satisfies Record<string, Rule>;

const show = ({ path, line, what }: Finding): string => `${path}:${line} ${what}`;
const sources = readSources(process.cwd());

describe('the project keeps its house rules', () => {
  it('looks at the sources', () => {
    expect(sources.map((s) => s.path)).toContain('src/core/record.ts');
    expect(sources.length).toBeGreaterThan(50);
  });

  it.each(Object.entries(RULES))('%s', (_name, rule) => {
    expect(rule(sources).map(show)).toEqual([]);
  });
});

describe('the table of arrows', () => {
  it('has no way back', () => {
    const reaches = (from: string, to: string): boolean =>
      [...(ARROWS[from]?.rooms ?? []), ...(ARROWS[from]?.types ?? [])].some(
        (r) => r === to || reaches(r, to),
      );
    for (const room of Object.keys(ARROWS)) expect(reaches(room, room), room).toBe(false);
  });
});

// --- Every rule can fail -------------------------------------------------------------------------------

/** Files by path. */
type Files = Readonly<Record<string, string>>;

const find = (rule: Rule, files: Files): Finding[] =>
  rule(Object.entries(files).map(([path, text]) => parseSource(path, text)));

const LONG = '\n'.repeat(60);

describe('imports', () => {
  const from = (path: string, code: string): Finding[] => find(importDirections, { [path]: code });

  it.each([
    ['src/core/record.ts', "import { x } from '../protocol/messages.js';"],
    ['src/cluster/config.ts', "import type { X } from '../runtime/runtime.js';"],
    ['src/protocol/codec.ts', "export { x } from '../client/api.js';"],
    ['src/runtime/runtime.ts', "import { x } from '../cluster/cluster-map.js';"],
    ['src/node/node.ts', "const ws = await import('../adapters/ws-network.js');"],
    ['src/client/router.ts', "import { Node } from '../node/node.js';"],
    ['src/client/router.ts', "import { x } from '../index.js';"],
    ['src/adapters/ws-network.ts', "import type { M } from '../cluster/cluster-map.js';"],
    ['src/simulation/world.ts', "import { x } from '../adapters/clock.js';"],
    ['src/photos/photo-store.ts', "import { x } from '../core/record.js';"],
    ['src/photos/photo-store.ts', "type R = import('../core/record.js').KeyRecord;"],
    ['src/replication/leaderless/reads.ts', "import { x } from '../multi-leader/origin-log.js';"],
    ['src/replication/shared/hash-tree.ts', "import { x } from '../leaderless/reads.js';"],
    ['src/replication/strategy.ts', "import { x } from './leaderless/reads.js';"],
    ['src/somewhere/new.ts', "import { x } from '../core/record.js';"],
    ['src/cli/main.ts', "import { x } from '../../test/support/thing.js';"],
  ])('%s: %s', (path, code) => {
    expect(from(path, code)).toHaveLength(1);
  });

  it.each([
    ['src/core/record.ts', "import { encode } from 'msgpackr';"],
    ['src/node/node.ts', "import { WebSocket } from 'ws';"],
    ['src/client/router.ts', "import { readFileSync } from 'node:fs';"],
    ['src/replication/leaderless/reads.ts', "import { randomBytes } from 'node:crypto';"],
    ['src/photos/photo-store.ts', "import sharp from 'sharp';"],
    ['src/simulation/world.ts', "import { setTimeout } from 'node:timers/promises';"],
  ])('%s: the package of %s', (path, code) => {
    expect(from(path, code)).toHaveLength(1);
  });

  it.each([
    ['src/core/record.ts', "import { x } from './views.js'; import h from 'xxhash-wasm';"],
    ['src/runtime/runtime.ts', "import type { M } from '../cluster/cluster-map.js';"],
    ['src/replication/leaderless/reads.ts', "import { x } from '../shared/hash-tree.js';"],
    ['src/replication/leaderless/reads.ts', "import type { R } from '../strategy.js';"],
    ['src/photos/photo-store.ts', "import { connect } from '../index.js';"],
    ['src/adapters/ws-network.ts', "import { WebSocket } from 'ws'; import fs from 'node:fs';"],
    ['src/cli/main.ts', "import { x } from '../node/node.js'; import yargs from 'yargs';"],
    ['src/core/record.ts', "// import { x } from '../node/node.js';\nconst s = \"from '../node/node.js'\";"],
  ])('%s may: %s', (path, code) => {
    expect(from(path, code)).toEqual([]);
  });

  it.each([
    ['chaos/history/pairing.ts', "import { x } from '../checkers/verdict.js';"],
    ['chaos/history/pairing.ts', "import { x } from '../../src/client/api.js';"],
    ['chaos/checkers/promises/freshness.ts', "import { x } from '../../run/checks.js';"],
    ['chaos/checkers/promises/freshness.ts', "import type { X } from '../../../src/simulation/copies.js';"],
    ['chaos/checkers/verdict.ts', "import { x } from 'zod';"],
    ['chaos/faults/draw-faults.ts', "import { SeededRandom } from '../../src/runtime/runtime.js';"],
    ['chaos/workloads/bank.ts', "import { x } from '../../src/replication/strategy.js';"],
    ['chaos/workloads/bank.ts', "import { readFileSync } from 'node:fs';"],
    ['chaos/experiments/experiment.ts', "import { WORKLOADS } from '../workloads/workloads.js';"],
    ['chaos/experiments/experiment.ts', "import { runChecks } from '../run/checks.js';"],
    ['chaos/report/trace-page.ts', "import { simulate } from '../run/simulate.js';"],
    ['chaos/bugs/plant-bug.ts', "import { x } from '../../src/replication/leaderless/replica.js';"],
    ['chaos/run/hunt.ts', "import { x } from '../../src/cli/context.js';"],
    ['chaos/run/hunt.ts', "const ws = await import('ws');"],
    ['chaos/somewhere/new.ts', "import { x } from '../../src/core/record.js';"],
    ['src/simulation/cluster.ts', "import type { Fault } from '../../chaos/faults/fault.js';"],
    ['src/index.ts', "import { x } from '../chaos/run/simulate.js';"],
  ])('%s: %s', (path, code) => {
    expect(find(chaosDirections, { [path]: code })).toHaveLength(1);
  });

  it.each([
    [
      'chaos/history/pairing.ts',
      "import { x } from './keys.js'; import { y } from '../../src/core/errors.js';",
    ],
    ['chaos/checkers/promises/freshness.ts', "import type { Operation } from '../../history/history.js';"],
    ['chaos/faults/draw-faults.ts', "import type { Random } from '../../src/runtime/runtime.js';"],
    ['chaos/experiments/experiment.ts', "import { CHECK_NAMES } from '../run/check-names.js';"],
    [
      'chaos/run/checks.ts',
      "import { x } from '../checkers/verdict.js'; import { fork } from 'node:child_process';",
    ],
    ['chaos/report/trace-page.ts', "import type { RunResult } from '../run/simulate.js';"],
    ['src/cli/check-command.ts', "import { x } from '../../chaos/checkers/models.js';"],
    ['test/unit/a.test.ts', "import { x } from '../../chaos/checkers/models.js';"],
  ])('%s may: %s', (path, code) => {
    expect(find(chaosDirections, { [path]: code })).toEqual([]);
  });

  it('every room of the laboratory is there', () => {
    const rooms = new Set(sources.flatMap(({ path }) => /^chaos\/([^/]+)/.exec(path)?.[1] ?? []));
    expect([...rooms].sort()).toEqual(Object.keys(CHAOS_ARROWS).sort());
  });

  it('cycles are found, types included, however long', () => {
    const files = {
      'src/core/a.ts': "import type { B } from './b.js';",
      'src/core/b.ts': "import { c } from '../cluster/c.js';",
      'src/cluster/c.ts': "export * from '../core/a.js';",
      'src/core/d.ts': "import { b } from './b.js';",
    };
    expect(find(noCycles, files).map((f) => f.what)).toEqual([
      'cycle: src/core/a.ts -> src/core/b.ts -> src/cluster/c.ts -> src/core/a.ts',
    ]);
    expect(find(noCycles, { ...files, 'src/cluster/c.ts': '' })).toEqual([]);
    expect(find(noCycles, { 'src/core/a.ts': "import './a.js';" })).toHaveLength(1);
  });
});

describe('the world', () => {
  const at = (path: string, code: string): Finding[] => find(noWorldlyGlobals, { [path]: code });

  it.each([
    'const t = Date.now();',
    'const t = new Date(0);',
    'const t = performance.now();',
    'const n = Math.random();',
    'const { random } = Math;',
    "const n = Math['random']();",
    'setTimeout(run, 5);',
    'setInterval(run, 5);',
    'setImmediate(run);',
    'const later = { setTimeout };',
    'const s = AbortSignal.timeout(5);',
    'names.sort((a, b) => a.localeCompare(b));',
    'const s = count.toLocaleString();',
    'const f = new Intl.NumberFormat();',
    "const e = process.env['X'];",
    'const d = globalThis.Date;',
    'const u = crypto.randomUUID();',
    'const w = new WeakRef(x);',
    'export { process };',
    'function f(process = 1) {} process.exit();',
    '{ const Date = 1; } Date.now();',
    "import { performance } from 'node:perf_hooks'; performance.now();",
  ])('%s', (code) => {
    expect(at('src/node/node.ts', code)).toHaveLength(1);
    expect(at('src/photos/store.ts', code)).toHaveLength(1);
    expect(at('src/adapters/clock.ts', code)).toEqual([]);
    expect(at('src/cli/main.ts', code)).toEqual([]);
    expect(at('chaos/checkers/verdict.ts', code)).toHaveLength(1);
    expect(at('chaos/workloads/bank.ts', code)).toHaveLength(1);
    expect(at('chaos/run/recorder.ts', code)).toHaveLength(1);
    expect(at('chaos/run/worker-pool.ts', code)).toEqual([]);
  });

  it.each([
    '// Date.now() and setTimeout',
    "const s = 'Date.now()';",
    'interface Photo { readonly taken: Date; process: number; setTimeout(): void }',
    'class Link { process = 1; get performance() { return this.process; } }',
    'function start(process: { name: string }) { return process.name; }',
    'for (const process of all) process.stop();',
    'const process = start(); const go = () => process.name;',
    "import { process } from './world.js'; process();",
    'const x = { Date: 1 }.Date;',
    'const n = Math.max(1, 2); const c = structuredClone(n); queueMicrotask(run);',
    'if (reason instanceof AbortSignal) stop();',
    'const { process: child } = running; child.stop();',
  ])('is not: %s', (code) => {
    expect(at('src/node/node.ts', code)).toEqual([]);
  });

  it('console is for the roots', () => {
    const code = "console.log('here');";
    expect(find(noConsole, { 'src/node/node.ts': code })).toHaveLength(1);
    expect(find(noConsole, { 'src/index.ts': code })).toHaveLength(1);
    expect(
      find(noConsole, { 'src/cli/main.ts': code, 'bench/main.ts': code, 'test/a.test.ts': code }),
    ).toEqual([]);
  });
});

describe('style', () => {
  it.each([
    'src/core/hashTree.ts',
    'src/Core/hash.ts',
    'src/core/hash_tree.ts',
    'src/core/Hash.ts',
    'src/core/a.tsx',
  ])('name %s', (path) => {
    expect(find(fileNames, { [path]: '' })).toHaveLength(1);
  });

  it.each(['src/core/utils.ts', 'src/utils/hash.ts', 'src/core/hash-util.ts', 'test/utils.test.ts'])(
    'name %s',
    (path) => {
      expect(find(fileNames, { [path]: '' })).toHaveLength(1);
    },
  );

  it('names that are fine', () => {
    expect(find(fileNames, { 'src/core/sha2-hash.ts': '', 'test/unit/utilization.test.ts': '' })).toEqual([]);
  });

  it('size', () => {
    expect(find(fileSizes, { 'src/a.ts': 'x();\n'.repeat(501) })).toHaveLength(1);
    expect(find(fileSizes, { 'src/a.ts': 'x();\n'.repeat(500) })).toEqual([]);
  });

  it('header', () => {
    expect(find(fileHeaders, { 'src/a.ts': `import x from 'y';${LONG}` })).toHaveLength(1);
    expect(find(fileHeaders, { 'src/a.ts': `// a line\nimport x from 'y';${LONG}` })).toHaveLength(1);
    expect(find(fileHeaders, { 'src/a.ts': `/** Purpose. */${LONG}` })).toEqual([]);
    expect(find(fileHeaders, { 'src/a.ts': `#!/usr/bin/env node\n/** Purpose. */${LONG}` })).toEqual([]);
    expect(find(fileHeaders, { 'src/a.ts': "import x from 'y';\n" })).toEqual([]);
  });

  it.each(["throw new Error('x');", "const e = new Error('x');", "throw Error('x');"])('%s', (code) => {
    expect(find(registeredErrors, { 'src/node/node.ts': code })).toHaveLength(1);
    expect(find(registeredErrors, { 'src/cli/main.ts': code })).toEqual([]);
  });

  it('errors of our own kinds are fine', () => {
    const code =
      "class Own extends Error {} throw new TrefoilError('Timeout', 'late'); if (e instanceof Error) f();";
    expect(find(registeredErrors, { 'src/node/node.ts': code })).toEqual([]);
  });

  it.each([
    'export default 1;',
    'export default function f() {}',
    'export default class A {}',
    'const a = 1; export { a as default };',
  ])('%s', (code) => {
    expect(find(namedExports, { 'src/a.ts': code })).toHaveLength(1);
    expect(find(namedExports, { 'src/a.ts': "export const text = 'export default 1';" })).toEqual([]);
  });

  it.each([
    'it.only(name, run);',
    'describe.only(name, run);',
    'it.each(all).only(name, run);',
    'fit(name, run);',
  ])('%s', (code) => {
    expect(find(noFocusedTests, { 'test/a.test.ts': code })).toHaveLength(1);
  });

  it('what is not a focused test', () => {
    expect(find(noFocusedTests, { 'test/a.test.ts': "const s = 'it.only('; options.only = 1;" })).toEqual([]);
  });

  it('what is left to do', () => {
    const words = ['TO' + 'DO', 'FIX' + 'ME'];
    for (const word of words) {
      expect(find(nothingLeftToDo, { 'src/a.ts': `const a = 1; // ${word}: later` })).toHaveLength(1);
      expect(find(nothingLeftToDo, { 'src/a.ts': `/** ${word} */\nexport const a = 1;` })).toHaveLength(1);
      expect(find(nothingLeftToDo, { 'src/a.ts': `f(a /* ${word} */);` })).toHaveLength(1);
      expect(find(nothingLeftToDo, { 'src/a.ts': `const s = '${word}';` })).toEqual([]);
    }
  });
});

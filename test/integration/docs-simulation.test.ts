/**
 * The page on simulating does what it says: its files are saved under the names it gives them, its commands run in order
 * in one shell and print what the page shows, and its tables are those of the code.
 *
 * Numbers, hashes and witnesses are not compared: they change with the code, and a page that had to be changed with
 * every message that a node sends would not be kept true for long. Verdicts and the words around them are.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { plant, type PlantedBug } from '../../chaos/bugs/planted-bug.js';
import { parseExperiment, type Experiment } from '../../chaos/experiments/experiment.js';
import { drawFaults } from '../../chaos/faults/draw-faults.js';
import { drawnFaultSchema, FAULT_NAMES, faultSchema } from '../../chaos/faults/fault-schema.js';
import type { FaultName } from '../../chaos/faults/fault.js';
import { CHECK_NAMES, type CheckName } from '../../chaos/run/check-names.js';
import { simulate } from '../../chaos/run/simulate.js';
import { WORKLOAD_NAMES } from '../../chaos/workloads/workload-names.js';
import { SeededRandom } from '../../src/simulation/random.js';
import { makeClone, type Clone } from '../support/clone.js';
import { blocksOf } from '../support/page.js';
import { Shell } from '../support/shell.js';

const PAGE = 'docs/simulation.md';
const page = readFileSync(PAGE, 'utf8');
const lines = page.split('\n');
const blocks = blocksOf(PAGE);

/** Blocks that the line before them names: "Save this as `cut.yaml`:". */
const files = blocks.flatMap(({ line, code }) => {
  const name = /`([\w-]+\.\w+)`:$/.exec(lines[line - 4] ?? '')?.[1];
  return name === undefined ? [] : [{ name, code }];
});
/** Blocks of commands with what follows them on the page, if that is their output. */
const runs = blocks.flatMap(({ language, code }, i) => {
  const next = blocks[i + 1];
  const output = next?.language === 'text' ? next.code : undefined;
  return language === 'sh' ? [{ commands: code.trimEnd().split('\n'), output }] : [];
});

/** The cells of a table's rows, by what the first names, under the header that begins so. */
function tableUnder(header: string): Map<string, string[]> {
  const table = page.split('\n\n').find((part) => new RegExp(`^\\| ${header} +\\|`).test(part)) ?? '';
  const rows = table.split('\n').slice(2);
  return new Map(
    rows.flatMap((row) => {
      const cells = row.split('|').slice(1, -1);
      const name = /`([^`]+)`/.exec(cells[0] ?? '')?.[1];
      return name === undefined ? [] : [[name, cells.map((cell) => cell.trim())] as const];
    }),
  );
}

function namesIn(cell: string | undefined): string[] {
  return [...(cell ?? '').matchAll(/`([^`]+)`/g)].map(([, name]) => name as string);
}

/** Output without what changes from one version of the code to the next. */
function masked(output: string): string {
  return output
    .replaceAll(/^ {6}\S.*\n/gm, '')
    .replaceAll(/\btrace [0-9a-f]{16}\b/g, 'trace HASH')
    .replaceAll(/\d[\d,]*(\.\d+)?/g, 'N')
    .replaceAll('; N not begun', '')
    .replaceAll(/\b(fault|operation|process|read|version|write)(?:e?s)?\b/g, '$1');
}

describe(PAGE, () => {
  let clone: Clone;
  let shell: Shell;

  beforeAll(async () => {
    clone = await makeClone('simulation');
    for (const { name, code } of files) writeFileSync(join(clone.folder, name), code);
    shell = new Shell(clone);
  });
  afterAll(async () => {
    shell.close();
    await clone.remove();
  });

  it('has files and commands', () => {
    expect(files.map(({ name }) => name)).toEqual([
      'cut.yaml',
      'cut-weak.yaml',
      'storm.yaml',
      'registers.yaml',
    ]);
    expect(runs.filter(({ output }) => output !== undefined).length).toBeGreaterThan(4);
  });

  it.each(runs.map((run) => [run.commands.join('; '), run] as const))(
    '%s',
    async (_title, { commands, output }) => {
      let printed = '';
      let code = 0;
      for (const command of commands) {
        const ran = await shell.run(command);
        printed += ran.output;
        code = Math.max(code, ran.code ?? 255);
      }
      const isBroken = /^invalid /m.test(output ?? '');
      expect(code, printed).toBe(isBroken ? 1 : 0);
      if (output !== undefined) expect(masked(printed)).toBe(masked(output));
      if (isBroken) expect(printed).toMatch(/^ {4}\S+ +invalid .*\n {6}\S/m);
    },
  );
});

describe('its tables', () => {
  const faults = tableUnder('fault');
  const kinds = (
    faultSchema as unknown as { readonly options: readonly { readonly shape: Record<string, unknown> }[] }
  ).options;

  it('have every fault, workload and check, and none besides', () => {
    expect([...faults.keys()].sort()).toEqual([...FAULT_NAMES].sort());
    expect([...tableUnder('workload').keys()].sort()).toEqual([...WORKLOAD_NAMES].sort());
    const always = ['runs', 'served', 'deterministic'];
    expect([...tableUnder('check').keys()].sort()).toEqual([...CHECK_NAMES, ...always].sort());
  });

  it.each(FAULT_NAMES.map((name, i) => [name, i] as const))(
    '%s has the parameters of the code',
    (name, i) => {
      const given = faults.get(name)?.[2] ?? '';
      const fields = Object.keys(kinds[i]?.shape ?? {}).filter(
        (field) => !['fault', 'atMs', 'forMs'].includes(field),
      );
      expect(namesIn(given.replaceAll(/\([^)]*\)/g, ''))).toEqual(fields);
    },
  );

  it('have what the code takes where a crash does not say', () => {
    const crash = faultSchema.parse({ fault: 'crash', node: 'n1', atMs: 1 }) as unknown as Record<
      string,
      unknown
    >;
    const defaults = [...(faults.get('crash')?.[2] ?? '').matchAll(/`(\w+)`\? \(`(\w+)`\)/g)];
    expect(defaults.length).toBe(2);
    for (const [, field, value] of defaults) expect(String(crash[field as string])).toBe(value);
  });

  it.each(FAULT_NAMES)('%s is drawn within the bounds that the page names, and as far as they go', (name) => {
    const [, , , drawn = '', lasts = ''] = faults.get(name) ?? [];
    const faultsDrawn = drawMany(name);
    expectSpread(
      faultsDrawn.map(({ forMs }) => forMs as number),
      boundsIn(lasts),
    );
    for (const [, field, bounds] of drawn.matchAll(/`(\w+)` ([\d.]+ to [\d.]+)/g)) {
      const values = faultsDrawn.map((fault) => fault[field as string] ?? fault.offsetMs);
      if (Array.isArray(values[0])) expect(values[0]).toEqual(boundsIn(bounds as string));
      else
        expectSpread(
          values.map((value) => Math.abs(value as number)),
          boundsIn(bounds as string),
        );
      const isEitherWay = values.some((value) => (value as number) < 0);
      expect(isEitherWay).toBe(drawn.includes(`${String(bounds)}, either way`));
    }
  });

  /** Thousands of one kind, but for the last ones, which the end of the phase cuts short. */
  function drawMany(fault: FaultName): Record<string, unknown>[] {
    const drawn = drawFaults(new SeededRandom(1), {
      nodes: ['n1', 'n2', 'n3'],
      durationMs: 2_000_000,
      pauseMs: [1_000, 1_000],
      kinds: [drawnFaultSchema.parse({ fault })],
    });
    return drawn.slice(0, -11);
  }

  function boundsIn(text: string): [number, number] {
    return text.split(' to ').map(Number) as [number, number];
  }

  function expectSpread(values: readonly number[], [min, max]: [number, number]): void {
    const near = (max - min) * 0.05;
    expect(Math.min(...values)).toBeGreaterThanOrEqual(min);
    expect(Math.max(...values)).toBeLessThanOrEqual(max);
    expect(Math.min(...values)).toBeLessThanOrEqual(min + near);
    expect(Math.max(...values)).toBeGreaterThanOrEqual(max - near);
  }

  it.each(WORKLOAD_NAMES)('%s is judged by the checks that the page gives it', async (name) => {
    const checks = namesIn(tableUnder('workload').get(name)?.[2]) as CheckName[];
    expect(checks.length).toBeGreaterThan(0);
    const result = await simulate({ experiment: experimentOf(name, checks), seed: 1 });
    const judged = result.checks.map((check) => [check.name, check.verdict.validity]);
    for (const check of checks) expect(judged).toContainEqual([check, expect.not.stringMatching('unknown')]);
    expect(judged).not.toContainEqual(['runs', 'invalid']);
  });

  function experimentOf(workload: string, reported: readonly CheckName[]): Experiment {
    const conflict =
      { register: 'lww', counter: 'counter', set: 'set' }[workload as 'register' | 'counter' | 'set'] ??
      'siblings';
    const own =
      workload === 'cas-register' ? { strategy: 'leader-follower' } : { strategy: 'leaderless', conflict };
    const names = workload === 'photos' ? ['photos', 'features', 'users'] : ['data'];
    const document = {
      name: 'tried',
      summary: 'a check tried on a workload',
      cluster: {
        namespaces: names.map((name) => ({ name, ...own, partitions: 1, ttl: '1h' })),
      },
      workload: { name: workload, namespace: names[0], timeoutMs: 3_000 },
      durationMs: 2_000,
      checks: { promised: ['converged'], reported },
    };
    return parseExperiment(JSON.stringify(document), 'tried.yaml');
  }
});

describe('the experiment with every field', () => {
  const text = blocks.find(({ code }) => code.startsWith('name: every-field'))?.code ?? '';
  const withoutEmpty = (value: unknown): unknown =>
    JSON.parse(JSON.stringify(value, (_, part: unknown) => (part === null ? undefined : part)));

  it('gives each the value that it has by default', () => {
    const { name, summary, cluster, workload, checks } = parse(text) as Experiment;
    const smallest = {
      name,
      summary,
      cluster: { namespaces: cluster.namespaces },
      workload: { name: workload.name, namespace: workload.namespace },
      checks: { promised: checks.promised },
    };
    const full = parseExperiment(JSON.stringify(withoutEmpty(parse(text))), PAGE);
    expect(full).toEqual(parseExperiment(JSON.stringify(smallest), PAGE));
  });

  it('has every field that the schema knows', () => {
    const source = readFileSync('chaos/experiments/experiment.ts', 'utf8');
    const schema = /const experimentSchema = ([^]*?)\n\}\);/.exec(source)?.[1] ?? '';
    const fields = [...schema.matchAll(/^ +(\w+): (?:z\b|range|level)/gm)].map(([, field]) => field);
    expect(fields.length).toBeGreaterThan(20);
    const named = [...text.matchAll(/^ *(?:- )?(\w+):/gm)].map(([, field]) => field);
    expect(named).toEqual(expect.arrayContaining(fields));
  });
});

describe('the planted bug', () => {
  it('fits the compiled code', () => {
    const code = blocks.find(({ language }) => language === 'ts')?.code ?? '';
    const bug = parse(code.replaceAll(/(\w+): /g, '"$1": ')) as PlantedBug;
    const module = readFileSync(`dist/${bug.file.replace(/\.ts$/, '.js')}`, 'utf8');
    const mutated = plant(bug, module);
    expect(mutated).not.toBe(module);
    expect(mutated).toContain(bug.edits[0]?.[1]);
  });
});

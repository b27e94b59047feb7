/** `docs/cli.md` names every command, of those on keys the shared options and the JSON, and of `check` and `sim` every option; `docs/guarantees.md` names every experiment with its promises. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadAllExperiments } from '../../chaos/experiments/library.js';
import { resultJson } from '../../src/cli/batch-command.js';
import { entryJson } from '../../src/cli/get-command.js';
import { writtenJson } from '../../src/cli/put-command.js';
import { nodeId } from '../../src/core/ids.js';
import type { Explanation } from '../../src/protocol/messages.js';

const EXPLAIN: Explanation = {
  coordinator: nodeId('n1'),
  strategy: 'leader-follower',
  required: '',
  replicas: [],
  repaired: [],
  guarantee: '',
};
/** Of a namespace with leaders, with everything that is there at times. */
const ENTRY = {
  key: 'k',
  value: 1,
  siblings: [1],
  context: { key: 'k', token: new Uint8Array() },
  version: 1,
  explain: EXPLAIN,
};
const WRITTEN = { ...ENTRY, siblings: 1, replicas: 3 };

const page = readFileSync('docs/cli.md', 'utf8');

/** The part of a page under a heading. */
function section(text: string, heading: string): string {
  return text.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? '';
}

/** Names of the options that a command's source declares. */
function optionsOf(file: string): string[] {
  const source = readFileSync(file, 'utf8');
  return [...source.matchAll(/\.option\('([\w-]+)'/g)].map(([, name]) => name as string);
}

describe('docs/cli.md', () => {
  const commands = /const COMMANDS[^]*?\n\};/.exec(readFileSync('src/cli/main.ts', 'utf8'))?.[0] ?? '';
  const names = [...commands.matchAll(/^ {2}'?(\w+)'?: async/gm)].map(([, name]) => name as string);

  it('names every command', () => {
    expect(names.length).toBeGreaterThan(10);
    const table = section(page, 'Commands');
    for (const name of names) expect(table).toMatch(new RegExp(`\`trefoil ${name}\\b`));
  });

  it('names every option that the commands on keys share', () => {
    const options = optionsOf('src/cli/data-options.ts');
    expect(options.length).toBeGreaterThan(8);
    for (const option of options)
      expect(section(page, 'Values')).toMatch(new RegExp(`^\\|.*\`--${option}[ \`]`, 'm'));
  });

  it.each([
    ['`get`, each line of `scan`', Object.keys(entryJson({ ...ENTRY, lag: { entries: 1, ms: 1 } }))],
    ['`update`', Object.keys(entryJson({ ...ENTRY, replicas: 2 }))],
    ['`put`, `delete`', Object.keys(writtenJson(WRITTEN))],
    ['`batch`, each line', Object.keys(resultJson('stored', WRITTEN))],
  ])('has every field of the JSON of %s, in order', (command, fields) => {
    const row = section(page, 'JSON')
      .split('\n')
      .find((line) => line.startsWith(`| ${command} `));
    const shape = /`\{([^}]*)\}`/.exec(row ?? '')?.[1] ?? '';
    expect(shape.replaceAll('?', '').split(', ')).toEqual(fields);
  });

  it('names every option of check', () => {
    const options = optionsOf('src/cli/check-command.ts');
    expect(options.length).toBeGreaterThan(4);
    for (const option of options) expect(section(page, 'Histories')).toContain(`\`--${option}`);
  });

  const simCommands = readdirSync('src/cli/sim').flatMap(
    (file) => /^sim-(\w+)-command\.ts$/.exec(file)?.[1] ?? [],
  );

  it.each(simCommands)('names sim %s and every option of it', (command) => {
    const text = section(page, 'Simulations');
    expect(text).toMatch(new RegExp(`\`trefoil sim ${command}\\b`));
    for (const option of optionsOf(`src/cli/sim/sim-${command}-command.ts`)) {
      const row = text.split('\n').find((line) => new RegExp(`^\\| \`--${option}[ \`]`).test(line));
      expect(row?.split('|')[2], `--${option}`).toMatch(new RegExp(`\`${command}\`|all`));
    }
  });
});

describe('docs/guarantees.md', () => {
  const table = section(readFileSync('docs/guarantees.md', 'utf8'), 'Which experiment holds what');
  const rows = table
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name as string)),
    );

  it.each(loadAllExperiments())('says what $name holds', ({ name, checks }) => {
    const own = rows.filter(([, , , experiments]) => experiments?.includes(name.replace('leaderless-', '')));
    expect(own).toHaveLength(1);
    const named = new Set([...(own[0]?.[2] ?? []), 'converged']);
    expect([...named].sort()).toEqual([...checks.promised].sort());
  });
});

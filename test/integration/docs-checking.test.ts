/**
 * The page on checking does what it says: its files are saved under the names it gives them, its commands run in order in
 * one shell, and print what the page shows, to the letter.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { levelOf, MODELS } from '../../chaos/checkers/models.js';
import {
  ANOMALIES,
  CONSISTENCY_LEVELS,
  requirementsOf,
} from '../../chaos/checkers/transactions/consistency.js';
import { CHECK_BUDGET_DEFAULT } from '../../chaos/checkers/verdict.js';
import { makeClone, type Clone } from '../support/clone.js';
import { blocksOf } from '../support/page.js';
import { Shell } from '../support/shell.js';

const PAGE = 'docs/checking.md';
const page = readFileSync(PAGE, 'utf8');
const lines = page.split('\n');
const blocks = blocksOf(PAGE);

/** Blocks that the line before them names: "Save this as `register.jsonl`:". */
const files = blocks.flatMap(({ line, code }) => {
  const name = /`([\w-]+\.\w+)`:$/.exec(lines[line - 4] ?? '')?.[1];
  return name === undefined ? [] : [{ name, code }];
});
/** Blocks of commands with what follows them on the page, if that is their output. */
const runs = blocks.flatMap(({ language, code }, i) => {
  const next = blocks[i + 1];
  const output = next?.language === 'text' ? next.code : '';
  return language === 'sh' ? [{ commands: code.trimEnd().split('\n'), output }] : [];
});

describe(PAGE, () => {
  let clone: Clone;
  let shell: Shell;

  beforeAll(async () => {
    clone = await makeClone('checking');
    for (const { name, code } of files) writeFileSync(join(clone.folder, name), code);
    shell = new Shell(clone);
  });
  afterAll(async () => {
    shell.close();
    await clone.remove();
  });

  it('has files and commands', () => {
    expect(files.map(({ name }) => name)).toEqual([
      'register.jsonl',
      'transfers.edn',
      'jepsen.log',
      'store.txt',
      'lagging.jsonl',
    ]);
    expect(runs.filter(({ output }) => output !== '').length).toBeGreaterThan(4);
  });

  it.each(runs.map((run) => [run.commands.join('; '), run] as const))(
    '%s',
    async (_title, { commands, output }) => {
      let printed = '';
      for (const command of commands) printed += (await shell.run(command)).output;
      expect(printed).toBe(output);
    },
  );

  it('names every model with the level that is meant first', () => {
    for (const model of MODELS) {
      const row = lines.find((line) => line.startsWith(`| \`${model}\``));
      expect(row, model).toBeDefined();
      const levels = row?.split('|').at(-2)?.trim() ?? '';
      if (levels !== 'the same') expect(levels).toMatch(new RegExp(`^\`${levelOf(model, undefined)}\``));
    }
  });

  /** What the rows of a table name in each of their cells, by what the first names. */
  const namesUnder = (header: string): Map<string, string[][]> => {
    const table = page.split('\n\n').find((part) => new RegExp(`^\\| ${header} +\\|`).test(part)) ?? '';
    const rows = table.split('\n').slice(2);
    const named = rows.map((row) =>
      row
        .split('|')
        .slice(1, -1)
        .map((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name as string)),
    );
    return new Map(named.map((cells) => [cells[0]?.[0] ?? '', cells.slice(1)]));
  };

  it('says of each isolation level what rules it out', () => {
    const levels = namesUnder('level');
    const ruledOut = (level: string): string[] => {
      const [own = [], implied = []] = levels.get(level) ?? [];
      return [...new Set([...own, ...implied.flatMap(ruledOut)])].sort();
    };
    const bases = CONSISTENCY_LEVELS.filter((level) => !/^str/.test(level));
    expect([...levels.keys()]).toEqual(bases);
    for (const level of bases)
      expect(ruledOut(level), level).toEqual([...requirementsOf(level).forbids].sort());
    expect([...namesUnder('anomaly').keys()].sort()).toEqual([...ANOMALIES].sort());
  });

  it('says of each consistency of registers what it means', () => {
    const levels = [...namesUnder('`--consistency`').keys()];
    expect(levels).toHaveLength(7);
    for (const level of levels) expect(levelOf('register', level)).toBe(level);
  });

  it('has the budget of the code', () => {
    const { stepsMax, bytesMax } = CHECK_BUDGET_DEFAULT;
    const budget = `${String(stepsMax / 1e6)} million steps and ${String(bytesMax / 1024 ** 2)} MB at most`;
    expect(page.replaceAll('\n', ' ')).toContain(budget);
  });
});

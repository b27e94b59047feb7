/**
 * The page on checking does what it says: its files are saved under the names it gives them, its commands run in order in
 * one shell, and print what the page shows, to the letter.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { levelOf, MODELS } from '../../chaos/checkers/models.js';
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
});

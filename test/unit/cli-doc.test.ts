/** `docs/cli.md` names every command, and of `check` and `sim` every option; `docs/guarantees.md` names every experiment with its promises. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadAllExperiments } from '../../chaos/experiments/library.js';

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

/** The planted bugs fit the code that they are planted in, and each has an experiment that can find it. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { bugNamed, PLANTED_BUGS } from '../../chaos/bugs/bugs.js';
import { plant, type PlantedBug } from '../../chaos/bugs/planted-bug.js';
import { experimentNames } from '../../chaos/experiments/library.js';

/** The built module that a bug changes. */
function compiled({ file }: PlantedBug): string {
  const path = new URL(`../../dist/${file.replace(/\.ts$/, '.js')}`, import.meta.url);
  return readFileSync(fileURLToPath(path), 'utf8');
}

const BUGS = PLANTED_BUGS.map((bug) => [bug.name, bug] as const);

describe('the registry', () => {
  it('has at least ten bugs of each strategy, each with a name of its own', () => {
    const names = PLANTED_BUGS.map(({ name }) => name);
    for (const strategy of ['leaderless', 'leader-follower'])
      expect(PLANTED_BUGS.filter((bug) => bug.strategy === strategy).length).toBeGreaterThanOrEqual(10);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^[a-z]+(-[a-z]+)*$/);
  });

  it('refuses a name that none has, with the one that was meant', () => {
    expect(() => bugNamed('skip-read-repairs')).toThrow(/did you mean skip-read-repair\?/);
    expect(bugNamed('skip-read-repair').name).toBe('skip-read-repair');
  });
});

describe.each(BUGS)('%s', (_, bug) => {
  it('has edits that each fit exactly once, and change the module', () => {
    const source = compiled(bug);
    expect(plant(bug, source)).not.toBe(source);
  });

  it('names experiments that come along, and how many seeds they need', () => {
    expect(bug.experiments.length).toBeGreaterThan(0);
    expect(experimentNames()).toEqual(expect.arrayContaining([...bug.experiments]));
    expect(bug.seedsMax).toBeGreaterThan(0);
    expect(bug.summary).not.toBe('');
  });
});

describe('an edit', () => {
  const edit = (find: string): PlantedBug => ({ ...PLANTED_BUGS[0]!, edits: [[find, 'x = 2']] });

  it('finds its text whatever white space the compiler put in', () => {
    expect(plant(edit('x = 1; y'), 'x = 1;\n    y')).toBe('x = 2');
  });

  it('is refused where its text is gone or stands twice', () => {
    expect(() => plant(edit('x = 1'), 'x = 3')).toThrow(/stands 0 times/);
    expect(() => plant(edit('x = 1'), 'x = 1; x = 1')).toThrow(/stands 2 times/);
  });
});

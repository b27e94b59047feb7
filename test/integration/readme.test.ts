/**
 * The README does what it says: every command of it runs, in order, in one shell, in a stand-in for a clone.
 *
 * What differs from a newcomer's terminal: the ports are free ones (at first `TREFOIL_SEEDS` names them), and HOME is a
 * temporary folder with two photos. The two commands for a fresh machine are not run here, because this
 * very test is part of the second; what runs them instead is checked below.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/cli/load-config.js';
import { makeClone, type Clone, type Ran } from '../support/clone.js';
import { blocksOf, type Block } from '../support/page.js';
import { Shell } from '../support/shell.js';

const FRESH_MACHINE = ['npm ci && npm run demo', 'npm ci && npm test'];
const PROGRAM = 'tour.mjs';

const blocks = blocksOf('README.md');
const commandsOf = (block: Block): string[] =>
  block.code.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
const shellBlocks = blocks.filter(({ language }) => language === 'sh' || language === 'bash');
const commands = shellBlocks.flatMap(commandsOf);

/** The commands that the README runs to show a deleted key, a refused write and a node that is down; all others end with 0. */
const EXIT_CODES: Readonly<Record<string, number>> = {
  'trefoil get greeting': 5,
  'trefoil put seat/12A bob --if-absent': 1,
  'trefoil cluster status': 3,
};

describe('the commands for a fresh machine', () => {
  const script = (name: string): string | undefined =>
    (JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> }).scripts[name];

  it('are the first that the README gives', () => {
    expect(commands.slice(0, 2)).toEqual(FRESH_MACHINE);
  });

  it('run elsewhere: `npm ci` and the tests by .ci/run, the demo by its own test', () => {
    const ci = readFileSync('.ci/run', 'utf8');
    expect(ci).toMatch(/^npm ci\b/m);
    expect(ci).toMatch(/^npm run -s verify$/m);
    expect(script('verify')).toMatch(/&& npm test$/);
    expect(script('demo')).toMatch(/node dist\/src\/cli\/main\.js demo$/);
    expect(existsSync('test/integration/demo.test.ts')).toBe(true);
  });

  it('build the program that the tour uses', () => {
    expect(script('prepare')).toBe('npm run -s build');
  });
});

describe('the five minutes', () => {
  let clone: Clone;
  let shell: Shell;
  const ran = new Map<string, Ran[]>();

  beforeAll(async () => {
    clone = await makeClone('readme');
    const pictures = join(clone.folder, 'Pictures');
    mkdirSync(pictures);
    for (const [i, background] of (['#c33', '#36c'] as const).entries())
      await sharp({ create: { width: 64, height: 48, channels: 3, background } })
        .jpeg()
        .toFile(join(pictures, `photo-${i}.jpg`));
    const program = blocks.find(({ code }) => code.startsWith(`// ${PROGRAM}\n`));
    expect(program, `the program that is to be saved as ${PROGRAM}`).toBeDefined();
    writeFileSync(join(clone.folder, PROGRAM), clone.withPorts(program?.code ?? ''));
    shell = new Shell(clone);
  });

  afterAll(async () => {
    shell.close();
    await clone.remove();
  });

  it('has commands', () => {
    expect(commands.length).toBeGreaterThan(15);
    expect(commands).toEqual(expect.arrayContaining(Object.keys(EXIT_CODES)));
  });

  it.each(commands.filter((command) => !FRESH_MACHINE.includes(command)))('%s', async (command) => {
    const result = await shell.run(clone.withPorts(command));
    expect(result.code, result.output).toBe(EXIT_CODES[command] ?? 0);
    expect(result.output).not.toMatch(/^\s+at .*:\d+:\d+\)?$/m);
    ran.set(command, [...(ran.get(command) ?? []), result]);
  });

  const outputs = (command: RegExp): string[] =>
    [...ran].filter(([line]) => command.test(line)).flatMap(([, results]) => results.map((r) => r.output));

  it('shows what the text around it says', () => {
    const [before, after] = outputs(/cluster status.*local-3\.yaml$/);
    expect(before).toContain('3 of 3 nodes up');
    expect(outputs(/cluster status$/)[0]).toContain('2 of 3 nodes up');
    expect(after).toContain('3 of 3 nodes up');
    expect(outputs(/^trefoil get greeting --explain/)[0]).toMatch(/^hello\n[^]*guarantee/);
    expect(outputs(/^trefoil scan/)[0]).toContain('hello, world');
    expect(outputs(/^trefoil get colour$/)[0]).toMatch(/\[0\] (red|blue)\n\[1\] (?!\1)(red|blue)\n/);
    expect(outputs(/^trefoil get colour --explain/)[0]).toMatch(
      /^(red|blue), without n2\n[^]*n2 +unreachable/,
    );
    expect(outputs(/^trefoil photos list/)[0]?.match(/photo-\d/g)).toHaveLength(2);
    expect(outputs(/^trefoil sim run/)[0]).toMatch(
      /\n {4}acknowledged-kept +valid [^]*\nvalid +trace [0-9a-f]{16} /,
    );
    expect(outputs(/^trefoil put seat.*ada/)[0]).toMatch(/^stored seat\/12A, version \d+\n/);
    expect(outputs(/^trefoil put seat.*bob/)[0]).toMatch(
      /^error: ConditionFailed: "seat\/12A" has version \d+/,
    );
    expect(outputs(/^trefoil get seat/)[0]).toMatch(/^ada\n[^]*\nversion +\d+\nguarantee +linearizable/);
    expect(outputs(/^trefoil update sold/)[0]).toBe('1\n');
    expect(outputs(/^trefoil sim run/)[1]).toMatch(/ found [1-9]\d* acknowledged writes lost by fail-overs /);
    expect(outputs(/^trefoil sim hunt/)[0]).toMatch(/^4 runs of 2 experiments[^]*\nevery promise held\n/);
    expect(outputs(/^node /)[0]).toMatch(/buy film.*done: true.*\nnote\/1/s);
    expect(existsSync(join(clone.folder, 'cluster-configs', '.trefoil'))).toBe(false);
  });
});

describe('the config', () => {
  it('is a good one', async () => {
    const clone = await makeClone('readme-config');
    try {
      const file = join(clone.folder, 'config.yaml');
      writeFileSync(file, blocks.find(({ language }) => language === 'yaml')?.code ?? '');
      expect(loadConfig(file).namespaces.map(({ name }) => name)).toEqual(['photos', 'users']);
    } finally {
      await clone.remove();
    }
  });
});

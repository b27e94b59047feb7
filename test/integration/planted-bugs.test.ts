/** `trefoil sim bugs` and `--bug`: planted bugs are caught by the built program, and only where they are planted. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runTrefoil } from '../support/cli-program.js';

const QUICK = ['skip-read-repair', 'keep-incarnation-across-unclean-stop'] as const;

describe('trefoil sim bugs', () => {
  it('plants bugs one by one, and says which check caught each', async () => {
    const ran = await runTrefoil(['sim', 'bugs', ...QUICK, '--jobs', '1']);
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(ran.stdout.trimEnd().split('\n')).toEqual([
      expect.stringMatching(
        /^skip-read-repair +run \d+ of \d+: reads-repair, in leaderless-read-repair with seed \d+$/,
      ),
      expect.stringMatching(
        /^keep-incarnation-across-unclean-stop {2}run \d+ of \d+: (acknowledged-kept|converged), in leaderless-buffered-power with seed \d+$/,
      ),
      expect.stringMatching(/^2 of 2 planted bugs caught, in \d+ runs$/),
    ]);
  });

  it('says it as a document, too', async () => {
    const ran = await runTrefoil(['sim', 'bugs', 'skip-read-repair', '--jobs', '1', '--json']);
    expect(JSON.parse(ran.stdout)).toEqual([
      {
        bug: 'skip-read-repair',
        runs: 1,
        caughtBy: { experiment: 'leaderless-read-repair', seed: 1, check: 'reads-repair' },
      },
    ]);
  });

  it('refuses a name that no bug has, and runs nothing', async () => {
    const ran = await runTrefoil(['sim', 'bugs', 'skip-read-repiar']);
    expect(ran.code).not.toBe(0);
    expect(ran.stdout).toBe('');
    expect(ran.stderr).toMatch(/no planted bug skip-read-repiar \(did you mean skip-read-repair\?\)/);
    expect(ran.stderr).toMatch(/trefoil sim list --bugs/);
  });
});

describe('--bug', () => {
  let out: string;
  beforeEach(() => {
    out = mkdtempSync(join(tmpdir(), 'trefoil-bug-'));
  });
  afterEach(() => rmSync(out, { recursive: true, force: true }));

  it('makes a run fail that holds without it', async () => {
    const run = ['sim', 'run', 'leaderless-read-repair', '--seed', '1', '--json', '--out', out];
    const [sound, planted] = await Promise.all([runTrefoil(run), runTrefoil([...run, '--bug', QUICK[0]])]);
    expect(sound.code).toBe(0);
    expect(JSON.parse(sound.stdout)).toMatchObject({ verdict: 'valid' });
    expect(planted.code).toBe(1);
    expect(JSON.parse(planted.stdout)).toMatchObject({ verdict: 'invalid' });
  });

  it('makes a hunt end with exit code 1, and leaves a file that names it', async () => {
    const ran = await runTrefoil([
      'sim',
      'hunt',
      '--bug',
      QUICK[0],
      '--runs',
      '1',
      '--jobs',
      '1',
      '--out',
      out,
    ]);
    expect(ran.code).toBe(1);
    expect(readdirSync(out)).toEqual(['leaderless-read-repair-1-skip-read-repair.failure.json']);
  });
});

/** The bench itself, very short: it must measure all subjects and leave nothing behind. It asserts no speed. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { etcd } from '../../bench/etcd.js';
import type { ScenarioResult } from '../../bench/report.js';

const run = promisify(execFile);
const PROGRAM = join(import.meta.dirname, '../../dist/bench/main.js');

describe('npm run bench', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'trefoil-test-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** Every workload on these subjects, measured in a moment. */
  const measures = async (experiment: string, subjects: readonly string[], ...more: string[]) => {
    const out = join(folder, 'out', 'bench.json');
    const options = [
      '--clients=4',
      '--seconds=0.3',
      '--records=50',
      '--runs=1',
      `--data-dir=${folder}`,
      ...more,
    ];
    const ran = await run(process.execPath, [PROGRAM, experiment, ...options, `--out=${out}`]);
    expect(ran.stdout).toMatch(/read, 4 clients +trefoil/);

    const { results } = JSON.parse(await readFile(out, 'utf8')) as { results: readonly ScenarioResult[] };
    expect(results.map((r) => `${r.scenario.workload} ${r.subject}`)).toEqual(
      ['write', 'overwrite', 'read'].flatMap((w) => subjects.map((subject) => `${w} ${subject}`)),
    );
    for (const result of results) {
      expect(result.operationsPerSecond).toBeGreaterThan(0);
      expect(result.errors).toEqual({});
    }
    expect(await readdir(folder)).toEqual(['out']);
    return ran.stderr;
  };

  it('measures every workload on leaderless Trefoil and the bare pipeline', async () => {
    await measures('leaderless', ['trefoil', 'bare pipeline']);
  });

  it('measures leader-follower Trefoil beside etcd, or says that etcd is not there', async () => {
    const there = etcd.unavailable?.() === undefined;
    const subjects = ['trefoil', 'trefoil, 1 group', ...(there ? ['etcd'] : []), 'bare pipeline'];
    const told = await measures('leader-follower', subjects, '--load-processes=2');
    if (!there) expect(told).toContain('etcd is left out: no program etcd');
  });

  it('measures how a follower catches up', async () => {
    const options = ['--entries=2000', '--seconds=0.3', '--log-bytes=64MiB', `--data-dir=${folder}`];
    const { stdout } = await run(process.execPath, [PROGRAM, 'catch-up', ...options]);
    expect(stdout).toMatch(/brought by log\n +caught up .* entries a second/);
    expect(await readdir(folder)).toEqual(['out']);
  });

  it('refuses what it does not know', async () => {
    const refused = run(process.execPath, [PROGRAM, 'leaderless', '--workloads=fly']);
    await expect(refused).rejects.toMatchObject({
      stderr: expect.stringContaining('one of write') as string,
    });
  });
});

/** The bench itself, very short: it must measure both subjects and leave nothing behind. It asserts no speed. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ScenarioResult } from '../../bench/report.js';

const run = promisify(execFile);
const PROGRAM = join(import.meta.dirname, '../../dist/bench/main.js');

describe('npm run bench -- leaderless', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'trefoil-test-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('measures every workload on Trefoil and the bare pipeline', async () => {
    const out = join(folder, 'out', 'bench.json');
    const options = ['--clients=4', '--seconds=0.3', '--records=50', '--runs=1', `--data-dir=${folder}`];
    const { stdout } = await run(process.execPath, [PROGRAM, 'leaderless', ...options, `--out=${out}`]);
    expect(stdout).toMatch(/read, 4 clients +trefoil/);

    const { results } = JSON.parse(await readFile(out, 'utf8')) as { results: readonly ScenarioResult[] };
    expect(results.map((r) => `${r.scenario.workload} ${r.subject}`)).toEqual(
      ['write', 'overwrite', 'read'].flatMap((w) => [`${w} trefoil`, `${w} bare pipeline`]),
    );
    for (const result of results) {
      expect(result.operationsPerSecond).toBeGreaterThan(0);
      expect(result.errors).toEqual({});
    }
    expect(await readdir(folder)).toEqual(['out']);
  });

  it('refuses what it does not know', async () => {
    const refused = run(process.execPath, [PROGRAM, 'leaderless', '--workloads=fly']);
    await expect(refused).rejects.toMatchObject({
      stderr: expect.stringContaining('one of write') as string,
    });
  });
});

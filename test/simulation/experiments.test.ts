/**
 * Every experiment that comes along, every seed twice: all that is promised holds, and a seed is the same run each time. 20 seeds of
 * each leaderless one; 3 of those with leaders, so that all tests together end within minutes (`npm run hunt` runs 500 of each). By the
 * built program, whose worker processes use the machine's cores.
 *
 *     HUNT_FROM=1000 HUNT_RUNS=500 npx vitest run test/simulation/experiments.test.ts
 *
 * A seed that fails leaves a failure file in `HUNT_OUT`, a temporary folder by default.
 */
import { mkdtempSync, readdirSync, rmdirSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadAllExperiments, loadExperiment } from '../../chaos/experiments/library.js';
import type { HuntReport } from '../../chaos/run/hunt.js';
import { simulate, type RunResult } from '../../chaos/run/simulate.js';
import { TraceRecorder } from '../../src/simulation/trace.js';
import { runTrefoil } from '../support/cli-program.js';

const FROM = Number(process.env['HUNT_FROM'] ?? 1);
/** By what the names of experiments begin with. */
const RUNS = {
  leaderless: Number(process.env['HUNT_RUNS'] ?? 20),
  'leader-follower': Number(process.env['HUNT_RUNS'] ?? 3),
} as const;
/** Of one run made twice, with its part of what a failure costs, on a machine that is busy. */
const RUN_MS_MAX = 6_000;

const experiments = loadAllExperiments();
const JOBS = String(Math.min(2, availableParallelism()));

const folders: string[] = [];

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'trefoil-hunt-'));
  folders.push(folder);
  return folder;
}

// Those with a failure file stay.
afterAll(() => {
  for (const folder of folders) if (readdirSync(folder).length === 0) rmdirSync(folder);
});

async function hunt(args: readonly string[], runs: number): Promise<void> {
  const out = process.env['HUNT_OUT'] ?? newFolder();
  const { stdout, stderr } = await runTrefoil(
    ['sim', 'hunt', ...args, '--twice', '--keep-going', '--jobs', JOBS, '--out', out, '--json'],
    { deadlineMs: 60_000 + runs * RUN_MS_MAX },
  );
  expect(stdout, stderr).not.toBe('');
  const report = JSON.parse(stdout) as HuntReport;
  const told = report.failures.map(
    ({ experiment, seed, check, reason, file }) =>
      `${experiment}, seed ${String(seed)}: ${check}: ${reason}; trefoil sim ${file === null ? `run ${experiment} --seed ${String(seed)}` : `replay ${file}`}`,
  );
  expect(told).toEqual([]);
  expect(report).toMatchObject({ runs, unknown: [], interrupted: false });
}

describe('every experiment', () => {
  const ofStrategies = Object.entries(RUNS).map(([strategy, runs]) => {
    const names = experiments.map(({ name }) => name).filter((name) => name.startsWith(`${strategy}-`));
    return { strategy, names, runs, all: names.length * runs };
  });

  it('is of a strategy that is hunted here', () => {
    expect(ofStrategies.flatMap(({ names }) => names)).toHaveLength(experiments.length);
  });

  it.each(ofStrategies)(
    `of $strategy keeps its promises, $runs seeds from ${String(FROM)} on`,
    ({ names, runs, all }) => hunt([...names, '--seed', String(FROM), '--runs', String(runs)], all),
    60_000 + Math.max(...ofStrategies.map(({ all }) => all)) * RUN_MS_MAX,
  );

  // A bug that an experiment's own seed found stays found.
  it.each(experiments.flatMap(({ name, seed }) => (seed === undefined ? [] : [{ name, seed }])))(
    '$name keeps its promises with its own seed $seed',
    ({ name, seed }) => hunt([name, '--seed', String(seed), '--runs', '1'], 1),
    60_000 + RUN_MS_MAX,
  );
});

describe('a seed is the same run', () => {
  it.each(['leaderless-everything', 'leaderless-photos', 'leader-follower-everything'])(
    '%s: here with a recorder on, and in two processes at once that share the cores with it',
    async (name) => {
      const args = ['sim', 'run', name, '--seed', '4', '--minutes', '0.1', '--json'];
      const out = ['--out', newFolder()];
      const recorded = simulate({
        experiment: { ...loadExperiment(name), durationMs: 6_000 },
        seed: 4,
        trace: new TraceRecorder(),
      });
      const [here, ...elsewhere] = await Promise.all([
        recorded,
        runTrefoil([...args, ...out]),
        runTrefoil([...args, ...out]),
      ]);
      const seen = elsewhere.map(({ stdout }) => JSON.parse(stdout) as RunResult);
      expect(here.operations).toBeGreaterThan(50);
      for (const run of seen) {
        expect(run.traceHash).toBe(here.traceHash);
        expect([run.operations, run.outcomes, run.virtualMs]).toEqual([
          here.operations,
          here.outcomes,
          here.virtualMs,
        ]);
      }
      const other = await simulate({ experiment: { ...loadExperiment(name), durationMs: 6_000 }, seed: 5 });
      expect(other.traceHash).not.toBe(here.traceHash);
    },
  );
});

describe('a run that cannot go on', () => {
  it('is a failure with the place in the code, not an error of the laboratory', async () => {
    const run = await simulate({
      experiment: { ...loadExperiment('leaderless-network'), durationMs: 2_000 },
      seed: 1,
      prepare: ({ simulation, world }) => {
        simulation.schedule(1_000, 'a defect', () => {
          world.act('n1', () => {
            throw new RangeError('an invariant that does not hold');
          });
        });
      },
    });
    expect(run.verdict).toBe('invalid');
    expect(run.checks).toHaveLength(1);
    expect(run.checks[0]).toMatchObject({
      name: 'runs',
      promised: true,
      verdict: { validity: 'invalid', reason: 'an invariant that does not hold' },
    });
    expect(run.checks[0]?.verdict.witness?.lines.join('\n')).toContain('experiments.test.ts');
  });
});

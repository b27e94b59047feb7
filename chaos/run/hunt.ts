/**
 * A hunt: many seeds of many experiments, in several processes, until one fails or all are through. What fails
 * is shrunk and written to a file that replays it.
 */
import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import type { Experiment } from '../experiments/experiment.js';
import { failedCheck } from './failure-file.js';
import { WorkerPool } from './worker-pool.js';
import type { RunSummary } from './worker-messages.js';

/** Runs that the shrinking of one failure may take. */
const SHRINK_RUNS_MAX = 300;

export interface HuntOptions {
  readonly experiments: readonly Experiment[];
  /** Seeds of each experiment. */
  readonly runs: number;
  readonly fromSeed: number;
  readonly jobs: number;
  readonly bug: string | null;
  /** Goes on after a failure. */
  readonly keepGoing: boolean;
  readonly twice: boolean;
  /** Where failure files go; null for none, and no shrinking. */
  readonly folder: string | null;
  readonly onRun?: (summary: RunSummary, done: number) => void;
  readonly onFailure?: (failure: FoundFailure) => void;
}

export interface FoundFailure {
  readonly experiment: string;
  readonly seed: number;
  readonly check: string;
  readonly reason: string;
  /** The failure file, if one was asked for. */
  readonly file: string | null;
}

export interface HuntReport {
  readonly runs: number;
  readonly operations: number;
  readonly virtualMs: number;
  /** Processor time that the runs took, summed over the processes. */
  readonly runMs: number;
  readonly failures: readonly FoundFailure[];
  /** Runs whose verdict was unknown, by reason. */
  readonly unknown: readonly string[];
}

export async function hunt(options: HuntOptions): Promise<HuntReport> {
  const { experiments, runs, fromSeed, jobs, bug, twice, keepGoing } = options;
  const pool = new WorkerPool(jobs, bug);
  const failures: FoundFailure[] = [];
  const unknown: string[] = [];
  const totals = { runs: 0, operations: 0, virtualMs: 0, runMs: 0 };
  let stopped = false;
  const one = async (experiment: Experiment, seed: number): Promise<void> => {
    const answer = await pool.do({ type: 'run', experiment, seed, twice, history: null });
    if (stopped) return;
    if (answer.type !== 'ran') {
      stopped = !keepGoing;
      const reason = answer.type === 'error' ? answer.message : 'no answer';
      failures.push({ experiment: experiment.name, seed, check: 'runs', reason, file: null });
      return;
    }
    const { summary } = answer;
    totals.runs++;
    totals.operations += summary.operations;
    totals.virtualMs += summary.virtualMs;
    totals.runMs += summary.realMs;
    options.onRun?.(summary, totals.runs);
    if (summary.verdict === 'unknown') unknown.push(`${experiment.name} seed ${String(seed)}`);
    const failed = failedCheck(summary);
    if (failed === undefined) return;
    stopped = !keepGoing;
    const failure: FoundFailure = {
      experiment: experiment.name,
      seed,
      check: failed.name,
      reason: failed.verdict.reason,
      file:
        options.folder === null
          ? null
          : await shrinkToFile(pool, { experiment, seed, bug, folder: options.folder }),
    };
    failures.push(failure);
    options.onFailure?.(failure);
  };
  try {
    const seeds = Array.from({ length: runs }, (_, i) => fromSeed + i);
    const all = seeds.flatMap((seed) => experiments.map((experiment) => ({ experiment, seed })));
    let next = 0;
    const take = async (): Promise<void> => {
      for (let task = all[next++]; task !== undefined && !stopped; task = all[next++]) {
        await one(task.experiment, task.seed);
      }
    };
    await Promise.all(Array.from({ length: jobs }, take));
  } finally {
    pool.close();
  }
  return { ...totals, failures, unknown };
}

/** Shrinks a seed that failed, and writes what is left. Null where it did not fail again. */
export async function shrinkToFile(
  pool: WorkerPool,
  options: {
    readonly experiment: Experiment;
    readonly seed: number;
    readonly bug: string | null;
    readonly folder: string;
  },
): Promise<string | null> {
  const { experiment, seed, bug, folder } = options;
  const answer = await pool.do({ type: 'shrink', experiment, seed, bug, runsMax: SHRINK_RUNS_MAX });
  if (answer.type !== 'shrunk') return null;
  const name = [experiment.name, String(seed), ...(bug === null ? [] : [bug])].join('-');
  const file = join(folder, `${name}.failure.json`);
  writeFileSync(file, answer.failure);
  return file;
}

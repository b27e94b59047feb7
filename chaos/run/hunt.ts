/**
 * A hunt: many seeds of many experiments, in several processes, until one fails or all are through. What fails
 * is shrunk and written to a file that replays it.
 */
import { join } from 'node:path';
import type { Experiment } from '../experiments/experiment.js';
import { failedCheck } from './failed-check.js';
import { makeFolder, writeText } from './result-files.js';
import { WorkerPool } from './worker-pool.js';
import type { WorkerAnswer } from './worker-messages.js';

/** Runs that the shrinking of one failure may take. */
const SHRINK_RUNS_MAX = 300;

/** A hunt that goes on after a failure ends after so many: code that fails so often needs no more of them. */
const FAILURES_MAX = 100;

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
  /** Ends the hunt early: it resolves with what was found so far, and no process is left. */
  readonly signal?: AbortSignal;
  /** After each run, and again when a failure has been shrunk. */
  readonly onProgress?: (progress: { readonly runs: number; readonly failures: number }) => void;
}

export interface FoundFailure {
  readonly experiment: string;
  readonly seed: number;
  readonly check: string;
  readonly reason: string;
  /** The failure file; null where none was asked for, or none could be made. */
  readonly file: string | null;
}

export interface HuntReport {
  /** Runs that ended, one way or another. */
  readonly runs: number;
  readonly operations: number;
  readonly virtualMs: number;
  /** Real time that the runs took, summed over the processes; shrinking is not in it. */
  readonly runMs: number;
  readonly failures: readonly FoundFailure[];
  /** Runs of which a check could not tell. */
  readonly unknown: readonly string[];
  /** Whether it was told to end before all runs were made. */
  readonly interrupted: boolean;
}

export function hunt(options: HuntOptions): Promise<HuntReport> {
  return new Hunt(options).run();
}

class Hunt {
  readonly #options: HuntOptions;
  readonly #pool: WorkerPool;
  readonly #failures: FoundFailure[] = [];
  readonly #unknown: string[] = [];
  #totals = { runs: 0, operations: 0, virtualMs: 0, runMs: 0 };
  #begun = 0;
  #stopped = false;
  #interrupted = false;

  constructor(options: HuntOptions) {
    this.#options = options;
    this.#pool = new WorkerPool(options.jobs, options.bug);
  }

  async run(): Promise<HuntReport> {
    const { jobs, signal } = this.#options;
    const interrupt = (): void => {
      this.#interrupted = true;
      this.#stopped = true;
      this.#pool.close();
    };
    if (signal?.aborted === true) interrupt();
    signal?.addEventListener('abort', interrupt, { once: true });
    try {
      await Promise.all(Array.from({ length: jobs }, () => this.#work()));
    } finally {
      this.#pool.close();
      signal?.removeEventListener('abort', interrupt);
    }
    return {
      ...this.#totals,
      failures: this.#failures,
      unknown: this.#unknown,
      interrupted: this.#interrupted,
    };
  }

  /** Seed by seed, each in every experiment, so that an early stop has seen all of them. */
  async #work(): Promise<void> {
    const { experiments, runs, fromSeed } = this.#options;
    while (!this.#stopped && this.#begun < runs * experiments.length) {
      const next = this.#begun++;
      const seed = fromSeed + Math.floor(next / experiments.length);
      await this.#one(experiments[next % experiments.length] as Experiment, seed);
    }
  }

  async #one(experiment: Experiment, seed: number): Promise<void> {
    const { twice } = this.#options;
    const answer = await this.#pool.do({ type: 'run', experiment, seed, twice, history: null });
    if (this.#stopped) return;
    this.#totals.runs++;
    if (answer.type === 'ran') {
      const { summary } = answer;
      this.#totals.operations += summary.operations;
      this.#totals.virtualMs += summary.virtualMs;
      this.#totals.runMs += summary.realMs;
      if (summary.verdict === 'unknown') this.#unknown.push(`${experiment.name}, seed ${String(seed)}`);
    }
    const failed = failureOf(answer);
    if (failed !== undefined) await this.#found(experiment, seed, failed);
    this.#tell();
  }

  async #found(experiment: Experiment, seed: number, { check, reason, shrinks }: FailedRun): Promise<void> {
    const { keepGoing, folder, bug } = this.#options;
    if (!keepGoing || this.#failures.length + 1 >= FAILURES_MAX) this.#stopped = true;
    const place = this.#failures.length;
    const found = { experiment: experiment.name, seed, check, reason };
    // Told even if the hunt is interrupted while it shrinks.
    this.#failures.push({ ...found, file: null });
    if (folder === null || !shrinks) return;
    this.#tell();
    const file = await shrinkToFile(this.#pool, { experiment, seed, bug, check, folder }).catch(() => null);
    // A full disk costs the file, and not what was found.
    this.#failures[place] = { ...found, file };
  }

  #tell(): void {
    this.#options.onProgress?.({ runs: this.#totals.runs, failures: this.#failures.length });
  }
}

interface FailedRun {
  readonly check: string;
  readonly reason: string;
  /** Whether there is a run to make smaller. */
  readonly shrinks: boolean;
}

function failureOf(answer: WorkerAnswer): FailedRun | undefined {
  if (answer.type === 'error') return { check: 'runs', reason: answer.message, shrinks: false };
  const failed = answer.type === 'ran' ? failedCheck(answer.summary) : undefined;
  return failed && { check: failed.name, reason: failed.verdict.reason, shrinks: true };
}

/** Shrinks a seed that failed, and writes what is left. Null where it did not fail again; rejects with `BadRequest` where it cannot be written. */
export async function shrinkToFile(
  pool: WorkerPool,
  options: {
    readonly experiment: Experiment;
    readonly seed: number;
    readonly bug: string | null;
    /** The check that it failed. */
    readonly check: string;
    readonly folder: string;
  },
): Promise<string | null> {
  const { folder, ...what } = options;
  const { experiment, seed, bug } = what;
  const answer = await pool.do({ type: 'shrink', ...what, runsMax: SHRINK_RUNS_MAX });
  if (answer.type !== 'shrunk') return null;
  const name = [experiment.name, String(seed), ...(bug === null ? [] : [bug])].join('-');
  const file = join(folder, `${name}.failure.json`);
  makeFolder(folder);
  writeText(file, answer.failure);
  return file;
}

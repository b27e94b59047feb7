/** What a hunt and its worker processes say to each other. Plain data: it travels as JSON. */
import type { RunResult } from './simulate.js';

export type WorkerWork =
  | {
      readonly type: 'run';
      /** The experiment as its file has it. */
      readonly experiment: unknown;
      readonly seed: number;
      /** Run it a second time and compare the hashes. */
      readonly twice: boolean;
      /** Whether the answer shall bring the history, in this form. */
      readonly history: 'edn' | 'json' | null;
    }
  | {
      readonly type: 'shrink';
      readonly experiment: unknown;
      readonly seed: number;
      /** The planted bug, for the failure file. */
      readonly bug: string | null;
      /** The check that failed. */
      readonly check: string;
      readonly runsMax: number;
    }
  /** `failure`: the text of a failure file. */
  | { readonly type: 'replay'; readonly failure: string }
  /** The page of a run, recorded: of what is left of a failure, or of a seed. */
  | { readonly type: 'trace'; readonly failure: string }
  | {
      readonly type: 'trace';
      readonly experiment: unknown;
      readonly seed: number;
      /** The planted bug, for the page. */
      readonly bug: string | null;
    };

export type WorkerTask = WorkerWork & { readonly id: number };

/** A run without its history, which would be most of the bytes. */
export type RunSummary = Omit<RunResult, 'history'>;

export type WorkerAnswer =
  | {
      readonly id: number;
      readonly type: 'ran';
      readonly summary: RunSummary;
      readonly history: string | null;
    }
  /** `failure`: the text of the failure file. */
  | { readonly id: number; readonly type: 'shrunk'; readonly failure: string; readonly runs: number }
  | { readonly id: number; readonly type: 'traced'; readonly summary: RunSummary; readonly page: string }
  /** The run could not be made at all, or not be repeated. */
  | { readonly id: number; readonly type: 'error'; readonly message: string };

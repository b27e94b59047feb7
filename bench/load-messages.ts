/** What the parent and the process that makes the load tell each other. */
import type { ClientTarget } from './clients.js';
import type { Workload } from './workload.js';

export interface Scenario {
  readonly workload: Workload;
  /** Logical clients: each has one request under way, always. */
  readonly clients: number;
}

export type LoadOrder =
  | { readonly type: 'open'; readonly target: ClientTarget; readonly records: number }
  | {
      readonly type: 'run';
      readonly scenario: Scenario;
      readonly warmUpMs: number;
      readonly measuredMs: number;
      /** The first index of the photos that `write` may create. */
      readonly firstNew: number;
      readonly seed: number;
    }
  | { readonly type: 'close' };

export type LoadReport =
  /** Connected, and the photos to read are stored. */
  | { readonly type: 'opened' }
  /** The warm-up is over: what is used from here on counts. */
  | { readonly type: 'measuring' }
  | { readonly type: 'measured'; readonly measure: LoadMeasure }
  /** Every request has ended; the next order may come. */
  | { readonly type: 'rested'; readonly nextNew: number }
  | { readonly type: 'failed'; readonly reason: string };

export interface LoadMeasure {
  /** Requests that ended well within the window. */
  readonly operations: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Requests that failed, by error code. */
  readonly errors: Readonly<Record<string, number>>;
}

/** What the parent and the process that makes the load tell each other. */
import type { ClientTarget } from './clients.js';
import type { HistogramData } from './histogram.js';
import type { Workload } from './workload.js';

export interface Scenario {
  readonly workload: Workload;
  /** Logical clients: each has one request under way, always. */
  readonly clients: number;
}

export type LoadOrder =
  /** Connect, and store photos `from` to `to` - 1 of the `records` that are read and overwritten later. */
  | {
      readonly type: 'open';
      readonly target: ClientTarget;
      readonly records: number;
      readonly from: number;
      readonly to: number;
    }
  | {
      readonly type: 'run';
      readonly scenario: Scenario;
      readonly warmUpMs: number;
      readonly measuredMs: number;
      /** The first index of the photos that `write` may create. */
      readonly firstNew: number;
      readonly seed: number;
    }
  /** Store photos `from` to `to` - 1, `atOnce` at a time. */
  | { readonly type: 'fill'; readonly from: number; readonly to: number; readonly atOnce: number }
  /** Store new photos from `firstNew` on at a steady rate, however fast they are answered. */
  | { readonly type: 'pace'; readonly perSecond: number; readonly firstNew: number }
  | { readonly type: 'end-pace' }
  | { readonly type: 'close' };

export type LoadReport =
  /** Connected, and the photos to read are stored. */
  | { readonly type: 'opened' }
  /** The warm-up is over: what is used from here on counts. */
  | { readonly type: 'measuring' }
  | { readonly type: 'measured'; readonly measure: ProcessMeasure }
  | { readonly type: 'filled' }
  /** The steady load runs; `end-pace` gets it `measured` and `rested`. */
  | { readonly type: 'pacing' }
  /** Every request has ended; the next order may come. */
  | { readonly type: 'rested'; readonly nextNew: number }
  | { readonly type: 'failed'; readonly reason: string };

/** What one process has measured. */
export interface ProcessMeasure {
  /** In microseconds, of requests that ended well within the window. */
  readonly latenciesUs: HistogramData;
  readonly seconds: number;
  /** Requests that failed, by error code. */
  readonly errors: Readonly<Record<string, number>>;
}

/** What all processes together have measured. */
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

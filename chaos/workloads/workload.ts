/**
 * Workloads: what clients do while faults happen. A workload plans its operations ahead, from the seed alone, as
 * data: that is what lets the shrinker drop some of them and the replay repeat the rest. What a client
 * remembers between operations (contexts) is its own, and made while it runs.
 */
import type { Database } from '../../src/client/api.js';
import type { AckLevel, QuorumLevel, ReadMode } from '../../src/cluster/cluster-map.js';
import type { Random } from '../../src/runtime/runtime.js';
import type { Value } from '../history/history.js';

/** One operation to come. Open loop: it is invoked at its time, or as soon after as its client is free. */
export interface PlannedOperation {
  /** Names it in a plan that others were dropped from. */
  readonly id: number;
  /** Virtual milliseconds after the fault phase began. */
  readonly atMs: number;
  /** Number of the client, from 0. */
  readonly client: number;
  readonly f: string;
  readonly key?: string;
  readonly value: Value;
  /** Writes without a context, whatever its client knows of the key. */
  readonly blind?: boolean;
}

export interface WorkloadOptions {
  readonly namespace: string;
  readonly clients: number;
  /** Operations a second, over all clients. */
  readonly rate: number;
  readonly durationMs: number;
  readonly keys: number;
  readonly keyChoice: 'uniform' | 'zipfian';
  /** Levels for single requests, where they differ from the namespace's own. */
  readonly read?: QuorumLevel | ReadMode;
  readonly write?: QuorumLevel;
  readonly ack?: AckLevel;
  /** Whether each client's calls are bound to a session of its own. */
  readonly session: boolean;
  /** Time budget of one call. */
  readonly timeoutMs: number;
}

/** How an operation ended, for the history. */
export interface Completion {
  readonly type: 'ok' | 'fail' | 'info';
  readonly value: Value;
  /** The code of the error, unless ok. */
  readonly error?: string;
}

/** One client at work. A new one after its process was reconnected remembers nothing. */
export interface WorkloadClient {
  /** The operation as it is going to be invoked, where that depends on what this client has read. */
  prepare?(operation: PlannedOperation): PlannedOperation;
  /** Does one operation. Never rejects for what the database answers: that is a completion. */
  perform(operation: PlannedOperation, log: OperationLog): Promise<Completion>;
}

/** What a client tells the history while an operation is under way. */
export interface OperationLog {
  /** Before anything is sent: the values that the operation may supersede. The latest word counts. */
  seen(values: readonly Value[]): void;
  /** The operation tries again by another write, of this value: what it wrote before may have effect or not. */
  again(value: Value): void;
}

export interface Workload {
  readonly name: string;
  /** One line for people. */
  readonly summary: string;
  /** All operations of a run, by `atMs`. Draws from `random` only. */
  plan(random: Random, options: WorkloadOptions): PlannedOperation[];
  client(database: Database, options: WorkloadOptions): WorkloadClient;
  /** After the healing phase, one client performs these, with the strictest read there is; they end the history. */
  finalReads(options: WorkloadOptions): PlannedOperation[];
}

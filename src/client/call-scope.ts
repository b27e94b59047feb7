/** What the calls on one namespace work with, whatever its strategy: `key-calls.ts` hands it to those of each strategy. */
import type {
  ChangeOperation,
  ClientOperation,
  ClientResult,
  GetResult,
  PutOperation,
  ScanEntry,
} from '../protocol/messages.js';
import type { ClientRuntime } from '../runtime/runtime.js';
import type { CallOptions, WriteOptions } from './api.js';
import type { CallTarget } from './call.js';
import type { Caller } from './caller.js';
import type { GroupSessions } from './group-sessions.js';
import type { KeyTurns } from './key-turns.js';
import type { Operations } from './operations.js';
import type { Router } from './router.js';
import type { ClientSession } from './session.js';

/** What the namespaces of one database share. */
export interface DatabaseParts {
  readonly runtime: ClientRuntime;
  readonly router: Router;
  readonly caller: Caller;
  /** Of writes to leaderless namespaces. */
  readonly operations: Operations;
  /** Of writes to leader-follower namespaces. */
  readonly groupSessions: GroupSessions;
  readonly turns: KeyTurns;
  readonly timeoutMs: number;
}

export interface CallScope {
  readonly name: string;
  readonly parts: DatabaseParts;
  readonly session: ClientSession | undefined;
  deadlineMs(options: CallOptions): number;
  call<R>(
    to: PartitionTarget,
    operation: ClientOperation,
    call: CallLimits,
    finish: (r: ClientResult) => R,
  ): Promise<R>;
}

export type PartitionTarget = Pick<Extract<CallTarget, { readonly type: 'partition' }>, 'partition' | 'to'>;

export interface CallLimits {
  readonly options: CallOptions;
  readonly deadlineMs: number;
}

/** What a read gave of one key. */
export type Found = Pick<GetResult, 'values' | 'context' | 'version' | 'lag' | 'explain'>;

/** An entry of a scan, as much as is known of it. */
export type ScannedEntry = ScanEntry & Pick<GetResult, 'lag'>;

/** Added to a write below its handle. */
type Added = 'write' | 'operation' | 'lowestOpen' | 'attempt';

/** A write as its handle knows it. */
export type PutContent = Omit<PutOperation, Added>;
export type ChangeContent = Omit<ChangeOperation, Added>;

/** How safe a write must be before it is acknowledged. */
export type LevelOptions = Pick<WriteOptions, 'write' | 'ack'> & CallOptions;

/**
 * The registry of errors: one stable code each, what a client may conclude, whether a retry can help, and
 * what would. Messages may change, codes do not. `docs/errors.md` is made from this table.
 *
 * outcome `failed`  = it certainly had no effect;  `unknown` = it may have had one.
 */

import type { NodeId } from './ids.js';

export type Outcome = 'failed' | 'unknown';

interface ErrorEntry {
  readonly outcome: Outcome;
  /** Whether the same request may succeed later or elsewhere. For `unknown` only with an operation id. */
  readonly retryable: boolean;
  /** What would help, as an imperative sentence. */
  readonly help: string;
}

const entry = (outcome: Outcome, retryable: boolean, help: string): ErrorEntry => ({
  outcome,
  retryable,
  help,
});

export const ERRORS = {
  // The request itself
  BadRequest: entry('failed', false, 'Correct the argument that the message names.'),
  UnknownNamespace: entry(
    'failed',
    false,
    'Use a namespace that the cluster config declares, or add it there.',
  ),
  InvalidKey: entry('failed', false, 'Use a non-empty key without lone surrogates.'),
  KeyTooLarge: entry('failed', false, 'Shorten the key; the limit is in the message.'),
  ValueTooLarge: entry('failed', false, 'Split the value, or store it elsewhere and keep a reference.'),
  BadContext: entry('failed', false, 'Pass the context that a read of this same key returned.'),
  Unsupported: entry(
    'failed',
    false,
    "Use an operation that the namespace's strategy and conflict policy offer.",
  ),
  TooManySiblings: entry(
    'failed',
    false,
    'Read the key, resolve its siblings, and put the result with the context of that read.',
  ),
  SetTooLarge: entry('failed', false, 'Remove elements, or spread them over several keys.'),
  CounterOverflow: entry('failed', false, 'Count in larger units, or go on under another key.'),
  ConditionFailed: entry('failed', false, 'Read the key again and decide anew.'),

  // The connection
  MalformedFrame: entry(
    'unknown',
    true,
    'Check that both ends run a compatible version; the connection was closed.',
  ),
  FrameTooLarge: entry('unknown', false, 'Send less in one request; the connection was closed.'),
  UnsupportedProtocol: entry('failed', false, 'Upgrade the older side; the message names both versions.'),
  WrongCluster: entry('failed', false, 'Check the address: it belongs to a cluster of another name.'),
  MapConflict: entry(
    'failed',
    false,
    'Give every node the same config file, and a higher epoch to a changed one.',
  ),
  NotAuthorized: entry('failed', false, "Check the credentials against the cluster's config."),
  ConnectionLost: entry(
    'unknown',
    true,
    'Check that the node runs and can be reached (trefoil cluster status); the SDK retries for as long as the call may take.',
  ),

  // Routing and load
  StaleMap: entry('failed', true, 'Retry with the map that came with the answer; the SDK does so itself.'),
  NotReplica: entry('failed', true, "Send the request to a replica of the key's partition."),
  Overloaded: entry('failed', true, 'Wait for the time given, then retry with fewer requests at once.'),
  ShuttingDown: entry('failed', true, 'Retry on another node.'),
  NoReachableNode: entry(
    'failed',
    true,
    'Check that the seeds are right and that nodes run there; trefoil cluster status --config FILE shows which do.',
  ),

  // Leaders
  NotLeader: entry(
    'failed',
    true,
    'Ask the leader; the answer names it where it is known. The SDK does so itself.',
  ),
  NoLeader: entry(
    'failed',
    true,
    'Wait for the election, or bring back a majority of the replicas; the first time all of them are needed.',
  ),
  TooStale: entry(
    'failed',
    true,
    'Read from another replica, allow more staleness, or read with the mode linearizable.',
  ),
  SessionExpired: entry(
    'failed',
    false,
    'Open a new session with the group and send the write as a new operation; the SDK does so itself.',
  ),

  // Quorums and time
  QuorumUnavailable: entry(
    'failed',
    true,
    'Bring replicas back, or ask for fewer: read or write; with a leader, ack or minReplicas.',
  ),
  ReplicasRefilling: entry(
    'failed',
    true,
    'Wait until the replicas that lost records have fetched them (trefoil cluster status), bring the others back, or read with fewer.',
  ),
  QuorumNotReached: entry(
    'unknown',
    true,
    'Read the key to see whether the write arrived, or retry the operation.',
  ),
  DeadlineExceeded: entry('failed', true, 'Allow more time; nothing was done.'),
  // For reads, too, which have no effect.
  Timeout: entry(
    'unknown',
    true,
    'Allow more time, or retry; a write whose outcome is unknown may have had an effect: read to see.',
  ),
  OperationForgotten: entry(
    'unknown',
    false,
    'Read the key to see whether the write arrived; the retry came too late to tell.',
  ),
  OperationUnconfirmed: entry(
    'unknown',
    true,
    'Retry the same operation when more replicas can be asked: it took effect once or not at all.',
  ),
  SessionNotSatisfied: entry(
    'failed',
    true,
    'Retry, or read with more replicas: the answers are older than the session has seen.',
  ),
  UpdateConflict: entry('failed', true, 'Retry the update; other writers kept changing the key.'),
  Cancelled: entry(
    'unknown',
    false,
    'The caller cancelled; a write whose outcome is unknown may have had an effect: read to see.',
  ),

  // Storage
  RecordCorrupt: entry('failed', true, 'Retry on another replica; this copy is being repaired.'),
  StorageFull: entry('failed', true, 'Free disk space on the node; reads go on meanwhile.'),
  StorageFailed: entry(
    'unknown',
    true,
    "Look at the node's log and its disk; the node refuses writes until its storage answers.",
  ),
  NodeReadOnly: entry('failed', true, "The node's storage failed; retry on another replica."),

  // Starting a node
  ConfigInvalid: entry(
    'failed',
    false,
    'Correct the file at the line given; `trefoil config check` reads a cluster config, `trefoil sim run` an experiment.',
  ),
  ConfigIncompatible: entry(
    'failed',
    false,
    'Keep the strategy, partitions and replicas of namespaces that hold data, or start from an empty folder.',
  ),
  DataFolderInUse: entry('failed', false, 'Stop the node that uses this data folder first.'),
  DataFolderForeign: entry(
    'failed',
    false,
    'Start the node that owns this folder, or give this one a folder of its own.',
  ),
  DataFolderDamaged: entry(
    'failed',
    false,
    'Restore the folder from a backup, or move it away and start with an empty one: the other replicas fill it.',
  ),
  PortInUse: entry('failed', false, 'Stop what listens there, or choose another port in the config.'),

  // Ours
  Internal: entry('unknown', false, "This is a defect: report it with the node's log."),
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERRORS;

export interface TrefoilErrorOptions {
  readonly retryAfterMs?: number;
  /** For writes whose effect became uncertain on the way: overrides the table's `failed`. */
  readonly outcome?: Outcome;
  readonly cause?: unknown;
  /** With `NotLeader`: who leads, where that is known. */
  readonly leader?: NodeId | undefined;
}

/** The only error that leaves the library. `message` is one sentence for a person; match on `code`. */
export class TrefoilError extends Error {
  override readonly name = 'TrefoilError';
  readonly code: ErrorCode;
  readonly outcome: Outcome;
  readonly retryable: boolean;
  readonly help: string;
  readonly retryAfterMs: number | undefined;
  /** With `NotLeader`: who leads, where that is known. */
  readonly leader: NodeId | undefined;

  constructor(code: ErrorCode, message: string, options: TrefoilErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.outcome = options.outcome ?? ERRORS[code].outcome;
    this.retryable = ERRORS[code].retryable;
    this.help = ERRORS[code].help;
    this.retryAfterMs = options.retryAfterMs;
    this.leader = options.leader;
  }
}

/** The error itself if it is ours, else an `Internal` one that carries it as its cause. */
export function asTrefoilError(error: unknown): TrefoilError {
  if (error instanceof TrefoilError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new TrefoilError('Internal', message, { cause: error });
}

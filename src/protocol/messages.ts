/**
 * The message catalogue: every message that may stand in a frame, as discriminated unions.
 * `codec.ts` turns them into frames and back; `docs/protocol.md` describes them for other implementers.
 *
 *   connection   hello, welcome, refused, ping, pong, goodbye
 *   client       request -> response
 *   replica      messages between the replicas of one group, by strategy
 */
import type { AckLevel, ClusterMap, QuorumLevel, ReadMode, Strategy } from '../cluster/cluster-map.js';
import type { ErrorCode, Outcome } from '../core/errors.js';
import type { HlcTime } from '../core/hlc.js';
import type { GroupId, NodeId, SessionId } from '../core/ids.js';
import type { OperationId } from '../core/record.js';
import type { LeaderFollowerMessage } from './leader-follower-messages.js';
import type { LeaderlessMessage } from './leaderless-messages.js';

/** Raised when a frame or message changes shape; a node refuses every other version. */
export const PROTOCOL_VERSION = 3;

// --- Connection ----------------------------------------------------------------------------------------

/** The first message on a connection, from the side that opened it. */
export interface Hello {
  readonly type: 'hello';
  readonly protocol: number;
  readonly cluster: string;
  readonly role: 'node' | 'client';
  /** The node's id, or the client's session id. */
  readonly id: string;
  readonly credentials: string;
  /** Epoch 0 and an empty hash: a client that has no map yet. */
  readonly mapEpoch: number;
  readonly mapHash: string;
}

/** The answer to a `hello` that is accepted. Carries the map unless the other side has the same one. */
export interface Welcome {
  readonly type: 'welcome';
  readonly protocol: number;
  readonly cluster: string;
  readonly node: NodeId;
  readonly map: ClusterMap | null;
}

/** The answer to a `hello` that is not, or the last word before a connection is closed for a fault. */
export interface Refused {
  readonly type: 'refused';
  readonly error: WireError;
}

export interface Ping {
  readonly type: 'ping';
  readonly nonce: number;
}

export interface Pong {
  readonly type: 'pong';
  readonly nonce: number;
}

/** The sender stops accepting requests and closes when those in flight are answered. */
export interface Goodbye {
  readonly type: 'goodbye';
  readonly reason: string;
}

export interface WireError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly outcome: Outcome;
  /** 0 for none. */
  readonly retryAfterMs: number;
  /** With `StaleMap`: the newer map. */
  readonly map: ClusterMap | null;
  /** With `NotLeader`: who leads the partition, as far as the answering replica knows. */
  readonly leader: NodeId | null;
}

// --- Client --------------------------------------------------------------------------------------------

/** One operation on one key, or one page of one partition. */
export interface ClientRequest {
  readonly type: 'request';
  /** Unique among the open requests of this connection. */
  readonly id: number;
  readonly epoch: number;
  /** Time budget left when it was sent, in milliseconds; clocks of client and node are not compared. */
  readonly budgetMs: number;
  readonly namespace: string;
  readonly explain: boolean;
  readonly operation: ClientOperation;
}

export type ClientOperation =
  GetOperation | WriteOperation | PutAllOperation | ScanOperation | OpenSessionOperation | StatusOperation;

/** A write of one key. */
export type WriteOperation = PutOperation | ChangeOperation;

/** What a read may ask for: a quorum where the namespace is leaderless, a mode where it has a leader. */
export type ReadLevel = QuorumLevel | ReadMode;

/** What a write may wait for: a quorum where the namespace is leaderless, an ack level where it has a leader. */
export type WriteLevel = QuorumLevel | AckLevel;

export interface GetOperation {
  readonly type: 'get';
  readonly key: string;
  /** null: the namespace's own level. */
  readonly read: ReadLevel | null;
  /** A context that the answer must have seen (session guarantees), or null. */
  readonly atLeast: Uint8Array | null;
  /** Leader-follower, a read of a follower: how far it may be behind, in milliseconds; 0 for no limit. */
  readonly maxStalenessMs: number;
}

/** A write; a value of null deletes. */
export interface PutOperation {
  readonly type: 'put';
  readonly key: string;
  readonly value: Uint8Array | null;
  /** What the writer had read of this key, or null for a write that knows nothing of it. */
  readonly context: Uint8Array | null;
  /** Leader-follower: the version that the key must have, 0 for "absent"; null for a write without a condition. */
  readonly ifVersion: number | null;
  readonly write: WriteLevel | null;
  /** 0: the namespace's own. */
  readonly ttlMs: number;
  readonly operation: OperationId;
  /** The lowest sequence of the session that is still open: retries below it will not come. */
  readonly lowestOpen: number;
  /** 0 for the first attempt; a higher one makes the node look for the operation first. */
  readonly attempt: number;
}

/** Leader-follower: several keys of one partition, all of them or none. */
export interface PutAllOperation {
  readonly type: 'put-all';
  readonly partition: number;
  /** Each key once. */
  readonly puts: readonly PutOfAll[];
  readonly write: WriteLevel | null;
  readonly operation: OperationId;
  readonly lowestOpen: number;
  readonly attempt: number;
}

/** One put or, with a value of null, delete of a `put-all`; fields as in {@link PutOperation}. */
export type PutOfAll = Pick<PutOperation, 'key' | 'value' | 'ifVersion' | 'ttlMs'>;

/**
 * Leader-follower: opens a session with the replica group. Its name is the first half of the operation ids of the writes that
 * follow; a group refuses writes of a session that it does not know (`SessionExpired`), so none is ever applied twice.
 */
export interface OpenSessionOperation {
  readonly type: 'open-session';
  readonly partition: number;
}

/** A change of a counter or a set; see `core/counter.ts` and `core/element-set.ts`. */
export type TypedChange =
  /** By a safe integer. */
  | { readonly kind: 'increment'; readonly by: number }
  | { readonly kind: 'add' | 'remove'; readonly elements: readonly Uint8Array[] };

/** A write to a namespace whose conflict policy is typed. */
export interface ChangeOperation {
  readonly type: 'change';
  readonly key: string;
  readonly change: TypedChange;
  /** As in a put. A remove takes away exactly what it has seen. */
  readonly context: Uint8Array | null;
  readonly write: WriteLevel | null;
  readonly operation: OperationId;
  readonly lowestOpen: number;
  /** As in a put; but a counter answers a higher one only from what is known: `OperationUnconfirmed` otherwise. */
  readonly attempt: number;
}

/** One page of one partition, in key order. */
export interface ScanOperation {
  readonly type: 'scan';
  readonly partition: number;
  readonly prefix: string;
  /** Keys strictly greater than this one; empty to start. */
  readonly after: string;
  readonly limit: number;
  readonly read: ReadLevel | null;
  /** As in a get; null where the strategy keeps sessions by key. */
  readonly atLeast: Uint8Array | null;
  readonly maxStalenessMs: number;
}

/** What the node says of itself, for operators. Answered by the node, not by a replica; namespace is ignored. */
export interface StatusOperation {
  readonly type: 'status';
}

export interface ClientResponse {
  readonly type: 'response';
  readonly id: number;
  readonly result: ClientResult | WireError;
}

export type ClientResult = GetResult | PutResult | ScanResult | SessionResult | StatusResult;

export interface ValueView {
  readonly value: Uint8Array;
  readonly hlc: HlcTime;
  /** Wall milliseconds, 0 for never. */
  readonly expiresAt: number;
}

export interface GetResult {
  readonly type: 'get-result';
  /** Empty: the key is absent or deleted. More than one: siblings, or a set's elements. A counter's total is msgpack. */
  readonly values: readonly ValueView[];
  /** Hand it back with the next write of this key. null: nothing was ever seen of the key. */
  readonly context: Uint8Array | null;
  /** Leader-follower: the version of the value, 0 where absent; by it conditional writes name what they replace. Else 0. */
  readonly version: number;
  /** Leader-follower: how far the answering replica was behind; null where the answer is the latest. */
  readonly lag: ReadLag | null;
  readonly explain: Explanation | null;
}

/** How far a follower was behind its leader, as far as it knew. */
export interface ReadLag {
  /** Entries that it knew to be committed and had not applied. */
  readonly entries: number;
  /** Time since it knew that it held everything, in milliseconds. */
  readonly ms: number;
}

/** To an `open-session`. */
export interface SessionResult {
  readonly type: 'session-result';
  readonly session: SessionId;
}

export interface PutResult {
  readonly type: 'put-result';
  /** Covers the write itself. */
  readonly context: Uint8Array;
  /**
   * Siblings of the key after the write, this one included; above `SIBLINGS_WARNING` a client should resolve. Of a set its
   * elements, of a counter 1 or, deleted, 0.
   */
  readonly siblings: number;
  /** Leader-follower: the version that the write gave; every key of a `put-all` has it. Else 0. */
  readonly version: number;
  /** Leader-follower: how many replicas have the write on disk, as far as the leader knew. Else 0. */
  readonly replicas: number;
  readonly explain: Explanation | null;
}

export interface ScanEntry {
  readonly key: string;
  readonly values: readonly ValueView[];
  readonly context: Uint8Array;
  /** As in a get. */
  readonly version: number;
}

export interface ScanResult {
  readonly type: 'scan-result';
  /** In key order. Keys without live values are left out, so a page may be empty and not the last. */
  readonly entries: readonly ScanEntry[];
  /** Pass as `after` for the next page; null: the partition holds no more. */
  readonly next: string | null;
  /** As in a get. */
  readonly lag: ReadLag | null;
  /** Leader-follower: no entry of the log beyond it is in the page; a session remembers it, of an empty page too. Else 0. */
  readonly index: number;
}

export interface StatusResult {
  readonly type: 'status-result';
  /** JSON text of `NodeStatus`: for people and tools, never on a hot path. */
  readonly status: string;
}

/** How an answer came about: the replicas asked, what each said, what was repaired, which guarantee held. */
export interface Explanation {
  readonly coordinator: NodeId;
  readonly strategy: Strategy;
  /** `R=2 of N=3` or the like: what this request waited for. */
  readonly required: string;
  readonly replicas: readonly ReplicaAnswer[];
  /** Replicas that were found stale and sent the merged record before the answer left. */
  readonly repaired: readonly NodeId[];
  /** In words: what this answer guarantees. */
  readonly guarantee: string;
}

export interface ReplicaAnswer {
  readonly node: NodeId;
  readonly answer:
    | 'current'
    | 'stale'
    | 'absent'
    | 'corrupt'
    | 'stored'
    | 'hinted'
    | 'waiting'
    | 'unreachable'
    | 'held'
    | 'refilling'
    /** Leader-follower: the leader itself; a replica that confirmed it; one that holds everything; one that is behind. */
    | 'leads'
    | 'confirmed'
    | 'behind';
}

// --- Replica -------------------------------------------------------------------------------------------

/** A message between two replicas of one group. The sender is known from the connection's `hello`. */
export interface ReplicaMessage {
  readonly type: 'replica';
  readonly group: GroupId;
  readonly message: PeerMessage;
}

export type PeerMessage = LeaderlessMessage | LeaderFollowerMessage;

export type Message =
  Hello | Welcome | Refused | Ping | Pong | Goodbye | ClientRequest | ClientResponse | ReplicaMessage;

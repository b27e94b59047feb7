/**
 * The SDK's public types: what `connect` returns and what its calls take and give.
 *
 * Every promise rejects with a `TrefoilError` only (what an application's own `change` or codec throws
 * aside): `code` says what happened, `outcome` what may be concluded, `retryable` whether to try again.
 */
import type { AckLevel, ClusterMap, QuorumLevel, ReadMode } from '../cluster/cluster-map.js';
import type { TrefoilError } from '../core/errors.js';
import type { Explanation, ReadLag } from '../protocol/messages.js';

/**
 * What a read saw of one key, opaque. Hand it to the next write of the same key: the write then supersedes
 * exactly what that read saw. It does not expire, and holds no reference to the connection; to pass it on
 * as text, encode `token` in base64.
 */
export interface Context {
  readonly key: string;
  readonly token: Uint8Array;
}

/** Turns values into bytes and back: `msgpackCodec()` by default, `bytesCodec` passes them through. */
export interface ValueCodec<T> {
  /** The bytes must not be changed afterwards. */
  encode(value: T): Uint8Array;
  /** The bytes may be a view of a larger buffer: copy what is kept. */
  decode(bytes: Uint8Array): T;
}

export interface CallOptions {
  /**
   * Time budget in milliseconds of the whole call, retries included; the connection's default where absent,
   * 60,000 at most. Looked at every 20 ms. For a scan, the budget of each page.
   */
  readonly timeoutMs?: number;
  /** Ends the call with `Cancelled` within 20 ms; a write that was under way then has the outcome `unknown`. */
  readonly signal?: AbortSignal;
  /** Ask how the answer came about; it is then in `explain`. */
  readonly explain?: boolean;
}

export interface ReadOptions extends CallOptions {
  /**
   * Leaderless: how many replicas must answer. Leader-follower: what the answer is held to, `linearizable`, `session` or `follower`.
   * The namespace's own where absent. `update` of a leader-follower namespace reads the latest always, and refuses other levels.
   */
  readonly read?: QuorumLevel | ReadMode;
  /**
   * Leader-follower: how far behind, in milliseconds, a follower that answers may be; any distance where absent. Where none is near enough
   * the call rejects with `TooStale`. Refused with `BadRequest` where the read is linearizable, and so never behind.
   */
  readonly maxStalenessMs?: number;
}

export interface WriteOptions extends CallOptions {
  /** Leaderless: how many replicas must have the write on disk; the namespace's own level where absent. */
  readonly write?: QuorumLevel;
  /**
   * Leader-follower: who must have the write on disk; the namespace's own where absent. At `leader` a write may be lost in a failover,
   * and cannot have a condition: its result is not known yet when it is acknowledged.
   */
  readonly ack?: AckLevel;
  /**
   * What the writer had read. Leaderless: the write supersedes exactly that; without it the write stands beside what is
   * there (policy `siblings`), or competes with it by time (`lww`). Leader-follower: the write is refused with `ConditionFailed` if the
   * key was written since; without it the write replaces whatever is there.
   */
  readonly context?: Context;
  /** Leader-follower: the version that the key must have, else `ConditionFailed`; 0 for absent. Not beside `context` or `ifAbsent`. */
  readonly ifVersion?: number;
  /** Leader-follower: the key must be absent, else `ConditionFailed`. Not beside `context` or `ifVersion`. */
  readonly ifAbsent?: true;
  /** Time to live in milliseconds from when the write is accepted; the namespace's own where absent. */
  readonly ttlMs?: number;
}

/** What a write may demand of what is there. */
export type WriteCondition = Pick<WriteOptions, 'context' | 'ifVersion' | 'ifAbsent'>;

/** For calls that read and write; the conditions are their own. */
export type UpdateOptions = ReadOptions & Omit<WriteOptions, keyof WriteCondition>;

export type BatchOptions = UpdateOptions & {
  /** Leader-follower: puts and deletes of keys of one partition (of one `{tag}`), all of them or none. */
  readonly atomic?: boolean;
};

export interface Entry<T> {
  readonly key: string;
  /** The value, undefined where absent or deleted. With siblings: the one written last; see `siblings`. */
  readonly value: T | undefined;
  /** Every live value, in an order that means nothing. More than one is a conflict for the application to resolve. */
  readonly siblings: readonly T[];
  /** undefined: nothing was ever seen of the key. A deleted key has one. */
  readonly context: Context | undefined;
  /** Leader-follower: the version of the value, 0 where absent; `ifVersion` takes it. */
  readonly version?: number;
  /**
   * Leader-follower, modes `follower` and `session`: how far the replica that answered may be behind. A leader says 0 entries, and how long ago a
   * majority confirmed it. Absent where the answer is the latest (`linearizable`).
   */
  readonly lag?: ReadLag;
  /** Present when it was asked for. */
  readonly explain?: Explanation;
}

/** What an update has left of a key. */
export interface Updated<T> extends Entry<T> {
  /** Leader-follower: how many replicas have the update's write on disk, as far as the leader knew. Absent where there was nothing to write. */
  readonly replicas?: number;
}

export interface Written {
  readonly key: string;
  /** Covers what the writer had seen and this write, but no sibling that it stands beside. */
  readonly context: Context;
  /** Siblings of the key after the write, as its coordinator saw them, this one included; resolve when it grows. */
  readonly siblings: number;
  /** Leader-follower: the version that the write gave, of a delete too. At `ack: leader` it may be lost with the write. */
  readonly version?: number;
  /** Leader-follower: how many replicas have the write on disk, as far as the leader knew. */
  readonly replicas?: number;
  /** Present when it was asked for. */
  readonly explain?: Explanation;
}

export type BatchOperation<T> =
  | { readonly type: 'get'; readonly key: string }
  | ({
      readonly type: 'put';
      readonly key: string;
      readonly value: T;
      readonly ttlMs?: number;
    } & WriteCondition)
  | ({ readonly type: 'delete'; readonly key: string } & WriteCondition);

/** What became of one operation of a batch. */
export type BatchResult<T> =
  | { readonly type: 'get'; readonly entry: Entry<T> }
  | { readonly type: 'put' | 'delete'; readonly written: Written }
  | { readonly type: 'error'; readonly key: string; readonly error: TrefoilError };

export interface ScanOptions extends ReadOptions {
  /** Keys that start with it; all keys where absent. */
  readonly prefix?: string;
  /** Keys strictly after this one, in byte order: pass the last key seen to go on where a scan stopped. */
  readonly after?: string;
  /** Entries at most. */
  readonly limit?: number;
}

/**
 * A typed view of one namespace. `T` is trusted, not checked: what another program wrote decodes as it is.
 * Keys are well-formed text of 1 to 1,024 UTF-8 bytes; encoded values have 1 MiB at most.
 */
export interface Namespace<T> {
  readonly name: string;
  /** Reads one key. Retried on other replicas until the time is up. */
  get(key: string, options?: ReadOptions): Promise<Entry<T>>;
  /**
   * Writes one key. Retried as the same operation, so that it takes effect once. An error with outcome
   * `failed` means that it had no effect, `unknown` that it may have had.
   */
  put(key: string, value: T, options?: WriteOptions): Promise<Written>;
  /** Deletes what the context covers; without a context, a deletion stands beside concurrent values as a write does. */
  delete(key: string, options?: WriteOptions): Promise<Written>;
  /**
   * Read-modify-write: reads, calls `change` with the live values (empty: absent), writes its result with the
   * context of the read, so that siblings are resolved by it. `undefined` deletes.
   *
   * Policy `siblings`: when another write turns out to have come between, the attempt is undone and `change`
   * is called again, with the others' values as `current` and `siblings`, and with those that the attempt had
   * replaced. So `change` may be called more than once, and no concurrent write is superseded that was not
   * shown to it. Two updates that find each other in the same moment may both repeat: a change that must not
   * happen twice has to be recognisable in the value. Two that wrote through different nodes may also both end
   * without having met: their values stay siblings, which a later `change` has to merge. Updates of a key through
   * one `Database` wait for each other, so this concerns those of several processes. Rejects with `UpdateConflict` after 16 rounds. Once an
   * attempt was written, every error's outcome is `unknown`.
   *
   * Policy `lww`: one round. Of two concurrent updates the one with the lower timestamp is lost.
   *
   * Leader-follower: reads the latest, and writes on the condition that nobody has written since; else `change` is called again
   * with what is there now, until the time is up. No update is lost, and none is applied twice. An error with outcome `failed` means that it
   * had no effect.
   *
   * What `change` throws comes out unchanged and ends the update.
   */
  update(
    key: string,
    change: (current: T | undefined, siblings: readonly T[]) => T | undefined,
    options?: UpdateOptions,
  ): Promise<Updated<T>>;
  /**
   * Many operations at once, in no order, up to 256 under way. One result for each in its place; errors are
   * results too, so it does not reject for single keys. `timeoutMs` is for the whole batch.
   *
   * Not atomic, unless `atomic` is set, in a leader-follower namespace: then up to 128 puts and deletes of keys of one partition take effect
   * together, on all their conditions, or the call rejects and none does (with outcome `unknown`: all or none did). Give the keys a common
   * `{tag}`: without one they are of one partition only by chance.
   */
  batch(operations: readonly BatchOperation<T>[], options?: BatchOptions): Promise<BatchResult<T>[]>;
  /**
   * All partitions in key order (unsigned bytes of UTF-8); one partition where `prefix` holds a whole `{tag}`.
   * Not a snapshot: each page is as new as its read level makes it. Stop with `break` or `return()` at will.
   */
  scan(options?: ScanOptions): AsyncIterableIterator<Entry<T>>;
  /** The same namespace, its calls bound to a session. */
  in(session: Session): Namespace<T>;
}

/** For writes to counters and sets. */
export type ChangeOptions = Pick<WriteOptions, 'write'> & CallOptions;

/** For what takes away: without `context`, the call reads first, at the level `read`. */
export type RemoveOptions = ChangeOptions & ReadOptions & Pick<WriteOptions, 'context'>;

export interface Changed {
  readonly key: string;
  /** Covers this change and what its writer had seen. undefined: there was never anything to take away. */
  readonly context: Context | undefined;
  /** Present when it was asked for. */
  readonly explain?: Explanation;
}

export interface CounterEntry {
  readonly key: string;
  /** The total; 0 where the counter is absent or deleted. */
  readonly value: number;
  /** undefined: nothing was ever seen of the key. */
  readonly context: Context | undefined;
  readonly explain?: Explanation;
}

/** The counters of a namespace with `conflict: counter`. Elsewhere every call rejects with `Unsupported`. */
export interface Counter {
  readonly name: string;
  /**
   * Adds a whole number, also a negative one; 1 where absent. Concurrent increments all count. Each counts once, or
   * not at all where the outcome is `failed`; where it is `unknown`, one or the other. A retry never counts again.
   */
  increment(key: string, by?: number, options?: ChangeOptions): Promise<Changed>;
  get(key: string, options?: ReadOptions): Promise<CounterEntry>;
  /** Takes away every increment that a read has seen; concurrent ones stay and count from 0. */
  delete(key: string, options?: RemoveOptions): Promise<Changed>;
  /** The counters that are there, in key order; see {@link Namespace.scan}. */
  scan(options?: ScanOptions): AsyncIterableIterator<CounterEntry>;
  /** The same namespace, its calls bound to a session. */
  in(session: Session): Counter;
}

export interface SetEntry<T> {
  readonly key: string;
  /** Each once, in an order that means nothing. Empty where the set is absent. */
  readonly elements: readonly T[];
  /** undefined: nothing was ever seen of the key. */
  readonly context: Context | undefined;
  readonly explain?: Explanation;
}

/**
 * The sets of a namespace with `conflict: set`. Elsewhere every call rejects with `Unsupported`.
 *
 * Two elements are the same if the codec makes the same bytes of them. A set holds 1,024 elements and 2 MiB at most.
 */
export interface ElementSet<T> {
  readonly name: string;
  /** Adds elements that may be there already. An add wins over a concurrent remove. Rejects with `SetTooLarge`. */
  add(key: string, elements: readonly T[], options?: ChangeOptions): Promise<Changed>;
  /** Removes elements as a read has seen them: what is added concurrently stays. */
  remove(key: string, elements: readonly T[], options?: RemoveOptions): Promise<Changed>;
  get(key: string, options?: ReadOptions): Promise<SetEntry<T>>;
  has(key: string, element: T, options?: ReadOptions): Promise<boolean>;
  /** Removes all elements that a read has seen. */
  delete(key: string, options?: RemoveOptions): Promise<Changed>;
  /** The sets that have elements, in key order; see {@link Namespace.scan}. */
  scan(options?: ScanOptions): AsyncIterableIterator<SetEntry<T>>;
  /** The same namespace, its calls bound to a session. */
  in(session: Session): ElementSet<T>;
}

/**
 * Read-your-writes and monotonic reads over every namespace it is used with. It remembers the contexts of
 * `SESSION_CONTEXTS_MAX` (10,000) keys; a key that it had to forget is read from so many replicas that they
 * meet every write of the session that was acknowledged. Of a leader-follower namespace it remembers one number for each partition.
 */
export interface Session {
  /** Carries the guarantees to another process: `db.session(token)`. */
  token(): string;
}

export interface NamespaceOptions<T> {
  readonly codec?: ValueCodec<T>;
}

/** A connected client. Share one among all callers of a process: its calls travel together. */
export interface Database {
  /** Costs nothing and sends nothing; calls of a namespace that does not exist reject with `UnknownNamespace`. */
  namespace<T = unknown>(name: string, options?: NamespaceOptions<T>): Namespace<T>;
  /** The counters of a namespace with `conflict: counter`. */
  counter(name: string): Counter;
  /** The sets of a namespace with `conflict: set`. */
  set<T = unknown>(name: string, options?: NamespaceOptions<T>): ElementSet<T>;
  /** A new session, or one that continues from a token. Throws `BadRequest` for a text that is none. */
  session(token?: string): Session;
  /** The newest map known. */
  readonly map: ClusterMap;
  /** What one node says of itself (parsed JSON). Rejects with `NoReachableNode`, or `BadRequest` for an unknown node. */
  nodeStatus(node: string, options?: CallOptions): Promise<unknown>;
  /** Lets calls in flight end (2 s at most), then closes every connection. */
  close(): Promise<void>;
}

export interface ConnectOptions {
  /** `host:port` of any nodes; one that answers is enough. */
  readonly seeds: readonly string[];
  /** Refuse a cluster of another name. */
  readonly cluster?: string;
  readonly credentials?: string;
  /** Default time budget of a call in milliseconds, and of `connect` itself; 5,000 where absent. */
  readonly timeoutMs?: number;
}

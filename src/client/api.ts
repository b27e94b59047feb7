/**
 * The SDK's public types: what `connect` returns and what its calls take and give.
 */
import type { ClusterMap, QuorumLevel } from '../cluster/cluster-map.js';
import type { TrefoilError } from '../core/errors.js';
import type { Explanation } from '../protocol/messages.js';

/** What a read saw of one key, opaque. Hand it to the next write of the same key. Can be stored and passed on as text. */
export interface Context {
  readonly key: string;
  readonly token: Uint8Array;
}

/** Turns values into bytes and back. The default is msgpack; `bytes` passes them through. */
export interface ValueCodec<T> {
  encode(value: T): Uint8Array;
  decode(bytes: Uint8Array): T;
}

export interface CallOptions {
  /** Time budget of the whole call, retries included; the connection's default where absent. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Ask how the answer came about; it is then in `explain`. */
  readonly explain?: boolean;
}

export interface ReadOptions extends CallOptions {
  /** How many replicas must answer; the namespace's own level where absent. */
  readonly read?: QuorumLevel;
}

export interface WriteOptions extends CallOptions {
  /** How many replicas must have the write on disk; the namespace's own level where absent. */
  readonly write?: QuorumLevel;
  /** What the writer had read: the write supersedes exactly that. Without it the write stands beside what is there (policy `siblings`). */
  readonly context?: Context;
  /** Time to live in milliseconds. */
  readonly ttlMs?: number;
}

/** For calls that read and write; the contexts are their own. */
export type UpdateOptions = ReadOptions & Omit<WriteOptions, 'context'>;

export interface Entry<T> {
  readonly key: string;
  /** The value, undefined where absent or deleted. With siblings: the one written last; see `siblings`. */
  readonly value: T | undefined;
  /** Every live value. More than one is a conflict for the application to resolve. */
  readonly siblings: readonly T[];
  /** undefined: nothing was ever seen of the key. */
  readonly context: Context | undefined;
  readonly explain?: Explanation;
}

export interface Written {
  readonly key: string;
  readonly context: Context;
  /** Siblings of the key after the write; resolve when it grows. */
  readonly siblings: number;
  readonly explain?: Explanation;
}

export type BatchOperation<T> =
  | { readonly type: 'get'; readonly key: string }
  | {
      readonly type: 'put';
      readonly key: string;
      readonly value: T;
      readonly context?: Context;
      readonly ttlMs?: number;
    }
  | { readonly type: 'delete'; readonly key: string; readonly context?: Context };

/** One result per operation, in order; a batch is not atomic. */
export type BatchResult<T> =
  | { readonly type: 'get'; readonly entry: Entry<T> }
  | { readonly type: 'put' | 'delete'; readonly written: Written }
  | { readonly type: 'error'; readonly key: string; readonly error: TrefoilError };

export interface ScanOptions extends ReadOptions {
  readonly prefix?: string;
  /** Keys strictly after this one. */
  readonly after?: string;
  /** Entries at most. */
  readonly limit?: number;
}

export interface Namespace<T> {
  readonly name: string;
  get(key: string, options?: ReadOptions): Promise<Entry<T>>;
  put(key: string, value: T, options?: WriteOptions): Promise<Written>;
  delete(key: string, options?: WriteOptions): Promise<Written>;
  /**
   * Read-modify-write: reads, calls `change` with the live values (empty: absent), writes its result with the context of
   * the read, so that siblings are resolved by it; retries when a concurrent writer came between. `undefined` deletes.
   * `change` may be called more than once.
   */
  update(
    key: string,
    change: (current: T | undefined, siblings: readonly T[]) => T | undefined,
    options?: UpdateOptions,
  ): Promise<Entry<T>>;
  batch(operations: readonly BatchOperation<T>[], options?: UpdateOptions): Promise<BatchResult<T>[]>;
  /** All partitions in key order; one partition where `prefix` holds a whole `{tag}`. */
  scan(options?: ScanOptions): AsyncIterableIterator<Entry<T>>;
  /** The same namespace, its calls bound to a session. */
  in(session: Session): Namespace<T>;
}

/** Read-your-writes and monotonic reads over every namespace it is used with. Bounded: see `SESSION_CONTEXTS_MAX`. */
export interface Session {
  /** Carries the guarantees to another process: `db.session(token)`. */
  token(): string;
}

export interface NamespaceOptions<T> {
  readonly codec?: ValueCodec<T>;
}

export interface Database {
  namespace<T = unknown>(name: string, options?: NamespaceOptions<T>): Namespace<T>;
  session(token?: string): Session;
  /** The newest map known. */
  readonly map: ClusterMap;
  /** What one node says of itself (parsed JSON). Rejects with `NoReachableNode`. */
  nodeStatus(node: string, options?: CallOptions): Promise<unknown>;
  /** Lets calls in flight end (bounded), then closes every connection. */
  close(): Promise<void>;
}

export interface ConnectOptions {
  /** `host:port` of any nodes; one that answers is enough. */
  readonly seeds: readonly string[];
  /** Refuse a cluster of another name. */
  readonly cluster?: string;
  readonly credentials?: string;
  /** Default time budget of a call. */
  readonly timeoutMs?: number;
}

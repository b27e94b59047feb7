/**
 * The SDK's `Database` in memory: what a user's unit tests of code on the SDK need of a cluster.
 *
 * One map per namespace, values as bytes of their codec, siblings by the rule of the store: a write supersedes
 * what its context had seen, under `lww` everything. It is no replica: nothing is ever stale, and concurrency is
 * shown by writing without a context, or with an old one.
 */
import { compareKeys } from '../../src/core/text-order.js';
import { msgpackCodec, TrefoilError } from '../../src/index.js';
import type {
  BatchOperation,
  BatchResult,
  Context,
  Database,
  Entry,
  Namespace,
  NamespaceOptions,
  ScanOptions,
  ValueCodec,
  WriteOptions,
  Written,
} from '../../src/index.js';

interface StoredSibling {
  readonly dot: number;
  /** null is a tombstone. */
  readonly bytes: Uint8Array | null;
}

interface StoredKey {
  siblings: readonly StoredSibling[];
}

/** A database without a cluster. `lww` names the namespaces that keep the last writer; all others keep siblings. */
export class MemoryDatabase implements Database {
  readonly #tables = new Map<string, Map<string, StoredKey>>();
  readonly #lww: readonly string[];
  /** Requests that reached a namespace, by `namespace operation`. */
  readonly requests = new Map<string, number>();
  /** Asked before each put and each update's write: an error that it gives is what the call fails with. */
  failPut: (namespace: string, key: string) => TrefoilError | undefined = () => undefined;

  constructor(options: { readonly lww?: readonly string[] } = {}) {
    this.#lww = options.lww ?? [];
  }

  namespace<T = unknown>(name: string, options: NamespaceOptions<T> = {}): Namespace<T> {
    let table = this.#tables.get(name);
    if (table === undefined) this.#tables.set(name, (table = new Map<string, StoredKey>()));
    const lww = this.#lww.includes(name);
    return new MemoryNamespace<T>(this, name, { table, codec: options.codec ?? msgpackCodec<T>(), lww });
  }

  /** Every key of a namespace that was ever written, in key order. */
  keys(namespace: string): string[] {
    return [...(this.#tables.get(namespace)?.keys() ?? [])].sort(compareKeys);
  }

  count(namespace: string, operation: string): void {
    const name = `${namespace} ${operation}`;
    this.requests.set(name, (this.requests.get(name) ?? 0) + 1);
  }

  counter(): never {
    throw new TrefoilError('Unsupported', 'no counters in memory');
  }

  set(): never {
    throw new TrefoilError('Unsupported', 'no sets in memory');
  }

  session(): never {
    throw new TrefoilError('Unsupported', 'no sessions in memory');
  }

  get map(): never {
    throw new TrefoilError('Unsupported', 'no cluster in memory');
  }

  async nodeStatus(): Promise<unknown> {
    throw new TrefoilError('NoReachableNode', 'no nodes in memory');
  }

  async close(): Promise<void> {}
}

class MemoryNamespace<T> implements Namespace<T> {
  readonly name: string;
  readonly #db: MemoryDatabase;
  readonly #table: Map<string, StoredKey>;
  readonly #codec: ValueCodec<T>;
  readonly #lww: boolean;

  constructor(
    db: MemoryDatabase,
    name: string,
    parts: { readonly table: Map<string, StoredKey>; readonly codec: ValueCodec<T>; readonly lww: boolean },
  ) {
    this.#db = db;
    this.name = name;
    this.#table = parts.table;
    this.#codec = parts.codec;
    this.#lww = parts.lww;
  }

  async get(key: string): Promise<Entry<T>> {
    this.#db.count(this.name, 'get');
    return this.#entry(key);
  }

  async put(key: string, value: T, options: WriteOptions = {}): Promise<Written> {
    this.#db.count(this.name, 'put');
    const failure = this.#db.failPut(this.name, key);
    if (failure !== undefined) throw failure;
    return this.#write(key, this.#codec.encode(value), options.context);
  }

  async delete(key: string, options: WriteOptions = {}): Promise<Written> {
    this.#db.count(this.name, 'delete');
    return this.#write(key, null, options.context);
  }

  async update(
    key: string,
    change: (current: T | undefined, siblings: readonly T[]) => T | undefined,
  ): Promise<Entry<T>> {
    this.#db.count(this.name, 'update');
    const { value, siblings, context } = this.#entry(key);
    const next = change(value, siblings);
    const failure = this.#db.failPut(this.name, key);
    if (failure !== undefined) throw failure;
    if (next !== undefined || siblings.length > 0)
      this.#write(key, next === undefined ? null : this.#codec.encode(next), context);
    return this.#entry(key);
  }

  async batch(operations: readonly BatchOperation<T>[]): Promise<BatchResult<T>[]> {
    return Promise.all(operations.map((operation) => this.#inBatch(operation)));
  }

  async *scan(options: ScanOptions = {}): AsyncGenerator<Entry<T>, void, undefined> {
    this.#db.count(this.name, 'scan');
    const { prefix = '', after = '', limit = Infinity } = options;
    let left = limit;
    for (const key of this.#db.keys(this.name)) {
      if (left <= 0) return;
      if (!key.startsWith(prefix) || compareKeys(key, after) <= 0) continue;
      const entry = this.#entry(key);
      if (entry.siblings.length === 0) continue;
      left--;
      yield entry;
    }
  }

  in(): Namespace<T> {
    return this;
  }

  async #inBatch(operation: BatchOperation<T>): Promise<BatchResult<T>> {
    const { type, key } = operation;
    try {
      if (type === 'get') return { type, entry: await this.get(key) };
      if (type === 'delete') return { type, written: await this.delete(key, operation) };
      return { type, written: await this.put(key, operation.value, operation) };
    } catch (error) {
      if (error instanceof TrefoilError) return { type: 'error', key, error };
      throw error;
    }
  }

  #entry(key: string): Entry<T> {
    const stored = this.#table.get(key);
    const live = stored?.siblings.flatMap(({ bytes }) => (bytes === null ? [] : [this.#decode(bytes)])) ?? [];
    const context = stored && { key, token: this.#token(stored) };
    return { key, value: live.at(-1), siblings: live, context };
  }

  #write(key: string, bytes: Uint8Array | null, context: Context | undefined): Written {
    const stored = this.#table.get(key) ?? { siblings: [] };
    const seen = new Set(new Float64Array(new Uint8Array(context?.token ?? []).buffer));
    const dot = 1 + Math.max(0, ...stored.siblings.map((sibling) => sibling.dot), ...seen);
    const stay = this.#lww ? [] : stored.siblings.filter((sibling) => !seen.has(sibling.dot));
    stored.siblings = [...stay, { dot, bytes }];
    this.#table.set(key, stored);
    return { key, context: { key, token: this.#token(stored) }, siblings: stored.siblings.length };
  }

  #token(stored: StoredKey): Uint8Array {
    return new Uint8Array(Float64Array.from(stored.siblings, (sibling) => sibling.dot).buffer);
  }

  /** From the middle of a larger buffer at an odd offset, as out of a frame, which is then used for something else. */
  #decode(bytes: Uint8Array): T {
    const frame = new Uint8Array(bytes.length + 16).fill(0xff);
    frame.set(bytes, 3);
    const value = this.#codec.decode(frame.subarray(3, 3 + bytes.length));
    frame.fill(0xee);
    return value;
  }
}

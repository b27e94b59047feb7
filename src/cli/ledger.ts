/**
 * A database that keeps a ledger of every write it was told is safe, to be held against the replicas later.
 *
 * It stands between an application (the photo store, say) and the SDK, so that nothing acknowledged can
 * escape it, whatever the application's keys look like. Asking each writer to report its own writes was
 * rejected: one that forgets would make a loss look like success.
 */
import type {
  BatchOperation,
  BatchResult,
  Context,
  Database,
  Entry,
  Namespace,
  NamespaceOptions,
  ReadOptions,
  ScanOptions,
  Session,
  UpdateOptions,
  ValueCodec,
  WriteOptions,
  Written,
} from '../client/api.js';
import { msgpackCodec } from '../client/codec.js';
import { findNamespace, type Strategy } from '../cluster/cluster-map.js';
import { hashBytes } from '../core/hash.js';
import { CONTEXT_ORDERS } from './context-order.js';

/** What was acknowledged of one key. */
export interface LedgerEntry {
  readonly namespace: string;
  readonly strategy: Strategy;
  readonly key: string;
  /** Covers every acknowledged write of the key. */
  readonly context: Uint8Array;
  /** The hash of the value that must be there; null: deleted; undefined: writers were concurrent, several values may be right. */
  readonly value: bigint | null | undefined;
}

export class Ledger {
  readonly #entries = new Map<string, LedgerEntry>();
  #writes = 0;

  /** How many writes were acknowledged. */
  get writes(): number {
    return this.#writes;
  }

  /** How many keys they were to. */
  get keys(): number {
    return this.#entries.size;
  }

  /** One for each key. */
  entries(): LedgerEntry[] {
    return [...this.#entries.values()];
  }

  /** Takes down one acknowledged write; `bytes` null: a delete. */
  add(namespace: string, strategy: Strategy, context: Context, bytes: Uint8Array | null): void {
    this.#writes++;
    const { key, token } = context;
    const id = `${namespace}/${key}`;
    const value = bytes === null ? null : hashBytes(bytes);
    const before = this.#entries.get(id);
    const order = CONTEXT_ORDERS[strategy];
    const alone = !order.standsBeside(key, token);
    if (before === undefined || (alone && !order.isBeyond(key, before.context, token)))
      this.#entries.set(id, { namespace, strategy, key, context: token, value: alone ? value : undefined });
    else {
      const joined = order.join(key, token, before.context);
      // An older write that was acknowledged late changes nothing; a concurrent one leaves the value open.
      const late = alone && !order.isBeyond(key, token, before.context);
      this.#entries.set(id, { ...before, context: joined, value: late ? before.value : undefined });
    }
  }
}

/** The same database, with every acknowledged write taken down in `ledger`. */
export function recorded(db: Database, ledger: Ledger): Database {
  return {
    namespace: <T>(name: string, options?: NamespaceOptions<T>) =>
      new RecordedNamespace(
        db.namespace<T>(name, options),
        options?.codec ?? msgpackCodec<T>(),
        ledger,
        // Where there is no such namespace nothing is acknowledged.
        findNamespace(db.map, name)?.entry.strategy ?? 'leaderless',
      ),
    // What they acknowledge has no value of its own that could be read back.
    counter: (name) => db.counter(name),
    set: (name, options) => db.set(name, options),
    session: (token) => db.session(token),
    get map() {
      return db.map;
    },
    nodeStatus: (node, options) => db.nodeStatus(node, options),
    close: () => db.close(),
  };
}

class RecordedNamespace<T> implements Namespace<T> {
  readonly name: string;
  readonly #inner: Namespace<T>;
  readonly #codec: ValueCodec<T>;
  readonly #ledger: Ledger;
  readonly #strategy: Strategy;

  constructor(inner: Namespace<T>, codec: ValueCodec<T>, ledger: Ledger, strategy: Strategy) {
    this.name = inner.name;
    this.#inner = inner;
    this.#codec = codec;
    this.#ledger = ledger;
    this.#strategy = strategy;
  }

  get(key: string, options?: ReadOptions): Promise<Entry<T>> {
    return this.#inner.get(key, options);
  }

  async put(key: string, value: T, options?: WriteOptions): Promise<Written> {
    const written = await this.#inner.put(key, value, options);
    this.#add(written.context, value);
    return written;
  }

  async delete(key: string, options?: WriteOptions): Promise<Written> {
    const written = await this.#inner.delete(key, options);
    this.#add(written.context, undefined);
    return written;
  }

  async update(
    key: string,
    change: (current: T | undefined, siblings: readonly T[]) => T | undefined,
    options?: UpdateOptions,
  ): Promise<Entry<T>> {
    const entry = await this.#inner.update(key, change, options);
    if (entry.context !== undefined) this.#add(entry.context, entry.value);
    return entry;
  }

  async batch(operations: readonly BatchOperation<T>[], options?: UpdateOptions): Promise<BatchResult<T>[]> {
    const results = await this.#inner.batch(operations, options);
    results.forEach((result, i) => {
      const operation = operations[i];
      if (operation === undefined || operation.type === 'get' || !('written' in result)) return;
      this.#add(result.written.context, operation.type === 'put' ? operation.value : undefined);
    });
    return results;
  }

  scan(options?: ScanOptions): AsyncIterableIterator<Entry<T>> {
    return this.#inner.scan(options);
  }

  in(session: Session): Namespace<T> {
    return new RecordedNamespace(this.#inner.in(session), this.#codec, this.#ledger, this.#strategy);
  }

  #add(context: Context, value: T | undefined): void {
    const bytes = value === undefined ? null : this.#codec.encode(value);
    this.#ledger.add(this.name, this.#strategy, context, bytes);
  }
}

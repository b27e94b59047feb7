/**
 * The sorted map behind a simulated disk: keys in UTF-8 byte order as LevelDB has them, and changes that
 * can be taken back, which is how a crash forgets. A sorted array beside a map is enough for the some ten
 * thousand keys of a simulated node, and simpler to trust than a tree.
 */
import { compareKeys } from '../core/text-order.js';
import type { StorageEntry, StorageRange } from '../runtime/runtime.js';
import { copyOf } from './bytes.js';

/** A put, or with an undefined value a delete. */
export type Change = readonly [key: string, value: Uint8Array | undefined];

/** What can be scanned: a store, or a view of one. */
export interface Entries {
  entries(range: StorageRange): Iterable<StorageEntry>;
}

export class SortedStore implements Entries {
  #values = new Map<string, Uint8Array>();
  #keys: string[] = [];
  #bytes = 0;
  /** They are told what a key held before it changes. */
  readonly #views = new Set<StoreView>();

  /** Bytes of all keys and values, keys counted by characters. */
  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): Uint8Array | undefined {
    return this.#values.get(key);
  }

  /** Makes the changes in order; returns those that take them back. */
  apply(changes: readonly Change[]): Change[] {
    const undo: Change[] = [];
    for (const [key, value] of changes) {
      undo.push([key, this.#values.get(key)]);
      this.#set(key, value);
    }
    return undo.reverse();
  }

  /** The entries of a range in order, as they are now: later changes do not show. */
  *entries(range: StorageRange): Generator<StorageEntry> {
    let index = this.#firstOf(range);
    for (let key = this.#keys[index]; key !== undefined; key = this.#keys[++index]) {
      if (compareKeys(key, range.lt) >= 0) return;
      yield [key, this.#values.get(key) as Uint8Array];
    }
  }

  /** Puts other bytes in place of a value, as a failing medium does: views that still share the value see it too. */
  corrupt(key: string, value: Uint8Array): void {
    this.#values.set(key, value);
  }

  /** The entries as they are now, kept by copying what changes later. To be given up with `endView`. */
  view(): StoreView {
    const view = new StoreView(this);
    this.#views.add(view);
    return view;
  }

  endView(view: StoreView): void {
    this.#views.delete(view);
  }

  /** An independent copy. */
  copy(): SortedStore {
    const copy = new SortedStore();
    for (const [key, value] of this.#values) copy.#values.set(key, copyOf(value));
    copy.#keys = [...this.#keys];
    copy.#bytes = this.#bytes;
    return copy;
  }

  #set(key: string, value: Uint8Array | undefined): void {
    const before = this.#values.get(key);
    for (const view of this.#views) view.changes(key, before);
    if (before !== undefined) this.#bytes -= key.length + before.length;
    if (value !== undefined) {
      this.#bytes += key.length + value.length;
      this.#values.set(key, value);
      if (before === undefined) this.#keys.splice(this.#lowerBound(key), 0, key);
    } else if (before !== undefined) {
      this.#values.delete(key);
      this.#keys.splice(this.#lowerBound(key), 1);
    }
  }

  #firstOf(range: StorageRange): number {
    const from = range.gte === undefined ? 0 : this.#lowerBound(range.gte);
    if (range.gt === undefined) return from;
    const above = this.#lowerBound(range.gt);
    return Math.max(from, this.#keys[above] === range.gt ? above + 1 : above);
  }

  /** The index of the first key that is not before `key`. */
  #lowerBound(key: string): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareKeys(this.#keys[middle] as string, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** A store as it was: of each key that changed since, what it held then; all others are read where they are. */
export class StoreView implements Entries {
  readonly #store: SortedStore;
  readonly #changed = new Set<string>();
  readonly #before = new SortedStore();

  constructor(store: SortedStore) {
    this.#store = store;
  }

  /** For the store: a key that held `before` is about to change. Only the first time matters. */
  changes(key: string, before: Uint8Array | undefined): void {
    if (this.#changed.has(key)) return;
    this.#changed.add(key);
    this.#before.apply([[key, before]]);
  }

  /** Merges what is unchanged with what was there before, both in order. */
  *entries(range: StorageRange): Generator<StorageEntry> {
    const changed = this.#before.entries(range);
    let next = changed.next();
    for (const entry of this.#store.entries(range)) {
      if (this.#changed.has(entry[0])) continue;
      for (; next.done !== true && compareKeys(next.value[0], entry[0]) < 0; next = changed.next())
        yield next.value;
      yield entry;
    }
    for (; next.done !== true; next = changed.next()) yield next.value;
  }
}

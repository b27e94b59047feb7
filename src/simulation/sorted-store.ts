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

export class SortedStore {
  #values = new Map<string, Uint8Array>();
  #keys: string[] = [];
  #bytes = 0;

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

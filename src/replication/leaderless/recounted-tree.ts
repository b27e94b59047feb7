/**
 * The hash tree of a replica, with the recount that builds it after a start and guards it against drift.
 *
 * A recount reads the records chunk by chunk while writes go on. `next` must end up as a tree over exactly
 * the current records:
 *
 *     counted keys  <= cursor <  keys still to be read
 *
 * A write at or below the cursor updates `next` as it updates the tree. A write above it is left to the
 * chunk that will read it, except that the chunk now being read may miss it: those keys are remembered in
 * `touched` and read together with the chunk. Each key is read afresh when its chunk is counted.
 */
import { afterKey, compareKeys } from '../../core/text-order.js';
import { HashTree } from '../shared/hash-tree.js';

/** What a record adds to the count. */
export interface Counted {
  readonly header: Uint8Array;
  readonly tombstone: boolean;
}

/** A hash tree over records, and how many there are. */
class Census {
  readonly tree = new HashTree();
  records = 0;
  tombstones = 0;

  replace(key: string, before: Counted | null, after: Counted | null): void {
    this.tree.replace(key, before?.header ?? null, after?.header ?? null);
    this.records += Number(after !== null) - Number(before !== null);
    this.tombstones += Number(after?.tombstone ?? false) - Number(before?.tombstone ?? false);
  }
}

interface Recount {
  readonly next: Census;
  /** Every key up to and including this one is counted in `next`. */
  cursor: string;
  readonly touched: Set<string>;
}

export class RecountedTree {
  #census = new Census();
  #recount: Recount | undefined;
  #ready = false;

  /** The tree, once it has been counted; undefined before, when it must not be compared with others. */
  get current(): HashTree | undefined {
    return this.#ready ? this.#census.tree : undefined;
  }

  get recounting(): boolean {
    return this.#recount !== undefined;
  }

  /** Records of this replica, deleted keys included; of them those that hold no value any more. 0 until counted. */
  get counts(): { readonly records: number; readonly tombstones: number } {
    if (!this.#ready) return { records: 0, tombstones: 0 };
    const { records, tombstones } = this.#census;
    return { records, tombstones };
  }

  /** The record before and after a write, null where absent. */
  replace(key: string, before: Counted | null, after: Counted | null): void {
    this.#census.replace(key, before, after);
    const recount = this.#recount;
    if (recount === undefined) return;
    if (compareKeys(key, recount.cursor) <= 0) recount.next.replace(key, before, after);
    else recount.touched.add(key);
  }

  /** The tree can no longer be trusted: it is not compared until it has been recounted. */
  distrust(): void {
    this.#ready = false;
    this.#recount = undefined;
  }

  /** Ends a recount that cannot be completed. A tree counted before stays. */
  abandonRecount(): void {
    this.#recount = undefined;
  }

  /** Starts a recount and says from which key to read the first chunk. */
  startRecount(): string {
    this.#recount = { next: new Census(), cursor: '', touched: new Set() };
    return '';
  }

  /**
   * Counts a chunk: `keys` in order, as read from the store some time after the cursor was given out; `end` the
   * last key of the chunk, or null where it reached the end. `read` reads a record now, null where it
   * is absent. Returns where the next chunk starts, or how the complete recount compared with the tree.
   */
  countChunk(
    keys: readonly string[],
    end: string | null,
    read: (key: string) => Counted | null,
  ): { readonly next: string } | { readonly next: null; readonly drifted: boolean } {
    const recount = this.#recount;
    if (recount === undefined) return { next: null, drifted: false };
    const inChunk = (key: string): boolean =>
      compareKeys(key, recount.cursor) > 0 && (end === null || compareKeys(key, end) <= 0);
    for (const key of new Set([...keys, ...recount.touched])) {
      if (inChunk(key)) recount.next.replace(key, null, read(key));
    }
    recount.touched.clear();
    if (end !== null) {
      recount.cursor = end;
      return { next: afterKey(end) };
    }
    const drifted = this.#ready && !this.#census.tree.equals(recount.next.tree);
    this.#census = recount.next;
    this.#ready = true;
    this.#recount = undefined;
    return { next: null, drifted };
  }
}

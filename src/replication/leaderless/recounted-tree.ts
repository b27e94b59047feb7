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

interface Recount {
  readonly next: HashTree;
  /** Every key up to and including this one is counted in `next`. */
  cursor: string;
  readonly touched: Set<string>;
}

export class RecountedTree {
  #tree = new HashTree();
  #recount: Recount | undefined;
  #ready = false;

  /** The tree, once it has been counted; undefined before, when it must not be compared with others. */
  get current(): HashTree | undefined {
    return this.#ready ? this.#tree : undefined;
  }

  get recounting(): boolean {
    return this.#recount !== undefined;
  }

  /** Headers of the record before and after a write, null where absent. */
  replace(key: string, before: Uint8Array | null, after: Uint8Array): void {
    this.#tree.replace(key, before, after);
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
    this.#recount = { next: new HashTree(), cursor: '', touched: new Set() };
    return '';
  }

  /**
   * Counts a chunk: `keys` in order, as read from the store some time after the cursor was given out; `end` the
   * last key of the chunk, or null where it reached the end. `header` reads a record's header now, null where
   * it is absent. Returns where the next chunk starts, or how the complete recount compared with the tree.
   */
  countChunk(
    keys: readonly string[],
    end: string | null,
    header: (key: string) => Uint8Array | null,
  ): { readonly next: string } | { readonly next: null; readonly drifted: boolean } {
    const recount = this.#recount;
    if (recount === undefined) return { next: null, drifted: false };
    const inChunk = (key: string): boolean =>
      compareKeys(key, recount.cursor) > 0 && (end === null || compareKeys(key, end) <= 0);
    for (const key of new Set([...keys, ...recount.touched])) {
      if (inChunk(key)) recount.next.replace(key, null, header(key));
    }
    recount.touched.clear();
    if (end !== null) {
      recount.cursor = end;
      return { next: afterKey(end) };
    }
    const drifted = this.#ready && !this.#tree.equals(recount.next);
    this.#tree = recount.next;
    this.#ready = true;
    this.#recount = undefined;
    return { next: null, drifted };
  }
}

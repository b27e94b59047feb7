/**
 * Searches for the reason why a read may lack a value: a chain of writes, each of which had seen the one before and may
 * have had effect by then, that ends in something shown or in a delete.
 *
 * A search goes to the latest successor first, because that is where states lie that are still shown, and visits each write once.
 * The steps of all searches together are bounded. Beyond the bound everything counts as reflected, so
 * that no violation is claimed that was not proved, and `exhausted` says so.
 */
import type { WriteEntry } from './key-ledger.js';

/** Reached instead of a shown write: the value was, or may have been, deleted. */
export const DELETED = 'deleted';
export type Reflected = WriteEntry | typeof DELETED;

export const REFLECTION_STEPS_MAX = 50_000_000;

export class Reflection {
  #stepsLeft: number;
  /** The search that visited a write last. */
  readonly #visitedIn = new Map<WriteEntry, number>();
  #search = 0;

  constructor(stepsMax = REFLECTION_STEPS_MAX) {
    this.#stepsLeft = stepsMax;
  }

  get exhausted(): boolean {
    return this.#stepsLeft <= 0;
  }

  /** What reflects `write` among the shown writes; `before` is the event index at which the read completed. */
  find(write: WriteEntry, shown: ReadonlySet<WriteEntry>, before: number): Reflected | undefined {
    if (shown.has(write)) return write;
    if (write.successors.length === 0) return undefined;
    const search = ++this.#search;
    const open = [write];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      for (const successor of next.successors) {
        if (--this.#stepsLeft <= 0) return DELETED;
        if (successor.operation.invokedAt >= before) break;
        if (successor.value === null) return DELETED;
        if (shown.has(successor)) return successor;
        if (successor.successors.length === 0 || this.#visitedIn.get(successor) === search) continue;
        this.#visitedIn.set(successor, search);
        open.push(successor);
      }
    }
    return undefined;
  }
}

/**
 * What is on a simulated disk, and how sure it is. Every write is an entry; an entry becomes visible by
 * being applied to the store and certain by an fsync, in either order. A crash takes back what was not
 * certain, a replay applies what survived, each entry in its place, so that an entry that was written but
 * never shown (its write failed, or the process ended first) surfaces below what was written after it.
 *
 *   oldest [ certain, visible: forgotten ] [ certain? visible? ... ] newest
 */
import type { Change, SortedStore } from './sorted-store.js';

export interface JournalEntry {
  readonly changes: readonly Change[];
  /** What takes the changes back; undefined while they are not visible. */
  undo: readonly Change[] | undefined;
  durable: boolean;
}

export class Journal {
  readonly store: SortedStore;
  #entries: JournalEntry[] = [];

  constructor(store: SortedStore) {
    this.store = store;
  }

  /** Writes, without showing it yet. */
  append(changes: readonly Change[]): JournalEntry {
    const entry: JournalEntry = { changes, undo: undefined, durable: false };
    this.#entries.push(entry);
    return entry;
  }

  show(entry: JournalEntry): void {
    entry.undo = this.store.apply(entry.changes);
    this.#forget();
  }

  /** Everything written so far will survive. */
  sync(): void {
    for (const entry of this.#entries) entry.durable = true;
    this.#forget();
  }

  /**
   * Shows what was written and not shown, as opening a LevelDB replays its log. From then on it is certain: the log goes into
   * a table, and both that and the manifest are synced before the open returns.
   */
  replay(): void {
    this.#takeBack();
    for (const entry of this.#entries) entry.undo = this.store.apply(entry.changes);
    this.sync();
  }

  /** Loses what no fsync covered, but for those of the n entries, oldest first, that `survivors(n)` names. */
  lose(survivors: (unsynced: number) => (index: number) => boolean): void {
    const certain = this.#entries.findLastIndex((entry) => entry.durable) + 1;
    const survives = survivors(this.#entries.length - certain);
    this.#takeBack();
    this.#entries = this.#entries.filter((_, index) => index < certain || survives(index - certain));
    for (const entry of this.#entries) entry.undo = this.store.apply(entry.changes);
    this.sync();
  }

  #takeBack(): void {
    for (const entry of this.#entries.toReversed()) {
      if (entry.undo !== undefined) this.store.apply(entry.undo);
      entry.undo = undefined;
    }
  }

  /** Drops what can neither be lost nor surface any more. */
  #forget(): void {
    const open = this.#entries.findIndex((entry) => !entry.durable || entry.undo === undefined);
    this.#entries.splice(0, open < 0 ? this.#entries.length : open);
  }
}

/**
 * One ordered stream of entries out of the pages of many partitions: a k-way merge.
 *
 *     partition 0   [a d e ...]─┐
 *     partition 1   [b f ...]───┼─ heap by next key ──> a b c d e f ...
 *     partition 2   [c g ...]───┘
 *
 * Nothing can be told before every partition has shown its next key, so first pages are asked for
 * together, a bounded number at a time. No partition ever has more than one page here: the next one is
 * asked for when the last entry of a page leaves, while the consumer works on it.
 */
import { SCAN_PAGE_ENTRIES_DEFAULT, SCAN_PAGE_ENTRIES_MAX, SCAN_PARTITIONS_AT_ONCE } from '../core/limits.js';
import { compareKeys } from '../core/text-order.js';
import type { ScanEntry } from '../protocol/messages.js';

interface Keyed {
  readonly key: string;
}

export interface ScanPage<E extends Keyed = ScanEntry> {
  readonly entries: readonly E[];
  /** The `after` of the next page; null at the end. */
  readonly next: string | null;
}

/** Fetches one page: the entries of a partition after a key. */
export type FetchScanPage<E extends Keyed = ScanEntry> = (
  partition: number,
  after: string,
  limit: number,
) => Promise<ScanPage<E>>;

export interface MergeOptions {
  readonly partitions: readonly number[];
  /** Keys strictly after this one; empty for all. */
  readonly after: string;
  /** Entries at most; Infinity for all. */
  readonly limit: number;
}

/**
 * The entries of all partitions in key order. Stopping early sends nothing more; pages on their way are
 * dropped. Throws what `fetch` throws.
 */
export async function* mergePartitions<E extends Keyed = ScanEntry>(
  fetch: FetchScanPage<E>,
  options: MergeOptions,
): AsyncGenerator<E, void, undefined> {
  const { partitions, after, limit } = options;
  if (limit <= 0) return;
  const pageEntries = entriesInPage(limit, partitions.length);
  const cursors = partitions.map((partition) => new PartitionCursor(fetch, partition, after, pageEntries));
  await fillAll(cursors);
  const heap = new CursorHeap<E>();
  for (const cursor of cursors) heap.add(cursor);
  for (let left = limit; left > 0; left--) {
    const cursor = heap.takeLeast();
    const entry = cursor?.take(left > 1);
    if (cursor === undefined || entry === undefined) return;
    yield entry;
    await cursor.filled();
    heap.add(cursor);
  }
}

/** About twice a partition's even share of what is wanted. */
function entriesInPage(limit: number, partitions: number): number {
  if (!Number.isFinite(limit)) return SCAN_PAGE_ENTRIES_DEFAULT;
  if (partitions === 1) return Math.min(Math.ceil(limit), SCAN_PAGE_ENTRIES_MAX);
  return Math.min(Math.ceil((2 * limit) / partitions) + 4, Math.ceil(limit), SCAN_PAGE_ENTRIES_MAX);
}

/** Fetches every cursor's first page, some at a time. */
async function fillAll(cursors: readonly PartitionCursor<Keyed>[]): Promise<void> {
  const rest = cursors.values();
  const worker = async (): Promise<void> => {
    for (const cursor of rest) await cursor.fill();
  };
  const workers = Math.min(SCAN_PARTITIONS_AT_ONCE, cursors.length);
  await Promise.all(Array.from({ length: workers }, worker));
}

class PartitionCursor<E extends Keyed> {
  readonly #fetch: FetchScanPage<E>;
  readonly #partition: number;
  readonly #pageEntries: number;
  #page: readonly E[] = [];
  #index = 0;
  /** Where the next page starts; null at the end of the partition. */
  #next: string | null;
  #filling: Promise<void> | undefined;

  constructor(fetch: FetchScanPage<E>, partition: number, after: string, pageEntries: number) {
    this.#fetch = fetch;
    this.#partition = partition;
    this.#pageEntries = pageEntries;
    this.#next = after;
  }

  /** The next entry's key, or undefined: at the end of the partition once it is filled. */
  get key(): string | undefined {
    return this.#page[this.#index]?.key;
  }

  /** Takes the next entry; starts to fetch the next page when it was the last of one and `more` is wanted. */
  take(more: boolean): E | undefined {
    const entry = this.#page[this.#index++];
    if (more && this.#index >= this.#page.length && this.#next !== null) {
      this.#filling = this.fill();
      // If nobody comes back for it, its failure concerns nobody.
      this.#filling.catch(() => undefined);
    }
    return entry;
  }

  async filled(): Promise<void> {
    if (this.#filling === undefined) return;
    await this.#filling;
    this.#filling = undefined;
  }

  /** Fetches until there is an entry or the partition ends: pages may be empty. */
  async fill(): Promise<void> {
    this.#page = [];
    this.#index = 0;
    while (this.#page.length === 0 && this.#next !== null) {
      const result = await this.#fetch(this.#partition, this.#next, this.#pageEntries);
      this.#page = result.entries;
      this.#next = result.next;
    }
  }
}

/** A binary heap of cursors by their next key; cursors at their end stay out. */
class CursorHeap<E extends Keyed> {
  readonly #cursors: { key: string; cursor: PartitionCursor<E> }[] = [];

  add(cursor: PartitionCursor<E>): void {
    const { key } = cursor;
    if (key === undefined) return;
    const heap = this.#cursors;
    const added = { key, cursor };
    let at = heap.length;
    while (at > 0) {
      const parentAt = (at - 1) >> 1;
      const parent = heap[parentAt];
      if (parent === undefined || compareKeys(parent.key, key) <= 0) break;
      heap[at] = parent;
      at = parentAt;
    }
    heap[at] = added;
  }

  takeLeast(): PartitionCursor<E> | undefined {
    const heap = this.#cursors;
    const least = heap[0];
    const last = heap.pop();
    if (least === undefined || last === undefined || heap.length === 0) return least?.cursor;
    let at = 0;
    for (;;) {
      const left = heap[2 * at + 1];
      const right = heap[2 * at + 2];
      if (left === undefined) break;
      const rightIsLess = right !== undefined && compareKeys(right.key, left.key) < 0;
      const child = rightIsLess ? right : left;
      if (compareKeys(last.key, child.key) <= 0) break;
      heap[at] = child;
      at = 2 * at + (rightIsLess ? 2 : 1);
    }
    heap[at] = last;
    return least.cursor;
  }
}

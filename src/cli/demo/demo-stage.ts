/** What the acts of the demo share, and how they work on many things at once. */
import type { Database } from '../../client/api.js';
import type { PhotoStore } from '../../photos/index.js';
import type { Ledger } from '../ledger.js';
import type { AlbumSource } from './album-source.js';
import type { DemoCluster } from './demo-cluster.js';
import type { Narrator } from './narrator.js';

export interface Stage {
  readonly narrator: Narrator;
  readonly cluster: DemoCluster;
  /** Takes every acknowledged write down in `ledger`. */
  readonly db: Database;
  readonly ledger: Ledger;
  readonly store: PhotoStore;
  readonly source: AlbumSource;
}

/** Runs `work` on every item, at most `atOnce` at a time. Rejects with the first failure. */
export async function forEachAtOnce<T>(
  items: Iterable<T> | AsyncIterable<T>,
  atOnce: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  const worker = async (): Promise<void> => {
    for (let next = await queue.next(); next.done !== true; next = await queue.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

/** The items in chunks of `size`, the last one shorter. */
export async function* chunked<T>(
  items: AsyncIterable<T>,
  size: number,
): AsyncGenerator<T[], void, undefined> {
  let chunk: T[] = [];
  for await (const item of items) {
    chunk.push(item);
    if (chunk.length < size) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}

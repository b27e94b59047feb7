/** What the acts of the demo share, and how they work on many things at once. */
import type { Database } from '../../client/api.js';
import { TrefoilError } from '../../core/errors.js';
import type { PhotoStore } from '../../photos/index.js';
import { formatDuration } from '../duration.js';
import type { Ledger } from '../ledger.js';
import { pollUntil } from '../poll.js';
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

const WAIT_MS_MAX = 40_000;
const LOOK_EVERY_MS = 20;

/** Asks again and again until the answer is not undefined or false, and gives it. Rejects where `what` does not come in time. */
export async function waitFor<T>(what: string, ask: () => Promise<T | false | undefined>): Promise<T> {
  const answer = await pollUntil(
    async () => {
      const now = await ask();
      return now === false ? undefined : now;
    },
    { deadlineMs: WAIT_MS_MAX, everyMs: LOOK_EVERY_MS },
  );
  if (answer !== undefined) return answer;
  throw new TrefoilError('Internal', `waited for ${what}, in vain, for ${formatDuration(WAIT_MS_MAX)}`);
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

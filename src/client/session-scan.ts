/**
 * A scan in a session: entries as the session may see them, and the keys that the scan left out although the
 * session has seen a value there.
 *
 * A scan asks so many replicas that they meet the session's writes. What it has only read may have been on a replica that
 * is not among them; such a key is read by itself, with the session's bound, where it belongs in the order.
 */
import { compareKeys } from '../core/text-order.js';
import type { ScanEntry } from '../protocol/messages.js';

export interface SessionScan<E> {
  /** Keys of the range that the session has seen a value of, in order. */
  readonly known: readonly string[];
  readonly limit: number;
  /** The entry as the session may see it; undefined where nothing is there any more. */
  readonly take: (found: ScanEntry) => Promise<E | undefined>;
  /** Reads a key that the scan left out. */
  readonly read: (key: string) => Promise<E | undefined>;
}

/** The entries of `found`, which ends after `limit` of them, with what the session knows put in between. */
export async function* scanInSession<E>(
  found: AsyncIterable<ScanEntry>,
  { known, limit, take, read }: SessionScan<E>,
): AsyncGenerator<E, void, undefined> {
  let left = limit;
  let scanned = 0;
  let at = 0;
  for await (const next of found) {
    scanned++;
    for (let key = known[at]; key !== undefined && compareKeys(key, next.key) <= 0; key = known[++at]) {
      const entry = key === next.key ? undefined : await read(key);
      if (entry === undefined) continue;
      yield entry;
      if (--left <= 0) return;
    }
    const entry = await take(next);
    if (entry === undefined) continue;
    yield entry;
    if (--left <= 0) return;
  }
  // Cut off by the limit, the scan says nothing of what comes after its last key.
  if (scanned >= limit) return;
  for (const key of known.slice(at)) {
    const entry = await read(key);
    if (entry === undefined) continue;
    yield entry;
    if (--left <= 0) return;
  }
}

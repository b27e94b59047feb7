/** Reads entries from the disk for followers that are so far behind that memory has forgotten them. One page at a time for each. */
import type { NodeId } from '../../core/ids.js';
import { SCAN_PAGE_ENTRIES_MAX } from '../../core/limits.js';
import { logKey, LOG_KEYS } from '../../protocol/log-codec.js';
import type { Effects } from '../strategy.js';
import type { Scanned } from './opening.js';
import type { FetchWanted } from './raft/raft-types.js';
import type { RaftLog, Segment } from './raft/raft-log.js';
import { storedSegment } from './stored-segments.js';

/** The scans; the follower's name comes after it. */
export const FETCH = 'fetch/';

export interface Fetched extends FetchWanted {
  /** null: the log has changed since they were asked for. `damaged`: one of them is not what was written. */
  readonly segments: readonly Segment[] | 'damaged' | null;
}

export class LogReader {
  readonly #log: RaftLog;
  readonly #wanted = new Map<NodeId, number>();

  constructor(log: RaftLog) {
    this.#log = log;
  }

  begin({ peer, from }: FetchWanted, effects: Effects): void {
    this.#wanted.set(peer, from);
    const range = { gte: logKey(this.#log.segmentStart(from)), lt: LOG_KEYS.lt };
    effects.scan(FETCH + peer, range, SCAN_PAGE_ENTRIES_MAX);
  }

  /** What a scan gave. */
  scanned(event: Scanned): Fetched | undefined {
    const peer = event.scan.slice(FETCH.length) as NodeId;
    const from = this.#wanted.get(peer);
    this.#wanted.delete(peer);
    if (from === undefined) return undefined;
    if (event.damaged) return { peer, from, segments: 'damaged' };
    const segments: Segment[] = [];
    for (const [, bytes] of event.entries) {
      const segment = whole(bytes);
      if (segment === undefined) return { peer, from, segments: 'damaged' };
      const follows = segments.length === 0 || segment.first === (segments.at(-1) as Segment).last + 1;
      // The log was given up or cut meanwhile.
      if (!follows || segment.last > this.#log.last.index) break;
      segments.push(segment);
    }
    const [first] = segments;
    const usable = first !== undefined && first.first <= from && first.last >= from;
    return { peer, from, segments: usable ? segments : null };
  }
}

function whole(bytes: Uint8Array): Segment | undefined {
  try {
    return storedSegment(bytes);
  } catch {
    return undefined;
  }
}

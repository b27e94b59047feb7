/**
 * Conflict policies as views: pure functions from a record to what a reader is shown. Nothing here is ever
 * stored; what a reader makes of it is stored only as a new write that covers what it resolved.
 */
import { dotsOfOperation, type KeyRecord, type Sibling } from './record.js';
import { compareDots, sameDot } from './version-vector.js';

export type ConflictPolicy = 'siblings' | 'lww';

export interface RecordView {
  /** What the reader gets: live values only, sorted by dot. More than one only under `siblings`. */
  readonly values: readonly Sibling[];
  /** Under `lww`: the live or deleted siblings that lost to the winner. */
  readonly lost: readonly Sibling[];
}

/**
 * What `policy` shows of a record at a wall time (which decides what has expired).
 *
 * A sibling whose operation is also known under a lower dot is a retry that was applied twice: hidden.
 */
export function viewRecord(record: KeyRecord, policy: ConflictPolicy, wallMs: number): RecordView {
  const shown = record.siblings.filter((s) => !isRepeated(record, s));
  const live = (s: Sibling): boolean => s.value !== null && (s.expiresAt === 0 || s.expiresAt > wallMs);
  if (policy === 'siblings') return { values: shown.filter(live), lost: [] };
  const winner = lastWriter(shown);
  if (winner === undefined) return { values: [], lost: [] };
  return { values: live(winner) ? [winner] : [], lost: shown.filter((s) => s !== winner) };
}

function isRepeated(record: KeyRecord, sibling: Sibling): boolean {
  const lowest = dotsOfOperation(record, sibling.operation)[0];
  return lowest !== undefined && !sameDot(lowest, sibling.dot);
}

/** Highest HLC time, ties by the higher dot. */
function lastWriter(siblings: readonly Sibling[]): Sibling | undefined {
  let winner: Sibling | undefined;
  for (const s of siblings) {
    if (
      winner === undefined ||
      s.hlc > winner.hlc ||
      (s.hlc === winner.hlc && compareDots(s.dot, winner.dot) > 0)
    ) {
      winner = s;
    }
  }
  return winner;
}

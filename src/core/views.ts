/**
 * Conflict policies as views: pure functions from a record to what a reader is shown. Nothing here is ever
 * stored; what a reader makes of it is stored only as a new write that covers what it resolved.
 */
import {
  closedQuestions,
  sameOperation,
  type KeyRecord,
  type RecentOperation,
  type Sibling,
} from './record.js';
import { compareDots, type Dot } from './version-vector.js';

/** Policies for opaque values. */
export type ValuePolicy = 'siblings' | 'lww';

/** Policies whose payloads core understands: `counter.ts`, `element-set.ts`. */
export type TypedPolicy = 'counter' | 'set';

export type ConflictPolicy = ValuePolicy | TypedPolicy;

export function isTyped(policy: ConflictPolicy): policy is TypedPolicy {
  return policy === 'counter' || policy === 'set';
}

export interface RecordView {
  /** What the reader gets: live values only, sorted by dot. More than one only under `siblings`. */
  readonly values: readonly Sibling[];
  /** Under `lww`: the live or deleted siblings that lost to the winner. */
  readonly lost: readonly Sibling[];
}

/**
 * What `policy` shows of a record at a wall time (which decides what has expired).
 *
 * An operation that was applied twice (its retry reached another coordinator) shows once at most: under its
 * lowest dot while none of its dots is superseded, and not at all once one is. Going by the lowest dot alone
 * would bring a value back that somebody had read under the other dot and overwritten.
 */
export function viewRecord(record: KeyRecord, policy: ValuePolicy, wallMs: number): RecordView {
  const live = (s: Sibling): boolean => s.value !== null && (s.expiresAt === 0 || s.expiresAt > wallMs);
  const unrepeated = record.siblings.filter((s) => !isRepeated(record, s));
  if (policy === 'siblings') return { values: unrepeated.filter(live), lost: [] };
  const shown = unrepeated.length === record.siblings.length ? unrepeated : withoutCycles(record, unrepeated);
  const winner = lastWriter(shown);
  if (winner === undefined) return { values: [], lost: [] };
  return { values: live(winner) ? [winner] : [], lost: shown.filter((s) => s !== winner) };
}

function isRepeated(record: KeyRecord, sibling: Sibling): boolean {
  return (
    isSuperseded(record, sibling) ||
    record.siblings.some(
      (s) => compareDots(s.dot, sibling.dot) < 0 && sameOperation(s.operation, sibling.operation),
    )
  );
}

/**
 * Under `lww` a write supersedes what its coordinator holds, whether its writer had seen it or not. So two that are both retried can each
 * supersede the other, at one coordinator each, and hide each other. What superseded a dot is later than it, and so is what
 * superseded that: where nothing later is left, one of those that hide each other shows. Whoever had seen another's write began later than
 * that, under every dot: so it is the one that began last.
 */
function withoutCycles(record: KeyRecord, unrepeated: readonly Sibling[]): Sibling[] {
  const shown = [...unrepeated];
  // One that only a lower dot of its own operation hides has superseded others as well.
  const left = record.siblings.filter((s) => !isSuperseded(record, s));
  const hidden = record.siblings.filter((s) => isSuperseded(record, s));
  const known: readonly RecentOperation[] = [...record.siblings, ...record.recentOperations];
  const began = ({ operation }: Sibling): number =>
    Math.min(...known.filter((o) => sameOperation(o.operation, operation)).map(({ hlc }) => hlc));
  for (const sibling of hidden.sort((a, b) => began(b) - began(a) || compareDots(b.dot, a.dot))) {
    const twins = record.recentOperations.filter((o) => sameOperation(o.operation, sibling.operation));
    // Of a twin that is forgotten nobody knows when it was superseded.
    if (twins.length === 0) continue;
    const since = Math.min(...twins.map(({ hlc }) => hlc));
    if (left.some(({ hlc }) => hlc > since)) continue;
    shown.push(sibling);
    left.push(sibling);
  }
  return shown;
}

/** Whether the sibling's operation is known to be superseded, under another dot. */
function isSuperseded(record: KeyRecord, sibling: Sibling): boolean {
  return (
    record.recentOperations.some((o) => sameOperation(o.operation, sibling.operation)) ||
    closedQuestions(record, sibling.operation).length > 0
  );
}

/**
 * The dots of the siblings whose operation is superseded under another dot. A new write covers them as well: what hides
 * them is the memory of that operation, which later writes push out, and then they would be back.
 *
 * Not those that are hidden by a lower dot which still shows: covering one would mark the operation as superseded, and so
 * hide the one that shows.
 */
export function supersededDots(record: KeyRecord): Dot[] {
  return record.siblings.filter((s) => isSuperseded(record, s)).map((s) => s.dot);
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

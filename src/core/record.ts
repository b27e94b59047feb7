/**
 * Records and their merge: the heart of the system.
 *
 *   record ── context           everything this key's replica has seen, as a version vector
 *          ├─ siblings          what survives of it: concurrent values and tombstones, sorted by dot
 *          ├─ recentOperations  which operations wrote what was superseded since, newest first
 *          └─ questions         of which operations a retry was announced before it was minted, newest first
 *
 * `mergeRecords` is a join: commutative, associative, idempotent (test/property/record-merge.test.ts holds
 * it against a model that keeps full causal histories), but for when a question closes. It never resolves a conflict and never enforces a
 * limit; both would make two merge orders disagree, and then erase. Policies are views (`views.ts`),
 * limits act where a write is minted.
 *
 * After R. Preguiça et al., "Dotted version vectors" (2010): a sibling survives if both sides hold it, or
 * if the side that lacks it has not seen its dot.
 */
import type { SessionId } from './ids.js';
import { hlcWallMs, type HlcTime } from './hlc.js';
import { QUESTIONS_MAX, RECENT_OPERATIONS_MAX, RETRIED_OPERATIONS_MAX } from './limits.js';
import {
  compareDots,
  covers,
  EMPTY_VECTOR,
  join,
  sameDot,
  sameVector,
  withDot,
  type Dot,
  type VersionVector,
} from './version-vector.js';

/** One operation of one client: a retry carries the same id and is recognised by it. */
export interface OperationId {
  readonly session: SessionId;
  readonly sequence: number;
}

export interface Sibling {
  readonly dot: Dot;
  readonly hlc: HlcTime;
  readonly operation: OperationId;
  /** Wall time in milliseconds at which the value turns into a tombstone under the same dot; 0 for never. */
  readonly expiresAt: number;
  /** Opaque bytes, or null for a tombstone. */
  readonly value: Uint8Array | null;
  /** Minted for a retry: the operation may have a twin under a dot that nobody here knows yet. */
  readonly retried?: true;
}

/** An operation whose write was superseded: kept so that a late retry is not applied again. */
export interface RecentOperation {
  readonly hlc: HlcTime;
  readonly operation: OperationId;
  readonly dot: Dot;
  /** As of the sibling that it was. */
  readonly retried?: true;
}

/**
 * Word that a retry of an operation is about to be minted, on the disks of W replicas before it is: none of them knew the
 * operation. The retry may then wait on a replica that is cut off, while the first attempt turns up, is superseded and forgotten
 * (docs/adr/0011).
 */
export interface RetryQuestion {
  readonly hlc: HlcTime;
  readonly operation: OperationId;
  /** Of the coordinator that asks, and of no sibling. The retry is minted by the same incarnation. */
  readonly dot: Dot;
  /** Somebody who knew of the question knew as well that another incarnation's write of the operation is superseded. */
  readonly closed?: true;
}

export interface KeyRecord {
  readonly context: VersionVector;
  /** Sorted by dot. Every dot is covered by `context`. */
  readonly siblings: readonly Sibling[];
  /**
   * Newest first. With the siblings' own operations, the latest `RETRIED_OPERATIONS_MAX` that were retried, and the latest
   * `RECENT_OPERATIONS_MAX` of the others.
   */
  readonly recentOperations: readonly RecentOperation[];
  /** Newest first, the latest `QUESTIONS_MAX`; absent where there are none. */
  readonly questions?: readonly RetryQuestion[];
}

export const EMPTY_RECORD: KeyRecord = { context: [], siblings: [], recentOperations: [] };

export function sameOperation(a: OperationId, b: OperationId): boolean {
  return a.sequence === b.sequence && a.session === b.session;
}

/** The join of two records of one key. */
export function mergeRecords(a: KeyRecord, b: KeyRecord): KeyRecord {
  return mergeSeen(a, b, EMPTY_VECTOR, EMPTY_VECTOR);
}

/**
 * The join of two records whose holders have forgotten some of what they have seen.
 *
 * `seenByA` and `seenByB` are what the holder of each has seen of the whole group: a dot within that stands in its
 * record, or is superseded there, whatever the record still says of it (docs/adr/0008). They decide which siblings
 * survive and do not go into the context of the result.
 */
export function mergeSeen(
  a: KeyRecord,
  b: KeyRecord,
  seenByA: VersionVector,
  seenByB: VersionVector,
): KeyRecord {
  if (a === b) return a;
  const siblings = joinSiblings(a, b, seenByA, seenByB);
  return {
    context: join(a.context, b.context),
    siblings,
    recentOperations: latestSuperseded([a, b], siblings),
    ...latestQuestions([a, b], siblings),
  };
}

/** Both lists are sorted by dot: one pass, since a set may hold a thousand siblings. */
function joinSiblings(a: KeyRecord, b: KeyRecord, seenByA: VersionVector, seenByB: VersionVector): Sibling[] {
  const siblings: Sibling[] = [];
  let i = 0;
  let j = 0;
  for (;;) {
    const mine = a.siblings[i];
    const theirs = b.siblings[j];
    if (mine === undefined && theirs === undefined) return siblings;
    const order = mine === undefined ? 1 : theirs === undefined ? -1 : compareDots(mine.dot, theirs.dot);
    if (order < 0) {
      const { dot } = mine as Sibling;
      if (!covers(b.context, dot) && !covers(seenByB, dot)) siblings.push(mine as Sibling);
      i++;
    } else if (order > 0) {
      const { dot } = theirs as Sibling;
      if (!covers(a.context, dot) && !covers(seenByA, dot)) siblings.push(theirs as Sibling);
      j++;
    } else {
      siblings.push(mergeSibling(mine as Sibling, theirs as Sibling));
      i++;
      j++;
    }
  }
}

/** Both sides hold the write. They differ only where one has already turned it into a tombstone by expiry. */
function mergeSibling(a: Sibling, b: Sibling): Sibling {
  return b.value === null ? b : a;
}

/**
 * What a writer had seen of a key.
 *
 * `vector` claims everything up to its counters. A writer whose own write stands beside siblings it never
 * saw cannot claim that much: it names its write exactly, in `dots`.
 */
export interface CausalContext {
  readonly vector: VersionVector;
  readonly dots: readonly Dot[];
  /** The highest HLC time among what was seen. */
  readonly hlc: HlcTime;
}

export const EMPTY_CONTEXT: CausalContext = { vector: [], dots: [], hlc: 0 };

/** The vector that a record must dominate to have seen all that the context has. Too much to claim in a write. */
export function contextBound(context: CausalContext): VersionVector {
  return context.dots.reduce(withDot, context.vector);
}

/**
 * A new write laid over a record: supersedes what the writer had seen and stands beside the rest.
 *
 * The writer's vector may reach beyond what `local` holds, because it may have read elsewhere; the result's
 * context covers it. Its exact dots supersede only where `local` knows them: covering a dot here while its
 * elder siblings are unknown here would erase those on the next merge.
 */
export function applyWrite(local: KeyRecord, seen: CausalContext, written: Sibling): KeyRecord {
  const known = { ...local, context: join(local.context, seen.vector) };
  return applyChange(known, siblingsBeside(local, seen), [written]);
}

/**
 * A change of single siblings: `kept` of the record's own stay, `written` come beside them, sorted by dot. `mark` is a write that
 * leaves no sibling: its dot joins the context and its operation is remembered, as if it had been superseded.
 */
export function applyChange(
  local: KeyRecord,
  kept: readonly Sibling[],
  written: readonly Sibling[],
  mark?: RecentOperation,
): KeyRecord {
  const siblings = [...kept, ...written].sort((x, y) => compareDots(x.dot, y.dot));
  const marked = mark === undefined ? [] : [mark];
  const sources = [local, { ...EMPTY_RECORD, recentOperations: marked }];
  return {
    context: [...written, ...marked].reduce((context, w) => withDot(context, w.dot), local.context),
    siblings,
    recentOperations: latestSuperseded(sources, siblings),
    ...latestQuestions(sources, siblings),
  };
}

/** The record with one more question, which changes nothing else in it. */
export function applyQuestion(local: KeyRecord, question: RetryQuestion): KeyRecord {
  const asked = { ...EMPTY_RECORD, questions: [question] };
  return {
    ...local,
    context: withDot(local.context, question.dot),
    ...latestQuestions([local, asked], local.siblings),
  };
}

/** The siblings that a write by someone who had seen `seen` would stand beside. */
export function siblingsBeside(local: KeyRecord, seen: CausalContext): Sibling[] {
  return local.siblings.filter(
    (s) => !covers(seen.vector, s.dot) && !seen.dots.some((d) => sameDot(d, s.dot)),
  );
}

/**
 * The top K of the retried operations that the sources know, and the top K of the others; less those that a surviving sibling
 * names itself. Neither takes a place from the other: a retry that arrives late must not push out the memory of its own
 * first attempt, which is what hides it.
 */
function latestSuperseded(
  sources: readonly KeyRecord[],
  survivors: readonly Sibling[],
): readonly RecentOperation[] {
  const latest: RecentOperation[] = [];
  const retried: RecentOperation[] = [];
  const learnAll = (entries: readonly RecentOperation[]): void => {
    for (const entry of entries) {
      if (entry.retried === true) learn(retried, entry, RETRIED_OPERATIONS_MAX);
      else learn(latest, entry, RECENT_OPERATIONS_MAX);
    }
  };
  for (const source of sources) {
    learnAll(source.siblings);
    learnAll(source.recentOperations);
  }
  learnAll(survivors);
  const known = retried.length === 0 ? latest : [...latest, ...retried].sort(newestFirst);
  return known.filter(({ dot }) => !survivors.some((s) => sameDot(s.dot, dot))).map(recentOperation);
}

/**
 * The latest questions that the sources know. One closes, for good, where the question meets the knowledge that another incarnation's
 * write of the operation is superseded: that may be forgotten soon, and the retry still come.
 */
function latestQuestions(
  sources: readonly KeyRecord[],
  survivors: readonly Sibling[],
): { readonly questions?: readonly RetryQuestion[] } {
  if (sources.every((source) => source.questions === undefined)) return {};
  const byDot: RetryQuestion[] = [];
  for (const question of sources.flatMap((source) => source.questions ?? [])) {
    const place = byDot.findIndex((other) => sameDot(other.dot, question.dot));
    if (place < 0) byDot.push(question);
    else if (question.closed === true) byDot[place] = question;
  }
  const isTwinSuperseded =
    ({ operation, dot }: RetryQuestion) =>
    (entry: RecentOperation): boolean =>
      sameOperation(entry.operation, operation) &&
      entry.dot.incarnation !== dot.incarnation &&
      !survivors.some((s) => sameDot(s.dot, entry.dot));
  const closes = (question: RetryQuestion): boolean =>
    question.closed !== true &&
    sources.some(
      ({ siblings, recentOperations }) =>
        siblings.some(isTwinSuperseded(question)) || recentOperations.some(isTwinSuperseded(question)),
    );
  return {
    questions: byDot
      .sort(newestFirst)
      .slice(0, QUESTIONS_MAX)
      .map((question) => (closes(question) ? { ...question, closed: true } : question)),
  };
}

/** The closed questions about an operation. (An open one does not tell that it was ever applied.) */
export function closedQuestions(record: KeyRecord, operation: OperationId): readonly RetryQuestion[] {
  if (record.questions === undefined) return [];
  return record.questions.filter((q) => q.closed === true && sameOperation(q.operation, operation));
}

/** Whether `held` has a question that `other` lacks, or one closed that `other` has open. */
export function knowsMoreQuestions(held: KeyRecord, other: KeyRecord): boolean {
  return (held.questions ?? []).some(
    ({ dot, closed }) =>
      !(other.questions ?? []).some(
        (known) => sameDot(known.dot, dot) && (closed !== true || known.closed === true),
      ),
  );
}

/** Whether `held` has a question closed that `other` has not. */
export function closesMoreQuestions(held: KeyRecord, other: KeyRecord): boolean {
  return (held.questions ?? []).some(
    ({ dot, closed }) =>
      closed === true &&
      !(other.questions ?? []).some((known) => sameDot(known.dot, dot) && known.closed === true),
  );
}

type Stamped = Pick<RecentOperation, 'hlc' | 'dot'>;

function recentOperation({ hlc, operation, dot, retried }: RecentOperation): RecentOperation {
  return retried === true ? { hlc, operation, dot, retried } : { hlc, operation, dot };
}

function newestFirst(a: Stamped, b: Stamped): number {
  return b.hlc - a.hlc || compareDots(a.dot, b.dot);
}

/** Keeps the latest `max`, newest first, each dot once. */
function learn(latest: RecentOperation[], entry: RecentOperation, max: number): void {
  let place = latest.length;
  while (place > 0) {
    const order = newestFirst(entry, latest[place - 1] as RecentOperation);
    if (order === 0) return;
    if (order > 0) break;
    place--;
  }
  if (place >= max) return;
  latest.splice(place, 0, entry);
  if (latest.length > max) latest.pop();
}

/** Whether two records of one key are the same. A dot names its write; only expiry, and the closing of a question, change what stands under it. */
export function sameRecord(a: KeyRecord, b: KeyRecord): boolean {
  return (
    a.siblings.length === b.siblings.length &&
    a.recentOperations.length === b.recentOperations.length &&
    sameVector(a.context, b.context) &&
    a.siblings.every((s, i) => {
      const other = b.siblings[i] as Sibling;
      return sameDot(s.dot, other.dot) && (s.value === null) === (other.value === null);
    }) &&
    a.recentOperations.every((o, i) => sameDot(o.dot, (b.recentOperations[i] as RecentOperation).dot)) &&
    sameQuestions(a.questions ?? [], b.questions ?? [])
  );
}

function sameQuestions(a: readonly RetryQuestion[], b: readonly RetryQuestion[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ dot, closed }, i) => {
      const other = b[i] as RetryQuestion;
      return sameDot(dot, other.dot) && closed === other.closed;
    })
  );
}

/**
 * Whether the record may have forgotten an operation of a wall time at or after `sinceMs`: one of its two windows is full, and
 * reaches no further back than that. A sibling may be older than its window, and tells nothing of what lay between.
 */
export function forgetsOperations(record: KeyRecord, sinceMs: number): boolean {
  const known = [...record.siblings, ...record.recentOperations].sort(newestFirst);
  const isYoung = (oldest: RecentOperation | undefined): boolean =>
    oldest !== undefined && hlcWallMs(oldest.hlc) >= sinceMs;
  return (
    isYoung(known.filter((o) => o.retried !== true)[RECENT_OPERATIONS_MAX - 1]) ||
    isYoung(known.filter((o) => o.retried === true)[RETRIED_OPERATIONS_MAX - 1])
  );
}

/** How many retried operations the record remembers or holds. */
export function retriedOperations(record: KeyRecord): number {
  const retried = (entry: RecentOperation): boolean => entry.retried === true;
  return record.siblings.filter(retried).length + record.recentOperations.filter(retried).length;
}

/**
 * The dots under which the record knows an operation, lowest first. More than one after a retry elsewhere. That of a closed
 * question counts: the operation was applied and superseded.
 */
export function dotsOfOperation(record: KeyRecord, operation: OperationId): Dot[] {
  return [...record.siblings, ...record.recentOperations, ...closedQuestions(record, operation)]
    .filter((entry) => sameOperation(entry.operation, operation))
    .map((entry) => entry.dot)
    .sort(compareDots);
}

/** The highest HLC time that the record knows of. What it superseded was lower, by how writes are minted. */
export function highestHlc(record: KeyRecord): HlcTime {
  let highest = 0;
  for (const s of record.siblings) highest = Math.max(highest, s.hlc);
  for (const r of record.recentOperations) highest = Math.max(highest, r.hlc);
  for (const q of record.questions ?? []) highest = Math.max(highest, q.hlc);
  return highest;
}

/** Turns every sibling that is due into a tombstone under its own dot. Returns `record` itself if none is. */
export function expireSiblings(record: KeyRecord, wallMs: number): KeyRecord {
  const due = (s: Sibling): boolean => s.value !== null && s.expiresAt !== 0 && s.expiresAt <= wallMs;
  if (!record.siblings.some(due)) return record;
  return { ...record, siblings: record.siblings.map((s) => (due(s) ? { ...s, value: null } : s)) };
}

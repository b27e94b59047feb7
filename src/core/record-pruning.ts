/**
 * What of a record may be forgotten once every replica of its group has absorbed all that the record has seen.
 *
 * `prunable` is a vector over the whole group, at or below the floor (docs/adr/0008). Nothing goes unless it
 * dominates the record's *whole* context. Going entry by entry was rejected: a value that was superseded by a write above the
 * floor would come back on a replica that holds the value and has not heard of that write.
 *
 * The same record and the same `prunable` give the same result, so that replicas which have pruned agree again.
 */
import { hlcWallMs, type HlcTime } from './hlc.js';
import {
  sameOperation,
  type KeyRecord,
  type RecentOperation,
  type RetryQuestion,
  type Sibling,
} from './record.js';
import { ALL_COUNTERS, counterOf, dominates, type VersionVector } from './version-vector.js';
import type { ConflictPolicy } from './views.js';

export interface Pruning {
  readonly prunable: VersionVector;
  readonly wallMs: number;
  /** A tombstone or an operation younger than this by the wall clock stays: its retry may still come. */
  readonly ageMs: number;
  readonly conflict: ConflictPolicy;
}

/** The record without what may go: itself where nothing may, null where it goes as a whole. */
export function pruneRecord(record: KeyRecord, pruning: Pruning): KeyRecord | null {
  const { prunable, wallMs, ageMs, conflict } = pruning;
  if (!dominates(prunable, record.context)) return record;
  const isOld = ({ hlc }: { readonly hlc: HlcTime }): boolean => hlcWallMs(hlc) + ageMs <= wallMs;
  const goes = (s: Sibling): boolean =>
    s.value === null && isOld(s) && (s.expiresAt === 0 || s.expiresAt + ageMs <= wallMs);
  const questions = record.questions ?? [];
  if (record.siblings.every(goes) && record.recentOperations.every(isOld) && questions.every(isOld))
    return null;
  // A tombstone may hide a sibling from the view of another policy: there it goes only with the whole record.
  const siblings = conflict === 'siblings' ? record.siblings.filter((s) => !goes(s)) : record.siblings;
  // What hides a sibling whose operation was applied twice is the memory of that operation.
  const stays = (o: RecentOperation | RetryQuestion): boolean =>
    !isOld(o) || siblings.some((s) => sameOperation(s.operation, o.operation));
  const context = record.context.filter(
    ([incarnation]) =>
      counterOf(prunable, incarnation) !== ALL_COUNTERS ||
      siblings.some((s) => s.dot.incarnation === incarnation) ||
      [...record.recentOperations, ...questions].some((o) => o.dot.incarnation === incarnation && stays(o)),
  );
  if (siblings.length === record.siblings.length && context.length === record.context.length) return record;
  const isCovered = (o: RecentOperation | RetryQuestion): boolean =>
    context.some(([incarnation]) => incarnation === o.dot.incarnation);
  const keptQuestions = questions.filter(isCovered);
  return {
    context,
    siblings,
    recentOperations: record.recentOperations.filter(isCovered),
    ...(keptQuestions.length === 0 ? {} : { questions: keptQuestions }),
  };
}

/**
 * Mints: what a write makes of the coordinator's copy of a key, by the namespace's conflict policy.
 *
 *     siblings, lww   one sibling, over what its context (lww: the local copy) has seen
 *     counter         the incarnation's own sibling, over its previous one
 *     set             a sibling for each added element; for a remove a dot without a sibling
 *
 * Everything that refuses a write is thrown before anything of it leaves, as `failed`; a dot that was drawn by
 * then is merely skipped.
 */
import type { LeaderlessNamespace } from '../../cluster/cluster-map.js';
import { encodeCounterPayload, incremented, previousSum, resetAll, viewCounter } from '../../core/counter.js';
import type { CounterPayload } from '../../core/counter.js';
import { besideAdded, besideRemoved, distinctElements, viewElements } from '../../core/element-set.js';
import { TrefoilError } from '../../core/errors.js';
import {
  QUESTIONS_MAX,
  RECORD_BYTES_MAX,
  RETRIED_OPERATIONS_MAX,
  SET_ELEMENTS_MAX,
  SIBLINGS_MAX,
} from '../../core/limits.js';
import {
  applyChange,
  applyQuestion,
  applyWrite,
  highestHlc,
  retriedOperations,
  sameOperation,
  siblingsBeside,
  type CausalContext,
  type KeyRecord,
  type Sibling,
} from '../../core/record.js';
import { join, type Dot } from '../../core/version-vector.js';
import { isTyped, supersededDots } from '../../core/views.js';
import type { PutOperation, WriteOperation } from '../../protocol/messages.js';
import type { Effects, Turn } from '../strategy.js';

export interface Minted {
  readonly record: KeyRecord;
  /** The dots of the write, in the order in which they were drawn. */
  readonly dots: readonly Dot[];
}

/** Throws `Unsupported` for a write that the namespace's policy has no meaning for. */
export function checkPolicy(namespace: LeaderlessNamespace, operation: WriteOperation): void {
  const { name, conflict } = namespace;
  if (operation.type === 'put') {
    if (operation.ifVersion !== null) {
      throw unsupported(
        `ifVersion needs one replica that leads (strategy leader-follower); namespace ${name} is leaderless: ` +
          'put with the context of a read, and resolve siblings',
      );
    }
    if (!isTyped(conflict)) return;
    if (operation.value !== null) {
      const instead = conflict === 'counter' ? 'increment it' : 'add or remove elements';
      throw unsupported(
        `namespace ${name} holds ${conflict}s (conflict: ${conflict}): ${instead}, or delete`,
      );
    }
    if (operation.ttlMs > 0) throw unsupported(`${conflict}s (namespace ${name}) have no time to live`);
    return;
  }
  const { kind } = operation.change;
  const wanted = kind === 'increment' ? 'counter' : 'set';
  if (conflict !== wanted) {
    throw unsupported(`${kind} needs conflict: ${wanted}, namespace ${name} has conflict: ${conflict}`);
  }
  if (kind === 'remove' && operation.context === null) {
    throw new TrefoilError('BadRequest', 'a remove needs the context of a read: it removes what that saw');
  }
}

/** The record after the write. Throws what refuses it. */
export function mintWrite(
  namespace: LeaderlessNamespace,
  operation: WriteOperation,
  seen: CausalContext,
  record: KeyRecord,
  turn: Turn,
  effects: Effects,
): Minted {
  if (operation.type === 'change') {
    const { change } = operation;
    switch (change.kind) {
      case 'increment':
        return mintIncrement(operation, change.by, seen, record, turn);
      case 'add':
        return mintAdd(operation, distinctElements(change.elements), seen, record, turn, effects);
      case 'remove':
        return mintRemove(operation, change.elements, seen, record, turn);
    }
  }
  switch (namespace.conflict) {
    case 'counter':
      return mintReset(operation, seen, record, turn);
    case 'set':
      return mintRemove(operation, null, seen, record, turn);
    default:
      return mintValue(namespace, operation, seen, record, turn, effects);
  }
}

/**
 * The record with the question whether the operation is known, to be written down before a retry of it is minted: the one that this node asked
 * before, if it minted nothing then.
 */
export function questionOf(
  { operation }: WriteOperation,
  seen: CausalContext,
  record: KeyRecord,
  turn: Turn,
  effects: Effects,
): { readonly record: KeyRecord; readonly dot: Dot } {
  const questions = record.questions ?? [];
  const asked = questions.find(
    (q) => sameOperation(q.operation, operation) && turn.mayMint(q.dot.incarnation),
  );
  if (asked !== undefined) return { record, dot: asked.dot };
  if (questions.length >= QUESTIONS_MAX) effects.count('questions_forgotten');
  const dot = turn.mint();
  return { record: applyQuestion(record, { hlc: timeOver(record, seen, turn), operation, dot }), dot };
}

function mintValue(
  namespace: LeaderlessNamespace,
  put: PutOperation,
  seen: CausalContext,
  record: KeyRecord,
  turn: Turn,
  effects: Effects,
): Minted {
  const { value, operation, ttlMs } = put;
  const covered: CausalContext = {
    ...seen,
    vector: namespace.conflict === 'lww' ? join(seen.vector, record.context) : seen.vector,
    dots: [...seen.dots, ...supersededDots(record)],
  };
  checkSiblings(siblingsBeside(record, covered), value);
  const ttl = ttlMs === 0 ? namespace.ttlMs : ttlMs;
  const expiresAt = value === null || ttl === 0 ? 0 : turn.wallMs + ttl;
  const written: Sibling = {
    dot: turn.mint(),
    hlc: timeOver(record, seen, turn),
    operation,
    expiresAt,
    value,
    ...retriedMark(put, record, effects),
  };
  const lost = namespace.conflict === 'lww' ? Math.max(0, record.siblings.length - 1) : 0;
  if (lost > 0) effects.count('conflicts_settled', lost);
  return { record: applyWrite(record, covered, written), dots: [written.dot] };
}

// --- Counters ------------------------------------------------------------------------------------------

function mintIncrement(
  write: WriteOperation,
  by: number,
  seen: CausalContext,
  record: KeyRecord,
  turn: Turn,
): Minted {
  const total = viewCounter(record)?.total ?? 0n;
  if (beyondExact(Number(total + BigInt(by))) && by > 0 === total > 0n) {
    throw new TrefoilError('CounterOverflow', `the counter stands at ${total}; it cannot go beyond 2^53 - 1`);
  }
  return mintSum(write, seen, record, turn, (previous, dot) => incremented(previous, dot, by));
}

function mintReset(write: WriteOperation, seen: CausalContext, record: KeyRecord, turn: Turn): Minted {
  return mintSum(write, seen, record, turn, (_previous, dot) => resetAll(record, dot));
}

/** Replaces the sum of the incarnation that mints, or adds its first. */
function mintSum(
  { operation }: WriteOperation,
  seen: CausalContext,
  record: KeyRecord,
  turn: Turn,
  payload: (previous: Sibling | undefined, dot: Dot) => CounterPayload | undefined,
): Minted {
  const dot = turn.mint();
  const previous = previousSum(record, dot);
  const kept = record.siblings.filter((s) => s !== previous);
  if (kept.length >= SIBLINGS_MAX) {
    const message = `the counter has the sums of ${kept.length} other incarnations; the limit is ${SIBLINGS_MAX}`;
    throw new TrefoilError('TooManySiblings', message);
  }
  const next = payload(previous, dot);
  if (next === undefined) throw new TrefoilError('RecordCorrupt', 'the record holds what is no counter');
  if (beyondExact(next.sum)) {
    throw new TrefoilError('CounterOverflow', "this node's share of the counter cannot go beyond 2^53 - 1");
  }
  const value = encodeCounterPayload(next);
  const written: Sibling = { dot, hlc: timeOver(record, seen, turn), operation, expiresAt: 0, value };
  return { record: applyChange(record, kept, [written]), dots: [dot] };
}

function beyondExact(sum: number): boolean {
  return !Number.isSafeInteger(sum);
}

// --- Sets ----------------------------------------------------------------------------------------------

/** Of a retried add the first dot alone is marked: it stands for all, and a large add leaves room for other operations. */
function mintAdd(
  write: WriteOperation,
  elements: readonly Uint8Array[],
  seen: CausalContext,
  record: KeyRecord,
  turn: Turn,
  effects: Effects,
): Minted {
  const kept = besideAdded(record, elements);
  checkElements(record, kept, elements);
  const hlc = timeOver(record, seen, turn);
  const mark = elements.length === 0 ? {} : retriedMark(write, record, effects);
  const written = elements.map((value, i): Sibling => ({
    dot: turn.mint(),
    hlc,
    operation: write.operation,
    expiresAt: 0,
    value,
    ...(i === 0 ? mark : {}),
  }));
  return { record: applyChange(record, kept, written), dots: written.map(({ dot }) => dot) };
}

function mintRemove(
  { operation }: WriteOperation,
  elements: readonly Uint8Array[] | null,
  seen: CausalContext,
  record: KeyRecord,
  turn: Turn,
): Minted {
  const mark = { dot: turn.mint(), hlc: timeOver(record, seen, turn), operation };
  const kept = besideRemoved(record, elements, seen);
  return { record: applyChange(record, kept, [], mark), dots: [mark.dot] };
}

/** Like the limit on siblings, it acts here and nowhere else. An add of what is in the set already is never refused. */
function checkElements(record: KeyRecord, kept: readonly Sibling[], added: readonly Uint8Array[]): void {
  const count = kept.length + added.length;
  if (count > SET_ELEMENTS_MAX && count > viewElements(record).length) {
    throw new TrefoilError(
      'SetTooLarge',
      `the set would hold ${count} elements; the limit is ${SET_ELEMENTS_MAX}`,
    );
  }
  const bytes = valueBytes(kept) + added.reduce((sum, element) => sum + element.length, 0);
  if (bytes > RECORD_BYTES_MAX && bytes > valueBytes(record.siblings)) {
    throw new TrefoilError(
      'SetTooLarge',
      `the set would hold ${bytes} bytes; the limit is ${RECORD_BYTES_MAX}`,
    );
  }
}

// --- Shared --------------------------------------------------------------------------------------------

/** Marks what is minted for a retry, and counts where that pushes the memory of an older retry out. */
function retriedMark(
  { attempt }: WriteOperation,
  record: KeyRecord,
  effects: Effects,
): { readonly retried?: true } {
  if (attempt === 0) return {};
  if (retriedOperations(record) >= RETRIED_OPERATIONS_MAX) effects.count('retries_forgotten');
  return { retried: true };
}

function timeOver(record: KeyRecord, seen: CausalContext, turn: Turn): number {
  return turn.tick(Math.max(seen.hlc, highestHlc(record)));
}

function valueBytes(siblings: readonly Sibling[]): number {
  return siblings.reduce((sum, s) => sum + (s.value?.length ?? 0), 0);
}

/** The limit acts here, where a sibling would be minted, and nowhere else: merge never refuses. */
function checkSiblings(beside: readonly Sibling[], value: Uint8Array | null): void {
  if (beside.length >= SIBLINGS_MAX) {
    throw new TrefoilError(
      'TooManySiblings',
      `the key has ${beside.length} siblings that this write does not cover; the limit is ${SIBLINGS_MAX}`,
    );
  }
  const bytes = valueBytes(beside) + (value?.length ?? 0);
  if (beside.length > 0 && bytes > RECORD_BYTES_MAX) {
    throw new TrefoilError(
      'TooManySiblings',
      `the siblings of the key would hold ${bytes} bytes; the limit is ${RECORD_BYTES_MAX}`,
    );
  }
}

function unsupported(message: string): TrefoilError {
  return new TrefoilError('Unsupported', message);
}

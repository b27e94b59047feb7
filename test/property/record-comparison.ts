/**
 * Holds a record against the causal model: byte for byte what it should be, and what the views make of it.
 */
import type { IncarnationId } from '../../src/core/ids.js';
import { QUESTIONS_MAX, RECENT_OPERATIONS_MAX, RETRIED_OPERATIONS_MAX } from '../../src/core/limits.js';
import {
  highestHlc,
  sameOperation,
  type KeyRecord,
  type RecentOperation,
  type Sibling,
} from '../../src/core/record.js';
import { sameDot, type Dot } from '../../src/core/version-vector.js';
import { viewRecord } from '../../src/core/views.js';
import {
  dotText,
  latestTold,
  newestFirst,
  survivors,
  union,
  type ModelReplica,
  type WriteEvent,
} from './causal-model.js';

/** One copy of the key, as the subject has it and as the model has it. */
export interface Copy {
  readonly record: KeyRecord;
  readonly model: ModelReplica;
}

export const WINDOWS = { others: RECENT_OPERATIONS_MAX, retried: RETRIED_OPERATIONS_MAX };

/** Every byte of a record that could differ, as text. */
export function recordText(record: KeyRecord): string {
  return JSON.stringify([
    record.context,
    record.siblings.map(siblingFields),
    record.recentOperations.map(operationFields),
    record.questions?.map((question) => [...operationFields(question), question.closed ?? false]),
  ]);
}

/** The same without which questions are closed. */
export function openRecordText(record: KeyRecord): string {
  const opened = record.questions?.map(({ hlc, operation, dot }) => ({ hlc, operation, dot }));
  return recordText(opened === undefined ? record : { ...record, questions: opened });
}

function siblingFields(s: Sibling): unknown[] {
  return [...operationFields(s), s.expiresAt, s.value === null ? null : [...s.value]];
}

function operationFields(o: RecentOperation): unknown[] {
  const { dot, hlc: time, operation, retried } = o;
  return [dot.incarnation, dot.counter, time, operation.session, operation.sequence, retried ?? false];
}

/** The record that a replica should hold, made from its whole history. */
function expectedRecord(model: ModelReplica): KeyRecord {
  const surviving = survivors(model).sort((x, y) => (dotText(x.dot) < dotText(y.dot) ? -1 : 1));
  const context = new Map<IncarnationId, number>();
  for (const { dot } of model.known) {
    context.set(dot.incarnation, Math.max(dot.counter, context.get(dot.incarnation) ?? 0));
  }
  return {
    context: [...context].sort(([x], [y]) => (x < y ? -1 : 1)),
    siblings: surviving.map((e) => ({ ...e, value: model.expired.has(e) ? null : e.value })),
    recentOperations: latestTold(model, WINDOWS).filter((e) => !surviving.includes(e)),
    ...(model.asked.size === 0
      ? {}
      : {
          questions: newestFirst(model.asked)
            .slice(0, QUESTIONS_MAX)
            .map((q) => (model.closed.has(q) ? { ...q, closed: true } : q)),
        }),
  };
}

export function compareCopy(copy: Copy): void {
  const held = recordText(copy.record);
  const expected = recordText(expectedRecord(copy.model));
  if (held !== expected)
    throw new Error(`the record is not the model's\nheld     ${held}\nexpected ${expected}`);
  const highest = Math.max(0, ...[...copy.model.told, ...copy.model.asked].map((e) => e.hlc));
  if (highestHlc(copy.record) !== highest) throw new Error(`highest HLC ${highest} was lost`);
}

/** Holds the views against the model; returns how many siblings were hidden as repeated operations. */
export function compareViews({ record, model }: Copy): number {
  const wallMs = 10;
  const surviving = survivors(model);
  const remembered = union(new Set(surviving), new Set(latestTold(model, WINDOWS)));
  const repeated = (e: WriteEvent): boolean =>
    [...remembered].some(
      (twin) =>
        twin !== e &&
        sameOperation(twin.operation, e.operation) &&
        (!surviving.includes(twin) || dotText(twin.dot) < dotText(e.dot)),
    ) || [...model.closed].some((question) => sameOperation(question.operation, e.operation));
  const shown = surviving.filter((e) => !repeated(e));
  const live = shown.filter(
    (e) => e.value !== null && !model.expired.has(e) && (e.expiresAt === 0 || e.expiresAt > wallMs),
  );
  expectDots('siblings', viewRecord(record, 'siblings', wallMs).values, live);

  const order = (e: WriteEvent): string => `${String(e.hlc).padStart(6, '0')} ${dotText(e.dot)}`;
  const winner = [...shown].sort((x, y) => (order(x) < order(y) ? 1 : -1))[0];
  const lww = viewRecord(record, 'lww', wallMs);
  expectDots('winner', lww.values, winner !== undefined && live.includes(winner) ? [winner] : []);
  expectDots(
    'lost',
    lww.lost,
    shown.filter((e) => e !== winner),
  );
  return surviving.length - shown.length;
}

function expectDots(
  what: string,
  got: readonly { readonly dot: Dot }[],
  expected: readonly WriteEvent[],
): void {
  const text = (list: readonly { readonly dot: Dot }[]): string =>
    list
      .map((e) => dotText(e.dot))
      .sort()
      .join(' ');
  if (text(got) !== text(expected)) {
    throw new Error(`view ${what}: got [${text(got)}], expected [${text(expected)}]`);
  }
}

/** Whether an operation is remembered that is not among the latest. */
export function remembersBeyond({ record, model }: Copy): boolean {
  const latest = newestFirst(model.told).slice(0, RECENT_OPERATIONS_MAX);
  return record.recentOperations.some((o) => !latest.some((e) => sameDot(e.dot, o.dot)));
}

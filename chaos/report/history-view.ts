/**
 * What the page of a history draws: the operations of the objects that the verdict is about, each event on a row of its own, so that
 * neither bars nor their words can cover each other; time runs down but is not to scale.
 *
 * Bounded: the operations nearest to the witness, and where some are left out a row says how many.
 */
import type { Verdict } from '../checkers/verdict.js';
import type { Operation } from '../history/history.js';

export const OPERATIONS_DRAWN_MAX = 300;

/** Up to so many processes have a column each; of more, one takes the column of another that is done. */
const OWN_COLUMNS_MAX = 10;

/** Rows that a bar without an end is drawn for. */
const OPEN_ROWS = 3;

export interface HistoryBar {
  readonly operation: Operation;
  readonly column: number;
  /** Rows of its invocation and completion. */
  readonly top: number;
  readonly bottom: number;
  /** Place in the longest order found, from 1; 0 where it has none. */
  readonly place: number;
  /** Place among the operations of the witness, from 1; 0 for none. */
  readonly witness: number;
  /** The first to complete of those that the longest order found has no place for. */
  readonly blocked: boolean;
}

export interface HistoryRow {
  /** Index of the event; undefined where operations are left out. */
  readonly event?: number;
  /** Nanoseconds; NaN where the history has no times. */
  readonly ns?: number;
  readonly leftOut?: number;
}

export interface HistoryView {
  /** Objects that are drawn; undefined for the only one, or for transactions. */
  readonly keys: readonly (string | undefined)[];
  /** Objects of the whole history. */
  readonly keysInAll: number;
  /** Titles; of columns that several processes share, empty. */
  readonly columns: readonly string[];
  readonly rows: readonly HistoryRow[];
  readonly bars: readonly HistoryBar[];
  /** Operations on these objects. */
  readonly operations: number;
}

export function historyView(
  all: readonly Operation[],
  verdict: Verdict,
  operationsMax: number = OPERATIONS_DRAWN_MAX,
): HistoryView {
  const operations = all.filter(({ process }) => process !== 'nemesis');
  const concerned = verdict.witness?.operations ?? [];
  const keys = [
    ...new Set((concerned.length > 0 ? concerned : operations.slice(0, 1)).map(({ key }) => key)),
  ];
  const wanted = new Set(keys);
  const candidates = operations
    .filter(({ key }) => wanted.has(key))
    .toSorted((a, b) => a.invokedAt - b.invokedAt);
  const ranks = rankOf(concerned);
  const drawn = nearest(candidates, new Set(ranks.keys()), operationsMax);
  const places = rankOf(verdict.witness?.placed ?? []);
  const blocked =
    verdict.validity === 'invalid' && places.size > 0 ? firstUnplaced(candidates, places) : undefined;

  const { rows, rowOf } = rowsOf(candidates, drawn);
  const { titles, columnOf } = columnsOf(drawn, rowOf, rows.length);
  return {
    keys,
    keysInAll: new Set(operations.map(({ key }) => key)).size,
    columns: titles,
    rows,
    operations: candidates.length,
    bars: drawn.map((operation) => ({
      operation,
      column: columnOf.get(operation) ?? 0,
      top: rowOf.get(operation.invokedAt) ?? 0,
      bottom: bottomOf(operation, rowOf, rows.length),
      place: places.get(operation.invokedAt) ?? 0,
      witness: ranks.get(operation.invokedAt) ?? 0,
      blocked: operation.invokedAt === blocked?.invokedAt,
    })),
  };
}

/** Numbers from 1, by event index of the invocation. */
function rankOf(operations: readonly Operation[]): Map<number, number> {
  return new Map(operations.map(({ invokedAt }, i) => [invokedAt, i + 1]));
}

function firstUnplaced(
  operations: readonly Operation[],
  placed: ReadonlyMap<number, number>,
): Operation | undefined {
  let first: Operation | undefined;
  for (const operation of operations) {
    if (operation.outcome !== 'ok' || placed.has(operation.invokedAt)) continue;
    if (first === undefined || operation.completedAt < first.completedAt) first = operation;
  }
  return first;
}

/** At most so many: the witness, then those next to it by invocation; without a witness the first. */
function nearest(
  candidates: readonly Operation[],
  witness: ReadonlySet<number>,
  max: number,
): readonly Operation[] {
  if (candidates.length <= max) return candidates;
  const far = candidates.map(() => Infinity);
  const sweep = (order: Iterable<number>): void => {
    let since = Infinity;
    for (const i of order) {
      since = witness.has((candidates[i] as Operation).invokedAt) ? 0 : since + 1;
      far[i] = Math.min(far[i] as number, since);
    }
  };
  const forward = candidates.map((_, i) => i);
  sweep(forward);
  sweep(forward.toReversed());
  const byDistance = (a: number, b: number): number => {
    const [one, other] = [far[a] as number, far[b] as number];
    return one === other ? a - b : one - other;
  };
  const kept = new Set(forward.toSorted(byDistance).slice(0, max));
  return candidates.filter((_, i) => kept.has(i));
}

interface Rows {
  readonly rows: readonly HistoryRow[];
  /** By index of the event. */
  readonly rowOf: ReadonlyMap<number, number>;
}

function rowsOf(candidates: readonly Operation[], drawn: readonly Operation[]): Rows {
  const kept = new Set(drawn);
  const gaps = new Map<number, number>();
  let gap = 0;
  for (const operation of candidates) {
    if (!kept.has(operation)) gap++;
    else if (gap > 0) {
      gaps.set(operation.invokedAt, gap);
      gap = 0;
    }
  }
  const events = drawn
    .flatMap(({ invokedAt, invokedNs, completedAt, completedNs }) => [
      { event: invokedAt, ns: invokedNs },
      ...(Number.isFinite(completedAt) ? [{ event: completedAt, ns: completedNs }] : []),
    ])
    .toSorted((a, b) => a.event - b.event);
  const rows: HistoryRow[] = [];
  const rowOf = new Map<number, number>();
  for (const row of events) {
    const leftOut = gaps.get(row.event);
    if (leftOut !== undefined) rows.push({ leftOut });
    rowOf.set(row.event, rows.length);
    rows.push(row);
  }
  if (gap > 0) rows.push({ leftOut: gap });
  return { rows, rowOf };
}

function bottomOf(
  { invokedAt, completedAt }: Operation,
  rowOf: ReadonlyMap<number, number>,
  rows: number,
): number {
  return rowOf.get(completedAt) ?? Math.min((rowOf.get(invokedAt) ?? 0) + OPEN_ROWS, rows);
}

interface Columns {
  readonly titles: readonly string[];
  readonly columnOf: ReadonlyMap<Operation, number>;
}

function columnsOf(drawn: readonly Operation[], rowOf: ReadonlyMap<number, number>, rows: number): Columns {
  const processes = [...new Set(drawn.map(({ process }) => process))].toSorted(byNumberThenName);
  if (processes.length <= OWN_COLUMNS_MAX) {
    const columnOf = new Map(drawn.map((operation) => [operation, processes.indexOf(operation.process)]));
    return { titles: processes.map((process) => `process ${process}`), columnOf };
  }
  /** First free row of each column. */
  const free: number[] = [];
  const columnOf = new Map<Operation, number>();
  for (const operation of drawn) {
    const top = rowOf.get(operation.invokedAt) ?? 0;
    const found = free.findIndex((row) => row <= top);
    const column = found >= 0 ? found : free.length;
    free[column] = bottomOf(operation, rowOf, rows) + 1;
    columnOf.set(operation, column);
  }
  return { titles: free.map(() => ''), columnOf };
}

function byNumberThenName(a: number | string, b: number | string): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return String(a) < String(b) ? -1 : 1;
}

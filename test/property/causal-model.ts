/**
 * The naive model that `mergeRecords` is held against: every replica keeps the whole history of writes that
 * it has heard of, and every write keeps the whole set of writes that it superseded. No vectors, no
 * counters, nothing compressed; so there is nothing here to get subtly wrong.
 *
 *     a write survives at a replica  <=>  the replica knows it, and knows no write whose past contains it
 */
import type { OperationId } from '../../src/core/record.js';
import type { Dot } from '../../src/core/version-vector.js';

export interface WriteEvent {
  readonly dot: Dot;
  readonly hlc: number;
  readonly operation: OperationId;
  readonly expiresAt: number;
  readonly value: Uint8Array | null;
  readonly retried?: true;
  /** No write: word that a retry of the operation is to come. */
  readonly question?: true;
  /** Every write that this one superseded, and all that those superseded. */
  readonly past: ReadonlySet<WriteEvent>;
}

/** What one replica knows. Immutable: a step makes a new one. */
export interface ModelReplica {
  /** Every write absorbed, and every write in the past of one. */
  readonly known: ReadonlySet<WriteEvent>;
  /** Those that came with their operation. A write that a writer had read elsewhere is known, but not told. */
  readonly told: ReadonlySet<WriteEvent>;
  /** Those that turned into tombstones because their time was over. */
  readonly expired: ReadonlySet<WriteEvent>;
  readonly asked: ReadonlySet<WriteEvent>;
  /** The questions that met the memory of a write of the same operation, by another incarnation, that was superseded. */
  readonly closed: ReadonlySet<WriteEvent>;
}

/** How many operations a record remembers. */
export interface Windows {
  readonly others: number;
  readonly retried: number;
}

/** What one client has seen: whole histories by reading, single writes by writing beside what it had not read. */
export interface ModelContext {
  readonly seen: ReadonlySet<WriteEvent>;
  readonly exact: readonly WriteEvent[];
}

export const NEW_REPLICA: ModelReplica = {
  known: new Set(),
  told: new Set(),
  expired: new Set(),
  asked: new Set(),
  closed: new Set(),
};
export const NOTHING_SEEN: ModelContext = { seen: new Set(), exact: [] };

export function union<T>(...sets: readonly ReadonlySet<T>[]): Set<T> {
  return new Set(sets.flatMap((set) => [...set]));
}

export function modelMerge(a: ModelReplica, b: ModelReplica, windows: Windows): ModelReplica {
  const merged = {
    known: union(a.known, b.known),
    told: union(a.told, b.told),
    expired: union(a.expired, b.expired),
    asked: union(a.asked, b.asked),
    closed: union(a.closed, b.closed),
  };
  return closing(merged, [a, b], windows);
}

/** A question closes by what one of the sources still remembers, and only when they meet. */
function closing(replica: ModelReplica, sources: readonly ModelReplica[], windows: Windows): ModelReplica {
  const alive = survivors(replica);
  const dead = sources
    .flatMap((source) => [...survivors(source), ...latestTold(source, windows)])
    .filter((event) => !alive.includes(event));
  const closed = [...replica.asked].filter(({ operation, dot }) =>
    dead.some(
      (event) =>
        event.dot.incarnation !== dot.incarnation &&
        event.operation.sequence === operation.sequence &&
        event.operation.session === operation.session,
    ),
  );
  return { ...replica, closed: union(replica.closed, new Set(closed)) };
}

/** The past of a write by someone who had seen `context`, made at `replica`. */
export function pastOf(replica: ModelReplica, context: ModelContext): ReadonlySet<WriteEvent> {
  const exact = context.exact.filter((event) => replica.known.has(event));
  return union(context.seen, new Set(exact), ...exact.map((event) => event.past));
}

export function modelWrite(replica: ModelReplica, event: WriteEvent, windows: Windows): ModelReplica {
  const itself = new Set([event]);
  const written = {
    ...replica,
    known: union(replica.known, event.past, itself),
    told: union(replica.told, itself),
  };
  return closing(written, [replica], windows);
}

export function modelAsk(replica: ModelReplica, question: WriteEvent): ModelReplica {
  const itself = new Set([question]);
  return { ...replica, known: union(replica.known, itself), asked: union(replica.asked, itself) };
}

export function modelExpire(replica: ModelReplica, wallMs: number): ModelReplica {
  const due = survivors(replica).filter((e) => e.expiresAt !== 0 && e.expiresAt <= wallMs);
  return { ...replica, expired: union(replica.expired, new Set(due)) };
}

export function survivors(replica: ModelReplica): WriteEvent[] {
  const writes = [...replica.known].filter((event) => event.question !== true);
  return writes.filter((event) => !writes.some((other) => other.past.has(event)));
}

/**
 * The operations that a record should remember: of those that the replica was told of the latest that were retried, and the
 * latest of the others.
 */
export function latestTold(replica: ModelReplica, windows: Windows): WriteEvent[] {
  const told = newestFirst(replica.told);
  const retried = told.filter((event) => event.retried === true).slice(0, windows.retried);
  const others = told.filter((event) => event.retried !== true).slice(0, windows.others);
  return newestFirst([...retried, ...others]);
}

export function newestFirst(events: Iterable<WriteEvent>): WriteEvent[] {
  return [...events].sort((x, y) => y.hlc - x.hlc || (dotText(x.dot) < dotText(y.dot) ? -1 : 1));
}

/** Orders like the dots themselves: by incarnation, then counter. */
export function dotText(dot: Dot): string {
  return `${dot.incarnation}\u0000${String(dot.counter).padStart(6, '0')}`;
}

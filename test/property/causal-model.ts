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
}

/** What one client has seen: whole histories by reading, single writes by writing beside what it had not read. */
export interface ModelContext {
  readonly seen: ReadonlySet<WriteEvent>;
  readonly exact: readonly WriteEvent[];
}

export const NEW_REPLICA: ModelReplica = { known: new Set(), told: new Set(), expired: new Set() };
export const NOTHING_SEEN: ModelContext = { seen: new Set(), exact: [] };

export function union<T>(...sets: readonly ReadonlySet<T>[]): Set<T> {
  return new Set(sets.flatMap((set) => [...set]));
}

export function modelMerge(a: ModelReplica, b: ModelReplica): ModelReplica {
  return {
    known: union(a.known, b.known),
    told: union(a.told, b.told),
    expired: union(a.expired, b.expired),
  };
}

/** The past of a write by someone who had seen `context`, made at `replica`. */
export function pastOf(replica: ModelReplica, context: ModelContext): ReadonlySet<WriteEvent> {
  const exact = context.exact.filter((event) => replica.known.has(event));
  return union(context.seen, new Set(exact), ...exact.map((event) => event.past));
}

export function modelWrite(replica: ModelReplica, event: WriteEvent): ModelReplica {
  const itself = new Set([event]);
  return {
    known: union(replica.known, event.past, itself),
    told: union(replica.told, itself),
    expired: replica.expired,
  };
}

export function modelExpire(replica: ModelReplica, wallMs: number): ModelReplica {
  const due = survivors(replica).filter((e) => e.expiresAt !== 0 && e.expiresAt <= wallMs);
  return { ...replica, expired: union(replica.expired, new Set(due)) };
}

export function survivors(replica: ModelReplica): WriteEvent[] {
  return [...replica.known].filter((event) => ![...replica.known].some((other) => other.past.has(event)));
}

/**
 * The operations that a record should remember: of those that the replica was told of the latest that were retried, and the
 * latest of the others.
 */
export function latestTold(
  replica: ModelReplica,
  limit: { readonly others: number; readonly retried: number },
): WriteEvent[] {
  const told = newestFirst(replica.told);
  const retried = told.filter((event) => event.retried === true).slice(0, limit.retried);
  const others = told.filter((event) => event.retried !== true).slice(0, limit.others);
  return newestFirst([...retried, ...others]);
}

export function newestFirst(events: Iterable<WriteEvent>): WriteEvent[] {
  return [...events].sort((x, y) => y.hlc - x.hlc || (dotText(x.dot) < dotText(y.dot) ? -1 : 1));
}

/** Orders like the dots themselves: by incarnation, then counter. */
export function dotText(dot: Dot): string {
  return `${dot.incarnation}\u0000${String(dot.counter).padStart(6, '0')}`;
}

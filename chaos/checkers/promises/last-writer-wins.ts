/**
 * Last writer wins: a read shows one value at most, and it is not of a write that is known to come before another one acknowledged
 * before the read began. Known, because either the acknowledged one had seen it, or it was done, by more than the
 * clocks of two nodes may differ, before the acknowledged one began. An acknowledged write may so lose only to concurrent and later ones.
 *
 * A write is done at the latest when a read that shows it ends, even where its own outcome is unknown. A read that shows
 * nothing is explained by a delete that is not known to come before an acknowledged write.
 */
import type { Operation } from '../../history/history.js';
import type { Verdict } from '../verdict.js';
import {
  isAcknowledged,
  ledgersOf,
  supersededAt,
  type KeyLedger,
  type ReadEntry,
  type ReadPromiseOptions,
  type WriteEntry,
} from './key-ledger.js';
import { LatestBefore } from './latest-before.js';
import {
  nameOf,
  operationsOf,
  show,
  tellRead,
  tellWrite,
  Violations,
  type Violation,
} from './witness-lines.js';

export interface LastWriterWinsOptions extends ReadPromiseOptions {
  /**
   * The most that the clocks of two nodes differ, 0 by default. In a history without times, only a skew of 0 lets
   * its order of events count.
   */
  readonly clockSkewMs?: number;
}

export function checkLastWriterWins(
  operations: readonly Operation[],
  options: LastWriterWinsOptions = {},
): Verdict {
  const ledgers = ledgersOf(operations, options);
  if ('validity' in ledgers) return ledgers;
  const scale = new TimeScale(operations, options.clockSkewMs ?? 0);
  const violations = new Violations();
  for (const ledger of ledgers) {
    const order = new KnownOrder(ledger, scale);
    for (const read of ledger.reads) {
      if (read.entries.size > 1) violations.add(() => several(ledger.key, read));
      if (read !== ledger.final && options.isQuorumRead?.(read.operation) === false) continue;
      const [shown] = read.entries;
      const later = shown === undefined ? order.laterThanDeletes(read) : order.laterThan(shown, read);
      if (later !== undefined) violations.add(() => overruled(ledger.key, read, shown, later));
    }
  }
  return violations.verdict({
    validity: 'valid',
    reason: `the last writer won in ${operationsOf(ledgers)}`,
  });
}

/** Times in nanoseconds; in a history without them, positions of events. */
class TimeScale {
  readonly #timed: boolean;
  readonly skew: number;

  constructor(operations: readonly Operation[], clockSkewMs: number) {
    this.#timed = operations.every((operation) => Number.isFinite(operation.invokedNs));
    this.skew = this.#timed ? clockSkewMs * 1e6 : clockSkewMs === 0 ? 0 : Infinity;
  }

  began(operation: Operation): number {
    return this.#timed ? operation.invokedNs : operation.invokedAt;
  }

  ended(operation: Operation): number {
    if (operation.completedAt === Infinity) return Infinity;
    return this.#timed ? operation.completedNs : operation.completedAt;
  }
}

/** The writes of a key, searchable by what had happened before a read. */
class KnownOrder {
  readonly #scale: TimeScale;
  /** When a write had had its effect for certain. */
  readonly #done = new Map<WriteEntry, number>();
  readonly #acknowledged: LatestBefore<WriteEntry>;
  readonly #acknowledgedValues: LatestBefore<WriteEntry>;
  readonly #deletes: LatestBefore<WriteEntry>;

  constructor(ledger: KeyLedger, scale: TimeScale) {
    this.#scale = scale;
    for (const write of ledger.writes) this.#done.set(write, scale.ended(write.operation));
    for (const read of ledger.reads) {
      const ended = scale.ended(read.operation);
      for (const write of read.entries) if (ended < this.#doneAt(write)) this.#done.set(write, ended);
    }
    const acknowledged = ledger.writes.filter(isAcknowledged);
    const began = (write: WriteEntry): number => scale.began(write.operation);
    const completed = (write: WriteEntry): number => write.operation.completedAt;
    this.#acknowledged = new LatestBefore(acknowledged, completed, began);
    this.#acknowledgedValues = new LatestBefore(
      acknowledged.filter((write) => write.value !== null),
      completed,
      began,
    );
    this.#deletes = new LatestBefore(
      ledger.writes.filter((write) => write.value === null && write.operation.outcome !== 'fail'),
      (write) => write.operation.invokedAt,
      (write) => this.#doneAt(write),
    );
  }

  /** A write acknowledged before the read that is known to come after the shown one. */
  laterThan(shown: WriteEntry, read: ReadEntry): WriteEntry | undefined {
    const began = read.operation.invokedAt;
    if (supersededAt(shown) < began) return shown.supersededBy;
    const latest = this.#acknowledged.before(began);
    return latest !== undefined && this.#after(latest, this.#doneAt(shown)) ? latest : undefined;
  }

  /** A write acknowledged before the read that every delete is known to come before. */
  laterThanDeletes(read: ReadEntry): WriteEntry | undefined {
    if (read.shown.length > 0) return undefined;
    const latest = this.#acknowledgedValues.before(read.operation.invokedAt);
    if (latest === undefined) return undefined;
    const deleted = this.#deletes.before(read.operation.completedAt);
    return deleted === undefined || this.#after(latest, this.#doneAt(deleted)) ? latest : undefined;
  }

  #after(write: WriteEntry, done: number): boolean {
    return this.#scale.began(write.operation) - done > this.#scale.skew;
  }

  #doneAt(write: WriteEntry): number {
    return this.#done.get(write) ?? Infinity;
  }
}

function several(key: string, read: ReadEntry): Violation {
  const writes = [...read.entries];
  return {
    reason: `a read of ${nameOf(key)} shows ${read.entries.size} values`,
    witness: {
      lines: [...writes.map(tellWrite), tellRead(key, read)],
      operations: [...writes.map((write) => write.operation), read.operation],
    },
  };
}

function overruled(
  key: string,
  read: ReadEntry,
  shown: WriteEntry | undefined,
  later: WriteEntry,
): Violation {
  const lines =
    shown === undefined
      ? [tellWrite(later), tellRead(key, read), `no delete may have come after ${show(later.value)}`]
      : [tellWrite(shown), tellWrite(later), tellRead(key, read), whyAfter(shown, later)];
  const lost = later.value === null ? 'acknowledged delete' : `acknowledged write of ${show(later.value)}`;
  const to = shown === undefined ? 'nothing later' : `the earlier ${show(shown.value)}`;
  return {
    reason: `${lost} to ${nameOf(key)} lost to ${to}`,
    witness: {
      lines,
      operations: [...(shown === undefined ? [] : [shown.operation]), later.operation, read.operation],
    },
  };
}

function whyAfter(shown: WriteEntry, later: WriteEntry): string {
  return shown.supersededBy === later
    ? `the second had seen ${show(shown.value)}, itself or over writes between`
    : `the second began after ${show(shown.value)} was done, by more than clocks may differ`;
}

/**
 * No acknowledged write is lost: the final read shows it, or the end of a chain of writes that had seen each other, or the
 * chain ends in a delete. A write of unknown outcome may be a link, but one that has vanished itself without a
 * trace explains nothing: had it superseded anything, it would be shown.
 */
import type { Operation } from '../../history/history.js';
import type { Verdict } from '../verdict.js';
import {
  isAcknowledged,
  ledgersOf,
  type KeyLedger,
  type PromiseOptions,
  type ReadEntry,
  type WriteEntry,
} from './key-ledger.js';
import {
  count,
  nameOf,
  operationsOf,
  show,
  tellRead,
  tellWrite,
  Violations,
  type Violation,
} from './witness-lines.js';

export function checkAcknowledgedKept(
  operations: readonly Operation[],
  options: PromiseOptions = {},
): Verdict {
  const ledgers = ledgersOf(operations, options);
  if ('validity' in ledgers) return ledgers;
  const violations = new Violations();
  let unread: KeyLedger | undefined;
  let acknowledged = 0;
  for (const ledger of ledgers) {
    const { final } = ledger;
    const needed = ledger.writes.filter((write) => isAcknowledged(write) && write.value !== null);
    if (final === undefined) {
      if (needed.length > 0) unread ??= ledger;
      continue;
    }
    acknowledged += needed.length;
    const accounted = accountedFor(ledger, final);
    for (const write of needed) {
      if (accounted.has(write) || write.operation.completedAt > final.operation.invokedAt) continue;
      violations.add(() => lost(ledger.key, write, final));
    }
  }
  if (unread !== undefined && violations.count === 0) {
    return {
      validity: 'unknown',
      reason: `${nameOf(unread.key)} has acknowledged writes and no final read`,
    };
  }
  return violations.verdict({
    validity: 'valid',
    reason: `${count(acknowledged, 'acknowledged write')} shown or superseded in the end, of ${operationsOf(ledgers)}`,
  });
}

/** The writes whose value the final read shows, or whose absence it explains. Successors first, so that theirs is settled. */
export function accountedFor(ledger: KeyLedger, final: ReadEntry): ReadonlySet<WriteEntry> {
  const accounted = new Set<WriteEntry>();
  for (const write of ledger.latestFirst) {
    const explained = write.successors.some(
      (successor) => successor.value === null || accounted.has(successor),
    );
    if (explained || final.entries.has(write)) accounted.add(write);
  }
  return accounted;
}

function lost(key: string, write: WriteEntry, final: ReadEntry): Violation {
  const successors = write.successors.slice(0, 3);
  const why =
    successors.length === 0
      ? [`no write had seen ${show(write.value)}, so none can have superseded it`]
      : [
          `the writes that had seen ${show(write.value)} are gone as well, and nothing shown descends from them:`,
          ...successors.map((successor) => `  ${tellWrite(successor)}`),
        ];
  return {
    reason: `acknowledged write of ${show(write.value)} to ${nameOf(key)} is lost`,
    witness: {
      lines: [tellWrite(write), `${tellRead(key, final)}, the last time`, ...why],
      operations: [write.operation, final.operation, ...successors.map((successor) => successor.operation)],
    },
  };
}

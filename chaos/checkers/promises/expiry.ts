/**
 * Values that live for a time: none is gone before its time has come, none is shown long after it, and what was gone does not come back.
 *
 *     gone too soon   nothing is shown, though a write that was acknowledged before the read began so late that it must live yet
 *     shown too late  a value is shown whose write had ended longer ago than it may live
 *     back            a value is shown whose write had ended before a read began that was shown nothing
 *
 * Clocks of machines differ, so the first two allow for `slackMs`. Values are unique, reads are linearizable, and nothing is deleted.
 */
import type { Operation } from '../../history/history.js';
import type { Verdict } from '../verdict.js';
import { ledgersOf, type KeyLedger, type ReadEntry, type WriteEntry } from './key-ledger.js';
import { count, nameOf, operationsOf, show, tellRead, tellWrite, Violations } from './witness-lines.js';

export interface ExpiryOptions {
  readonly ttlMs: number;
  readonly slackMs?: number;
}

const SLACK_MS_DEFAULT = 500;
const NS_PER_MS = 1e6;

export function checkExpiry(
  operations: readonly Operation[],
  { ttlMs, slackMs = SLACK_MS_DEFAULT }: ExpiryOptions,
): Verdict {
  const ledgers = ledgersOf(operations);
  if ('validity' in ledgers) return ledgers;
  const violations = new Violations();
  const livesNs = (ttlMs - slackMs) * NS_PER_MS;
  const gonesNs = (ttlMs + slackMs) * NS_PER_MS;
  let empty = 0;
  for (const ledger of ledgers) {
    const acknowledged = ledger.writes.filter(({ operation }) => operation.outcome === 'ok');
    for (const read of ledger.reads) {
      const { operation } = read;
      const [value] = read.shown;
      if (value === undefined) {
        empty++;
        const lives = acknowledged.find(
          (write) =>
            write.operation.completedAt < operation.invokedAt &&
            write.operation.invokedNs + livesNs > operation.completedNs,
        );
        if (lives !== undefined) violations.add(() => broken(ledger, read, lives, 'is gone too soon'));
        continue;
      }
      const write = acknowledged.find((one) => one.value === value);
      if (write === undefined) continue;
      if (write.operation.completedNs + gonesNs < operation.invokedNs)
        violations.add(() => broken(ledger, read, write, 'is shown too late'));
      const gone = ledger.reads.find(
        (one) =>
          one.shown.length === 0 &&
          one.operation.completedAt < operation.invokedAt &&
          one.operation.invokedAt > write.operation.completedAt,
      );
      if (gone !== undefined) violations.add(() => broken(ledger, read, write, 'is back', gone));
    }
  }
  return violations.verdict({
    validity: 'valid',
    reason: `values live for ${String(ttlMs)} ms: ${count(empty, 'read')} found nothing, of ${operationsOf(ledgers)}`,
  });
}

function broken({ key }: KeyLedger, read: ReadEntry, write: WriteEntry, what: string, gone?: ReadEntry) {
  const lines = [tellWrite(write), ...(gone === undefined ? [] : [tellRead(key, gone)]), tellRead(key, read)];
  return {
    reason: `${show(write.value)} of ${nameOf(key)} ${what}`,
    witness: { lines, operations: [write.operation, read.operation] },
  };
}

/**
 * One operation, one effect: no read lists a value twice; and a value that was superseded while its own operation was still
 * being retried does not come back through the retry. The second is also a resurrection, told here by
 * its likely cause: only writes that were superseded before they ended, or whose outcome nobody knows, are meant.
 */
import type { Operation } from '../../history/history.js';
import type { Verdict } from '../verdict.js';
import {
  identityOf,
  ledgersOf,
  supersededAt,
  type KeyLedger,
  type ReadEntry,
  type ReadPromiseOptions,
} from './key-ledger.js';
import {
  nameOf,
  operationsOf,
  show,
  tellRead,
  tellSuperseded,
  tellWrite,
  Violations,
} from './witness-lines.js';

export function checkNoDoubledEffect(
  operations: readonly Operation[],
  options: ReadPromiseOptions = {},
): Verdict {
  const ledgers = ledgersOf(operations, options);
  if ('validity' in ledgers) return ledgers;
  const violations = new Violations();
  for (const ledger of ledgers) {
    for (const read of ledger.reads) {
      checkTwice(ledger, read, violations);
      if (read === ledger.final || options.isQuorumRead?.(read.operation) !== false)
        checkRetried(ledger, read, violations);
    }
  }
  return violations.verdict({
    validity: 'valid',
    reason: `every write had one effect at most, in ${operationsOf(ledgers)}`,
  });
}

function checkTwice(ledger: KeyLedger, read: ReadEntry, violations: Violations): void {
  if (read.shown.length < 2) return;
  const once = new Set<unknown>();
  for (const value of read.shown) {
    const identity = identityOf(value);
    if (!once.has(identity)) {
      once.add(identity);
      continue;
    }
    const write = ledger.byValue.get(identity);
    violations.add(() => ({
      reason: `value ${show(value)} of ${nameOf(ledger.key)} is there twice`,
      witness: {
        lines: [...(write === undefined ? [] : [tellWrite(write)]), tellRead(ledger.key, read)],
        operations: [...(write === undefined ? [] : [write.operation]), read.operation],
      },
    }));
  }
}

function checkRetried(ledger: KeyLedger, read: ReadEntry, violations: Violations): void {
  for (const write of read.entries) {
    const by = write.supersededBy;
    if (by === undefined || supersededAt(write) >= read.operation.invokedAt) continue;
    if (by.operation.invokedAt > write.operation.completedAt) continue;
    violations.add(() => ({
      reason: `superseded value ${show(write.value)} of ${nameOf(ledger.key)} came back through a retry`,
      witness: {
        lines: [
          tellWrite(write),
          tellSuperseded(write, by),
          `the first was not answered yet when the second began, so it could still be retried`,
          tellRead(ledger.key, read),
        ],
        operations: [write.operation, by.operation, read.operation],
      },
    }));
  }
}

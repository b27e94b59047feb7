/**
 * What an acknowledged write or delete superseded stays gone: no quorum read that begins later shows it, nor does the
 * final read. And no read whatever shows a value beside one that had superseded it: one record has one context.
 */
import type { Operation } from '../../history/history.js';
import type { Verdict } from '../verdict.js';
import {
  ledgersOf,
  supersededAt,
  type KeyLedger,
  type ReadEntry,
  type ReadPromiseOptions,
  type WriteEntry,
} from './key-ledger.js';
import {
  nameOf,
  operationsOf,
  show,
  tellRead,
  tellSuperseded,
  tellWrite,
  Violations,
  type Violation,
} from './witness-lines.js';

export function checkNoResurrection(
  operations: readonly Operation[],
  options: ReadPromiseOptions = {},
): Verdict {
  const ledgers = ledgersOf(operations, options);
  if ('validity' in ledgers) return ledgers;
  const violations = new Violations();
  for (const ledger of ledgers) {
    for (const read of ledger.reads) {
      const promised = read === ledger.final || options.isQuorumRead?.(read.operation) !== false;
      for (const write of read.entries) {
        const by = promised ? write.supersededBy : undefined;
        if (by !== undefined && supersededAt(write) < read.operation.invokedAt)
          violations.add(() => resurrected(ledger, read, write, by));
        else checkBeside(ledger, read, write, violations);
      }
    }
  }
  return violations.verdict({
    validity: 'valid',
    reason: `nothing superseded came back in ${operationsOf(ledgers)}`,
  });
}

/** A shown write whose context covers another shown one. */
function checkBeside(ledger: KeyLedger, read: ReadEntry, write: WriteEntry, violations: Violations): void {
  if (read.entries.size < 2) return;
  for (const earlier of write.seen) {
    if (!read.entries.has(earlier)) continue;
    violations.add(() => resurrected(ledger, read, earlier, write));
  }
}

function resurrected(ledger: KeyLedger, read: ReadEntry, write: WriteEntry, by: WriteEntry): Violation {
  return {
    reason: `superseded value ${show(write.value)} of ${nameOf(ledger.key)} is back`,
    witness: {
      lines: [tellWrite(write), tellSuperseded(write, by), tellRead(ledger.key, read)],
      operations: [write.operation, by.operation, read.operation],
    },
  };
}

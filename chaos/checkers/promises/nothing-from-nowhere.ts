/** A read shows only values of writes to that key that were invoked before it completed and did not fail. */
import type { Operation, Value } from '../../history/history.js';
import type { Verdict } from '../verdict.js';
import { identityOf, ledgersOf, type KeyLedger, type PromiseOptions, type ReadEntry } from './key-ledger.js';
import {
  nameOf,
  operationsOf,
  show,
  tellRead,
  tellWrite,
  Violations,
  type Violation,
} from './witness-lines.js';

export interface FromNowhereOptions extends PromiseOptions {
  /** Values that every key may hold from the start. */
  readonly initial?: readonly Value[];
}

export function checkNothingFromNowhere(
  operations: readonly Operation[],
  options: FromNowhereOptions = {},
): Verdict {
  const ledgers = ledgersOf(operations, options);
  if ('validity' in ledgers) return ledgers;
  const initial = new Set((options.initial ?? []).map(identityOf));
  const violations = new Violations();
  for (const ledger of ledgers) {
    for (const read of ledger.reads) {
      for (const value of read.shown) {
        const why = whyNot(ledger, read, value);
        if (why === undefined || initial.has(identityOf(value))) continue;
        violations.add(() => fromNowhere(ledgers, ledger, read, value, why));
      }
    }
  }
  return violations.verdict({
    validity: 'valid',
    reason: `every value shown had been written, in ${operationsOf(ledgers)}`,
  });
}

function whyNot(ledger: KeyLedger, read: ReadEntry, value: Value): string | undefined {
  const write = ledger.byValue.get(identityOf(value));
  if (write === undefined) return `nobody wrote ${show(value)} to ${nameOf(ledger.key)}`;
  if (write.operation.outcome === 'fail') return tellWrite(write);
  if (write.operation.invokedAt > read.operation.completedAt)
    return `${tellWrite(write)}, after the read had ended`;
  return undefined;
}

function fromNowhere(
  ledgers: readonly KeyLedger[],
  ledger: KeyLedger,
  read: ReadEntry,
  value: Value,
  why: string,
): Violation {
  const own = ledger.byValue.get(identityOf(value));
  const other = ledgers.find((candidate) => candidate !== ledger && candidate.byValue.has(identityOf(value)));
  const foreign = own === undefined ? other?.byValue.get(identityOf(value)) : undefined;
  const lines = [tellRead(ledger.key, read), why];
  if (foreign !== undefined) lines.push(`it belongs to ${nameOf(other?.key ?? '')}: ${tellWrite(foreign)}`);
  return {
    reason: `value ${show(value)} of ${nameOf(ledger.key)} comes from nowhere`,
    witness: {
      lines,
      operations: [read, own, foreign].flatMap((entry) => (entry === undefined ? [] : [entry.operation])),
    },
  };
}

/**
 * Acknowledged writes of registers that are lost, as far as the last read of each key can tell: it shows a write that had ended before the lost one
 * began, or nothing at all. What was written over cannot be told from what was lost, so the fewer writes a key has, the more this sees.
 */
import type { Operation } from '../../history/history.js';
import type { Verdict } from '../verdict.js';
import { ledgersOf, type KeyLedger, type PromiseOptions, type WriteEntry } from './key-ledger.js';
import { count, nameOf, operationsOf, tellRead, tellWrite, Violations } from './witness-lines.js';

/** `promised`: a lost one is a violation. `reported`: the settings allow it, and the verdict tells how many there were. */
export function checkRegistersKept(
  operations: readonly Operation[],
  losses: 'promised' | 'reported',
  options: PromiseOptions = {},
): Verdict {
  const ledgers = ledgersOf(operations, options);
  if ('validity' in ledgers) return ledgers;
  const violations = new Violations();
  let acknowledged = 0;
  let lost = 0;
  for (const ledger of ledgers) {
    const { key, final } = ledger;
    acknowledged += ledger.writes.filter((write) => write.operation.outcome === 'ok').length;
    if (final === undefined) continue;
    for (const write of lostOf(ledger)) {
      lost++;
      violations.add(() => ({
        reason: `acknowledged write to ${nameOf(key)} is lost`,
        witness: {
          lines: [tellWrite(write), `${tellRead(key, final)}, the last time`],
          operations: [write.operation, final.operation],
        },
      }));
    }
  }
  const of = `${count(acknowledged, 'acknowledged write')}, of ${operationsOf(ledgers)}`;
  if (losses === 'reported')
    return {
      validity: 'valid',
      reason: `found ${count(lost, 'acknowledged write')} lost by fail-overs of ${of}`,
    };
  return violations.verdict({ validity: 'valid', reason: `no trace of a lost one among ${of}` });
}

function lostOf({ writes, byValue, final }: KeyLedger): WriteEntry[] {
  const [shown] = final?.shown ?? [];
  const left = shown === undefined ? undefined : byValue.get(shown);
  // What comes from nowhere is for another check.
  if (shown !== undefined && left === undefined) return [];
  const endedAt = left === undefined ? -1 : left.operation.completedAt;
  return writes.filter(
    ({ operation, value }) => operation.outcome === 'ok' && value !== null && operation.invokedAt > endedAt,
  );
}

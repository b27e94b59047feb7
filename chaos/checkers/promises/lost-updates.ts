/**
 * Lost updates: two acknowledged read-modify-writes began from the same state, and one's effect is gone without
 * anybody having seen it.
 *
 * With siblings both may stand beside each other until a later write has seen both, so the final read decides, as in
 * `acknowledged-kept.ts`. In a register only one can stand: two acknowledged ones from the same state are enough. There the state must be
 * named by its value, so absence, which may come back, counts only where the key is never deleted.
 */
import type { Operation } from '../../history/history.js';
import type { Verdict } from '../verdict.js';
import { accountedFor } from './acknowledged-kept.js';
import {
  identityOf,
  isAcknowledged,
  ledgersOf,
  seenBy,
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

export function checkLostUpdates(operations: readonly Operation[], options: PromiseOptions = {}): Verdict {
  const ledgers = ledgersOf(operations, options);
  if ('validity' in ledgers) return ledgers;
  const violations = new Violations();
  let updates = 0;
  let unread: KeyLedger | undefined;
  for (const ledger of ledgers) {
    const acknowledged = ledger.writes.filter((write) => isUpdate(write) && isAcknowledged(write));
    updates += acknowledged.length;
    const rivals = rivalsOf(acknowledged);
    if (rivals.length === 0) continue;
    if (!ledger.multiValued) judgeRegister(ledger, rivals, violations);
    else if (ledger.final === undefined) unread ??= ledger;
    else judgeSiblings(ledger, ledger.final, rivals, violations);
  }
  if (unread !== undefined && violations.count === 0)
    return {
      validity: 'unknown',
      reason: `${nameOf(unread.key)} has updates of one state and no final read`,
    };
  return violations.verdict({
    validity: 'valid',
    reason: `none of ${count(updates, 'acknowledged update')} is lost, of ${operationsOf(ledgers)}`,
  });
}

/** Marks the state of a key that holds nothing. */
const ABSENT = Symbol('absent');

interface Rivals {
  readonly first: WriteEntry;
  readonly second: WriteEntry;
  /** Identity of a value that both had seen. */
  readonly state: unknown;
}

/** A read-modify-write of which it is known what it had read. */
function isUpdate({ operation }: WriteEntry): boolean {
  return operation.f === 'cas' || (operation.f === 'update' && operation.seen !== undefined);
}

/** Updates of one state that are looked through for a rival: the first of them, so that pairs stay few. */
const RIVALS_TRIED_MAX = 16;

/** Each update with one before it that had seen the same, and that it had not seen itself. */
function rivalsOf(updates: readonly WriteEntry[]): Rivals[] {
  const byState = new Map<unknown, WriteEntry[]>();
  const found: Rivals[] = [];
  for (const second of updates) {
    const seen = seenBy(second.operation).map(identityOf);
    let rivals: Rivals | undefined;
    for (const state of seen.length === 0 ? [ABSENT] : seen) {
      const group = byState.get(state);
      if (group === undefined) {
        byState.set(state, [second]);
        continue;
      }
      const first = group.find((earlier) => !second.seen.includes(earlier));
      if (first !== undefined) rivals ??= { first, second, state };
      if (group.length < RIVALS_TRIED_MAX) group.push(second);
    }
    if (rivals !== undefined) found.push(rivals);
  }
  return found;
}

function judgeRegister(ledger: KeyLedger, found: readonly Rivals[], violations: Violations): void {
  const mayBeAbsentAgain = ledger.writes.some((write) => write.value === null);
  for (const rivals of found) {
    if (rivals.state === ABSENT && mayBeAbsentAgain) continue;
    const { first, second } = rivals;
    violations.add(() =>
      witnessOf(ledger, rivals, `one of ${show(first.value)} and ${show(second.value)}`, [
        `a register holds one value, so the later of them overwrote the earlier`,
      ]),
    );
  }
}

function judgeSiblings(
  ledger: KeyLedger,
  final: ReadEntry,
  found: readonly Rivals[],
  violations: Violations,
): void {
  const accounted = accountedFor(ledger, final);
  const told = new Set<WriteEntry>();
  for (const rivals of found) {
    for (const update of [rivals.first, rivals.second]) {
      if (accounted.has(update) || told.has(update)) continue;
      told.add(update);
      const lines = [
        tellRead(ledger.key, final),
        `nothing shown is ${show(update.value)} or descends from it`,
      ];
      violations.add(() => witnessOf(ledger, rivals, show(update.value), lines, final));
    }
  }
}

function witnessOf(
  ledger: KeyLedger,
  rivals: Rivals,
  lost: string,
  lines: readonly string[],
  final?: ReadEntry,
): Violation {
  const { first, second, state } = rivals;
  const from = state === ABSENT ? 'nothing' : String(state);
  return {
    reason: `update lost on ${nameOf(ledger.key)}: ${lost}, made from ${from}`,
    witness: {
      lines: [
        tellWrite(first),
        tellWrite(second),
        `both changed ${from}, neither had seen the other`,
        ...lines,
      ],
      operations: [first.operation, second.operation, ...(final === undefined ? [] : [final.operation])],
    },
  };
}

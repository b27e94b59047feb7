/**
 * Transactions: operations whose values are lists of micro-operations, with keys and values as small numbers.
 *
 *     ["append", key, element]   ["w", key, value]   ["r", key, what was read]
 *
 * What is read of a history: the completion of an `ok`; of `info` and `fail` the writes of the invocation
 * only, since nobody knows what they read. Operations without a list for a value (a nemesis, a comment)
 * are passed over.
 */
import type { Operation, Value } from '../../history/history.js';
import { Interned } from './interned.js';

export interface MicroOperation {
  readonly kind: 'append' | 'write' | 'read';
  /** Number of the key. */
  readonly key: number;
  readonly value: Value;
}

export interface Transaction {
  /** Its place in the list of transactions: what graphs know it by. */
  readonly id: number;
  readonly operation: Operation;
  readonly outcome: Operation['outcome'];
  readonly micro: readonly MicroOperation[];
}

export interface Transactions {
  readonly all: readonly Transaction[];
  readonly keys: Interned;
}

const KINDS: ReadonlyMap<Value, MicroOperation['kind']> = new Map([
  ['append', 'append'],
  ['w', 'write'],
  ['write', 'write'],
  ['r', 'read'],
  ['read', 'read'],
]);

/** The transactions of a history; a text that says why where one is not made of reads and `write`s. */
export function transactionsOf(
  operations: readonly Operation[],
  write: 'append' | 'write',
): Transactions | string {
  const keys = new Interned();
  const all: Transaction[] = [];
  for (const operation of operations) {
    const { outcome } = operation;
    const asked = Array.isArray(operation.input) ? operation.input : undefined;
    const told = outcome === 'ok' && Array.isArray(operation.output) ? operation.output : undefined;
    const list = (told ?? asked) as readonly Value[] | undefined;
    if (list === undefined) {
      if (operation.f !== 'txn' || operation.input === null) continue;
      return `operation ${operation.index} is a transaction without a list of reads and ${write}s`;
    }
    const micro: MicroOperation[] = [];
    for (const item of list) {
      const kind = Array.isArray(item) && item.length >= 2 ? KINDS.get(item[0] as Value) : undefined;
      if (kind === undefined || (kind !== 'read' && kind !== write)) {
        return `operation ${operation.index} has a step that is neither a read nor ${write === 'append' ? 'an append' : 'a write'}`;
      }
      const [, key, value] = item as readonly Value[];
      if (kind === 'read' && told === undefined) continue;
      // Where a history keeps several databases apart, their keys have nothing to do with each other.
      const whole = operation.key === undefined ? (key ?? null) : [operation.key, key ?? null];
      micro.push({ kind, key: keys.idOf(whole), value: value ?? null });
    }
    all.push({ id: all.length, operation, outcome, micro });
  }
  return { all, keys };
}

/**
 * Values of registers that were read and that nobody in the history wrote. Where a file does not say what a key held at first,
 * such a value may be that; so it is where all reads of the kind agree on one value, and none saw nil, which would then have to
 * be the first. Two values cannot both have been there at first: they stay garbage.
 *
 * What a transaction reads behind its own write of a key tells nothing about what was there before.
 */
import type { Value } from '../../history/history.js';
import { sameValue, textOf } from './interned.js';
import type { Transaction, Transactions } from './transaction.js';

/** By key, the one value that was read and never written. */
export function unwrittenValues({ all }: Transactions): Map<number, Value> {
  const written = new Map<number, Set<string>>();
  for (const { micro } of all) {
    for (const { kind, key, value } of micro) {
      if (kind === 'read') continue;
      const values = written.get(key) ?? new Set();
      written.set(key, values.add(textOf(value)));
    }
  }
  const found = new Map<number, Value>();
  const refuted = new Set<number>();
  for (const transaction of all) {
    if (transaction.outcome !== 'ok') continue;
    for (const { key, value } of outerReads(transaction)) {
      if (value === null) refuted.add(key);
      if (value === null || written.get(key)?.has(textOf(value)) === true) continue;
      if (found.has(key) && !sameValue(found.get(key)!, value)) refuted.add(key);
      found.set(key, value);
    }
  }
  for (const key of refuted) found.delete(key);
  return found;
}

/** The same transactions without the reads of these values. */
export function withoutReads(transactions: Transactions, values: ReadonlyMap<number, Value>): Transactions {
  const all = transactions.all.map((transaction) => ({
    ...transaction,
    micro: transaction.micro.filter(({ kind, key, value }) => {
      const unwritten = values.get(key);
      return kind !== 'read' || unwritten === undefined || !sameValue(value, unwritten);
    }),
  }));
  return { ...transactions, all };
}

function outerReads({ micro }: Transaction): Transaction['micro'] {
  const own = new Set<number>();
  return micro.filter(({ kind, key }) => {
    if (kind !== 'read') own.add(key);
    return kind === 'read' && !own.has(key);
  });
}

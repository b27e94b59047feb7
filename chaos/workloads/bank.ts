/**
 * A bank whose accounts stand in one record: transfers by read-modify-write, reads of all balances. The total must
 * never change, which takes transactions or a strategy that orders updates: where it has neither, this shows it.
 */
import type { Namespace } from '../../src/client/api.js';
import type { Value } from '../history/history.js';
import { completeRead, completeWrite } from './completing.js';
import { levelsOf, namespaceOf } from './namespaces.js';
import { planOpenLoop, readEach, weighted } from './planning.js';
import type { Workload } from './workload.js';

type Balances = Readonly<Record<string, number>>;

/** Of each account, before any transfer. */
const OPENING_BALANCE = 100;
const BANK = 'bank';

export const bank: Workload = {
  name: 'bank',
  summary: 'transfers between accounts in one record, reads of all balances',
  plan: (random, options) => {
    const accounts = Math.max(2, options.keys);
    return planOpenLoop(random, options, () => {
      const isRead = weighted(random, [
        [1, true],
        [1, false],
      ]);
      if (isRead) return { f: 'read', value: null };
      const from = random.integer(accounts);
      const to = (from + 1 + random.integer(accounts - 1)) % accounts;
      const transfer = new Map([
        ['from', from],
        ['to', to],
        ['amount', 1 + random.integer(5)],
      ]);
      return { f: 'transfer', value: transfer };
    });
  },
  client(database, options) {
    const namespace: Namespace<Balances> = namespaceOf(database, options);
    const levels = levelsOf(options);
    const opening: Balances = Object.fromEntries(
      Array.from({ length: Math.max(2, options.keys) }, (_, i) => [String(i), OPENING_BALANCE]),
    );
    return {
      perform(operation) {
        if (operation.f === 'read') {
          return completeRead(operation, async () => {
            const { value } = await namespace.get(BANK, levels);
            return new Map(Object.entries(value ?? opening));
          });
        }
        return completeWrite(operation, async () => {
          await namespace.update(
            BANK,
            (current) => transferred(current ?? opening, operation.value as ReadonlyMap<string, number>),
            levels,
          );
          return operation.value;
        });
      },
    };
  },
  finalReads: () => readEach([BANK], () => ({ f: 'read', value: null })),
};

/** Nothing moves from an account that would be overdrawn. */
function transferred(balances: Balances, transfer: ReadonlyMap<string, Value>): Balances {
  const [from, to, amount] = ['from', 'to', 'amount'].map((field) => transfer.get(field) as number);
  const [payer, payee] = [String(from), String(to)];
  const left = (balances[payer] ?? 0) - (amount as number);
  if (left < 0) return balances;
  return { ...balances, [payer]: left, [payee]: (balances[payee] ?? 0) + (amount as number) };
}

/**
 * A bank: transfers between accounts, reads of all balances. The total must never change, which takes transactions or a strategy that
 * orders updates: where it has neither, this shows it.
 *
 * Without a leader the accounts stand in one record, and a transfer is a read-modify-write. With one, each account is a key of its own, a
 * transfer an atomic batch on the versions that it has read, and all balances one page of a scan, which is of one moment.
 */
import type { Database, Namespace } from '../../src/client/api.js';
import type { Value } from '../history/history.js';
import { completeRead, completeWrite } from './completing.js';
import { hasLeader, levelsOf, namespaceOf } from './namespaces.js';
import { planOpenLoop, readEach, weighted } from './planning.js';
import type { Workload, WorkloadOptions } from './workload.js';

type Balances = Readonly<Record<string, number>>;

/** Of each account, before any transfer. */
const OPENING_BALANCE = 100;
const BANK = 'bank';
/** Where each account is a key: all of one partition. */
const ACCOUNTS = '{bank}/';

export const bank: Workload = {
  name: 'bank',
  summary: 'transfers between accounts, reads of all balances',
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
    const ledger = (hasLeader(database, options) ? ledgerOfAccounts : ledgerInOneRecord)(database, options);
    return {
      perform(operation) {
        if (operation.f === 'read') {
          return completeRead(operation, async () => new Map(Object.entries(await ledger.read())));
        }
        return completeWrite(operation, async () => {
          await ledger.transfer(operation.value as ReadonlyMap<string, number>);
          return operation.value;
        });
      },
    };
  },
  finalReads: () => readEach([BANK], () => ({ f: 'read', value: null })),
};

interface Ledger {
  read(): Promise<Balances>;
  transfer(transfer: ReadonlyMap<string, number>): Promise<unknown>;
}

function ledgerInOneRecord(database: Database, options: WorkloadOptions): Ledger {
  const namespace: Namespace<Balances> = namespaceOf(database, options);
  const levels = levelsOf(database, options);
  const opening = openingBalances(options);
  return {
    read: async () => (await namespace.get(BANK, levels.reads)).value ?? opening,
    transfer: (transfer) =>
      namespace.update(BANK, (current) => transferred(current ?? opening, transfer), levels.updates),
  };
}

/** A transfer that meets another is refused, and so had no effect. */
function ledgerOfAccounts(database: Database, options: WorkloadOptions): Ledger {
  const namespace: Namespace<number> = namespaceOf(database, options);
  const levels = levelsOf(database, options);
  return {
    read: async () => {
      const found: Record<string, number> = { ...openingBalances(options) };
      for await (const { key, value } of namespace.scan({ ...levels.reads, prefix: ACCOUNTS }))
        found[key.slice(ACCOUNTS.length)] = value as number;
      return found;
    },
    transfer: async (transfer) => {
      const accounts = ['from', 'to'].map((side) => String(transfer.get(side)));
      const read = await Promise.all(
        accounts.map((account) => namespace.get(ACCOUNTS + account, levels.reads)),
      );
      const before = Object.fromEntries(
        accounts.map((account, i) => [account, read[i]?.value ?? OPENING_BALANCE]),
      );
      const after = transferred(before, transfer);
      if (after === before) return;
      const puts = accounts.map((account, i) => {
        const { key, version } = read[i] as { readonly key: string; readonly version?: number };
        return { type: 'put', key, value: after[account] as number, ifVersion: version as number } as const;
      });
      await namespace.batch(puts, { ...levels.writes, atomic: true });
    },
  };
}

function openingBalances({ keys }: WorkloadOptions): Balances {
  return Object.fromEntries(
    Array.from({ length: Math.max(2, keys) }, (_, i) => [String(i), OPENING_BALANCE]),
  );
}

/** Nothing moves from an account that would be overdrawn. */
function transferred(balances: Balances, transfer: ReadonlyMap<string, Value>): Balances {
  const [from, to, amount] = ['from', 'to', 'amount'].map((field) => transfer.get(field) as number);
  const [payer, payee] = [String(from), String(to)];
  const left = (balances[payer] ?? 0) - (amount as number);
  if (left < 0) return balances;
  return { ...balances, [payer]: left, [payee]: (balances[payee] ?? 0) + (amount as number) };
}

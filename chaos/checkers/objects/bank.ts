/**
 * A bank, by Jepsen's definition: `transfer` moves money between accounts, `read` tells all balances. Under
 * snapshot isolation every read sums to the same total, over the same accounts. The first read tells the
 * accounts, and the total where it is not given.
 */
import type { Operation, Value } from '../../history/history.js';
import { isMap, textOf } from '../transactions/interned.js';
import type { Verdict } from '../verdict.js';

export interface BankCheckOptions {
  readonly total?: number;
  /** Whether a balance may be below zero; not by default. */
  readonly negativeAllowed?: boolean;
}

const PROBLEMS_SHOWN_MAX = 10;

export function checkBank(operations: readonly Operation[], options: BankCheckOptions = {}): Verdict {
  const reads = operations
    .filter((o) => o.f === 'read' && o.outcome === 'ok')
    .sort((a, b) => a.completedAt - b.completedAt);
  const first = reads[0];
  if (first === undefined) return { validity: 'unknown', reason: 'the balances were never read' };
  const accounts = balancesOf(first.output);
  if (accounts === undefined) return notBalances(first);
  const total = options.total ?? sum(accounts);
  const wrong: { readonly read: Operation; readonly problem: string }[] = [];
  for (const read of reads) {
    const balances = balancesOf(read.output);
    if (balances === undefined) return notBalances(read);
    const problem = problemOf(balances, accounts, total, options.negativeAllowed ?? false);
    if (problem !== undefined) wrong.push({ read, problem });
  }
  const worst = wrong[0];
  if (worst === undefined) {
    return { validity: 'valid', reason: `${reads.length} reads, each with a total of ${total}` };
  }
  const more = wrong.length > 1 ? ` (and ${wrong.length - 1} more reads)` : '';
  return {
    validity: 'invalid',
    reason: `operation ${worst.read.index}: ${worst.problem}${more}`,
    witness: {
      lines: wrong.slice(0, PROBLEMS_SHOWN_MAX).map(({ read, problem }) => {
        return `operation ${read.index} of process ${read.process} read ${textOf(read.output)}: ${problem}`;
      }),
      operations: [worst.read],
    },
  };
}

type Balances = ReadonlyMap<string, Value>;

/** Undefined where they could not be summed: sums of other numbers round, and that would make a verdict. */
function balancesOf(value: Value): Balances | undefined {
  if (!isMap(value)) return undefined;
  for (const balance of value.values())
    if (typeof balance === 'number' && !Number.isSafeInteger(balance)) return undefined;
  return Number.isSafeInteger(sum(value)) ? value : undefined;
}

function notBalances(read: Operation): Verdict {
  const reason = `operation ${read.index} read ${textOf(read.output)}, which is no map of accounts to balances that are whole numbers`;
  return { validity: 'unknown', reason };
}

function sum(balances: Balances): number {
  let total = 0;
  for (const balance of balances.values()) if (typeof balance === 'number') total += balance;
  return total;
}

function problemOf(
  balances: Balances,
  accounts: Balances,
  total: number,
  negativeAllowed: boolean,
): string | undefined {
  for (const [account, balance] of balances) {
    if (!accounts.has(account)) return `account ${account} is not known`;
    if (typeof balance !== 'number') return `account ${account} has the balance ${textOf(balance)}`;
  }
  const found = sum(balances);
  if (found !== total) return `the balances sum to ${found}, not ${total}`;
  if (negativeAllowed) return undefined;
  for (const [account, balance] of balances) {
    if (typeof balance === 'number' && balance < 0)
      return `account ${account} has a negative balance, ${balance}`;
  }
  return undefined;
}

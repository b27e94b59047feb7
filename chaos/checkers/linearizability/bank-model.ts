/**
 * A bank: `transfer {from, to, amount}`, refused where it would overdraw, and `read` of all balances.
 *
 * Jepsen's histories do not say what the accounts held at first. Without `initial` the balances begin *unsettled*: transfers are summed,
 * with the lowest point that each account reached, and the first read in the order settles what it must have been; it is
 * refused if an account would have been overdrawn on the way. So a history is valid if it is for some opening balances, exactly.
 * Rejected: to take the first read's total, which says nothing about single accounts.
 *
 * Nothing is claimed of which orders can be left out: two transfers that are accepted in one order need not be in the other,
 * and three of them need not be accepted in any other.
 */
import type { Operation, Value } from '../../history/history.js';
import {
  identityOf,
  malformed,
  Numbering,
  showValue,
  wholeNumber,
  type Model,
  type ModelOptions,
  type State,
  type Step,
} from './model.js';

export const BANK_OPERATIONS = ['transfer', 'read'] as const;

interface Accounts {
  readonly settled: boolean;
  /** By account number: the balance, or while unsettled what was added so far; undefined where a settled bank has no such account. */
  readonly balances: readonly (number | undefined)[];
  /** While unsettled: the least that `balances` was, at most 0. */
  readonly lows: readonly number[];
}

export function bankModel(operations: readonly Operation[], options: ModelOptions): Model {
  const names = new Numbering();
  const vault = new Vault();
  for (const operation of operations) {
    if (operation.f === 'transfer') partiesOf(operation, names);
    else if (operation.outcome === 'ok') balancesOf(operation, operation.output, names);
  }
  const opening = options.initial;
  const settled = opening instanceof Map;
  const balances: number[] = [];
  if (settled) {
    for (const [name, held] of opening as ReadonlyMap<string, Value>) balances[names.of(name)] = Number(held);
  }
  const width = names.size;
  return {
    initial: vault.number({
      settled,
      balances: Array.from({ length: width }, (_, at) => balances[at] ?? (settled ? undefined : 0)),
      lows: settled ? [] : Array.from({ length: width }, () => 0),
    }),
    step: (operation) => bankStep(operation, names, vault),
    commutes: false,
    stateFollowsFromSteps: false,
    seenUntil: () => () => Infinity,
    unsettled: undefined,
    // A state is a new list and its text.
    stepCost: 4,
    heldBytes: () => vault.bytes,
    show: (state) => {
      const { settled: known, balances: held } = vault.accounts(state);
      const shown = new Map(held.map((balance, at) => [names.value(at) as string, balance ?? null]));
      return known ? showValue(shown) : `unknown balances, changed by ${showValue(shown)}`;
    },
  };
}

/** Numbers states, so that they are primitives. */
class Vault {
  private readonly numbers = new Map<string, number>();
  private readonly states: Accounts[] = [];
  bytes = 0;

  number(accounts: Accounts): number {
    const text = `${accounts.balances.join()};${accounts.lows.join()}`;
    let number = this.numbers.get(text);
    if (number === undefined) {
      number = this.states.length;
      this.numbers.set(text, number);
      this.states.push(accounts);
      this.bytes += 200 + text.length + 16 * accounts.balances.length;
    }
    return number;
  }

  accounts(state: State): Accounts {
    return this.states[state as number] as Accounts;
  }
}

function bankStep(operation: Operation, names: Numbering, vault: Vault): Step | undefined {
  if (operation.f === 'read') {
    if (operation.outcome !== 'ok' || operation.output === null) return undefined;
    const shown = balancesOf(operation, operation.output, names);
    const apply = (state: State): State | undefined => read(state, shown, vault);
    return { operation, observes: true, kind: `r${shown.join()}`, apply };
  }
  if (operation.outcome === 'fail') return undefined;
  const { from, to, amount } = partiesOf(operation, names);
  const apply = (state: State): State | undefined => transfer(state, from, to, amount, vault);
  return { operation, observes: false, kind: `t${from}:${to}:${amount}`, apply };
}

function read(state: State, shown: readonly (number | undefined)[], vault: Vault): State | undefined {
  const { settled, balances, lows } = vault.accounts(state);
  for (let at = 0; at < balances.length; at++) {
    const balance = shown[at];
    if (settled) {
      if (balance !== balances[at]) return undefined;
      continue;
    }
    const changed = balances[at] ?? 0;
    const low = lows[at] ?? 0;
    // What it opened with is `balance - changed`; with the lowest point it must not have been negative.
    if (balance === undefined ? changed !== 0 || low !== 0 : balance - changed + low < 0) return undefined;
  }
  if (settled) return state;
  return vault.number({ settled: true, balances: balances.map((_, at) => shown[at]), lows: [] });
}

function transfer(state: State, from: number, to: number, amount: number, vault: Vault): State | undefined {
  const { settled, balances, lows } = vault.accounts(state);
  const source = balances[from];
  const target = balances[to];
  if (source === undefined || target === undefined) return undefined;
  if (settled && source < amount) return undefined;
  const after = balances.slice();
  const lowest = lows.slice();
  after[from] = source - amount;
  if (!settled) lowest[from] = Math.min(lows[from] ?? 0, source - amount);
  after[to] = (after[to] ?? 0) + amount;
  return vault.number({ settled, balances: after, lows: lowest });
}

function partiesOf(operation: Operation, names: Numbering): { from: number; to: number; amount: number } {
  const parts = operation.input instanceof Map ? (operation.input as ReadonlyMap<string, Value>) : undefined;
  const from = parts?.get('from');
  const to = parts?.get('to');
  if (parts === undefined || from === undefined || to === undefined) {
    throw malformed(operation, 'a transfer has a value {from, to, amount}');
  }
  const amount = wholeNumber(operation, parts.get('amount'));
  if (amount < 0) throw malformed(operation, 'the amount is negative');
  return { from: names.of(accountOf(from)), to: names.of(accountOf(to)), amount };
}

function balancesOf(operation: Operation, value: Value, names: Numbering): (number | undefined)[] {
  const balances: (number | undefined)[] = [];
  if (value === null) return balances;
  if (!(value instanceof Map)) throw malformed(operation, 'a read of a bank has a map of balances');
  for (const [name, balance] of value as ReadonlyMap<string, Value>) {
    // A null balance is an account that is not there.
    if (balance !== null) balances[names.of(name)] = wholeNumber(operation, balance);
  }
  return balances;
}

/** Accounts are keys of maps, which are texts; a transfer may name them by number. */
function accountOf(value: Value): string {
  return String(identityOf(value));
}

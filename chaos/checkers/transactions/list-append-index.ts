/**
 * What a list-append history shows, key by key: who appended which element, who read which version, and the
 * order of versions, which is the longest list that was read.
 *
 * A version is its last element, by its number in the key; the empty list is -1. What a transaction reads of
 * its own appends is cut off the end of its reads: the rest is the version it stood on, and only that must fit
 * the order that others saw.
 */
import type { Value } from '../../history/history.js';
import { listText, type Findings } from './findings.js';
import { Interned, isPlain, nameOf, sameValue, textOf } from './interned.js';
import type { MicroOperation, Transaction, Transactions } from './transaction.js';

export const EMPTY_VERSION = -1;

/** A list as it was read from the database, own appends cut off: the first `length` of `list`. */
export interface ExternalRead {
  readonly transaction: Transaction;
  readonly list: readonly Value[];
  readonly length: number;
}

export class KeyHistory {
  readonly name: string;
  readonly elements = new Interned();
  /** Of each element, who appended it; undefined for elements that were only read. */
  readonly writers: (Transaction | undefined)[] = [];
  /** Elements that their own transaction appended to again. */
  readonly intermediate = new Set<number>();
  readonly reads: ExternalRead[] = [];
  /** Appenders that did not fail, each once, with their last element. */
  readonly appenders = new Map<Transaction, number>();
  longest: ExternalRead | undefined;

  constructor(name: string) {
    this.name = name;
  }

  /** Who appended the element before, where that leaves two candidates. */
  append(transaction: Transaction, value: Value): Transaction | undefined {
    const id = this.elements.idOf(value);
    const before = this.writers[id];
    if (before !== undefined && transaction.outcome === 'fail') return undefined;
    if (before !== undefined && before.outcome !== 'fail') return before;
    this.writers[id] = transaction;
    if (transaction.outcome === 'fail') return undefined;
    const last = this.appenders.get(transaction);
    if (last !== undefined) this.intermediate.add(last);
    this.appenders.set(transaction, id);
    return undefined;
  }

  read(transaction: Transaction, list: readonly Value[], length: number): void {
    const read = { transaction, list, length };
    this.reads.push(read);
    if (length > (this.longest?.length ?? 0)) this.longest = read;
  }

  /** The version that a read saw; undefined where its last element was appended by nobody. */
  versionOf(read: ExternalRead): number | undefined {
    if (read.length === 0) return EMPTY_VERSION;
    return this.elements.find(read.list[read.length - 1]!);
  }

  elementText(id: number): string {
    return id < 0 ? '[]' : textOf(this.elements.values[id] ?? null);
  }
}

/** The histories of all keys, by number; a text where the history does not tell who appended what. */
export function indexAppends(
  { all, keys }: Transactions,
  findings: Findings,
): readonly KeyHistory[] | string {
  const histories = keys.values.map((key) => new KeyHistory(nameOf(key)));
  for (const transaction of all) {
    for (const { kind, key, value } of transaction.micro) {
      if (kind !== 'append') continue;
      const before = histories[key]!.append(transaction, value);
      if (before === undefined) continue;
      const who = `operations ${before.operation.index} and ${transaction.operation.index}`;
      return `${textOf(value)} was appended to ${histories[key]!.name} twice, by ${who}: appends must be unique`;
    }
  }
  for (const transaction of all) {
    if (transaction.outcome !== 'ok') continue;
    const problem = readTransaction(transaction, histories, findings);
    if (problem !== undefined) return problem;
  }
  return histories;
}

/** What a transaction itself knows of a key: the list it last read, if any, and what it appended. */
interface OwnView {
  base: readonly Value[] | undefined;
  sinceBase: Value[];
  readonly own: Value[];
}

function readTransaction(
  transaction: Transaction,
  histories: readonly KeyHistory[],
  findings: Findings,
): string | undefined {
  const views = new Map<number, OwnView>();
  for (const step of transaction.micro) {
    const history = histories[step.key]!;
    let view = views.get(step.key);
    if (view === undefined) views.set(step.key, (view = { base: undefined, sinceBase: [], own: [] }));
    if (step.kind === 'append') {
      if (view.base !== undefined && includes(view.base, step.value)) {
        reportFutureRead(findings, transaction, history, step);
      }
      view.own.push(step.value);
      view.sinceBase.push(step.value);
      continue;
    }
    if (step.value !== null && !Array.isArray(step.value)) {
      return `operation ${transaction.operation.index} read ${textOf(step.value)} of ${history.name}, which is no list`;
    }
    const list = (step.value ?? []) as readonly Value[];
    if (!fits(list, view)) reportInternal(findings, transaction, history, list, view);
    history.read(transaction, list, list.length - ownSuffix(list, view.own));
    view.base = list;
    view.sinceBase = [];
  }
  return undefined;
}

function fits(list: readonly Value[], { base, sinceBase }: OwnView): boolean {
  const offset = list.length - sinceBase.length;
  if (offset < 0 || (base !== undefined && offset !== base.length)) return false;
  return (
    sinceBase.every((v, i) => sameValue(v, list[offset + i]!)) &&
    (base === undefined || base === list || base.every((v, i) => sameValue(v, list[i]!)))
  );
}

/** How many elements at the end of a list are the transaction's own, in its order. */
function ownSuffix(list: readonly Value[], own: readonly Value[]): number {
  let count = 0;
  while (count < own.length && count < list.length) {
    if (!sameValue(list[list.length - 1 - count]!, own[own.length - 1 - count]!)) break;
    count += 1;
  }
  return count;
}

function includes(list: readonly Value[], value: Value): boolean {
  return isPlain(value) ? list.includes(value) : list.some((v) => sameValue(v, value));
}

function reportFutureRead(
  findings: Findings,
  transaction: Transaction,
  history: KeyHistory,
  step: MicroOperation,
): void {
  findings.add('future-read', [transaction], (names) => [
    `${names(transaction)} read ${textOf(step.value)} in ${history.name} before it appended it`,
  ]);
}

function reportInternal(
  findings: Findings,
  transaction: Transaction,
  history: KeyHistory,
  list: readonly Value[],
  { base, sinceBase }: OwnView,
): void {
  const expected =
    base === undefined
      ? `a list that ends in ${sinceBase.map(textOf).join(' ')}`
      : listText([...base, ...sinceBase]);
  findings.add('internal', [transaction], (names) => [
    `${names(transaction)} read ${history.name} = ${listText(list)} where its own steps before leave ${expected}`,
  ]);
}

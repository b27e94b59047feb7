/**
 * List-append transactions, checked as Elle does (Kingsbury and Alvaro, VLDB 2020): lists that only grow show
 * their own history, so reads tell the order of versions, and with it who depends on whom.
 *
 * Every list is compared with the longest one of its key, element by element and never with each other, so the
 * check is linear in the size of the history. `info` transactions count as committed only where something of
 * theirs was read; failed ones never do.
 */
import type { Operation } from '../../history/history.js';
import type { Verdict } from '../verdict.js';
import { addAntiDependencies, type LaterWriter } from './anti-dependencies.js';
import { CONSISTENCY_DEFAULT, requirementsOf, type ConsistencyLevel } from './consistency.js';
import { findCycles } from './cycle-search.js';
import { GraphBuilder, RW, WR, WW, type Dependency } from './dependency-graph.js';
import { Findings, listText, type Names } from './findings.js';
import { sameValue, textOf } from './interned.js';
import { EMPTY_VERSION, indexAppends, type ExternalRead, type KeyHistory } from './list-append-index.js';
import { addProcessEdges, addRealtimeEdges } from './time-edges.js';
import { transactionsOf, type Transaction } from './transaction.js';

export interface TransactionCheckOptions {
  /** Defaults to strict serializability, as elle-cli does. */
  readonly consistency?: ConsistencyLevel;
}

/**
 * Checks transactions of `["append", key, element]` and `["r", key, list]`. Elements must be unique per key.
 * `unknown` where they are not, or where an operation is no such transaction.
 */
export function checkListAppend(
  operations: readonly Operation[],
  options: TransactionCheckOptions = {},
): Verdict {
  const requirements = requirementsOf(options.consistency ?? CONSISTENCY_DEFAULT);
  const transactions = transactionsOf(operations, 'append');
  if (typeof transactions === 'string') return { validity: 'unknown', reason: transactions };
  const findings = new Findings();
  const histories = indexAppends(transactions, findings);
  if (typeof histories === 'string') return { validity: 'unknown', reason: histories };

  const { all } = transactions;
  const observed = new Set<Transaction>();
  const orders = histories.map((history) => versionOrder(history, findings, observed));
  const committed = (t: Transaction | undefined): t is Transaction =>
    t !== undefined && (t.outcome === 'ok' || (t.outcome === 'info' && observed.has(t)));

  const builder = new GraphBuilder(all.length);
  histories.forEach((history, key) => {
    findLostUpdates(history, findings);
    addKeyEdges(builder, key, history, orders[key]!, committed);
  });
  if (requirements.time === 'process') addProcessEdges(builder, all.filter(committed));
  if (requirements.time === 'realtime') addRealtimeEdges(builder, all.filter(committed));
  const { cycles, exhausted } = findCycles(builder.build(), requirements.time, (a) =>
    requirements.forbids.has(a),
  );
  for (const cycle of cycles) findings.addCycle(cycle, all, (d, names) => describe(d, names, all, histories));
  return findings.verdict(
    requirements,
    all.length,
    exhausted ? 'the search for read skew ran out of steps' : undefined,
  );
}

/** The elements of the longest list, by number, each once; what contradicts it is reported. */
function versionOrder(history: KeyHistory, findings: Findings, observed: Set<Transaction>): number[] {
  const { longest } = history;
  const aborted = longest && inspect(longest, history, findings, observed);
  for (const read of history.reads) {
    if (longest !== undefined && read !== longest) {
      if (isPrefix(read, longest)) {
        if (aborted !== undefined && read.length > aborted.at)
          reportAborted(read, history, aborted.writer, findings);
      } else {
        inspect(read, history, findings, observed);
        findings.add('incompatible-order', [longest.transaction, read.transaction], (names) => [
          `${names(longest.transaction)} read ${history.name} = ${listText(longest.list)}, ${names(read.transaction)} read ${listText(read.list)}: neither is the beginning of the other`,
        ]);
      }
    }
    inspectLast(read, history, findings);
  }
  if (longest === undefined) return [];
  const order = new Set<number>();
  for (let i = 0; i < longest.length; i += 1) order.add(history.elements.idOf(longest.list[i]!));
  return [...order];
}

function isPrefix(read: ExternalRead, longest: ExternalRead): boolean {
  const { list, length } = read;
  const of = longest.list;
  for (let i = 0; i < length; i += 1) {
    if (list[i] !== of[i] && !sameValue(list[i]!, of[i]!)) return false;
  }
  return true;
}

interface AbortedElement {
  readonly at: number;
  readonly writer: Transaction;
}

/** Looks at all elements of one list. Returns the first that a failed transaction appended. */
function inspect(
  read: ExternalRead,
  history: KeyHistory,
  findings: Findings,
  observed: Set<Transaction>,
): AbortedElement | undefined {
  const { transaction } = read;
  const seen = new Set<number>();
  let aborted: AbortedElement | undefined;
  let underCommitted: { readonly failed: Transaction; readonly next: Transaction } | undefined;
  for (let i = 0; i < read.length; i += 1) {
    const value = read.list[i]!;
    const id = history.elements.idOf(value);
    const writer = history.writers[id];
    if (seen.has(id)) {
      findings.add('duplicate-elements', [transaction], (names) => [
        `${names(transaction)} read ${textOf(value)} more than once in ${history.name} = ${listText(read.list)}`,
      ]);
    }
    seen.add(id);
    if (writer === undefined) {
      findings.add('garbage-read', [transaction], (names) => [
        `${names(transaction)} read ${textOf(value)} in ${history.name}, which nobody appended`,
      ]);
    } else {
      observed.add(writer);
      if (writer.outcome === 'fail') aborted ??= { at: i, writer };
      else if (aborted !== undefined) underCommitted ??= { failed: aborted.writer, next: writer };
    }
  }
  if (aborted !== undefined) reportAborted(read, history, aborted.writer, findings);
  if (underCommitted !== undefined) {
    const { failed, next } = underCommitted;
    findings.add('dirty-update', [failed, next, transaction], (names) => [
      `${names(failed)} failed, yet ${names(transaction)} read its append to ${history.name} before that of ${names(next)}`,
    ]);
  }
  return aborted;
}

function reportAborted(
  read: ExternalRead,
  history: KeyHistory,
  writer: Transaction,
  findings: Findings,
): void {
  findings.add('G1a', [writer, read.transaction], (names) => [
    `${names(writer)} failed, yet ${names(read.transaction)} read its append to ${history.name}: ${listText(read.list)}`,
  ]);
}

function inspectLast(read: ExternalRead, history: KeyHistory, findings: Findings): void {
  const version = history.versionOf(read);
  if (version === undefined || !history.intermediate.has(version)) return;
  const writer = history.writers[version];
  if (writer === undefined || writer === read.transaction) return;
  findings.add('G1b', [writer, read.transaction], (names) => [
    `${names(read.transaction)} read ${history.name} up to ${history.elementText(version)}, after which ${names(writer)} appended more in the same transaction`,
  ]);
}

/** Two transactions that stood on the same version of a key and both appended to it. */
function findLostUpdates(history: KeyHistory, findings: Findings): void {
  const first = new Map<number, Transaction>();
  const counted = new Set<Transaction>();
  for (const read of history.reads) {
    const { transaction } = read;
    if (!history.appenders.has(transaction) || counted.has(transaction)) continue;
    counted.add(transaction);
    const version = history.versionOf(read);
    if (version === undefined) continue;
    const other = first.get(version);
    if (other === undefined) first.set(version, transaction);
    else {
      findings.add('lost-update', [other, transaction], (names) => [
        `${names(other)} and ${names(transaction)} both read ${history.name} ${version === EMPTY_VERSION ? 'empty' : `up to ${history.elementText(version)}`}, and both appended to it`,
      ]);
    }
  }
}

function addKeyEdges(
  builder: GraphBuilder,
  key: number,
  history: KeyHistory,
  order: readonly number[],
  committed: (t: Transaction | undefined) => t is Transaction,
): void {
  const versions = order.filter((id) => committed(history.writers[id]));
  const inOrder = new Set(order);
  let before = EMPTY_VERSION;
  /** Of each version in the order, the next one that committed. */
  const next = new Map<number, number>();
  let waiting: number[] = [EMPTY_VERSION];
  for (const id of order) {
    const writer = history.writers[id];
    if (committed(writer)) {
      for (const version of waiting) next.set(version, id);
      waiting = [];
      if (before >= 0) builder.add(history.writers[before]!.id, writer.id, WW, key, before, id);
      before = id;
    }
    waiting.push(id);
  }
  // What was never read comes after all that was.
  const last = versions.at(-1) ?? EMPTY_VERSION;
  const tail: LaterWriter[] = [];
  for (const [writer, version] of history.appenders) {
    if (!committed(writer) || inOrder.has(version)) continue;
    tail.push({ transaction: writer.id, version, note: 'observed' });
    if (last >= 0) builder.add(history.writers[last]!.id, writer.id, WW, key, last, version);
  }
  const lastReaders: number[] = [];
  for (const read of history.reads) {
    const reader = read.transaction;
    const version = history.versionOf(read);
    if (version === undefined) continue;
    const writer = history.writers[version];
    if (committed(writer)) builder.add(writer.id, reader.id, WR, key, -1, version);
    const after = next.get(version);
    if (after !== undefined) builder.add(reader.id, history.writers[after]!.id, RW, key, version, after);
    else if (version === EMPTY_VERSION || inOrder.has(version)) lastReaders.push(reader.id);
  }
  if (tail.length > 0) addAntiDependencies(builder, key, last, lastReaders, tail);
}

function describe(
  d: Dependency,
  names: Names,
  all: readonly Transaction[],
  histories: readonly KeyHistory[],
): string {
  const history = histories[d.key]!;
  const a = names(all[d.from]!);
  const b = names(all[d.to]!);
  const after = history.elementText(d.after);
  if (d.kind === WR) return `${a} appended ${after} to ${history.name}, ${b} read it (wr)`;
  if (d.kind === WW)
    return `${a} appended ${history.elementText(d.before)} to ${history.name}, ${b} then ${after} (ww)`;
  return `${a} read ${history.name} without ${after}, which ${b} appended (rw)`;
}

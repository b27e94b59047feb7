/**
 * Transactions over read-write registers, checked as Elle does, from the order of versions that can be inferred
 * at the level asked for. Less can be told than of lists: a history found valid is one that nothing speaks
 * against, not one that was proved.
 */
import type { Operation, Value } from '../../history/history.js';
import type { Verdict } from '../verdict.js';
import { addAntiDependencies, type LaterWriter } from './anti-dependencies.js';
import { CONSISTENCY_DEFAULT, requirementsOf, type Requirements } from './consistency.js';
import { findCycles } from './cycle-search.js';
import { GraphBuilder, RW, WR, WW, type Dependency } from './dependency-graph.js';
import { Findings, type Names } from './findings.js';
import { nameOf, textOf } from './interned.js';
import type { TransactionCheckOptions } from './list-append.js';
import { indexWrites, INITIAL_VERSION, type RegisterHistory } from './register-index.js';
import { addProcessEdges, addRealtimeEdges } from './time-edges.js';
import { transactionsOf, type Transaction, type Transactions } from './transaction.js';
import { unwrittenValues, withoutReads } from './unwritten-values.js';
import { versionOrders, type VersionOrders } from './version-order.js';

export interface RegisterCheckOptions extends TransactionCheckOptions {
  /** What every key holds at first, besides nil. Where it is not given, `unwritten-values.ts` says what may have been there. */
  readonly initial?: Value;
}

/**
 * Checks transactions of `["w", key, value]` and `["r", key, value]`. Values must be unique per key, and not the
 * initial one. `unknown` where they are not, or where an operation is no such transaction.
 */
export function checkRwRegister(
  operations: readonly Operation[],
  options: RegisterCheckOptions = {},
): Verdict {
  const requirements = requirementsOf(options.consistency ?? CONSISTENCY_DEFAULT);
  const transactions = transactionsOf(operations, 'write');
  if (typeof transactions === 'string') return { validity: 'unknown', reason: transactions };
  const { initial } = options;
  if (initial !== undefined) return judge(transactions, () => initial, requirements);
  const unwritten = unwrittenValues(transactions);
  const verdict = judge(transactions, (key) => unwritten.get(key) ?? null, requirements);
  if (unwritten.size === 0 || verdict.validity === 'unknown') return verdict;
  const held = heldText(unwritten, transactions);
  if (verdict.validity === 'valid') return { ...verdict, reason: `${verdict.reason}, if at first ${held}` };
  // It was not there at first: then somebody wrote it whom the history does not have.
  const without = judge(withoutReads(transactions, unwritten), () => null, requirements);
  return without.validity === 'valid'
    ? { ...without, reason: `${without.reason}, though nobody wrote ${held}` }
    : without;
}

const HELD_SHOWN_MAX = 3;

function heldText(unwritten: ReadonlyMap<number, Value>, { keys }: Transactions): string {
  const shown = [...unwritten].slice(0, HELD_SHOWN_MAX).map(([key, value]) => {
    return `${nameOf(keys.values[key] ?? null)} = ${textOf(value)}`;
  });
  const more = unwritten.size - shown.length;
  return `${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

function judge(
  transactions: Transactions,
  initialOf: (key: number) => Value,
  requirements: Requirements,
): Verdict {
  const findings = new Findings();
  const histories = indexWrites(transactions, initialOf, findings);
  if (typeof histories === 'string') return { validity: 'unknown', reason: histories };

  const { all } = transactions;
  const observed = observedWriters(histories);
  const committed = (t: Transaction | undefined): t is Transaction =>
    t !== undefined && (t.outcome === 'ok' || (t.outcome === 'info' && observed.has(t)));
  const orders = versionOrders(histories, requirements, committed, all, findings);
  const builder = new GraphBuilder(all.length);
  histories.forEach((history, key) => {
    findLostUpdates(history, findings);
    addKeyEdges(builder, key, history, orders, committed);
  });
  if (requirements.time === 'process') addProcessEdges(builder, all.filter(committed));
  if (requirements.time === 'realtime') addRealtimeEdges(builder, all.filter(committed));
  const { cycles, exhausted } = findCycles(builder.build(), requirements.time, (a) =>
    requirements.forbids.has(a),
  );
  for (const cycle of cycles) findings.addCycle(cycle, all, (d, names) => describe(d, names, all, histories));
  const undecided = exhausted ? 'the search for read skew ran out of steps' : undefined;
  return findings.verdict(requirements, all.length, undecided);
}

function observedWriters(histories: readonly RegisterHistory[]): Set<Transaction> {
  const observed = new Set<Transaction>();
  for (const history of histories) {
    for (const version of history.readers.keys()) {
      const writer = history.writers[version];
      if (writer !== undefined) observed.add(writer);
    }
  }
  return observed;
}

/** Two transactions that read the same version of a key before they wrote it. */
function findLostUpdates(history: RegisterHistory, findings: Findings): void {
  const first = new Map<number, Transaction>();
  for (const { transaction, read, written } of history.interactions.values()) {
    if (read === undefined || written === undefined || transaction.outcome !== 'ok') continue;
    const other = first.get(read);
    if (other === undefined) first.set(read, transaction);
    else {
      findings.add('lost-update', [other, transaction], (names) => [
        `${names(other)} and ${names(transaction)} both read ${history.name} = ${history.text(read)}, and both wrote it`,
      ]);
    }
  }
}

function addKeyEdges(
  builder: GraphBuilder,
  key: number,
  history: RegisterHistory,
  { graph, nodeOf, versionAt }: VersionOrders,
  committed: (t: Transaction | undefined) => t is Transaction,
): void {
  for (const [version, readers] of history.readers) {
    const writer = history.writers[version];
    if (!committed(writer)) continue;
    for (const reader of readers) builder.add(writer.id, reader.id, WR, key, -1, version);
  }
  for (let version = INITIAL_VERSION; version < history.versions; version += 1) {
    const node = nodeOf(key, version);
    const later = new Map<number, LaterWriter>();
    for (let edge = graph.first[node]!; edge < graph.first[node + 1]!; edge += 1) {
      const after = versionAt(key, graph.to[edge]!);
      const writer = history.writers[after];
      if (later.has(after) || !committed(writer)) continue;
      later.set(after, { transaction: writer.id, version: after, note: graph.noteOf(edge) });
    }
    if (later.size === 0) continue;
    const writers = [...later.values()];
    const writer = history.writers[version];
    if (committed(writer)) {
      for (const w of writers) builder.add(writer.id, w.transaction, WW, key, version, w.version, w.note);
    }
    const readers = [...(history.readers.get(version) ?? [])].map((t) => t.id);
    if (readers.length > 0) addAntiDependencies(builder, key, version, readers, writers);
  }
}

function describe(
  d: Dependency,
  names: Names,
  all: readonly Transaction[],
  histories: readonly RegisterHistory[],
): string {
  const history = histories[d.key]!;
  const a = names(all[d.from]!);
  const b = names(all[d.to]!);
  const { name } = history;
  const after = history.text(d.after);
  if (d.kind === WR) return `${a} wrote ${name} = ${after}, ${b} read it (wr)`;
  const before = history.text(d.before);
  const why = whyLater(d);
  if (d.kind === RW) return `${a} read ${name} = ${before}, which ${b} overwrote with ${after}${why} (rw)`;
  return `${a} wrote ${name} = ${before}, which ${b} overwrote with ${after}${why} (ww)`;
}

function whyLater({ note }: Dependency): string {
  if (note === 'process') return ', later in a process';
  if (note === 'realtime') return ', later in real time';
  return note === 'read-then-written' ? ', having read it' : '';
}

/**
 * The order of a register's versions, as far as it can be told. A register shows one version at a time, so
 * order must be inferred, and each inference stands on what the level itself promises:
 *
 *     initial            the initial state comes before every version                  always
 *     read-then-written  who read v and then wrote w put w after v                      read committed and up
 *     process, realtime  what a transaction saw or left comes before what a later       the strong levels, for
 *                        transaction, of its process or at all, sees or leaves          as much as they promise
 *
 * So a contradiction among the inferences is itself a violation of the level: `cyclic-versions`. Elle makes the
 * last two only on request, and so calls a stale read of a register strict serializable.
 *
 * Which pairs time relates: after a completed write, a later write (G0 otherwise); from read committed on,
 * after a completed read a later write (G1c); from snapshot isolation on also later reads (G-single). Only
 * pairs that no pair between implies are kept: who has completed waits in a frontier until one that began after
 * it has completed too.
 */
import type { Requirements } from './consistency.js';
import { findCycles } from './cycle-search.js';
import { GraphBuilder, WW, type Dependency, type DependencyGraph, type Note } from './dependency-graph.js';
import type { Findings } from './findings.js';
import { INITIAL_VERSION, type Interaction, type RegisterHistory } from './register-index.js';
import { componentsOf } from './components.js';
import type { Transaction } from './transaction.js';

/** Versions of all keys in one graph; the initial version of a key stands before its first. */
export interface VersionOrders {
  readonly graph: DependencyGraph;
  readonly nodeOf: (key: number, version: number) => number;
  readonly versionAt: (key: number, node: number) => number;
}

/** How many kinds of inference a key may use. Where they contradict each other, the last is dropped, and then the next. */
const ALL_SOURCES = 3;

export function versionOrders(
  histories: readonly RegisterHistory[],
  requirements: Requirements,
  committed: (t: Transaction | undefined) => t is Transaction,
  all: readonly Transaction[],
  findings: Findings,
): VersionOrders {
  const bases: number[] = [];
  const keyOfNode: number[] = [];
  histories.forEach((history, key) => {
    bases.push(keyOfNode.length + 1);
    for (let i = 0; i <= history.versions; i += 1) keyOfNode.push(key);
  });
  const nodeOf = (key: number, version: number): number => bases[key]! + version;
  const versionAt = (key: number, node: number): number => node - bases[key]!;
  const sources = histories.map(() => ALL_SOURCES);
  for (let round = 0; ; round += 1) {
    const builder = new GraphBuilder(keyOfNode.length);
    histories.forEach((history, key) => {
      inferOrder(history, requirements, sources[key]!, committed, (from, to, note, a, b) => {
        builder.add(nodeOf(key, from), nodeOf(key, to), WW, key, a?.id ?? -1, b?.id ?? -1, note);
      });
    });
    const graph = builder.build();
    const { cyclic } = componentsOf(graph, { kinds: WW, separated: false });
    if (cyclic.length === 0) return { graph, nodeOf, versionAt };
    if (round === 0) {
      const { cycles } = findCycles(graph, 'none', (anomaly) => anomaly === 'G0');
      for (const cycle of cycles) reportCycle(cycle.path, histories, versionAt, all, findings);
    }
    for (const key of new Set(cyclic.map((states) => keyOfNode[states[0]! >> 1]!))) sources[key]! -= 1;
  }
}

type Infer = (from: number, to: number, note: Note, a?: Transaction, b?: Transaction) => void;

function inferOrder(
  history: RegisterHistory,
  { forbids, time }: Requirements,
  sources: number,
  committed: (t: Transaction | undefined) => t is Transaction,
  infer: Infer,
): void {
  const interactions = [...history.interactions.values()].filter((i) => committed(i.transaction));
  for (const { transaction, read, written } of interactions) {
    if (written === undefined) continue;
    infer(INITIAL_VERSION, written, 'initial');
    if (sources > 1 && read !== undefined && forbids.has('G1c')) {
      infer(read, written, 'read-then-written', transaction, transaction);
    }
  }
  if (sources <= 2 || time === 'none') return;
  const placed = interactions.map((i) => placedOf(i, forbids.has('G1c'), forbids.has('G-single')));
  if (time === 'realtime') return inferFromTime(placed, time, infer);
  const byProcess = new Map<number | string, Placed[]>();
  for (const item of placed) {
    const { process } = item.transaction.operation;
    byProcess.set(process, [...(byProcess.get(process) ?? []), item]);
  }
  for (const items of byProcess.values()) inferFromTime(items, time, infer);
}

/** An interaction as time orders it: what comes before it in time comes before `first`, and `last` before what comes after. */
interface Placed {
  readonly transaction: Transaction;
  readonly first: number | undefined;
  readonly last: number | undefined;
}

function placedOf(
  { transaction, read, written }: Interaction,
  readsLead: boolean,
  readsFollow: boolean,
): Placed {
  return {
    transaction,
    first: readsFollow ? (read ?? written) : written,
    last: readsLead ? (written ?? read) : written,
  };
}

function inferFromTime(placed: readonly Placed[], note: Note, infer: Infer): void {
  const begun = [...placed].sort(
    (a, b) => a.transaction.operation.invokedAt - b.transaction.operation.invokedAt,
  );
  const ended = [...placed].sort(
    (a, b) => a.transaction.operation.completedAt - b.transaction.operation.completedAt,
  );
  const frontier = new Set<Placed>();
  const before = new Map<Placed, readonly Placed[]>();
  let next = 0;
  for (const item of begun) {
    const { invokedAt } = item.transaction.operation;
    for (; next < ended.length && ended[next]!.transaction.operation.completedAt < invokedAt; next += 1) {
      const done = ended[next]!;
      for (const implied of before.get(done) ?? []) frontier.delete(implied);
      before.delete(done);
      if (done.last !== undefined) frontier.add(done);
    }
    if (item.first === undefined) continue;
    for (const done of frontier) infer(done.last!, item.first, note, done.transaction, item.transaction);
    before.set(item, [...frontier]);
  }
}

function reportCycle(
  path: readonly Dependency[],
  histories: readonly RegisterHistory[],
  versionAt: VersionOrders['versionAt'],
  all: readonly Transaction[],
  findings: Findings,
): void {
  const of = (ids: readonly number[]): Transaction[] => ids.filter((id) => id >= 0).map((id) => all[id]!);
  const transactions = [...new Set(path.flatMap((d) => of([d.before, d.after])))];
  findings.add('cyclic-versions', transactions, (names) =>
    path.map((d) => {
      const history = histories[d.key]!;
      const text = (node: number): string => history.text(versionAt(d.key, node));
      const claim = `${history.name} = ${text(d.from)} comes before ${text(d.to)}`;
      const [a, b] = of([d.before, d.after]).map(names);
      if (d.note === 'initial') return `${claim}: it is the initial state`;
      if (d.note === 'read-then-written') return `${claim}: ${a} read the one and wrote the other`;
      const inTime =
        d.note === 'realtime' ? 'had completed before' : 'is of the same process as, and before,';
      return `${claim}: ${a} saw or left the one and ${inTime} ${b}, which saw or left the other`;
    }),
  );
}

/**
 * Sequential consistency of registers whose written values are unique: one order of all operations that keeps every
 * process's own order, in which each read shows the last write of its key before it (Lamport, 1979).
 *
 * To decide it is NP-complete even with unique values (Gibbons and Korach, "Testing shared memories", 1997). So, in two steps:
 *
 *   refute   order what must be ordered, until nothing is added: a write before the read that follows it comes before
 *            the write the read shows; a read of an older value comes before a newer write. A cycle is a proof
 *   search   once little is left to order, place operations one by one, reads as soon as they can be, and go back where no write can be
 *            placed. An order found is a proof, too; a budget spent is `unknown`
 */
import type { Operation } from '../../history/history.js';
import { CHECK_BUDGET_DEFAULT, type CheckBudget, type Verdict, type Witness } from '../verdict.js';
import { baseGraph, isBefore, lastKnown, overBudget, type ConsistencyOptions } from './causal.js';
import { accessesOf, CausalPast, type KeyAccesses } from './causal-past.js';
import { cycleWitness, tellNode, thinAirVerdict } from './cycle-witness.js';
import { BEFORE_NEXT, OVERWRITTEN, type OrderGraph } from './order-graph.js';
import {
  INITIAL,
  NOTHING,
  registerHistoryOf,
  type RegisterHistory,
  type RegisterNode,
} from './register-history.js';
import { findSequence, type Search } from './sequence-search.js';

/** Rounds of ordering. Most histories settle in three or four; what is left after so many is the search's. */
const ROUNDS_MAX = 20;

export function checkSequential(operations: readonly Operation[], options: ConsistencyOptions = {}): Verdict {
  const history = registerHistoryOf(operations, options);
  if ('validity' in history) return history;
  const budget = options.budget ?? CHECK_BUDGET_DEFAULT;
  const refused = thinAirVerdict(history) ?? overBudget(history, budget);
  if (refused !== undefined) return refused;
  const graph = baseGraph(history);
  const settled = saturate(history, graph, budget);
  const { sorted } = settled;
  if (sorted.length < graph.size) {
    const cycle = graph.cycle(sorted);
    return {
      validity: 'invalid',
      reason: `not sequentially consistent, a cycle of ${cycle.length} steps`,
      witness: cycleWitness(history, cycle),
    };
  }
  const found = settled.found ?? findSequence(history, graph, budget);
  const what = `over ${history.nodes.length} operations of ${history.chains.length} processes`;
  switch (found.end) {
    case 'found':
      return { validity: 'valid', reason: `sequentially consistent ${what}` };
    case 'none':
      return {
        validity: 'invalid',
        reason: `not sequentially consistent: no order of all operations exists, every one was tried`,
        witness: deadEnd(history, found.longest),
      };
    case 'budget':
      return {
        validity: 'unknown',
        reason: `no contradiction, and no order found within the budget, ${what}`,
      };
  }
}

/** No cycle proves it, so the most that could be placed is shown, and what was left. */
function deadEnd(history: RegisterHistory, longest: readonly number[]): Witness {
  const placed = longest.map((number) => (history.nodes[number] as RegisterNode).operation);
  const inside = new Set(longest);
  const left = [...history.nodes.keys()].filter((number) => !inside.has(number));
  return {
    lines: [
      `of ${history.nodes.length} operations at most ${longest.length} could be placed; of the others, the first are`,
      ...left.slice(0, LEFT_TOLD_MAX).map((number) => `  ${tellNode(history, number)}`),
    ],
    operations: left
      .slice(0, LEFT_TOLD_MAX)
      .map((number) => (history.nodes[number] as RegisterNode).operation),
    placed,
  };
}

const LEFT_TOLD_MAX = 10;

interface Settled {
  /** The nodes in an order that keeps every edge; fewer than all where there is a cycle. */
  readonly sorted: Int32Array;
  /** Of a search that came to an end before everything was ordered. */
  readonly found?: Search;
}

/** A round that adds fewer edges than one in so many has left little to order. */
const FEW_EDGES = 20;
/** Steps for each operation of a search that is tried before everything is ordered: it ends at once, or is too early. */
const EARLY_STEPS_PER_OPERATION = 8;

/** Adds edges until none follows any more, or until so few do that a search finds an order without them. */
function saturate(history: RegisterHistory, graph: OrderGraph, budget: CheckBudget): Settled {
  const accesses = accessesOf(history);
  const early = { ...budget, stepsMax: Math.min(budget.stepsMax, graph.size * EARLY_STEPS_PER_OPERATION) };
  let sorted = graph.sorted();
  for (let round = 0; round < ROUNDS_MAX && sorted.length === graph.size; round++) {
    const before = graph.edges;
    const past = new CausalPast(history, graph, sorted);
    for (const [reader, node] of history.nodes.entries()) {
      if (node.source === NOTHING) continue;
      for (const ofChain of accesses[node.key] ?? []) {
        orderOlder(history, graph, past, reader, ofChain);
        orderNewer(history, graph, past, reader, ofChain);
      }
    }
    const added = graph.edges - before;
    if (added === 0) break;
    sorted = graph.sorted();
    if (added * FEW_EDGES > before || sorted.length < graph.size) continue;
    const found = findSequence(history, graph, early);
    if (found.end === 'found') return { sorted, found };
  }
  return { sorted };
}

/** The write that the reader's past holds came before the one it shows. */
function orderOlder(
  history: RegisterHistory,
  graph: OrderGraph,
  past: CausalPast,
  reader: number,
  ofChain: KeyAccesses,
): void {
  const node = history.nodes[reader] as RegisterNode;
  const known = lastKnown(past, reader, node, ofChain);
  if (known === INITIAL || known === node.source) return;
  if (node.source === INITIAL) {
    // The rule below puts the reader before that write, and so makes the cycle.
    if (!isBefore(history, past, reader, known)) graph.add(reader, known, BEFORE_NEXT, reader);
  } else if (!isBefore(history, past, known, node.source)) graph.add(known, node.source, OVERWRITTEN, reader);
}

/** The reader comes before the chain's first write that comes after the one it shows. */
function orderNewer(
  history: RegisterHistory,
  graph: OrderGraph,
  past: CausalPast,
  reader: number,
  ofChain: KeyAccesses,
): void {
  const { source } = history.nodes[reader] as RegisterNode;
  const next = firstAfter(history, past, source, reader, ofChain.own);
  if (next === undefined || isBefore(history, past, reader, next)) return;
  graph.add(reader, next, BEFORE_NEXT, reader);
}

/** Pasts only grow along a chain, so that the first write after `source` is found by halving. */
function firstAfter(
  history: RegisterHistory,
  past: CausalPast,
  source: number,
  reader: number,
  writes: readonly number[],
): number | undefined {
  let low = 0;
  let high = writes.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const write = writes[middle] as number;
    if (source === INITIAL || isBefore(history, past, source, write)) high = middle;
    else low = middle + 1;
  }
  const first = writes[low];
  // A swap that read the source is itself the first write after it.
  return first === reader ? writes[low + 1] : first;
}

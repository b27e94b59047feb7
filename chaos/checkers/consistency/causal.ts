/**
 * Causal consistency of registers whose written values are unique.
 *
 * The variant decided is causal convergence, CCv (Bouajjani, Enea, Guerraoui and Hamza, "On verifying causal consistency", 2017; what
 * AWDIT and Plume call causal consistency): there is one order of all writes, the same for everybody, that
 * extends causality, and a read shows the last write of its key in that order among those in its causal past. That is what a
 * store with causal delivery and one rule for conflicts promises. Plain CC, which wants no common order, and causal memory, CM,
 * are not decided: a history that is CCv is CC, and of the patterns below the first four break all three.
 *
 *     ThinAirRead      a read shows what nobody wrote
 *     CyclicCO         session order and reads-from make a cycle
 *     WriteCOInitRead  a read shows the initial value, though a write of the key is in its past
 *     WriteCORead      a read shows a write, though another of the key lies between them causally
 *     CyclicCF         the orders of writes that reads force on each other make a cycle
 *
 * Time is O(operations x processes x log): pasts are vectors, and of each process only the last access to the key in a reader's past
 * orders anything that is not ordered already.
 */
import type { Operation, Value } from '../../history/history.js';
import { CHECK_BUDGET_DEFAULT, type CheckBudget, type Verdict } from '../verdict.js';
import { accessesOf, CausalPast, lastWriteWithin, type KeyAccesses } from './causal-past.js';
import { cycleWitness, tellNode, thinAirVerdict } from './cycle-witness.js';
import { OrderGraph, OVERWRITTEN, READS_FROM, SESSION, type Edge } from './order-graph.js';
import {
  INITIAL,
  NOTHING,
  registerHistoryOf,
  type RegisterHistory,
  type RegisterNode,
} from './register-history.js';

export interface ConsistencyOptions {
  /** What every key holds at first; null by default. */
  readonly initial?: Value;
  readonly budget?: CheckBudget;
}

export function checkCausal(operations: readonly Operation[], options: ConsistencyOptions = {}): Verdict {
  const history = registerHistoryOf(operations, options);
  if ('validity' in history) return history;
  const refused = thinAirVerdict(history) ?? overBudget(history, options.budget);
  if (refused !== undefined) return refused;
  const graph = baseGraph(history);
  const sorted = graph.sorted();
  if (sorted.length < graph.size) return cyclic('CyclicCO', history, graph.cycle(sorted));
  const past = new CausalPast(history, graph, sorted);
  const broken = addForcedOrders(history, graph, past);
  if (broken !== undefined) return broken;
  const resorted = graph.sorted();
  if (resorted.length < graph.size) return cyclic('CyclicCF', history, graph.cycle(resorted));
  return {
    validity: 'valid',
    reason: `causally consistent (CCv) over ${history.nodes.length} operations of ${history.chains.length} processes`,
  };
}

/** The vectors of the past are the memory that counts. */
export function overBudget(history: RegisterHistory, budget = CHECK_BUDGET_DEFAULT): Verdict | undefined {
  const bytes = CausalPast.bytes(history);
  if (bytes <= budget.bytesMax) return undefined;
  return {
    validity: 'unknown',
    reason: `${history.nodes.length} operations of ${history.chains.length} processes need ${bytes} bytes, ${budget.bytesMax} are allowed`,
  };
}

/** Session order and reads-from. */
export function baseGraph(history: RegisterHistory): OrderGraph {
  const graph = new OrderGraph(history.nodes.length);
  for (const [number, node] of history.nodes.entries()) {
    if (node.previous >= 0) graph.add(node.previous, number, SESSION);
    if (node.source >= 0) graph.add(node.source, number, READS_FROM);
  }
  return graph;
}

function addForcedOrders(history: RegisterHistory, graph: OrderGraph, past: CausalPast): Verdict | undefined {
  const accesses = accessesOf(history);
  for (const [reader, node] of history.nodes.entries()) {
    if (node.source === NOTHING) continue;
    for (const ofChain of accesses[node.key] ?? []) {
      const known = lastKnown(past, reader, node, ofChain);
      if (known === INITIAL || known === node.source) continue;
      if (node.source === INITIAL) return initialRead(history, reader, known);
      if (isBefore(history, past, known, node.source)) continue;
      if (isBefore(history, past, node.source, known)) return between(history, reader, known);
      graph.add(known, node.source, OVERWRITTEN, reader);
    }
  }
  return undefined;
}

/** The write of the node's key that the chain accessed last in the node's past, the node itself left out. */
export function lastKnown(
  past: CausalPast,
  number: number,
  node: RegisterNode,
  ofChain: KeyAccesses,
): number {
  const own = ofChain.chain === node.chain && node.position > 0;
  const count = own ? node.position - 1 : past.count(number, ofChain.chain);
  return lastWriteWithin(ofChain, count);
}

/** Whether one node is in the past of another; false also where it is detached, which no vector counts. */
export function isBefore(history: RegisterHistory, past: CausalPast, one: number, other: number): boolean {
  const { chain, position } = history.nodes[one] as RegisterNode;
  return position > 0 && one !== other && past.count(other, chain) >= position;
}

function cyclic(pattern: string, history: RegisterHistory, cycle: readonly Edge[]): Verdict {
  return {
    validity: 'invalid',
    reason: `${pattern}: not causally consistent, a cycle of ${cycle.length} steps`,
    witness: cycleWitness(history, cycle),
  };
}

function initialRead(history: RegisterHistory, reader: number, known: number): Verdict {
  return {
    validity: 'invalid',
    reason: `WriteCOInitRead: not causally consistent, a read shows the initial value after a write`,
    witness: {
      lines: [
        `${tellNode(history, known)} is in the past of ${tellNode(history, reader)}`,
        `which shows the value from before any write`,
      ],
      operations: operationsAt(history, [known, reader]),
    },
  };
}

function between(history: RegisterHistory, reader: number, known: number): Verdict {
  const { source } = history.nodes[reader] as RegisterNode;
  return {
    validity: 'invalid',
    reason: `WriteCORead: not causally consistent, a read shows a value that was overwritten in its past`,
    witness: {
      lines: [
        `${tellNode(history, source)} is in the past of ${tellNode(history, known)}`,
        `${tellNode(history, known)} is in the past of ${tellNode(history, reader)}`,
        `which shows the first of them all the same`,
      ],
      operations: operationsAt(history, [source, known, reader]),
    },
  };
}

function operationsAt(history: RegisterHistory, numbers: readonly number[]): Operation[] {
  return numbers.map((number) => (history.nodes[number] as RegisterNode).operation);
}

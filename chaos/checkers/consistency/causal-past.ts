/**
 * The past of every node as a vector: per chain, how many of its nodes come before, itself included. And what the past
 * holds of a key: per chain the last access to it, found by binary search. Memory is nodes x chains x 4 bytes.
 *
 * Accesses are writes and reads alike: a read stands for the write it read from. So detached writes, which are in no chain,
 * are known wherever somebody who read them is.
 */
import { INITIAL, NOTHING, type RegisterHistory } from './register-history.js';
import type { OrderGraph } from './order-graph.js';

export class CausalPast {
  readonly #chains: number;
  readonly #counts: Int32Array;

  constructor(history: RegisterHistory, graph: OrderGraph, sorted: Int32Array) {
    const { nodes } = history;
    const width = history.chains.length;
    const counts = new Int32Array(nodes.length * width);
    this.#chains = width;
    this.#counts = counts;
    for (const from of sorted) {
      const { chain, position } = nodes[from] as (typeof nodes)[number];
      const base = from * width;
      if (position > 0) counts[base + chain] = position;
      graph.forEachAfter(from, (to) => {
        const target = to * width;
        for (let i = 0; i < width; i++) {
          const count = counts[base + i] as number;
          if (count > (counts[target + i] as number)) counts[target + i] = count;
        }
      });
    }
  }

  static bytes(history: RegisterHistory): number {
    return history.nodes.length * history.chains.length * 4;
  }

  /** How many nodes of a chain the past of a node holds. */
  count(node: number, chain: number): number {
    return this.#counts[node * this.#chains + chain] as number;
  }
}

/** Of one key, per chain: the positions at which it is accessed, ascending, and the writes that were written or read there. */
export interface KeyAccesses {
  readonly chain: number;
  readonly positions: readonly number[];
  /** Node of the write, or `INITIAL`. */
  readonly writes: readonly number[];
  /** The nodes of the chain that write the key. */
  readonly own: readonly number[];
}

export function accessesOf(history: RegisterHistory): readonly (readonly KeyAccesses[])[] {
  type Draft = { chain: number; positions: number[]; writes: number[]; own: number[] };
  const byKey: Draft[][] = history.keys.map(() => []);
  for (const [chain, members] of history.chains.entries()) {
    const drafts = new Map<number, Draft>();
    for (const number of members) {
      const node = history.nodes[number] as RegisterHistory['nodes'][number];
      if (!node.writes && node.source === NOTHING) continue;
      let draft = drafts.get(node.key);
      if (draft === undefined) {
        drafts.set(node.key, (draft = { chain, positions: [], writes: [], own: [] }));
        byKey[node.key]?.push(draft);
      }
      draft.positions.push(node.position);
      draft.writes.push(node.writes ? number : node.source);
      if (node.writes) draft.own.push(number);
    }
  }
  return byKey;
}

/** The write last accessed among the first `count` nodes of the chain; `INITIAL` where it is none. */
export function lastWriteWithin(accesses: KeyAccesses, count: number): number {
  let low = 0;
  let high = accesses.positions.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((accesses.positions[middle] as number) <= count) low = middle + 1;
    else high = middle;
  }
  return low === 0 ? INITIAL : (accesses.writes[low - 1] as number);
}

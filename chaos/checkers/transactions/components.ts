/**
 * Strongly connected components (Tarjan 1972) of the part of a dependency graph that a level looks at.
 *
 * States, not nodes: snapshot isolation forbids cycles in which no two anti-dependencies follow each other, so
 * a walk remembers whether it came by one. State 2n is node n reached otherwise, state 2n + 1 is node n reached
 * by rw, from which rw is not taken again. Cycles of states are then just the forbidden cycles, and finding
 * them stays linear; trying anti-dependencies one by one would not. The search keeps its own stack: histories
 * are deeper than the machine's.
 */
import { PASS, RW, type DependencyGraph } from './dependency-graph.js';

export interface Walk {
  /** Kinds of edges that may be taken. */
  readonly kinds: number;
  /** Whether two rw in a row are ruled out. */
  readonly separated: boolean;
}

/** The state that an edge leads to from a state of its source; -1 where the walk does not take it. */
export function stateAfter(graph: DependencyGraph, walk: Walk, state: number, edge: number): number {
  const kind = graph.kind[edge]!;
  const target = graph.to[edge]! * 2;
  if (kind === PASS) return target + (state & 1);
  if ((kind & walk.kinds) === 0) return -1;
  if (!walk.separated || kind !== RW) return target;
  return (state & 1) === 1 ? -1 : target + 1;
}

export interface Components {
  /** Of every state, the number of its component; -1 where it was not reached. */
  readonly of: Int32Array;
  /** States of each component that has more than one, the smallest first. */
  readonly cyclic: readonly (readonly number[])[];
}

export function componentsOf(graph: DependencyGraph, walk: Walk): Components {
  const states = graph.nodes * 2;
  const index = new Int32Array(states).fill(-1);
  const low = new Int32Array(states);
  const of = new Int32Array(states).fill(-1);
  const cursor = new Int32Array(states);
  const open = new Int32Array(states);
  const path = new Int32Array(states);
  const cyclic: number[][] = [];
  let openLength = 0;
  let pathLength = 0;
  let visited = 0;
  let components = 0;

  const enter = (state: number): void => {
    index[state] = low[state] = visited;
    visited += 1;
    cursor[state] = graph.first[state >> 1]!;
    open[openLength] = path[pathLength] = state;
    openLength += 1;
    pathLength += 1;
  };

  const leave = (state: number): void => {
    pathLength -= 1;
    if (pathLength > 0) {
      const parent = path[pathLength - 1]!;
      low[parent] = Math.min(low[parent]!, low[state]!);
    }
    if (low[state] !== index[state]) return;
    const from = open.lastIndexOf(state, openLength - 1);
    for (let i = from; i < openLength; i += 1) of[open[i]!] = components;
    if (openLength - from > 1) cyclic.push([...open.subarray(from, openLength)]);
    openLength = from;
    components += 1;
  };

  for (let root = 0; root < states; root += 2) {
    if (index[root]! >= 0) continue;
    enter(root);
    while (pathLength > 0) {
      const state = path[pathLength - 1]!;
      const edge = cursor[state]!;
      if (edge === graph.first[(state >> 1) + 1]) {
        leave(state);
        continue;
      }
      cursor[state] = edge + 1;
      const next = stateAfter(graph, walk, state, edge);
      if (next < 0) continue;
      if (index[next]! < 0) enter(next);
      else if (of[next]! < 0) low[state] = Math.min(low[state]!, index[next]!);
    }
  }
  cyclic.sort((a, b) => a.length - b.length);
  return { of, cyclic };
}

/**
 * Short cycles inside components: the witness. A component says that a cycle exists, this finds one that a
 * person can follow: the fewest transactions, by breadth-first search from many of its edges, within a budget
 * of steps. The budget only bounds how hard it looks for a shorter one: the first start always finds one.
 */
import { componentsOf, stateAfter, type Walk } from './components.js';
import { PASS, PROCESS, REALTIME, RW, WR, WW } from './dependency-graph.js';
import type { Dependency, DependencyGraph } from './dependency-graph.js';
import type { Anomaly, TimeOrder } from './consistency.js';

export interface Cycle {
  readonly anomaly: Anomaly;
  readonly time: TimeOrder;
  readonly path: readonly Dependency[];
}

/** A search for one anomaly: where it walks, and the kind of edge that the cycle must begin with. */
interface Search extends Walk {
  readonly begins: number;
  /** Two rw in a row to begin with; or one, and none after it. */
  readonly antis?: 'pair' | 'one';
}

const DATA = WW | WR | RW;
const TIME_KINDS: Readonly<Record<TimeOrder, number>> = { none: 0, process: PROCESS, realtime: REALTIME };
/** Components looked into once a cycle is known, and edges looked at, per search. */
const COMPONENTS_MAX = 16;
const STEPS_MAX = 4_000_000;
const CYCLE_LENGTH_ENOUGH = 2;

const SEARCHES: readonly (readonly [Anomaly, Search])[] = [
  ['G0', { kinds: WW, separated: false, begins: WW }],
  ['G1c', { kinds: WW | WR, separated: false, begins: WR }],
  ['G-single', { kinds: DATA, separated: true, begins: RW, antis: 'one' }],
  ['G-nonadjacent', { kinds: DATA, separated: true, begins: RW }],
  ['G2-item', { kinds: DATA, separated: false, begins: RW, antis: 'pair' }],
];

export interface CyclesFound {
  readonly cycles: readonly Cycle[];
  /** Whether a G-single may have been missed because the budget ran out. */
  readonly exhausted: boolean;
}

/**
 * A cycle of each sort that the graph has, found first without time and, where there is none, with it. `wanted`
 * says which sorts are forbidden; the others are not looked for.
 */
export function findCycles(
  graph: DependencyGraph,
  time: TimeOrder,
  wanted: (anomaly: Anomaly) => boolean,
): CyclesFound {
  const cycles: Cycle[] = [];
  let exhausted = false;
  const all = DATA | TIME_KINDS[time];
  if (componentsOf(graph, { kinds: all, separated: false }).cyclic.length === 0) return { cycles, exhausted };
  for (const [anomaly, search] of SEARCHES) {
    if (!wanted(anomaly)) continue;
    let found = cycleOf(graph, search);
    if (found.cycle === undefined && time !== 'none') {
      found = cycleOf(graph, { ...search, kinds: search.kinds | TIME_KINDS[time] });
    }
    exhausted ||= found.exhausted;
    if (found.cycle === undefined) continue;
    const named = classified(found.cycle);
    if (!cycles.some((c) => c.anomaly === named.anomaly && c.time === named.time)) cycles.push(named);
  }
  return { cycles, exhausted };
}

function classified(path: readonly Dependency[]): Cycle {
  const kinds = path.map((d) => d.kind);
  const all = kinds.reduce((a, b) => a | b, 0);
  const time = (all & REALTIME) !== 0 ? 'realtime' : (all & PROCESS) !== 0 ? 'process' : 'none';
  const antis = kinds.filter((kind) => kind === RW).length;
  const adjacent = antis > 1 && kinds.some((kind, i) => kind === RW && kinds[(i + 1) % kinds.length] === RW);
  if (antis > 0) {
    return { anomaly: antis === 1 ? 'G-single' : adjacent ? 'G2-item' : 'G-nonadjacent', time, path };
  }
  return { anomaly: (all & WR) !== 0 ? 'G1c' : 'G0', time, path };
}

interface Sought {
  readonly cycle?: Dependency[];
  readonly exhausted: boolean;
}

/** The shortest cycle found by one search; none where none begins as it asks. */
function cycleOf(graph: DependencyGraph, search: Search): Sought {
  const components = componentsOf(graph, search);
  const seeker = new Seeker(graph, search, components.of);
  let best: Dependency[] | undefined;
  let looked = 0;
  for (const states of components.cyclic) {
    if (best !== undefined && looked >= COMPONENTS_MAX) break;
    looked += 1;
    for (const state of states) {
      for (const edge of seeker.starts(state)) {
        if (best !== undefined && (seeker.steps > STEPS_MAX || best.length <= CYCLE_LENGTH_ENOUGH)) {
          return { cycle: best, exhausted: false };
        }
        if (seeker.steps > STEPS_MAX && search.antis === 'one') return { exhausted: true };
        const cycle = seeker.cycleThrough(state, edge);
        if (cycle !== undefined && (best === undefined || cycle.length < best.length)) best = cycle;
      }
    }
  }
  return best === undefined ? { exhausted: false } : { cycle: best, exhausted: false };
}

class Seeker {
  private readonly graph: DependencyGraph;
  private readonly search: Search;
  private readonly component: Int32Array;
  /** Edge by which a state was reached in search `round`. */
  private readonly by: Int32Array;
  private readonly parent: Int32Array;
  private readonly seenIn: Int32Array;
  private round = 0;
  steps = 0;

  constructor(graph: DependencyGraph, search: Search, component: Int32Array) {
    this.graph = graph;
    this.search = search;
    this.component = component;
    this.by = new Int32Array(component.length);
    this.parent = new Int32Array(component.length);
    this.seenIn = new Int32Array(component.length);
  }

  /** Edges out of a state, within its component, that a cycle may begin with. */
  *starts(state: number): Generator<number> {
    if (this.graph.isHelper(state >> 1)) return;
    for (const [edge] of this.within(state))
      if ((this.graph.kind[edge]! & this.search.begins) !== 0) yield edge;
  }

  private *within(state: number): Generator<readonly [edge: number, next: number]> {
    const { graph } = this;
    const end = graph.first[(state >> 1) + 1]!;
    for (let edge = graph.first[state >> 1]!; edge < end; edge += 1) {
      this.steps += 1;
      const next = stateAfter(graph, this.search, state, edge);
      if (next >= 0 && this.component[next] === this.component[state]) yield [edge, next];
    }
  }

  /** The shortest way from `state` over `edge` and back, as dependencies; no transaction comes twice in it. */
  cycleThrough(state: number, edge: number): Dependency[] | undefined {
    const edges = this.wayBack(state, edge);
    return edges === undefined ? undefined : simple(this.graph.dependencies(edges), this.search.separated);
  }

  /** Breadth first; edges out of helpers cost nothing, so that lengths count transactions. */
  private wayBack(origin: number, edge: number): number[] | undefined {
    this.round += 1;
    const first = stateAfter(this.graph, this.search, origin, edge);
    let level: number[] = [];
    this.reach(level, first, origin, edge);
    if (this.search.antis === 'pair') level = this.afterPair(level, origin);
    while (level.length > 0) {
      const next: number[] = [];
      for (let i = 0; i < level.length; i += 1) {
        const state = level[i]!;
        if (state === origin) return this.traced(origin);
        for (const [e, target] of this.within(state)) {
          if (this.graph.kind[e] === RW && this.search.antis === 'one') continue;
          this.reach(this.graph.kind[e] === PASS ? level : next, target, state, e);
        }
      }
      level = next;
    }
    return undefined;
  }

  private reach(queue: number[], state: number, parent: number, edge: number): void {
    if (this.seenIn[state] === this.round) return;
    this.seenIn[state] = this.round;
    this.by[state] = edge;
    this.parent[state] = parent;
    queue.push(state);
  }

  /** What lies one more rw beyond the first, whose helpers are passed through. */
  private afterPair(start: readonly number[], origin: number): number[] {
    const level = [...start];
    const next: number[] = [];
    for (let i = 0; i < level.length; i += 1) {
      const state = level[i]!;
      if (state === origin) continue;
      for (const [e, target] of this.within(state)) {
        if (this.graph.kind[e] === PASS) this.reach(level, target, state, e);
        else if (this.graph.kind[e] === RW) this.reach(next, target, state, e);
      }
    }
    return next;
  }

  private traced(origin: number): number[] {
    const edges: number[] = [];
    let state = origin;
    do {
      edges.push(this.by[state]!);
      state = this.parent[state]!;
    } while (state !== origin);
    return edges.reverse();
  }
}

/**
 * A closed walk with repeated transactions is several cycles; this keeps one. Where rw must stay apart, the one
 * to keep at a repeated transaction is the one that does not join rw to rw there.
 */
function simple(walk: Dependency[], separated: boolean): Dependency[] {
  let cycle = walk;
  for (;;) {
    const at = repeated(cycle);
    if (at === undefined) return cycle;
    const inner = cycle.slice(at[0], at[1]);
    const joinsRw = inner[0]!.kind === RW && inner.at(-1)!.kind === RW;
    cycle = separated && joinsRw ? [...cycle.slice(0, at[0]), ...cycle.slice(at[1])] : inner;
  }
}

function repeated(cycle: readonly Dependency[]): readonly [number, number] | undefined {
  const seen = new Map<number, number>();
  for (let i = 0; i < cycle.length; i += 1) {
    const before = seen.get(cycle[i]!.from);
    if (before !== undefined) return [before, i];
    seen.set(cycle[i]!.from, i);
  }
  return undefined;
}

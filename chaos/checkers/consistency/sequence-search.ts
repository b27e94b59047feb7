/**
 * Looks for one order of all operations, given what must come before what.
 *
 * A state is what has been placed; with unique values that decides what every key holds, save which of the placed writes of a key
 * was last. Reads whose turn it is are placed at once: that can do no harm. Only which write comes next is a choice, and a
 * write may not be placed over a value that still has readers to come. Candidates are tried by deadline, the moment at which the write or
 * a read of it was first answered: in what a real store did, that order is nearly always right, and the search never
 * goes back. Where it must, dead states are remembered.
 */
import type { CheckBudget } from '../verdict.js';
import type { OrderGraph } from './order-graph.js';
import { INITIAL, NOTHING, type RegisterHistory, type RegisterNode } from './register-history.js';

export interface Search {
  readonly end: 'found' | 'none' | 'budget';
  /** The most that could be placed before the search had to go back; empty where it never had. */
  readonly longest: readonly number[];
}

export function findSequence(history: RegisterHistory, graph: OrderGraph, budget: CheckBudget): Search {
  const search = new SequenceSearch(history, graph, budget);
  return { end: search.run(), longest: search.longest };
}

/** One choice: the writes that could come next, the one that is being tried, and how many were placed before. */
interface Choice {
  readonly candidates: readonly number[];
  tried: number;
  readonly placedBefore: number;
}

class SequenceSearch {
  longest: readonly number[] = [];
  readonly #history: RegisterHistory;
  readonly #graph: OrderGraph;
  readonly #deadlines: Float64Array;
  /** Predecessors that are not placed yet. */
  readonly #waiting: Int32Array;
  /** Per write, and per key for its initial value, the reads to come. */
  readonly #readers: Int32Array;
  readonly #initialReaders: Int32Array;
  /** Per key, the write it holds or `INITIAL`. */
  readonly #held: Int32Array;
  /** What each placed write overwrote, to undo it. */
  readonly #overwrote: Int32Array;
  readonly #placed: number[] = [];
  /** Writes that wait for nothing but a choice. */
  readonly #ready = new Set<number>();
  readonly #dead = new Set<string>();
  #deadBytes = 0;
  #stepsLeft: number;
  readonly #bytesMax: number;

  constructor(history: RegisterHistory, graph: OrderGraph, budget: CheckBudget) {
    const { nodes, keys } = history;
    this.#history = history;
    this.#graph = graph;
    this.#stepsLeft = budget.stepsMax;
    this.#bytesMax = budget.bytesMax;
    this.#waiting = graph.inDegrees();
    this.#readers = new Int32Array(nodes.length);
    this.#initialReaders = new Int32Array(keys.length);
    this.#held = new Int32Array(keys.length).fill(INITIAL);
    this.#overwrote = new Int32Array(nodes.length);
    this.#deadlines = Float64Array.from(nodes, (node) => node.operation.completedAt);
    for (const node of nodes) {
      if (node.source === INITIAL) this.#addReaders(node.key, INITIAL, 1);
      if (node.source < 0) continue;
      this.#addReaders(node.key, node.source, 1);
      const answered = node.operation.completedAt;
      if (answered < (this.#deadlines[node.source] as number)) this.#deadlines[node.source] = answered;
    }
  }

  run(): Search['end'] {
    const choices: Choice[] = [];
    const first = [...this.#waiting.keys()].filter((number) => this.#waiting[number] === 0);
    for (const number of first) this.#offer(number);
    for (;;) {
      if (this.#placed.length === this.#history.nodes.length) return 'found';
      if (--this.#stepsLeft <= 0 || this.#deadBytes > this.#bytesMax) return 'budget';
      const candidates = this.#candidates();
      choices.push({ candidates, tried: -1, placedBefore: this.#placed.length });
      if (!this.#advance(choices)) return 'none';
    }
  }

  /** Tries the next candidate of the latest choice that has one left. */
  #advance(choices: Choice[]): boolean {
    for (let choice = choices.at(-1); choice !== undefined; choice = choices.at(-1)) {
      this.#undoTo(choice.placedBefore);
      const next = choice.candidates[++choice.tried];
      if (next !== undefined) {
        this.#place(next);
        if (this.#dead.size === 0 || !this.#dead.has(this.#state())) return true;
        continue;
      }
      this.#remember();
      choices.pop();
    }
    return false;
  }

  #candidates(): number[] {
    const found: number[] = [];
    for (const number of this.#ready) if (this.#mayWrite(number)) found.push(number);
    return found.sort((a, b) => ((this.#deadlines[a] as number) < (this.#deadlines[b] as number) ? -1 : 1));
  }

  /** A swap is a reader of what it overwrites. */
  #mayWrite(number: number): boolean {
    const { key, source } = this.#history.nodes[number] as RegisterNode;
    const held = this.#held[key] as number;
    if (source !== NOTHING && source !== held) return false;
    const left = held === INITIAL ? this.#initialReaders[key] : this.#readers[held];
    return left === (source === NOTHING ? 0 : 1);
  }

  /** A read that waits for nothing is placed at once: what it shows is still held, because it was to come. */
  #offer(number: number): void {
    if ((this.#history.nodes[number] as RegisterNode).writes) this.#ready.add(number);
    else this.#place(number);
  }

  #place(number: number): void {
    const open = [number];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const node = this.#history.nodes[next] as RegisterNode;
      this.#placed.push(next);
      this.#stepsLeft--;
      if (node.source !== NOTHING) this.#addReaders(node.key, node.source, -1);
      if (node.writes) {
        this.#ready.delete(next);
        this.#overwrote[next] = this.#held[node.key] as number;
        this.#held[node.key] = next;
      }
      this.#graph.forEachAfter(next, (to) => {
        const left = (this.#waiting[to] as number) - 1;
        this.#waiting[to] = left;
        if (left > 0) return;
        if ((this.#history.nodes[to] as RegisterNode).writes) this.#ready.add(to);
        else open.push(to);
      });
    }
  }

  #undoTo(length: number): void {
    while (this.#placed.length > length) {
      const number = this.#placed.pop() as number;
      const node = this.#history.nodes[number] as RegisterNode;
      this.#stepsLeft--;
      this.#graph.forEachAfter(number, (to) => {
        this.#waiting[to] = (this.#waiting[to] as number) + 1;
        this.#ready.delete(to);
      });
      if (node.writes) {
        this.#held[node.key] = this.#overwrote[number] as number;
        this.#ready.add(number);
      }
      if (node.source !== NOTHING) this.#addReaders(node.key, node.source, 1);
    }
  }

  #addReaders(key: number, source: number, by: number): void {
    if (source === INITIAL) this.#initialReaders[key] = (this.#initialReaders[key] as number) + by;
    else this.#readers[source] = (this.#readers[source] as number) + by;
  }

  /** Every candidate failed from here. */
  #remember(): void {
    if (this.#placed.length > this.longest.length) this.longest = [...this.#placed];
    const state = this.#state();
    this.#dead.add(state);
    this.#deadBytes += state.length * 2 + 64;
  }

  /** What is placed follows from the writes that could come next: all that is not placed comes after one of them. */
  #state(): string {
    return `${[...this.#ready].sort((a, b) => a - b).join()}|${this.#held.join()}`;
  }
}

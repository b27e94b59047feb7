/**
 * What must come before what, among the nodes of a history: session order, reads-from, and what follows from them. Edges
 * keep their reason, so that a cycle can be told as an argument.
 */
import { Int32List } from './int32-list.js';

/** Why an edge stands. `OVERWRITTEN`: a write came before the one that a reader, who knew both, was shown. */
export const SESSION = 0;
export const READS_FROM = 1;
export const OVERWRITTEN = 2;
/** A read of the older of two writes comes before the newer one. */
export const BEFORE_NEXT = 3;
export type EdgeReason = typeof SESSION | typeof READS_FROM | typeof OVERWRITTEN | typeof BEFORE_NEXT;

export interface Edge {
  readonly from: number;
  readonly to: number;
  readonly reason: EdgeReason;
  /** The read that a derived edge follows from, else -1. */
  readonly because: number;
}

export class OrderGraph {
  readonly size: number;
  readonly #first: Int32Array;
  readonly #next = new Int32List();
  readonly #to = new Int32List();
  readonly #reason = new Int32List();
  readonly #because = new Int32List();

  constructor(size: number) {
    this.size = size;
    this.#first = new Int32Array(size).fill(-1);
  }

  get edges(): number {
    return this.#to.length;
  }

  add(from: number, to: number, reason: EdgeReason, because = -1): void {
    this.#next.push(this.#first[from] as number);
    this.#first[from] = this.#to.length;
    this.#to.push(to);
    this.#reason.push(reason);
    this.#because.push(because);
  }

  forEachAfter(from: number, visit: (to: number) => void): void {
    for (let edge = this.#first[from] as number; edge >= 0; edge = this.#next.at(edge))
      visit(this.#to.at(edge));
  }

  inDegrees(): Int32Array {
    const degrees = new Int32Array(this.size);
    for (let edge = 0; edge < this.#to.length; edge++) {
      const to = this.#to.at(edge);
      degrees[to] = (degrees[to] as number) + 1;
    }
    return degrees;
  }

  /** The nodes in an order that keeps every edge; shorter than `size` where there is a cycle. */
  sorted(): Int32Array {
    const degrees = this.inDegrees();
    const order = new Int32Array(this.size);
    let end = 0;
    for (let node = 0; node < this.size; node++) if (degrees[node] === 0) order[end++] = node;
    for (let begin = 0; begin < end; begin++) {
      this.forEachAfter(order[begin] as number, (to) => {
        const left = (degrees[to] as number) - 1;
        degrees[to] = left;
        if (left === 0) order[end++] = to;
      });
    }
    return order.subarray(0, end);
  }

  /** A short cycle: the shortest through any of the first nodes found to lie on one. `sorted` are those that do not. */
  cycle(sorted: Int32Array): readonly Edge[] {
    const inside = new Uint8Array(this.size).fill(1);
    for (const node of sorted) inside[node] = 0;
    const start = this.#onCycle(inside);
    let best: readonly Edge[] = [];
    let at = start;
    for (let tries = 0; tries < STARTS_TRIED_MAX; tries++) {
      const found = this.#shortestThrough(at, inside);
      if (found.length === 0) break;
      if (best.length === 0 || found.length < best.length) best = found;
      at = found[0]?.to ?? start;
    }
    return best;
  }

  /** What is left by sorting may also lie behind a cycle: walking backwards ends up on one. */
  #onCycle(inside: Uint8Array): number {
    const before = new Int32Array(this.size).fill(-1);
    for (let from = 0; from < this.size; from++)
      if (inside[from] === 1) this.forEachAfter(from, (to) => (before[to] = from));
    let node = inside.indexOf(1);
    for (let steps = 0; steps < this.size; steps++) node = before[node] as number;
    return node;
  }

  #shortestThrough(start: number, inside: Uint8Array): readonly Edge[] {
    const cameBy = new Int32Array(this.size).fill(-1);
    const cameFrom = new Int32Array(this.size).fill(-1);
    const queue = [start];
    for (let i = 0; i < queue.length && cameBy[start] === -1; i++) {
      const from = queue[i] as number;
      for (let edge = this.#first[from] as number; edge >= 0; edge = this.#next.at(edge)) {
        const to = this.#to.at(edge);
        if (inside[to] === 0 || cameBy[to] !== -1) continue;
        cameBy[to] = edge;
        cameFrom[to] = from;
        queue.push(to);
      }
    }
    if (cameBy[start] === -1) return [];
    const path: Edge[] = [];
    for (let to = start; path.length === 0 || to !== start; to = cameFrom[to] as number)
      path.push(this.#edge(cameFrom[to] as number, cameBy[to] as number));
    return path.reverse();
  }

  #edge(from: number, edge: number): Edge {
    return {
      from,
      to: this.#to.at(edge),
      reason: this.#reason.at(edge) as EdgeReason,
      because: this.#because.at(edge),
    };
  }
}

const STARTS_TRIED_MAX = 32;

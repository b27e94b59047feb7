/**
 * Events in the order in which they happen: by virtual time, and among equal times in the order in which
 * they were scheduled. That second key is what makes a run repeatable; a heap alone is not stable.
 */
import type { Cancel } from '../runtime/runtime.js';

export interface SimulatedEvent {
  readonly atMs: number;
  readonly sequence: number;
  readonly label: string;
  /** Of the bytes that it is about, 32 bits. */
  readonly digest: number;
  readonly run: () => void;
}

/** A binary heap. A cancelled event stays in it, emptied, until its time comes. */
export class EventQueue {
  readonly #heap: (SimulatedEvent & { cancelled: boolean })[] = [];
  #sequence = 0;

  add(atMs: number, label: string, run: () => void, digest = 0): Cancel {
    const event = { atMs, sequence: this.#sequence++, label, digest, run, cancelled: false };
    this.#heap.push(event);
    this.#rise(this.#heap.length - 1);
    return () => {
      event.cancelled = true;
      event.run = nothing;
    };
  }

  /** When the next event is due; Infinity when there is none. */
  nextAtMs(): number {
    while (this.#heap[0]?.cancelled === true) this.#removeFirst();
    return this.#heap[0]?.atMs ?? Infinity;
  }

  /** Takes the next event out. */
  take(): SimulatedEvent | undefined {
    this.nextAtMs();
    return this.#removeFirst();
  }

  #removeFirst(): SimulatedEvent | undefined {
    const first = this.#heap[0];
    const last = this.#heap.pop();
    if (first !== last && last !== undefined) {
      this.#heap[0] = last;
      this.#sink(0);
    }
    return first;
  }

  #rise(index: number): void {
    let at = index;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#swapIfEarlier(at, parent)) return;
      at = parent;
    }
  }

  #sink(index: number): void {
    let at = index;
    for (;;) {
      const left = 2 * at + 1;
      const right = left + 1;
      const child = right < this.#heap.length && this.#isEarlier(right, left) ? right : left;
      if (child >= this.#heap.length || !this.#swapIfEarlier(child, at)) return;
      at = child;
    }
  }

  #isEarlier(a: number, b: number): boolean {
    const x = this.#heap[a] as SimulatedEvent;
    const y = this.#heap[b] as SimulatedEvent;
    return x.atMs < y.atMs || (x.atMs === y.atMs && x.sequence < y.sequence);
  }

  #swapIfEarlier(child: number, parent: number): boolean {
    if (!this.#isEarlier(child, parent)) return false;
    const moved = this.#heap[child] as SimulatedEvent & { cancelled: boolean };
    this.#heap[child] = this.#heap[parent] as SimulatedEvent & { cancelled: boolean };
    this.#heap[parent] = moved;
    return true;
  }
}

function nothing(): void {}

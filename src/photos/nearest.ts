/**
 * The k nearest of a stream, in memory for k: a binary heap whose root is the farthest that is still kept, so
 * that a candidate is compared with one number and usually dropped.
 *
 * Ties are broken by the photo id, so that the result does not depend on the order of arrival.
 */

export interface Neighbour {
  readonly photoId: string;
  readonly distance: number;
}

export class Nearest {
  readonly #limit: number;
  /** A heap: every element is at least as far as its two children, at 2i + 1 and 2i + 2. */
  readonly #heap: Neighbour[] = [];

  /** Keeps `limit` neighbours, at least one. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  offer(candidate: Neighbour): void {
    const heap = this.#heap;
    if (heap.length < this.#limit) {
      heap.push(candidate);
      this.#rise(heap.length - 1);
      return;
    }
    const farthest = heap[0];
    if (farthest === undefined || compare(candidate, farthest) >= 0) return;
    heap[0] = candidate;
    this.#sink();
  }

  /** What is kept, nearest first. */
  sorted(): Neighbour[] {
    return [...this.#heap].sort(compare);
  }

  #rise(from: number): void {
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#swapIfFarther(at, parent)) return;
      at = parent;
    }
  }

  #sink(): void {
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      const child = this.#farther(left, left + 1);
      if (!this.#swapIfFarther(child, at)) return;
      at = child;
    }
  }

  #farther(a: number, b: number): number {
    const x = this.#heap[a];
    const y = this.#heap[b];
    return x !== undefined && y !== undefined && compare(y, x) > 0 ? b : a;
  }

  /** Restores the order between a child and its parent; false where it held, or there is no child. */
  #swapIfFarther(child: number, parent: number): boolean {
    const x = this.#heap[child];
    const y = this.#heap[parent];
    if (x === undefined || y === undefined || compare(x, y) <= 0) return false;
    this.#heap[child] = y;
    this.#heap[parent] = x;
    return true;
  }
}

function compare(a: Neighbour, b: Neighbour): number {
  if (a.distance !== b.distance) return a.distance - b.distance;
  if (a.photoId === b.photoId) return 0;
  return a.photoId < b.photoId ? -1 : 1;
}

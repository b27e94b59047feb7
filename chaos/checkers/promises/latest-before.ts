/** Of the things that reached a point before an event, the one with the largest measure, by binary search. */
export class LatestBefore<T> {
  readonly #points: readonly number[];
  readonly #largest: readonly T[];

  constructor(things: readonly T[], point: (thing: T) => number, measure: (thing: T) => number) {
    const sorted = [...things].sort((a, b) => (point(a) < point(b) ? -1 : 1));
    const largest: T[] = [];
    for (const thing of sorted) {
      const best = largest.at(-1);
      largest.push(best !== undefined && measure(best) >= measure(thing) ? best : thing);
    }
    this.#points = sorted.map(point);
    this.#largest = largest;
  }

  before(event: number): T | undefined {
    let low = 0;
    let high = this.#points.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#points[middle] as number) < event) low = middle + 1;
      else high = middle;
    }
    return this.#largest[low - 1];
  }
}

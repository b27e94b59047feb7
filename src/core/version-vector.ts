/**
 * Dots and version vectors.
 *
 * A dot names one write: (incarnation, counter). A version vector says, per incarnation, the highest
 * counter seen *of one key*; vectors of different keys are never joined. Because whole records travel
 * between replicas and an incarnation mints for a key only while it holds or has superseded its earlier
 * dots of that key, "highest seen" implies "all seen", which is what makes a plain vector sound.
 *
 * A vector is an array sorted by incarnation, so that equal vectors have equal encodings and equal hashes.
 * Arrays beat maps here: a context rarely has more than a handful of entries.
 */
import type { IncarnationId } from './ids.js';

export interface Dot {
  readonly incarnation: IncarnationId;
  readonly counter: number;
}

export type VersionEntry = readonly [incarnation: IncarnationId, counter: number];

/** Sorted by incarnation, each at most once, counters >= 1. */
export type VersionVector = readonly VersionEntry[];

export const EMPTY_VECTOR: VersionVector = [];

/** In a vector over a whole group: every counter that an incarnation, which mints no more, has given. */
export const ALL_COUNTERS = Number.MAX_SAFE_INTEGER;

/** The total order of dots: by incarnation, then counter. Breaks ties, means nothing in time. */
export function compareDots(a: Dot, b: Dot): number {
  if (a.incarnation !== b.incarnation) return a.incarnation < b.incarnation ? -1 : 1;
  return a.counter - b.counter;
}

export function sameDot(a: Dot, b: Dot): boolean {
  return a.counter === b.counter && a.incarnation === b.incarnation;
}

/** The highest counter of an incarnation that the vector has seen, 0 where none. */
export function counterOf(vector: VersionVector, incarnation: IncarnationId): number {
  for (const [id, counter] of vector) if (id === incarnation) return counter;
  return 0;
}

/** Whether the vector has seen the dot. */
export function covers(vector: VersionVector, dot: Dot): boolean {
  return counterOf(vector, dot.incarnation) >= dot.counter;
}

/** Whether `a` has seen everything that `b` has. */
export function dominates(a: VersionVector, b: VersionVector): boolean {
  return b.every(([incarnation, counter]) => counterOf(a, incarnation) >= counter);
}

/** The least vector that dominates both: the element-wise maximum. */
export function join(a: VersionVector, b: VersionVector): VersionVector {
  if (a === b || b.length === 0) return a;
  if (a.length === 0) return b;
  const joined: VersionEntry[] = [];
  let i = 0;
  let j = 0;
  for (;;) {
    const x = a[i];
    const y = b[j];
    if (x === undefined && y === undefined) return joined;
    if (y === undefined || (x !== undefined && x[0] < y[0])) {
      joined.push(x as VersionEntry);
      i++;
    } else if (x === undefined || y[0] < x[0]) {
      joined.push(y);
      j++;
    } else {
      joined.push(x[1] >= y[1] ? x : y);
      i++;
      j++;
    }
  }
}

/** The greatest vector that both dominate: the element-wise minimum, without what one of them has not seen at all. */
export function meet(a: VersionVector, b: VersionVector): VersionVector {
  if (a === b) return a;
  const met: VersionEntry[] = [];
  for (const entry of a) {
    const [incarnation, counter] = entry;
    const other = counterOf(b, incarnation);
    if (other > 0) met.push(other >= counter ? entry : [incarnation, other]);
  }
  return met;
}

/** The vector that has seen the dot as well. */
export function withDot(vector: VersionVector, dot: Dot): VersionVector {
  return join(vector, [[dot.incarnation, dot.counter]]);
}

export function sameVector(a: VersionVector, b: VersionVector): boolean {
  return a.length === b.length && a.every(([id, counter], i) => b[i]?.[0] === id && b[i][1] === counter);
}

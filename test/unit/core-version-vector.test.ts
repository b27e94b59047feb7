import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { incarnationId } from '../../src/core/ids.js';
import {
  compareDots,
  counterOf,
  covers,
  dominates,
  EMPTY_VECTOR,
  join,
  sameDot,
  sameVector,
  withDot,
  type Dot,
  type VersionVector,
} from '../../src/core/version-vector.js';

const name = fc.constantFrom(...['a', 'b', 'c', 'd', 'B'].map(incarnationId));
const counter = fc.integer({ min: 1, max: 5 });
const dot: fc.Arbitrary<Dot> = fc.record({ incarnation: name, counter });
const vector: fc.Arbitrary<VersionVector> = fc.dictionary(name, counter).map((entries) =>
  Object.entries(entries)
    .map(([id, n]) => [incarnationId(id), n] as const)
    .sort(([x], [y]) => (x < y ? -1 : 1)),
);
const ALL_DOTS = ['a', 'b', 'c', 'd', 'B'].flatMap((id) =>
  [1, 2, 3, 4, 5].map((n): Dot => ({ incarnation: incarnationId(id), counter: n })),
);
const dotsOf = (v: VersionVector): Dot[] => ALL_DOTS.filter((d) => covers(v, d));
const isSorted = (v: VersionVector): boolean => v.every(([id], i) => i === 0 || (v[i - 1]?.[0] ?? '') < id);

describe('version vectors', () => {
  it('join is the union of what both have seen, in canonical order', () => {
    fc.assert(
      fc.property(vector, vector, (a, b) => {
        const joined = join(a, b);
        expect(new Set(dotsOf(joined))).toEqual(new Set([...dotsOf(a), ...dotsOf(b)]));
        expect(isSorted(joined)).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });

  it('join is commutative, associative and idempotent, and nothing is its neutral element', () => {
    fc.assert(
      fc.property(vector, vector, vector, (a, b, c) => {
        expect(join(a, b)).toEqual(join(b, a));
        expect(join(join(a, b), c)).toEqual(join(a, join(b, c)));
        expect(join(a, structuredClone(a))).toEqual(a);
        expect(join(a, EMPTY_VECTOR)).toEqual(a);
        expect(join(EMPTY_VECTOR, a)).toEqual(a);
      }),
      { numRuns: 1_000 },
    );
  });

  it('dominates is the partial order of that join', () => {
    fc.assert(
      fc.property(vector, vector, (a, b) => {
        expect(dominates(a, b)).toBe(dotsOf(b).every((d) => covers(a, d)));
        expect(dominates(a, b)).toBe(sameVector(join(a, b), a));
        expect(dominates(a, b) && dominates(b, a)).toBe(sameVector(a, b));
      }),
      { numRuns: 1_000 },
    );
  });

  it('withDot sees the dot, everything below it, and nothing else', () => {
    fc.assert(
      fc.property(vector, dot, (v, d) => {
        const more = withDot(v, d);
        expect(counterOf(more, d.incarnation)).toBe(Math.max(counterOf(v, d.incarnation), d.counter));
        for (const other of ALL_DOTS) {
          const below = other.incarnation === d.incarnation && other.counter <= d.counter;
          expect(covers(more, other)).toBe(below || covers(v, other));
        }
      }),
    );
  });

  it('no operation changes its arguments', () => {
    const a: VersionVector = Object.freeze([Object.freeze([incarnationId('a'), 1] as const)]);
    const b: VersionVector = Object.freeze([Object.freeze([incarnationId('a'), 2] as const)]);
    expect(join(a, b)).toEqual(b);
    expect(withDot(a, { incarnation: incarnationId('b'), counter: 9 })).toHaveLength(2);
  });

  it('an incarnation that was never seen has counter 0', () => {
    expect(counterOf(EMPTY_VECTOR, incarnationId('a'))).toBe(0);
    expect(covers(EMPTY_VECTOR, { incarnation: incarnationId('a'), counter: 1 })).toBe(false);
  });
});

describe('dots', () => {
  it('are totally ordered', () => {
    fc.assert(
      fc.property(dot, dot, dot, (x, y, z) => {
        expect(Math.sign(compareDots(x, y))).toBe(0 - Math.sign(compareDots(y, x)));
        expect(compareDots(x, y) === 0).toBe(sameDot(x, y));
        if (compareDots(x, y) < 0 && compareDots(y, z) < 0) expect(compareDots(x, z)).toBeLessThan(0);
      }),
    );
  });
});

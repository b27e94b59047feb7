/** What of a record may be forgotten, rule by rule; `test/property/floor.test.ts` has them together. */
import { describe, expect, it } from 'vitest';
import { incarnationId, sessionId } from '../../src/core/ids.js';
import { hlcFromWallMs } from '../../src/core/hlc.js';
import { pruneRecord, type Pruning } from '../../src/core/record-pruning.js';
import type { KeyRecord, RecentOperation, Sibling } from '../../src/core/record.js';
import { ALL_COUNTERS, type VersionVector } from '../../src/core/version-vector.js';

const NOW_MS = 1_000_000_000;
const AGE_MS = 120_000;

function vector(entries: Readonly<Record<string, number>>): VersionVector {
  return Object.entries(entries).map(([id, counter]) => [incarnationId(id), counter] as const);
}

function operation(id: string, counter: number, ageMs = 2 * AGE_MS, sequence = counter): RecentOperation {
  return {
    hlc: hlcFromWallMs(NOW_MS - ageMs),
    operation: { session: sessionId(id), sequence },
    dot: { incarnation: incarnationId(id), counter },
  };
}

function sibling(id: string, counter: number, value: string | null, more: Partial<Sibling> = {}): Sibling {
  const bytes = value === null ? null : Buffer.from(value);
  return { ...operation(id, counter), expiresAt: 0, value: bytes, ...more };
}

function record(
  context: Readonly<Record<string, number>>,
  siblings: readonly Sibling[],
  recentOperations: readonly RecentOperation[] = [],
): KeyRecord {
  return { context: vector(context), siblings, recentOperations };
}

function prune(
  of: KeyRecord,
  below: Readonly<Record<string, number>>,
  more: Partial<Pruning> = {},
): KeyRecord | null {
  const prunable = vector(below);
  return pruneRecord(of, { prunable, wallMs: NOW_MS, ageMs: AGE_MS, conflict: 'siblings', ...more });
}

const DELETED = record({ a: 3, b: 7 }, [sibling('b', 7, null)], [operation('a', 3)]);

describe('a deleted key', () => {
  it('goes when all that it has seen is below the floor', () => {
    expect(prune(DELETED, { a: 3, b: 7 })).toBeNull();
    expect(prune(DELETED, { a: 9, b: 7, c: 1 })).toBeNull();
  });

  it.each([[{ a: 2, b: 7 }], [{ a: 3, b: 6 }], [{ b: 7 }], [{}]])('stays as it is above it: %o', (below) => {
    expect(prune(DELETED, below)).toBe(DELETED);
  });

  it('stays while its tombstone, or an operation that it remembers, is young by the wall clock', () => {
    const young = { ...sibling('b', 7, null), ...operation('b', 7, AGE_MS - 1) };
    const tombstone = record({ a: 3, b: 7 }, [young], [operation('a', 3)]);
    expect(prune(tombstone, { a: 3, b: 7 })).toBe(tombstone);
    const remembered = record({ a: 3, b: 7 }, [], [operation('a', 3, AGE_MS - 1)]);
    expect(prune(remembered, { a: 3, b: 7 })).toBe(remembered);
  });

  it('by expiry stays until it has been expired for as long', () => {
    const expired = (agoMs: number): KeyRecord =>
      record({ b: 7 }, [sibling('b', 7, null, { expiresAt: NOW_MS - agoMs })]);
    expect(prune(expired(AGE_MS), { b: 7 })).toBeNull();
    const young = expired(AGE_MS - 1);
    expect(prune(young, { b: 7 })).toBe(young);
  });
});

describe('a tombstone beside values', () => {
  const both = record({ a: 3, b: 7 }, [sibling('a', 3, 'v'), sibling('b', 7, null)]);

  it('goes alone where all values are shown', () => {
    expect(prune(both, { a: 3, b: 7 })?.siblings).toEqual([sibling('a', 3, 'v')]);
  });

  it.each(['lww', 'counter', 'set'] as const)('stays under %s, where it may hide them', (conflict) => {
    expect(prune(both, { a: 3, b: 7 }, { conflict })).toBe(both);
  });
});

describe('a question about a retried operation', () => {
  const asked = (wallMs?: number): KeyRecord => ({
    ...record({ a: 3, b: 7 }, [sibling('b', 7, null)]),
    questions: [operation('a', 3, wallMs)],
  });

  it('goes with the record, and holds it while it is young', () => {
    expect(prune(asked(), { a: 3, b: 7 })).toBeNull();
    const young = asked(AGE_MS - 1);
    expect(prune(young, { a: 3, b: 7 })).toEqual({ ...young, siblings: [] });
  });

  it('goes with its incarnation, unless it hides a sibling', () => {
    const held = { ...record({ a: 3, b: 7 }, [sibling('b', 7, 'v')]), questions: [operation('a', 3)] };
    expect(prune(held, { a: ALL_COUNTERS, b: 7 })).toEqual(record({ b: 7 }, [sibling('b', 7, 'v')]));
    const twin = sibling('b', 7, 'v', { operation: operation('a', 3).operation });
    const hidden: KeyRecord = {
      ...held,
      siblings: [twin],
      questions: [{ ...operation('a', 3), closed: true }],
    };
    expect(prune(hidden, { a: ALL_COUNTERS, b: 7 })).toBe(hidden);
  });
});

describe("an ended incarnation's entry", () => {
  const superseded = record({ a: 3, b: 7 }, [sibling('b', 7, 'v')], [operation('a', 3)]);

  it('goes with the operations it remembers, once all that the record has seen is below the floor', () => {
    expect(prune(superseded, { a: ALL_COUNTERS, b: 7 })).toEqual(record({ b: 7 }, [sibling('b', 7, 'v')]));
  });

  it('stays while the write that superseded its own is above the floor: elsewhere that value may still stand', () => {
    expect(prune(superseded, { a: ALL_COUNTERS, b: 6 })).toBe(superseded);
  });

  it('stays while the incarnation lives, or a sibling carries it', () => {
    expect(prune(superseded, { a: 3, b: 7 })).toBe(superseded);
    expect(prune(superseded, { a: 3, b: ALL_COUNTERS })).toBe(superseded);
  });

  it('stays while the memory of its operation hides a sibling', () => {
    const twin = sibling('b', 7, 'v', { operation: operation('a', 3).operation });
    const hidden = record({ a: 3, b: 7 }, [twin], [operation('a', 3)]);
    expect(prune(hidden, { a: ALL_COUNTERS, b: 7 })).toBe(hidden);
  });
});

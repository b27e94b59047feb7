/**
 * Histories too long for the naive judge, of many clients that often get no answer: one that an object has given is never
 * refuted, and the search ends within its budget. A value that cannot have been read is found.
 */
import { describe, expect, it } from 'vitest';
import { checkLinearizable } from '../../chaos/checkers/linearizability/check-linearizable.js';
import { SeededRandom } from '../../src/simulation/random.js';
import type { Operation, Value } from '../../chaos/history/history.js';
import { casCall, crowdedHistory, setCall } from '../support/crowded-history.js';

const OPERATIONS = 400;
const SEEDS = [1, 2, 3, 4, 5, 6];

const setHistory = (seed: number, info: number): Operation[] =>
  crowdedHistory(new SeededRandom(seed), {
    operations: OPERATIONS,
    processes: 10,
    info,
    initial: [],
    draw: setCall(30),
  });

/** A late read shows what an early one did, as from a replica that was left behind. */
function withStaleRead(operations: readonly Operation[]): Operation[] {
  const reads = operations
    .filter(({ f, outcome }) => f === 'read' && outcome === 'ok')
    .sort((a, b) => a.invokedAt - b.invokedAt);
  const early = reads[Math.floor(reads.length * 0.3)] as Operation;
  const late = reads[Math.floor(reads.length * 0.8)] as Operation;
  return operations.map((o) => (o === late ? { ...o, output: early.output } : o));
}

describe('ten clients at once, many of whom never hear', () => {
  it.each([0.1, 0.2])('a set that was one is found to be, %d of operations unknown', (info) => {
    for (const seed of SEEDS)
      expect(checkLinearizable(setHistory(seed, info), { model: 'set' }).validity, `seed ${seed}`).toBe(
        'valid',
      );
  });

  it.each([0.1, 0.2])('a register with cas that was one is found to be, %d of operations unknown', (info) => {
    for (const seed of SEEDS) {
      const crowd = { operations: OPERATIONS, processes: 10, info, initial: 0, draw: casCall(10) };
      const operations = crowdedHistory(new SeededRandom(seed), crowd);
      const { validity } = checkLinearizable(operations, { model: 'cas-register', initial: 0 });
      expect(validity, `seed ${seed}`).toBe('valid');
    }
  });

  it.each([0.1, 0.2])('a stale read of a set is found by one of its elements, %d unknown', (info) => {
    for (const seed of SEEDS) {
      const operations = withStaleRead(setHistory(seed, info));
      const verdict = checkLinearizable(operations, { model: 'set' });
      expect(verdict, `seed ${seed}`).toMatchObject({
        validity: 'invalid',
        reason: expect.stringMatching(/has no place, for what it says of \d+$/) as string,
      });
      // What it names is a contradiction without the rest, of the whole set too.
      const named = verdict.witness?.operations ?? [];
      expect(named.length).toBeLessThan(OPERATIONS / 4);
      expect(operations).toEqual(expect.arrayContaining([...named]));
    }
  });

  it('each element may have its order, and the set none', () => {
    const whole = (...output: Value[]): Pick<Operation, 'f' | 'input' | 'output'> => ({
      f: 'read',
      input: null,
      output,
    });
    const parts = [
      { f: 'add', input: 1, output: 1, invokedAt: 0, completedAt: 9 },
      { f: 'add', input: 2, output: 2, invokedAt: 1, completedAt: 8 },
      { f: 'remove', input: 3, output: 3, outcome: 'info' as const, invokedAt: 2, completedAt: Infinity },
      { ...whole(1), invokedAt: 3, completedAt: 6 },
      { ...whole(2), invokedAt: 4, completedAt: 7 },
    ];
    const operations = parts.map((part, process): Operation => ({
      index: part.invokedAt,
      process,
      key: undefined,
      outcome: 'ok',
      invokedNs: NaN,
      completedNs: NaN,
      ...part,
    }));
    const verdict = checkLinearizable(operations, { model: 'set' });
    expect(verdict.validity).toBe('invalid');
    expect(verdict.reason).not.toContain('for what it says of');
  });
});

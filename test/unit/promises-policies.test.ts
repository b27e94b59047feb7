/** The checkers of session reads and of the policies lww, counter and set, shown known good and known bad histories. */
import { describe, expect, it } from 'vitest';
import { checkCounterTotal } from '../../chaos/checkers/promises/counter-total.js';
import { checkLastWriterWins } from '../../chaos/checkers/promises/last-writer-wins.js';
import { checkSessionReads } from '../../chaos/checkers/promises/session-reads.js';
import { checkSetElements } from '../../chaos/checkers/promises/set-elements.js';
import type { Operation, Value } from '../../chaos/history/history.js';
import {
  finalRead,
  read,
  remove,
  step,
  told,
  update,
  write,
  type Step,
  type Told,
} from '../support/told-history.js';

const INFO = { outcome: 'info' } as const;
const FAIL = { outcome: 'fail' } as const;

describe('session reads', () => {
  const mine = { process: 1 } as const;
  const other = { process: 2 } as const;

  it('read your writes: the own value, or what another had made of it', () => {
    const history = told(
      write('a', [0, 1], mine),
      read(['a'], [2, 3], mine),
      update('b', [4, 5], { ...other, seen: ['a'] }),
      read(['b'], [6, 7], mine),
      update('c', [8, 9], { ...other, seen: ['b'] }),
      read(['c'], [10, 11], mine),
    );
    expect(checkSessionReads(history, 'read-your-writes')).toMatchObject({ validity: 'valid' });
  });

  it('read your writes: the own value is lacking', () => {
    const history = told(write('a', [0, 1], mine), read([], [2, 3], mine), read([], [4, 5], other));
    const verdict = checkSessionReads(history, 'read-your-writes');
    expect(verdict).toMatchObject({
      validity: 'invalid',
      reason: 'read-your-writes is broken: process 1 lacks a of key k',
    });
    expect(verdict.witness?.operations).toHaveLength(2);
    expect(checkSessionReads(history, 'monotonic-reads')).toMatchObject({ validity: 'valid' });
    const bound = { processes: new Set([2]) };
    expect(checkSessionReads(history, 'read-your-writes', bound)).toMatchObject({ validity: 'valid' });
  });

  it('read your writes: an own delete has not been read', () => {
    const history = told(
      write('a', [0, 1], other),
      remove([2, 3], { ...mine, seen: ['a'] }),
      read(['a'], [4, 5], mine),
    );
    expect(checkSessionReads(history, 'read-your-writes')).toMatchObject({ validity: 'invalid' });
  });

  it('monotonic reads: nothing shown before is lacking, nothing gone comes back', () => {
    const writes = [write('a', [0, 1]), update('b', [2, 3], { seen: ['a'] }), write('c', [4, 5])];
    const reads = (...lists: readonly (readonly Value[])[]): Operation[] =>
      told(...writes, ...lists.map((list, i) => read(list, [10 + 2 * i, 11 + 2 * i], { process: 'p' })));
    const verdictOf = (history: Operation[]): string =>
      checkSessionReads(history, 'monotonic-reads').validity;
    expect(verdictOf(reads([], ['a'], ['a', 'c'], ['b', 'c']))).toBe('valid');
    expect(verdictOf(reads(['a', 'c'], ['a']))).toBe('invalid');
    expect(verdictOf(reads(['b'], ['a']))).toBe('invalid');
    expect(verdictOf(reads(['a'], ['b'], ['b', 'c', 'a']))).toBe('invalid');
    expect(checkSessionReads(reads(['b'], ['a']), 'read-your-writes').validity).toBe('valid');
  });
});

describe('last writer wins', () => {
  it('a concurrent write may win, a later one must', () => {
    const both = [write('a', [0, 5]), write('b', [3, 8])];
    expect(checkLastWriterWins(told(...both, finalRead(['a'], [20, 21])))).toMatchObject({
      validity: 'valid',
    });
    const after = [write('a', [0, 5]), write('b', [6, 8])];
    const wrong = told(...after, finalRead(['a'], [20, 21]));
    expect(checkLastWriterWins(wrong)).toMatchObject({
      validity: 'invalid',
      reason: 'acknowledged write of b to key k lost to the earlier a',
    });
    expect(checkLastWriterWins(wrong, { clockSkewMs: 1 })).toMatchObject({ validity: 'valid' });
    expect(checkLastWriterWins(wrong, { clockSkewMs: 0.5 })).toMatchObject({ validity: 'invalid' });
  });

  it('what had been seen loses, whatever the clocks', () => {
    const history = told(
      write('a', [0, 5]),
      read(['a'], [1, 2]),
      write('b', [3, 8], { seen: ['a'] }),
      finalRead(['a'], [20, 21]),
    );
    expect(checkLastWriterWins(history, { clockSkewMs: 1_000 })).toMatchObject({ validity: 'invalid' });
  });

  it('a write of unknown outcome may win at any time, unless it had been read before', () => {
    const late = [write('a', [0, 1], INFO), write('b', [6, 8])];
    expect(checkLastWriterWins(told(...late, finalRead(['a'], [20, 21])))).toMatchObject({
      validity: 'valid',
    });
    const early = [...late, read(['a'], [2, 3])];
    expect(checkLastWriterWins(told(...early, finalRead(['a'], [20, 21])))).toMatchObject({
      validity: 'invalid',
    });
  });

  it('nothing is shown only where a delete may have come last', () => {
    const deleted = (at: readonly [number, number], about?: Told): Operation[] =>
      told(write('a', [4, 5]), remove(at, about), finalRead([], [20, 21]));
    expect(checkLastWriterWins(deleted([6, 7]))).toMatchObject({ validity: 'valid' });
    expect(checkLastWriterWins(deleted([0, 4.5]))).toMatchObject({ validity: 'valid' });
    expect(checkLastWriterWins(deleted([0, 1]))).toMatchObject({ validity: 'invalid' });
    expect(checkLastWriterWins(deleted([6, 7], FAIL))).toMatchObject({ validity: 'invalid' });
    expect(checkLastWriterWins(deleted([0, 1], INFO))).toMatchObject({ validity: 'valid' });
  });

  it('a delete is a write: what it deleted does not stay', () => {
    const history = told(write('a', [0, 1]), remove([2, 3]), finalRead(['a'], [20, 21]));
    expect(checkLastWriterWins(history)).toMatchObject({
      validity: 'invalid',
      reason: 'acknowledged delete to key k lost to the earlier a',
    });
  });

  it('a read shows one value, at any level', () => {
    const history = told(write('a', [0, 5]), write('b', [3, 8]), read(['a', 'b'], [9, 10]));
    expect(checkLastWriterWins(history, { isQuorumRead: () => false })).toMatchObject({
      validity: 'invalid',
      reason: 'a read of key k shows 2 values',
    });
  });
});

describe('a counter', () => {
  const add = (n: number, at: readonly [number, number], about?: Told): Step => step('add', at, n, n, about);

  it.each<[string, Operation[], number, number[]]>([
    ['all acknowledged', told(add(1, [0, 1]), add(2, [2, 3]), add(-4, [4, 5])), -1, [-2, 0, 3]],
    ['a failed one', told(add(1, [0, 1]), add(1, [2, 3], FAIL)), 1, [0, 2]],
    ['an unknown one, in', told(add(1, [0, 1]), add(5, [2, 3], INFO)), 6, [0, 2, 7]],
    ['an unknown one, out', told(add(1, [0, 1]), add(5, [2, 3], INFO)), 1, [3]],
    ['unknown of both signs', told(add(2, [0, 1], INFO), add(-2, [2, 3], INFO)), -2, [-4, -1, 4]],
  ])('%s', (_name, adds, right, wrongs) => {
    const ending = (total: number): Operation[] => [...adds, ...told(finalRead(total, [20, 21]))];
    expect(checkCounterTotal(ending(right))).toMatchObject({ validity: 'valid' });
    for (const wrong of wrongs)
      expect(checkCounterTotal(ending(wrong)), `${wrong}`).toMatchObject({ validity: 'invalid' });
  });

  it('reads lie between what was acknowledged and what had begun', () => {
    const reading = (total: Value): Operation[] =>
      told(add(1, [0, 1]), add(1, [2, 6]), add(1, [7, 8]), read(total, [4, 5]), finalRead([3], [20, 21]));
    expect(checkCounterTotal(reading(1))).toMatchObject({ validity: 'valid' });
    expect(checkCounterTotal(reading([2]))).toMatchObject({ validity: 'valid' });
    expect(checkCounterTotal(reading(3))).toMatchObject({
      validity: 'invalid',
      reason: 'counter key k reads 3, but only between 1 and 2 is possible',
    });
    expect(checkCounterTotal(reading(0))).toMatchObject({ validity: 'invalid' });
    const weak = { isQuorumRead: () => false };
    expect(checkCounterTotal(reading(0), weak)).toMatchObject({ validity: 'valid' });
    expect(checkCounterTotal(reading(3), weak)).toMatchObject({ validity: 'invalid' });
    expect(checkCounterTotal(reading([1, 1]))).toMatchObject({ validity: 'invalid' });
  });

  it('begins where it is said to, and ends with a final read', () => {
    const history = told(add(1, [0, 1]), finalRead(11, [2, 3]));
    expect(checkCounterTotal(history, { initial: 10 })).toMatchObject({ validity: 'valid' });
    expect(checkCounterTotal(history)).toMatchObject({ validity: 'invalid' });
    expect(checkCounterTotal(history.slice(0, 1))).toMatchObject({ validity: 'unknown' });
  });
});

describe('a set', () => {
  const add = (value: Value, at: readonly [number, number], about?: Told): Step =>
    step('add', at, value, value, about);
  const take = (value: Value, at: readonly [number, number], about?: Told): Step =>
    step('remove', at, value, value, about);
  const ending = (shown: Value, ...steps: readonly Step[]): Operation[] =>
    told(...steps, finalRead(shown, [20, 21]));

  it.each<[string, Operation[]]>([
    ['added', ending(['x', 'y'], add('x', [0, 1]), add('y', [2, 3]))],
    ['removed', ending([], add('x', [0, 1]), take('x', [2, 3]))],
    ['added again', ending(['x'], add('x', [0, 1]), take('x', [2, 3]), add('x', [4, 5]))],
    ['added beside a remove, kept', ending(['x'], add('x', [0, 3]), take('x', [2, 4]))],
    ['added beside a remove, observed', ending([], add('x', [0, 3]), take('x', [2, 4]))],
    ['unknown add', ending(['x'], add('x', [0, 1], INFO), take('x', [2, 4]))],
    ['unknown remove', ending([], take('x', [0, 1], INFO), add('x', [2, 4]))],
    ['remove that had not seen it', ending(['x'], add('x', [0, 1]), take('x', [2, 3], { seen: [] }))],
  ])('may: %s', (_name, history) => {
    expect(checkSetElements(history)).toMatchObject({ validity: 'valid' });
  });

  it.each<[string, string, Operation[]]>([
    ['lost', 'acknowledged element x of key k is lost', ending([], add('x', [0, 1]))],
    [
      'lost after it was added again',
      'acknowledged element x of key k is lost',
      ending([], add('x', [0, 1]), take('x', [2, 3]), add('x', [4, 5])),
    ],
    [
      'lost in a read between',
      'acknowledged element x of key k is lost',
      ending(['x'], add('x', [0, 1]), read([], [2, 3])),
    ],
    [
      'lost to a remove that failed',
      'acknowledged element x of key k is lost',
      ending([], add('x', [0, 1]), take('x', [2, 3], FAIL)),
    ],
    ['back', 'removed element x of key k is back', ending(['x'], add('x', [0, 1]), take('x', [2, 3]))],
    ['from nowhere', 'element z of key k comes from nowhere', ending(['z'], add('z', [0, 1], FAIL))],
    [
      'from a later add',
      'element x of key k comes from nowhere',
      ending(['x'], read(['x'], [0, 1]), add('x', [2, 3])),
    ],
    ['twice', 'element x of key k is there twice', ending(['x', 'x'], add('x', [0, 1]))],
  ])('may not: %s', (_name, reason, history) => {
    expect(checkSetElements(history)).toMatchObject({ validity: 'invalid', reason });
  });

  it('weak reads may lack, but not invent; removes may be promised less', () => {
    const lacking = ending(['x'], add('x', [0, 1]), read([], [2, 3]));
    expect(checkSetElements(lacking, { isQuorumRead: () => false })).toMatchObject({ validity: 'valid' });
    const back = ending(['x'], add('x', [0, 1]), take('x', [2, 3]));
    expect(checkSetElements(back, { removesObserveAcknowledged: false })).toMatchObject({
      validity: 'valid',
    });
    expect(checkSetElements(told(add('x', [0, 1])))).toMatchObject({ validity: 'unknown' });
  });
});

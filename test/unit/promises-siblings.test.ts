/** The checkers of what a store with siblings promises, shown known good and known bad histories. */
import { describe, expect, it } from 'vitest';
import { checkAcknowledgedKept } from '../../chaos/checkers/promises/acknowledged-kept.js';
import { checkConvergence } from '../../chaos/checkers/promises/convergence.js';
import { checkFreshness, measureFreshness } from '../../chaos/checkers/promises/freshness.js';
import { checkLostUpdates } from '../../chaos/checkers/promises/lost-updates.js';
import { checkNoDoubledEffect } from '../../chaos/checkers/promises/no-doubled-effect.js';
import { checkNoResurrection } from '../../chaos/checkers/promises/no-resurrection.js';
import { checkNothingFromNowhere } from '../../chaos/checkers/promises/nothing-from-nowhere.js';
import { cas, finalRead, read, remove, told, update, write } from '../support/told-history.js';

const INFO = { outcome: 'info' } as const;

describe('acknowledged writes are kept', () => {
  it('shown, superseded, deleted, or superseded by what is shown', () => {
    const history = told(
      write('a', [0, 1]),
      write('b', [2, 3], { seen: ['a'] }),
      write('c', [4, 5], { seen: ['b'], ...INFO }),
      write('x', [6, 7]),
      remove([8, 9], { seen: ['x'], ...INFO }),
      finalRead(['c'], [20, 21]),
    );
    expect(checkAcknowledgedKept(history)).toMatchObject({ validity: 'valid' });
  });

  it('a value that nobody had seen is gone', () => {
    const verdict = checkAcknowledgedKept(
      told(write('a', [0, 1]), write('b', [2, 3]), finalRead(['b'], [9, 10])),
    );
    expect(verdict).toMatchObject({
      validity: 'invalid',
      reason: 'acknowledged write of a to key k is lost',
    });
    expect(verdict.witness?.lines).toEqual([
      'process 0 wrote a (begun at 0.0 ms, acknowledged at 1.0 ms)',
      'process judge read key k from 9.0 ms to 10.0 ms and was shown [b], the last time',
      'no write had seen a, so none can have superseded it',
    ]);
    expect(verdict.witness?.operations).toHaveLength(2);
  });

  it('the only write that had seen it has vanished itself', () => {
    const history = told(
      write('a', [0, 1]),
      write('b', [2, 3], { seen: ['a'], ...INFO }),
      finalRead([], [9, 10]),
    );
    expect(checkAcknowledgedKept(history)).toMatchObject({ validity: 'invalid' });
  });

  it('a write that failed superseded nothing', () => {
    const history = told(
      write('a', [0, 1]),
      remove([2, 3], { seen: ['a'], outcome: 'fail' }),
      finalRead([], [9, 10]),
    );
    expect(checkAcknowledgedKept(history)).toMatchObject({ validity: 'invalid' });
  });

  it('unknown or failed writes may be gone', () => {
    const history = told(
      write('a', [0, 1], INFO),
      write('b', [2, 3], { outcome: 'fail' }),
      finalRead([], [9, 10]),
    );
    expect(checkAcknowledgedKept(history)).toMatchObject({ validity: 'valid' });
  });

  it('without a final read, or with a value written twice, nobody knows', () => {
    expect(checkAcknowledgedKept(told(write('a', [0, 1])))).toMatchObject({ validity: 'unknown' });
    const twice = told(write('a', [0, 1]), write('a', [2, 3]), finalRead(['a'], [9, 10]));
    expect(checkAcknowledgedKept(twice)).toMatchObject({ validity: 'unknown' });
  });
});

describe('nothing is resurrected', () => {
  it('a read that overlaps the delete may still show the value', () => {
    const history = told(
      write('a', [0, 1]),
      remove([2, 6], { seen: ['a'] }),
      read(['a'], [5, 9]),
      finalRead([], [20, 21]),
    );
    expect(checkNoResurrection(history)).toMatchObject({ validity: 'valid' });
  });

  it('a deleted value is back in a later read', () => {
    const history = told(write('a', [0, 1]), remove([2, 3], { seen: ['a'] }), read(['a'], [5, 6]));
    const verdict = checkNoResurrection(history);
    expect(verdict).toMatchObject({
      validity: 'invalid',
      reason: 'superseded value a of key k is back',
    });
    expect(verdict.witness?.lines).toEqual([
      'process 0 wrote a (begun at 0.0 ms, acknowledged at 1.0 ms)',
      'process 1 deleted (begun at 2.0 ms, acknowledged at 3.0 ms, had seen a): that superseded a',
      'process 2 read key k from 5.0 ms to 6.0 ms and was shown [a]',
    ]);
    expect(checkNoResurrection(history, { isQuorumRead: () => false })).toMatchObject({
      validity: 'valid',
    });
  });

  it('over a write of unknown outcome that the acknowledged one had seen', () => {
    const history = told(
      write('a', [0, 1]),
      write('b', [2, 3], { seen: ['a'], ...INFO }),
      write('c', [4, 5], { seen: ['b'] }),
      finalRead(['a', 'c'], [8, 9]),
    );
    expect(checkNoResurrection(history)).toMatchObject({ validity: 'invalid' });
  });

  it('no read of any level shows a value beside one that had seen it', () => {
    const history = told(
      write('a', [0, 1]),
      write('b', [2, 3], { seen: ['a'], ...INFO }),
      read(['a', 'b'], [4, 5]),
    );
    expect(checkNoResurrection(history, { isQuorumRead: () => false })).toMatchObject({
      validity: 'invalid',
    });
  });
});

describe('nothing comes from nowhere', () => {
  it.each([
    ['never written', told(write('a', [0, 1]), read(['z'], [2, 3]))],
    ['failed', told(write('a', [0, 1], { outcome: 'fail' }), read(['a'], [2, 3]))],
    ['begun later', told(read(['a'], [0, 1]), write('a', [2, 3]))],
    ['of another key', told(write('a', [0, 1], { key: 'other' }), read(['a'], [2, 3]))],
  ])('%s', (_name, history) => {
    expect(checkNothingFromNowhere(history)).toMatchObject({ validity: 'invalid' });
  });

  it('unknown writes may show, also before they end, and initial values are known', () => {
    const history = told(
      write('a', [0, 1], INFO),
      write('b', [2, 9]),
      read(['a', 'b'], [3, 4]),
      read(['zero'], [0, 1], { key: 'z' }),
    );
    expect(checkNothingFromNowhere(history, { initial: ['zero'] })).toMatchObject({ validity: 'valid' });
    expect(checkNothingFromNowhere(history)).toMatchObject({ validity: 'invalid' });
  });
});

describe('no effect is doubled', () => {
  it('a value twice in one read', () => {
    const history = told(write('a', [0, 1]), read(['a', 'a'], [2, 3]));
    expect(checkNoDoubledEffect(history)).toMatchObject({
      validity: 'invalid',
      reason: 'value a of key k is there twice',
    });
  });

  it('a retry brings a superseded value back', () => {
    const history = told(
      write('a', [0, 9]),
      read(['a'], [1, 2]),
      write('b', [3, 4], { seen: ['a'] }),
      read(['a', 'b'], [10, 11]),
    );
    expect(checkNoDoubledEffect(history)).toMatchObject({
      validity: 'invalid',
      reason: 'superseded value a of key k came back through a retry',
    });
  });

  it('a resurrection that no retry explains is left to the other checker', () => {
    const history = told(write('a', [0, 1]), remove([2, 3], { seen: ['a'] }), read(['a'], [5, 6]));
    expect(checkNoDoubledEffect(history)).toMatchObject({ validity: 'valid' });
  });
});

describe('freshness', () => {
  const stale = told(
    write('a', [0, 1]),
    write('b', [10, 11], { seen: ['a'] }),
    write('c', [20, 21], { seen: ['b'] }),
    read(['a'], [31, 32]),
    read(['c'], [33, 34]),
  );

  it('measures how long ago what is shown was superseded, and by how many versions', () => {
    const report = measureFreshness(stale);
    expect(report).toMatchObject({ reads: 2, staleMsMax: 20, versionsMax: 2 });
    const verdict = checkFreshness(stale);
    expect(verdict).toMatchObject({
      validity: 'invalid',
      reason: '1 of 2 reads stale, by up to 20.0 ms and 2 versions',
    });
    expect(verdict.witness?.lines.at(-1)).toContain('was shown [a]');
  });

  it('lets pass what is not promised, or within the bound', () => {
    expect(checkFreshness(stale, { promised: false })).toMatchObject({
      validity: 'valid',
      reason: '1 of 2 reads stale, by up to 20.0 ms and 2 versions; none promised',
    });
    expect(checkFreshness(stale, { staleMsMax: 20 })).toMatchObject({ validity: 'valid' });
    expect(checkFreshness(stale, { staleMsMax: 19 })).toMatchObject({ validity: 'invalid' });
  });

  it('a read that shows nothing lacks everything back to the first write', () => {
    const history = told(write('a', [0, 1]), write('b', [10, 11], { seen: ['a'] }), read([], [31, 32]));
    expect(measureFreshness(history)).toMatchObject({ staleMsMax: 30, versionsMax: 2 });
  });

  it('something that may have superseded it will do, but must show', () => {
    const writes = [write('a', [0, 1]), write('b', [2, 3], { seen: ['a'], ...INFO })];
    expect(checkFreshness(told(...writes, read(['b'], [5, 6])))).toMatchObject({ validity: 'valid' });
    expect(checkFreshness(told(...writes, read(['a'], [5, 6])))).toMatchObject({ validity: 'valid' });
    expect(checkFreshness(told(...writes, read([], [5, 6])))).toMatchObject({ validity: 'invalid' });
  });

  it('a delete under way may hide a value, one that begins later may not', () => {
    const history = (at: readonly [number, number]): ReturnType<typeof told> =>
      told(write('a', [0, 1]), read([], [4, 6]), remove(at, { seen: ['a'] }));
    expect(checkFreshness(history([5, 9]))).toMatchObject({ validity: 'valid' });
    expect(checkFreshness(history([7, 9]))).toMatchObject({ validity: 'invalid' });
  });

  it('a value shown after its delete was acknowledged is stale', () => {
    const history = told(write('a', [0, 1]), remove([2, 3], { seen: ['a'] }), read(['a'], [8, 9]));
    expect(measureFreshness(history)).toMatchObject({ staleMsMax: 5, versionsMax: 1 });
  });

  it('a history without times knows versions only', () => {
    const timeless = stale.map((operation) => ({ ...operation, invokedNs: NaN, completedNs: NaN }));
    expect(checkFreshness(timeless, { staleMsMax: 1_000 })).toMatchObject({
      validity: 'invalid',
      reason: '1 of 2 reads stale, by up to 2 versions',
    });
  });
});

describe('updates are not lost', () => {
  it('siblings: both stand, or a later write had seen both', () => {
    const both = [
      write('a', [0, 1]),
      update('b', [2, 5], { seen: ['a'] }),
      update('c', [3, 6], { seen: ['a'] }),
    ];
    expect(checkLostUpdates(told(...both, finalRead(['b', 'c'], [9, 10])))).toMatchObject({
      validity: 'valid',
    });
    const merged = [...both, update('d', [7, 8], { seen: ['b', 'c'] })];
    expect(checkLostUpdates(told(...merged, finalRead(['d'], [9, 10])))).toMatchObject({
      validity: 'valid',
    });
    const lost = checkLostUpdates(told(...both, finalRead(['c'], [9, 10])));
    expect(lost).toMatchObject({
      validity: 'invalid',
      reason: 'update lost on key k: b, made from a',
    });
    expect(checkLostUpdates(told(...both, read(['c'], [9, 10])))).toMatchObject({ validity: 'unknown' });
  });

  it('register: two swaps of the same value cannot both have succeeded', () => {
    const swaps = (outcome: 'ok' | 'fail'): ReturnType<typeof told> =>
      told(
        write(1, [0, 1]),
        cas(1, 2, [2, 5]),
        cas(1, 3, [3, 6], { outcome }),
        cas(2, 4, [7, 8]),
        read(4, [9, 10]),
      );
    expect(checkLostUpdates(swaps('fail'))).toMatchObject({ validity: 'valid' });
    expect(checkLostUpdates(swaps('ok'))).toMatchObject({
      validity: 'invalid',
      reason: 'update lost on key k: one of 2 and 3, made from 1',
    });
  });

  it('register: absence may come back after a delete', () => {
    const history = told(
      update('a', [0, 1], { seen: [] }),
      remove([2, 3], { seen: ['a'] }),
      update('b', [4, 5], { seen: [] }),
      read('b', [6, 7]),
    );
    expect(checkLostUpdates(history)).toMatchObject({ validity: 'valid' });
    expect(checkLostUpdates(history.filter((operation) => operation.f !== 'delete'))).toMatchObject({
      validity: 'invalid',
    });
  });
});

describe('convergence', () => {
  const copy = (...records: readonly (readonly [string, string])[]): Map<string, string> => new Map(records);

  it('all agree', () => {
    const copies = new Map([
      ['n1', copy(['a', '01ff'], ['b', '02'])],
      ['n2', copy(['b', '02'], ['a', '01ff'])],
    ]);
    expect(checkConvergence(copies)).toMatchObject({ validity: 'valid' });
  });

  it('says which keys, and which nodes hold what', () => {
    const copies = new Map([
      ['n1', copy(['a', '01ff'], ['b', '02'])],
      ['n2', copy(['a', '01ff'])],
      ['n3', copy(['a', '01fe'], ['b', '02'])],
    ]);
    const verdict = checkConvergence(copies);
    expect(verdict).toMatchObject({
      validity: 'invalid',
      reason: 'replicas differ in 2 of 2 keys, the first is a',
    });
    expect(verdict.witness?.lines).toEqual([
      'key a',
      '  n1, n2: 2 bytes, 01ff',
      '  n3: 2 bytes, 01fe',
      'key b',
      '  n1, n3: 1 byte, 02',
      '  n2: nothing',
    ]);
  });

  it('long records are told from where they differ', () => {
    const zeros = '00'.repeat(100);
    const copies = new Map([
      ['n1', copy(['a', `${zeros}aa`])],
      ['n2', copy(['a', `${zeros}ab`])],
    ]);
    expect(checkConvergence(copies).witness?.lines[1]).toBe('  n1: 101 bytes, from byte 100 on aa');
  });
});

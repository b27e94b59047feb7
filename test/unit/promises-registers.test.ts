/** The checkers of registers with a leader, shown known good and known bad histories. */
import { describe, expect, it } from 'vitest';
import { checkExpiry } from '../../chaos/checkers/promises/expiry.js';
import { checkRegistersKept } from '../../chaos/checkers/promises/registers-kept.js';
import type { Operation } from '../../chaos/history/history.js';
import { finalRead, read, told, write, type Step } from '../support/told-history.js';

describe('registers kept', () => {
  it('the last write, or one that overlaps it, is what is left', () => {
    const history = told(
      write('a', [0, 1]),
      write('b', [2, 5]),
      write('c', [3, 4]),
      finalRead(['b'], [8, 9]),
    );
    expect(checkRegistersKept(history, 'promised')).toMatchObject({ validity: 'valid' });
  });

  it('what began after the write that is left had ended is lost', () => {
    const history = told(write('a', [0, 1]), write('b', [2, 3]), finalRead(['a'], [8, 9]));
    expect(checkRegistersKept(history, 'promised')).toMatchObject({
      validity: 'invalid',
      reason: 'acknowledged write to key k is lost',
    });
  });

  it('all of them are lost where nothing is left, and are counted where that may be', () => {
    const history = told(
      write('a', [0, 1]),
      write('b', [2, 3]),
      write('c', [4, 5], { outcome: 'info' }),
      finalRead([], [8, 9]),
    );
    expect(checkRegistersKept(history, 'promised')).toMatchObject({ validity: 'invalid' });
    expect(checkRegistersKept(history, 'reported')).toMatchObject({
      validity: 'valid',
      reason: expect.stringMatching(/^found 2 acknowledged writes lost by fail-overs of 2/) as string,
    });
  });

  it('a write of unknown outcome that is left may have come last', () => {
    const history = told(
      write('a', [0, 1], { outcome: 'info' }),
      write('b', [2, 3]),
      finalRead(['a'], [8, 9]),
    );
    expect(checkRegistersKept(history, 'promised')).toMatchObject({ validity: 'valid' });
  });
});

describe('expiry', () => {
  /** Positions of the history as tenths of a second. */
  const timed = (...steps: readonly Step[]): Operation[] =>
    told(...steps).map((operation) => ({
      ...operation,
      invokedNs: operation.invokedAt * 1e8,
      completedNs: operation.completedAt * 1e8,
    }));
  const options = { ttlMs: 1_000, slackMs: 200 };

  it('a value is there until its time has come, and then it is not', () => {
    const history = timed(write('a', [0, 1]), read(['a'], [7, 8]), read([], [20, 21]));
    expect(checkExpiry(history, options)).toMatchObject({ validity: 'valid' });
  });

  it.each([
    ['is gone too soon', [write('a', [0, 1]), read([], [3, 4])]],
    ['is shown too late', [write('a', [0, 1]), read(['a'], [30, 31])]],
    ['is back', [write('a', [0, 1]), read([], [11, 12]), read(['a'], [12.5, 12.8])]],
  ] as const)('a value %s', (what, steps) => {
    expect(checkExpiry(timed(...steps), options)).toMatchObject({
      validity: 'invalid',
      reason: `a of key k ${what}`,
    });
  });
});

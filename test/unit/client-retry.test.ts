import { describe, expect, test } from 'vitest';
import { decideRetry, pauseMs } from '../../src/client/retry.js';
import { ERRORS, TrefoilError, type ErrorCode } from '../../src/core/errors.js';
import { RETRIES_MAX, RETRY_BACKOFF_MS_MAX, RETRY_BACKOFF_MS_MIN } from '../../src/core/limits.js';
import type { Random } from '../../src/runtime/runtime.js';

const always = (value: number): Random => ({ float: () => value, integer: () => 0, text: () => '' });
const almostOne = always(0.999_999);

describe('what is retried', () => {
  test.each(Object.keys(ERRORS) as ErrorCode[])('%s: exactly where the registry says so', (code) => {
    const decision = decideRetry(new TrefoilError(code, 'x'), 1, 60_000, almostOne);
    expect(decision.type).toBe(ERRORS[code].retryable ? 'retry' : 'give-up');
  });

  test('nothing beyond the number of retries, whatever time is left', () => {
    const error = new TrefoilError('ConnectionLost', 'x');
    expect(decideRetry(error, RETRIES_MAX - 1, 60_000, almostOne).type).toBe('retry');
    expect(decideRetry(error, RETRIES_MAX, 60_000, almostOne).type).toBe('give-up');
  });

  test('nothing that would start after the deadline', () => {
    const error = new TrefoilError('Overloaded', 'x', { retryAfterMs: 100 });
    expect(decideRetry(error, 0, 100, almostOne).type).toBe('give-up');
    expect(decideRetry(error, 0, 200, almostOne).type).toBe('retry');
  });
});

describe('when', () => {
  test('a lost connection is followed at once the first time, with a pause after that', () => {
    const error = new TrefoilError('ConnectionLost', 'x');
    expect(decideRetry(error, 0, 1000, almostOne)).toEqual({ type: 'retry', afterMs: 0, elsewhere: true });
    const second = decideRetry(error, 1, 1000, almostOne);
    expect(second.type === 'retry' && second.afterMs).toBeGreaterThan(RETRY_BACKOFF_MS_MIN);
  });

  test('never before the retry-after of the node', () => {
    const error = new TrefoilError('Overloaded', 'x', { retryAfterMs: 250 });
    const decision = decideRetry(error, 0, 1000, always(0));
    expect(decision).toEqual({ type: 'retry', afterMs: 250, elsewhere: true });
  });

  test('a stale map is retried on whichever replica the new map says', () => {
    const decision = decideRetry(new TrefoilError('StaleMap', 'x'), 0, 1000, almostOne);
    expect(decision).toEqual({ type: 'retry', afterMs: 0, elsewhere: false });
  });

  test('the pause doubles up to its limit, and the jitter is full', () => {
    expect(pauseMs(0, 0, always(0))).toBe(0);
    expect(pauseMs(0, 0, always(0.5))).toBe(RETRY_BACKOFF_MS_MIN / 2);
    expect(pauseMs(3, 0, always(0.5))).toBe(RETRY_BACKOFF_MS_MIN * 4);
    expect(pauseMs(1000, 0, always(0.5))).toBe(RETRY_BACKOFF_MS_MAX / 2);
    expect(pauseMs(0, 40, always(0.5))).toBe(40 + RETRY_BACKOFF_MS_MIN / 2);
  });
});

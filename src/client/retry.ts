/**
 * What may be tried again, when, and where. Pure: the caller brings the error, its count and its randomness.
 *
 * A retry is safe by construction: reads have no effect, a `failed` write had none, and a write whose
 * outcome is unknown carries its operation id, by which the nodes recognise it. So the question is only
 * whether another attempt can help (`retryable`) and when.
 *
 * Exponential backoff with full jitter (M. Brooker, "Exponential Backoff and Jitter", 2015): clients that
 * failed together must not come back together. An error that says "ask another" is followed at once, once.
 */
import type { ErrorCode, TrefoilError } from '../core/errors.js';
import { RETRIES_MAX, RETRY_BACKOFF_MS_MAX, RETRY_BACKOFF_MS_MIN } from '../core/limits.js';
import type { Random } from '../runtime/runtime.js';

export type RetryDecision =
  | { readonly type: 'give-up' }
  /** `elsewhere`: prefer another replica than the one that gave this error. */
  | { readonly type: 'retry'; readonly afterMs: number; readonly elsewhere: boolean };

/** Errors that say nothing about the next replica. */
const ELSEWHERE: ReadonlySet<ErrorCode> = new Set([
  'ConnectionLost',
  'NotReplica',
  'ShuttingDown',
  'NodeReadOnly',
  'StorageFull',
  'StorageFailed',
  'RecordCorrupt',
  'Overloaded',
  'QuorumUnavailable',
  'ReplicasRefilling',
  'SessionNotSatisfied',
  'NotLeader',
  'NoLeader',
  'TooStale',
]);

/** Errors that the first retry follows without a pause. */
const AT_ONCE: ReadonlySet<ErrorCode> = new Set([
  'ConnectionLost',
  'StaleMap',
  'NotReplica',
  'ShuttingDown',
  'NodeReadOnly',
  'StorageFull',
  'RecordCorrupt',
  'SessionNotSatisfied',
  'TooStale',
]);

const GIVE_UP: RetryDecision = { type: 'give-up' };

/**
 * What to do after `error`, the answer to a call that was retried `retries` times before and has
 * `remainingMs` of its time budget left. A retry never starts after the budget.
 */
export function decideRetry(
  error: TrefoilError,
  retries: number,
  remainingMs: number,
  random: Random,
): RetryDecision {
  if (!error.retryable || retries >= RETRIES_MAX) return GIVE_UP;
  const atOnce = retries === 0 && AT_ONCE.has(error.code) && error.retryAfterMs === undefined;
  const afterMs = atOnce ? 0 : pauseMs(retries, error.retryAfterMs ?? 0, random);
  if (afterMs >= remainingMs) return GIVE_UP;
  return { type: 'retry', afterMs, elsewhere: ELSEWHERE.has(error.code) };
}

/** At least `floorMs`, plus a uniform share of the backoff that doubles with each retry up to its limit. */
export function pauseMs(retries: number, floorMs: number, random: Random): number {
  const backoff = Math.min(RETRY_BACKOFF_MS_MAX, RETRY_BACKOFF_MS_MIN * 2 ** Math.min(retries, 20));
  return floorMs + random.float() * backoff;
}

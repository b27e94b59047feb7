/**
 * Phi-accrual failure detector (Hayashibara, Défago, Yared and Katayama, 2004), one for each peer.
 *
 * Instead of "up" or "down" it says how surprising a peer's silence is, given the heartbeats before it:
 * phi 1 is a silence that one in ten intervals would show by chance, phi 8 one in a hundred million. It
 * learns each link's own rhythm, which a fixed time-out cannot. The distribution is the normal one with
 * the logistic approximation of its tail that Akka made known; the formula here is algebraically the
 * same, but written so that it neither overflows nor loses its small values.
 *
 * Pure: time is passed in, from a monotonic clock. Feed it only what is sent on schedule (heartbeats), not
 * every message: a busy minute would teach it intervals of microseconds, and the next idle second would be an outage.
 */
import { invariant } from '../core/invariant.js';
import { HEARTBEAT_INTERVALS_MAX } from '../core/limits.js';

export interface FailureDetectorOptions {
  /** The interval at which the peer is told to send heartbeats: the guess until there are measurements. */
  readonly expectedIntervalMs: number;
  /** The spread that is assumed at least, so that a very regular peer is not suspected at its first hiccup. */
  readonly stdDevMsMin: number;
  /** Silence that is always excused on top of the mean interval: garbage collection, a slow fsync. */
  readonly acceptablePauseMs: number;
  /** The phi from which the peer counts as unavailable. */
  readonly threshold: number;
}

export class FailureDetector {
  readonly #options: FailureDetectorOptions;
  /** The latest intervals, a ring once it is full. */
  readonly #intervalsMs: number[];
  #oldest = 0;
  #meanMs = 0;
  #stdDevMs = 0;
  #lastMs: number | undefined;

  constructor(options: FailureDetectorOptions) {
    this.#options = options;
    // Two intervals around the guess, a quarter to either side: a wide spread until measurements narrow it.
    const guessMs = options.expectedIntervalMs;
    this.#intervalsMs = [guessMs * 0.75, guessMs * 1.25];
    this.#measure();
  }

  /** A heartbeat arrived now. One that is older than the last is ignored. */
  heartbeat(nowMs: number): void {
    invariant(Number.isFinite(nowMs), 'the time of a heartbeat is finite');
    const lastMs = this.#lastMs;
    if (lastMs !== undefined && nowMs < lastMs) return;
    // An interval that ends an outage tells of the outage, not of the link: learnt, it would excuse the next one.
    if (lastMs !== undefined && this.available(nowMs)) {
      this.#remember(nowMs - lastMs);
      this.#measure();
    }
    this.#lastMs = nowMs;
  }

  /** How surprising the silence until now is: 0 to Infinity, never NaN, growing with time; 0 before the first heartbeat. */
  phi(nowMs: number): number {
    if (this.#lastMs === undefined) return 0;
    const silenceMs = Math.max(0, nowMs - this.#lastMs);
    return phiOfSilence(silenceMs, this.#meanMs + this.#options.acceptablePauseMs, this.#stdDevMs);
  }

  /** Whether phi is below the threshold. */
  available(nowMs: number): boolean {
    return this.phi(nowMs) < this.#options.threshold;
  }

  #remember(intervalMs: number): void {
    if (this.#intervalsMs.length < HEARTBEAT_INTERVALS_MAX) {
      this.#intervalsMs.push(intervalMs);
      return;
    }
    this.#intervalsMs[this.#oldest] = intervalMs;
    this.#oldest = (this.#oldest + 1) % HEARTBEAT_INTERVALS_MAX;
  }

  // From scratch each time: running sums of fractions drift over months, and a heartbeat is rare.
  #measure(): void {
    const count = this.#intervalsMs.length;
    const meanMs = this.#intervalsMs.reduce((sum, ms) => sum + ms, 0) / count;
    const variance = this.#intervalsMs.reduce((sum, ms) => sum + (ms - meanMs) ** 2, 0) / count;
    this.#meanMs = meanMs;
    this.#stdDevMs = Math.max(Math.sqrt(variance), this.#options.stdDevMsMin);
  }
}

/**
 * -log10 of the probability that a normally distributed interval is longer than `silenceMs`.
 *
 * The logistic approximation of that probability is 1 / (1 + e^x) with x = y (1.5976 + 0.070566 y²) and
 * y = (silence - mean) / deviation. Its negative logarithm is log(1 + e^x), here without ever computing a
 * large e^x. `stdDevMs` must be above 0.
 */
export function phiOfSilence(silenceMs: number, meanMs: number, stdDevMs: number): number {
  const y = (silenceMs - meanMs) / stdDevMs;
  const x = y * (1.5976 + 0.070566 * y * y);
  return (Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))) / Math.LN10;
}

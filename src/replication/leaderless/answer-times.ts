/**
 * How long the peers of a group have taken to answer lately, and from that how long to wait for one before a spare
 * replica is asked as well: speculative retry by percentile, as Cassandra has it ("hedged requests" in Dean and Barroso,
 * "The Tail at Scale", 2013).
 *
 * The measure is the fastest peer: its 99th percentile. One percentile over all peers was rejected: a replica that
 * is slow for long would soon be the measure of its own slowness. When all are slow, as under overload, the fastest is
 * so too, and the wait grows with it: at most one answer in a hundred of that peer makes for an extra question.
 */
import type { NodeId } from '../../core/ids.js';
import {
  ANSWER_TIMES_STRIDE,
  ANSWER_TIMES_WINDOW,
  SPECULATE_MS_MAX,
  SPECULATE_MS_MIN,
  SPECULATE_PERCENTILE,
} from './tuning.js';

interface PeerTimes {
  /** The latest answers' times, as a ring. */
  readonly latest: Float64Array;
  seen: number;
  /** Of the window when it was last computed; Infinity before that. */
  percentileMs: number;
}

export class AnswerTimes {
  readonly #peers = new Map<NodeId, PeerTimes>();
  #delayMs = SPECULATE_MS_MAX;

  /** How long to wait before a spare replica is asked. */
  get delayMs(): number {
    return this.#delayMs;
  }

  /** A peer has answered. */
  took(peer: NodeId, tookMs: number): void {
    const times = this.#timesOf(peer);
    times.latest[times.seen % ANSWER_TIMES_WINDOW] = tookMs;
    times.seen++;
    if (times.seen % ANSWER_TIMES_STRIDE !== 0) return;
    const window = times.latest.slice(0, Math.min(times.seen, ANSWER_TIMES_WINDOW)).sort();
    times.percentileMs = window[Math.ceil(window.length * SPECULATE_PERCENTILE) - 1] ?? Infinity;
    const fastestMs = Math.min(...[...this.#peers.values()].map(({ percentileMs }) => percentileMs));
    this.#delayMs = Math.min(Math.max(fastestMs, SPECULATE_MS_MIN), SPECULATE_MS_MAX);
  }

  #timesOf(peer: NodeId): PeerTimes {
    let times = this.#peers.get(peer);
    if (times === undefined) {
      times = { latest: new Float64Array(ANSWER_TIMES_WINDOW), seen: 0, percentileMs: Infinity };
      this.#peers.set(peer, times);
    }
    return times;
  }
}

/** When a spare replica is asked: the percentile of the fastest peer, within its bounds, over a bounded window. */
import { describe, expect, it } from 'vitest';
import { nodeId } from '../../src/core/ids.js';
import { AnswerTimes } from '../../src/replication/leaderless/answer-times.js';
import {
  ANSWER_TIMES_STRIDE,
  ANSWER_TIMES_WINDOW,
  SPECULATE_MS_MAX,
  SPECULATE_MS_MIN,
} from '../../src/replication/leaderless/tuning.js';

const [a, b] = [nodeId('a'), nodeId('b')];

function took(times: AnswerTimes, peer: typeof a, tookMs: readonly number[]): void {
  for (const ms of tookMs) times.took(peer, ms);
}

function ramp(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

describe('the wait before a spare replica is asked', () => {
  it('is the longest until enough answers were seen', () => {
    const times = new AnswerTimes();
    took(times, a, Array<number>(ANSWER_TIMES_STRIDE - 1).fill(10));
    expect(times.delayMs).toBe(SPECULATE_MS_MAX);
    times.took(a, 10);
    expect(times.delayMs).toBe(10);
  });

  it('is a percentile: one slow answer in a hundred does not move it, two do', () => {
    const times = new AnswerTimes();
    took(times, a, [50, ...Array<number>(ANSWER_TIMES_WINDOW - 1).fill(10)]);
    expect(times.delayMs).toBe(10);
    took(times, a, [50, 50, ...Array<number>(ANSWER_TIMES_WINDOW - 2).fill(10)]);
    expect(times.delayMs).toBe(50);
  });

  it("is the fastest peer's: one slow replica is not the measure of its own slowness", () => {
    const times = new AnswerTimes();
    took(times, b, Array<number>(ANSWER_TIMES_WINDOW).fill(55));
    expect(times.delayMs).toBe(55);
    took(times, a, Array<number>(ANSWER_TIMES_STRIDE).fill(12));
    expect(times.delayMs).toBe(12);
    took(times, b, Array<number>(ANSWER_TIMES_WINDOW).fill(900));
    expect(times.delayMs).toBe(12);
  });

  it('keeps within its bounds', () => {
    const times = new AnswerTimes();
    took(times, a, Array<number>(ANSWER_TIMES_WINDOW).fill(0.2));
    expect(times.delayMs).toBe(SPECULATE_MS_MIN);
    took(times, a, Array<number>(ANSWER_TIMES_WINDOW).fill(5_000));
    expect(times.delayMs).toBe(SPECULATE_MS_MAX);
  });

  it('forgets what is older than its window, and sorts by size, not by digits', () => {
    const times = new AnswerTimes();
    took(times, a, Array<number>(ANSWER_TIMES_WINDOW).fill(59));
    took(times, a, Array<number>(ANSWER_TIMES_WINDOW - 2).fill(9));
    took(times, a, [10, 10]);
    expect(times.delayMs).toBe(10);
    took(
      times,
      a,
      ramp(1, ANSWER_TIMES_WINDOW).map((n) => n / 4),
    );
    expect(times.delayMs).toBe((ANSWER_TIMES_WINDOW - 1) / 4);
  });
});

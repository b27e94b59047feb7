import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  FailureDetector,
  phiOfSilence,
  type FailureDetectorOptions,
} from '../../src/cluster/failure-detector.js';
import { HEARTBEAT_INTERVALS_MAX } from '../../src/core/limits.js';

const OPTIONS: FailureDetectorOptions = {
  expectedIntervalMs: 1000,
  stdDevMsMin: 100,
  acceptablePauseMs: 0,
  threshold: 8,
};

/** A detector that heard heartbeats at these intervals, the first at time 0; and the time of the last. */
function heard(intervalsMs: readonly number[], options: Partial<FailureDetectorOptions> = {}) {
  const detector = new FailureDetector({ ...OPTIONS, ...options });
  let nowMs = 0;
  detector.heartbeat(nowMs);
  for (const interval of intervalsMs) detector.heartbeat((nowMs += interval));
  return { detector, nowMs };
}

const repeat = (times: number, interval: number): number[] => Array.from({ length: times }, () => interval);

// The numbers of this block are those of Akka's AccrualFailureDetectorSpec (Apache-2.0).
describe('the published values', () => {
  it.each([
    [0, 0.0],
    [500, 0.1],
    [1000, 0.3],
    [1200, 1.6],
    [1400, 4.7],
    [1600, 10.8],
    [1700, 15.3],
  ])('after %i ms of silence, with mean 1000 and deviation 100, phi is %f', (silenceMs, phi) => {
    expect(Math.abs(phiOfSilence(silenceMs, 1000, 100) - phi)).toBeLessThanOrEqual(0.1);
  });

  it.each([
    [0, 0, 10, 0.5],
    [6, 0, 10, 0.7257],
    [15, 0, 10, 0.9332],
    [20, 0, 10, 0.97725],
    [25, 0, 10, 0.99379],
    [35, 0, 10, 0.99977],
    [40, 0, 10, 0.99997],
    [22, 20, 3, 0.7475],
  ])(
    'approximates the normal distribution at %i (mean %i, deviation %i)',
    (at, mean, stdDev, probability) => {
      const cdf = 1 - 10 ** -phiOfSilence(at, mean, stdDev);
      expect(Math.abs(cdf - probability)).toBeLessThanOrEqual(0.001);
    },
  );

  it('keeps its precision far out', () => {
    expect(Math.abs(phiOfSilence(10, 0, 1) - 38)).toBeLessThanOrEqual(1);
    expect(phiOfSilence(-25, 0, 1)).toBeCloseTo(0, 12);
  });

  it('guesses from the expected interval after one heartbeat', () => {
    const { detector } = heard([]);
    expect(Math.abs(detector.phi(1000) - 0.3)).toBeLessThanOrEqual(0.2);
    expect(Math.abs(detector.phi(2000) - 4.5)).toBeLessThanOrEqual(0.3);
    expect(detector.phi(3000)).toBeGreaterThan(15);
  });
});

describe('phi', () => {
  it('is 0 before the first heartbeat', () => {
    const detector = new FailureDetector(OPTIONS);
    expect(detector.phi(1e9)).toBe(0);
    expect(detector.available(1e9)).toBe(true);
  });

  it('never falls while the peer is silent, and is never NaN', () => {
    const intervals = fc.array(fc.double({ min: 0, max: 1e7, noNaN: true }), { maxLength: 30 });
    const silence = fc.double({ min: 0, max: Number.MAX_VALUE, noNaN: true });
    fc.assert(
      fc.property(intervals, silence, silence, (intervalsMs, a, b) => {
        const { detector, nowMs } = heard(intervalsMs);
        const earlier = detector.phi(nowMs + Math.min(a, b));
        const later = detector.phi(nowMs + Math.max(a, b));
        expect(earlier).toBeGreaterThanOrEqual(0);
        expect(later).toBeGreaterThanOrEqual(earlier);
      }),
    );
  });

  it('rises strictly where it matters: from 0 to 40 in steps of one deviation tenth', () => {
    for (let ms = 1; ms <= 40; ms++) {
      expect(phiOfSilence(ms, 0, 10)).toBeGreaterThan(phiOfSilence(ms - 1, 0, 10));
    }
  });

  it('stays exact where e to the x would overflow, and ends at Infinity', () => {
    const { detector } = heard(repeat(10, 1000));
    expect(detector.phi(1e6)).toBeGreaterThan(1e6);
    expect(Number.isFinite(detector.phi(1e6))).toBe(true);
    expect(detector.phi(Number.MAX_VALUE)).toBe(Infinity);
    expect(detector.phi(Infinity)).toBe(Infinity);
    expect(phiOfSilence(0, Number.MAX_VALUE, 1)).toBe(0);
    expect(phiOfSilence(1e308, 0, Number.MIN_VALUE)).toBe(Infinity);
  });

  it('is lower where intervals are spread wider', () => {
    const steady = heard(repeat(20, 1000));
    const spread = heard([...repeat(10, 600), ...repeat(10, 1400)]);
    expect(spread.detector.phi(spread.nowMs + 1500)).toBeLessThan(steady.detector.phi(steady.nowMs + 1500));
  });

  it('assumes the least deviation for a peer that beats like a metronome', () => {
    const { detector, nowMs } = heard(repeat(HEARTBEAT_INTERVALS_MAX + 2, 1000));
    expect(detector.phi(nowMs + 1200)).toBeCloseTo(phiOfSilence(1200, 1000, 100), 12);
  });

  it('excuses the acceptable pause', () => {
    const { detector, nowMs } = heard(repeat(HEARTBEAT_INTERVALS_MAX + 2, 1000), { acceptablePauseMs: 3000 });
    expect(detector.phi(nowMs + 4200)).toBeCloseTo(phiOfSilence(1200, 1000, 100), 12);
    expect(detector.available(nowMs + 4200)).toBe(true);
    expect(detector.available(nowMs + 6000)).toBe(false);
  });
});

describe('the window', () => {
  it('forgets what is older than its length', () => {
    const slowThenFast = heard([...repeat(300, 900), ...repeat(HEARTBEAT_INTERVALS_MAX, 200)]);
    const fast = heard(repeat(HEARTBEAT_INTERVALS_MAX + 2, 200));
    for (const silenceMs of [100, 300, 500]) {
      expect(slowThenFast.detector.phi(slowThenFast.nowMs + silenceMs)).toBeCloseTo(
        fast.detector.phi(fast.nowMs + silenceMs),
        9,
      );
    }
  });

  it('does not learn an outage', () => {
    const { detector, nowMs } = heard([...repeat(50, 1000), 300_000, ...repeat(2, 1000)]);
    expect(detector.available(nowMs + 1200)).toBe(true);
    expect(detector.available(nowMs + 7000)).toBe(false);
  });

  it('takes a peer for available again at its first heartbeat', () => {
    const { detector, nowMs } = heard(repeat(50, 1000));
    expect(detector.available(nowMs + 60_000)).toBe(false);
    detector.heartbeat(nowMs + 60_000);
    expect(detector.available(nowMs + 60_000)).toBe(true);
  });

  it('ignores a heartbeat from before the last', () => {
    const { detector, nowMs } = heard(repeat(20, 1000));
    const before = detector.phi(nowMs + 1100);
    detector.heartbeat(nowMs - 5000);
    expect(detector.phi(nowMs + 1100)).toBe(before);
  });
});

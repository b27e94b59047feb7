import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { HLC_TIME_MAX, HybridClock, hlcFromWallMs, hlcWallMs } from '../../src/core/hlc.js';

const NOON = Date.UTC(2030, 0, 1, 12);
const HOUR_MS = 3_600_000;
const SKEW_MS = 60_000;

describe('HybridClock', () => {
  let wallMs = NOON;
  let clock: HybridClock;
  beforeEach(() => {
    wallMs = NOON;
    clock = new HybridClock(() => wallMs, SKEW_MS);
  });

  it('follows the wall clock while that goes on', () => {
    expect(clock.tick()).toBe(hlcFromWallMs(NOON));
    wallMs += 5;
    expect(clock.tick()).toBe(hlcFromWallMs(NOON + 5));
  });

  it('ignores fractions of a millisecond, and is an exact integer', () => {
    wallMs = NOON + 0.75;
    expect(clock.tick()).toBe(hlcFromWallMs(NOON));
    expect(Number.isSafeInteger(hlcFromWallMs(Date.UTC(2248, 0, 1)) + 1023)).toBe(true);
  });

  it('carries into the next millisecond when one holds more than 1024 events', () => {
    const given = Array.from({ length: 3000 }, () => clock.tick());
    expect(given.every((time, i) => i === 0 || time > (given[i - 1] ?? time))).toBe(true);
    expect(hlcWallMs(given[1023] ?? 0)).toBe(NOON);
    expect(hlcWallMs(given[1024] ?? 0)).toBe(NOON + 1);
    expect(given[2999]).toBe(hlcFromWallMs(NOON) + 2999);
  });

  it('goes on when the wall clock is set back by an hour, and again when it has caught up', () => {
    const before = clock.tick();
    wallMs -= HOUR_MS;
    expect(clock.tick()).toBe(before + 1);
    expect(clock.tick()).toBe(before + 2);
    wallMs += HOUR_MS + 1;
    expect(clock.tick()).toBe(hlcFromWallMs(NOON + 1));
  });

  it('stays at the end of time where a write must be above it, and is not dragged there', () => {
    expect(clock.tick(HLC_TIME_MAX - 1)).toBe(HLC_TIME_MAX);
    expect(clock.tick(HLC_TIME_MAX)).toBe(HLC_TIME_MAX);
    expect(clock.tick(Number.MAX_SAFE_INTEGER)).toBe(HLC_TIME_MAX);
    expect(clock.tick()).toBe(hlcFromWallMs(NOON));
  });

  it('is monotone under any jumps of the wall clock, with remote times in between', () => {
    const event = fc.record({
      jumpMs: fc.oneof(fc.integer({ min: -2, max: 2 }), fc.integer({ min: -HOUR_MS, max: HOUR_MS })),
      remoteMs: fc.integer({ min: -2 * SKEW_MS, max: 2 * SKEW_MS }),
      remote: fc.constantFrom('none', 'observe', 'above'),
    });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), (events) => {
        let wall = NOON;
        const tested = new HybridClock(() => wall, SKEW_MS);
        let last = 0;
        for (const { jumpMs, remoteMs, remote } of events) {
          wall += jumpMs;
          const seen = hlcFromWallMs(wall + remoteMs) + 7;
          if (remote === 'observe') tested.observe(seen);
          const given = tested.tick(remote === 'above' ? seen : 0);
          if (remote === 'above') expect(given).toBeGreaterThan(seen);
          if (remote !== 'none' && remoteMs < SKEW_MS) expect(given).toBeGreaterThan(seen);
          // A time minted just above a skewed one moves that one write, not the clock.
          if (remote === 'above' && remoteMs > SKEW_MS && given === seen + 1) continue;
          expect(given).toBeGreaterThan(last);
          last = given;
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('follows a remote time up to the bound on skew and not beyond', () => {
    const within = hlcFromWallMs(NOON + SKEW_MS) + 1023;
    clock.observe(within);
    expect(clock.skewed).toBe(0);
    expect(clock.tick()).toBe(within + 1);

    clock.observe(hlcFromWallMs(NOON + SKEW_MS + 2));
    expect(clock.skewed).toBe(1);
    expect(clock.tick()).toBe(within + 2);
  });

  it('does not count a time from the past, however far', () => {
    clock.tick();
    clock.observe(0);
    clock.observe(hlcFromWallMs(NOON - HOUR_MS));
    expect(clock.skewed).toBe(0);
    expect(clock.tick()).toBe(hlcFromWallMs(NOON) + 1);
  });

  it('mints above what a write covers: moved with it within the bound, unmoved beyond', () => {
    const near = hlcFromWallMs(NOON + 1_000);
    expect(clock.tick(near)).toBe(near + 1);
    expect(clock.tick()).toBe(near + 2);

    const poisoned = hlcFromWallMs(NOON + HOUR_MS);
    expect(clock.tick(poisoned)).toBe(poisoned + 1);
    expect(clock.tick()).toBe(near + 3);
  });

  it('starts above what it is told to, though the wall clock was set back across a restart', () => {
    const reserved = hlcFromWallMs(NOON + HOUR_MS);
    expect(new HybridClock(() => wallMs, SKEW_MS, reserved).tick()).toBe(reserved + 1);
  });

  it('takes a timestamp apart again', () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 42 }), fc.nat({ max: 1023 }), (ms, logical) => {
        expect(hlcWallMs(hlcFromWallMs(ms) + logical)).toBe(ms);
      }),
    );
  });
});

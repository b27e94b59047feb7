/**
 * Hybrid logical clock (Kulkarni et al., 2014): wall time that never goes back and respects causality.
 *
 * A timestamp is one number, `wall milliseconds * 1024 + logical`: it compares with `<`, costs nine bytes
 * on the wire, and stays an exact integer until the year 2248. When more than 1024 events share a
 * millisecond the logical part carries into the next one, which is still monotone.
 *
 * A remote timestamp far ahead of our wall clock is not allowed to drag us along (one bad clock would
 * otherwise poison the cluster). The data that carried it is kept: a write that covers such data is minted
 * just above it by `tick(above)`, which moves that one write, not the clock.
 */

/** `wall milliseconds * 1024 + logical`, an exact integer. */
export type HlcTime = number;

const LOGICAL_SPAN = 1024;

/** The last timestamp, twelve days before numbers stop being exact. What claims to be later is refused where it comes in. */
export const HLC_TIME_MAX: HlcTime = 2 ** 53 - 2 ** 40;

/** The wall-clock part of a timestamp, in milliseconds since the epoch. */
export function hlcWallMs(time: HlcTime): number {
  return Math.floor(time / LOGICAL_SPAN);
}

/** The first timestamp of a wall millisecond. */
export function hlcFromWallMs(wallMs: number): HlcTime {
  return wallMs * LOGICAL_SPAN;
}

export class HybridClock {
  readonly #wallMs: () => number;
  readonly #skewMsMax: number;
  #last: HlcTime;
  #skewed = 0;

  /** `wallMs` reads the local wall clock, which may jump both ways. Every timestamp is above `startAfter`. */
  constructor(wallMs: () => number, skewMsMax: number, startAfter: HlcTime = 0) {
    this.#wallMs = wallMs;
    this.#skewMsMax = skewMsMax;
    this.#last = startAfter;
  }

  /** Where the clock stands: the last timestamp that it gave or followed and remembers. */
  get last(): HlcTime {
    return this.#last;
  }

  /** How many remote timestamps were too far ahead to follow. */
  get skewed(): number {
    return this.#skewed;
  }

  /**
   * A timestamp greater than `above`, and than every one given or followed before; except those that were
   * themselves given above a timestamp beyond the bound on skew, which this clock does not remember. At the
   * end of time it gives `HLC_TIME_MAX` again and again: such writes are ordered by their dots.
   */
  tick(above: HlcTime = 0): HlcTime {
    const now = Math.max(this.#last + 1, hlcFromWallMs(Math.floor(this.#wallMs())));
    if (now > above) {
      this.#last = now;
      return now;
    }
    if (this.#within(above)) this.#last = above + 1;
    return Math.min(above + 1, HLC_TIME_MAX);
  }

  /** Follows a timestamp seen in a message, unless it is beyond the bound on skew. */
  observe(time: HlcTime): void {
    if (time <= this.#last) return;
    if (this.#within(time)) this.#last = time;
    else this.#skewed++;
  }

  #within(time: HlcTime): boolean {
    return hlcWallMs(time) <= this.#wallMs() + this.#skewMsMax;
  }
}

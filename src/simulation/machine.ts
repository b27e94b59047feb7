/**
 * What a machine keeps while processes on it come and go: its wall clock and its processor. The faults that
 * are imposed on either add up, and each is taken back on its own, so that overlapping ones end in any order.
 */
import type { Cancel } from '../runtime/runtime.js';
import type { Processor } from './process.js';
import type { Simulation } from './scheduler.js';

/** How a wall clock is wrong. */
export interface ClockSkew {
  readonly offsetMs?: number;
  /** Milliseconds gained in a second, from now on; negative for a clock that is slow. */
  readonly driftMsPerSecond?: number;
}

export class Machine implements Processor {
  readonly #simulation: Simulation;
  readonly #skews = new Set<{ readonly skew: ClockSkew; readonly sinceMs: number }>();
  readonly #slow = new Set<{ readonly eventMs: number }>();
  #offsetMs = 0;
  #eventMs = 0;

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
  }

  /** The slowest of what is imposed. */
  get eventMs(): number {
    return this.#eventMs;
  }

  /** How far the wall clock is from true time now. */
  get clockErrorMs(): number {
    let errorMs = this.#offsetMs;
    for (const { skew, sinceMs } of this.#skews) {
      errorMs += (skew.offsetMs ?? 0) + ((skew.driftMsPerSecond ?? 0) * (this.#nowMs() - sinceMs)) / 1_000;
    }
    return errorMs;
  }

  /** Sets the clock, as an administrator does. */
  setOffset(offsetMs: number): void {
    this.#offsetMs = offsetMs;
  }

  /** Makes the clock wrong; taking it back sets it right in one step. */
  skewClock(skew: ClockSkew): Cancel {
    const imposed = { skew, sinceMs: this.#nowMs() };
    this.#skews.add(imposed);
    return () => {
      this.#skews.delete(imposed);
    };
  }

  slowDown(eventMs: number): Cancel {
    const imposed = { eventMs };
    this.#slow.add(imposed);
    this.#measure();
    return () => {
      this.#slow.delete(imposed);
      this.#measure();
    };
  }

  #measure(): void {
    this.#eventMs = Math.max(0, ...[...this.#slow].map((one) => one.eventMs));
  }

  #nowMs(): number {
    return this.#simulation.nowMs();
  }
}

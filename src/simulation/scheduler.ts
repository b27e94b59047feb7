/**
 * Virtual time. Nothing in a simulation waits: the scheduler takes the next event, sets the time to when
 * it is due, runs it, and lets everything that follows from it in promises happen before the next one.
 * So a minute of a cluster's life takes as long as its events take to compute, and the order of events,
 * which decides everything, is the same in every run of a seed.
 *
 * How promise callbacks are let run is injected (`drain`), because it takes the real event loop, which
 * this folder must not touch; `() => new Promise(setImmediate)` does it. Draining only where an event is
 * known to have settled a promise would be faster, but a forgotten case would replay differently.
 *
 * The trace hash chains every executed event's time and label: equal hashes mean that two runs did the same.
 */
import { TrefoilError } from '../core/errors.js';
import { hashText } from '../core/hash.js';
import { invariant } from '../core/invariant.js';
import type { Cancel } from '../runtime/runtime.js';
import { EventQueue } from './event-queue.js';
import { SeededRandom } from './random.js';

/** The wall time at which a simulation starts: 2026-01-01T00:00:00Z. */
export const SIMULATION_START_MS = 1_767_225_600_000;

/** Events that may run without virtual time moving on; beyond it somebody loops. */
const EVENTS_PER_INSTANT_MAX = 1_000_000;

/** Virtual time that `runUntil` and `settle` allow where the caller names none. */
const LIMIT_MS_DEFAULT = 60_000;

export interface SimulationOptions {
  readonly seed: number | string;
  /** Resolves when all pending promise callbacks have run. */
  readonly drain: () => Promise<void>;
}

export interface RunLimit {
  /** Virtual milliseconds from now, 60,000 by default. */
  readonly limitMs?: number;
}

export class Simulation {
  readonly seed: number | string;
  /** Fork it by concern; nobody draws from it directly. */
  readonly random: SeededRandom;
  readonly #drain: () => Promise<void>;
  readonly #queue = new EventQueue();
  #nowMs = 0;
  #events = 0;
  #eventsThisInstant = 0;
  #trace = 0n;
  #running = false;

  constructor(options: SimulationOptions) {
    this.seed = options.seed;
    this.random = new SeededRandom(options.seed);
    this.#drain = options.drain;
  }

  /** Virtual milliseconds since the start; fractional. */
  nowMs(): number {
    return this.#nowMs;
  }

  /** Events executed so far. */
  get events(): number {
    return this.#events;
  }

  /** The rolling hash of every executed event, as 16 hexadecimal digits. */
  traceHash(): string {
    return this.#trace.toString(16).padStart(16, '0');
  }

  /**
   * Runs `run` after `delayMs` of virtual time, behind all events that are due then already.
   * The label goes into the trace: it should say what happens to whom, and with which bytes.
   */
  schedule(delayMs: number, label: string, run: () => void): Cancel {
    return this.#queue.add(this.#nowMs + Math.max(0, delayMs), label, run);
  }

  /** Runs all events up to a virtual time, and leaves the clock there. Rejects with what an event threw. */
  async run(options: { readonly untilMs: number }): Promise<void> {
    await this.#advance(options.untilMs, () => false);
    this.#moveTo(options.untilMs);
  }

  /** Runs all events of the next `ms`. */
  async runFor(ms: number): Promise<void> {
    await this.run({ untilMs: this.#nowMs + ms });
  }

  /**
   * Runs events until the predicate holds; it is asked between events.
   * Rejects with `Timeout` when it does not hold within the limit.
   */
  async runUntil(predicate: () => boolean, options: RunLimit = {}): Promise<void> {
    const limitMs = options.limitMs ?? LIMIT_MS_DEFAULT;
    const untilMs = this.#nowMs + limitMs;
    if (await this.#advance(untilMs, predicate)) return;
    this.#moveTo(untilMs);
    throw new TrefoilError(
      'Timeout',
      `What was waited for did not happen within ${String(limitMs)} virtual ms (seed ${String(this.seed)}).`,
    );
  }

  /** Runs events until the promise settles, and settles as it did. Rejects with `Timeout` like `runUntil`. */
  async settle<T>(promise: Promise<T>, options: RunLimit = {}): Promise<T> {
    let settled = false;
    const note = (): void => {
      settled = true;
    };
    promise.then(note, note);
    await this.runUntil(() => settled, options);
    return promise;
  }

  /** Whether `done` held before the time was up. */
  async #advance(untilMs: number, done: () => boolean): Promise<boolean> {
    invariant(!this.#running, 'a simulation is run by one caller at a time');
    this.#running = true;
    try {
      for (;;) {
        await this.#drain();
        if (done()) return true;
        if (this.#queue.nextAtMs() > untilMs) return false;
        this.#step();
      }
    } finally {
      this.#running = false;
    }
  }

  #step(): void {
    const event = this.#queue.take();
    invariant(event !== undefined, 'there is an event to step');
    this.#moveTo(event.atMs);
    this.#events++;
    this.#eventsThisInstant++;
    invariant(this.#eventsThisInstant <= EVENTS_PER_INSTANT_MAX, 'virtual time moves on');
    this.#trace = hashText(`${String(event.atMs)} ${event.label}`, this.#trace);
    event.run();
  }

  #moveTo(atMs: number): void {
    if (atMs <= this.#nowMs) return;
    this.#nowMs = atMs;
    this.#eventsThisInstant = 0;
  }
}

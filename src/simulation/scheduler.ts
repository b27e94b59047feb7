/**
 * Virtual time. Nothing in a simulation waits: the scheduler takes the next event, sets the time to when
 * it is due, runs it, and lets everything that follows from it in promises happen before the next one.
 * So a minute of a cluster's life takes as long as its events take to compute, and the order of events,
 * which decides everything, is the same in every run of a seed.
 *
 * How promise callbacks are let run is injected (`turns`), because it takes the real event loop, which
 * this folder must not touch; `chaos/event-loop.ts` does it. Letting them run only where an event is
 * known to have settled a promise would be faster, but a forgotten case would replay differently.
 *
 * The trace hash chains every executed event's time, label and digest of bytes: equal hashes mean that two runs
 * did the same. It is made of 32-bit multiplications in two lanes, because a hash over 64-bit integers of
 * JavaScript's kind took more time than the events themselves.
 */
import { TrefoilError } from '../core/errors.js';
import { invariant } from '../core/invariant.js';
import type { Cancel } from '../runtime/runtime.js';
import { EventQueue, type SimulatedEvent } from './event-queue.js';
import { SeededRandom } from './random.js';

/** The wall time at which a simulation starts: 2026-01-01T00:00:00Z. */
export const SIMULATION_START_MS = 1_767_225_600_000;

/** Events that may run without virtual time moving on; beyond it somebody loops. */
const EVENTS_PER_INSTANT_MAX = 1_000_000;

/** Virtual time that `runUntil` and `settle` allow where the caller names none. */
const LIMIT_MS_DEFAULT = 60_000;

export interface SimulationOptions {
  readonly seed: number | string;
  readonly turns: Turns;
}

/**
 * Calls `step` again and again, each time after all pending promise callbacks have run, until it returns false.
 * Rejects with what it throws.
 */
export type Turns = (step: () => boolean) => Promise<void>;

export interface RunLimit {
  /** Virtual milliseconds from now, 60,000 by default. */
  readonly limitMs?: number;
}

export class Simulation {
  readonly seed: number | string;
  /** Fork it by concern; nobody draws from it directly. */
  readonly random: SeededRandom;
  readonly #turns: Turns;
  readonly #queue = new EventQueue();
  #nowMs = 0;
  #events = 0;
  #eventsThisInstant = 0;
  #traceLow = 0;
  #traceHigh = 0;
  #running = false;

  constructor(options: SimulationOptions) {
    this.seed = options.seed;
    this.random = new SeededRandom(options.seed);
    this.#turns = options.turns;
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
    return hex(this.#traceHigh) + hex(this.#traceLow);
  }

  /**
   * Runs `run` after `delayMs` of virtual time, behind all events that are due then already.
   * The label goes into the trace hash: it should say what happens to whom; `digest` stands for the bytes of it.
   */
  schedule(delayMs: number, label: string, run: () => void, digest = 0): Cancel {
    return this.#queue.add(this.#nowMs + Math.max(0, delayMs), label, run, digest);
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
      let held = false;
      await this.#turns(() => {
        held = done();
        if (held || this.#queue.nextAtMs() > untilMs) return false;
        this.#step();
        return true;
      });
      return held;
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
    this.#note(event);
    event.run();
  }

  #note({ atMs, label, digest }: SimulatedEvent): void {
    time[0] = atMs;
    const what = mixText(digest, label);
    this.#traceLow = mix(mix(mix(this.#traceLow, timeWords[0] as number), timeWords[1] as number), what);
    this.#traceHigh = mix(mix(this.#traceHigh, what ^ 0x9e3779b9), this.#traceLow);
  }

  #moveTo(atMs: number): void {
    if (atMs <= this.#nowMs) return;
    this.#nowMs = atMs;
    this.#eventsThisInstant = 0;
  }
}

/** A time as two words of 32 bits. */
const time = new Float64Array(1);
const timeWords = new Uint32Array(time.buffer);

/** One step of MurmurHash3's 32-bit form (A. Appleby): enough to tell two runs apart, and quick. */
function mix(hash: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
  const h = hash ^ k;
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
}

/** Chains a text's UTF-16 units to a hash of 32 bits (FNV-1a's step). */
export function mixText(hash: number, text: string): number {
  let h = hash ^ text.length;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h;
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0');
}

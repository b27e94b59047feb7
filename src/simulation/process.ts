/**
 * A simulated process: the one thread on which everything that happens to a node or a client happens. While it
 * is free, an event of it runs at once. While it stands still (a pause), or computes (a slow processor),
 * timers, frames and completions of the disk queue up and later run in the order in which they came.
 *
 * What waits here is bounded by what others may have on the way: a frame that waits still counts as not
 * arrived for its sender, and the timers and writes are the process's own.
 */
import type { Cancel } from '../runtime/runtime.js';
import type { Simulation } from './scheduler.js';

/** The machine under a process. */
export interface Processor {
  /** Virtual milliseconds that each event takes. */
  readonly eventMs: number;
}

export class SimulatedProcess {
  readonly name: string;
  alive = true;
  readonly #simulation: Simulation;
  readonly #processor: Processor;
  #waiting: (() => void)[] = [];
  #computing = false;
  #pauses = 0;

  constructor(simulation: Simulation, name: string, processor: Processor = { eventMs: 0 }) {
    this.#simulation = simulation;
    this.name = name;
    this.#processor = processor;
  }

  /** Whether an event that comes now would run now. */
  get free(): boolean {
    return (
      this.#pauses === 0 &&
      !this.#computing &&
      this.#waiting.length === 0 &&
      this.#processor.eventMs === 0 &&
      this.alive
    );
  }

  get paused(): boolean {
    return this.#pauses > 0;
  }

  /** Runs an event of the process: now, or behind those that wait, or never if the process is dead by then. */
  act(run: () => void): void {
    if (this.free) {
      run();
    } else if (this.alive) {
      this.#waiting.push(run);
      this.#goOn();
    }
  }

  /** Stands still until every pause was taken back. */
  pause(): Cancel {
    this.#pauses++;
    let over = false;
    return () => {
      if (over) return;
      over = true;
      this.#pauses--;
      this.#goOn();
    };
  }

  /** Nothing of it runs any more. */
  end(): void {
    this.alive = false;
    this.#waiting = [];
  }

  #goOn(): void {
    if (this.#pauses > 0 || this.#computing || this.#waiting.length === 0) return;
    this.#computing = true;
    this.#simulation.schedule(this.#processor.eventMs, `cpu ${this.name}`, () => {
      this.#computing = false;
      if (this.#pauses > 0) return;
      const run = this.#waiting.shift();
      run?.();
      this.#goOn();
    });
  }
}

/**
 * The processes that make the load of a scenario, as one: each has its share of the logical clients, and the windows of all open and
 * close together. One process is enough where it is not the bottleneck; its CPU time in the report says whether it is.
 */
import { Histogram } from './histogram.js';
import type { LoadMeasure, ProcessMeasure, Scenario } from './load-messages.js';
import { LoadProcess, type ScenarioTiming } from './load-process.js';
import type { ClientTarget } from './clients.js';

/** Between the first new photos of two processes: more than one of them ever stores. */
const NEW_RANGE = 100_000_000;

export class LoadGroup {
  readonly #processes: readonly LoadProcess[];

  constructor(processes: number, cpuProfileDir?: string) {
    this.#processes = Array.from({ length: processes }, () => new LoadProcess(cpuProfileDir));
  }

  get pids(): readonly number[] {
    return this.#processes.map(({ pid }) => pid);
  }

  /** Connects all, and has `records` photos stored. */
  async open(target: ClientTarget, records: number): Promise<void> {
    const count = this.#processes.length;
    const partAt = (i: number): number => Math.floor((records * i) / count);
    await Promise.all(
      this.#processes.map((load, i) => {
        const firstNew = records + i * NEW_RANGE;
        return load.open(target, { records, from: partAt(i), to: partAt(i + 1), firstNew });
      }),
    );
  }

  /** Runs one scenario; `onWindow` is called as the measured window opens and again as it closes. */
  async run(scenario: Scenario, timing: ScenarioTiming, onWindow: () => void): Promise<LoadMeasure> {
    const all = this.#processes.length;
    const windows = [0, 0];
    // The window is open when it is for all, and closed as soon as it is for one.
    const seen = (edge: 0 | 1): void => {
      const count = ++windows[edge]!;
      if (edge === 0 ? count === all : count === 1) onWindow();
    };
    const measures = await Promise.all(
      this.#processes.map((load, i) => {
        let edge: 0 | 1 = 0;
        const clients = shareOf(scenario.clients, i, all);
        const seed = timing.seed + i * 1_000;
        return load.run({ ...scenario, clients }, { ...timing, seed }, () => {
          seen(edge);
          edge = 1;
        });
      }),
    );
    return together(measures);
  }

  /** Ends the processes; resolves when they are gone. */
  async close(): Promise<void> {
    await Promise.all(this.#processes.map((load) => load.close()));
  }
}

/** What several processes measured at the same time. */
export function together(measures: readonly ProcessMeasure[]): LoadMeasure {
  const latencies = new Histogram();
  const errors: Record<string, number> = {};
  for (const measure of measures) {
    latencies.add(measure.latenciesUs);
    for (const [code, count] of Object.entries(measure.errors)) errors[code] = (errors[code] ?? 0) + count;
  }
  return {
    operations: latencies.count,
    seconds: Math.max(...measures.map(({ seconds }) => seconds)),
    p50Ms: latencies.quantile(0.5) / 1000,
    p99Ms: latencies.quantile(0.99) / 1000,
    maxMs: latencies.max / 1000,
    errors,
  };
}

/** Shares differ by one at most and add up to `clients`. */
function shareOf(clients: number, part: number, parts: number): number {
  return Math.floor((clients * (part + 1)) / parts) - Math.floor((clients * part) / parts);
}

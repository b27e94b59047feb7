/**
 * Makes the load, in a process of its own: forked, told what to do and telling what came of it by messages
 * (`load-messages.ts`), so that the client's CPU is apart from the servers' and alike for every subject.
 *
 * The loop is closed: a logical client sends its next request when the last one has ended. So throughput and
 * latency are two sides of one number (clients = throughput x latency), and a stall is seen once per client
 * rather than by every request that would have come meanwhile.
 */
import { openClient, type BenchClient } from './clients.js';
import { Histogram } from './histogram.js';
import type { LoadMeasure, LoadOrder, LoadReport } from './load-messages.js';
import { Choices, photoKey, photoValue, VALUE_BYTES, type Workload } from './workload.js';

const PRELOAD_AT_ONCE = 256;
/** A client whose request failed waits so long before the next: a refusal must not become a busy loop. */
const ERROR_PAUSE_MS = 10;

type RunOrder = Extract<LoadOrder, { readonly type: 'run' }>;

class Load {
  readonly #client: BenchClient;
  readonly #records: number;

  constructor(client: BenchClient, records: number) {
    this.#client = client;
    this.#records = records;
  }

  /** Stores the photos that are read and overwritten later. Rejects where one cannot be stored. */
  async preload(): Promise<void> {
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < this.#records) {
        const index = next++;
        await this.#client.put(photoKey(index), photoValue(index));
      }
    };
    await Promise.all(Array.from({ length: PRELOAD_AT_ONCE }, worker));
  }

  async run(order: RunOrder): Promise<void> {
    const window = new Window();
    const operate = this.#operation(order);
    let running = true;
    const logicalClient = async (): Promise<void> => {
      while (running) {
        const startedMs = performance.now();
        try {
          await operate.next();
          window.ended(performance.now() - startedMs);
        } catch (error) {
          window.failed(error);
          await pause(ERROR_PAUSE_MS);
        }
      }
    };
    const clients = Array.from({ length: order.scenario.clients }, logicalClient);
    await pause(order.warmUpMs);
    window.open();
    report({ type: 'measuring' });
    await pause(order.measuredMs);
    report({ type: 'measured', measure: window.close() });
    running = false;
    await Promise.all(clients);
    report({ type: 'rested', nextNew: operate.nextNew() });
  }

  async close(): Promise<void> {
    await this.#client.close();
  }

  #operation({ scenario, seed, firstNew }: RunOrder): { next: () => Promise<void>; nextNew: () => number } {
    const choices = new Choices(seed);
    let created = firstNew;
    const operations: Record<Workload, () => Promise<void>> = {
      write: () => this.#put(created++),
      overwrite: () => this.#put(choices.integer(this.#records)),
      read: () => this.#get(choices.integer(this.#records)),
    };
    return { next: operations[scenario.workload], nextNew: () => created };
  }

  #put(index: number): Promise<void> {
    return this.#client.put(photoKey(index), photoValue(index));
  }

  async #get(index: number): Promise<void> {
    const value = await this.#client.get(photoKey(index));
    if (value?.length !== VALUE_BYTES) throw new Error('the record is not there');
  }
}

/** What is measured between the warm-up and the end. */
class Window {
  readonly #latenciesUs = new Histogram();
  readonly #errors: Record<string, number> = {};
  #measuring = false;
  #openedMs = 0;

  open(): void {
    this.#openedMs = performance.now();
    this.#measuring = true;
  }

  ended(latencyMs: number): void {
    if (this.#measuring) this.#latenciesUs.record(latencyMs * 1000);
  }

  failed(error: unknown): void {
    if (!this.#measuring) return;
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    this.#errors[code] = (this.#errors[code] ?? 0) + 1;
  }

  close(): LoadMeasure {
    this.#measuring = false;
    const latencies = this.#latenciesUs;
    return {
      operations: latencies.count,
      seconds: (performance.now() - this.#openedMs) / 1000,
      p50Ms: latencies.quantile(0.5) / 1000,
      p99Ms: latencies.quantile(0.99) / 1000,
      maxMs: latencies.max / 1000,
      errors: this.#errors,
    };
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function report(message: LoadReport): void {
  process.send?.(message);
}

let load: Load | undefined;

async function obey(order: LoadOrder): Promise<void> {
  switch (order.type) {
    case 'open':
      load = new Load(await openClient(order.target), order.records);
      await load.preload();
      report({ type: 'opened' });
      return;
    case 'run':
      await load?.run(order);
      return;
    case 'close':
      await load?.close();
      process.disconnect();
  }
}

process.on('message', (order: LoadOrder) => {
  obey(order).catch((error: unknown) => {
    report({ type: 'failed', reason: error instanceof Error ? error.message : String(error) });
  });
});

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
import type { LoadOrder, LoadReport, ProcessMeasure } from './load-messages.js';
import { Choices, photoKey, photoValue, VALUE_BYTES, type Workload } from './workload.js';

const PRELOAD_AT_ONCE = 256;
/** A client whose request failed waits so long before the next: a refusal must not become a busy loop. */
const ERROR_PAUSE_MS = 10;

/** How often it is looked which writes of the open load are due. */
const PACE_TICK_MS = 2;

type RunOrder = Extract<LoadOrder, { readonly type: 'run' }>;
type PaceOrder = Extract<LoadOrder, { readonly type: 'pace' }>;

class Load {
  readonly #client: BenchClient;
  readonly #records: number;
  #endPace: () => Promise<void> = async () => undefined;

  constructor(client: BenchClient, records: number) {
    this.#client = client;
    this.#records = records;
  }

  /** Stores photos `from` to `to` - 1, `atOnce` at a time. Rejects where one cannot be stored. */
  async fill(from: number, to: number, atOnce: number): Promise<void> {
    let next = from;
    const worker = async (): Promise<void> => {
      while (next < to) {
        const index = next++;
        await this.#client.put(photoKey(index), photoValue(index));
      }
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
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

  /**
   * An open load: a write is due every so often, whether earlier ones were answered or not, and its latency counts from when it was
   * due, so that a stall is seen by every write that would have come meanwhile.
   */
  pace({ perSecond, firstNew }: PaceOrder): void {
    const window = new Window();
    const open = new Set<Promise<void>>();
    const beganMs = performance.now();
    let sent = 0;
    const send = async (dueMs: number): Promise<void> => {
      try {
        await this.#put(firstNew + sent++);
        window.ended(performance.now() - dueMs);
      } catch (error) {
        window.failed(error);
      }
    };
    const timer = setInterval(() => {
      const due = ((performance.now() - beganMs) * perSecond) / 1000;
      while (sent < due) {
        const sending = send(beganMs + (sent * 1000) / perSecond);
        open.add(sending);
        void sending.then(() => open.delete(sending));
      }
    }, PACE_TICK_MS);
    window.open();
    this.#endPace = async () => {
      clearInterval(timer);
      // All that was sent counts, also what is answered late.
      await Promise.all(open);
      report({ type: 'measured', measure: window.close() });
      report({ type: 'rested', nextNew: firstNew + sent });
    };
    report({ type: 'pacing' });
  }

  async endPace(): Promise<void> {
    await this.#endPace();
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

  close(): ProcessMeasure {
    this.#measuring = false;
    return {
      latenciesUs: this.#latenciesUs.data,
      seconds: (performance.now() - this.#openedMs) / 1000,
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
      await load.fill(order.from, order.to, PRELOAD_AT_ONCE);
      report({ type: 'opened' });
      return;
    case 'run':
      await load?.run(order);
      return;
    case 'fill':
      await load?.fill(order.from, order.to, order.atOnce);
      report({ type: 'filled' });
      return;
    case 'pace':
      load?.pace(order);
      return;
    case 'end-pace':
      await load?.endPace();
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

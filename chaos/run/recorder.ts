/**
 * Writes the history of a run as it happens. A process is a client that has one operation open at a time; after an
 * operation that nobody knows the outcome of, the client goes on under a new process number, as in Jepsen: the old
 * process may still be at it.
 */
import type { HistoryEvent, Value } from '../history/history.js';
import type { Completion, OperationLog, PlannedOperation } from '../workloads/workload.js';

/** An operation that has been invoked. */
export interface OpenOperation extends OperationLog {
  complete(completion: Completion): void;
}

export class HistoryRecorder {
  readonly #nowMs: () => number;
  readonly #events: HistoryEvent[] = [];
  readonly #processes: (number | string)[];
  readonly #clients: number;

  /** `nowMs`: virtual time since the fault phase began. */
  constructor(clients: number, nowMs: () => number) {
    this.#clients = clients;
    this.#processes = Array.from({ length: clients }, (_, i) => i);
    this.#nowMs = nowMs;
  }

  get events(): readonly HistoryEvent[] {
    return this.#events;
  }

  /** Invokes an operation, of its client's process, or of a process that is none of the clients'. */
  begin(operation: PlannedOperation, process?: string): OpenOperation {
    const { f, key, client } = operation;
    let seen: readonly Value[] | undefined;
    let value = operation.value;
    const what = (): Pick<HistoryEvent, 'process' | 'f' | 'key'> => ({
      process: process ?? (this.#processes[client] as number),
      f,
      ...(key === undefined ? {} : { key }),
    });
    const complete = ({ type, value: result, error }: Completion): void => {
      this.#add({
        ...what(),
        type,
        value: result,
        ...(seen === undefined ? {} : { seen }),
        ...(error === undefined ? {} : { error }),
      });
      if (type === 'info' && process === undefined) this.#retireProcess(client);
    };
    this.#add({ ...what(), type: 'invoke', value });
    return {
      complete,
      seen: (values) => {
        seen = values;
      },
      again: (next) => {
        complete({ type: 'info', value, error: 'tried again' });
        value = next;
        seen = undefined;
        this.#add({ ...what(), type: 'invoke', value });
      },
    };
  }

  #retireProcess(client: number): void {
    const process = this.#processes[client];
    if (typeof process === 'number') this.#processes[client] = process + this.#clients;
  }

  #add(event: Omit<HistoryEvent, 'index' | 'time'>): void {
    this.#events.push({
      index: this.#events.length,
      time: Math.round(this.#nowMs() * 1_000_000),
      ...event,
    });
  }
}

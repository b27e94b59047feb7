/**
 * Writes the history of a run as it happens. A process is a client that has one operation open at a time; after an
 * operation that nobody knows the outcome of, the client goes on under a new process number, as in Jepsen: the old
 * process may still be at it.
 */
import type { EventType, HistoryEvent, Value } from '../history/history.js';
import type { Completion, OperationLog, PlannedOperation } from '../workloads/workload.js';

/** An operation that has been invoked. */
export interface OpenOperation extends OperationLog {
  complete(completion: Completion): void;
}

type Event = { -readonly [Field in keyof HistoryEvent]: HistoryEvent[Field] };

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
    const { client } = operation;
    let seen: readonly Value[] | undefined;
    let value = operation.value;
    const add = (type: EventType, of: Value): Event => {
      const event = this.#event(operation, process ?? (this.#processes[client] as number), type, of);
      this.#events.push(event);
      return event;
    };
    const complete = ({ type, value: result, error }: Completion): void => {
      const event = add(type, result);
      if (seen !== undefined) event.seen = seen;
      if (error !== undefined) event.error = error;
      if (type === 'info' && process === undefined) this.#retireProcess(client);
    };
    add('invoke', value);
    return {
      complete,
      seen: (values) => {
        seen = values;
      },
      again: (next) => {
        complete({ type: 'info', value, error: 'tried again' });
        value = next;
        seen = undefined;
        add('invoke', value);
      },
    };
  }

  #retireProcess(client: number): void {
    const process = this.#processes[client];
    if (typeof process === 'number') this.#processes[client] = process + this.#clients;
  }

  /** One literal, and no spread of objects: V8 makes those on its slow path, and that showed in every run. */
  #event({ f, key }: PlannedOperation, process: number | string, type: EventType, value: Value): Event {
    const time = Math.round(this.#nowMs() * 1_000_000);
    const event: Event = { index: this.#events.length, time, process, type, f, value };
    if (key !== undefined) event.key = key;
    return event;
  }
}

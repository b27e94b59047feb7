/**
 * Events become operations, as they come: an invocation is matched with the next completion of its process.
 *
 *     invoke ... ok | fail    an operation that ended
 *     invoke ... info         an operation that may take effect at any later time; its process may go on
 *     invoke                  the same, where the history ends first
 *
 * Events of a nemesis are counted and left out. Positions count every event, so that they are the `:index` that
 * Jepsen writes. An operation's `output` is what an `ok` returned; of any other completion the value is an excuse such
 * as `:timed-out`, and the output is the input. An `ok` without a value repeats the invocation's.
 *
 * A history without processes is one process: its events pair up in order, or it is an error.
 */
import { TrefoilError } from '../../src/core/errors.js';
import type { EventType, HistoryEvent, Operation, Value } from './history.js';
import { EventFault } from './text-cursor.js';

/** An event as a file has it; what it leaves out is undefined. */
export interface RawEvent {
  readonly type: EventType;
  readonly process: number | string | undefined;
  readonly f: string | undefined;
  readonly value: Value | undefined;
  readonly time: number | undefined;
  readonly key: string | undefined;
  readonly seen: readonly Value[] | undefined;
}

/** The operations of events that are at hand. Throws `BadRequest` where they do not pair up. */
export function operationsOf(events: readonly HistoryEvent[]): Operation[] {
  const pairing = new Pairing();
  for (const event of events) {
    const { type, process, f, value, time, key, seen } = event;
    try {
      pairing.add({ type, process, f, value, time, key, seen });
    } catch (error) {
      if (!(error instanceof EventFault)) throw error;
      throw new TrefoilError('BadRequest', `event ${event.index}: ${error.message}`);
    }
  }
  return pairing.operations;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
export type OpenOperation = Mutable<Operation>;

/** `f` of events that name none: Elle's histories of transactions leave it out. */
const F_ABSENT = 'txn';
const PROCESS_ABSENT = 0;

export class Pairing {
  readonly operations: OpenOperation[] = [];
  /** Events so far, those of nemeses included. */
  events = 0;
  nemesisEvents = 0;
  readonly #open = new Map<number | string, OpenOperation>();
  #processes: 'named' | 'absent' | undefined;

  /** Takes the next event. Throws `EventFault` where it does not fit what came before. */
  add(event: RawEvent): void {
    const position = this.events++;
    if (isNemesis(event)) {
      this.nemesisEvents++;
      return;
    }
    const process = this.#processOf(event);
    const open = this.#open.get(process);
    if (event.type === 'invoke') {
      if (open !== undefined)
        throw new EventFault(
          `${name(event)} invokes ${event.f ?? F_ABSENT} while its ${open.f} of event ${open.invokedAt} is open`,
        );
      this.#open.set(process, this.#invoke(event, process, position));
      return;
    }
    if (open === undefined) {
      // Workers that are not clients report so, under a name.
      if (event.type === 'info' && typeof process === 'string') {
        this.nemesisEvents++;
        return;
      }
      throw new EventFault(`${name(event)} completes (${event.type}) what it has not invoked`);
    }
    complete(open, event, position);
    this.#open.delete(process);
  }

  #invoke(event: RawEvent, process: number | string, position: number): OpenOperation {
    const value = event.value ?? null;
    const operation: OpenOperation = {
      index: this.operations.length,
      process,
      f: event.f ?? F_ABSENT,
      key: event.key,
      input: value,
      output: value,
      outcome: 'info',
      invokedAt: position,
      completedAt: Infinity,
      invokedNs: event.time ?? NaN,
      completedNs: event.time === undefined ? NaN : Infinity,
    };
    if (event.seen !== undefined) operation.seen = event.seen;
    this.operations.push(operation);
    return operation;
  }

  #processOf(event: RawEvent): number | string {
    const found = event.process === undefined ? 'absent' : 'named';
    this.#processes ??= found;
    if (found !== this.#processes)
      throw new EventFault(
        found === 'absent'
          ? 'has no process, while events before it have one'
          : 'has a process, while events before it have none',
      );
    return event.process ?? PROCESS_ABSENT;
  }
}

function complete(open: OpenOperation, event: RawEvent, position: number): void {
  if (event.f !== undefined && event.f !== open.f)
    throw new EventFault(
      `${name(event)} completes ${event.f}, but what it has open is the ${open.f} of event ${open.invokedAt}`,
    );
  if (event.key !== undefined && event.key !== open.key)
    throw new EventFault(
      `${name(event)} completes on key ${event.key} what it invoked on key ${open.key ?? 'none'}`,
    );
  // A read-modify-write knows only in the end what it has seen.
  if (event.seen !== undefined) open.seen = event.seen;
  if (event.type === 'info') return;
  open.outcome = event.type === 'ok' ? 'ok' : 'fail';
  open.completedAt = position;
  open.completedNs = event.time ?? NaN;
  if (event.type === 'ok' && event.value !== undefined) open.output = event.value;
}

function isNemesis(event: RawEvent): boolean {
  return event.process === 'nemesis';
}

function name(event: RawEvent): string {
  return event.process === undefined ? 'the history, which names no processes,' : `process ${event.process}`;
}

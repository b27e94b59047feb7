/**
 * One event while its map is being read: the fields that mean something, checked when the map ends. One object
 * serves a whole file, because a history of a million operations has two million maps.
 */
import type { EventType, Value } from './history.js';
import type { RawEvent } from './pairing.js';
import { EventFault } from './text-cursor.js';

const TYPES: ReadonlySet<unknown> = new Set<EventType>(['invoke', 'ok', 'fail', 'info']);

export class EventFields implements RawEvent {
  type: EventType = 'invoke';
  process: number | string | undefined;
  f: string | undefined;
  value: Value | undefined;
  time: number | undefined;
  key: string | undefined;
  seen: readonly Value[] | undefined;
  error: Value | undefined;
  #type: Value | undefined;

  clear(): void {
    this.#type = undefined;
    this.process = undefined;
    this.f = undefined;
    this.value = undefined;
    this.time = undefined;
    this.key = undefined;
    this.seen = undefined;
    this.error = undefined;
  }

  /** Sets one entry of the map; entries that mean nothing to a history are left out. */
  set(name: string, value: Value): void {
    switch (name) {
      case 'type':
        this.#type = value;
        break;
      case 'process':
        this.process = processOf(value);
        break;
      case 'f':
        this.f = nameOf(value);
        break;
      case 'value':
        this.value = value;
        break;
      case 'time':
        this.time = timeOf(value);
        break;
      case 'key':
        this.key = keyOf(value);
        break;
      case 'seen':
        if (Array.isArray(value)) this.seen = value as readonly Value[];
        break;
      case 'error':
        this.error = value;
        break;
    }
  }

  /** Throws `EventFault` unless the entries make an event. */
  check(): void {
    const type = typeof this.#type === 'string' ? withoutColon(this.#type) : this.#type;
    if (!TYPES.has(type)) {
      const found = type === undefined ? 'none' : JSON.stringify(type);
      throw new EventFault(`expected an event with a type of invoke, ok, fail or info, found ${found}`);
    }
    this.type = type as EventType;
  }
}

/** `:read` as the texts of JSON that was made from EDN may have it. */
function withoutColon(name: string): string {
  return name.startsWith(':') ? name.slice(1) : name;
}

function nameOf(value: Value): string | undefined {
  if (value === null) return undefined;
  if (typeof value !== 'string')
    throw new EventFault(`expected f to be a name, found ${JSON.stringify(value)}`);
  return withoutColon(value);
}

function processOf(value: Value): number | string | undefined {
  if (value === null) return undefined;
  if (typeof value === 'number') return value;
  if (typeof value === 'string') return withoutColon(value);
  throw new EventFault(`expected process to be a number or a name, found ${JSON.stringify(value)}`);
}

function timeOf(value: Value): number | undefined {
  if (value === null) return undefined;
  const time = typeof value === 'string' && value !== '' ? Number(value) : value;
  if (typeof time === 'number' && !Number.isNaN(time)) return time;
  throw new EventFault(`expected time to be a number of nanoseconds, found ${JSON.stringify(value)}`);
}

/** A key as a text, or undefined where there is none; of vectors and maps, how JSON writes them. */
export function keyOf(value: Value): string | undefined {
  if (value === null) return undefined;
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/**
 * Writes events as other people's checkers read them: Jepsen's EDN, a map a line, and JSON lines. What these write,
 * `readHistory` reads back as it was.
 */
import { TrefoilError } from '../../src/core/errors.js';
import type { HistoryEvent, Value } from './history.js';

/** One event as a line of EDN, without the newline. */
export function ednLine(event: HistoryEvent): string {
  const parts = [
    `:index ${event.index}`,
    ...(event.time === undefined ? [] : [`:time ${numberText(event.time)}`]),
    `:process ${typeof event.process === 'number' ? event.process : ednName(event.process)}`,
    `:type :${event.type}`,
    `:f ${ednName(event.f)}`,
    ...(event.key === undefined ? [] : [`:key ${ednText(event.key)}`]),
    `:value ${ednValue(event.value)}`,
    ...(event.seen === undefined ? [] : [`:seen ${ednValue(event.seen)}`]),
    ...(event.error === undefined ? [] : [`:error ${ednValue(event.error)}`]),
  ];
  return `{${parts.join(', ')}}`;
}

/** One event as a line of JSON, without the newline. Throws `BadRequest` for a number that JSON cannot say. */
export function jsonLine(event: HistoryEvent): string {
  const { index, time, process, type, f, key, value, seen, error } = event;
  const parts = [
    `"index":${index}`,
    ...(time === undefined ? [] : [`"time":${jsonValueText(time)}`]),
    `"process":${jsonValueText(process)}`,
    `"type":"${type}"`,
    `"f":${JSON.stringify(f)}`,
    ...(key === undefined ? [] : [`"key":${JSON.stringify(key)}`]),
    `"value":${jsonValueText(value)}`,
    ...(seen === undefined ? [] : [`"seen":${jsonValueText(seen)}`]),
    ...(error === undefined ? [] : [`"error":${jsonValueText(error)}`]),
  ];
  return `{${parts.join(',')}}`;
}

/** A value as EDN. Texts are strings, for what was once a keyword is a text here. */
export function ednValue(value: Value): string {
  if (value === null) return 'nil';
  if (typeof value === 'string') return ednText(value);
  if (typeof value === 'number') return numberText(value);
  if (typeof value === 'boolean') return String(value);
  if (isMap(value)) return `{${[...value].map(([k, v]) => `${ednText(k)} ${ednValue(v)}`).join(', ')}}`;
  return `[${value.map(ednValue).join(' ')}]`;
}

function jsonValueText(value: Value): string {
  if (typeof value === 'number') {
    if (!Number.isFinite(value))
      throw new TrefoilError('BadRequest', `JSON cannot say ${value}; write the history as EDN`);
    return numberText(value);
  }
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (isMap(value))
    return `{${[...value].map(([k, v]) => `${JSON.stringify(k)}:${jsonValueText(v)}`).join(',')}}`;
  return `[${value.map(jsonValueText).join(',')}]`;
}

function isMap(value: Value): value is ReadonlyMap<string, Value> {
  return value instanceof Map;
}

/** With a point where its digits alone would be read as a text: beyond 2^53. */
function numberText(value: number): string {
  if (Number.isNaN(value)) return '##NaN';
  if (!Number.isFinite(value)) return value > 0 ? '##Inf' : '##-Inf';
  const text = String(value);
  return Number.isSafeInteger(value) || /[.e]/.test(text) ? text : `${text}.0`;
}

/** A keyword where it can be one. */
function ednName(name: string): string {
  return /^[A-Za-z*+!?$%&=<>_-][\w*+!?$%&=<>.-]*$/.test(name) ? `:${name}` : ednText(name);
}

function ednText(text: string): string {
  // Of JSON's escapes, EDN lacks none: \b and \f are Clojure's too.
  return JSON.stringify(text);
}

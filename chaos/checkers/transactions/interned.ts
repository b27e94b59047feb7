/**
 * Values by number, so that tables are arrays. Numbers, texts and booleans stand for themselves; lists and maps
 * by their text in JSON's form, which no plain text of a history can collide with, because it is kept apart.
 */
import type { Value } from '../../history/history.js';

export class Interned {
  private readonly plain = new Map<Value, number>();
  private readonly compound = new Map<string, number>();
  readonly values: Value[] = [];

  get size(): number {
    return this.values.length;
  }

  /** The number of a value, a new one where it has none. */
  idOf(value: Value): number {
    const known = this.find(value);
    if (known !== undefined) return known;
    const id = this.values.push(value) - 1;
    if (isPlain(value)) this.plain.set(value, id);
    else this.compound.set(textOf(value), id);
    return id;
  }

  find(value: Value): number | undefined {
    return isPlain(value) ? this.plain.get(value) : this.compound.get(textOf(value));
  }
}

export function isPlain(value: Value): value is null | boolean | number | string {
  return typeof value !== 'object' || value === null;
}

export function sameValue(a: Value, b: Value): boolean {
  if (a === b) return true;
  if (isPlain(a) || isPlain(b)) return false;
  return textOf(a) === textOf(b);
}

/** A value as people read it: lists in brackets, keys of maps sorted. */
export function textOf(value: Value): string {
  if (value === null) return 'nil';
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value !== 'object') return String(value);
  if (isMap(value)) {
    const entries = [...value].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    return `{${entries.map(([k, v]) => `${JSON.stringify(k)} ${textOf(v)}`).join(', ')}}`;
  }
  return `[${value.map(textOf).join(' ')}]`;
}

/** As {@link textOf}, but a text at the top stands bare, as names of keys do. */
export function nameOf(value: Value): string {
  return typeof value === 'string' ? value : textOf(value);
}

export function isMap(value: Value): value is ReadonlyMap<string, Value> {
  return value instanceof Map;
}

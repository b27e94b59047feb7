/**
 * The fields of a message on the wire: one checker per kind of field, each of which returns the value with
 * its type or throws `MalformedFrame` naming the field; and tables that tie message types to wire codes.
 *
 * On the wire a message is an array `[code, ...fields]`: smaller and faster than a map, at the price that
 * a changed shape is a new protocol version.
 */
import { TrefoilError } from '../core/errors.js';

/** The error for bytes that are no valid frame; `what` completes "malformed frame: ...". */
export function malformed(what: string, cause?: unknown): TrefoilError {
  return new TrefoilError('MalformedFrame', `malformed frame: ${what}`, cause === undefined ? {} : { cause });
}

export function text(value: unknown, field: string): string {
  if (typeof value !== 'string') throw malformed(`${field} must be a text`);
  return value;
}

/** An integer from 0 to 2^53 - 1. */
export function count(value: unknown, field: string): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw malformed(`${field} must be a count`);
  // A float64 may hold -0.
  return (value as number) + 0;
}

/** An integer from -(2^53 - 1) to 2^53 - 1. */
export function integer(value: unknown, field: string): number {
  if (!Number.isSafeInteger(value)) throw malformed(`${field} must be an integer`);
  return (value as number) + 0;
}

/** An integer from 0 to `max`. */
export function countTo(max: number, value: unknown, field: string): number {
  const n = count(value, field);
  if (n > max) throw malformed(`${field} must be at most ${max}`);
  return n;
}

/** A finite number of at least 0. */
export function amount(value: unknown, field: string): number {
  if (typeof value !== 'number' || !(value >= 0) || value === Infinity)
    throw malformed(`${field} must be a number of at least 0`);
  return value + 0;
}

export function flag(value: unknown, field: string): boolean {
  if (typeof value !== 'boolean') throw malformed(`${field} must be true or false`);
  return value;
}

export function bytes(value: unknown, field: string): Uint8Array {
  if (!(value instanceof Uint8Array)) throw malformed(`${field} must be binary`);
  return value;
}

/** Binary of `length` bytes. */
export function bytesOf(length: number, value: unknown, field: string): Uint8Array {
  const b = bytes(value, field);
  if (b.length !== length) throw malformed(`${field} must be ${length} bytes long`);
  return b;
}

/** Binary made of whole 8-byte hashes. */
export function hashes(value: unknown, field: string): Uint8Array {
  const b = bytes(value, field);
  if (b.length % 8 !== 0) throw malformed(`${field} must be a sequence of 8-byte hashes`);
  return b;
}

/** What `check` makes of a value that may also be null. */
export function orNull<T>(
  check: (value: unknown, field: string) => T,
  value: unknown,
  field: string,
): T | null {
  return value === null ? null : check(value, field);
}

/** An array, each item as `check` makes it. */
export function list<T>(check: (item: unknown, field: string) => T, value: unknown, field: string): T[] {
  if (!Array.isArray(value)) throw malformed(`${field} must be an array`);
  const items: T[] = new Array<T>(value.length);
  for (let i = 0; i < value.length; i++) items[i] = check(value[i], field);
  return items;
}

/** An array of exactly `length` items, to be checked one by one. */
export function tuple(length: number, value: unknown, field: string): readonly unknown[] {
  if (!Array.isArray(value) || value.length !== length) {
    throw malformed(`${field} must be an array of ${length}`);
  }
  return value;
}

/** A set of words that travel as their index. Words may be appended, never moved. */
export interface WordTable<W extends string> {
  readonly words: readonly W[];
  readonly codes: ReadonlyMap<W, number>;
}

export function wordTable<W extends string>(words: readonly W[]): WordTable<W> {
  return { words, codes: new Map(words.map((word, code) => [word, code])) };
}

/** The wire code of a word. */
export function wordCode<W extends string>(table: WordTable<W>, word: W): number {
  return table.codes.get(word) as number;
}

/** The word of a wire code. */
export function word<W extends string>(table: WordTable<W>, value: unknown, field: string): W {
  const found = typeof value === 'number' ? table.words[value] : undefined;
  if (found === undefined) throw malformed(`${field} has the unknown code ${String(value)}`);
  return found;
}

/** How one type of a union travels. */
export interface WireType<M> {
  readonly code: number;
  /** Items of the array, the code included; or null where `fromWire` checks it itself. */
  readonly length: number | null;
  /** `[code, ...fields]`. */
  readonly toWire: (code: number, message: M) => unknown[];
  /** `wire[0]` is the code and the length is right; everything else is unchecked. */
  readonly fromWire: (wire: readonly unknown[]) => M;
}

/** One entry for each type of the union: the compiler refuses a table with a hole. */
export type WireTable<U extends { readonly type: string }> = {
  readonly [T in U['type']]: WireType<Extract<U, { readonly type: T }>>;
};

export interface WireUnion<U> {
  readonly toWire: (message: U) => unknown[];
  readonly fromWire: (wire: unknown) => U;
  /** The wire code of every type. */
  readonly codes: ReadonlyMap<string, number>;
}

/** A union of messages, from its table. `what` names the union in errors. */
export function wireUnion<U extends { readonly type: string }>(
  what: string,
  table: WireTable<U>,
): WireUnion<U> {
  const byType = table as unknown as Readonly<Record<string, WireType<U>>>;
  const byCode: (WireType<U> | undefined)[] = [];
  const codes = new Map<string, number>();
  for (const [type, entry] of Object.entries(byType)) {
    byCode[entry.code] = entry;
    codes.set(type, entry.code);
  }
  return {
    codes,
    toWire(message) {
      const entry = byType[message.type] as WireType<U>;
      return entry.toWire(entry.code, message);
    },
    fromWire(wire) {
      if (!Array.isArray(wire)) throw malformed(`${what} must be an array`);
      const code: unknown = wire[0];
      const entry = typeof code === 'number' ? byCode[code] : undefined;
      if (entry === undefined) throw malformed(`${what} has the unknown code ${String(code)}`);
      if (entry.length !== null && entry.length !== wire.length) {
        throw malformed(
          `${what} ${String(code)} must have ${entry.length - 1} fields, not ${wire.length - 1}`,
        );
      }
      return entry.fromWire(wire);
    },
  };
}

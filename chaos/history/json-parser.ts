/**
 * JSON, read in pieces and straight into the fields of events. `JSON.parse` would want every line cut out first, and
 * makes 9007199254740993 and 9007199254740992 the same number: a checker would take two values for one.
 *
 * A comma before a closing bracket is let pass, as people leave it there.
 */
import { DEPTH_MAX, escapedString, hasBackslash } from './edn-parser.js';
import type { EventFields } from './event-fields.js';
import type { Value } from './history.js';
import { jsonNumber } from './number-token.js';
import type { StringCache } from './string-cache.js';
import { NEED_MORE, type TextCursor } from './text-cursor.js';

const QUOTE = 34;
const COMMA = 44;
const COLON = 58;
const OPEN_ARRAY = 91;
const CLOSE_ARRAY = 93;
const OPEN_OBJECT = 123;
const CLOSE_OBJECT = 125;

/** 1 in what numbers, true, false and null are made of. */
const IN_WORD = new Uint8Array(128);
for (const part of '0123456789+-.abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_')
  IN_WORD[part.charCodeAt(0)] = 1;

export class JsonParser {
  readonly #cursor: TextCursor;
  readonly #strings: StringCache;
  #depth = 0;

  constructor(cursor: TextCursor, strings: StringCache) {
    this.#cursor = cursor;
    this.#strings = strings;
  }

  /** After a `NEED_MORE`, before the next try. */
  reset(): void {
    this.#depth = 0;
  }

  /** Goes to what comes next, past white space. Its character code, or -1 at the end. */
  next(): number {
    const cursor = this.#cursor;
    const { text } = cursor;
    let at = cursor.at;
    while (at < text.length) {
      const code = text.charCodeAt(at);
      if (code > 32 && code !== 0xfeff) {
        cursor.at = at;
        return code;
      }
      at++;
    }
    cursor.at = at;
    return cursor.peek();
  }

  /** Reads one value. */
  value(): Value {
    const cursor = this.#cursor;
    const code = this.next();
    if (code === QUOTE) return this.#string();
    if (code === OPEN_ARRAY) return this.#array();
    if (code === OPEN_OBJECT) return this.#object();
    return code === -1 ? this.#missing(cursor) : this.#word(code);
  }

  /** Reads the object that opens here into the fields of an event. */
  event(fields: EventFields): void {
    this.#entries((name, value) => fields.set(name, value));
  }

  #missing(cursor: TextCursor): never {
    throw cursor.expected('a value');
  }

  #array(): Value[] {
    const cursor = this.#cursor;
    this.#deeper();
    cursor.at++;
    const values: Value[] = [];
    while (this.next() !== CLOSE_ARRAY) {
      values.push(this.value());
      this.#separator(CLOSE_ARRAY, ', or ]');
    }
    cursor.at++;
    this.#depth--;
    return values;
  }

  #object(): Value {
    const entries = new Map<string, Value>();
    this.#deeper();
    this.#entries((name, value) => entries.set(name, value));
    this.#depth--;
    return entries;
  }

  #entries(set: (name: string, value: Value) => void): void {
    const cursor = this.#cursor;
    cursor.at++;
    for (let code = this.next(); code !== CLOSE_OBJECT; code = this.next()) {
      if (code !== QUOTE) throw cursor.expected('a name in quotes, or }');
      const name = this.#string();
      if (this.next() !== COLON) throw cursor.expected(`a colon after ${JSON.stringify(name)}`);
      cursor.at++;
      set(name, this.value());
      this.#separator(CLOSE_OBJECT, ', or }');
    }
    cursor.at++;
  }

  #separator(close: number, what: string): void {
    const code = this.next();
    if (code === COMMA) this.#cursor.at++;
    else if (code !== close) throw this.#cursor.expected(what);
  }

  #string(): string {
    const cursor = this.#cursor;
    const { text } = cursor;
    const start = cursor.at + 1;
    const end = text.indexOf('"', start);
    if (end < 0 || hasBackslash(text, start, end)) return escapedString(cursor);
    cursor.at = end + 1;
    return this.#strings.slice(text, start, end);
  }

  #word(code: number): Value {
    const cursor = this.#cursor;
    const { text } = cursor;
    const start = cursor.at;
    const first = code === 45 ? start + 1 : start;
    let at = first;
    let number = 0;
    let digit;
    while (at < text.length && at - first < 15 && (digit = text.charCodeAt(at) - 48) >= 0 && digit <= 9) {
      number = number * 10 + digit;
      at++;
    }
    const plain = at > first && (at === first + 1 || text.charCodeAt(first) !== 48);
    if (plain && at < text.length && !inWord(text.charCodeAt(at))) {
      cursor.at = at;
      return code === 45 && number !== 0 ? -number : number;
    }
    while (at < text.length && inWord(text.charCodeAt(at))) at++;
    if (at === text.length && !cursor.ended) throw NEED_MORE;
    const token = text.slice(start, at);
    cursor.at = at;
    if (token === 'null') return null;
    if (token === 'true') return true;
    if (token === 'false') return false;
    const value = jsonNumber(token);
    if (value === undefined) throw cursor.expected('a value', start);
    return value;
  }

  #deeper(): void {
    if (++this.#depth > DEPTH_MAX) throw this.#cursor.fault(`values are nested deeper than ${DEPTH_MAX}`);
  }
}

function inWord(code: number): boolean {
  return code < 128 && IN_WORD[code] === 1;
}

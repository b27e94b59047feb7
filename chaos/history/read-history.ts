/**
 * Reads a history in any of the known formats, in pieces, into operations.
 *
 *     bytes -> text -> events, one at a time -> pairing -> operations
 *
 * Only the operations stay. What is left out, events of nemeses and foreign lines of logs, is counted; all else that
 * cannot be read is an error with its line.
 */
import { StringDecoder } from 'node:string_decoder';
import { TrefoilError } from '../../src/core/errors.js';
import { DETECT_LENGTH, detectFormat, type HistoryFormat } from './detect-format.js';
import { EdnParser } from './edn-parser.js';
import { EventFields } from './event-fields.js';
import type { Operation } from './history.js';
import { readLogLine } from './jepsen-log.js';
import { JsonParser } from './json-parser.js';
import { splitKeys } from './keys.js';
import { Pairing } from './pairing.js';
import { StringCache } from './string-cache.js';
import { EventFault, NEED_MORE, TextCursor } from './text-cursor.js';

export interface History {
  readonly format: HistoryFormat;
  readonly operations: readonly Operation[];
  /** Events of clients and of nemeses. */
  readonly events: number;
  /** What was left out. */
  readonly nemesisEvents: number;
  readonly otherLines: number;
}

export interface ReadOptions {
  /** Names the source in messages. */
  readonly source: string;
  readonly format: HistoryFormat | 'auto';
}

/** Reads a whole history. Throws `BadRequest` with source and line for what is none. */
export async function readHistory(pieces: AsyncIterable<Uint8Array>, options: ReadOptions): Promise<History> {
  const reader = new HistoryReader(options);
  for await (const piece of pieces) reader.push(piece);
  return reader.end();
}

/** The same of a text that is at hand. */
export function parseHistory(text: string, options: ReadOptions): History {
  const reader = new HistoryReader(options);
  reader.push(Buffer.from(text));
  return reader.end();
}

const COMMA = 44;
const HASH = 35;
const OPEN_LIST = 40;
const OPEN_ARRAY = 91;
const OPEN_MAP = 123;
const CLOSER: Readonly<Record<number, number>> = { [OPEN_LIST]: 41, [OPEN_ARRAY]: 93 };

class HistoryReader {
  readonly #source: string;
  readonly #cursor: TextCursor;
  readonly #strings = new StringCache();
  readonly #fields = new EventFields();
  readonly #pairing = new Pairing();
  readonly #decoder = new StringDecoder('utf8');
  readonly #edn: EdnParser;
  readonly #json: JsonParser;
  #format: HistoryFormat | 'auto';
  /** The bracket that ends the list of events; 0 outside of one, -1 after it. */
  #closer = 0;
  #otherLines = 0;
  #lines = 0;

  constructor(options: ReadOptions) {
    this.#source = options.source;
    this.#format = options.format;
    this.#cursor = new TextCursor(options.source);
    this.#edn = new EdnParser(this.#cursor, this.#strings);
    this.#json = new JsonParser(this.#cursor, this.#strings);
  }

  push(bytes: Uint8Array): void {
    const text = this.#decode(bytes);
    const worthTrying = this.#cursor.feed(text);
    if (this.#format === 'auto' && this.#cursor.text.length < DETECT_LENGTH) return;
    if (worthTrying) this.#drain();
  }

  end(): History {
    this.#cursor.feed(this.#decoder.end());
    this.#cursor.finish();
    this.#drain();
    if (this.#closer > 0)
      throw this.#cursor.expected(`the ${String.fromCharCode(this.#closer)} that ends the list of events`);
    const { operations, events, nemesisEvents } = this.#pairing;
    if (this.#otherLines > 0 && events === 0)
      throw new TrefoilError(
        'BadRequest',
        `${this.#source}: none of its ${this.#lines} lines is an operation that Jepsen logged`,
      );
    splitKeys(operations);
    return { format: this.#resolved(), operations, events, nemesisEvents, otherLines: this.#otherLines };
  }

  /** Takes all events that are there in full. */
  #drain(): void {
    const cursor = this.#cursor;
    const format = this.#resolved();
    const step = format === 'json' ? this.#jsonStep : format === 'jepsen-log' ? this.#logStep : this.#ednStep;
    cursor.rewind();
    this.#edn.reset();
    this.#json.reset();
    let start = cursor.at;
    try {
      for (;;) {
        start = cursor.at;
        if (!step.call(this)) return;
        cursor.commit();
      }
    } catch (error) {
      if (error === NEED_MORE) return;
      if (error instanceof EventFault) throw cursor.fault(error.message, this.#eventStart(start));
      throw error;
    }
  }

  #resolved(): HistoryFormat {
    if (this.#format !== 'auto') return this.#format;
    const found = detectFormat(this.#cursor.text.slice(0, DETECT_LENGTH));
    if (found === undefined)
      throw this.#cursor.expected(
        'a history: EDN, JSON, lines of a Jepsen log, or the kv text of Porcupine',
        0,
      );
    this.#format = found;
    return found;
  }

  #ednStep(): boolean {
    const cursor = this.#cursor;
    const code = this.#edn.next();
    if (this.#listStep(code)) return true;
    if (code === -1) return false;
    if (code === HASH) {
      cursor.at++;
      this.#edn.tag();
      if (this.#edn.next() !== OPEN_MAP) throw cursor.expected('the map of an event after its tag');
    } else if (code !== OPEN_MAP)
      throw cursor.expected('an event, such as {:process 0, :type :invoke, :f :read, :value nil}');
    this.#fields.clear();
    this.#edn.event(this.#fields);
    this.#take();
    return true;
  }

  #jsonStep(): boolean {
    const cursor = this.#cursor;
    const code = this.#json.next();
    if (this.#listStep(code)) return true;
    if (code === -1) return false;
    if (code !== OPEN_MAP)
      throw cursor.expected('an event, such as {"process":0,"type":"invoke","f":"read","value":null}');
    this.#fields.clear();
    this.#json.event(this.#fields);
    const separator = this.#separatorAfterEvent();
    this.#take();
    cursor.at = separator;
    return true;
  }

  /** The brackets around the events: at most one pair. */
  #listStep(code: number): boolean {
    if (code === this.#closer && code > 0) this.#closer = -1;
    else if (code !== OPEN_LIST && code !== OPEN_ARRAY) {
      if (this.#closer === -1 && code !== -1) throw this.#cursor.expected('nothing after the list of events');
      return false;
    } else {
      if (this.#closer !== 0 || this.#pairing.events > 0) return false;
      this.#closer = CLOSER[code] ?? 0;
    }
    this.#cursor.at++;
    return true;
  }

  /** Within a list events are separated by commas; lines need none, and may end with one. */
  #separatorAfterEvent(): number {
    const cursor = this.#cursor;
    const end = cursor.at;
    if (this.#closer <= 0 && cursor.text.charCodeAt(end) === 10) return end;
    const code = this.#json.next();
    if (code === COMMA) return cursor.at + 1;
    if (this.#closer > 0 && code !== this.#closer) throw cursor.expected(', or ]');
    return end;
  }

  #logStep(): boolean {
    const cursor = this.#cursor;
    const { text, at } = cursor;
    const newline = text.indexOf('\n', at);
    if (newline < 0 && !cursor.ended) throw NEED_MORE;
    if (newline < 0 && at >= text.length) return false;
    const line = text.slice(at, newline < 0 ? text.length : newline);
    this.#fields.clear();
    const place = { source: this.#source, linesBefore: this.#lines, strings: this.#strings };
    const isOperation = readLogLine(line.replace(/^\ufeff/, ''), this.#fields, place);
    if (isOperation) this.#take();
    else if (line.trim() !== '') this.#otherLines++;
    this.#lines++;
    cursor.at = newline < 0 ? text.length : newline + 1;
    return true;
  }

  #take(): void {
    this.#fields.check();
    this.#pairing.add(this.#fields);
  }

  /** Past the white space and commas that stand before the event at `start`. */
  #eventStart(start: number): number {
    const space = /[\s,]*/y;
    space.lastIndex = start;
    return start + (space.exec(this.#cursor.text)?.[0].length ?? 0);
  }

  /** Bytes that are no UTF-8 would become one and the same character, and values that differ would be equal. */
  #decode(bytes: Uint8Array): string {
    const text = this.#decoder.write(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    if (text.includes('\ufffd') && !Buffer.from(bytes).includes('\ufffd'))
      throw new TrefoilError(
        'BadRequest',
        `${this.#source}: expected text in UTF-8, found bytes that are none`,
      );
    return text;
  }
}

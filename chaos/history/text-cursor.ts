/**
 * Text that arrives in pieces, read by parsers that are written as if it were all there.
 *
 *     consumed (dropped, lines counted) | from the last commit | not yet read | pieces to come
 *
 * A parser that meets the end of what has arrived throws `NEED_MORE`; whoever drives it goes back to the last
 * commit and tries again when more is there. An event is a few hundred bytes and a piece a megabyte, so what
 * is read twice is next to nothing, and parsers need no states of their own. A form longer than a piece waits
 * until what has arrived has doubled: the whole stays linear. The file is never one string: V8 cannot hold one
 * beyond 512 MiB.
 */
import { TrefoilError } from '../../src/core/errors.js';

/** No single form of a history may be longer, in characters. */
const FORM_LENGTH_MAX = 1 << 28;
/** Of the offending text, what a message shows. */
const EXCERPT_LENGTH_MAX = 40;

class NeedMore extends Error {}
/** Thrown to the driver alone; made once, because making an error is slow. */
export const NEED_MORE = new NeedMore('more text is needed');

/** What is wrong with an event, before it is known where it stands. */
export class EventFault extends Error {}

export class TextCursor {
  /** What has arrived, from the last commit that was dropped. */
  text = '';
  at = 0;
  /** Whether nothing more will come. */
  ended = false;
  readonly #source: string;
  readonly #pending: string[] = [];
  #pendingLength = 0;
  #committed = 0;
  #linesDropped: number;

  /** `linesBefore`: lines of the source that stand before this text. */
  constructor(source: string, linesBefore = 0) {
    this.#source = source;
    this.#linesDropped = linesBefore;
  }

  /** Adds a piece. False while it is not worth another try. */
  feed(piece: string): boolean {
    this.#pending.push(piece);
    this.#pendingLength += piece.length;
    if (this.#pendingLength < this.text.length - this.#committed) return false;
    this.#join();
    return true;
  }

  /** Says that nothing more will come. */
  finish(): void {
    this.#join();
    this.ended = true;
  }

  /** What is before `at` is done with. */
  commit(): void {
    this.#committed = this.at;
  }

  /** Back to the last commit. */
  rewind(): void {
    this.at = this.#committed;
  }

  /** The character code at `at`, or -1 at the end of the source. */
  peek(): number {
    if (this.at < this.text.length) return this.text.charCodeAt(this.at);
    if (!this.ended) throw NEED_MORE;
    return -1;
  }

  /** The line of a position, from 1. */
  lineOf(position: number): number {
    return this.#linesDropped + countNewlines(this.text, position) + 1;
  }

  /** The error that names the place: `expected` says what should stand there. */
  expected(what: string, position = this.at): TrefoilError {
    const rest = this.text.slice(position, position + EXCERPT_LENGTH_MAX + 1).split('\n', 1)[0] ?? '';
    const shown = rest.length > EXCERPT_LENGTH_MAX ? `${rest.slice(0, EXCERPT_LENGTH_MAX)}...` : rest;
    const found =
      position >= this.text.length
        ? 'the end of the file'
        : shown.trim() === ''
          ? 'the end of the line'
          : JSON.stringify(shown);
    return this.fault(`expected ${what}, found ${found}`, position);
  }

  /** The error that says what is wrong at a place. */
  fault(message: string, position = this.at): TrefoilError {
    return new TrefoilError('BadRequest', `${this.#source}:${this.lineOf(position)}: ${message}`);
  }

  #join(): void {
    const left = this.text.slice(this.#committed);
    if (left.length + this.#pendingLength > FORM_LENGTH_MAX && left.length > 0)
      throw this.fault(`what begins here is longer than ${FORM_LENGTH_MAX} characters`, this.#committed);
    this.#linesDropped += countNewlines(this.text, this.#committed);
    this.text = left + this.#pending.join('');
    this.#pending.length = 0;
    this.#pendingLength = 0;
    this.#committed = 0;
    this.at = 0;
  }
}

function countNewlines(text: string, end: number): number {
  let count = 0;
  if (end > text.length) end = text.length;
  for (let at = text.indexOf('\n'); at >= 0 && at < end; at = text.indexOf('\n', at + 1)) count++;
  return count;
}

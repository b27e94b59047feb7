/**
 * The bytes of records and contexts: unsigned integers as LEB128 (seven bits a byte, lowest first, up to
 * 2^53 - 1, always the shortest form) and texts as their UTF-8 length and bytes. One value has one
 * encoding, which is what lets hash trees digest these bytes. Rejected: msgpack here too. Its encoders may
 * write one number in several forms, and for a common record it measured no faster (about 1.2 us either
 * way) and a third larger.
 */
import { crc32 } from 'node:zlib';
import { invariant } from '../core/invariant.js';

/** Up to here a loop beats the call into C++. */
const SHORT_BYTES = 32;

/** Gathers bytes in a buffer of its own that grows; `copy` takes them out. Meant to be reused. */
export class BinaryWriter {
  #bytes = Buffer.allocUnsafeSlow(1024);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  clear(): void {
    this.#length = 0;
  }

  uint(value: number): void {
    // Its words are made only where they are needed: numbers as text cost more than all the rest here.
    if (!(Number.isSafeInteger(value) && value >= 0)) invariant(false, `an unsigned integer, not ${value}`);
    this.#reserve(8);
    const bytes = this.#bytes;
    let at = this.#length;
    let rest = value;
    // Bit operators know 32 bits only, and times have 51: four groups of seven come off with one division.
    while (rest > 0x7fff_ffff) {
      const high = Math.floor(rest / 0x1000_0000);
      let low = rest - high * 0x1000_0000;
      for (let i = 0; i < 4; i++) {
        bytes[at++] = (low & 0x7f) | 0x80;
        low >>>= 7;
      }
      rest = high;
    }
    while (rest > 0x7f) {
      bytes[at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    bytes[at++] = rest;
    this.#length = at;
  }

  text(value: string): void {
    const length = value.length;
    this.#reserve(8 + length * 3);
    if (length < 0x80 && this.#ascii(value)) return;
    this.uint(Buffer.byteLength(value));
    this.#length += this.#bytes.write(value, this.#length);
  }

  /** Copies what was written to `target` at `start`. */
  copy(target: Buffer, start: number): void {
    const length = this.#length;
    if (length > SHORT_BYTES) {
      this.#bytes.copy(target, start, 0, length);
      return;
    }
    const bytes = this.#bytes;
    for (let at = 0; at < length; at++) target[start + at] = bytes[at] as number;
  }

  /** Ids are short and ASCII: a loop beats the call into C++. Leaves no trace where it gives up. */
  #ascii(value: string): boolean {
    const bytes = this.#bytes;
    let at = this.#length;
    bytes[at++] = value.length;
    for (let i = 0; i < value.length; i++) {
      const unit = value.charCodeAt(i);
      if (unit > 0x7f) return false;
      bytes[at++] = unit;
    }
    this.#length = at;
    return true;
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#length + more, this.#bytes.length * 2));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

/** Reads what {@link BinaryWriter} wrote. Every method throws what `fail` makes where the bytes are none of it. */
export class BinaryReader {
  readonly #bytes: Buffer;
  readonly #fail: (what: string) => Error;
  #at: number;

  /** Reads from `start` on. */
  constructor(bytes: Uint8Array, start: number, fail: (what: string) => Error) {
    this.#bytes = asBuffer(bytes);
    this.#fail = fail;
    this.#at = start;
  }

  get position(): number {
    return this.#at;
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  uint(): number {
    const first = this.#bytes[this.#at];
    if (first !== undefined && first < 0x80) {
      this.#at++;
      return first;
    }
    return this.#longUint();
  }

  #longUint(): number {
    let value = 0;
    let scale = 1;
    for (let at = this.#at; at < this.#bytes.length; at++) {
      const byte = this.#bytes[at] as number;
      value += (byte & 0x7f) * scale;
      scale *= 128;
      if (byte >= 0x80) continue;
      if (byte === 0) throw this.#fail('a number is not in its shortest form');
      // Written so that NaN, from scales beyond all numbers, is refused too.
      if (!(value <= Number.MAX_SAFE_INTEGER)) throw this.#fail('a number is too large');
      this.#at = at + 1;
      return value;
    }
    throw this.#fail('it ends too early');
  }

  /** A number of things that take at least `bytesEach` bytes each, so that a false one cannot ask for much. */
  countOf(bytesEach: number): number {
    const count = this.uint();
    if (count * bytesEach > this.remaining) throw this.#fail('it ends too early');
    return count;
  }

  text(): string {
    const length = this.countOf(1);
    const start = this.#at;
    this.#at += length;
    return this.#bytes.toString('utf8', start, this.#at);
  }

  /** The next bytes, as a view. */
  bytes(length: number): Uint8Array {
    if (length > this.remaining) throw this.#fail('it ends too early');
    const start = this.#at;
    this.#at += length;
    return this.#bytes.subarray(start, this.#at);
  }
}

/** The same bytes, without a copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Whether bytes that start with the CRC-32 of their rest (4 bytes, big-endian) are whole. */
export function crcHolds(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && asBuffer(bytes).readUInt32BE(0) === crc32(bytes.subarray(4));
}

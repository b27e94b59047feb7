/**
 * msgpackr, as frames use it (`value-codec.ts` is the other place that imports it).
 *
 * Frames use a plain subset of msgpack: nil, booleans, numbers, strings, binary and arrays. `checkPlain`
 * walks a payload before msgpackr sees it and refuses everything else: maps, extensions (msgpackr's can
 * define records, build regular expressions, refer back or move the read position; no foreign frame shall
 * reach them), lengths that do not add up, deep nesting, too many values, trailing bytes. The walk takes 30
 * to 110 ns a message, 7 to 20 per cent of its decoding. Rejected: relying on msgpackr's own errors alone,
 * which bound neither memory nor time; on trailing bytes, for one, it prints all it has read, then throws.
 *
 * The encoder hands out slices of a pool that it fills front to back and never writes again, so a frame
 * stays valid for as long as it is held (`protocol-codec.test.ts` holds it to that).
 */
import { Packr, RESERVE_START_SPACE } from 'msgpackr';
import { FRAME_NESTING_MAX, FRAME_VALUES_MAX } from '../core/limits.js';
import { malformed } from './fields.js';

const packr = new Packr({
  // Plain msgpack on the wire: no record extension.
  useRecords: false,
  // Integers above 2^32 leave as float64, exact to 2^53; from other encoders they may come as int64.
  int64AsType: 'number',
  structuredClone: false,
});

/** The value as msgpack, after `reserved` (< 256) bytes that the caller fills in. Never overwritten later. */
export function pack(value: unknown, reserved: number): Buffer {
  return packr.pack(value, RESERVE_START_SPACE | reserved);
}

/** The plain msgpack value that fills `bytes` from `start`. Binary in it is a view of `bytes`. Throws `MalformedFrame`. */
export function unpack(bytes: Buffer, start: number): unknown {
  checkPlain(bytes, start);
  try {
    return packr.unpack(bytes, { start, end: bytes.length });
  } catch (cause) {
    throw malformed('not msgpack', cause);
  }
}

/** Throws `MalformedFrame` unless exactly one plain value, within the limits, fills `bytes` from `start`. */
export function checkPlain(bytes: Uint8Array, start: number): void {
  const unread = [1];
  let depth = 0;
  let values = 0;
  let position = start;
  while (depth >= 0) {
    if (unread[depth] === 0) {
      depth--;
      continue;
    }
    (unread[depth] as number)--;
    if (++values > FRAME_VALUES_MAX) throw malformed(`more than ${FRAME_VALUES_MAX} values`);
    const token = bytes[position++];
    if (token === undefined) throw malformed('it ends too early');
    if (token < 0x80 || token >= 0xe0) continue;
    if (token >= 0xa0 && token < 0xc0) {
      position += token & 0x1f;
      continue;
    }
    const items = arrayLength(bytes, token, position);
    if (items < 0) {
      position = skipScalar(bytes, token, position);
      continue;
    }
    if (++depth >= FRAME_NESTING_MAX) throw malformed(`nested deeper than ${FRAME_NESTING_MAX}`);
    if (items > bytes.length - position) throw malformed('it ends too early');
    if (token === 0xdc) position += 2;
    else if (token === 0xdd) position += 4;
    unread[depth] = items;
  }
  if (position > bytes.length) throw malformed('it ends too early');
  if (position < bytes.length) throw malformed(`${bytes.length - position} bytes follow it`);
}

/** The number of items of an array whose token stands before `position`, or -1 if it is no array. */
function arrayLength(bytes: Uint8Array, token: number, position: number): number {
  if (token >= 0x90 && token < 0xa0) return token & 0x0f;
  if (token === 0xdc) return uint(bytes, position, 2);
  if (token === 0xdd) return uint(bytes, position, 4);
  return -1;
}

/** The position after a value that is neither array nor fixed-length string nor small integer. */
function skipScalar(bytes: Uint8Array, token: number, position: number): number {
  switch (token) {
    case 0xc0: // nil
    case 0xc2: // false
    case 0xc3: // true
      return position;
    case 0xcc: // uint 8
    case 0xd0: // int 8
      return position + 1;
    case 0xcd: // uint 16
    case 0xd1: // int 16
      return position + 2;
    case 0xca: // float 32
    case 0xce: // uint 32
    case 0xd2: // int 32
      return position + 4;
    case 0xcb: // float 64
    case 0xcf: // uint 64
    case 0xd3: // int 64
      return position + 8;
    case 0xc4: // bin 8
    case 0xd9: // str 8
      return position + 1 + uint(bytes, position, 1);
    case 0xc5: // bin 16
    case 0xda: // str 16
      return position + 2 + uint(bytes, position, 2);
    case 0xc6: // bin 32
    case 0xdb: // str 32
      return position + 4 + uint(bytes, position, 4);
    default:
      throw malformed(`msgpack type 0x${token.toString(16)} has no place in it`);
  }
}

function uint(bytes: Uint8Array, position: number, length: number): number {
  if (position + length > bytes.length) throw malformed('it ends too early');
  let value = 0;
  for (let i = 0; i < length; i++) value = value * 256 + (bytes[position + i] as number);
  return value;
}

/**
 * The SDK's default encoding of values: msgpack, with the types of JavaScript that it lacks (dates, typed
 * arrays, sets, big integers) as msgpackr's extensions. Nodes never look inside.
 *
 * Records (msgpackr's own shared structures) are off: stored bytes must mean the same without the encoder
 * that made them. What decodes is a copy, never a view of the frame it came in, so that keeping one small
 * vector does not keep a whole frame alive, and its memory is aligned for typed arrays.
 */
import { Packr } from 'msgpackr';

const packr = new Packr({
  useRecords: false,
  moreTypes: true,
  copyBuffers: true,
  // Extensions that refer back into the message: cyclic values are refused instead.
  structuredClone: false,
});

/** The value as msgpack. The bytes are the caller's. Throws where the value holds what msgpack cannot (a symbol, a cycle). */
export function encodeValue(value: unknown): Uint8Array {
  return packr.pack(value);
}

/** The value that `encodeValue` was given; a `Map` comes back as a plain object. Throws on bytes that are not one msgpack value. */
export function decodeValue(bytes: Uint8Array): unknown {
  return packr.unpack(bytes);
}

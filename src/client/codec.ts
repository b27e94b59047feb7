/** The two value codecs that come with the SDK, and what a failing codec is reported as. */
import { TrefoilError } from '../core/errors.js';
import { VALUE_BYTES_MAX } from '../core/limits.js';
import { decodeValue, encodeValue } from '../protocol/value-codec.js';
import type { ValueCodec } from './api.js';

/** The default: msgpack with dates, typed arrays, sets and big integers. `T` is trusted, not checked. */
export function msgpackCodec<T>(): ValueCodec<T> {
  return { encode: encodeValue, decode: (bytes) => decodeValue(bytes) as T };
}

/** Passes bytes through. What it decodes is a copy that the caller may keep and change. */
export const bytesCodec: ValueCodec<Uint8Array> = {
  encode: (value) => value,
  decode: (bytes) => new Uint8Array(bytes),
};

/** The bytes of a value. Throws `BadRequest` where the codec fails, `ValueTooLarge` beyond the limit. */
export function encodeWith<T>(codec: ValueCodec<T>, key: string, value: T): Uint8Array {
  if (value === undefined) {
    throw new TrefoilError(
      'BadRequest',
      `no value for ${JSON.stringify(key)}: undefined means absent, use delete`,
    );
  }
  let bytes: Uint8Array;
  try {
    bytes = codec.encode(value);
  } catch (cause) {
    throw new TrefoilError(
      'BadRequest',
      `the value of ${JSON.stringify(key)} cannot be encoded: ${reason(cause)}`,
      {
        cause,
      },
    );
  }
  if (!(bytes instanceof Uint8Array)) {
    throw new TrefoilError('BadRequest', `the codec made no bytes of the value of ${JSON.stringify(key)}`);
  }
  if (bytes.length > VALUE_BYTES_MAX) {
    throw new TrefoilError(
      'ValueTooLarge',
      `a value of ${bytes.length} bytes under ${JSON.stringify(key)}; the limit is ${VALUE_BYTES_MAX}`,
    );
  }
  return bytes;
}

/** The value of stored bytes. Throws `BadRequest` where the codec cannot read what another codec wrote. */
export function decodeWith<T>(codec: ValueCodec<T>, key: string, bytes: Uint8Array): T {
  try {
    return codec.decode(bytes);
  } catch (cause) {
    throw new TrefoilError(
      'BadRequest',
      `the value under ${JSON.stringify(key)} was written by another codec: ${reason(cause)}`,
      { cause },
    );
  }
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

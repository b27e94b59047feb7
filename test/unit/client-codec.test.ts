import { describe, expect, test } from 'vitest';
import { bytesCodec, decodeWith, encodeWith, msgpackCodec } from '../../src/client/codec.js';
import { VALUE_BYTES_MAX } from '../../src/core/limits.js';
import { decodeValue, encodeValue } from '../../src/protocol/value-codec.js';

describe('the default codec', () => {
  test.each([
    ['an object', { id: 'p1', nested: { tags: ['a', 'b'], none: null }, size: 2 ** 40, ratio: 1.5 }],
    ['the largest safe integers', [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]],
    ['a big integer', 2n ** 70n],
    ['a date', new Date(1_767_225_600_123)],
    ['a set', new Set(['a', 1])],
    ['text beyond the basic plane', 'é 😀 \u0000'],
    ['bytes', new Uint8Array([0, 255, 128])],
    ['a Float32Array', new Float32Array([1.5, -2.25, Infinity])],
    ['a Float64Array', new Float64Array([1.1, NaN])],
    ['an Int16Array', new Int16Array([-1, 300])],
    ['false, null and the empty text', [false, null, '']],
  ])('gives back %s', (_, value) => {
    expect(decodeValue(encodeValue(value))).toEqual(value);
  });

  test('a vector that is a view of a larger buffer carries its own part only', () => {
    const whole = new Float32Array(1000).fill(7);
    const bytes = encodeValue({ vector: whole.subarray(10, 14) });
    expect(bytes.length).toBeLessThan(64);
    expect(decodeValue(bytes)).toEqual({ vector: new Float32Array([7, 7, 7, 7]) });
  });

  test('what it decodes is no view of the frame that it came in', () => {
    const encoded = encodeValue({ vector: new Float32Array([1, 2]), bytes: new Uint8Array([9]) });
    // At an odd offset, as in a frame.
    const frame = new Uint8Array(10_001);
    frame.set(encoded, 4321);
    const value = decodeValue(frame.subarray(4321, 4321 + encoded.length)) as {
      vector: Float32Array;
      bytes: Uint8Array;
    };
    frame.fill(0);
    expect(value.vector).toEqual(new Float32Array([1, 2]));
    expect([...value.bytes]).toEqual([9]);
    expect(value.vector.buffer.byteLength).toBe(8);
    expect(value.bytes.buffer.byteLength).toBeLessThan(frame.length);
  });

  test('later encodings leave earlier bytes alone', () => {
    const first = encodeValue({ n: 1 });
    const copy = new Uint8Array(first);
    for (let i = 0; i < 5000; i++) encodeValue({ n: i, text: 'x'.repeat(100) });
    expect(new Uint8Array(first)).toEqual(copy);
  });
});

describe('a codec at the edge', () => {
  const codec = msgpackCodec<unknown>();

  test('undefined is no value', () => {
    expect(() => encodeWith(codec, 'k', undefined)).toThrow('use delete');
  });

  test('what it cannot encode or decode is a BadRequest that names the key', () => {
    expect(() => encodeWith(codec, 'the-key', Symbol('s'))).toThrow(/the-key/);
    expect(() => decodeWith(codec, 'the-key', new Uint8Array([0xa5, 0x61]))).toThrow(/the-key/);
    const cyclic: Record<string, unknown> = {};
    cyclic['self'] = cyclic;
    expect(() => encodeWith(codec, 'the-key', cyclic)).toThrow(
      expect.objectContaining({ code: 'BadRequest' }),
    );
  });

  test('too much is ValueTooLarge', () => {
    expect(encodeWith(bytesCodec, 'k', new Uint8Array(VALUE_BYTES_MAX))).toHaveLength(VALUE_BYTES_MAX);
    expect(() => encodeWith(bytesCodec, 'k', new Uint8Array(VALUE_BYTES_MAX + 1))).toThrow(
      expect.objectContaining({ code: 'ValueTooLarge' }),
    );
  });

  test('a codec that makes no bytes is found out', () => {
    const wrong = { encode: () => 'text' as unknown as Uint8Array, decode: () => 1 };
    expect(() => encodeWith(wrong, 'k', 1)).toThrow('made no bytes');
  });
});

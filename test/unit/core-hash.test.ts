import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hashBytes, hashText, partitionedPart, partitionOfKey } from '../../src/core/hash.js';

/** XXH64, as published with the reference implementation and its ports. */
const VECTORS: readonly (readonly [text: string, seed: bigint, hash: string])[] = [
  ['', 0n, 'ef46db3751d8e999'],
  ['', 123n, 'e0db84de91f3e198'],
  ['a', 0n, 'd24ec4f1a98c6e5b'],
  ['as', 0n, '1c330fb2d66be179'],
  ['asd', 0n, '631c37ce72a97393'],
  ['asdf', 0n, '415872f599cea71e'],
  ['Call me Ishmael. Some years ago--never mind how long precisely-', 0n, '02a2e85470d6fd96'],
];

describe('XXH64', () => {
  it.each(VECTORS)('of %j with seed %d is %s', (text, seed, hash) => {
    expect(hashText(text, seed).toString(16).padStart(16, '0')).toBe(hash);
    expect(hashBytes(Buffer.from(text), seed).toString(16).padStart(16, '0')).toBe(hash);
  });

  it('of a text is that of its UTF-8 bytes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(hashText(text)).toBe(hashBytes(Buffer.from(text, 'utf8')));
      }),
    );
  });

  it('of a megabyte is that of the same bytes elsewhere in memory', () => {
    const bytes = new Uint8Array(1024 * 1024 + 3).fill(7);
    expect(hashBytes(bytes.subarray(3))).toBe(hashBytes(new Uint8Array(1024 * 1024).fill(7)));
    expect(hashBytes(bytes)).not.toBe(hashBytes(bytes.subarray(3)));
  });
});

describe('hash tags, by the rules of Redis Cluster', () => {
  it.each([
    ['{user1000}.following', 'user1000'],
    ['{user1000}.followers', 'user1000'],
    ['foo{}{bar}', 'foo{}{bar}'],
    ['foo{{bar}}zap', '{bar'],
    ['foo{bar}{zap}', 'bar'],
    ['{}', '{}'],
    ['{', '{'],
    ['}', '}'],
    ['}{', '}{'],
    ['}{tag}', 'tag'],
    ['foo{bar', 'foo{bar'],
    ['foo}bar', 'foo}bar'],
    ['foo', 'foo'],
    ['{ }', ' '],
    ['photos/{ключ}/1', 'ключ'],
  ])('the partitioned part of %j is %j', (key, part) => {
    expect(partitionedPart(key)).toBe(part);
  });

  it('keys of one tag share a partition, whatever surrounds it', () => {
    const outside = fc.string().map((s) => s.replaceAll(/[{}]/g, ''));
    const tag = fc.string({ minLength: 1 }).filter((s) => !s.includes('}'));
    fc.assert(
      fc.property(outside, tag, fc.string(), (before, name, after) => {
        expect(partitionOfKey(`${before}{${name}}${after}`, 64)).toBe(partitionOfKey(`{${name}}`, 64));
        expect(partitionOfKey(`{${name}}`, 64)).toBe(Number(hashText(name) & 63n));
      }),
    );
  });

  it('spreads keys over every partition within reason', () => {
    const counts = new Array<number>(16).fill(0);
    for (let n = 0; n < 16_000; n++) {
      const partition = partitionOfKey(`key-${n}`, 16);
      counts[partition] = (counts[partition] ?? 0) + 1;
    }
    expect(counts).toHaveLength(16);
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(200);
    expect(partitionOfKey('anything', 1)).toBe(0);
  });
});

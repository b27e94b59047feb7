import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TrefoilError, type ErrorCode } from '../../src/core/errors.js';
import { checkKey } from '../../src/core/keys.js';
import { KEY_BYTES_MAX } from '../../src/core/limits.js';

/** The code with which a key is refused, or null. */
function refusal(key: string): ErrorCode | null {
  try {
    checkKey(key);
    return null;
  } catch (error) {
    if (error instanceof TrefoilError) return error.code;
    throw error;
  }
}

describe('checkKey', () => {
  it.each([
    ['one byte each', 'k', 1],
    ['two bytes each', 'é', 2],
    ['three bytes each', '語', 3],
    ['four bytes each', '😀', 4],
  ])('counts UTF-8 bytes: %s', (_what, character, size) => {
    const fits = Math.floor(KEY_BYTES_MAX / size);
    const filled = character.repeat(fits) + 'k'.repeat(KEY_BYTES_MAX - fits * size);
    expect(Buffer.byteLength(filled)).toBe(KEY_BYTES_MAX);
    expect(refusal(filled)).toBeNull();
    expect(refusal(`${filled}k`)).toBe('KeyTooLarge');
    expect(refusal(character.repeat(fits + 1))).toBe('KeyTooLarge');
  });

  it('names the size and the limit', () => {
    expect(() => checkKey('k'.repeat(1025))).toThrow('1025 bytes; the limit is 1024');
  });

  it('refuses the empty key', () => {
    expect(refusal('')).toBe('InvalidKey');
  });

  it.each([
    ['a high one at the end', 'a\ud800'],
    ['a high one before a letter', '\ud83dx'],
    ['a low one alone', '\udc00'],
    ['a low one after a pair', '😀\ude00'],
    ['two high ones', '\ud83d\ud83d\ude00'],
    ['a pair the wrong way round', '\ude00\ud83d'],
  ])('refuses a lone surrogate: %s', (_what, key) => {
    expect(refusal(key)).toBe('InvalidKey');
  });

  it.each([['\0'], ['\ud7ff\ue000'], ['\uffff'], ['\u{10ffff}'], ['👩‍👩‍👧‍👦'], ['a b\n']])('takes %j', (key) => {
    expect(refusal(key)).toBeNull();
  });

  it('agrees with the encoder on what is well formed', () => {
    const unit = fc.nat({ max: 0xffff }).map((n) => String.fromCharCode(n));
    const surrogate = fc.integer({ min: 0xd7fe, max: 0xe001 }).map((n) => String.fromCharCode(n));
    fc.assert(
      fc.property(fc.string({ unit: fc.oneof(unit, surrogate), minLength: 1, maxLength: 8 }), (key) => {
        const survives = Buffer.from(key, 'utf8').toString('utf8') === key;
        expect(refusal(key)).toBe(survives ? null : 'InvalidKey');
      }),
      { numRuns: 2_000 },
    );
  });
});

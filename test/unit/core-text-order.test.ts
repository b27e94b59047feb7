import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { afterKey, afterPrefix, compareKeys } from '../../src/core/text-order.js';

const bytes = (text: string): Buffer => Buffer.from(text, 'utf8');

/** Characters around every place where the orders of units, code points and bytes could part. */
const edge = fc.constantFrom(
  ...['\0', 'a', 'b', '\x7f', '\x80', '\u07ff', '\u0800', '\ud7ff', '\ue000', '\ufffd', '\uffff'],
  ...['\u{10000}', '\u{10001}', '\u{1f600}', '\u{fffff}', '\u{10fffe}', '\u{10ffff}'],
);
const text = fc.oneof(fc.string({ unit: edge, maxLength: 4 }), fc.string({ unit: 'binary', maxLength: 6 }));

describe('compareKeys', () => {
  it('is the order of UTF-8 bytes', () => {
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(Math.sign(compareKeys(a, b))).toBe(Buffer.compare(bytes(a), bytes(b)));
      }),
      { numRuns: 5_000 },
    );
  });

  it("differs from JavaScript's own order where it must", () => {
    expect('\u{10000}' < '\ue000').toBe(true);
    expect(compareKeys('\u{10000}', '\ue000')).toBeGreaterThan(0);
  });
});

describe('afterPrefix', () => {
  it('is above every key with the prefix and not above any other that is higher', () => {
    fc.assert(
      fc.property(text, text, text, (prefix, rest, other) => {
        const end = afterPrefix(prefix);
        if (end === undefined) {
          expect(Array.from(prefix).every((c) => c === '\u{10ffff}')).toBe(true);
          return;
        }
        expect(compareKeys(prefix + rest, end)).toBeLessThan(0);
        if (compareKeys(other, prefix) >= 0 && !other.startsWith(prefix)) {
          expect(compareKeys(other, end)).toBeGreaterThanOrEqual(0);
        }
      }),
      { numRuns: 5_000 },
    );
  });

  it.each([
    ['a', 'b'],
    ['user/', 'user0'],
    ['\ud7ff', '\ue000'],
    ['\uffff', '\u{10000}'],
    ['a\u{10ffff}', 'b'],
    ['a\u{10ffff}\u{10ffff}', 'b'],
  ])('of %j is %j', (prefix, end) => {
    expect(afterPrefix(prefix)).toBe(end);
  });

  it('has no end for the empty prefix and for one of highest characters only', () => {
    expect(afterPrefix('')).toBeUndefined();
    expect(afterPrefix('\u{10ffff}')).toBeUndefined();
  });

  it('takes a prefix of any length', () => {
    expect(afterPrefix('a'.repeat(1_000_000))).toHaveLength(1_000_000);
    expect(afterPrefix('\u{10ffff}'.repeat(500_000))).toBeUndefined();
  });
});

describe('afterKey', () => {
  it('leaves no room between a key and the next', () => {
    fc.assert(
      fc.property(text, text, (key, other) => {
        expect(compareKeys(key, afterKey(key))).toBeLessThan(0);
        if (compareKeys(other, key) > 0) expect(compareKeys(other, afterKey(key))).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});

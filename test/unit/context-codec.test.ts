import fc from 'fast-check';
import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { TrefoilError } from '../../src/core/errors.js';
import { HLC_TIME_MAX } from '../../src/core/hlc.js';
import { incarnationId } from '../../src/core/ids.js';
import { contextBound, type CausalContext } from '../../src/core/record.js';
import { dominates, type Dot, type VersionEntry } from '../../src/core/version-vector.js';
import {
  contextDominates,
  decodeContext,
  encodeContext,
  mergeContexts,
} from '../../src/protocol/context-codec.js';

const ids = fc.constantFrom('a.1', 'b.1', 'b.2', 'größe.1', '🍺').map(incarnationId);
const entries: fc.Arbitrary<VersionEntry[]> = fc
  .uniqueArray(fc.tuple(ids, fc.integer({ min: 1, max: 2 ** 40 })), { selector: ([id]) => id })
  .map((list) => list.sort(([a], [b]) => (a < b ? -1 : 1)));
const dots: fc.Arbitrary<Dot[]> = fc.array(
  fc.record({ incarnation: ids, counter: fc.integer({ min: 1, max: 100 }) }),
  { maxLength: 4 },
);
const contexts: fc.Arbitrary<CausalContext> = fc.record({
  vector: entries,
  dots,
  hlc: fc.nat({ max: HLC_TIME_MAX }),
});
const sample: CausalContext = {
  vector: [[incarnationId('node-1.k3'), 300]],
  dots: [{ incarnation: incarnationId('node-2.k4'), counter: 7 }],
  hlc: 1_763_706_000_000 * 1024,
};

function expectBad(run: () => unknown): void {
  let thrown: unknown;
  try {
    run();
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(TrefoilError);
  expect((thrown as TrefoilError).code).toBe('BadContext');
}

describe('contexts', () => {
  it('come back as they were given', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), contexts, (key, context) => {
        expect(decodeContext(key, encodeContext(key, context))).toEqual(context);
      }),
    );
  });

  it('have the bytes that sessions of older clients may still carry', () => {
    expect(Buffer.from(encodeContext('user/1', sample)).toString('hex')).toBe(
      '97397504014c1024968080a8bac4d29a0301096e6f64652d312e6b33ac0201096e6f64652d322e6b3407',
    );
  });

  it('are refused for another key, damaged, cut short, or of another origin', () => {
    const bytes = encodeContext('user/1', sample);
    expectBad(() => decodeContext('user/2', bytes));
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = new Uint8Array(bytes);
      damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7));
      expectBad(() => decodeContext('user/1', damaged));
    }
    for (let length = 0; length < bytes.length; length++) {
      expectBad(() => decodeContext('user/1', bytes.subarray(0, length)));
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (garbage) => {
        expectBad(() => decodeContext('user/1', garbage));
      }),
    );
  });

  it('are refused from beyond the end of time', () => {
    const last = { ...sample, hlc: HLC_TIME_MAX };
    expect(decodeContext('k', encodeContext('k', last))).toEqual(last);
    expectBad(() => decodeContext('k', encodeContext('k', { ...sample, hlc: HLC_TIME_MAX + 1 })));
  });

  it('are refused where only their checksum is right', () => {
    const good = Buffer.from(encodeContext('user/1', sample));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (rest) => {
        const bytes = Buffer.concat([good.subarray(0, 9), rest]);
        bytes.writeUInt32BE(crc32(bytes.subarray(4)));
        try {
          expect(Buffer.compare(encodeContext('user/1', decodeContext('user/1', bytes)), bytes)).toBe(0);
        } catch (error) {
          if (!(error instanceof TrefoilError)) throw error;
          expect(error.code).toBe('BadContext');
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('merged contexts', () => {
  it('dominate both parts, and nothing less does', () => {
    fc.assert(
      fc.property(contexts, contexts, (a, b) => {
        const [left, right] = [encodeContext('k', a), encodeContext('k', b)];
        const merged = mergeContexts('k', left, right);
        expect(contextDominates('k', merged, left)).toBe(true);
        expect(contextDominates('k', merged, right)).toBe(true);
        expect(Buffer.compare(merged, mergeContexts('k', right, left))).toBe(0);
        const { vector, hlc } = decodeContext('k', merged);
        expect(hlc).toBe(Math.max(a.hlc, b.hlc));
        for (const [id, counter] of vector) {
          const seen = [contextBound(a), contextBound(b)].flat();
          expect(seen.some(([other, n]) => other === id && n === counter)).toBe(true);
        }
      }),
    );
  });

  it('tell older from newer', () => {
    fc.assert(
      fc.property(contexts, contexts, (a, b) => {
        const expected = dominates(contextBound(a), contextBound(b));
        expect(contextDominates('k', encodeContext('k', a), encodeContext('k', b))).toBe(expected);
      }),
    );
  });

  it('are never made of two keys', () => {
    const [a, b] = [encodeContext('k', sample), encodeContext('l', sample)];
    expectBad(() => mergeContexts('k', a, b));
    expectBad(() => contextDominates('k', b, a));
  });
});

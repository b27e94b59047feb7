/** Contexts of leader-follower namespaces: two numbers, and nothing that is not these. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TrefoilError } from '../../src/core/errors.js';
import { incarnationId } from '../../src/core/ids.js';
import { decodeContext, encodeContext } from '../../src/protocol/context-codec.js';
import { decodeLeaderContext, encodeLeaderContext } from '../../src/protocol/leader-context-codec.js';

function refused(run: () => unknown): boolean {
  try {
    run();
  } catch (error) {
    return error instanceof TrefoilError && error.code === 'BadContext';
  }
  return false;
}

const contexts = fc
  .tuple(fc.maxSafeNat(), fc.maxSafeNat())
  .map(([a, b]) => ({ version: Math.min(a, b), index: Math.max(a, b) }));

describe('contexts of leader-follower namespaces', () => {
  it('come back as they were given, and the same one has the same bytes', () => {
    fc.assert(
      fc.property(contexts, (context) => {
        const bytes = encodeLeaderContext(context);
        expect(decodeLeaderContext(bytes)).toEqual(context);
        expect(encodeLeaderContext(decodeLeaderContext(bytes))).toEqual(bytes);
        // As a view of a larger buffer, which is how they come out of a frame.
        const frame = Buffer.concat([Buffer.from([1, 2]), bytes, Buffer.from([3])]);
        expect(decodeLeaderContext(frame.subarray(2, 2 + bytes.length))).toEqual(context);
      }),
    );
  });

  it('have these bytes, which clients keep', () => {
    const hex = (context: { version: number; index: number }) =>
      Buffer.from(encodeLeaderContext(context)).toString('hex');
    expect(hex({ version: 0, index: 0 })).toBe('4c0000');
    expect(hex({ version: 300, index: 2 ** 40 })).toBe('4cac02808080808020');
  });

  it.each<[string, string]>([
    ['nothing', ''],
    ['the format alone', '4c'],
    ['one number', '4c07'],
    ['a third number', '4c070801'],
    ['another format', '4d0708'],
    ['a number that does not end', '4c0780'],
    ['a number that is not in its shortest form', '4c078700'],
    ['a version beyond what was seen', '4c0807'],
    ['a number beyond 2^53', '4c00ffffffffffffffff7f'],
    ['many bytes', '4c'.repeat(40)],
  ])('refuse %s', (_what, hex) => {
    expect(refused(() => decodeLeaderContext(Buffer.from(hex, 'hex')))).toBe(true);
  });

  it('and leaderless ones are never taken for each other', () => {
    const leaderless = encodeContext('k', { vector: [[incarnationId('n1.a'), 3]], dots: [], hlc: 5 });
    expect(refused(() => decodeLeaderContext(leaderless))).toBe(true);
    fc.assert(
      fc.property(contexts, (context) => refused(() => decodeContext('k', encodeLeaderContext(context)))),
    );
  });

  it('refuse any bytes or give what those bytes say', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 24 }), (bytes) => {
        const given = Buffer.concat([Buffer.from([0x4c]), bytes]);
        if (!refused(() => decodeLeaderContext(given))) {
          expect(Buffer.from(encodeLeaderContext(decodeLeaderContext(given)))).toEqual(given);
        }
      }),
    );
  });
});

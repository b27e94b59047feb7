import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TrefoilError } from '../../src/core/errors.js';
import { HLC_TIME_MAX } from '../../src/core/hlc.js';
import {
  checkVersioned,
  decodeVersioned,
  encodeVersioned,
  versionedHeader,
  type VersionedRecord,
} from '../../src/protocol/versioned-record-codec.js';
import { plain } from '../support/plain.js';

const records: fc.Arbitrary<VersionedRecord> = fc.record({
  version: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })),
  hlc: fc.oneof(fc.nat(300), fc.constant(HLC_TIME_MAX)),
  expiresAt: fc.oneof(fc.constant(0), fc.maxSafeNat()),
  value: fc.uint8Array({ maxLength: 300 }),
});

const sample: VersionedRecord = {
  version: 131,
  hlc: 1_763_706_000_000 * 1024 + 3,
  expiresAt: 1_763_706_060_000,
  value: new Uint8Array([1, 2, 3]),
};

function codeOf(run: () => unknown): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    return (error as TrefoilError).code;
  }
}

describe('versioned records', () => {
  it('come back as they were stored, their header alone as well', () => {
    fc.assert(
      fc.property(records, (record) => {
        const bytes = encodeVersioned(record);
        expect(checkVersioned(bytes)).toBe(true);
        expect(plain(decodeVersioned(bytes))).toEqual(plain(record));
        const { value: _value, ...header } = record;
        expect(versionedHeader(bytes)).toEqual(header);
      }),
      { numRuns: 300 },
    );
  });

  it('have the bytes that are on the disks of older nodes', () => {
    expect(Buffer.from(encodeVersioned(sample)).toString('hex')).toBe(
      '728775150183018380a8bac4d29a03e0f9caa8aa33010203',
    );
  });

  it('give a value that is a view', () => {
    const bytes = encodeVersioned(sample);
    expect(decodeVersioned(bytes).value.buffer).toBe(bytes.buffer);
  });

  it('are known to be damaged, whichever byte it is and wherever they are cut', () => {
    const bytes = encodeVersioned(sample);
    for (let at = 0; at < bytes.length; at++) {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] as number) ^ 0x10;
      expect(checkVersioned(damaged)).toBe(false);
      expect(codeOf(() => decodeVersioned(damaged))).toBe('RecordCorrupt');
      expect(codeOf(() => decodeVersioned(bytes.subarray(0, at)))).toBe('RecordCorrupt');
    }
  });

  it('are refused where they were made wrong', () => {
    expect(codeOf(() => decodeVersioned(encodeVersioned({ ...sample, version: 0 })))).toBe('RecordCorrupt');
    expect(codeOf(() => decodeVersioned(encodeVersioned({ ...sample, hlc: HLC_TIME_MAX + 1 })))).toBe(
      'RecordCorrupt',
    );
  });
});

import fc from 'fast-check';
import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { TrefoilError } from '../../src/core/errors.js';
import { incarnationId, sessionId } from '../../src/core/ids.js';
import { EMPTY_RECORD, expireSiblings, type KeyRecord } from '../../src/core/record.js';
import { checkRecord, decodeRecord, encodeRecord, recordHeader } from '../../src/protocol/record-codec.js';
import { records } from '../support/arbitrary-messages.js';
import { plain } from '../support/plain.js';

const node1 = incarnationId('node-1.k3');
const größe = incarnationId('größe-🍺.k9');
const session = sessionId('s-1');

const sample: KeyRecord = {
  context: [
    [größe, 300],
    [node1, 2],
  ],
  siblings: [
    {
      dot: { incarnation: größe, counter: 300 },
      hlc: 1_763_706_000_000 * 1024 + 3,
      operation: { session, sequence: 9 },
      expiresAt: 1_763_706_060_000,
      value: new Uint8Array([1, 2, 3]),
    },
    {
      dot: { incarnation: node1, counter: 2 },
      hlc: 1_763_706_000_000 * 1024,
      operation: { session: sessionId('s-2'), sequence: 2 ** 40 },
      expiresAt: 0,
      value: null,
    },
  ],
  recentOperations: [
    {
      dot: { incarnation: node1, counter: 1 },
      hlc: 1_763_705_000_000 * 1024,
      operation: { session, sequence: 8 },
    },
  ],
};

function sealed(rest: Uint8Array): Buffer {
  const bytes = Buffer.concat([Buffer.alloc(4), rest]);
  bytes.writeUInt32BE(crc32(rest));
  return bytes;
}

function expectCorrupt(bytes: Uint8Array): void {
  let thrown: unknown;
  try {
    decodeRecord(bytes);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(TrefoilError);
  expect((thrown as TrefoilError).code).toBe('RecordCorrupt');
}

describe('records', () => {
  it('come back as they were stored', () => {
    fc.assert(
      fc.property(records, (record) => {
        const bytes = encodeRecord(record);
        expect(checkRecord(bytes)).toBe(true);
        expect(plain(decodeRecord(bytes))).toEqual(plain(record));
      }),
      { numRuns: 500 },
    );
    expect(decodeRecord(encodeRecord(EMPTY_RECORD))).toEqual(EMPTY_RECORD);
  });

  it('have one encoding', () => {
    fc.assert(
      fc.property(records, (record) => {
        const bytes = encodeRecord(record);
        expect(Buffer.compare(encodeRecord(decodeRecord(bytes)), bytes)).toBe(0);
      }),
      { numRuns: 300 },
    );
  });

  it('are not changed by later ones', () => {
    const bytes = encodeRecord(sample);
    const before = Buffer.from(bytes).toString('hex');
    for (let i = 0; i < 100; i++) encodeRecord({ ...EMPTY_RECORD, context: [[node1, i + 1]] });
    expect(Buffer.from(bytes).toString('hex')).toBe(before);
  });

  it('have the bytes that are on the disks of older nodes', () => {
    expect(Buffer.from(encodeRecord(sample)).toString('hex')).toBe(
      '1877914f0159020f6772c3b6c39f652df09f8dba2e6b39ac02096e6f64652d312e6b33020200ac028380a8bac4d29a030003732d3109e0f9caa8aa3301028080a8bac4d29a030103732d3280808080802000010101808084d2c0d29a0300080400010203',
    );
  });

  it('are read from the middle of a larger array', () => {
    const bytes = encodeRecord(sample);
    const larger = new Uint8Array(bytes.length + 9);
    larger.set(bytes, 4);
    expect(plain(decodeRecord(larger.subarray(4, 4 + bytes.length)))).toEqual(plain(sample));
  });

  it('refuse to be stored with a dot that the context does not cover', () => {
    expect(() => encodeRecord({ ...sample, context: [[node1, 2]] })).toThrow('covers its dots');
  });
});

describe('the header', () => {
  const header = (record: KeyRecord): string =>
    Buffer.from(recordHeader(encodeRecord(record))).toString('hex');

  it('stays the same when siblings expire', () => {
    fc.assert(
      fc.property(records, fc.maxSafeNat(), (record, wallMs) => {
        const expired = expireSiblings(record, wallMs);
        expect(header(expired)).toBe(header(record));
      }),
      { numRuns: 300 },
    );
    expect(expireSiblings(sample, 2_000_000_000_000).siblings[0]?.value).toBe(null);
    expect(header(expireSiblings(sample, 2_000_000_000_000))).toBe(header(sample));
  });

  it('differs in everything else', () => {
    const [first, second] = sample.siblings;
    const [recent] = sample.recentOperations;
    if (first === undefined || second === undefined || recent === undefined) throw new Error('no sample');
    const others: KeyRecord[] = [
      { ...sample, context: [...sample.context, [incarnationId('z'), 1]] },
      { ...sample, context: sample.context.map(([id, counter]) => [id, counter + 1]) },
      { ...sample, siblings: [first] },
      { ...sample, siblings: [{ ...first, expiresAt: 0 }, second] },
      { ...sample, siblings: [{ ...first, retried: true }, second] },
      { ...sample, siblings: [first, { ...second, retried: true }] },
      { ...sample, recentOperations: [{ ...recent, retried: true }] },
      { ...sample, siblings: [{ ...first, hlc: first.hlc + 1 }, second] },
      { ...sample, siblings: [{ ...first, operation: { session, sequence: 10 } }, second] },
      { ...sample, siblings: [{ ...first, dot: { ...first.dot, counter: 299 } }, second] },
      { ...sample, recentOperations: [] },
      {
        ...sample,
        recentOperations: [{ ...recent, operation: { session: sessionId('s-3'), sequence: 8 } }],
      },
    ];
    expect(new Set([sample, ...others].map(header)).size).toBe(others.length + 1);
  });
});

describe('damage', () => {
  it('of any single bit is found', () => {
    const bytes = encodeRecord(sample);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = new Uint8Array(bytes);
      damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(checkRecord(damaged)).toBe(false);
      expectCorrupt(damaged);
    }
  });

  it('by truncation or additions is found', () => {
    const bytes = encodeRecord(sample);
    for (let length = 0; length < bytes.length; length++) {
      expect(checkRecord(bytes.subarray(0, length))).toBe(false);
      expectCorrupt(bytes.subarray(0, length));
    }
    expectCorrupt(Buffer.concat([bytes, Buffer.from([0])]));
    expectCorrupt(sealed(Buffer.concat([bytes.subarray(4), Buffer.from([0])])));
  });

  it('that a checksum covers up gives a typed error, or a record that encodes to the same bytes', () => {
    const bytes = encodeRecord(sample);
    let accepted = 0;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat({ max: bytes.length - 5 }), fc.nat({ max: 255 })), {
          minLength: 1,
          maxLength: 6,
        }),
        (changes) => {
          const rest = Buffer.from(bytes.subarray(4));
          for (const [at, byte] of changes) rest[at] = byte;
          const changed = sealed(rest);
          let record: KeyRecord;
          try {
            record = decodeRecord(changed);
          } catch (error) {
            expect((error as TrefoilError).code).toBe('RecordCorrupt');
            return;
          }
          accepted++;
          // Bytes that are no UTF-8 read as U+FFFD.
          if (!JSON.stringify(record).includes('\ufffd')) {
            expect(Buffer.compare(encodeRecord(record), changed)).toBe(0);
          }
        },
      ),
      { numRuns: 5000 },
    );
    expect(accepted).toBeGreaterThan(50);
  });

  it('by numbers that never end is refused', () => {
    const endless = Buffer.concat([Buffer.from([1]), Buffer.alloc(400, 0x80), Buffer.from([1])]);
    expectCorrupt(sealed(endless));
    expectCorrupt(sealed(Buffer.concat([Buffer.from([1]), Buffer.alloc(400, 0xff)])));
    expect(() => recordHeader(sealed(endless))).toThrow(TrefoilError);
    expect(() => recordHeader(new Uint8Array(3))).toThrow(TrefoilError);
  });

  it('includes another version', () => {
    const rest = Buffer.from(encodeRecord(sample).subarray(4));
    rest[0] = 2;
    expect(checkRecord(sealed(rest))).toBe(false);
    expectCorrupt(sealed(rest));
  });
});

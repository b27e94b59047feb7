/** Segments of the log: what comes back, what their headers say, and that damage and nonsense are refused. */
import fc from 'fast-check';
import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { TrefoilError } from '../../src/core/errors.js';
import { HLC_TIME_MAX } from '../../src/core/hlc.js';
import { TTL_MS_MAX } from '../../src/core/limits.js';
import { compareKeys } from '../../src/core/text-order.js';
import {
  checkSegment,
  decodeSegment,
  encodeSegment,
  LOG_KEYS,
  logKey,
  segmentBounds,
  segmentTerms,
  type Command,
  type LogEntry,
  type LoggedPut,
} from '../../src/protocol/log-codec.js';
import { plain } from '../support/plain.js';

const count = fc.oneof(fc.nat(300), fc.maxSafeNat());
const key = fc.oneof(
  fc.constantFrom('k', 'größe-🍺', 'k'.repeat(200)),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 9 }),
);
const put: fc.Arbitrary<LoggedPut> = fc.record({
  key,
  value: fc.option(fc.uint8Array({ maxLength: 20 })),
  ifVersion: fc.option(fc.oneof(fc.nat(300), fc.nat(2 ** 31 - 1))),
  ttlMs: fc.oneof(fc.constant(0), fc.nat(100_000), fc.constant(TTL_MS_MAX)),
});
const operation = { session: count, sequence: count, lowestOpen: count };
const command: fc.Arbitrary<Command> = fc.oneof(
  fc.constantFrom<Command>({ type: 'noop' }, { type: 'tick' }, { type: 'open-session' }),
  fc.record({ type: fc.constant('put' as const), ...operation, put }),
  fc.record({ type: fc.constant('put-all' as const), ...operation, puts: fc.array(put, { maxLength: 4 }) }),
  fc.record({ type: fc.constant('expire' as const), keys: fc.array(key, { maxLength: 4 }) }),
);

/** Consecutive entries whose terms and times do not fall. */
const entries: fc.Arbitrary<LogEntry[]> = fc
  .record({
    first: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.constant(Number.MAX_SAFE_INTEGER - 20)),
    term: fc.oneof(fc.nat(3), fc.nat(2 ** 40)),
    hlc: fc.oneof(fc.nat(2000), fc.constant(HLC_TIME_MAX - 20 * 5000)),
    steps: fc.array(
      fc.record({ term: fc.constantFrom(0, 0, 0, 1, 7), hlc: fc.constantFrom(0, 1, 5000), command }),
      { minLength: 1, maxLength: 20 },
    ),
  })
  .map(({ first, term, hlc, steps }) => {
    let [termNow, hlcNow] = [term, hlc];
    return steps.map((step, i) => {
      termNow += step.term;
      hlcNow += step.hlc;
      return { index: first + i, term: termNow, hlc: hlcNow, command: step.command };
    });
  });

const hlc = 1_763_706_000_000 * 1024;
const sample: LogEntry[] = [
  { index: 129, term: 3, hlc, command: { type: 'noop' } },
  { index: 130, term: 3, hlc: hlc + 1, command: { type: 'open-session' } },
  {
    index: 131,
    term: 5,
    hlc: hlc + 300,
    command: {
      type: 'put',
      session: 130,
      sequence: 1,
      lowestOpen: 1,
      put: { key: 'größe', value: new Uint8Array([1, 2, 3]), ifVersion: null, ttlMs: 60_000 },
    },
  },
  {
    index: 132,
    term: 5,
    hlc: hlc + 301,
    command: {
      type: 'put-all',
      session: 130,
      sequence: 2,
      lowestOpen: 2,
      puts: [
        { key: 'a', value: null, ifVersion: 131, ttlMs: 0 },
        { key: 'b', value: new Uint8Array(), ifVersion: 0, ttlMs: 0 },
        { key: 'c', value: new Uint8Array([9]), ifVersion: null, ttlMs: 0 },
      ],
    },
  },
  { index: 133, term: 6, hlc: hlc + 301, command: { type: 'expire', keys: ['größe', 'b'] } },
  { index: 134, term: 6, hlc: hlc + 1024, command: { type: 'tick' } },
];

function expectMalformed(run: () => unknown): void {
  let thrown: unknown;
  try {
    run();
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(TrefoilError);
  expect((thrown as TrefoilError).code).toBe('MalformedFrame');
}

/** The same bytes with a checksum that holds. */
function resealed(bytes: Uint8Array): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt32BE(crc32(copy.subarray(4)), 0);
  return copy;
}

describe('segments', () => {
  it('come back as they were encoded, and have one encoding', () => {
    fc.assert(
      fc.property(entries, (written) => {
        const bytes = encodeSegment(written);
        const read = decodeSegment(bytes);
        expect(plain(read)).toEqual(plain(written));
        expect(Buffer.compare(encodeSegment(read), bytes)).toBe(0);
      }),
      { numRuns: 500 },
    );
  });

  it('say their bounds and terms without being decoded', () => {
    fc.assert(
      fc.property(entries, (written) => {
        const bytes = encodeSegment(written);
        const [first, last] = [written[0] as LogEntry, written.at(-1) as LogEntry];
        expect(segmentBounds(bytes)).toEqual({
          first: first.index,
          last: last.index,
          firstTerm: first.term,
          lastTerm: last.term,
          count: written.length,
          lastHlc: last.hlc,
        });
        const runs = segmentTerms(bytes);
        const termAt = (index: number): number | undefined => runs.findLast(([start]) => start <= index)?.[1];
        expect(written.map((entry) => termAt(entry.index))).toEqual(written.map((entry) => entry.term));
        expect(runs.length).toBe(new Set(written.map((entry) => entry.term)).size);
      }),
    );
  });

  it('have the bytes that are in the logs of older nodes', () => {
    expect(Buffer.from(encodeSegment(sample)).toString('hex')).toBe(
      '4a826130018101068080a8bac4d29a038088a8bac4d29a03030203020502063f00000102ab020382010101076772c3b6c39f650400e0d4030104820102020301610084010001620101000163020000000502076772c3b6c39f650162d3050101020309',
    );
  });

  it('are read from the middle of a larger array, values as views', () => {
    const bytes = encodeSegment(sample);
    const larger = new Uint8Array(bytes.length + 9);
    larger.set(bytes, 4);
    const read = decodeSegment(larger.subarray(4, 4 + bytes.length));
    expect(plain(read)).toEqual(plain(sample));
    const { command: third } = read[2] as LogEntry;
    expect(third.type === 'put' && third.put.value?.buffer).toBe(larger.buffer);
  });

  it('are not changed by later ones', () => {
    const bytes = encodeSegment(sample);
    const before = Buffer.from(bytes).toString('hex');
    for (let i = 1; i < 50; i++) encodeSegment(sample.slice(i % sample.length));
    expect(Buffer.from(bytes).toString('hex')).toBe(before);
  });
});

describe('a damaged segment', () => {
  const bytes = Buffer.from(encodeSegment(sample));

  it('is noticed, whichever byte or bit it is', () => {
    for (let at = 0; at < bytes.length; at++) {
      for (const mask of [1, 0x80, 0xff]) {
        const damaged = Buffer.from(bytes);
        damaged[at] = (damaged[at] as number) ^ mask;
        expect(checkSegment(damaged)).toBe(false);
        expectMalformed(() => decodeSegment(damaged));
      }
    }
  });

  it('is noticed where it was cut, or has something behind it', () => {
    for (let length = 0; length < bytes.length; length++) {
      expectMalformed(() => decodeSegment(bytes.subarray(0, length)));
    }
    expectMalformed(() => decodeSegment(Buffer.concat([bytes, Buffer.alloc(1)])));
  });

  it('is malformed and nothing worse where its checksum was made to fit', () => {
    const attempt = (run: () => unknown): void => {
      try {
        run();
      } catch (error) {
        expect((error as TrefoilError).code).toBe('MalformedFrame');
      }
    };
    for (let at = 4; at < bytes.length; at++) {
      for (let mask = 1; mask < 256; mask += 6) {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] as number) ^ mask;
        attempt(() => decodeSegment(resealed(changed)));
        attempt(() => segmentBounds(changed));
        attempt(() => segmentTerms(changed));
      }
      expectMalformed(() => decodeSegment(resealed(bytes.subarray(0, at))));
    }
    expectMalformed(() => decodeSegment(resealed(Buffer.concat([bytes, Buffer.alloc(1)]))));
  });

  it.each([
    ['no entries', [1, 0, 9, 9, 0, 0]],
    ['an index of 0', [0, 1, 9, 9, 1, 1, 1, 2, 0, 0]],
    ['terms for fewer entries', [1, 2, 9, 9, 1, 1, 1, 4, 0, 0, 0, 0]],
    ['a run of no entries', [1, 1, 9, 9, 2, 0, 1, 1, 2, 2, 0, 0]],
    ['terms that fall', [1, 2, 9, 9, 2, 1, 2, 1, 1, 4, 0, 0, 0, 0]],
    ['another last time', [1, 1, 9, 8, 1, 1, 1, 2, 0, 0]],
    ['an unknown command', [1, 1, 9, 9, 1, 1, 1, 2, 0, 6]],
    ['heads that are longer than they say', [1, 1, 9, 9, 1, 1, 1, 2, 0, 5, 1, 1, 97]],
    ['an empty key', [1, 1, 9, 9, 1, 1, 1, 5, 0, 5, 1, 0, 0]],
    ['more entries than bytes', [1, 0xff, 0xff, 0xff, 0x7f, 9, 9, 1, 0xff, 0xff, 0xff, 0x7f, 1, 2, 0, 0]],
  ])('is malformed with %s', (_what, rest) => {
    expectMalformed(() => decodeSegment(resealed(Buffer.from([0, 0, 0, 0, 1, ...rest]))));
  });
});

describe('what must not be encoded', () => {
  const noop = (index: number, term: number, time: number): LogEntry => ({
    index,
    term,
    hlc: time,
    command: { type: 'noop' },
  });

  it.each<[string, LogEntry[]]>([
    ['nothing', []],
    ['an index of 0', [noop(0, 1, 1)]],
    ['a hole', [noop(1, 1, 1), noop(3, 1, 1)]],
    ['a term that falls', [noop(1, 2, 1), noop(2, 1, 1)]],
    ['a time that falls', [noop(1, 2, 2), noop(2, 2, 1)]],
    ['a time beyond all clocks', [noop(1, 2, HLC_TIME_MAX + 1)]],
    ['an empty key', [{ ...noop(1, 1, 1), command: { type: 'expire', keys: [''] } }]],
  ])('%s', (_what, wrong) => {
    expect(() => encodeSegment(wrong)).toThrow();
  });

  it('takes a demand for a version that cannot be for one that is never there', () => {
    const demand = (ifVersion: number): LogEntry[] => [
      {
        ...noop(1, 1, 1),
        command: {
          type: 'put',
          session: 1,
          sequence: 1,
          lowestOpen: 1,
          put: { key: 'k', value: null, ifVersion, ttlMs: 0 },
        },
      },
    ];
    const max = Number.MAX_SAFE_INTEGER;
    expect(decodeSegment(encodeSegment(demand(max)))).toEqual(demand(max - 1));
  });
});

describe('log keys', () => {
  it('order as indexes do, within their range', () => {
    const index = fc.oneof(fc.integer({ min: 1, max: 2000 }), fc.maxSafeNat());
    fc.assert(
      fc.property(index, index, (a, b) => {
        expect(Math.sign(compareKeys(logKey(a), logKey(b)))).toBe(Math.sign(a - b));
        expect(compareKeys(logKey(a), LOG_KEYS.gte)).toBeGreaterThan(0);
        expect(compareKeys(logKey(a), LOG_KEYS.lt)).toBeLessThan(0);
      }),
    );
    expect(logKey(1)).toBe('l/00000000001');
    expect(logKey(Number.MAX_SAFE_INTEGER)).toHaveLength(logKey(1).length);
  });
});

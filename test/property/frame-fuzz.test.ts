/**
 * 100,000 mutated frames: each is either a list of valid messages or a typed error, and never anything
 * else. Seeded, so that a failure names the frame that caused it.
 */
import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { isDeepStrictEqual } from 'node:util';
import { crc32 } from 'node:zlib';
import { expect, it } from 'vitest';
import { TrefoilError } from '../../src/core/errors.js';
import { decodeFrame, encodeFrame } from '../../src/protocol/codec.js';
import { messages } from '../support/arbitrary-messages.js';

const FRAMES = 100_000;
const SEED = 20_240_117;

/** Mulberry32: a small seeded generator; uniform integers below `bound`. */
function generator(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * bound);
  };
}

const pick = generator(SEED);
const wild = new Packr({ moreTypes: true, structuredClone: true, bundleStrings: true });
const tame = new Packr({ useRecords: false });

/** Any JavaScript value, nested at random: most of it has no place in a frame. */
function wildValue(depth: number): unknown {
  switch (pick(depth > 0 ? 14 : 10)) {
    case 0:
      return null;
    case 1:
      return pick(2) === 1;
    case 2:
      return pick(30);
    case 3:
      return -pick(2 ** 32);
    case 4:
      return pick(2 ** 30) * 2 ** 23 + 0.5 * pick(2);
    case 5:
      return 'text'.repeat(pick(4));
    case 6:
      return Buffer.alloc(pick(20), pick(256));
    case 7:
      return BigInt(pick(2 ** 32)) << 31n;
    case 8:
      return new Date(pick(2 ** 31) * 1000);
    case 9:
      return [[20, 'g', [pick(12), 1, 'key', Buffer.alloc(8)]]];
    case 10:
      return { [`f${pick(5)}`]: wildValue(depth - 1), same: wildValue(depth - 1) };
    case 11:
      return new Set([wildValue(depth - 1)]);
    default:
      return Array.from({ length: pick(6) }, () => wildValue(depth - 1));
  }
}

function flipBits(bytes: Buffer): Buffer {
  const mutated = Buffer.from(bytes);
  for (let flips = 1 + pick(8); flips > 0; flips--) {
    const at = pick(mutated.length);
    mutated[at] = (mutated[at] as number) ^ (1 << pick(8));
  }
  return mutated;
}

/** A token of msgpack, chosen to be a troublesome one, in place of some byte. */
function plantToken(bytes: Buffer): Buffer {
  const tokens = [0x80, 0x90, 0x9f, 0xc0, 0xc1, 0xc4, 0xc6, 0xc7, 0xc9, 0xca, 0xcb, 0xcf, 0xd3];
  tokens.push(0xd4, 0xd6, 0xd9, 0xdb, 0xdc, 0xdd, 0xde, 0xdf, 0xff, 0x62, 0x69, 0x70, 0x72, 0x74, 0x78);
  const mutated = Buffer.from(bytes);
  for (let plants = 1 + pick(3); plants > 0; plants--) {
    mutated[pick(mutated.length)] = tokens[pick(tokens.length)] as number;
  }
  return mutated;
}

function splice(a: Buffer, b: Buffer): Buffer {
  const start = pick(a.length);
  const from = pick(b.length);
  const middle = b.subarray(from, from + pick(b.length - from + 1));
  return Buffer.concat([a.subarray(0, start), middle, a.subarray(start + pick(a.length - start + 1))]);
}

function mutate(payloads: readonly Buffer[]): Buffer {
  const any = (): Buffer => payloads[pick(payloads.length)] as Buffer;
  switch (pick(7)) {
    case 0:
    case 1:
      return flipBits(any());
    case 2:
      return plantToken(any());
    case 3:
      return Buffer.from(any().subarray(0, pick(any().length)));
    case 4:
      return splice(any(), any());
    case 5:
      return pick(2) === 0 ? wild.pack(wildValue(5)) : tame.pack([wildValue(4), wildValue(3)]);
    default:
      return Buffer.from(Array.from({ length: pick(40) }, () => pick(256)));
  }
}

it(`${FRAMES} mutated frames give valid messages or typed errors`, () => {
  const batches = fc.sample(fc.array(messages, { minLength: 1, maxLength: 4 }), { numRuns: 400, seed: SEED });
  const payloads = batches.map((batch) => Buffer.from(encodeFrame(batch).subarray(4)));
  const outcomes: Record<string, number> = {};
  for (let i = 0; i < FRAMES; i++) {
    const payload = mutate(payloads);
    const frame = Buffer.concat([Buffer.alloc(4), payload]);
    // One in ten keeps a wrong CRC; the others get past it.
    frame.writeUInt32BE(i % 10 === 0 ? pick(2 ** 32) : crc32(payload));
    let outcome: string;
    try {
      const decoded = decodeFrame(frame);
      outcome = 'valid';
      if (!isDeepStrictEqual(decodeFrame(encodeFrame(decoded)), decoded)) {
        throw new Error(`frame ${i} of seed ${SEED} decodes to what is no message: ${frame.toString('hex')}`);
      }
    } catch (error) {
      if (!(error instanceof TrefoilError)) throw error;
      outcome = error.code;
    }
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  }
  expect(Object.keys(outcomes).sort()).toEqual(['MalformedFrame', 'valid']);
  // Both ways were taken often enough to mean something.
  expect(outcomes['valid']).toBeGreaterThan(FRAMES / 100);
  expect(outcomes['MalformedFrame']).toBeGreaterThan(FRAMES / 2);
});

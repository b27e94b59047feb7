/**
 * What the load is made of: photo records of 200 bytes under keys as `PhotoStore` lays them out.
 *
 * Every subject gets the same keys and the same bytes in the same order: both come from the index of the
 * record and a seeded generator. Values are encoded before the clock runs and go in and out as bytes, so
 * that what is compared is the store and not the application's codec.
 */
import { pack } from 'msgpackr';

export const WORKLOADS = ['write', 'overwrite', 'read'] as const;

/** `write`: new photos. `overwrite`: photos that are there, at random. `read`: the same, read. */
export type Workload = (typeof WORKLOADS)[number];

export const VALUE_BYTES = 200;
const VALUES = 512;
const USERS = 1000;

/** The key of the photo of this index. A user's photos share a tag, and so a partition. */
export function photoKey(index: number): string {
  // Odd and coprime to 2^32: neighbours are spread as fingerprints are.
  const fingerprint = (Math.imul(index, 0x9e3779b1) >>> 0).toString(16).padStart(8, '0');
  return `p/{user-${index % USERS}}/${index.toString(36).padStart(10, '0')}-${fingerprint}`;
}

/** The value of the photo of this index: one of a few hundred records of exactly `VALUE_BYTES` bytes. */
export function photoValue(index: number): Uint8Array {
  return values[index % VALUES] as Uint8Array;
}

const values = Array.from({ length: VALUES }, (_, index) => photoRecord(index));

function photoRecord(index: number): Uint8Array {
  const record = (title: string): Uint8Array =>
    pack([
      `user-${index % USERS}`,
      `/photos/2024/DSC_${String(index).padStart(5, '0')}.jpg`,
      1_700_000_000_000 + index * 60_000,
      2_000_000 + index * 1013,
      [4000 + (index % 7), 3000 + (index % 5)],
      ['NIKON', 'COOLPIX P6000'],
      [0.004, 5.6, 64, 6.7, [43.467448 + index / 1e4, 11.885127 + index / 1e4, 0]],
      ['holiday', 'tuscany', `trip-${index % 12}`],
      title,
    ]);
  const title = `Photo ${index} `;
  const missing = VALUE_BYTES - record(title).length;
  // A title beyond 31 bytes takes one more byte for its length.
  const filled = record(title.padEnd(title.length + missing, 'abcdefghij klmnopqrst '));
  const excess = filled.length - VALUE_BYTES;
  return excess === 0
    ? filled
    : record(title.padEnd(title.length + missing - excess, 'abcdefghij klmnopqrst '));
}

/** A seeded generator (mulberry32): the same seed gives every subject the same choices. */
export class Choices {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A uniform integer in [0, bound). */
  integer(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let x = this.#state;
    x = Math.imul(x ^ (x >>> 15), x | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return Math.floor((((x ^ (x >>> 14)) >>> 0) / 2 ** 32) * bound);
  }
}

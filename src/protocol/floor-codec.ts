/**
 * What a leaderless replica keeps of its group beside the records, as stored bytes:
 *
 *     CRC-32 of the rest (4) | version (1) | store | life | 1 refilling, 2 unsure | absorbed: count, (incarnation, counter) each
 *     | own incarnations | peers pulled from | those of them that were not refilling | peers that know this life
 *     | new: whether the store was | peers that remember no earlier life | lives met: count, (peer, life) each
 *
 * Lists are a count and the texts (numbers and texts: see `binary.ts`).
 */
import { crc32 } from 'node:zlib';
import { TrefoilError } from '../core/errors.js';
import { incarnationId } from '../core/ids.js';
import type { VersionVector } from '../core/version-vector.js';
import { BinaryReader, BinaryWriter, crcHolds } from './binary.js';

const VERSION = 1;
const CRC_BYTES = 4;
const START = CRC_BYTES + 1;

const body = new BinaryWriter();

export interface StoredFloor {
  readonly store: string;
  readonly life: string;
  readonly refilling: boolean;
  /** Begun by damage: the records are here, and what they had superseded is not known any more. */
  readonly unsure: boolean;
  readonly absorbed: VersionVector;
  readonly own: readonly string[];
  readonly pulled: readonly string[];
  readonly sources: readonly string[];
  readonly knownBy: readonly string[];
  /** The store was empty when the life began, and nobody has remembered an earlier life. */
  readonly fresh: boolean;
  readonly newTo: readonly string[];
  /** The latest life of each peer that was whole, or the first that was heard of. */
  readonly met: readonly (readonly [peer: string, life: string])[];
}

export function encodeFloor(floor: StoredFloor): Uint8Array {
  body.clear();
  body.text(floor.store);
  body.text(floor.life);
  body.uint(floor.refilling ? 1 : floor.unsure ? 2 : 0);
  body.uint(floor.absorbed.length);
  for (const [incarnation, counter] of floor.absorbed) {
    body.text(incarnation);
    body.uint(counter);
  }
  for (const list of [floor.own, floor.pulled, floor.sources, floor.knownBy, floor.newTo]) {
    body.uint(list.length);
    for (const name of list) body.text(name);
  }
  body.uint(floor.fresh ? 1 : 0);
  body.uint(floor.met.length);
  for (const [peer, life] of floor.met) {
    body.text(peer);
    body.text(life);
  }
  const bytes = Buffer.allocUnsafe(START + body.length);
  bytes[CRC_BYTES] = VERSION;
  body.copy(bytes, START);
  bytes.writeUInt32BE(crc32(bytes.subarray(CRC_BYTES)), 0);
  return bytes;
}

/** What the bytes say, or undefined where they cannot be relied on. */
export function decodeFloor(bytes: Uint8Array): StoredFloor | undefined {
  if (bytes.length <= START || bytes[CRC_BYTES] !== VERSION || !crcHolds(bytes)) return undefined;
  try {
    return readFloor(new BinaryReader(bytes, START, (what) => new TrefoilError('RecordCorrupt', what)));
  } catch (error) {
    if (error instanceof TrefoilError) return undefined;
    throw error;
  }
}

function readFloor(reader: BinaryReader): StoredFloor {
  const texts = (): string[] => Array.from({ length: reader.countOf(1) }, () => reader.text());
  const [store, life, kind] = [reader.text(), reader.text(), reader.uint()];
  return {
    store,
    life,
    refilling: kind === 1,
    unsure: kind === 2,
    absorbed: Array.from(
      { length: reader.countOf(2) },
      () => [incarnationId(reader.text()), reader.uint()] as const,
    ),
    own: texts(),
    pulled: texts(),
    sources: texts(),
    knownBy: texts(),
    newTo: texts(),
    fresh: reader.uint() === 1,
    met: Array.from({ length: reader.countOf(2) }, () => [reader.text(), reader.text()] as const),
  };
}

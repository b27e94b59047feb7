/**
 * What a leader-follower replica must never forget, or must know that it forgot, as stored bytes:
 *
 *     CRC-32 of the rest (4) | format (1) | term | voted for, empty for nobody | standing | life | store | formed: count, (node, life) each
 *
 * and where its log begins: CRC-32 of the rest (4) | format (1) | index | term (numbers and texts: see `binary.ts`).
 */
import { crc32 } from 'node:zlib';
import { TrefoilError } from '../core/errors.js';
import { nodeId, type NodeId } from '../core/ids.js';
import { BinaryReader, BinaryWriter, crcHolds } from './binary.js';

const FORMAT = 1;
const CRC_BYTES = 4;
const START = CRC_BYTES + 1;

/** `fresh`: never part of a formed group, as far as it knows. `joining`: it has forgotten something. See docs/adr/0017. */
const STANDINGS = ['fresh', 'joining', 'member'] as const;

export interface StoredHardState {
  readonly term: number;
  readonly votedFor: NodeId | null;
  readonly standing: (typeof STANDINGS)[number];
  /** A random number that names this unbroken memory. */
  readonly life: number;
  /** The name of the store in which the life began. */
  readonly store: string;
  /** The lives of all replicas when the group was formed; empty where this replica does not know. */
  readonly formed: readonly (readonly [node: NodeId, life: number])[];
}

export interface StoredLogBase {
  readonly index: number;
  readonly term: number;
}

const body = new BinaryWriter();

export function encodeHardState(state: StoredHardState): Uint8Array {
  body.clear();
  body.uint(state.term);
  body.text(state.votedFor ?? '');
  body.uint(STANDINGS.indexOf(state.standing));
  body.uint(state.life);
  body.text(state.store);
  body.uint(state.formed.length);
  for (const [node, life] of state.formed) {
    body.text(node);
    body.uint(life);
  }
  return sealed();
}

/** Throws `RecordCorrupt` for anything else than what `encodeHardState` made. */
export function decodeHardState(bytes: Uint8Array): StoredHardState {
  const reader = readerOf(bytes);
  const term = reader.uint();
  const votedFor = reader.text();
  const standing = STANDINGS[reader.uint()];
  if (standing === undefined) throw corrupt('its standing is unknown');
  const life = reader.uint();
  const store = reader.text();
  const formed: [NodeId, number][] = [];
  for (let left = reader.countOf(2); left > 0; left--) formed.push([nodeId(reader.text()), reader.uint()]);
  return { term, votedFor: votedFor === '' ? null : nodeId(votedFor), standing, life, store, formed };
}

export function encodeLogBase({ index, term }: StoredLogBase): Uint8Array {
  body.clear();
  body.uint(index);
  body.uint(term);
  return sealed();
}

/** Throws `RecordCorrupt` for anything else than what `encodeLogBase` made. */
export function decodeLogBase(bytes: Uint8Array): StoredLogBase {
  const reader = readerOf(bytes);
  return { index: reader.uint(), term: reader.uint() };
}

function sealed(): Uint8Array {
  const bytes = Buffer.allocUnsafe(START + body.length);
  bytes[CRC_BYTES] = FORMAT;
  body.copy(bytes, START);
  bytes.writeUInt32BE(crc32(bytes.subarray(CRC_BYTES)), 0);
  return bytes;
}

function readerOf(bytes: Uint8Array): BinaryReader {
  if (!crcHolds(bytes) || bytes[CRC_BYTES] !== FORMAT) throw corrupt('its checksum or format is wrong');
  return new BinaryReader(bytes, START, corrupt);
}

function corrupt(what: string): TrefoilError {
  return new TrefoilError('RecordCorrupt', `stored state of a replica cannot be read: ${what}`);
}

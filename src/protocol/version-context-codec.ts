/**
 * The context of a key in a leader-follower group, opaque to clients:
 *
 *     format (1) | version | index | CRC-32 of what is before (4)
 *
 * The version is what a conditional write replaces; the index is that of the state which the answer was read from, or that a write is
 * part of: what a session asks of the next replica. The format differs from that of a leaderless context (`context-codec.ts`).
 */
import { crc32 } from 'node:zlib';
import { TrefoilError } from '../core/errors.js';
import { asBuffer, BinaryReader, BinaryWriter } from './binary.js';

const FORMAT = 0xf1;
const CRC_BYTES = 4;

export interface VersionContext {
  /** 0: absent. */
  readonly version: number;
  readonly index: number;
}

const body = new BinaryWriter();

export function encodeVersionContext({ version, index }: VersionContext): Uint8Array {
  body.clear();
  body.uint(version);
  body.uint(index);
  const bytes = Buffer.allocUnsafe(1 + body.length + CRC_BYTES);
  bytes[0] = FORMAT;
  body.copy(bytes, 1);
  const end = bytes.length - CRC_BYTES;
  bytes.writeUInt32BE(crc32(bytes.subarray(0, end)), end);
  return bytes;
}

/** Throws `BadContext` for anything else than what `encodeVersionContext` made. */
export function decodeVersionContext(context: Uint8Array): VersionContext {
  const bytes = asBuffer(context);
  const end = bytes.length - CRC_BYTES;
  if (end < 1 || bytes[0] !== FORMAT || bytes.readUInt32BE(end) !== crc32(bytes.subarray(0, end)))
    throw bad();
  const reader = new BinaryReader(bytes.subarray(0, end), 1, bad);
  const version = reader.uint();
  const index = reader.uint();
  if (reader.remaining > 0) throw bad();
  return { version, index };
}

/** The version that a context names; null where there is none. */
export function versionInContext(context: Uint8Array | null): number | null {
  return context === null ? null : decodeVersionContext(context).version;
}

function bad(): TrefoilError {
  return new TrefoilError('BadContext', 'the context is none of a namespace with leaders, or damaged');
}

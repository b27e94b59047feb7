/**
 * What stands under a key of a leader-follower group: one value, and the log entry that put it there.
 *
 *     CRC-32 of the rest (4) | format (1) | version | hlc | expiresAt | value
 *
 * Written by the same entry it has the same bytes on every replica (numbers: see `binary.ts`).
 */
import { crc32 } from 'node:zlib';
import { TrefoilError } from '../core/errors.js';
import { HLC_TIME_MAX, type HlcTime } from '../core/hlc.js';
import { BinaryReader, BinaryWriter, crcHolds } from './binary.js';

const FORMAT = 1;
const CRC_BYTES = 4;
const HEADER_START = CRC_BYTES + 1;

/** A version, a time and an expiry take at least a byte each. */
const HEADER_BYTES_MIN = 3;

export interface VersionedHeader {
  /** The log index of the entry that wrote the value. */
  readonly version: number;
  /** Of that entry. */
  readonly hlc: HlcTime;
  /** Wall time in milliseconds from which on the value is not shown; 0 for never. */
  readonly expiresAt: number;
}

export interface VersionedRecord extends VersionedHeader {
  readonly value: Uint8Array;
}

// Everything here is synchronous: one writer serves all records.
const header = new BinaryWriter();

/** The record's bytes, the caller's own. The value is copied. */
export function encodeVersioned({ version, hlc, expiresAt, value }: VersionedRecord): Uint8Array {
  header.clear();
  header.uint(version);
  header.uint(hlc);
  header.uint(expiresAt);
  const valueStart = HEADER_START + header.length;
  const bytes = Buffer.allocUnsafe(valueStart + value.length);
  bytes[CRC_BYTES] = FORMAT;
  header.copy(bytes, HEADER_START);
  bytes.set(value, valueStart);
  bytes.writeUInt32BE(crc32(bytes.subarray(CRC_BYTES)), 0);
  return bytes;
}

/** Whether the checksum holds and the format is known: all that damage in storage can break. */
export function checkVersioned(bytes: Uint8Array): boolean {
  return bytes.length >= HEADER_START + HEADER_BYTES_MIN && bytes[CRC_BYTES] === FORMAT && crcHolds(bytes);
}

/** The record of these bytes; its value is a view of them. Throws `RecordCorrupt` for anything else. */
export function decodeVersioned(bytes: Uint8Array): VersionedRecord {
  if (!checkVersioned(bytes)) throw corrupt('its checksum or format is wrong');
  return decodeCheckedVersioned(bytes);
}

/** The same for bytes that have passed `checkVersioned` already. */
export function decodeCheckedVersioned(bytes: Uint8Array): VersionedRecord {
  const reader = new BinaryReader(bytes, HEADER_START, corrupt);
  const { version, hlc, expiresAt } = readHeader(reader);
  return { version, hlc, expiresAt, value: reader.bytes(reader.remaining) };
}

/** All but the value, of bytes that have passed `checkVersioned`. Throws `RecordCorrupt` where they were made wrong. */
export function versionedHeader(bytes: Uint8Array): VersionedHeader {
  return readHeader(new BinaryReader(bytes, HEADER_START, corrupt));
}

function readHeader(reader: BinaryReader): VersionedHeader {
  const version = reader.uint();
  const hlc = reader.uint();
  const expiresAt = reader.uint();
  if (version === 0) throw corrupt('it has no version');
  if (hlc > HLC_TIME_MAX) throw corrupt('its time is beyond all clocks');
  return { version, hlc, expiresAt };
}

function corrupt(what: string): TrefoilError {
  return new TrefoilError('RecordCorrupt', `a stored record cannot be read: ${what}`);
}

/**
 * What a leader-follower replica stores beside its values: how far it has applied the log, and its sessions.
 *
 *     CRC-32 of the rest (4) | version (1) | fields
 *
 *     applied state  generation | index | term | clock
 *     session        index | used at | used by | lowest open | results: count, then each
 *                    sequence - lowest open | entries since the one before | 0, or the version found + 1 and the place of the put
 *
 * Replicas that have applied the same entries have the same bytes: results stand in the order of their entries (numbers: see
 * `binary.ts`).
 */
import { crc32 } from 'node:zlib';
import { TrefoilError } from '../core/errors.js';
import { HLC_TIME_MAX, type HlcTime } from '../core/hlc.js';
import { BinaryReader, BinaryWriter, crcHolds } from './binary.js';

const VERSION = 1;
const CRC_BYTES = 4;
const START = CRC_BYTES + 1;

/** The least that a result takes. */
const RESULT_BYTES_MIN = 3;

/** How far a replica has applied the log, and under which generation of keys. */
export interface AppliedState {
  readonly generation: number;
  /** Of the last entry applied, 0 for none; and its term. */
  readonly index: number;
  readonly term: number;
  /** The group's clock: the highest time of an applied entry. */
  readonly clock: HlcTime;
}

/** A write that a condition refused. */
export interface FailedCondition {
  /** The entry that asked. */
  readonly index: number;
  /** The version that the key had instead, 0 where it was absent. */
  readonly actual: number;
  /** Which put of a `put-all` it was, from 0 on. */
  readonly place: number;
}

/** What became of an operation. A write that was done is the index of its entry: almost all are. */
export type StoredResult = number | FailedCondition;

export interface StoredSession {
  /** Of the entry that opened it: its name. */
  readonly index: number;
  /** The group's clock at the last entry that belonged to it, and that entry's index. */
  readonly usedAt: HlcTime;
  readonly usedBy: number;
  /** Operations below it are over: their results are forgotten. */
  readonly lowestOpen: number;
  /** By sequence, in the order of their entries. */
  readonly results: ReadonlyMap<number, StoredResult>;
}

// Everything here is synchronous: one writer serves all.
const body = new BinaryWriter();

export function encodeAppliedState({ generation, index, term, clock }: AppliedState): Uint8Array {
  body.clear();
  body.uint(generation);
  body.uint(index);
  body.uint(term);
  body.uint(clock);
  return sealed();
}

/** Throws `RecordCorrupt` for bytes that are damaged or none. */
export function decodeAppliedState(bytes: Uint8Array): AppliedState {
  const reader = readerOf(bytes);
  const state = {
    generation: reader.uint(),
    index: reader.uint(),
    term: reader.uint(),
    clock: reader.uint(),
  };
  if (state.clock > HLC_TIME_MAX) throw corrupt('a time in it is beyond all clocks');
  if (reader.remaining > 0) throw corrupt('bytes follow it');
  return state;
}

export function encodeSession(session: StoredSession): Uint8Array {
  body.clear();
  body.uint(session.index);
  body.uint(session.usedAt);
  body.uint(session.usedBy);
  body.uint(session.lowestOpen);
  body.uint(session.results.size);
  let before = session.index;
  for (const [sequence, result] of session.results) {
    const index = typeof result === 'number' ? result : result.index;
    body.uint(sequence - session.lowestOpen);
    body.uint(index - before);
    if (typeof result === 'number') {
      body.uint(0);
    } else {
      body.uint(result.actual + 1);
      body.uint(result.place);
    }
    before = index;
  }
  return sealed();
}

/** Throws `RecordCorrupt` for bytes that are damaged or none. */
export function decodeSession(bytes: Uint8Array): StoredSession {
  const reader = readerOf(bytes);
  const index = reader.uint();
  const usedAt = reader.uint();
  const usedBy = reader.uint();
  const lowestOpen = reader.uint();
  if (index === 0 || usedBy < index) throw corrupt('a session was used before it was opened');
  if (usedAt > HLC_TIME_MAX) throw corrupt('a time in it is beyond all clocks');
  const results = new Map<number, StoredResult>();
  let before = index;
  for (let left = reader.countOf(RESULT_BYTES_MIN); left > 0; left--) {
    const sequence = lowestOpen + reader.uint();
    const at = before + reader.uint();
    const found = reader.uint();
    if (at === before || at > usedBy || results.has(sequence) || sequence > Number.MAX_SAFE_INTEGER) {
      throw corrupt('the results of a session are out of order');
    }
    results.set(sequence, found === 0 ? at : { index: at, actual: found - 1, place: reader.uint() });
    before = at;
  }
  if (reader.remaining > 0) throw corrupt('bytes follow it');
  return { index, usedAt, usedBy, lowestOpen, results };
}

function sealed(): Uint8Array {
  const bytes = Buffer.allocUnsafe(START + body.length);
  bytes[CRC_BYTES] = VERSION;
  body.copy(bytes, START);
  bytes.writeUInt32BE(crc32(bytes.subarray(CRC_BYTES)), 0);
  return bytes;
}

function readerOf(bytes: Uint8Array): BinaryReader {
  if (bytes.length <= START || bytes[CRC_BYTES] !== VERSION || !crcHolds(bytes)) {
    throw corrupt('its checksum or version is wrong');
  }
  return new BinaryReader(bytes, START, corrupt);
}

function corrupt(what: string): TrefoilError {
  return new TrefoilError('RecordCorrupt', `the applied state cannot be read: ${what}`);
}

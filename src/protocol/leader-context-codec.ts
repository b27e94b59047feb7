/**
 * The context that a leader-follower namespace gives with a read or a write: opaque to the client, which hands it back as what a
 * write replaces, or as what a later read must have seen.
 *
 *     format (1) | version of the value, 0 for absent | index that the answer had applied
 *
 * The two serve apart: a conditional write names the version, a session the index, which is of the whole partition. No
 * checksum of the key, unlike a leaderless context: a version is the index of one entry, so with another key it names nothing
 * and the write is refused, never misapplied.
 */
import { TrefoilError } from '../core/errors.js';
import { asBuffer, BinaryReader, BinaryWriter } from './binary.js';

/** Not the version of any leaderless context. */
const CONTEXT_FORMAT = 0x4c;
const FORMAT_BYTES = 1;
/** The format and two numbers of at most 53 bits. */
const CONTEXT_BYTES_MAX = FORMAT_BYTES + 2 * 8;

export interface LeaderContext {
  /** Of the value that was read or written; 0 where the key was absent. */
  readonly version: number;
  /** The index of the last entry that the answer knew of: at least the version. */
  readonly index: number;
}

const body = new BinaryWriter();

/** A context as bytes. The same context gives the same bytes. */
export function encodeLeaderContext({ version, index }: LeaderContext): Uint8Array {
  body.clear();
  body.uint(version);
  body.uint(index);
  const bytes = Buffer.allocUnsafe(FORMAT_BYTES + body.length);
  bytes[0] = CONTEXT_FORMAT;
  body.copy(bytes, FORMAT_BYTES);
  return bytes;
}

/** What a context says. Throws `BadContext` for one of a leaderless namespace, and for anything else that is none. */
export function decodeLeaderContext(bytes: Uint8Array): LeaderContext {
  if (bytes.length > CONTEXT_BYTES_MAX || asBuffer(bytes)[0] !== CONTEXT_FORMAT) {
    throw bad('it is damaged, or of a namespace without leaders');
  }
  const reader = new BinaryReader(bytes, FORMAT_BYTES, bad);
  const version = reader.uint();
  const index = reader.uint();
  if (reader.remaining > 0) throw bad('bytes follow it');
  if (version > index) throw bad('its version is beyond what it had seen');
  return { version, index };
}

function bad(what: string): TrefoilError {
  return new TrefoilError('BadContext', `the context cannot be used: ${what}`);
}

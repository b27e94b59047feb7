/**
 * The stored form of a record, which is also how it travels between replicas.
 *
 *     CRC-32 of the rest (4) | version (1) | header length | header | payload
 *
 *     header   context: count, then (incarnation, counter) each
 *              siblings: count, then (dot, hlc, session, sequence, expiresAt) each
 *              recent operations: count, then (dot, hlc, session, sequence) each
 *              questions, where there are any: count, then (dot, hlc, session, sequence) each
 *     payload  for each sibling 0 for a tombstone, or the length of its value + 1; then the values' bytes
 *
 * Every dot is covered by the context, so a dot names its incarnation by its place there; a session is
 * spelled out where it first stands and is a number afterwards (numbers and texts: see `binary.ts`). Of a write minted for
 * a retry, and of a question that is closed, the place is raised by the length of the context. Records from before these were
 * kept read as they did.
 *
 * Hash trees digest the header as it is. Therefore one record has one encoding, and the header has
 * everything but whether a sibling is a value or a tombstone: expiry turns one into the other under the
 * same dot, at its own moment on each replica, and must not make replicas look different.
 */
import { crc32 } from 'node:zlib';
import { TrefoilError } from '../core/errors.js';
import { HLC_TIME_MAX } from '../core/hlc.js';
import { incarnationId, sessionId, type SessionId } from '../core/ids.js';
import { invariant } from '../core/invariant.js';
import type { KeyRecord, RecentOperation, RetryQuestion, Sibling } from '../core/record.js';
import { compareDots, type VersionEntry, type VersionVector } from '../core/version-vector.js';
import { BinaryReader, BinaryWriter, crcHolds } from './binary.js';

const RECORD_VERSION = 1;
const CRC_BYTES = 4;
const HEADER_START = CRC_BYTES + 1;
/** The least that a sibling or a recent operation takes. */
const WRITE_BYTES_MIN = 5;

/** A sibling whose value is not read yet. (Completing it in place: a copy would double the time of a decode.) */
type Draft = Omit<Sibling, 'value'> & { value: Uint8Array | null };

/** The sessions spelled so far, by number and by name. */
interface Sessions {
  readonly names: SessionId[];
  readonly known: Set<SessionId>;
}

// Everything here is synchronous: two writers serve all records.
const prefix = new BinaryWriter();
const body = new BinaryWriter();

/**
 * The record's bytes. The same record gives the same bytes. Values are copied; the result is the caller's.
 * A record that breaks its own rules (a dot that its context does not cover) is an invariant violation.
 */
export function encodeRecord(record: KeyRecord): Uint8Array {
  body.clear();
  writeHeader(record);
  prefix.clear();
  prefix.uint(body.length);
  let valuesBytes = 0;
  for (const { value } of record.siblings) {
    body.uint(value === null ? 0 : value.length + 1);
    if (value !== null) valuesBytes += value.length;
  }

  const bodyStart = HEADER_START + prefix.length;
  const bytes = Buffer.allocUnsafe(bodyStart + body.length + valuesBytes);
  bytes[CRC_BYTES] = RECORD_VERSION;
  prefix.copy(bytes, HEADER_START);
  body.copy(bytes, bodyStart);
  let at = bodyStart + body.length;
  for (const { value } of record.siblings) {
    if (value === null) continue;
    bytes.set(value, at);
    at += value.length;
  }
  bytes.writeUInt32BE(crc32(bytes.subarray(CRC_BYTES)), 0);
  return bytes;
}

/** The record of these bytes; its values are views of them. Throws `RecordCorrupt` for anything else. */
export function decodeRecord(bytes: Uint8Array): KeyRecord {
  if (!checkRecord(bytes)) throw corrupt('its checksum or version is wrong');
  return decodeCheckedRecord(bytes);
}

/** The same for bytes that have passed `checkRecord` already. */
export function decodeCheckedRecord(bytes: Uint8Array): KeyRecord {
  const reader = new BinaryReader(bytes, HEADER_START, corrupt);
  const headerLength = reader.uint();
  const headerEnd = reader.position + headerLength;
  const context = readContext(reader);
  const sessions: Sessions = { names: [], known: new Set() };
  const siblings = readSiblings(reader, context, sessions);
  const recentOperations = readRecentOperations(reader, context, sessions);
  const questions = reader.position < headerEnd ? readQuestions(reader, context, sessions) : undefined;
  if (reader.position !== headerEnd) throw corrupt('its header has another length than it says');
  readValues(reader, siblings);
  if (reader.remaining > 0) throw corrupt('bytes follow it');
  if (questions === undefined) return { context, siblings, recentOperations };
  return { context, siblings, recentOperations, questions };
}

/**
 * Whether the checksum holds, the version is known and there is a header: all that damage in storage can break.
 * Bytes that were made wrong pass: what comes from elsewhere is decoded once before it is stored.
 */
export function checkRecord(bytes: Uint8Array): boolean {
  return (
    bytes.length > HEADER_START && bytes[CRC_BYTES] === RECORD_VERSION && crcHolds(bytes) && hasHeader(bytes)
  );
}

/**
 * What a hash tree digests of a checked record: a view of its header. Equal for replicas that agree, even
 * where a sibling has expired on one of them only.
 */
export function recordHeader(bytes: Uint8Array): Uint8Array {
  const reader = new BinaryReader(bytes, HEADER_START, corrupt);
  return reader.bytes(reader.uint());
}

/** The length of the header is spelled in one to eight bytes, and it fits. */
function hasHeader(bytes: Uint8Array): boolean {
  const first = bytes[HEADER_START] as number;
  if (first < 0x80) return first < bytes.length - HEADER_START;
  try {
    recordHeader(bytes);
    return true;
  } catch {
    return false;
  }
}

/** Whether no sibling of a checked record holds a value: the key is deleted, and only its bookkeeping is left. */
export function isTombstone(bytes: Uint8Array): boolean {
  const reader = new BinaryReader(bytes, HEADER_START, corrupt);
  reader.bytes(reader.uint());
  // The payload begins with a 0 for each tombstone and a higher number for each value.
  for (let at = reader.position; at < bytes.length; at++) if (bytes[at] !== 0) return false;
  return true;
}

function writeHeader(record: KeyRecord): void {
  body.uint(record.context.length);
  for (const [incarnation, counter] of record.context) {
    body.text(incarnation);
    body.uint(counter);
  }
  // By name, since a set may hold the writes of a thousand sessions.
  const sessions = new Map<SessionId, number>();
  body.uint(record.siblings.length);
  for (const s of record.siblings) {
    writeWrite(s, record.context, sessions);
    body.uint(s.expiresAt);
  }
  body.uint(record.recentOperations.length);
  for (const r of record.recentOperations) writeWrite(r, record.context, sessions);
  if (record.questions === undefined) return;
  invariant(record.questions.length > 0, 'a record without questions has no list of them');
  body.uint(record.questions.length);
  for (const { closed, ...question } of record.questions) {
    writeWrite(closed === true ? { ...question, retried: true } : question, record.context, sessions);
  }
}

/** What a sibling, a recent operation and a question have in common; closed is to the one what retried is to the others. */
function writeWrite(write: RecentOperation, context: VersionVector, sessions: Map<SessionId, number>): void {
  const { dot, hlc, operation, retried } = write;
  const place = context.findIndex(([incarnation]) => incarnation === dot.incarnation);
  invariant((context[place]?.[1] ?? 0) >= dot.counter, 'the context of a record covers its dots');
  body.uint(retried === true ? place + context.length : place);
  body.uint(dot.counter);
  body.uint(hlc);
  const known = sessions.get(operation.session);
  if (known === undefined) {
    body.uint(sessions.size);
    body.text(operation.session);
    sessions.set(operation.session, sessions.size);
  } else {
    body.uint(known);
  }
  body.uint(operation.sequence);
}

function readContext(reader: BinaryReader): VersionEntry[] {
  const context: VersionEntry[] = [];
  let previous: VersionEntry | undefined;
  for (let left = reader.countOf(2); left > 0; left--) {
    const entry: VersionEntry = [incarnationId(reader.text()), reader.uint()];
    if (entry[1] === 0 || (previous !== undefined && previous[0] >= entry[0])) {
      throw corrupt('its context is out of order');
    }
    context.push(entry);
    previous = entry;
  }
  return context;
}

/** The siblings without their values, which stand in the payload. */
function readSiblings(reader: BinaryReader, context: VersionVector, sessions: Sessions): Draft[] {
  const siblings: Draft[] = [];
  let previous: Draft | undefined;
  for (let left = reader.countOf(WRITE_BYTES_MIN + 1); left > 0; left--) {
    const { hlc, operation, dot, retried } = readWrite(reader, context, sessions);
    const expiresAt = reader.uint();
    // Literals, since every read and write of a key comes by here: a spread took longer than all the rest of the record.
    const sibling: Draft =
      retried === true
        ? { hlc, operation, dot, retried, expiresAt, value: null }
        : { hlc, operation, dot, expiresAt, value: null };
    if (previous !== undefined && compareDots(previous.dot, sibling.dot) >= 0) {
      throw corrupt('its siblings are out of order');
    }
    siblings.push(sibling);
    previous = sibling;
  }
  return siblings;
}

function readValues(reader: BinaryReader, siblings: readonly Draft[]): void {
  const lengths = siblings.map(() => reader.uint());
  lengths.forEach((length, i) => {
    if (length > 0) (siblings[i] as Draft).value = reader.bytes(length - 1);
  });
}

function readRecentOperations(
  reader: BinaryReader,
  context: VersionVector,
  sessions: Sessions,
): RecentOperation[] {
  const recent: RecentOperation[] = [];
  for (let left = reader.countOf(WRITE_BYTES_MIN); left > 0; left--) {
    recent.push(readWrite(reader, context, sessions));
  }
  return recent;
}

function readQuestions(reader: BinaryReader, context: VersionVector, sessions: Sessions): RetryQuestion[] {
  const questions = readRecentOperations(reader, context, sessions);
  if (questions.length === 0) throw corrupt('it has an empty list of questions');
  return questions.map(({ hlc, operation, dot, retried }) =>
    retried === true ? { hlc, operation, dot, closed: true } : { hlc, operation, dot },
  );
}

function readWrite(reader: BinaryReader, context: VersionVector, sessions: Sessions): RecentOperation {
  const written = reader.uint();
  const retried = written >= context.length;
  const seen = context[retried ? written - context.length : written];
  const counter = reader.uint();
  if (seen === undefined || counter === 0 || counter > seen[1]) {
    throw corrupt('its context does not cover a dot');
  }
  const hlc = reader.uint();
  if (hlc > HLC_TIME_MAX) throw corrupt('a time in it is beyond all clocks');
  const place = reader.uint();
  if (place === sessions.names.length) {
    const spelled = sessionId(reader.text());
    if (sessions.known.has(spelled)) throw corrupt('it spells a session twice');
    sessions.names.push(spelled);
    sessions.known.add(spelled);
  }
  const session = sessions.names[place];
  if (session === undefined) throw corrupt('it names an unknown session');
  const operation = { session, sequence: reader.uint() };
  const dot = { incarnation: seen[0], counter };
  return retried ? { hlc, operation, dot, retried } : { hlc, operation, dot };
}

function corrupt(what: string): TrefoilError {
  return new TrefoilError('RecordCorrupt', `a record is corrupt: ${what}`);
}

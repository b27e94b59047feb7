/**
 * The log of a leader-follower group: entries, and the segments that they travel and are stored in.
 *
 *     CRC-32 of the rest (4) | version (1) | header | length of the heads | heads | values
 *
 *     header  first index | count | hlc of the first entry | hlc of the last one | terms: count, then (entries, term) each
 *     heads   for each entry: time since the one before | type of the command | its fields
 *             a put: key | 0 for a delete, or the length of its value + 1 | 0, or the version it demands + 1 | ttl
 *     values  the values' bytes, in the order of the heads
 *
 * The entries that one turn brings are one segment: encoded once, one log key, one message, the same bytes on every disk
 * (docs/adr/0017). Indexes are consecutive, terms and times never fall, so the header says all that the protocol asks of a
 * segment, and commands are decoded only to be applied. Values stand apart from the heads so that each is copied once
 * (numbers and texts: see `binary.ts`).
 */
import { crc32 } from 'node:zlib';
import { TrefoilError } from '../core/errors.js';
import { HLC_TIME_MAX, type HlcTime } from '../core/hlc.js';
import { invariant, unreachable } from '../core/invariant.js';
import { TTL_MS_MAX } from '../core/limits.js';
import { BinaryReader, BinaryWriter, crcHolds } from './binary.js';

const SEGMENT_VERSION = 1;
const CRC_BYTES = 4;
const HEADER_START = CRC_BYTES + 1;

const NOOP = 0;
const TICK = 1;
const OPEN_SESSION = 2;
const PUT = 3;
const PUT_ALL = 4;
const EXPIRE = 5;

/** The least that they take in the heads: time and type; key, length, condition and ttl. */
const ENTRY_BYTES_MIN = 2;
const PUT_BYTES_MIN = 5;

/** No key has this version or a higher one: a client may demand what it likes, and its number still fits. */
const VERSION_DEMANDED_MAX = Number.MAX_SAFE_INTEGER - 1;

/** What an entry tells every replica to do. */
export type Command =
  /** A new leader's first entry. */
  | { readonly type: 'noop' }
  /** Moves the group's clock. */
  | { readonly type: 'tick' }
  /** The index of its entry names the session. */
  | { readonly type: 'open-session' }
  | PutCommand
  | PutAllCommand
  /** Values whose time has come go from the disk. */
  | { readonly type: 'expire'; readonly keys: readonly string[] };

/** What the two kinds of writes have in common: see `PutOperation`. */
interface SessionWrite {
  /** The index of the entry that opened the session. */
  readonly session: number;
  readonly sequence: number;
  readonly lowestOpen: number;
}

export interface PutCommand extends SessionWrite {
  readonly type: 'put';
  readonly put: LoggedPut;
}

/** All of the puts or, where a condition fails, none. Each key once. */
export interface PutAllCommand extends SessionWrite {
  readonly type: 'put-all';
  readonly puts: readonly LoggedPut[];
}

export interface LoggedPut {
  readonly key: string;
  /** null deletes. */
  readonly value: Uint8Array | null;
  /** The version that the key must have, 0 for "absent"; null for no condition. */
  readonly ifVersion: number | null;
  /** 0: never. The namespace's default is resolved already. */
  readonly ttlMs: number;
}

export interface LogEntry {
  /** From 1 on. */
  readonly index: number;
  readonly term: number;
  readonly hlc: HlcTime;
  readonly command: Command;
}

/** What the header of a segment says of its entries. */
export interface SegmentBounds {
  readonly first: number;
  readonly last: number;
  readonly firstTerm: number;
  readonly lastTerm: number;
  readonly count: number;
  /** Of the last entry: what comes after it is later. */
  readonly lastHlc: HlcTime;
}

/** The first index of a run of entries of one term, and that term. */
export type TermRun = readonly [first: number, term: number];

interface Header {
  readonly first: number;
  readonly count: number;
  readonly firstHlc: HlcTime;
  readonly lastHlc: HlcTime;
  readonly terms: readonly TermRun[];
}

/** The range of all log keys. */
export const LOG_KEYS = { gte: 'l/', lt: 'l0' } as const;

/** As many digits of base 36 as the largest index has. */
const LOG_KEY_DIGITS = 11;

/** The key of the segment whose first entry has this index; keys order as indexes do. */
export function logKey(index: number): string {
  return LOG_KEYS.gte + index.toString(36).padStart(LOG_KEY_DIGITS, '0');
}

// Everything here is synchronous: two writers serve all segments.
const header = new BinaryWriter();
const heads = new BinaryWriter();

/**
 * The bytes of one or more entries that follow each other. Values are copied; the result is the caller's. An index that is left
 * out, or a term or time that falls, is an invariant violation.
 */
export function encodeSegment(entries: readonly LogEntry[]): Uint8Array {
  heads.clear();
  const values: Uint8Array[] = [];
  const first = entries[0];
  invariant(first !== undefined && first.index > 0, 'a segment has an entry, and its index is above 0');
  let previous = first;
  let at = first.index;
  for (const entry of entries) {
    invariant(entry.index === at++, 'the indexes of a segment follow each other');
    invariant(
      entry.term >= previous.term && entry.hlc >= previous.hlc,
      'terms and times of a segment do not fall',
    );
    heads.uint(entry.hlc - previous.hlc);
    writeCommand(entry.command, values);
    previous = entry;
  }
  invariant(previous.hlc <= HLC_TIME_MAX, 'the times of a segment are times');

  writeHeader(entries, first, previous);
  return sealed(values);
}

/** Whether the checksum holds and the version is known: all that damage can break. */
export function checkSegment(bytes: Uint8Array): boolean {
  return bytes.length > HEADER_START && bytes[CRC_BYTES] === SEGMENT_VERSION && crcHolds(bytes);
}

/**
 * The bounds of a segment that was checked: reads the header only, and not the checksum. Throws `MalformedFrame` for bytes
 * that have no such header.
 */
export function segmentBounds(bytes: Uint8Array): SegmentBounds {
  const { first, count, lastHlc, terms } = readHeader(readerOf(bytes));
  return {
    first,
    last: first + count - 1,
    firstTerm: (terms[0] as TermRun)[1],
    lastTerm: (terms[terms.length - 1] as TermRun)[1],
    count,
    lastHlc,
  };
}

/** The terms of a checked segment's entries, from the header alone: at least one run, terms rising. Throws as `segmentBounds` does. */
export function segmentTerms(bytes: Uint8Array): readonly TermRun[] {
  return readHeader(readerOf(bytes)).terms;
}

/** The entries of a segment; values are views of `bytes`. Throws `MalformedFrame` for bytes that are damaged or none. */
export function decodeSegment(bytes: Uint8Array): LogEntry[] {
  if (!checkSegment(bytes)) throw malformed('its checksum or version is wrong');
  return decodeCheckedSegment(bytes);
}

/** The same for bytes that have passed `checkSegment` already. */
export function decodeCheckedSegment(bytes: Uint8Array): LogEntry[] {
  const reader = readerOf(bytes);
  const { first, count, firstHlc, lastHlc, terms } = readHeader(reader);
  const headsLength = reader.countOf(1);
  const headsEnd = reader.position + headsLength;
  if (count * ENTRY_BYTES_MIN > headsLength) throw malformed('it ends too early');
  const values = new BinaryReader(bytes, headsEnd, malformed);

  const entries: LogEntry[] = [];
  let hlc = firstHlc;
  let run = 0;
  for (let index = first; index < first + count; index++) {
    while (run + 1 < terms.length && (terms[run + 1] as TermRun)[0] <= index) run++;
    hlc += reader.uint();
    entries.push({ index, term: (terms[run] as TermRun)[1], hlc, command: readCommand(reader, values) });
  }
  if (hlc !== lastHlc) throw malformed('its last entry has another time than it says');
  if (reader.position !== headsEnd) throw malformed('its heads have another length than it says');
  if (values.remaining > 0) throw malformed('bytes follow it');
  return entries;
}

function writeHeader(entries: readonly LogEntry[], first: LogEntry, last: LogEntry): void {
  const runs: { term: number; count: number }[] = [];
  if (first.term === last.term) {
    runs.push({ term: first.term, count: entries.length });
  } else {
    for (const { term } of entries) {
      const run = runs[runs.length - 1];
      if (run?.term === term) run.count++;
      else runs.push({ term, count: 1 });
    }
  }
  header.clear();
  header.uint(first.index);
  header.uint(entries.length);
  header.uint(first.hlc);
  header.uint(last.hlc);
  header.uint(runs.length);
  for (const { term, count } of runs) {
    header.uint(count);
    header.uint(term);
  }
  header.uint(heads.length);
}

function sealed(values: readonly Uint8Array[]): Uint8Array {
  let at = HEADER_START + header.length + heads.length;
  let length = at;
  for (const value of values) length += value.length;
  const bytes = Buffer.allocUnsafe(length);
  bytes[CRC_BYTES] = SEGMENT_VERSION;
  header.copy(bytes, HEADER_START);
  heads.copy(bytes, HEADER_START + header.length);
  for (const value of values) {
    bytes.set(value, at);
    at += value.length;
  }
  bytes.writeUInt32BE(crc32(bytes.subarray(CRC_BYTES)), 0);
  return bytes;
}

function writeCommand(command: Command, values: Uint8Array[]): void {
  switch (command.type) {
    case 'noop':
      return heads.uint(NOOP);
    case 'tick':
      return heads.uint(TICK);
    case 'open-session':
      return heads.uint(OPEN_SESSION);
    case 'put':
      heads.uint(PUT);
      writeOperation(command);
      return writePut(command.put, values);
    case 'put-all':
      heads.uint(PUT_ALL);
      writeOperation(command);
      heads.uint(command.puts.length);
      for (const put of command.puts) writePut(put, values);
      return;
    case 'expire':
      heads.uint(EXPIRE);
      heads.uint(command.keys.length);
      for (const key of command.keys) writeKey(key);
      return;
    default:
      unreachable(command);
  }
}

function writeOperation({ session, sequence, lowestOpen }: SessionWrite): void {
  heads.uint(session);
  heads.uint(sequence);
  heads.uint(lowestOpen);
}

function writePut({ key, value, ifVersion, ttlMs }: LoggedPut, values: Uint8Array[]): void {
  invariant(ttlMs <= TTL_MS_MAX, 'a time to live is within its limit');
  writeKey(key);
  heads.uint(value === null ? 0 : value.length + 1);
  heads.uint(ifVersion === null ? 0 : Math.min(ifVersion, VERSION_DEMANDED_MAX) + 1);
  heads.uint(ttlMs);
  if (value !== null) values.push(value);
}

function writeKey(key: string): void {
  invariant(key.length > 0, 'a key is not empty');
  heads.text(key);
}

function readerOf(bytes: Uint8Array): BinaryReader {
  return new BinaryReader(bytes, HEADER_START, malformed);
}

function readHeader(reader: BinaryReader): Header {
  const first = reader.uint();
  const count = reader.countOf(ENTRY_BYTES_MIN);
  const firstHlc = reader.uint();
  const lastHlc = reader.uint();
  if (first === 0 || count === 0 || first + count - 1 > Number.MAX_SAFE_INTEGER) {
    throw malformed('it has no entries, or none that can be');
  }
  if (lastHlc > HLC_TIME_MAX) throw malformed('a time in it is beyond all clocks');
  const terms: TermRun[] = [];
  let next = first;
  let termBefore = -1;
  for (let left = reader.countOf(2); left > 0; left--) {
    const length = reader.uint();
    const term = reader.uint();
    if (length === 0 || term <= termBefore) throw malformed('its terms are out of order');
    terms.push([next, term]);
    termBefore = term;
    next += length;
  }
  if (next !== first + count) throw malformed('it has terms for another number of entries');
  return { first, count, firstHlc, lastHlc, terms };
}

function readCommand(heads: BinaryReader, values: BinaryReader): Command {
  const type = heads.uint();
  switch (type) {
    case NOOP:
      return { type: 'noop' };
    case TICK:
      return { type: 'tick' };
    case OPEN_SESSION:
      return { type: 'open-session' };
    case PUT:
      return {
        type: 'put',
        session: heads.uint(),
        sequence: heads.uint(),
        lowestOpen: heads.uint(),
        put: readPut(heads, values),
      };
    case PUT_ALL:
      return {
        type: 'put-all',
        session: heads.uint(),
        sequence: heads.uint(),
        lowestOpen: heads.uint(),
        puts: readPuts(heads, values),
      };
    case EXPIRE:
      return { type: 'expire', keys: readKeys(heads) };
    default:
      throw malformed(`it has a command of type ${type}`);
  }
}

function readPuts(heads: BinaryReader, values: BinaryReader): LoggedPut[] {
  const puts: LoggedPut[] = [];
  for (let left = heads.countOf(PUT_BYTES_MIN); left > 0; left--) puts.push(readPut(heads, values));
  return puts;
}

function readPut(heads: BinaryReader, values: BinaryReader): LoggedPut {
  const key = readKey(heads);
  const written = heads.uint();
  const demanded = heads.uint();
  const ttlMs = heads.uint();
  if (ttlMs > TTL_MS_MAX) throw malformed('a time to live in it is beyond its limit');
  return {
    key,
    value: written === 0 ? null : values.bytes(written - 1),
    ifVersion: demanded === 0 ? null : demanded - 1,
    ttlMs,
  };
}

function readKeys(heads: BinaryReader): string[] {
  const keys: string[] = [];
  for (let left = heads.countOf(2); left > 0; left--) keys.push(readKey(heads));
  return keys;
}

function readKey(heads: BinaryReader): string {
  const key = heads.text();
  if (key.length === 0) throw malformed('a key in it is empty');
  return key;
}

function malformed(what: string): TrefoilError {
  return new TrefoilError('MalformedFrame', `a segment of the log cannot be read: ${what}`);
}

/** The messages of the leaderless strategy on the wire. */
import {
  bytes,
  bytesOf,
  count,
  countTo,
  hashes,
  list,
  orNull,
  text,
  tuple,
  word,
  wordCode,
} from './fields.js';
import { wireUnion, wordTable, type WireTable } from './fields.js';
import { nodeId } from '../core/ids.js';
import type { LeaderlessMessage } from './leaderless-messages.js';

const STORE_STATUSES = wordTable(['stored', 'corrupt', 'refused']);
const FETCH_STATUSES = wordTable(['found', 'absent', 'corrupt']);
const PAGE_STATUSES = wordTable(['found', 'corrupt']);

const INDEX_MAX = 0xffff_ffff;

const TABLE: WireTable<LeaderlessMessage> = {
  store: {
    code: 1,
    length: 4,
    toWire: (code, m) => [code, m.sequence, m.key, m.record],
    fromWire: (f) => ({
      type: 'store',
      sequence: count(f[1], 'sequence'),
      key: text(f[2], 'key'),
      record: bytes(f[3], 'record'),
    }),
  },
  'store-result': {
    code: 2,
    length: 3,
    toWire: (code, m) => [code, m.sequence, wordCode(STORE_STATUSES, m.status)],
    fromWire: (f) => ({
      type: 'store-result',
      sequence: count(f[1], 'sequence'),
      status: word(STORE_STATUSES, f[2], 'status'),
    }),
  },
  hold: {
    code: 20,
    length: 5,
    toWire: (code, m) => [code, m.sequence, m.home, m.key, m.record],
    fromWire: (f) => ({
      type: 'hold',
      sequence: count(f[1], 'sequence'),
      home: nodeId(text(f[2], 'home')),
      key: text(f[3], 'key'),
      record: bytes(f[4], 'record'),
    }),
  },
  fetch: {
    code: 3,
    length: 3,
    toWire: (code, m) => [code, m.sequence, m.key],
    fromWire: (f) => ({ type: 'fetch', sequence: count(f[1], 'sequence'), key: text(f[2], 'key') }),
  },
  'fetch-result': {
    code: 4,
    length: 4,
    toWire: (code, m) => [code, m.sequence, wordCode(FETCH_STATUSES, m.status), m.record],
    fromWire: (f) => ({
      type: 'fetch-result',
      sequence: count(f[1], 'sequence'),
      status: word(FETCH_STATUSES, f[2], 'status'),
      record: orNull(bytes, f[3], 'record'),
    }),
  },
  'fetch-page': {
    code: 5,
    length: 5,
    toWire: (code, m) => [code, m.sequence, m.prefix, m.after, m.limit],
    fromWire: (f) => ({
      type: 'fetch-page',
      sequence: count(f[1], 'sequence'),
      prefix: text(f[2], 'prefix'),
      after: text(f[3], 'after'),
      limit: countTo(INDEX_MAX, f[4], 'limit'),
    }),
  },
  'fetch-page-result': {
    code: 6,
    length: 5,
    toWire: (code, m) => [code, m.sequence, wordCode(PAGE_STATUSES, m.status), m.entries, m.end],
    fromWire: (f) => ({
      type: 'fetch-page-result',
      sequence: count(f[1], 'sequence'),
      status: word(PAGE_STATUSES, f[2], 'status'),
      entries: list(keyedRecord, f[3], 'entries'),
      end: orNull(text, f[4], 'end'),
    }),
  },
  'compare-root': {
    code: 7,
    length: 2,
    toWire: (code, m) => [code, m.root],
    fromWire: (f) => ({ type: 'compare-root', root: bytesOf(8, f[1], 'root') }),
  },
  'compare-branches': {
    code: 8,
    length: 2,
    toWire: (code, m) => [code, m.branches],
    fromWire: (f) => ({ type: 'compare-branches', branches: hashes(f[1], 'branches') }),
  },
  'compare-leaves': {
    code: 9,
    length: 2,
    toWire: (code, m) => [code, m.branches],
    fromWire: (f) => ({ type: 'compare-leaves', branches: list(branchLeaves, f[1], 'branches') }),
  },
  'differing-leaves': {
    code: 10,
    length: 2,
    toWire: (code, m) => [code, m.leaves],
    fromWire: (f) => ({ type: 'differing-leaves', leaves: list(index, f[1], 'leaves') }),
  },
  'offer-keys': {
    code: 11,
    length: 2,
    toWire: (code, m) => [code, m.entries],
    fromWire: (f) => ({ type: 'offer-keys', entries: list(keyedDigest, f[1], 'entries') }),
  },
};

/** Codes 1 to 31 are the leaderless strategy's. */
export const LEADERLESS_WIRE = wireUnion<LeaderlessMessage>('replica message', TABLE);

function index(value: unknown, field: string): number {
  return countTo(INDEX_MAX, value, field);
}

function keyedRecord(value: unknown, field: string): readonly [string, Uint8Array] {
  const f = tuple(2, value, field);
  return [text(f[0], 'key'), bytes(f[1], 'record')];
}

function keyedDigest(value: unknown, field: string): readonly [string, Uint8Array] {
  const f = tuple(2, value, field);
  return [text(f[0], 'key'), bytesOf(8, f[1], 'digest')];
}

function branchLeaves(value: unknown, field: string): readonly [number, Uint8Array] {
  const f = tuple(2, value, field);
  return [index(f[0], 'branch'), hashes(f[1], 'leaves')];
}

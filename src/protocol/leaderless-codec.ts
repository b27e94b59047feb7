/** The messages of the leaderless strategy on the wire. */
import {
  bytes,
  bytesOf,
  count,
  countTo,
  flag,
  hashes,
  list,
  malformed,
  orNull,
  text,
  tuple,
  word,
  wordCode,
} from './fields.js';
import { wordTable, type WireTable } from './fields.js';
import { incarnationId, nodeId } from '../core/ids.js';
import type { VersionEntry, VersionVector } from '../core/version-vector.js';
import type { LeaderlessMessage } from './leaderless-messages.js';

const STORE_STATUSES = wordTable(['stored', 'corrupt', 'refused']);
const FETCH_STATUSES = wordTable(['found', 'absent', 'corrupt', 'refilling']);
const PAGE_STATUSES = wordTable(['found', 'corrupt', 'refilling']);

const INDEX_MAX = 0xffff_ffff;

/** Codes 1 to 31 are the leaderless strategy's. */
export const LEADERLESS_TYPES: WireTable<LeaderlessMessage> = {
  store: {
    code: 1,
    length: 5,
    toWire: (code, m) => [code, m.sequence, m.key, m.record, m.asks],
    fromWire: (f) => ({
      type: 'store',
      sequence: count(f[1], 'sequence'),
      key: text(f[2], 'key'),
      record: bytes(f[3], 'record'),
      asks: flag(f[4], 'asks'),
    }),
  },
  'store-result': {
    code: 2,
    length: 5,
    toWire: (code, m) => [code, m.sequence, wordCode(STORE_STATUSES, m.status), m.record, m.wallMs],
    fromWire: (f) => ({
      type: 'store-result',
      sequence: count(f[1], 'sequence'),
      status: word(STORE_STATUSES, f[2], 'status'),
      record: orNull(bytes, f[3], 'record'),
      wallMs: count(f[4], 'wallMs'),
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
    length: 5,
    toWire: (code, m) => [code, m.sequence, wordCode(FETCH_STATUSES, m.status), m.record, m.life],
    fromWire: (f) => ({
      type: 'fetch-result',
      sequence: count(f[1], 'sequence'),
      status: word(FETCH_STATUSES, f[2], 'status'),
      record: orNull(bytes, f[3], 'record'),
      life: text(f[4], 'life'),
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
    length: 9,
    toWire: (code, m) => [
      code,
      m.root,
      m.life,
      m.stamp,
      m.heardLife,
      m.heardStamp,
      m.refilling,
      m.remembers,
      m.absorbed,
    ],
    fromWire: (f) => ({
      type: 'compare-root',
      root: bytesOf(8, f[1], 'root'),
      life: text(f[2], 'life'),
      stamp: bytesOf(8, f[3], 'stamp'),
      heardLife: text(f[4], 'heardLife'),
      heardStamp: bytesOf(8, f[5], 'heardStamp'),
      refilling: flag(f[6], 'refilling'),
      remembers: flag(f[7], 'remembers'),
      absorbed: orNull(vector, f[8], 'absorbed'),
    }),
  },
  'compare-branches': {
    code: 8,
    length: 4,
    toWire: (code, m) => [code, m.round, m.life, m.branches],
    fromWire: (f) => ({
      type: 'compare-branches',
      round: count(f[1], 'round'),
      life: text(f[2], 'life'),
      branches: hashes(f[3], 'branches'),
    }),
  },
  'compare-leaves': {
    code: 9,
    length: 3,
    toWire: (code, m) => [code, m.round, m.branches],
    fromWire: (f) => ({
      type: 'compare-leaves',
      round: count(f[1], 'round'),
      branches: list(branchLeaves, f[2], 'branches'),
    }),
  },
  'differing-leaves': {
    code: 10,
    length: 4,
    toWire: (code, m) => [code, m.round, m.life, m.leaves],
    fromWire: (f) => ({
      type: 'differing-leaves',
      round: count(f[1], 'round'),
      life: text(f[2], 'life'),
      leaves: list(index, f[3], 'leaves'),
    }),
  },
  'offer-keys': {
    code: 11,
    length: 5,
    toWire: (code, m) => [code, m.round, m.after, m.end, m.entries],
    fromWire: (f) => ({
      type: 'offer-keys',
      round: count(f[1], 'round'),
      after: text(f[2], 'after'),
      end: orNull(text, f[3], 'end'),
      entries: list(keyedDigest, f[4], 'entries'),
    }),
  },
  pull: {
    code: 13,
    length: 4,
    toWire: (code, m) => [code, m.sequence, m.life, m.key],
    fromWire: (f) => ({
      type: 'pull',
      sequence: count(f[1], 'sequence'),
      life: text(f[2], 'life'),
      key: text(f[3], 'key'),
    }),
  },
};

/** Whether a message between replicas is one of this strategy's. */
export function isLeaderlessMessage(message: { readonly type: string }): message is LeaderlessMessage {
  return Object.hasOwn(LEADERLESS_TYPES, message.type);
}

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

/** Sorted by incarnation, each once: whoever compares vectors relies on it. */
function vector(value: unknown, field: string): VersionVector {
  const entries = list(vectorEntry, value, field);
  for (let i = 1; i < entries.length; i++) {
    if ((entries[i - 1] as VersionEntry)[0] >= (entries[i] as VersionEntry)[0]) {
      throw malformed(`${field} must be in order`);
    }
  }
  return entries;
}

function vectorEntry(value: unknown, field: string): VersionEntry {
  const f = tuple(2, value, field);
  const counter = count(f[1], 'counter');
  if (counter === 0) throw malformed(`${field} must not count from 0`);
  return [incarnationId(text(f[0], 'incarnation')), counter];
}

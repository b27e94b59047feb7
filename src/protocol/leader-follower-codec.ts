/** The messages of the leader-follower strategy on the wire. */
import type { NodeId } from '../core/ids.js';
import { node } from './map-codec.js';
import { bytes, count, countTo, flag, list, text, tuple, word, wordCode } from './fields.js';
import { wordTable, type WireTable } from './fields.js';
import type { LeaderFollowerMessage } from './leader-follower-messages.js';

const APPEND_STATUSES = wordTable(['durable', 'rejected', 'heard']);
const INSTALL_STATUSES = wordTable(['wanted', 'installed']);
const JOIN_STATES = wordTable(['fresh', 'joining', 'member']);

const LIFE_MAX = 0xffff_ffff;

const life = (value: unknown): number => countTo(LIFE_MAX, value, 'life');
const term = (value: unknown): number => count(value, 'term');

/** Codes 32 to 63 are the leader-follower strategy's. */
export const LEADER_FOLLOWER_TYPES: WireTable<LeaderFollowerMessage> = {
  'pre-vote': {
    code: 32,
    length: 4,
    toWire: (code, m) => [code, m.term, m.lastIndex, m.lastTerm],
    fromWire: (f) => ({
      type: 'pre-vote',
      term: term(f[1]),
      lastIndex: count(f[2], 'lastIndex'),
      lastTerm: count(f[3], 'lastTerm'),
    }),
  },
  'pre-vote-result': {
    code: 33,
    length: 3,
    toWire: (code, m) => [code, m.term, m.granted],
    fromWire: (f) => ({ type: 'pre-vote-result', term: term(f[1]), granted: flag(f[2], 'granted') }),
  },
  'request-vote': {
    code: 34,
    length: 6,
    toWire: (code, m) => [code, m.term, m.life, m.lastIndex, m.lastTerm, m.transfer],
    fromWire: (f) => ({
      type: 'request-vote',
      term: term(f[1]),
      life: life(f[2]),
      lastIndex: count(f[3], 'lastIndex'),
      lastTerm: count(f[4], 'lastTerm'),
      transfer: flag(f[5], 'transfer'),
    }),
  },
  'request-vote-result': {
    code: 35,
    length: 4,
    toWire: (code, m) => [code, m.term, m.life, m.granted],
    fromWire: (f) => ({
      type: 'request-vote-result',
      term: term(f[1]),
      life: life(f[2]),
      granted: flag(f[3], 'granted'),
    }),
  },
  'append-entries': {
    code: 36,
    length: 8,
    toWire: (code, m) => [code, m.term, m.prevIndex, m.prevTerm, m.commit, m.round, m.quiet, m.segments],
    fromWire: (f) => ({
      type: 'append-entries',
      term: term(f[1]),
      prevIndex: count(f[2], 'prevIndex'),
      prevTerm: count(f[3], 'prevTerm'),
      commit: count(f[4], 'commit'),
      round: count(f[5], 'round'),
      quiet: flag(f[6], 'quiet'),
      segments: list(bytes, f[7], 'segments'),
    }),
  },
  'append-entries-result': {
    code: 37,
    length: 9,
    toWire: (code, m) => [
      code,
      m.term,
      m.life,
      m.joining,
      m.round,
      wordCode(APPEND_STATUSES, m.status),
      m.index,
      m.hintIndex,
      m.hintTerm,
    ],
    fromWire: (f) => ({
      type: 'append-entries-result',
      term: term(f[1]),
      life: life(f[2]),
      joining: flag(f[3], 'joining'),
      round: count(f[4], 'round'),
      status: word(APPEND_STATUSES, f[5], 'status'),
      index: count(f[6], 'index'),
      hintIndex: count(f[7], 'hintIndex'),
      hintTerm: count(f[8], 'hintTerm'),
    }),
  },
  'install-snapshot': {
    code: 38,
    length: 8,
    toWire: (code, m) => [code, m.term, m.snapshot, m.index, m.indexTerm, m.after, m.entries, m.last],
    fromWire: (f) => ({
      type: 'install-snapshot',
      term: term(f[1]),
      snapshot: count(f[2], 'snapshot'),
      index: count(f[3], 'index'),
      indexTerm: count(f[4], 'indexTerm'),
      after: text(f[5], 'after'),
      entries: list(stored, f[6], 'entries'),
      last: flag(f[7], 'last'),
    }),
  },
  'install-snapshot-result': {
    code: 39,
    length: 6,
    toWire: (code, m) => [code, m.term, m.life, m.snapshot, m.received, wordCode(INSTALL_STATUSES, m.status)],
    fromWire: (f) => ({
      type: 'install-snapshot-result',
      term: term(f[1]),
      life: life(f[2]),
      snapshot: count(f[3], 'snapshot'),
      received: text(f[4], 'received'),
      status: word(INSTALL_STATUSES, f[5], 'status'),
    }),
  },
  'timeout-now': {
    code: 40,
    length: 2,
    toWire: (code, m) => [code, m.term],
    fromWire: (f) => ({ type: 'timeout-now', term: term(f[1]) }),
  },
  wake: {
    code: 41,
    length: 2,
    toWire: (code, m) => [code, m.term],
    fromWire: (f) => ({ type: 'wake', term: term(f[1]) }),
  },
  'join-query': {
    code: 42,
    length: 2,
    toWire: (code, m) => [code, m.life],
    fromWire: (f) => ({ type: 'join-query', life: life(f[1]) }),
  },
  'join-answer': {
    code: 43,
    length: 6,
    toWire: (code, m) => [code, m.asked, m.life, wordCode(JOIN_STATES, m.state), m.formed, m.commit],
    fromWire: (f) => ({
      type: 'join-answer',
      asked: countTo(LIFE_MAX, f[1], 'asked'),
      life: life(f[2]),
      state: word(JOIN_STATES, f[3], 'state'),
      formed: list(nodeLife, f[4], 'formed'),
      commit: count(f[5], 'commit'),
    }),
  },
  admit: {
    code: 44,
    length: 4,
    toWire: (code, m) => [code, m.term, m.life, m.index],
    fromWire: (f) => ({ type: 'admit', term: term(f[1]), life: life(f[2]), index: count(f[3], 'index') }),
  },
};

function nodeLife(value: unknown, field: string): readonly [NodeId, number] {
  const f = tuple(2, value, field);
  return [node(f[0], 'node'), life(f[1])];
}

function stored(value: unknown, field: string): readonly [string, Uint8Array] {
  const f = tuple(2, value, field);
  return [text(f[0], 'key'), bytes(f[1], 'value')];
}

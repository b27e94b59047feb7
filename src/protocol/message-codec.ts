/**
 * The messages of a frame on the wire. Two shapes are frozen over all protocol versions, so that strangers
 * can refuse each other in words: `hello` starts `[1, protocol, ...]`, and `refused` is as it is here.
 */
import type { GroupId } from '../core/ids.js';
import { errorFromWire, errorToWire, OPERATION_WIRE, resultFromWire, resultToWire } from './client-codec.js';
import { count, flag, orNull, text, tuple, wireUnion, word, wordCode, wordTable } from './fields.js';
import type { WireTable } from './fields.js';
import { LEADER_FOLLOWER_TYPES } from './leader-follower-codec.js';
import { LEADERLESS_TYPES } from './leaderless-codec.js';
import { mapFromWire, mapToWire, node } from './map-codec.js';
import { PROTOCOL_VERSION, type Hello, type Message, type PeerMessage } from './messages.js';

const ROLES = wordTable(['node', 'client']);

/** What replicas say to each other, over all strategies: each has codes of its own. */
export const PEER_WIRE = wireUnion<PeerMessage>('replica message', {
  ...LEADERLESS_TYPES,
  ...LEADER_FOLLOWER_TYPES,
});

const TABLE: WireTable<Message> = {
  hello: {
    code: 1,
    length: null,
    toWire: (code, m) => [
      code,
      m.protocol,
      m.cluster,
      wordCode(ROLES, m.role),
      m.id,
      m.credentials,
      m.mapEpoch,
      m.mapHash,
    ],
    fromWire: helloFromWire,
  },
  welcome: {
    code: 2,
    length: 5,
    toWire: (code, m) => [code, m.protocol, m.cluster, m.node, m.map === null ? null : mapToWire(m.map)],
    fromWire: (f) => ({
      type: 'welcome',
      protocol: count(f[1], 'protocol'),
      cluster: text(f[2], 'cluster'),
      node: node(f[3], 'node'),
      map: orNull(mapFromWire, f[4], 'map'),
    }),
  },
  refused: {
    code: 3,
    length: 2,
    toWire: (code, m) => [code, errorToWire(m.error)],
    fromWire: (f) => ({ type: 'refused', error: errorFromWire(f[1]) }),
  },
  ping: {
    code: 4,
    length: 2,
    toWire: (code, m) => [code, m.nonce],
    fromWire: (f) => ({ type: 'ping', nonce: count(f[1], 'nonce') }),
  },
  pong: {
    code: 5,
    length: 2,
    toWire: (code, m) => [code, m.nonce],
    fromWire: (f) => ({ type: 'pong', nonce: count(f[1], 'nonce') }),
  },
  goodbye: {
    code: 6,
    length: 2,
    toWire: (code, m) => [code, m.reason],
    fromWire: (f) => ({ type: 'goodbye', reason: text(f[1], 'reason') }),
  },
  request: {
    code: 10,
    length: 7,
    toWire: (code, m) => [
      code,
      m.id,
      m.epoch,
      // A difference of clock readings may have a fraction.
      Math.ceil(m.budgetMs),
      m.namespace,
      m.explain,
      OPERATION_WIRE.toWire(m.operation),
    ],
    fromWire: (f) => ({
      type: 'request',
      id: count(f[1], 'id'),
      epoch: count(f[2], 'epoch'),
      budgetMs: count(f[3], 'budgetMs'),
      namespace: text(f[4], 'namespace'),
      explain: flag(f[5], 'explain'),
      operation: OPERATION_WIRE.fromWire(f[6]),
    }),
  },
  response: {
    code: 11,
    length: 3,
    toWire: (code, m) => [code, m.id, resultToWire(m.result)],
    fromWire: (f) => ({ type: 'response', id: count(f[1], 'id'), result: resultFromWire(f[2]) }),
  },
  replica: {
    code: 20,
    length: 3,
    toWire: (code, m) => [code, m.group, PEER_WIRE.toWire(m.message)],
    fromWire: (f) => ({
      type: 'replica',
      group: text(f[1], 'group') as GroupId,
      message: PEER_WIRE.fromWire(f[2]),
    }),
  },
};

export const MESSAGE_WIRE = wireUnion<Message>('message', TABLE);

/** Of a `hello` in another version only the version is read: enough to refuse it by name. */
function helloFromWire(wire: readonly unknown[]): Hello {
  const protocol = count(wire[1], 'protocol');
  if (protocol !== PROTOCOL_VERSION) {
    return {
      type: 'hello',
      protocol,
      cluster: '',
      role: 'client',
      id: '',
      credentials: '',
      mapEpoch: 0,
      mapHash: '',
    };
  }
  const f = tuple(8, wire, 'hello');
  return {
    type: 'hello',
    protocol,
    cluster: text(f[2], 'cluster'),
    role: word(ROLES, f[3], 'role'),
    id: text(f[4], 'id'),
    credentials: text(f[5], 'credentials'),
    mapEpoch: count(f[6], 'mapEpoch'),
    mapHash: text(f[7], 'mapHash'),
  };
}

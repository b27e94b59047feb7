import { describe, expect, test } from 'vitest';
import { ClientSession } from '../../src/client/session.js';
import type { LeaderlessNamespace, QuorumLevel } from '../../src/cluster/cluster-map.js';
import { encodeValue } from '../../src/protocol/value-codec.js';
import { TrefoilError } from '../../src/core/errors.js';
import { incarnationId, namespaceName } from '../../src/core/ids.js';
import { contextDominates, encodeContext } from '../../src/protocol/context-codec.js';

const context = (key: string, counter: number, incarnation = 'a'): Uint8Array =>
  encodeContext(key, { vector: [[incarnationId(incarnation), counter]], dots: [], hlc: counter });

const namespace = (write: QuorumLevel): LeaderlessNamespace => ({
  name: namespaceName('photos'),
  strategy: 'leaderless',
  replicas: 3,
  partitions: 4,
  read: 'one',
  write,
  conflict: 'siblings',
  durability: 'sync',
  ttlMs: 0,
  sloppy: false,
});

describe('what a session remembers', () => {
  test('the join of all it has seen of a key, whatever came last', () => {
    const session = new ClientSession();
    session.observe('photos', 'k', context('k', 2, 'a'));
    session.observe('photos', 'k', context('k', 1, 'b'));
    session.observe('photos', 'k', context('k', 1, 'a'));
    const seen = session.contextOf('photos', 'k') as Uint8Array;
    expect(contextDominates('k', seen, context('k', 2, 'a'))).toBe(true);
    expect(contextDominates('k', seen, context('k', 1, 'b'))).toBe(true);
    expect(session.satisfiedBy('photos', 'k', context('k', 2, 'a'))).toBe(false);
    expect(session.satisfiedBy('photos', 'other', context('other', 1))).toBe(true);
  });

  test('keys of two namespaces are two keys', () => {
    const session = new ClientSession();
    session.observe('photos', 'k', context('k', 2));
    expect(session.contextOf('users', 'k')).toBeUndefined();
  });

  test('a copy: the frame that a context came in may go', () => {
    const session = new ClientSession();
    const frame = new Uint8Array(10_000);
    const original = context('k', 7);
    frame.set(original, 5000);
    session.observe('photos', 'k', frame.subarray(5000, 5000 + original.length));
    const kept = session.contextOf('photos', 'k') as Uint8Array;
    expect(kept.buffer.byteLength).toBe(original.length);
    frame.fill(0);
    expect(kept).toEqual(new Uint8Array(original));
  });
});

describe('keys where it has seen a value', () => {
  test('are told in order, within prefix and bound, until it has seen them gone', () => {
    const session = new ClientSession();
    for (const key of ['b/2', 'a/1', 'b/1', 'b/3']) session.observe('photos', key, context(key, 1));
    expect(session.valuesSeen('photos', '', '')).toEqual(['a/1', 'b/1', 'b/2', 'b/3']);
    expect(session.valuesSeen('photos', 'b/', 'b/1')).toEqual(['b/2', 'b/3']);
    session.observe('photos', 'b/2', context('b/2', 2), false);
    session.wrote('photos', 'b/3', context('b/3', 2), 2, false);
    expect(session.valuesSeen('photos', 'b/', '')).toEqual(['b/1']);
    expect(ClientSession.fromToken(session.token()).valuesSeen('photos', 'b/', '')).toEqual(['b/1']);
    session.observe('photos', 'b/2', context('b/2', 3));
    expect(session.valuesSeen('photos', 'b/', '')).toEqual(['b/1', 'b/2']);
    expect(session.valuesSeen('users', '', '')).toEqual([]);
  });

  test('an older answer that comes late cannot say that a key is gone', () => {
    const session = new ClientSession();
    session.observe('photos', 'k', context('k', 2));
    session.observe('photos', 'k', context('k', 1), false);
    expect(session.valuesSeen('photos', '', '')).toEqual(['k']);
  });
});

describe('when it is full', () => {
  test('the least recently used context goes first', () => {
    const session = new ClientSession(2);
    session.observe('photos', 'a', context('a', 1));
    session.observe('photos', 'b', context('b', 1));
    session.observe('photos', 'a', context('a', 2));
    session.observe('photos', 'c', context('c', 1));
    expect(session.contextOf('photos', 'a')).toBeDefined();
    expect(session.contextOf('photos', 'b')).toBeUndefined();
    expect(session.contextOf('photos', 'c')).toBeDefined();
  });

  test('what it does not know is then read so that R + W > N, and what it knows is not', () => {
    const session = new ClientSession(1);
    const entry = namespace('quorum');
    session.wrote('photos', 'a', context('a', 1), 2);
    expect(session.readsNeeded(entry, 'b')).toBe(1);
    session.wrote('photos', 'b', context('b', 1), 2);
    expect(session.readsNeeded(entry, 'a')).toBe(2);
    expect(session.readsNeeded(entry, 'b')).toBe(1);
  });

  test('the weakest write of the session counts, not the namespace’s level', () => {
    const session = new ClientSession(1);
    session.wrote('photos', 'a', context('a', 1), 1);
    session.wrote('photos', 'b', context('b', 1), 3);
    expect(session.readsNeeded(namespace('quorum'), 'a')).toBe(3);
  });

  test('a sloppy quorum counts as one replica, whatever its W: only the coordinator is surely a home', () => {
    const session = new ClientSession(1);
    session.wrote('photos', 'a', context('a', 1), 3);
    session.wrote('photos', 'b', context('b', 1), 3);
    expect(session.readsNeeded({ ...namespace('all'), sloppy: true }, 'a')).toBe(3);
    expect(session.readsNeeded(namespace('all'), 'a')).toBe(1);
  });

  test('other namespaces are not affected', () => {
    const session = new ClientSession(1);
    session.observe('users', 'a', context('a', 1));
    session.observe('users', 'b', context('b', 1));
    expect(session.readsNeeded(namespace('quorum'), 'a')).toBe(1);
  });
});

describe('the token', () => {
  test('carries contexts, evictions, the weakest write and the order of use', () => {
    const session = new ClientSession(2);
    for (const key of ['a', 'b', 'c']) session.wrote('photos', key, context(key, 1), 1);
    session.observe('photos', 'b', context('b', 2));
    const copy = ClientSession.fromToken(session.token(), 2);
    expect(copy.contextOf('photos', 'a')).toBeUndefined();
    expect(copy.contextOf('photos', 'b')).toEqual(session.contextOf('photos', 'b'));
    expect(copy.readsNeeded(namespace('all'), 'a')).toBe(3);
    copy.observe('photos', 'd', context('d', 1));
    expect(copy.contextOf('photos', 'c')).toBeUndefined();
    expect(copy.contextOf('photos', 'b')).toBeDefined();
  });

  test('is text that can stand in a header', () => {
    const session = new ClientSession();
    session.observe('photos', 'ключ/é', context('ключ/é', 1));
    expect(session.token()).toMatch(/^[A-Za-z0-9_-]+$/);
    const copy = ClientSession.fromToken(session.token());
    expect(copy.contextOf('photos', 'ключ/é')).toEqual(session.contextOf('photos', 'ключ/é'));
  });

  test.each(['', 'x', '!!!', 'AAAA', Buffer.from('hello').toString('base64url')])(
    'refuses %j in words',
    (token) => {
      expect(() => ClientSession.fromToken(token)).toThrow(TrefoilError);
      expect(() => ClientSession.fromToken(token)).toThrow('session token');
    },
  );

  test('carries how far the session has seen into each partition with a leader', () => {
    const session = new ClientSession();
    session.observeIndex('users', 3, 12);
    session.observeIndex('users', 3, 7);
    session.observeIndex('users', 0, 2 ** 40);
    const copy = ClientSession.fromToken(session.token());
    expect(copy.indexOf('users', 3)).toBe(12);
    expect(copy.indexOf('users', 0)).toBe(2 ** 40);
    expect(copy.indexOf('users', 1)).toBeUndefined();
    expect(copy.indexOf('photos', 3)).toBeUndefined();
  });

  test('of the version before, which knew no leaders, is still read', () => {
    const old = Buffer.from(
      encodeValue([1, [['photos', true, 2]], [['photos', 'a', context('a', 1), false]]]),
    );
    const copy = ClientSession.fromToken(old.toString('base64url'));
    expect(copy.contextOf('photos', 'a')).toEqual(new Uint8Array(context('a', 1)));
  });

  test.each([[[['users', -1, 3]]], [[['users', 1, 1.5]]], [[[7, 1, 1]]], [undefined]])(
    'refuses the indexes %j',
    (indexes) => {
      const token = Buffer.from(encodeValue([2, [], [], ...(indexes === undefined ? [] : [indexes])]));
      expect(() => ClientSession.fromToken(token.toString('base64url'))).toThrow('session token');
    },
  );

  test('refuses a token whose contexts belong to other keys', () => {
    const session = new ClientSession();
    session.observe('photos', 'a', context('b', 1));
    expect(() => ClientSession.fromToken(session.token())).toThrow('session token');
  });
});

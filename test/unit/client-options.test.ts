import { describe, expect, test } from 'vitest';
import {
  checkAck,
  checkLimit,
  checkReadMode,
  checkReadQuorum,
  checkReadsLatest,
  checkStalenessMs,
  checkTimeoutMs,
  checkTtlMs,
  checkWriteQuorum,
  contextToken,
  parseSeed,
  raiseLevel,
  writeContext,
  writeVersion,
} from '../../src/client/call-options.js';
import type { ReadOptions } from '../../src/client/api.js';
import type { LeaderFollowerNamespace, LeaderlessNamespace } from '../../src/cluster/cluster-map.js';
import { encodeLeaderContext } from '../../src/protocol/leader-context-codec.js';
import { ledMap } from '../support/led-store.js';
import { testMap } from '../support/scripted-node.js';
import { CONTEXT_BYTES_MAX, REQUEST_TIMEOUT_MS_MAX } from '../../src/core/limits.js';

const leaderless = testMap(3).namespaces[0] as LeaderlessNamespace;
const led = ledMap(3).namespaces[0] as LeaderFollowerNamespace;

const refused = (code: string): unknown => expect.objectContaining({ code });

describe('seeds', () => {
  test.each([
    ['127.0.0.1:7101', { host: '127.0.0.1', port: 7101 }],
    [' node-1.example:80 ', { host: 'node-1.example', port: 80 }],
    ['[::1]:7101', { host: '::1', port: 7101 }],
  ])('%j', (text, address) => {
    expect(parseSeed(text)).toEqual(address);
  });

  test.each(['', 'host', 'host:', ':7101', 'host:0', 'host:65536', 'host:x', '::1:7101', 'http://host:1'])(
    '%j is refused',
    (text) => {
      expect(() => parseSeed(text)).toThrow(refused('BadRequest'));
    },
  );
});

test('levels: names, and numbers from 1 to N', () => {
  expect(checkReadQuorum({}, leaderless)).toBeNull();
  expect(checkReadQuorum({ read: 'all' }, leaderless)).toBe('all');
  expect(checkWriteQuorum({ write: 3 }, leaderless)).toBe(3);
  for (const level of [0, 4, 1.5, NaN, 'most' as 'all'])
    expect(() => checkWriteQuorum({ write: level }, leaderless)).toThrow(/write is .*1 to 3/);
});

test('what is for the other strategy is refused, with what to use instead', () => {
  expect(() => checkReadQuorum({ read: 'linearizable' }, leaderless)).toThrow(
    "read is linearizable: it must be 'one', 'quorum', 'all' or a number from 1 to 3, since namespace photos is leaderless",
  );
  expect(() => checkReadQuorum({ maxStalenessMs: 5 }, leaderless)).toThrow('ask more replicas (read)');
  expect(() => checkWriteQuorum({ ack: 'all' }, leaderless)).toThrow('use write');
  expect(() => checkReadMode({ read: 'quorum' }, led)).toThrow(
    "read is quorum: it must be 'linearizable', 'session' or 'follower', since namespace photos is leader-follower",
  );
  expect(() => checkAck({ write: 'all' }, led, false)).toThrow('use ack');
  expect(() => writeContext('k', { ifVersion: 1 }, leaderless)).toThrow(refused('Unsupported'));
  expect(() => writeContext('k', { ifAbsent: true }, leaderless)).toThrow(refused('Unsupported'));
});

test('ack levels, and none of the leader alone where the result is needed', () => {
  expect(checkAck({}, led, true)).toBeNull();
  expect(checkAck({ ack: 'leader' }, led, false)).toBe('leader');
  expect(checkAck({ ack: 'all' }, led, true)).toBe('all');
  expect(() => checkAck({ ack: 'one' as 'all' }, led, false)).toThrow(/ack is one/);
  expect(() => checkAck({ ack: 'leader' }, led, true)).toThrow(refused('BadRequest'));
  expect(() => checkAck({}, { ...led, ack: 'leader' }, true)).toThrow('the level of namespace photos');
  expect(checkAck({ ack: 'quorum' }, { ...led, ack: 'leader' }, true)).toBe('quorum');
});

test('a write has one condition at most, and it makes sense', () => {
  const context = { key: 'k', token: encodeLeaderContext({ version: 7, index: 9 }) };
  expect(writeVersion('k', {})).toBeNull();
  expect(writeVersion('k', { context })).toBe(7);
  expect(writeVersion('k', { ifVersion: 7 })).toBe(7);
  expect(writeVersion('k', { ifAbsent: true })).toBe(0);
  for (const both of [
    { context, ifVersion: 7 },
    { ifVersion: 0, ifAbsent: true as const },
    { context, ifAbsent: true as const },
    { ifVersion: -1 },
    { ifVersion: 1.5 },
    { ifAbsent: false as unknown as true },
  ])
    expect(() => writeVersion('k', both)).toThrow(refused('BadRequest'));
  expect(() => writeVersion('k', { context: { key: 'k', token: new Uint8Array([1]) } })).toThrow(
    refused('BadContext'),
  );
  expect(() => writeVersion('other', { context })).toThrow(refused('BadContext'));
});

test('read modes and bounds on staleness', () => {
  expect(checkReadMode({}, led)).toBeNull();
  expect(checkReadMode({ read: 'follower' }, led)).toBe('follower');
  expect(checkStalenessMs({}, led)).toBe(0);
  expect(checkStalenessMs({ read: 'follower', maxStalenessMs: 250 }, led)).toBe(250);
  expect(checkStalenessMs({ maxStalenessMs: 250 }, { ...led, read: 'session' })).toBe(250);
  for (const ms of [0, -1, 1.5, NaN])
    expect(() => checkStalenessMs({ read: 'session', maxStalenessMs: ms }, led)).toThrow(
      /it must be a whole/,
    );
});

test('a bound on staleness where the read is of the latest is refused, with what to do', () => {
  expect(() => checkStalenessMs({ maxStalenessMs: 250 }, led)).toThrow(
    "maxStalenessMs bounds reads of followers, and a linearizable read gives the latest, which is the mode of namespace photos: read with 'follower' or 'session', or leave it out",
  );
  expect(() =>
    checkStalenessMs({ read: 'linearizable', maxStalenessMs: 250 }, { ...led, read: 'follower' }),
  ).toThrow(refused('BadRequest'));
});

test('options of reads are refused where the latest is read whatever they say', () => {
  const check = (options: ReadOptions) => (): void =>
    checkReadsLatest(options, led, 'update reads the latest');
  expect(check({})).not.toThrow();
  expect(check({ read: 'linearizable' })).not.toThrow();
  expect(check({ read: 'quorum' })).toThrow(
    'read is quorum: update reads the latest in namespace photos, which is leader-follower; leave it out',
  );
  expect(check({ read: 'follower' })).toThrow(refused('BadRequest'));
  expect(check({ maxStalenessMs: 5 })).toThrow('maxStalenessMs is given');
});

test('a level is raised to what is needed, and else left as it is', () => {
  expect(raiseLevel(null, 'quorum', 2, 3)).toBeNull();
  expect(raiseLevel(null, 'one', 2, 3)).toBe(2);
  expect(raiseLevel('one', 'all', 3, 3)).toBe(3);
  expect(raiseLevel('all', 'one', 2, 3)).toBe('all');
});

test('time budgets, times to live and limits', () => {
  expect(checkTimeoutMs(-5)).toBe(-5);
  expect(() => checkTimeoutMs(NaN)).toThrow(refused('BadRequest'));
  expect(() => checkTimeoutMs(REQUEST_TIMEOUT_MS_MAX + 1)).toThrow(refused('BadRequest'));
  expect(checkTtlMs(undefined)).toBe(0);
  expect(() => checkTtlMs(0)).toThrow(refused('BadRequest'));
  expect(() => checkTtlMs(1.5)).toThrow(refused('BadRequest'));
  expect(checkLimit(undefined)).toBe(Infinity);
  expect(() => checkLimit(-1)).toThrow(refused('BadRequest'));
  expect(() => checkLimit(NaN)).toThrow(refused('BadRequest'));
});

test('a context serves its own key only', () => {
  const token = new Uint8Array([1]);
  expect(contextToken('k', undefined)).toBeNull();
  expect(contextToken('k', { key: 'k', token })).toBe(token);
  expect(() => contextToken('k', { key: 'other', token })).toThrow(refused('BadContext'));
  expect(() => contextToken('k', { key: 'k', token: new Uint8Array(CONTEXT_BYTES_MAX + 1) })).toThrow(
    refused('BadContext'),
  );
});

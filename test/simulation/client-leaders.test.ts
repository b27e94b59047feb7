/** The SDK in a leader-follower namespace, against scripted nodes: sessions with groups, leaders, followers. */
import { afterEach, describe, expect, test } from 'vitest';
import type { Database, Namespace } from '../../src/client/api.js';
import type { TrefoilError } from '../../src/core/errors.js';
import { partitionOfKey } from '../../src/core/hash.js';
import { nodeId } from '../../src/core/ids.js';
import {
  ANY_REPLICA_MS_MIN,
  LEADER_REDIRECTS_AT_ONCE,
  REQUESTS_WAITING_MAX,
  SESSION_REOPENS_MAX,
} from '../../src/core/limits.js';
import { decodeLeaderContext } from '../../src/protocol/leader-context-codec.js';
import type { ReadLag } from '../../src/protocol/messages.js';
import { ledMap, LedStore } from '../support/led-store.js';
import { LedWorld, NODES } from '../support/led-world.js';
import { wireError } from '../support/scripted-node.js';
import { CLIENT, keyFor, scriptedWorld, type ScriptedWorld } from '../support/scripted-world.js';

let world: ScriptedWorld;
let store: LedStore;
let db: Database;
let photos: Namespace<number>;
let led: LedWorld;

async function start(map = ledMap()): Promise<void> {
  led = await LedWorld.start(map);
  ({ world, store, db, photos } = led);
}

afterEach(async () => {
  await world.settle(db.close());
});

const now = (): number => world.simulation.nowMs();
const asked = (): string[] => led.asked();
const partitionOf = (key: string): number => partitionOfKey(key, 4);

describe('the session with a group', () => {
  test('is opened once for many writes, and numbers them without gaps of its own', async () => {
    await start();
    const key = keyFor(1);
    await world.settle(Promise.all([1, 2, 3].map((n) => photos.put(key, n))));
    await world.settle(photos.put(key, 4));
    expect(led.operations('open-session')).toHaveLength(1);
    const sent = led.operations('put');
    expect(new Set(sent.map((o) => o.operation.session)).size).toBe(1);
    expect(sent.map((o) => o.operation.sequence)).toEqual([1, 2, 3, 4]);
    expect(sent.at(-1)?.lowestOpen).toBe(4);
    // Another group, another session, and its own numbers.
    await world.settle(photos.put(keyFor(2), 1));
    expect(led.operations('open-session')).toHaveLength(2);
    expect(led.operations('put').at(-1)).toMatchObject({ operation: { sequence: 1 }, lowestOpen: 1 });
  });

  test('that expired is replaced, and the write is a new operation', async () => {
    await start();
    const key = keyFor(1);
    await world.settle(photos.put(key, 1));
    store.endSessions(partitionOf(key));
    await world.settle(Promise.all([photos.put(key, 2), photos.put(key, 3)]));
    expect((await world.settle(photos.get(key))).value).toBe(3);
    expect(store.applied).toHaveLength(3);
    expect(led.operations('open-session')).toHaveLength(2);
  });

  test('that expires always is given up, with outcome failed', async () => {
    await start();
    for (const n of NODES)
      world.node(n).react = ({ operation }) =>
        operation.type === 'put' ? wireError('SessionExpired') : 'serve';
    const error = await world.failure(photos.put(keyFor(1), 1));
    expect(error).toMatchObject({ code: 'SessionExpired', outcome: 'failed' });
    expect(led.operations('put')).toHaveLength(SESSION_REOPENS_MAX + 1);
  });

  test('that expires after an attempt that may have arrived leaves the outcome unknown', async () => {
    await start();
    const key = keyFor(1);
    await world.settle(photos.put(key, 1));
    let first = true;
    world.node(1).react = ({ operation }) => {
      if (operation.type !== 'put' || !first) return 'serve';
      first = false;
      world.runtime.timers.after(5, () => {
        store.endSessions(partitionOf(key));
        world.node(1).breakConnections('lost');
      });
      return { lose: 'answer' };
    };
    const error = await world.failure(photos.put(key, 2));
    expect(error).toMatchObject({ code: 'SessionExpired', outcome: 'unknown' });
    // Never applied a second time.
    expect(store.applied).toHaveLength(2);
  });

  test('a write whose answer is lost is the same operation again, and has one effect', async () => {
    await start();
    const key = keyFor(1);
    let first = true;
    world.node(1).react = ({ operation }) => {
      if (operation.type !== 'put' || !first) return 'serve';
      first = false;
      world.runtime.timers.after(5, () => world.node(1).breakConnections('lost'));
      return { lose: 'answer' };
    };
    const written = await world.settle(photos.put(key, 2, { ifAbsent: true }));
    expect(store.applied).toEqual([`${key} ${written.version}`]);
    // The others name the leader, which cannot be connected for a moment: bounded by pauses.
    const attempts = led.operations('put').map((o) => [o.operation.sequence, o.attempt]);
    expect(attempts.slice(0, 2)).toEqual([
      [1, 0],
      [1, 1],
    ]);
    expect(attempts.every(([sequence]) => sequence === 1)).toBe(true);
    expect(attempts.length).toBeLessThan(12);
  });

  test('a condition that failed is certain, whichever attempt was judged', async () => {
    await start();
    const key = keyFor(1);
    await world.settle(photos.put(key, 1));
    let first = true;
    world.node(1).react = ({ operation }) => {
      if (operation.type !== 'put' || !first) return 'serve';
      first = false;
      world.runtime.timers.after(5, () => world.node(1).breakConnections('lost'));
      return { lose: 'answer' };
    };
    const error = await world.failure(photos.put(key, 2, { ifAbsent: true }));
    expect(error).toMatchObject({ code: 'ConditionFailed', outcome: 'failed' });
  });

  test('that cannot be opened fails the write, each at its own deadline', async () => {
    await start();
    for (const n of NODES)
      world.node(n).react = ({ operation }) =>
        operation.type === 'open-session' ? { lose: 'request' } : 'serve';
    const from = now();
    const key = keyFor(1);
    const long = photos.put(key, 1, { timeoutMs: 1_000 });
    const short = await world.failure(photos.put(key, 2, { timeoutMs: 300 }));
    expect(short.outcome).toBe('failed');
    expect(now() - from).toBeLessThan(350);
    expect((await world.failure(long)).outcome).toBe('failed');
    expect(now() - from).toBeLessThan(1_050);
    expect(led.operations('put')).toEqual([]);
  });

  test('a write is cancelled while it waits for it', async () => {
    await start();
    for (const n of NODES) world.node(n).react = () => ({ lose: 'request' });
    const abort = new AbortController();
    const writing = photos.put(keyFor(1), 1, { signal: abort.signal });
    abort.abort();
    expect(await world.failure(writing)).toMatchObject({ code: 'Cancelled', outcome: 'failed' });
  });

  test('no more than the limit wait for it', async () => {
    await start();
    for (const n of NODES) world.node(n).react = () => ({ lose: 'request' });
    const write = (): Promise<unknown> => photos.put(keyFor(1), 1, { timeoutMs: 100 });
    const waiting = Promise.allSettled(Array.from({ length: REQUESTS_WAITING_MAX }, write));
    expect(await world.failure(write())).toMatchObject({ code: 'Overloaded', outcome: 'failed' });
    await world.settle(waiting);
  });

  test('a writer that comes later and has more time tries again', async () => {
    await start();
    for (const n of NODES)
      world.node(n).react = ({ operation }) =>
        operation.type === 'open-session' ? { lose: 'request' } : 'serve';
    const key = keyFor(1);
    const short = photos.put(key, 1, { timeoutMs: 300 });
    const shortEnds = short.then(
      () => 'ok',
      (error: TrefoilError) => error.code,
    );
    await world.simulation.runFor(100);
    const long = photos.put(key, 2, { timeoutMs: 2_000 });
    expect(await world.settle(shortEnds)).toBe('Timeout');
    for (const n of NODES) world.node(n).react = () => 'serve';
    await world.settle(long);
    expect((await world.settle(photos.get(key))).value).toBe(2);
  });
});

describe('the leader', () => {
  test('is asked for writes and linearizable reads, the first replica where nobody has said who it is', async () => {
    await start();
    await world.settle(photos.put(keyFor(2), 1));
    await world.settle(photos.get(keyFor(2)));
    expect(asked()).toEqual(['n2 open-session', 'n2 put', 'n2 get']);
  });

  test('that another replica names is followed at once, and remembered', async () => {
    await start();
    const key = keyFor(1);
    store.leaders.set(partitionOf(key), nodeId('n3'));
    const from = now();
    await world.settle(photos.put(key, 1));
    expect(now() - from).toBeLessThan(20);
    await world.settle(photos.get(key));
    await world.settle(photos.put(key, 2));
    expect(asked()).toEqual(['n1 open-session', 'n3 open-session', 'n3 put', 'n3 get', 'n3 put']);
  });

  test('that moves is found again through the hint of the old one', async () => {
    await start();
    const key = keyFor(1);
    await world.settle(photos.put(key, 1));
    for (const leader of ['n2', 'n3', 'n1', 'n2']) {
      store.leaders.set(partitionOf(key), nodeId(leader));
      const from = now();
      await world.settle(photos.put(key, 2));
      expect(now() - from).toBeLessThan(10);
    }
    expect(store.applied).toHaveLength(5);
  });

  test('without hints it is looked for at the other replicas', async () => {
    await start();
    store.hints = false;
    const key = keyFor(1);
    store.leaders.set(partitionOf(key), nodeId('n3'));
    const from = now();
    await world.settle(photos.put(key, 1));
    expect(now() - from).toBeLessThan(150);
  });

  test('none for a while: looked for until there is one', async () => {
    await start();
    const key = keyFor(1);
    store.leaders.set(partitionOf(key), null);
    const from = now();
    const written = photos.put(key, 1);
    world.runtime.timers.after(1_500, () => store.leaders.set(partitionOf(key), nodeId('n2')));
    await world.settle(written);
    expect(now() - from).toBeGreaterThan(1_499);
    expect(now() - from).toBeLessThan(3_000);
    // Every replica was asked, and none of them too often.
    for (const n of NODES) expect(world.node(n).requests.length).toBeGreaterThan(0);
    expect(asked().length).toBeLessThan(30);
  });

  test('none at all: NoLeader, failed, when the time is up', async () => {
    await start();
    store.leaders.set(partitionOf(keyFor(1)), null);
    const from = now();
    const error = await world.failure(photos.get(keyFor(1), { timeoutMs: 800 }));
    expect(error).toMatchObject({ code: 'NoLeader', outcome: 'failed' });
    expect(now() - from).toBeLessThan(850);
    const write = await world.failure(photos.put(keyFor(1), 1, { timeoutMs: 800 }));
    expect(write).toMatchObject({ code: 'NoLeader', outcome: 'failed' });
  });

  test('two nodes that name each other make no hot loop', async () => {
    await start();
    const key = keyFor(1);
    world.node(1).react = () => wireError('NotLeader', { leader: nodeId('n2') });
    world.node(2).react = () => wireError('NotLeader', { leader: nodeId('n1') });
    world.node(3).react = () => wireError('NotLeader', { leader: nodeId('n1') });
    const error = await world.failure(photos.get(key, { timeoutMs: 1_000 }));
    expect(error).toMatchObject({ code: 'NotLeader', outcome: 'failed' });
    // Some at once, and then with pauses that grow: 10, 20, 40 ... ms at most.
    expect(asked().length).toBeGreaterThan(LEADER_REDIRECTS_AT_ONCE);
    expect(asked().length).toBeLessThan(30);
  });

  test('a name that means nothing is no hint', async () => {
    await start();
    const key = keyFor(1);
    const names = ['nowhere', 'n1'];
    world.node(1).react = () => wireError('NotLeader', { leader: nodeId(names.shift() ?? 'n1') });
    store.leaders.set(partitionOf(key), nodeId('n2'));
    await world.settle(photos.put(key, 1));
    expect(store.applied).toHaveLength(1);
  });

  test('whose connection is lost is no longer the one to ask first', async () => {
    await start();
    const key = keyFor(1);
    store.leaders.set(partitionOf(key), nodeId('n3'));
    await world.settle(photos.put(key, 1));
    store.leaders.set(partitionOf(key), nodeId('n2'));
    world.network.crash('n3');
    await world.simulation.runFor(50);
    led.forget();
    const from = now();
    await world.settle(photos.put(key, 2));
    expect(asked()).toEqual(['n1 put', 'n2 put']);
    expect(now() - from).toBeLessThan(20);
  });

  test('that falls silent in the middle of a write: the same operation goes to its successor', async () => {
    await start();
    const key = keyFor(1);
    await world.settle(photos.put(key, 1));
    world.network.partition(CLIENT, 'n1');
    store.leaders.set(partitionOf(key), nodeId('n2'));
    await world.settle(photos.put(key, 2));
    expect(store.applied).toHaveLength(2);
    expect(led.operations('open-session')).toHaveLength(1);
  });
});

describe('reads of followers', () => {
  /** How many gets each node was asked for. */
  const gets = (): number[] =>
    NODES.map((n) => world.node(n).requests.filter(({ operation }) => operation.type === 'get').length);

  test('are spread over all replicas, the leader being one of them', async () => {
    await start();
    for (const read of ['follower', 'session'] as const) {
      led.forget();
      for (let i = 0; i < 150; i++) await world.settle(photos.get(keyFor(1), { read }));
      // Even by chance: 50 of each are expected, and 30 are five deviations away.
      for (const count of gets()) expect(count).toBeGreaterThan(30);
    }
    led.forget();
    for (let i = 0; i < 30; i++) await world.settle(photos.get(keyFor(1), { read: 'linearizable' }));
    expect(gets()).toEqual([30, 0, 0]);
  });

  test('connect to every replica, though one would do', async () => {
    const map = ledMap();
    store = new LedStore(map);
    world = await scriptedWorld(map, 1, store);
    db = await world.connect();
    photos = db.namespace<number>('photos');
    for (let i = 0; i < 60; i++) await world.settle(photos.get(keyFor(1), { read: 'follower' }));
    for (const count of gets()) expect(count).toBeGreaterThan(5);
  });

  test('go to those that can be reached', async () => {
    await start();
    world.network.crash('n2');
    await world.simulation.runFor(50);
    led.forget();
    const from = now();
    for (let i = 0; i < 60; i++) await world.settle(photos.get(keyFor(2), { read: 'follower' }));
    const [first = 0, , third = 0] = gets();
    expect(Math.min(first, third)).toBeGreaterThan(15);
    expect(first + third).toBe(60);
    expect(now() - from).toBeLessThan(600);
  });

  test('go to another replica after a failure, until all have failed', async () => {
    await start();
    const failing = new Set([1, 2]);
    for (const n of NODES) world.node(n).react = () => (failing.has(n) ? wireError('TooStale') : 'serve');
    for (let i = 0; i < 30; i++) {
      led.forget();
      await world.settle(photos.get(keyFor(1), { read: 'follower' }));
      // Two that fail, at most, and none of them twice.
      expect(gets()[2]).toBe(1);
      expect(Math.max(...gets())).toBe(1);
    }
    failing.add(3);
    led.forget();
    expect((await world.failure(photos.get(keyFor(1), { read: 'follower', timeoutMs: 500 }))).code).toBe(
      'TooStale',
    );
    expect(Math.min(...gets())).toBeGreaterThan(0);
  });

  test('do not wait for one replica for as long as they may', async () => {
    await start();
    // What a follower does that is cut off from its leader: it says so when the attempt's own time is up.
    for (const n of [2, 3])
      world.node(n).react = ({ budgetMs }) => ({
        answerAfterMs: budgetMs,
        refusal: wireError('SessionNotSatisfied'),
      });
    for (let i = 0; i < 10; i++) {
      const from = now();
      await world.settle(photos.get(keyFor(1), { read: 'session', timeoutMs: 10_000 }));
      expect(now() - from).toBeLessThan(ANY_REPLICA_MS_MIN * 3 + 100);
    }
  });

  test('say how far the replica was behind', async () => {
    await start();
    const key = keyFor(1);
    await world.settle(photos.put(key, 1));
    store.lag = { entries: 2, ms: 40 };
    for (const read of ['follower', 'session'] as const) {
      expect(await world.settle(photos.get(key, { read }))).toMatchObject({ value: 1, lag: store.lag });
    }
    const scanned: (ReadLag | undefined)[] = [];
    const scan = async (): Promise<void> => {
      for await (const entry of photos.scan({ read: 'follower' })) scanned.push(entry.lag);
    };
    await world.settle(scan());
    expect(scanned).toEqual([store.lag]);
  });

  test('that are too stale are asked elsewhere', async () => {
    await start();
    store.lag = { entries: 0, ms: 200 };
    const reading = photos.get(keyFor(1), { read: 'follower', maxStalenessMs: 100 });
    world.runtime.timers.after(20, () => {
      store.lag = { entries: 0, ms: 5 };
    });
    await world.settle(reading);
    expect(asked().length).toBeGreaterThan(1);
    store.lag = { entries: 0, ms: 200 };
    const late = { read: 'follower', maxStalenessMs: 100, timeoutMs: 300 } as const;
    expect((await world.failure(photos.get(keyFor(1), late))).code).toBe('TooStale');
  });
});

describe('options that would change nothing', () => {
  test.each([
    ['the staleness of a linearizable read', () => photos.get('k', { maxStalenessMs: 5 })],
    ['the staleness of a linearizable scan', () => photos.scan({ maxStalenessMs: 5 }).next()],
    ['how an update reads', () => photos.update('k', () => 1, { read: 'quorum' })],
    ['how stale what an update reads may be', () => photos.update('k', () => 1, { maxStalenessMs: 5 })],
    [
      'how an atomic batch reads',
      () => photos.batch([{ type: 'put', key: 'k', value: 1 }], { atomic: true, read: 'follower' }),
    ],
  ])('%s: refused before anything is sent', async (_, call) => {
    await start();
    expect(await world.failure(call())).toMatchObject({ code: 'BadRequest', outcome: 'failed' });
    expect(asked()).toEqual([]);
  });

  test('an update may say that it reads the latest', async () => {
    await start();
    await world.settle(photos.update(keyFor(1), (n = 0) => n + 1, { read: 'linearizable' }));
    expect(store.applied).toHaveLength(1);
  });
});

describe('sessions of the application', () => {
  test('keep how far they have seen, by partition, and ask for as much', async () => {
    await start();
    const [a, b] = [keyFor(1), keyFor(2)];
    const session = db.session();
    const bound = photos.in(session);
    const askedFor = async (key: string, read: 'follower' | 'session'): Promise<boolean[]> => {
      led.forget();
      await world.settle(bound.get(key, { read }));
      return led.operations('get').map(({ atLeast }) => atLeast !== null);
    };
    expect(await askedFor(a, 'follower')).toEqual([false]);
    await world.settle(bound.put(a, 1));
    expect(await askedFor(a, 'session')).toEqual([true]);
    expect(await askedFor(b, 'session')).toEqual([false]);
  });

  test('hand it on in their token, and to scans', async () => {
    await start();
    const key = keyFor(1);
    const session = db.session();
    const written = await world.settle(photos.in(session).put(key, 1));
    const bound = photos.in(db.session(session.token()));
    led.forget();
    await world.settle(bound.scan({ read: 'session' }).next());
    const bounds = led.operations('scan').map(({ partition, atLeast }) => [partition, atLeast !== null]);
    expect(bounds.filter(([, bounded]) => bounded)).toEqual([[partitionOf(key), true]]);
    expect(written.version).toBeGreaterThan(0);
  });

  test('remember of a scan that found nothing how far it had looked', async () => {
    await start();
    const key = keyFor(1);
    store.skip(partitionOf(key), 5);
    const session = db.session();
    const found = await world.settle(photos.in(session).scan({ prefix: 'none', read: 'follower' }).next());
    expect(found.done).toBe(true);
    await world.settle(photos.in(db.session(session.token())).get(key, { read: 'session' }));
    const [bound] = led.operations('get').map(({ atLeast }) => atLeast);
    expect(decodeLeaderContext(bound ?? new Uint8Array()).index).toBe(5);
  });

  test('a replica that has not seen as much is asked elsewhere', async () => {
    await start();
    const bound = photos.in(db.session());
    await world.settle(bound.put(keyFor(1), 1));
    for (const n of [1, 2]) world.node(n).react = () => wireError('SessionNotSatisfied');
    expect((await world.settle(bound.get(keyFor(1), { read: 'session' }))).value).toBe(1);
  });
});

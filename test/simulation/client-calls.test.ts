/** The SDK against scripted nodes on virtual time: what it sends, and what it makes of the answers. */
import { afterEach, describe, expect, test } from 'vitest';
import type { Database } from '../../src/client/api.js';
import { connectWith } from '../../src/client/database.js';
import { partitionOfKey } from '../../src/core/hash.js';
import { REQUESTS_PER_CONNECTION_MAX, REQUESTS_WAITING_MAX } from '../../src/core/limits.js';
import { compareKeys } from '../../src/core/text-order.js';
import { testMap, wireError } from '../support/scripted-node.js';
import { CLIENT, keyFor, scriptedWorld, type ScriptedWorld } from '../support/scripted-world.js';

let world: ScriptedWorld;
let db: Database;

const start = async (map = testMap(3)): Promise<void> => {
  world = await scriptedWorld(map);
  db = await world.connect();
};

/** Every request that any node got. */
const requests = () => [1, 2, 3].flatMap((n) => world.node(n)?.requests ?? []);
const putsOf = (key: string) =>
  requests().flatMap(({ operation }) =>
    operation.type === 'put' && operation.key === key ? [operation] : [],
  );

afterEach(async () => {
  await world.settle(db.close());
});

describe('one key', () => {
  test('what is put is got, what is deleted is gone', async () => {
    await start();
    const photos = db.namespace<{ n: number }>('photos');
    expect(await world.settle(photos.get('k'))).toEqual({
      key: 'k',
      value: undefined,
      siblings: [],
      context: undefined,
    });
    const written = await world.settle(photos.put('k', { n: 1 }));
    expect(written.siblings).toBe(1);
    const read = await world.settle(photos.get('k'));
    expect(read.value).toEqual({ n: 1 });
    const deleted = { context: read.context as NonNullable<typeof read.context> };
    await world.settle(photos.delete('k', deleted));
    expect((await world.settle(photos.get('k'))).value).toBeUndefined();
  });

  test('a write without a context stands beside what is there; with the context of a read it supersedes', async () => {
    await start();
    const photos = db.namespace<number>('photos');
    await world.settle(photos.put('k', 1));
    expect((await world.settle(photos.put('k', 2))).siblings).toBe(2);
    const read = await world.settle(photos.get('k'));
    expect(read.siblings).toEqual([1, 2]);
    expect(read.value).toBe(2);
    expect((await world.settle(photos.put('k', 3, { context: read.context as never }))).siblings).toBe(1);
  });

  test('levels, time to live and budget travel with the request', async () => {
    await start();
    const photos = db.namespace<number>('photos');
    await world.settle(photos.put('k', 1, { write: 3, ttlMs: 60_000, timeoutMs: 1234 }));
    await world.settle(photos.get('k', { read: 'one', explain: true }));
    const [put, get] = requests();
    expect(put?.operation).toMatchObject({ write: 3, ttlMs: 60_000, attempt: 0 });
    // Connecting took a little of it.
    expect(put?.budgetMs).toBeGreaterThan(1200);
    expect(put?.budgetMs).toBeLessThanOrEqual(1234);
    expect(get).toMatchObject({ explain: true, epoch: 1, operation: { read: 'one' } });
  });

  test('calls of one tick share frames', async () => {
    await start();
    const photos = db.namespace<number>('photos');
    const [key] = [keyFor(1)];
    await world.settle(photos.get(key));
    const before = world.node(1).frames;
    await world.settle(Promise.all(Array.from({ length: 500 }, () => photos.get(key))));
    expect(world.node(1).requests).toHaveLength(501);
    expect(world.node(1).frames - before).toBe(1);
  });

  test('each key goes to the first replica of its partition once all are connected', async () => {
    await start();
    const photos = db.namespace<number>('photos');
    const keys = Array.from({ length: 40 }, (_, i) => `k${i}`);
    await world.settle(Promise.all(keys.map((key) => photos.get(key))));
    await world.simulation.runFor(100);
    const before = [1, 2, 3].map((n) => world.node(n).requests.length);
    await world.settle(Promise.all(keys.map((key) => photos.get(key))));
    for (const n of [1, 2, 3]) {
      const keysHere = world
        .node(n)
        .requests.slice(before[n - 1])
        .map((r) => (r.operation as { key: string }).key);
      expect(keysHere).toEqual(keys.filter((key) => partitionOfKey(key, 4) % 3 === n - 1));
    }
  });

  test('every write has its own operation id and names the lowest open one', async () => {
    await start();
    const photos = db.namespace<number>('photos');
    await world.settle(Promise.all([photos.put('a', 1), photos.put('b', 2)]));
    await world.settle(photos.put('c', 3));
    const [a, b, c] = ['a', 'b', 'c'].map((key) => putsOf(key)[0]);
    expect([a, b, c].map((put) => put?.operation.sequence)).toEqual([1, 2, 3]);
    expect([a, b, c].map((put) => put?.lowestOpen)).toEqual([1, 1, 3]);
    expect(new Set([a, b, c].map((put) => put?.operation.session)).size).toBe(1);
  });

  test.each([
    ['an unknown namespace', 'UnknownNamespace', () => db.namespace('nowhere').get('k')],
    ['an empty key', 'InvalidKey', () => db.namespace('photos').get('')],
    ['a lone surrogate', 'InvalidKey', () => db.namespace('photos').put('\ud800', 1)],
    ['a long key', 'KeyTooLarge', () => db.namespace('photos').delete('k'.repeat(1025))],
    ['a large value', 'ValueTooLarge', () => db.namespace('photos').put('k', 'x'.repeat(1024 * 1024))],
    ['no value', 'BadRequest', () => db.namespace('photos').put('k', undefined)],
    ['a level beyond N', 'BadRequest', () => db.namespace('photos').get('k', { read: 4 })],
    ['a past deadline', 'DeadlineExceeded', () => db.namespace('photos').put('k', 1, { timeoutMs: 0 })],
    [
      'the context of another key',
      'BadContext',
      () => db.namespace('photos').put('k', 1, { context: { key: 'j', token: new Uint8Array(4) } }),
    ],
  ])('%s is refused before anything is sent', async (_, code, call) => {
    await start();
    expect(await world.failure(call())).toMatchObject({ name: 'TrefoilError', code, outcome: 'failed' });
    expect(requests()).toEqual([]);
  });

  test('what the node refuses for good is not retried', async () => {
    await start();
    for (const n of [1, 2, 3]) world.node(n).react = () => wireError('TooManySiblings');
    const error = await world.failure(db.namespace('photos').put('k', 1));
    expect(error).toMatchObject({ code: 'TooManySiblings', outcome: 'failed' });
    expect(requests()).toHaveLength(1);
  });
});

describe('update', () => {
  const increment = (n: number | undefined): number => (n ?? 0) + 1;

  test('reads, changes and supersedes what it read', async () => {
    await start();
    const photos = db.namespace<number>('photos');
    await world.settle(photos.put('k', 41));
    const entry = await world.settle(photos.update('k', increment));
    expect(entry.value).toBe(42);
    const read = await world.settle(photos.get('k'));
    expect(read.siblings).toEqual([42]);
    expect(await world.settle(photos.put('k', 43, { context: entry.context as never }))).toMatchObject({
      siblings: 1,
    });
  });

  test('updates of one process wait for each other, so that even a bare increment is exact', async () => {
    await start();
    const photos = db.namespace<number>('photos');
    const again = db.namespace<number>('photos');
    const updates = Array.from({ length: 50 }, (_, i) => (i % 2 ? photos : again).update('k', increment));
    await world.settle(Promise.all(updates));
    expect((await world.settle(photos.get('k'))).siblings).toEqual([50]);
  });

  test('eight processes that add to one set lose nothing', async () => {
    await start();
    const connecting = Array.from({ length: 8 }, () => connectWith(world.runtime, { seeds: ['test:1'] }));
    const dbs = await world.settle(Promise.all(connecting));
    const add = (each: Database, tag: string) =>
      each
        .namespace<string[]>('photos')
        .update('tags', (_, siblings) => [...new Set([...siblings.flat(), tag])].sort(), {
          timeoutMs: 30_000,
        });
    const tags = dbs.map((_, i) => `tag-${i}`);
    await world.settle(Promise.all(dbs.map((each, i) => add(each, `tag-${i}`))));
    const read = await world.settle(db.namespace<string[]>('photos').get('tags'));
    expect([...new Set(read.siblings.flat())].sort()).toEqual(tags);
    // They did meet: the store was asked more often than eight updates that never meet would ask.
    expect(putsOf('tags').length).toBeGreaterThan(8);
    await world.settle(Promise.all(dbs.map((each) => each.close())));
  });

  test('what the change throws comes out as it is', async () => {
    await start();
    const fault = new RangeError('mine');
    const update = db.namespace<number>('photos').update('k', () => {
      throw fault;
    });
    expect(await world.failure(update)).toBe(fault);
  });
});

describe('batch', () => {
  test('gives one result for each operation in its place, errors too', async () => {
    await start();
    const photos = db.namespace<number>('photos');
    await world.settle(photos.put('old', 1));
    const results = await world.settle(
      photos.batch([
        { type: 'put', key: 'a', value: 1 },
        { type: 'get', key: 'old' },
        { type: 'get', key: '' },
        { type: 'delete', key: 'old' },
      ]),
    );
    expect(results.map((r) => r.type)).toEqual(['put', 'get', 'error', 'delete']);
    expect(results[1]).toMatchObject({ entry: { value: 1 } });
    expect(results[2]).toMatchObject({ key: '', error: { code: 'InvalidKey' } });
  });

  test('a large batch keeps a bounded number under way', async () => {
    await start();
    const open = { now: 0, most: 0 };
    for (const n of [1, 2, 3]) {
      world.node(n).react = () => {
        open.most = Math.max(open.most, ++open.now);
        world.simulation.schedule(5, 'answered', () => open.now--);
        return { answerAfterMs: 5 };
      };
    }
    const operations = Array.from({ length: 2000 }, (_, i) => ({
      type: 'put' as const,
      key: `k${i}`,
      value: i,
    }));
    const results = await world.settle(db.namespace<number>('photos').batch(operations));
    expect(results.every((r) => r.type === 'put')).toBe(true);
    expect(open.most).toBe(256);
  });
});

describe('scan', () => {
  const fill = async (keys: readonly string[]): Promise<void> => {
    const photos = db.namespace<string>('photos');
    await world.settle(photos.batch(keys.map((key) => ({ type: 'put', key, value: `v-${key}` }))));
  };
  const scanned = async (options: object): Promise<string[]> => {
    const collect = async (): Promise<string[]> => {
      const keys: string[] = [];
      for await (const { key } of db.namespace<string>('photos').scan(options)) keys.push(key);
      return keys;
    };
    return world.settle(collect());
  };
  const keys = Array.from({ length: 700 }, (_, i) => `${i % 2 === 0 ? 'a' : 'b'}/${i}/é😀`);

  test('gives all partitions in key order, over many pages', async () => {
    await start();
    await fill(keys);
    expect(await scanned({})).toEqual([...keys].sort(compareKeys));
  });

  test('by prefix, with a limit, and on from where it stopped', async () => {
    await start();
    await fill(keys);
    const expected = keys.filter((key) => key.startsWith('b/')).sort(compareKeys);
    const first = await scanned({ prefix: 'b/', limit: 100 });
    expect(first).toEqual(expected.slice(0, 100));
    expect(await scanned({ prefix: 'b/', after: first.at(-1) })).toEqual(expected.slice(100));
  });

  test('a whole tag in the prefix asks one partition only', async () => {
    await start();
    await fill(['{u1}/a', '{u1}/b', '{u2}/a']);
    const before = requests().length;
    expect(await scanned({ prefix: '{u1}/' })).toEqual(['{u1}/a', '{u1}/b']);
    const asked = requests().slice(before);
    expect(asked.map((r) => r.operation)).toMatchObject([
      { type: 'scan', partition: partitionOfKey('u1', 4) },
    ]);
  });

  test('deleted keys are left out', async () => {
    await start();
    await fill(['a', 'b']);
    const photos = db.namespace('photos');
    const { context } = await world.settle(photos.get('a'));
    await world.settle(photos.delete('a', { context: context as never }));
    expect(await scanned({})).toEqual(['b']);
  });
});

describe('sessions', () => {
  test('reads ask for an answer that has seen what the session wrote and read', async () => {
    await start();
    const session = db.session();
    const photos = db.namespace<number>('photos');
    await world.settle(photos.get('k'));
    const written = await world.settle(photos.in(session).put('k', 1));
    await world.settle(photos.in(session).get('k'));
    await world.settle(photos.get('k'));
    const gets = requests().flatMap(({ operation }) => (operation.type === 'get' ? [operation.atLeast] : []));
    expect(gets.map((atLeast) => atLeast !== null)).toEqual([false, true, false]);
    expect(new Uint8Array(gets[1] as Uint8Array)).toEqual(new Uint8Array(written.context.token));
  });

  test('a write in a session supersedes nothing by itself', async () => {
    await start();
    const photos = db.namespace<number>('photos').in(db.session());
    await world.settle(photos.put('k', 1));
    expect((await world.settle(photos.put('k', 2))).siblings).toBe(2);
  });

  test('the token carries the guarantee to another client', async () => {
    await start();
    const session = db.session();
    await world.settle(db.namespace<number>('photos').in(session).put('k', 1));
    const other = await world.connect();
    const read = other.namespace<number>('photos').in(other.session(session.token())).get('k');
    expect((await world.settle(read)).value).toBe(1);
    expect(requests().at(-1)?.operation).toMatchObject({
      type: 'get',
      atLeast: expect.any(Uint8Array) as unknown,
    });
    await world.settle(other.close());
  });

  test('a node that has not seen enough is asked elsewhere', async () => {
    await start();
    const key = keyFor(1);
    const photos = db.namespace<number>('photos').in(db.session());
    await world.settle(photos.put(key, 1));
    world.node(1).react = ({ operation }) =>
      operation.type === 'get' && operation.atLeast !== null ? wireError('SessionNotSatisfied') : 'serve';
    expect((await world.settle(photos.get(key))).value).toBe(1);
  });
});

describe('bounds', () => {
  test('more requests than may wait are refused at once, and the rest are answered', async () => {
    await start(testMap(1));
    const photos = db.namespace('photos');
    const count = REQUESTS_WAITING_MAX + 100;
    const calls = Array.from({ length: count }, () => photos.get('k'));
    const results = await world.settle(Promise.allSettled(calls));
    const refused = results.flatMap((r) => (r.status === 'rejected' ? [r.reason as unknown] : []));
    expect(refused).toHaveLength(100);
    expect(refused[0]).toMatchObject({ code: 'Overloaded', outcome: 'failed', retryAfterMs: 20 });
  });

  test('no more requests are open on a connection than the limit', async () => {
    await start(testMap(1));
    world.node(1).react = () => ({ answerAfterMs: 50 });
    const photos = db.namespace('photos');
    const calls = Array.from({ length: REQUESTS_PER_CONNECTION_MAX + 10 }, () => photos.get('k'));
    const all = world.settle(Promise.all(calls));
    await all;
    expect(world.node(1).openMax).toBe(REQUESTS_PER_CONNECTION_MAX);
  });

  test('a connection that cannot take more bytes holds requests back', async () => {
    await start(testMap(1));
    world.network.setLink(CLIENT, 'n1', { bytesPerMs: 1_000 });
    const photos = db.namespace<string>('photos');
    const value = 'x'.repeat(500_000);
    const calls = Array.from({ length: 40 }, (_, i) => photos.put(`k${i}`, value, { timeoutMs: 30_000 }));
    await world.simulation.runFor(60);
    // 20 MB are asked for; 4 MiB, a frame and a value may be on their way at most.
    expect(world.bufferedBytes()).toBeGreaterThan(3_000_000);
    expect(world.bufferedBytes()).toBeLessThan(5_500_000);
    await world.settle(Promise.all(calls));
    expect(putsOf('k39')).toHaveLength(1);
  });
});

describe('the end', () => {
  test('close lets calls in flight end, and refuses new ones', async () => {
    await start();
    for (const n of [1, 2, 3]) world.node(n).react = () => ({ answerAfterMs: 100 });
    const photos = db.namespace<number>('photos');
    const put = photos.put('k', 1);
    await world.simulation.runFor(20);
    const closing = db.close();
    expect(await world.failure(photos.get('k'))).toMatchObject({ code: 'BadRequest' });
    expect((await world.settle(put)).siblings).toBe(1);
    await world.settle(closing);
    await world.simulation.runFor(10);
    for (const n of [1, 2, 3]) expect(world.node(n).connections.size).toBe(0);
  });

  test('close does not wait for ever: what is open then is cancelled, with its true outcome', async () => {
    await start();
    for (const n of [1, 2, 3]) world.node(n).react = () => ({ lose: 'answer' });
    const put = db.namespace<number>('photos').put('k', 1, { timeoutMs: 30_000 });
    const from = world.simulation.nowMs();
    await world.simulation.runFor(20);
    void db.close();
    expect(await world.failure(put)).toMatchObject({ code: 'Cancelled', outcome: 'unknown' });
    expect(world.simulation.nowMs() - from).toBeLessThan(2_500);
  });

  test('status asks the node that is named', async () => {
    await start();
    expect(await world.settle(db.nodeStatus('n2'))).toEqual({ ok: true });
    expect(world.node(2).requests).toHaveLength(1);
    expect(await world.failure(db.nodeStatus('n9'))).toMatchObject({ code: 'BadRequest' });
  });
});

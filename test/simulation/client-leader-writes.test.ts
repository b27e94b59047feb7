/** The SDK in a leader-follower namespace, against scripted nodes: versions, conditions, updates, atomic batches. */
import { afterEach, describe, expect, test } from 'vitest';
import type { Database, Namespace } from '../../src/client/api.js';
import { PUT_ALL_MAX } from '../../src/core/limits.js';
import { ledMap, type LedStore } from '../support/led-store.js';
import { LedWorld, NODES } from '../support/led-world.js';
import { wireError } from '../support/scripted-node.js';
import { keyFor, type ScriptedWorld } from '../support/scripted-world.js';

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

describe('one key', () => {
  test('has a version: of what is put, of what is got, of what is deleted', async () => {
    await start();
    const absent = await world.settle(photos.get('k'));
    expect(absent).toMatchObject({ value: undefined, siblings: [], version: 0 });
    const written = await world.settle(photos.put('k', 1));
    expect(written).toMatchObject({ siblings: 1, replicas: 2 });
    const read = await world.settle(photos.get('k'));
    expect(read).toMatchObject({ value: 1, siblings: [1], version: written.version });
    expect(read.lag).toBeUndefined();
    expect((await world.settle(photos.delete('k'))).version).toBeGreaterThan(written.version ?? 0);
    expect(await world.settle(photos.get('k'))).toMatchObject({ value: undefined, version: 0 });
  });

  test('is written on a condition: a version, absence, or the context of a read', async () => {
    await start();
    const first = await world.settle(photos.put('k', 1, { ifAbsent: true }));
    expect(await world.failure(photos.put('k', 2, { ifAbsent: true }))).toMatchObject({
      code: 'ConditionFailed',
      outcome: 'failed',
    });
    await world.settle(photos.put('k', 2, { ifVersion: first.version as number }));
    const stale = { context: first.context };
    expect((await world.failure(photos.put('k', 3, stale))).code).toBe('ConditionFailed');
    expect((await world.failure(photos.delete('k', stale))).code).toBe('ConditionFailed');
    const { context } = await world.settle(photos.get('k'));
    if (context === undefined) throw new Error('a read gives a context');
    const third = await world.settle(photos.put('k', 3, { context }));
    await world.settle(photos.delete('k', { context: third.context }));
    // The context of an absent key is the condition that it is absent.
    const gone = (await world.settle(photos.get('k'))).context;
    if (gone === undefined) throw new Error('a read gives a context');
    await world.settle(photos.put('k', 4, { context: gone }));
    expect((await world.failure(photos.put('k', 5, { context: gone }))).code).toBe('ConditionFailed');
  });

  test('levels, modes and bounds travel with the request', async () => {
    await start();
    await world.settle(photos.put('k', 1, { ack: 'all', ttlMs: 50 }));
    await world.settle(photos.get('k', { read: 'follower', maxStalenessMs: 70 }));
    expect(led.operations('put')).toMatchObject([
      { write: 'all', ttlMs: 50, ifVersion: null, context: null },
    ]);
    expect(led.operations('get')).toMatchObject([{ read: 'follower', maxStalenessMs: 70 }]);
  });

  test('what cannot be is refused before anything is sent', async () => {
    await start();
    for (const refused of [
      () => photos.put('k', 1, { ack: 'leader', ifVersion: 1 }),
      () => photos.put('k', 1, { ack: 'leader', ifAbsent: true }),
      () => photos.put('k', 1, { ifVersion: 1, ifAbsent: true }),
      () => photos.put('k', 1, { write: 'quorum' }),
      () => photos.get('k', { read: 'quorum' }),
      () => photos.get('k', { read: 'follower', maxStalenessMs: 0 }),
    ])
      expect((await world.failure(refused())).code).toBe('BadRequest');
    expect(asked()).toEqual([]);
  });

  test('counters and sets are not there: update is named', async () => {
    await start();
    const refusal = { code: 'Unsupported', message: expect.stringContaining('update()') as string };
    expect(await world.failure(db.counter('photos').increment('k'))).toMatchObject(refusal);
    expect(await world.failure(db.set('photos').add('k', ['x']))).toMatchObject(refusal);
    expect(await world.failure(db.counter('photos').scan().next())).toMatchObject(refusal);
    expect(asked()).toEqual([]);
  });
});

describe('update', () => {
  test('reads the latest and writes on its version, whatever the namespace reads by itself', async () => {
    await start(ledMap(3, { read: 'follower' }));
    await world.settle(photos.put('k', 1));
    const entry = await world.settle(photos.update('k', (n = 0) => n + 1));
    expect(entry).toMatchObject({ value: 2, siblings: [2] });
    expect(entry.version).toBe((await world.settle(photos.get('k', { read: 'linearizable' }))).version);
    expect(led.operations('get')[0]).toMatchObject({ read: 'linearizable' });
    expect(led.operations('put')[1]?.ifVersion).toBe(entry.version === undefined ? -1 : entry.version - 1);
  });

  test('of many processes at once loses none', async () => {
    await start();
    const clients: Database[] = [];
    for (let i = 0; i < 6; i++) clients.push(await world.connect());
    const increments = clients.flatMap((client) => {
      const own = client.namespace<number>('photos');
      return Array.from({ length: 5 }, () => own.update('k', (n = 0) => n + 1, { timeoutMs: 30_000 }));
    });
    await world.settle(Promise.all(increments));
    expect((await world.settle(photos.get('k'))).value).toBe(30);
    for (const client of clients) await world.settle(client.close());
  });

  test('deletes, and leaves alone what is absent', async () => {
    await start();
    await world.settle(photos.put('k', 1));
    expect(await world.settle(photos.update('k', () => undefined))).toMatchObject({
      value: undefined,
      version: 0,
    });
    const before = store.applied.length;
    await world.settle(photos.update('k', () => undefined));
    expect(store.applied).toHaveLength(before);
  });

  test('whose write has an unknown outcome rejects with it, and does not write again', async () => {
    await start();
    const key = keyFor(1);
    await world.settle(photos.put(key, 1));
    for (const n of NODES)
      world.node(n).react = ({ operation }) => (operation.type === 'put' ? { lose: 'answer' } : 'serve');
    const error = await world.failure(photos.update(key, (n = 0) => n + 1, { timeoutMs: 500 }));
    expect(error).toMatchObject({ code: 'Timeout', outcome: 'unknown' });
    expect(store.applied).toHaveLength(2);
  });

  test('that others are always before ends at the deadline, as failed', async () => {
    await start();
    for (const n of NODES)
      world.node(n).react = ({ operation }) =>
        operation.type === 'put' ? wireError('ConditionFailed') : 'serve';
    const from = now();
    const error = await world.failure(photos.update('k', (n = 0) => n + 1, { timeoutMs: 2_000 }));
    expect(error).toMatchObject({ code: 'UpdateConflict', outcome: 'failed' });
    expect(now() - from).toBeGreaterThanOrEqual(1_900);
    expect(now() - from).toBeLessThan(2_050);
  });

  test('waits for a quorum where the namespace itself does not', async () => {
    await start(ledMap(3, { ack: 'leader' }));
    await world.settle(photos.update('k', (n = 0) => n + 1));
    expect(led.operations('put')).toMatchObject([{ write: 'quorum', ifVersion: 0 }]);
    expect((await world.failure(photos.update('k', () => 1, { ack: 'leader' }))).code).toBe('BadRequest');
  });
});

describe('batch', () => {
  const keys = ['{a}/1', '{a}/2', '{a}/3'];

  test('atomic is one operation: all with one version, or none', async () => {
    await start();
    const results = await world.settle(
      photos.batch(
        [
          { type: 'put', key: '{a}/1', value: 1, ifAbsent: true },
          { type: 'put', key: '{a}/2', value: 2, ttlMs: 70 },
          { type: 'delete', key: '{a}/3' },
        ],
        { atomic: true, ttlMs: 50 },
      ),
    );
    expect(results.map((r) => r.type)).toEqual(['put', 'put', 'delete']);
    const versions = results.map((r) => (r.type === 'get' || r.type === 'error' ? 0 : r.written.version));
    expect(new Set(versions).size).toBe(1);
    expect(led.operations('put-all')).toMatchObject([
      {
        puts: [
          { key: '{a}/1', ifVersion: 0, ttlMs: 50 },
          { key: '{a}/2', ifVersion: null, ttlMs: 70 },
          { key: '{a}/3', value: null, ttlMs: 0 },
        ],
      },
    ]);
    const error = await world.failure(
      photos.batch(
        [
          { type: 'put', key: '{a}/1', value: 7 },
          { type: 'put', key: '{a}/2', value: 7, ifAbsent: true },
        ],
        { atomic: true },
      ),
    );
    expect(error).toMatchObject({ code: 'ConditionFailed', outcome: 'failed' });
    expect((await world.settle(photos.get('{a}/1'))).value).toBe(1);
  });

  test('atomic is refused where it cannot be', async () => {
    await start();
    const put = (key: string) => ({ type: 'put', key, value: 1 }) as const;
    const many = Array.from({ length: PUT_ALL_MAX + 1 }, (_, i) => put(`{a}/${i}`));
    const big = db.namespace<string>('photos');
    for (const [refused, why] of [
      [() => photos.batch([], { atomic: true }), '0 operations'],
      [() => photos.batch(many, { atomic: true }), '129 operations'],
      [() => photos.batch([put('{a}/1'), put('{a}/1')], { atomic: true }), 'twice'],
      [() => photos.batch([put(keyFor(1)), put(keyFor(2))], { atomic: true }), 'common {tag}'],
      [
        () => photos.batch([put('{a}/1'), { type: 'get', key: '{a}/2' }], { atomic: true }),
        'puts and deletes',
      ],
      [
        () => photos.batch([put('{a}/1')], { atomic: true, ack: 'leader' }),
        'acknowledged by the leader alone',
      ],
      [
        () =>
          big.batch(
            [1, 2, 3, 4, 5].map(
              (n) => ({ type: 'put', key: `{a}/${n}`, value: 'x'.repeat(2 ** 20 - 10) }) as const,
            ),
            { atomic: true },
          ),
        'bytes; the limit',
      ],
    ] as const) {
      const error = await world.failure(refused());
      expect(error.code).toBe('BadRequest');
      expect(error.message).toContain(why);
    }
    expect(asked()).toEqual([]);
  });

  test('not atomic is as everywhere: results by key', async () => {
    await start();
    await world.settle(photos.put('{a}/1', 1));
    const results = await world.settle(
      photos.batch(keys.map((key) => ({ type: 'put', key, value: 2, ifAbsent: true }) as const)),
    );
    expect(results.map((r) => (r.type === 'error' ? r.error.code : r.type))).toEqual([
      'ConditionFailed',
      'put',
      'put',
    ]);
  });
});

test('a scan gives all partitions in key order, with versions', async () => {
  await start();
  const names = Array.from({ length: 40 }, (_, i) => `k${String(i).padStart(2, '0')}`);
  await world.settle(Promise.all(names.map((key, i) => photos.put(key, i))));
  const seen: [string, number | undefined][] = [];
  const scan = async (): Promise<void> => {
    for await (const { key, version } of photos.scan({ prefix: 'k' })) seen.push([key, version]);
  };
  await world.settle(scan());
  expect(seen.map(([key]) => key)).toEqual(names);
  expect(seen.every(([, version]) => (version ?? 0) > 0)).toBe(true);
});

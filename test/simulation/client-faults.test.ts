/** The SDK when the world fails: where it goes on, how fast, and what it says of what it cannot know. */
import { afterEach, describe, expect, test } from 'vitest';
import type { Database, Namespace } from '../../src/client/api.js';
import { connectWith } from '../../src/client/database.js';
import type { ClusterMap } from '../../src/cluster/cluster-map.js';
import { nodeId } from '../../src/core/ids.js';
import { SDK_SILENCE_MS_MAX } from '../../src/core/limits.js';
import { encodeFrame } from '../../src/protocol/codec.js';
import { PROTOCOL_VERSION, type PutOperation } from '../../src/protocol/messages.js';
import { testMap, wireError, type ScriptedNode } from '../support/scripted-node.js';
import { CLIENT, keyFor, scriptedWorld, type ScriptedWorld } from '../support/scripted-world.js';

let world: ScriptedWorld;
let db: Database | undefined;
let photos: Namespace<number>;

/** A world whose client is connected to every node. */
const start = async (map: ClusterMap = testMap(3)): Promise<void> => {
  world = await scriptedWorld(map);
  db = await world.connect();
  photos = db.namespace<number>('photos');
  const nodes = map.nodes.length;
  await world.settle(Promise.all(map.nodes.map((_, i) => photos.get(keyFor(i + 1, nodes)))));
  await world.simulation.runFor(50);
  for (let n = 1; n <= nodes; n++) world.node(n).requests.length = 0;
};

const now = (): number => world.simulation.nowMs();
const puts = (node: ScriptedNode): PutOperation[] =>
  node.requests.flatMap(({ operation }) => (operation.type === 'put' ? [operation] : []));
const allPuts = (): PutOperation[] =>
  [1, 2, 3].flatMap((n) => (world.node(n) === undefined ? [] : puts(world.node(n))));
/** Makes every node react so. */
const everyNode = (react: ScriptedNode['react']): void => {
  for (const n of [1, 2, 3]) if (world.node(n) !== undefined) world.node(n).react = react;
};

afterEach(async () => {
  if (db !== undefined) await world.settle(db.close());
  db = undefined;
});

describe('a dead node', () => {
  test('its calls go on elsewhere at once', async () => {
    await start();
    const from = now();
    const calls = [photos.put(keyFor(1), 1), photos.get(keyFor(1))];
    world.network.crash('n1');
    await world.settle(Promise.all(calls));
    expect(now() - from).toBeLessThan(50);
    expect(puts(world.node(2)).length + puts(world.node(3)).length).toBe(1);
  });

  test('it is left alone for a while, and used again when it is back', async () => {
    await start();
    await world.node(1).kill();
    for (let i = 0; i < 100; i++) {
      await world.settle(photos.get(keyFor(1)));
      await world.simulation.runFor(10);
    }
    // The pauses between attempts grow to about a second; calls never wait for them.
    expect(world.node(1).requests).toHaveLength(0);
    await world.node(1).start();
    await world.simulation.runFor(1_100);
    await world.settle(photos.get(keyFor(1)));
    await world.simulation.runFor(50);
    await world.settle(photos.get(keyFor(1)));
    expect(world.node(1).requests.length).toBeGreaterThan(0);
  });

  test('a host that does not even refuse costs no call more than a round trip when others are connected', async () => {
    world = await scriptedWorld();
    world.network.partition(CLIENT, 'n1');
    db = await world.connect({ seeds: ['test:2', 'test:3'] });
    photos = db.namespace<number>('photos');
    const from = now();
    await world.settle(photos.put(keyFor(1), 1));
    expect(now() - from).toBeLessThan(10);
  });

  test('all nodes dead: NoReachableNode, failed, when the time is up, with a reason for each', async () => {
    await start();
    for (const n of [1, 2, 3]) world.network.crash(`n${n}`);
    await world.simulation.runFor(5);
    const from = now();
    const error = await world.failure(photos.put('k', 1, { timeoutMs: 2_000 }));
    expect(error).toMatchObject({ code: 'NoReachableNode', outcome: 'failed', retryable: true });
    expect(error.message).toMatch(/n1: .*n2: .*n3: /);
    expect(now() - from).toBeLessThan(2_050);
  });

  test('a cluster that comes back within the time is found', async () => {
    await start();
    for (const n of [1, 2, 3]) await world.node(n).kill();
    const put = photos.put('k', 1, { timeoutMs: 10_000 });
    await world.simulation.runFor(3_000);
    await world.node(2).start();
    const from = now();
    expect((await world.settle(put)).siblings).toBe(1);
    expect(now() - from).toBeLessThan(1_600);
  });
});

describe('a half-open connection', () => {
  test('is found by its silence, and its calls go on elsewhere within a bounded time', async () => {
    await start();
    world.network.halfOpen(CLIENT, 'n1');
    const from = now();
    const [read, written] = await world.settle(
      Promise.all([photos.get(keyFor(1)), photos.put(keyFor(1), 1)]),
    );
    expect(now() - from).toBeGreaterThan(1_400);
    expect(now() - from).toBeLessThan(1_600);
    expect(read.siblings).toEqual([]);
    expect(written.siblings).toBe(1);
  });

  test('is found when nobody asks anything, by an unanswered ping', async () => {
    await start();
    await world.simulation.runFor(5_000);
    world.network.halfOpen(CLIENT, 'n1');
    await world.simulation.runFor(6_000);
    const from = now();
    await world.settle(photos.get(keyFor(1)));
    expect(now() - from).toBeLessThan(50);
  });

  test('a slow node that still answers pings is not taken for one', async () => {
    await start();
    everyNode(() => ({ answerAfterMs: 4_000 }));
    const from = now();
    await world.settle(photos.get(keyFor(1)));
    expect(now() - from).toBeGreaterThan(4_000);
    expect([1, 2, 3].map((n) => world.node(n).requests.length)).toEqual([1, 0, 0]);
  });

  test('a pause of our own process is not blamed on the nodes', async () => {
    await start();
    everyNode(() => ({ answerAfterMs: 30 }));
    const get = photos.get(keyFor(1), { timeoutMs: 10_000 });
    await world.simulation.runFor(10);
    world.stall(3_000);
    await world.settle(get);
    expect([1, 2, 3].map((n) => world.node(n).requests.length)).toEqual([1, 0, 0]);
  });

  test('the node’s pings are answered', async () => {
    await start();
    world.node(1).say({ type: 'ping', nonce: 7 });
    const before = world.node(1).pongs;
    await world.simulation.runFor(10);
    expect(world.node(1).pongs - before).toBe(1);
  });
});

describe('a write whose answer is lost', () => {
  test('is sent again as the same operation, marked as a repetition, and never becomes a second sibling', async () => {
    await start();
    world.node(1).react = ({ operation }) => (operation.type === 'put' ? { lose: 'answer' } : 'serve');
    const put = photos.put(keyFor(1), 1);
    await world.simulation.runFor(20);
    world.node(1).breakConnections('broken');
    const written = await world.settle(put);
    const [first, second] = allPuts();
    expect(allPuts()).toHaveLength(2);
    expect(second?.operation).toEqual(first?.operation);
    expect([first?.attempt, second?.attempt]).toEqual([0, 1]);
    expect(written.siblings).toBe(1);
    expect((await world.settle(photos.get(keyFor(1)))).siblings).toEqual([1]);
  });

  test('attempts that certainly had no effect are no repetitions', async () => {
    await start();
    let answers = 0;
    everyNode(() => (++answers <= 2 ? wireError('NodeReadOnly') : 'serve'));
    await world.settle(photos.put('k', 1));
    expect(allPuts().map((put) => put.attempt)).toEqual([0, 0, 0]);
  });

  test('once it may have arrived, a later refusal leaves the outcome unknown', async () => {
    await start();
    let answers = 0;
    everyNode(() =>
      ++answers === 1 ? wireError('QuorumNotReached', { outcome: 'unknown' }) : wireError('TooManySiblings'),
    );
    expect(await world.failure(photos.put('k', 1))).toMatchObject({
      code: 'TooManySiblings',
      outcome: 'unknown',
    });
    expect(answers).toBe(2);
  });

  test('an operation that the node forgot is reported, not applied again', async () => {
    await start();
    let answers = 0;
    everyNode(() =>
      ++answers === 1
        ? wireError('Timeout', { outcome: 'unknown' })
        : wireError('OperationForgotten', { outcome: 'unknown' }),
    );
    const error = await world.failure(photos.put('k', 1));
    expect(error).toMatchObject({ code: 'OperationForgotten', outcome: 'unknown', retryable: false });
  });
});

describe('deadlines', () => {
  test('a write that was sent and not answered: Timeout, unknown, on time', async () => {
    await start();
    everyNode(() => ({ answerAfterMs: 10_000 }));
    const from = now();
    const error = await world.failure(photos.put('k', 1, { timeoutMs: 300 }));
    expect(error).toMatchObject({ code: 'Timeout', outcome: 'unknown', retryable: true });
    expect(now() - from).toBeGreaterThanOrEqual(300);
    expect(now() - from).toBeLessThan(325);
  });

  test('a read that was sent and not answered: Timeout, but nothing can have happened', async () => {
    await start();
    everyNode(() => ({ answerAfterMs: 10_000 }));
    const error = await world.failure(photos.get('k', { timeoutMs: 300 }));
    expect(error).toMatchObject({ code: 'Timeout', outcome: 'failed' });
  });

  test('a write that never left: DeadlineExceeded, failed', async () => {
    world = await scriptedWorld();
    db = await world.connect();
    for (const n of [1, 2, 3]) world.network.partition(CLIENT, `n${n}`);
    // The one connection is gone; new ones are neither accepted nor refused.
    world.network.breakConnections(CLIENT, 'n1');
    await world.simulation.runFor(5);
    const error = await world.failure(db.namespace('photos').put('k', 1, { timeoutMs: 800 }));
    expect(error).toMatchObject({ code: 'DeadlineExceeded', outcome: 'failed' });
  });

  test('a late answer disturbs nobody', async () => {
    await start(testMap(1));
    world.node(1).react = () => ({ answerAfterMs: 400 });
    await world.failure(photos.put('k', 1, { timeoutMs: 300 }));
    world.node(1).react = () => 'serve';
    const calls = Promise.all([photos.get('k'), photos.get('other')]);
    await world.simulation.runFor(500);
    expect((await world.settle(calls))[0].siblings).toEqual([1]);
  });
});

describe('cancelling', () => {
  test('a write in flight: unknown, at once', async () => {
    await start();
    everyNode(() => ({ answerAfterMs: 1_000 }));
    const controller = new AbortController();
    const put = photos.put('k', 1, { signal: controller.signal });
    await world.simulation.runFor(100);
    controller.abort();
    const from = now();
    expect(await world.failure(put)).toMatchObject({ code: 'Cancelled', outcome: 'unknown' });
    expect(now() - from).toBeLessThan(25);
  });

  test('before it was sent: failed, and it is not', async () => {
    await start();
    const put = photos.put('k', 1, { signal: AbortSignal.abort() });
    expect(await world.failure(put)).toMatchObject({ code: 'Cancelled', outcome: 'failed' });
    await world.simulation.runFor(50);
    expect(allPuts()).toEqual([]);
  });

  test('during the pause before a retry: nothing is sent after it', async () => {
    await start();
    everyNode(() => wireError('Overloaded', { retryAfterMs: 200 }));
    const controller = new AbortController();
    const put = photos.put('k', 1, { signal: controller.signal });
    await world.simulation.runFor(50);
    controller.abort();
    expect(await world.failure(put)).toMatchObject({ code: 'Cancelled', outcome: 'failed' });
    await world.simulation.runFor(1_000);
    expect(allPuts()).toHaveLength(1);
  });
});

describe('what nodes ask of a client', () => {
  test('Overloaded: not before the retry-after', async () => {
    await start();
    const at: number[] = [];
    everyNode(() => (at.push(now()) === 1 ? wireError('Overloaded', { retryAfterMs: 300 }) : 'serve'));
    await world.settle(photos.put('k', 1));
    expect(at).toHaveLength(2);
    expect((at[1] ?? 0) - (at[0] ?? 0)).toBeGreaterThanOrEqual(300);
    expect((at[1] ?? 0) - (at[0] ?? 0)).toBeLessThan(330);
  });

  test('Overloaded for longer than the call has: given up at once, with the hint', async () => {
    await start();
    everyNode(() => wireError('Overloaded', { retryAfterMs: 5_000 }));
    const from = now();
    const error = await world.failure(photos.put('k', 1, { timeoutMs: 1_000 }));
    expect(error).toMatchObject({ code: 'Overloaded', outcome: 'failed', retryAfterMs: 5_000 });
    expect(now() - from).toBeLessThan(50);
  });

  test('StaleMap: the new map is followed at once', async () => {
    await start();
    const map = testMap(3, { epoch: 2 });
    const moved: ClusterMap = {
      ...map,
      placement: map.placement.map((partitions) => partitions.map(() => [nodeId('n3')])),
    };
    for (const n of [1, 2, 3]) {
      world.node(n).react = ({ epoch }) => (epoch < 2 ? wireError('StaleMap', { map: moved }) : 'serve');
    }
    const from = now();
    await world.settle(photos.put(keyFor(1), 1));
    expect(now() - from).toBeLessThan(15);
    expect(db?.map.epoch).toBe(2);
    expect(world.node(3).requests.at(-1)).toMatchObject({ epoch: 2 });
    expect(allPuts()).toHaveLength(2);
  });

  test('a newer map in a welcome is followed, an older one is not', async () => {
    world = await scriptedWorld();
    world.node(2).map = testMap(3, { epoch: 5 });
    world.node(3).map = testMap(3, { epoch: 4 });
    db = await world.connect();
    const read = db.namespace('photos');
    for (const n of [1, 2, 3]) await world.settle(read.get(keyFor(n)));
    await world.simulation.runFor(50);
    expect(db.map.epoch).toBe(5);
  });

  test('NotReplica: another replica, then whoever is right', async () => {
    await start();
    world.node(1).react = () => wireError('NotReplica');
    const from = now();
    await world.settle(photos.put(keyFor(1), 1));
    expect(now() - from).toBeLessThan(15);
    expect(allPuts()).toHaveLength(2);
  });

  test('goodbye: what is in flight is answered there, what comes next goes elsewhere', async () => {
    await start();
    world.node(1).react = () => ({ answerAfterMs: 200 });
    const early = photos.put(keyFor(1), 1);
    await world.simulation.runFor(20);
    world.node(1).say({ type: 'goodbye', reason: 'restart' });
    await world.simulation.runFor(20);
    await world.settle(photos.put(keyFor(1), 2));
    expect((await world.settle(early)).siblings).toBe(1);
    expect(puts(world.node(1))).toHaveLength(1);
    await world.simulation.runFor(20);
    expect(world.node(1).connections.size).toBe(0);
  });

  test('goodbye, and then it dies unseen: what is in flight there is found and made again elsewhere', async () => {
    await start();
    world.node(1).react = () => ({ lose: 'request' });
    const early = photos.put(keyFor(1), 1, { timeoutMs: 30_000 });
    await world.simulation.runFor(20);
    world.node(1).say({ type: 'goodbye', reason: 'restart' });
    await world.simulation.runFor(20);
    world.network.halfOpen(CLIENT, 'n1');
    const from = now();
    await world.settle(early);
    expect(now() - from).toBeLessThan(SDK_SILENCE_MS_MAX + 500);
    expect(allPuts().map((put) => put.attempt)).toEqual([0, 1]);
  });

  test('closing lets go of connections that are still leaving', async () => {
    await start();
    world.node(1).react = () => ({ lose: 'request' });
    const refused = photos.put(keyFor(1), 1, { timeoutMs: 30_000 }).catch((error: unknown) => error);
    await world.simulation.runFor(20);
    world.node(1).say({ type: 'goodbye', reason: 'restart' });
    await world.simulation.runFor(20);
    expect(world.node(1).connections.size).toBe(1);
    const closing = db?.close();
    db = undefined;
    await world.settle(Promise.resolve(closing));
    expect(await refused).toMatchObject({ outcome: 'unknown' });
    await world.simulation.runFor(20);
    expect(world.node(1).connections.size).toBe(0);
  });

  test('a node that sends garbage is dropped, and the call goes on elsewhere', async () => {
    await start();
    world.node(1).react = () => ({ lose: 'request' });
    const get = photos.get(keyFor(1));
    await world.simulation.runFor(20);
    for (const connection of world.node(1).connections) connection.send(new Uint8Array([1, 2, 3, 4, 5, 6]));
    await world.settle(get);
    expect(world.node(2).requests.length + world.node(3).requests.length).toBe(1);
  });

  test('a node that sends a client what only nodes get is dropped', async () => {
    await start();
    const hello = world.node(1).hellos[0];
    if (hello === undefined) throw new Error('no hello');
    for (const connection of world.node(1).connections) connection.send(encodeFrame([hello]));
    await world.simulation.runFor(10);
    expect(world.node(1).connections.size).toBe(0);
  });
});

describe('connecting', () => {
  const connecting = async (seeds: readonly string[], more = {}): Promise<unknown> => {
    const promise = connectWith(world.runtime, { seeds, cluster: 'test', ...more });
    void promise.then(
      (connected) => (db = connected),
      () => {},
    );
    return world.failure(promise);
  };

  test('a cluster of another name is refused, at once', async () => {
    world = await scriptedWorld();
    const error = await connecting(['test:1', 'test:2'], { cluster: 'other' });
    expect(error).toMatchObject({ code: 'WrongCluster', outcome: 'failed' });
    expect(now()).toBeLessThan(100);
  });

  test('a node that claims another name in its welcome is refused too', async () => {
    world = await scriptedWorld();
    world.node(1).map = { ...testMap(3), cluster: 'other' };
    world.node(1).anyCluster = true;
    expect(await connecting(['test:1'])).toMatchObject({ code: 'WrongCluster' });
  });

  test('another protocol version is refused, at once', async () => {
    world = await scriptedWorld();
    world.node(1).protocol = 99;
    expect(await connecting(['test:1'])).toMatchObject({ code: 'UnsupportedProtocol', retryable: false });
    expect(now()).toBeLessThan(100);
  });

  test('one good seed is enough', async () => {
    world = await scriptedWorld();
    world.node(1).refusal = wireError('NotAuthorized');
    world.network.partition(CLIENT, 'n2');
    db = await world.connect({ seeds: ['test:1', 'test:2', 'test:77', 'test:3'] });
    expect(db.map.epoch).toBe(1);
    expect(now()).toBeLessThan(100);
  });

  test('no seed answers: NoReachableNode when the time is up, and nothing goes on after it', async () => {
    world = await scriptedWorld();
    world.network.partition(CLIENT, 'n1');
    const error = await connecting(['test:1', 'test:77'], { timeoutMs: 3_000 });
    expect(error).toMatchObject({ code: 'NoReachableNode', outcome: 'failed' });
    expect((error as Error).message).toMatch(/test:1: .*test:77: /);
    expect(now()).toBeGreaterThan(2_990);
    expect(now()).toBeLessThan(3_100);
    world.network.heal();
    await world.simulation.runFor(10_000);
    expect(world.node(1).hellos).toEqual([]);
  });

  test('a cluster that starts while we wait is found', async () => {
    world = await scriptedWorld();
    await world.node(1).kill();
    const promise = connectWith(world.runtime, { seeds: ['test:1'] });
    await world.simulation.runFor(2_000);
    await world.node(1).start();
    db = await world.settle(promise);
    expect(now()).toBeLessThan(3_200);
  });

  test('options are checked first', async () => {
    world = await scriptedWorld();
    expect(await connecting([])).toMatchObject({ code: 'BadRequest' });
    expect(await connecting(['nowhere'])).toMatchObject({ code: 'BadRequest' });
    expect(await connecting(['test:1'], { timeoutMs: NaN })).toMatchObject({ code: 'BadRequest' });
  });

  test('credentials and the client’s name travel in the hello', async () => {
    world = await scriptedWorld();
    db = await world.connect({ credentials: 'secret' });
    expect(world.node(1).hellos[0]).toMatchObject({
      role: 'client',
      credentials: 'secret',
      cluster: 'test',
      protocol: PROTOCOL_VERSION,
      mapEpoch: 0,
      mapHash: '',
    });
  });
});

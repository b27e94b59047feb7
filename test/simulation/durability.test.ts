/** L2: nothing is acknowledged, to a client or to a coordinator, before its batch is on disk. */
import { describe, expect, it } from 'vitest';
import type { Message } from '../../src/protocol/messages.js';
import { ASK_AGAIN_MS } from '../../src/replication/leaderless/tuning.js';
import { RawClient } from '../support/raw-client.js';
import { SimCluster } from '../support/sim-cluster.js';
import { watch, type Watched } from '../support/watched.js';

const ONE_PARTITION = `
  - { name: default, strategy: leaderless, partitions: 1 }
`;

interface Told {
  readonly from: string;
  readonly type: string;
}

/** A cluster that notes who confirmed stores and who answered puts. */
async function start(seed: number): Promise<{ cluster: SimCluster; told: Told[] }> {
  const told: Told[] = [];
  const onMessage = (from: string, _to: string, message: Message): void => {
    if (message.type === 'replica' && message.message.type === 'store-result')
      told.push({ from, type: 'store-result' });
    if (message.type === 'response' && 'type' in message.result)
      told.push({ from, type: message.result.type });
  };
  const cluster = await SimCluster.start({ seed, namespaces: ONE_PARTITION, onMessage });
  told.length = 0;
  return { cluster, told };
}

/** Writes through n1 while the disks of some nodes stop before their fsync, and lets a second pass. */
async function writeWithHeldDisks(
  cluster: SimCluster,
  held: readonly string[],
  write: 'quorum' | 'all' | 'one' = 'quorum',
): Promise<Watched<unknown>> {
  const client = await RawClient.open(cluster, 'n1');
  for (const name of held) cluster.world.disk(name).holdSync();
  const put = watch(client.put('k', 'v', { write, budgetMs: 30_000 }));
  await cluster.simulation.runUntil(() => held.every((name) => cluster.world.disk(name).holding));
  await cluster.simulation.runFor(1_000);
  return put;
}

describe('durability: sync', () => {
  it.each([['n1'], ['n2'], ['n3']])(
    'with the fsync of %s held, that replica confirms nothing',
    async (name) => {
      const { cluster, told } = await start(1);
      const put = await writeWithHeldDisks(cluster, [name], 'all');
      expect(put.settled).toBe(false);
      expect(told.filter(({ from }) => from === name)).toEqual([]);
      cluster.world.disk(name).releaseSync();
      await cluster.simulation.runUntil(() => put.settled);
      expect(put.error).toBeUndefined();
      expect(cluster.stored(name, 'k')).toEqual(['v']);
    },
  );

  it('the coordinator counts itself only after its own fsync', async () => {
    const { cluster } = await start(2);
    const put = await writeWithHeldDisks(cluster, ['n1'], 'one');
    expect(put.settled).toBe(false);
    cluster.world.disk('n1').releaseSync();
    await cluster.simulation.runUntil(() => put.settled);
    expect(put.error).toBeUndefined();
  });

  it('sends no copy to a replica before its own copy is on disk', async () => {
    const { cluster } = await start(3);
    await writeWithHeldDisks(cluster, ['n1']);
    // Longer than it takes to ask again what has found no answer.
    await cluster.simulation.runFor(4 * ASK_AGAIN_MS);
    expect(cluster.record('n2', 'k')).toBeUndefined();
    expect(cluster.record('n3', 'k')).toBeUndefined();
  });

  /*
   * The read begins while n1 holds the write in memory only: its first question waits for the disk, a spare replica is asked in
   * a later step, and so is the reply made. It used to leave at once, with a repair of that replica; a crash of n1 then left a dot there
   * that n1 had forgotten, and its next dot covered it (experiment leaderless-power-cuts, seed 4).
   */
  it('a read passes on nothing of its own copy before that is on disk', async () => {
    const { cluster } = await start(8);
    const put = await writeWithHeldDisks(cluster, ['n1']);
    const reader = await RawClient.open(cluster, 'n1');
    const get = watch(reader.get('k', { budgetMs: 30_000 }));
    await cluster.simulation.runFor(1_000);
    expect(get.settled).toBe(false);
    expect(cluster.record('n2', 'k')).toBeUndefined();
    expect(cluster.record('n3', 'k')).toBeUndefined();
    cluster.world.disk('n1').releaseSync();
    await cluster.simulation.runUntil(() => put.settled && get.settled);
    expect(get.value?.values).toEqual(['v']);
  });

  it('with two fsyncs held nothing is acknowledged; with one released W = 2 is', async () => {
    const { cluster, told } = await start(4);
    const put = await writeWithHeldDisks(cluster, ['n2', 'n3']);
    expect(put.settled).toBe(false);
    expect(told).toEqual([]);
    cluster.world.disk('n3').releaseSync();
    await cluster.simulation.runUntil(() => put.settled);
    expect(put.error).toBeUndefined();
    expect(told.filter(({ type }) => type === 'store-result')).toEqual([
      { from: 'n3', type: 'store-result' },
    ]);
  });

  it('a write that no fsync covered is gone after a power cut, and was never acknowledged', async () => {
    const { cluster, told } = await start(5);
    const put = await writeWithHeldDisks(cluster, ['n1']);
    expect(put.settled).toBe(false);
    cluster.crash('n1', { unsynced: 'lost' });
    await cluster.settle(cluster.boot('n1'));
    await cluster.allReachable();
    for (const name of cluster.names) expect(cluster.record(name, 'k')).toBeUndefined();
    expect(told.filter(({ type }) => type === 'put-result')).toEqual([]);
    const db = await cluster.connect('reader');
    const entry = await cluster.settle(db.namespace('default').get('k', { read: 'all' }));
    expect(entry.value).toBeUndefined();
  });

  it('a copy that two replicas had not synced is lost in a cut of all power, and the client never got its yes', async () => {
    const { cluster } = await start(6);
    const put = await writeWithHeldDisks(cluster, ['n2', 'n3']);
    for (const name of cluster.names) cluster.crash(name, { unsynced: 'lost' });
    await cluster.settle(Promise.all(cluster.names.map((name) => cluster.boot(name))));
    await cluster.allReachable();
    expect(cluster.stored('n1', 'k')).toEqual(['v']);
    expect(cluster.record('n2', 'k')).toBeUndefined();
    expect(put.value).toBeUndefined();
  });

  // Campaign seed 6: a late read repair carried a write to another replica whose coordinator lost it in a power cut.
  it('a read that asks a spare replica meanwhile waits for the unwritten copy that it began with, and repairs nobody by it', async () => {
    const { cluster, told } = await start(6);
    const put = await writeWithHeldDisks(cluster, ['n1']);
    const reader = await RawClient.open(cluster, 'n1');
    const reads = [0, 1, 2, 3].map(() => watch(reader.get('k', { read: 2, budgetMs: 30_000 })));
    await cluster.simulation.runFor(1_000);
    expect(reads.map(({ settled }) => settled)).toEqual([false, false, false, false]);
    for (const name of ['n2', 'n3']) expect(cluster.record(name, 'k')).toBeUndefined();
    expect(told.filter(({ type }) => type === 'store-result')).toEqual([]);
    cluster.world.disk('n1').releaseSync();
    await cluster.simulation.runUntil(() => put.settled && reads.every(({ settled }) => settled));
    expect(put.error).toBeUndefined();
  });

  it('a read through the overlay waits for the write that it saw', async () => {
    const { cluster } = await start(7);
    const put = await writeWithHeldDisks(cluster, ['n1'], 'one');
    const reader = await RawClient.open(cluster, 'n1');
    const read = watch(reader.get('k', { read: 'one', budgetMs: 30_000 }));
    await cluster.simulation.runFor(1_000);
    expect(read.settled).toBe(false);
    cluster.world.disk('n1').releaseSync();
    await cluster.simulation.runUntil(() => read.settled && put.settled);
    expect(read.value?.values).toEqual(['v']);
  });

  it.each([11, 12, 13])(
    'every acknowledged write survives a power cut of all three nodes, seed %i',
    async (seed) => {
      const cluster = await SimCluster.start({ seed });
      for (const name of cluster.names) cluster.world.disk(name).setTimes({ fsyncMs: [5, 60] });
      const acknowledged: string[] = [];
      const outcomes: string[] = [];
      for (let c = 0; c < 4; c++) {
        const ns = (await cluster.connect(`c${c}`, { timeoutMs: 2_000 })).namespace<string>('default');
        const work = async (): Promise<void> => {
          for (let i = 0; i < 100; i++) {
            const key = `c${c}/${i}`;
            await ns.put(key, key);
            acknowledged.push(key);
          }
        };
        void work().catch((error: unknown) => outcomes.push(String(error)));
      }
      await cluster.simulation.runFor(1_000);
      expect(acknowledged.length).toBeGreaterThan(10);
      expect(acknowledged.length).toBeLessThan(400);
      for (const name of cluster.names) cluster.crash(name, { unsynced: 'lost' });
      const atTheCut = [...acknowledged];
      await cluster.simulation.runFor(500);
      await cluster.settle(Promise.all(cluster.names.map((name) => cluster.boot(name))));
      await cluster.allReachable();
      const ns = (await cluster.connect('judge')).namespace<string>('default');
      for (const key of atTheCut) expect((await cluster.settle(ns.get(key))).value).toBe(key);
    },
  );
});

describe('durability: buffered', () => {
  it('acknowledges without an fsync, as it says', async () => {
    const cluster = await SimCluster.start({
      seed: 20,
      namespaces: '\n  - { name: default, strategy: leaderless, partitions: 1, durability: buffered }\n',
    });
    const client = await RawClient.open(cluster, 'n1');
    // The first write of a run reserves counters; hold every disk only after it.
    await cluster.settle(client.put('warm', 'up'));
    await cluster.simulation.runFor(1_000);
    for (const name of cluster.names) cluster.world.disk(name).setTimes({ fsyncMs: [100_000, 100_001] });
    await cluster.settle(client.put('k', 'v', { write: 'all' }), 1_000);
    expect(cluster.stored('n2', 'k')).toEqual(['v']);
  });
});

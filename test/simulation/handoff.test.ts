/** L8: a hint goes only when its peer has confirmed exactly the record held here. */
import { describe, expect, it } from 'vitest';
import { HINT_BYTES_MAX_PER_PEER, KEY_BYTES_MAX } from '../../src/core/limits.js';
import { partitionOfKey } from '../../src/core/hash.js';
import { HANDOFF_RETRY_MS_MAX, STORE_ANSWER_MS_MAX } from '../../src/replication/leaderless/tuning.js';
import { RawClient } from '../support/raw-client.js';
import { SimCluster } from '../support/sim-cluster.js';

const ONE_PARTITION = `
  - { name: default, strategy: leaderless, partitions: 1 }
`;

async function start(seed: number): Promise<SimCluster> {
  return SimCluster.start({ seed, namespaces: ONE_PARTITION });
}

/** The keys that a node keeps hints of for a peer, as they stand on its disk. */
function hints(cluster: SimCluster, node: string, peer: string): string[] {
  const gte = `g/default/0/h/${peer}/`;
  const found = cluster.world.disk(node).keys({ gte, lt: `${gte.slice(0, -1)}0` });
  return found.map((key) => key.slice(gte.length));
}

/** Crashes n3 and waits until n1 knows. */
async function loseN3(cluster: SimCluster): Promise<RawClient> {
  const n1 = await RawClient.open(cluster, 'n1');
  cluster.crash('n3');
  await cluster.simulation.runUntil(() =>
    cluster
      .node('n1')
      .status()
      .peers.some((p) => !p.reachable),
  );
  return n1;
}

async function putMany(cluster: SimCluster, client: RawClient, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await cluster.settle(client.put(`k${i}`, 'v'));
}

/** Runs until n1 has no hints left for n3, and says how many it delivered. */
async function delivered(cluster: SimCluster): Promise<number> {
  await cluster.simulation.runUntil(() => hints(cluster, 'n1', 'n3').length === 0);
  await cluster.simulation.runFor(2_500);
  expect(cluster.gauge('n1', 'hints')).toBe(0);
  return cluster.counter('n1', 'hints_delivered');
}

describe('hinted handoff', () => {
  it('keeps a hint for each key that an unreachable replica missed, and delivers when it is back', async () => {
    const cluster = await start(1);
    const n1 = await loseN3(cluster);
    await putMany(cluster, n1, 20);
    expect(hints(cluster, 'n1', 'n3')).toHaveLength(20);
    expect(cluster.gauge('n1', 'hints')).toBe(20);
    await cluster.settle(cluster.boot('n3'));
    expect(await delivered(cluster)).toBe(20);
    for (let i = 0; i < 20; i++) expect(cluster.stored('n3', `k${i}`)).toEqual(['v']);
    expect(cluster.disagreements()).toEqual([]);
  });

  it('a key written often is one hint, and what arrives is its newest record', async () => {
    const cluster = await start(2);
    const n1 = await loseN3(cluster);
    let context: Uint8Array | null = null;
    for (let i = 0; i < 30; i++) {
      const written = n1.put('k', `v${i}`, { context });
      ({ context } = await cluster.settle(written));
    }
    expect(hints(cluster, 'n1', 'n3')).toEqual(['k']);
    await cluster.settle(cluster.boot('n3'));
    expect(await delivered(cluster)).toBe(1);
    expect(cluster.stored('n3', 'k')).toEqual(['v29']);
  });

  it('a hint is on disk before its write is acknowledged', async () => {
    const cluster = await start(3);
    const n1 = await loseN3(cluster);
    await cluster.settle(n1.put('k', 'v'));
    cluster.crash('n1', { unsynced: 'lost' });
    expect(hints(cluster, 'n1', 'n3')).toEqual(['k']);
  });

  it('hints survive a restart of who keeps them', async () => {
    const cluster = await start(4);
    const n1 = await loseN3(cluster);
    await putMany(cluster, n1, 70);
    cluster.crash('n1', { unsynced: 'lost' });
    await cluster.settle(cluster.boot('n1'));
    await cluster.simulation.runFor(1_000);
    expect(cluster.gauge('n1', 'hints')).toBe(70);
    await cluster.settle(cluster.boot('n3'));
    expect(await delivered(cluster)).toBe(70);
  });

  it('a restart of the receiver in the middle of a delivery loses nothing', async () => {
    const cluster = await start(5);
    const n1 = await loseN3(cluster);
    await putMany(cluster, n1, 150);
    cluster.world.disk('n3').setTimes({ fsyncMs: [20, 30] });
    await cluster.settle(cluster.boot('n3'));
    await cluster.simulation.runUntil(() => {
      const left = hints(cluster, 'n1', 'n3').length;
      return left > 0 && left < 150;
    });
    cluster.crash('n3', { unsynced: 'lost' });
    await cluster.simulation.runFor(3_000);
    expect(hints(cluster, 'n1', 'n3').length).toBeGreaterThan(0);
    await cluster.settle(cluster.boot('n3'));
    await delivered(cluster);
    for (let i = 0; i < 150; i++) expect(cluster.stored('n3', `k${i}`)).toEqual(['v']);
  });

  it('a restart of the sender in the middle of a delivery goes on with what is left', async () => {
    const cluster = await start(6);
    const n1 = await loseN3(cluster);
    await putMany(cluster, n1, 150);
    cluster.world.disk('n3').setTimes({ fsyncMs: [20, 30] });
    await cluster.settle(cluster.boot('n3'));
    await cluster.simulation.runUntil(() => {
      const left = hints(cluster, 'n1', 'n3').length;
      return left > 0 && left < 150;
    });
    cluster.crash('n1', { unsynced: 'lost' });
    const left = hints(cluster, 'n1', 'n3').length;
    await cluster.settle(cluster.boot('n1'));
    expect(await delivered(cluster)).toBe(left);
    for (let i = 0; i < 150; i++) expect(cluster.stored('n3', `k${i}`)).toEqual(['v']);
  });

  it('a write that came in between keeps the hint, though the peer confirmed the older record', async () => {
    let confirmed = 0;
    const cluster = await SimCluster.start({
      seed: 7,
      namespaces: ONE_PARTITION,
      onMessage: (from, to, message) => {
        if (message.type !== 'replica' || message.message.type !== 'store-result') return;
        if (from === 'n3' && to === 'n1' && message.message.status === 'stored') confirmed++;
      },
    });
    const n1 = await loseN3(cluster);
    const first = await cluster.settle(n1.put('k', 'first'));
    await cluster.settle(cluster.boot('n3'));
    cluster.world.disk('n3').holdSync();
    await cluster.allReachable();
    await cluster.simulation.runUntil(() => cluster.world.disk('n3').holding);
    // n3 is about to confirm the first record; the second will not reach it.
    cluster.world.network.block('n1', 'n3');
    await cluster.settle(n1.put('k', 'second', { context: first.context }));
    expect(confirmed).toBe(0);
    cluster.world.disk('n3').releaseSync();
    await cluster.simulation.runUntil(() => confirmed === 1);
    await cluster.simulation.runFor(100);
    expect(cluster.stored('n3', 'k')).toEqual(['first']);
    expect(hints(cluster, 'n1', 'n3')).toEqual(['k']);
    cluster.world.network.calm();
    await delivered(cluster);
    expect(cluster.stored('n3', 'k')).toEqual(['second']);
  });

  it('a replica that is merely too slow to confirm gets a hint as well', async () => {
    const cluster = await start(8);
    const n1 = await RawClient.open(cluster, 'n1');
    cluster.world.disk('n3').holdSync();
    await cluster.settle(n1.put('k', 'v'));
    expect(hints(cluster, 'n1', 'n3')).toEqual([]);
    await cluster.simulation.runFor(STORE_ANSWER_MS_MAX + 200);
    expect(hints(cluster, 'n1', 'n3')).toEqual(['k']);
    cluster.world.disk('n3').releaseSync();
    await delivered(cluster);
    expect(cluster.stored('n3', 'k')).toEqual(['v']);
  });

  it('a replica that cannot write refuses, and its hint waits until it can', async () => {
    const cluster = await start(9);
    const n1 = await RawClient.open(cluster, 'n1');
    cluster.world.disk('n3').setFreeBytes(0);
    await cluster.settle(n1.put('k', 'v'));
    await cluster.simulation.runFor(3_000);
    expect(hints(cluster, 'n1', 'n3')).toEqual(['k']);
    cluster.world.disk('n3').setFreeBytes(Infinity);
    await delivered(cluster);
    expect(cluster.stored('n3', 'k')).toEqual(['v']);
  });

  it('a replica that goes on refusing is asked with one hint at a time, and ever more seldom', async () => {
    let stores = 0;
    const cluster = await SimCluster.start({
      seed: 11,
      namespaces: ONE_PARTITION,
      onMessage: (from, to, m) => {
        if (m.type === 'replica' && m.message.type === 'store' && from === 'n1' && to.includes('n3'))
          stores++;
      },
    });
    const n1 = await RawClient.open(cluster, 'n1');
    cluster.world.disk('n3').setFreeBytes(0);
    await putMany(cluster, n1, 300);
    await cluster.simulation.runFor(10_000);
    stores = 0;
    await cluster.simulation.runFor(60_000);
    expect(stores).toBeGreaterThanOrEqual(3);
    expect(stores).toBeLessThanOrEqual(10);
    expect(cluster.gauge('n1', 'hints')).toBe(300);
    expect(cluster.counter('n1', 'handoffs_refused')).toBeLessThanOrEqual(12);
    cluster.world.disk('n3').setFreeBytes(Infinity);
    await cluster.simulation.runFor(HANDOFF_RETRY_MS_MAX + 3_000);
    expect(hints(cluster, 'n1', 'n3')).toEqual([]);
    expect(cluster.gauge('n1', 'hints')).toBe(0);
  });

  it('hints are counted whole after a restart, though the peer refuses them', async () => {
    const cluster = await start(12);
    const n1 = await RawClient.open(cluster, 'n1');
    cluster.world.disk('n3').setFreeBytes(0);
    await putMany(cluster, n1, 100);
    await cluster.simulation.runFor(3_000);
    cluster.crash('n1');
    await cluster.settle(cluster.boot('n1'));
    await cluster.allReachable();
    await cluster.simulation.runFor(5_000);
    expect(cluster.gauge('n1', 'hints')).toBe(100);
  });

  it('writes that keep coming do not put the delivery off', async () => {
    const cluster = await start(13);
    const n1 = await RawClient.open(cluster, 'n1');
    cluster.world.disk('n3').setFreeBytes(0);
    await cluster.settle(n1.put('k', 'v'));
    for (let i = 0; i < 40; i++) {
      await cluster.settle(n1.put(`k${i}`, 'v'));
      await cluster.simulation.runFor(250);
    }
    expect(cluster.counter('n1', 'handoffs_refused')).toBeGreaterThan(1);
  });

  it('is bounded in bytes: what is beyond is counted and left to anti-entropy, which still brings it', async () => {
    const partitions = 256;
    const cluster = await SimCluster.start({
      seed: 10,
      namespaces: `\n  - { name: default, strategy: leaderless, partitions: ${partitions} }\n`,
    });
    const n1 = await loseN3(cluster);
    const roomFor = Math.floor(HINT_BYTES_MAX_PER_PEER / partitions / KEY_BYTES_MAX);
    const key = (i: number): string => `{tag}${String(i).padStart(KEY_BYTES_MAX - 5, '0')}`;
    for (let i = 0; i < roomFor + 20; i++) await cluster.settle(n1.put(key(i), 'v'));
    expect(cluster.counter('n1', 'hints_kept')).toBe(roomFor);
    expect(cluster.counter('n1', 'hints_dropped')).toBe(20);
    await cluster.settle(cluster.boot('n3'));
    await cluster.converge(60_000);
    const place = cluster.recordKey('default', partitionOfKey('{tag}', partitions), key(roomFor + 19));
    expect(cluster.world.disk('n3').peek(place)).toBeDefined();
    // What was delivered makes room again.
    await cluster.simulation.runUntil(() => cluster.gauge('n1', 'hints') === 0);
    cluster.crash('n3');
    await cluster.simulation.runUntil(() =>
      cluster
        .node('n1')
        .status()
        .peers.some((p) => !p.reachable),
    );
    await cluster.settle(n1.put(key(roomFor + 20), 'v'));
    expect(cluster.counter('n1', 'hints_dropped')).toBe(20);
  });
});

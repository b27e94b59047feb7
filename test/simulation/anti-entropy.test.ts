/** Anti-entropy: silent where replicas agree (L12), thorough where they do not, and not fooled by writes under way. */
import { describe, expect, it } from 'vitest';
import type { Message } from '../../src/protocol/messages.js';
import {
  COMPARE_MS,
  OFFER_FETCHES_MAX,
  RECOUNT_DAMAGED_MS,
  RECOUNT_MS,
} from '../../src/replication/leaderless/tuning.js';
import { RawClient } from '../support/raw-client.js';
import { SimCluster, type SimClusterOptions } from '../support/sim-cluster.js';

const ONE_PARTITION = `
  - { name: default, strategy: leaderless, partitions: 1 }
`;

/** A cluster and the types of all messages between its replicas since `told` was last emptied. */
async function start(
  seed: number,
  options: Partial<SimClusterOptions> = {},
): Promise<{ cluster: SimCluster; told: string[] }> {
  const told: string[] = [];
  const onMessage = (from: string, to: string, message: Message): void => {
    if (message.type === 'replica') told.push(`${from}>${to} ${message.message.type}`);
  };
  const cluster = await SimCluster.start({ seed, namespaces: ONE_PARTITION, onMessage, ...options });
  return { cluster, told };
}

/** Takes a node back to what an image of its disk holds. */
async function takeBack(cluster: SimCluster, name: string, image: ReturnType<typeof imageOf>): Promise<void> {
  cluster.crash(name);
  cluster.world.disk(name).restore(image);
  await cluster.settle(cluster.boot(name));
  await cluster.allReachable();
}

function imageOf(cluster: SimCluster, name: string) {
  return cluster.world.disk(name).image();
}

async function putAll(cluster: SimCluster, client: RawClient, count: number, prefix = 'k'): Promise<void> {
  for (let i = 0; i < count; i++) await cluster.settle(client.put(`${prefix}${i}`, 'v', { write: 'all' }));
}

function sum(cluster: SimCluster, counter: string): number {
  return cluster.names.reduce((total, name) => total + cluster.counter(name, counter), 0);
}

describe('L12: replicas that agree', () => {
  it('exchange one message for each comparison, and nothing else', async () => {
    const { cluster, told } = await start(1);
    const n1 = await RawClient.open(cluster, 'n1');
    await putAll(cluster, n1, 100);
    await cluster.simulation.runFor(10_000);
    told.length = 0;
    const comparisons = 15;
    await cluster.simulation.runFor(comparisons * COMPARE_MS);
    expect(new Set(told.map((line) => line.split(' ')[1]))).toEqual(new Set(['compare-root']));
    // Three replicas, each with one of the others at a time.
    expect(told.length).toBeGreaterThanOrEqual(3 * (comparisons - 2));
    expect(told.length).toBeLessThanOrEqual(3 * (comparisons + 1));
    // And each with both in turn.
    expect(new Set(told).size).toBe(6);
  });

  it('do so through recounts, which find no drift', async () => {
    const { cluster, told } = await start(2);
    const n1 = await RawClient.open(cluster, 'n1');
    await putAll(cluster, n1, 20);
    await cluster.simulation.runFor(10_000);
    told.length = 0;
    await cluster.simulation.runFor(2 * RECOUNT_MS);
    expect(new Set(told.map((line) => line.split(' ')[1]))).toEqual(new Set(['compare-root']));
    expect(sum(cluster, 'tree_drifts')).toBe(0);
  });
});

describe('replicas that differ', () => {
  it('a wiped replica is refilled, with every key', async () => {
    const { cluster } = await start(10);
    const n1 = await RawClient.open(cluster, 'n1');
    await putAll(cluster, n1, 600);
    cluster.crash('n3');
    cluster.world.disk('n3').wipe();
    await cluster.settle(cluster.boot('n3'));
    await cluster.converge(60_000);
    expect(cluster.disagreements()).toEqual([]);
    expect(cluster.stored('n3', 'k599')).toEqual(['v']);
    expect(cluster.counter('n3', 'anti_entropy_repairs')).toBe(600);
  });

  it('a wiped replica is refilled quickly, though it fetches only so much at once', async () => {
    let open = 0;
    let openMax = 0;
    const onMessage = (from: string, to: string, message: Message): void => {
      if (message.type !== 'replica') return;
      if (message.message.type === 'pull' && from === 'n3' && to.includes('n1')) open++;
      if (message.message.type === 'fetch-result' && from === 'n1' && to.includes('n3')) open--;
      openMax = Math.max(openMax, open);
    };
    const { cluster } = await start(15, { onMessage });
    const n1 = await RawClient.open(cluster, 'n1');
    const keys = Array.from({ length: 2_000 }, (_, i) => `k${i}`);
    await cluster.settle(
      Promise.all(keys.map((key) => n1.put(key, 'v', { write: 'all', budgetMs: 60_000 }))),
    );
    cluster.crash('n3');
    cluster.world.disk('n3').wipe();
    await cluster.settle(cluster.boot('n3'));
    openMax = 0;
    await cluster.converge(10_000);
    expect(cluster.counter('n3', 'anti_entropy_repairs')).toBe(2_000);
    expect(openMax).toBeGreaterThan(100);
    expect(openMax).toBeLessThanOrEqual(OFFER_FETCHES_MAX);
  });

  it('what was offered beyond the window is found by the next comparisons', async () => {
    const { cluster } = await start(16);
    const n1 = await RawClient.open(cluster, 'n1');
    const keys = Array.from({ length: 2_000 }, (_, i) => `k${i}`);
    await cluster.settle(
      Promise.all(keys.map((key) => n1.put(key, 'v', { write: 'all', budgetMs: 60_000 }))),
    );
    cluster.crash('n3');
    cluster.world.disk('n3').wipe();
    for (const peer of ['n1', 'n2']) cluster.world.network.setLink(peer, 'n3', { latencyMs: [40, 60] });
    await cluster.settle(cluster.boot('n3'));
    await cluster.converge(30_000);
    expect(cluster.counter('n3', 'offers_dropped')).toBeGreaterThan(0);
  });

  it('a single key among many is found, and little else is sent for it', async () => {
    const { cluster, told } = await start(11);
    const n1 = await RawClient.open(cluster, 'n1');
    await putAll(cluster, n1, 300);
    const image = imageOf(cluster, 'n3');
    await cluster.settle(n1.put('missed', 'v', { write: 'all' }));
    await takeBack(cluster, 'n3', image);
    told.length = 0;
    await cluster.converge(30_000);
    await cluster.simulation.runFor(10_000);
    expect(cluster.stored('n3', 'missed')).toEqual(['v']);
    expect(told.filter((line) => line.endsWith(' fetch')).length).toBeLessThanOrEqual(2);
    expect(sum(cluster, 'anti_entropy_repairs')).toBe(1);
  });

  it('differences on both sides go both ways', async () => {
    const { cluster } = await start(12);
    const n1 = await RawClient.open(cluster, 'n1');
    const nothing = new Map(cluster.names.map((name) => [name, imageOf(cluster, name)]));
    await putAll(cluster, n1, 50, 'left');
    const images = new Map(['n1', 'n2'].map((name) => [name, imageOf(cluster, name)]));
    for (const [name, image] of nothing) {
      cluster.crash(name);
      cluster.world.disk(name).restore(image);
    }
    await cluster.settle(Promise.all(cluster.names.map((name) => cluster.boot(name))));
    await cluster.allReachable();
    await putAll(cluster, await RawClient.open(cluster, 'n1'), 50, 'right');
    images.set('n3', imageOf(cluster, 'n3'));
    for (const [name, image] of images) {
      cluster.crash(name);
      cluster.world.disk(name).restore(image);
    }
    expect([cluster.stored('n1', 'right7'), cluster.stored('n3', 'left7')]).toEqual([[], []]);
    await cluster.settle(Promise.all(cluster.names.map((name) => cluster.boot(name))));
    await cluster.converge(30_000);
    for (const name of cluster.names) {
      expect(cluster.stored(name, 'left7')).toEqual(['v']);
      expect(cluster.stored(name, 'right7')).toEqual(['v']);
    }
    expect(sum(cluster, 'anti_entropy_repairs')).toBe(150);
  });

  it('a version that only one replica has reaches all, without any read', async () => {
    const { cluster } = await start(13);
    const n1 = await RawClient.open(cluster, 'n1');
    await cluster.settle(n1.put('k', 'old', { write: 'all' }));
    const [two, three] = [imageOf(cluster, 'n2'), imageOf(cluster, 'n3')];
    const { context } = await cluster.settle(n1.get('k'));
    await cluster.settle(n1.put('k', 'new', { context, write: 'all' }));
    await takeBack(cluster, 'n2', two);
    await takeBack(cluster, 'n3', three);
    await cluster.converge(30_000);
    for (const name of cluster.names) expect(cluster.stored(name, 'k')).toEqual(['new']);
  });

  it('a replica whose tree is not counted takes no part', async () => {
    const { cluster, told } = await start(14);
    const n1 = await RawClient.open(cluster, 'n1');
    await putAll(cluster, n1, 10);
    cluster.crash('n3');
    await cluster.simulation.runFor(1_000);
    cluster.world.disk('n3').setTimes({ scanMs: [20_000, 20_001] });
    told.length = 0;
    await cluster.settle(cluster.boot('n3'));
    await cluster.simulation.runFor(15_000);
    expect(cluster.gauge('n3', 'treeReady')).toBe(0);
    expect(told.filter((line) => line.startsWith('n3>'))).toEqual([]);
    expect(sum(cluster, 'anti_entropy_differences')).toBe(0);
    await cluster.simulation.runUntil(() => cluster.gauge('n3', 'treeReady') === 1);
  });
});

describe('a range that the store cannot read', () => {
  it('leaves no half-counted tree, is repaired by key from what others offer, and is then counted', async () => {
    const { cluster } = await start(17);
    const n1 = await RawClient.open(cluster, 'n1');
    await putAll(cluster, n1, 600);
    cluster.crash('n3');
    for (const i of [5, 300]) cluster.world.disk('n3').damage(cluster.placeOf('default', `k${i}`));
    await cluster.settle(cluster.boot('n3'));
    await cluster.simulation.runFor(RECOUNT_DAMAGED_MS / 2);
    expect(cluster.counter('n3', 'scans_damaged')).toBe(1);
    expect(cluster.gauge('n3', 'treeReady')).toBe(0);
    await cluster.simulation.runFor(2 * RECOUNT_DAMAGED_MS);
    expect(cluster.counter('n3', 'records_repaired')).toBe(2);
    expect(cluster.gauge('n3', 'treeReady')).toBe(1);
    await cluster.simulation.runFor(RECOUNT_MS);
    expect(cluster.counter('n3', 'scans_damaged')).toBe(1);
    expect(cluster.disagreements()).toEqual([]);
  });

  it('that nobody can help with is tried ever more seldom', async () => {
    const { cluster } = await start(18);
    const n1 = await RawClient.open(cluster, 'n1');
    await putAll(cluster, n1, 20);
    for (const name of cluster.names) {
      cluster.crash(name);
      cluster.world.disk(name).damage(cluster.placeOf('default', 'k7'));
    }
    await cluster.settle(Promise.all(cluster.names.map((name) => cluster.boot(name))));
    await cluster.simulation.runFor(RECOUNT_MS);
    expect(cluster.counter('n3', 'scans_damaged')).toBeGreaterThan(2);
    expect(cluster.counter('n3', 'scans_damaged')).toBeLessThan(10);
    expect(cluster.gauge('n3', 'treeReady')).toBe(0);
  });
});

describe('writes under way', () => {
  it('look like differences, and are not offered', async () => {
    const { cluster, told } = await start(20, { conditions: { latencyMs: [1, 40] } });
    const db = await cluster.connect('app');
    const ns = db.namespace<number>('default');
    let stop = false;
    const work = async (client: number): Promise<void> => {
      for (let i = 0; !stop; i++) await ns.put(`c${client}/${i % 50}`, i, { write: 'all' });
    };
    const workers = Promise.all([0, 1, 2, 3].map(work));
    workers.catch(() => undefined);
    told.length = 0;
    await cluster.simulation.runFor(60_000);
    stop = true;
    await cluster.settle(workers);
    expect(told.some((line) => line.endsWith('compare-branches'))).toBe(true);
    expect(told.filter((line) => line.endsWith('offer-keys'))).toEqual([]);
    expect(sum(cluster, 'anti_entropy_differences')).toBe(0);
  });

  it('do not hide a stale key for ever', async () => {
    const { cluster } = await start(21, { conditions: { latencyMs: [1, 40] } });
    const n1 = await RawClient.open(cluster, 'n1');
    const image = imageOf(cluster, 'n3');
    await cluster.settle(n1.put('missed', 'v', { write: 'all' }));
    await takeBack(cluster, 'n3', image);
    const db = await cluster.connect('app');
    const ns = db.namespace<number>('default');
    let stop = false;
    const work = async (): Promise<void> => {
      for (let i = 0; !stop; i++) await ns.put(`busy/${i % 50}`, i);
    };
    const working = work();
    working.catch(() => undefined);
    await cluster.simulation.runUntil(() => cluster.record('n3', 'missed') !== undefined, {
      limitMs: 60_000,
    });
    stop = true;
    await cluster.settle(working);
  });

  it('leave the trees as a fresh count would make them, also while recounts run', async () => {
    const { cluster } = await start(22);
    const db = await cluster.connect('app');
    const ns = db.namespace<number>('default');
    for (let i = 0; i < 600; i++) await cluster.settle(ns.put(`k${i}`, i));
    // Each restart recounts in three chunks, beside writes in and between them.
    for (let round = 0; round < 3; round++) {
      cluster.crash('n2');
      await cluster.settle(cluster.boot('n2'));
      const writes = Array.from({ length: 200 }, (_, i) => ns.put(`k${(i * 37) % 900}`, i));
      await cluster.settle(Promise.all(writes));
    }
    await cluster.converge(30_000);
    await cluster.simulation.runFor(2 * RECOUNT_MS);
    expect(sum(cluster, 'tree_drifts')).toBe(0);
    expect(cluster.disagreements()).toEqual([]);
  });
});

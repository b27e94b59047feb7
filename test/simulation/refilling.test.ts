/** L18: a replica that has lost records counts in no read until it has them again; a new cluster serves at once. */
import { describe, expect, it } from 'vitest';
import { RawClient } from '../support/raw-client.js';
import { SimCluster } from '../support/sim-cluster.js';

const NAMESPACES = `
  - { name: default, strategy: leaderless, partitions: 1 }
  - { name: cache, strategy: leaderless, partitions: 1, durability: buffered }
`;

function start(seed: number, nodes = ['n1', 'n2', 'n3']): Promise<SimCluster> {
  return SimCluster.start({ seed, nodes, namespaces: NAMESPACES });
}

function client(cluster: SimCluster, name: string): Promise<RawClient> {
  return RawClient.open(cluster, name);
}

/** `n3` loses its disk while `n2` is down: the write on both is on no replica that n1 can reach, but for n2's. */
async function loseSecondCopy(cluster: SimCluster): Promise<RawClient> {
  const n2 = await client(cluster, 'n2');
  cluster.world.network.partition('n1', ['n2', 'n3']);
  await cluster.parted('n1', ['n2', 'n3']);
  await cluster.settle(n2.put('k', 'acknowledged'));
  cluster.crash('n2');
  cluster.crash('n3');
  cluster.world.disk('n3').wipe();
  cluster.world.network.heal();
  await cluster.settle(cluster.boot('n3'));
  await cluster.simulation.runFor(10_000);
  return client(cluster, 'n1');
}

describe('a lost disk', () => {
  it('never makes a read miss what was acknowledged: reads are refused until enough others are back', async () => {
    const cluster = await start(1);
    const n1 = await loseSecondCopy(cluster);
    expect(cluster.gauge('n3', 'refilling')).toBe(2);
    expect(cluster.gauge('n1', 'refilling')).toBe(0);
    await expect(cluster.settle(n1.get('k'))).rejects.toMatchObject({
      code: 'ReplicasRefilling',
      outcome: 'failed',
      retryable: true,
    });
    await expect(cluster.settle(n1.scan(0, {}))).rejects.toMatchObject({ code: 'ReplicasRefilling' });
    const n3 = await client(cluster, 'n3');
    await expect(cluster.settle(n3.get('k'))).rejects.toMatchObject({ code: 'ReplicasRefilling' });
    // It takes writes, and counts in W.
    await cluster.settle(n1.put('other', 'v'));
    expect(cluster.stored('n3', 'other')).toEqual(['v']);
    await cluster.settle(cluster.boot('n2'));
    await cluster.allReachable();
    await cluster.refilled();
    for (const name of cluster.names) {
      const reader = await client(cluster, name);
      expect((await cluster.settle(reader.get('k'))).values).toEqual(['acknowledged']);
    }
  });

  it('is said by explain, and by the status', async () => {
    const cluster = await start(2);
    const n1 = await client(cluster, 'n1');
    await cluster.settle(n1.put('k', 'v', { write: 'all' }));
    cluster.crash('n3');
    cluster.world.disk('n3').wipe();
    cluster.world.network.partition('n2', ['n3']);
    await cluster.settle(cluster.boot('n3'));
    await cluster.simulation.runFor(5_000);
    expect(cluster.gauge('n3', 'refilling')).toBe(2);
    cluster.world.network.setLink('n2', 'n1', { latencyMs: [50, 60] });
    const { values, explain } = await cluster.settle(n1.get('k', { explain: true }));
    expect(values).toEqual(['v']);
    const answers = Object.fromEntries(explain?.replicas.map(({ node, answer }) => [node, answer]) ?? []);
    expect(answers).toEqual({ n1: 'current', n2: 'current', n3: 'refilling' });
  });

  it('goes on being refilled through restarts', async () => {
    const cluster = await start(3);
    await loseSecondCopy(cluster);
    await cluster.stop('n3');
    await cluster.settle(cluster.boot('n3'));
    await cluster.simulation.runFor(5_000);
    expect(cluster.gauge('n3', 'refilling')).toBe(2);
    await cluster.settle(cluster.boot('n2'));
    await cluster.allReachable();
    await cluster.refilled();
    await cluster.stop('n3');
    await cluster.settle(cluster.boot('n3'));
    await cluster.simulation.runFor(10);
    expect(cluster.gauge('n3', 'refilling')).toBe(0);
  });

  it('of one of five needs three of the others', async () => {
    const cluster = await start(4, ['n1', 'n2', 'n3', 'n4', 'n5']);
    const replicas = cluster.map.placement[0]?.[0] ?? [];
    const lost = replicas[0] as string;
    const n = await client(cluster, lost);
    await cluster.settle(n.put('k', 'v', { write: 'all' }));
    cluster.crash(lost);
    cluster.world.disk(lost).wipe();
    await cluster.settle(cluster.boot(lost));
    await cluster.allReachable();
    await cluster.refilled();
    const again = await client(cluster, lost);
    expect((await cluster.settle(again.get('k', { read: 'one' }))).values).toEqual(['v']);
  });
});

describe('a restored backup', () => {
  it('is refilled before it serves what it had then', async () => {
    const cluster = await start(10);
    const n1 = await client(cluster, 'n1');
    const { context } = await cluster.settle(n1.put('k', 'old', { write: 'all' }));
    const image = cluster.world.disk('n3').image();
    await cluster.settle(n1.put('k', 'new', { context, write: 'all' }));
    cluster.crash('n3');
    cluster.world.disk('n3').restore(image);
    cluster.world.network.partition('n3', ['n1', 'n2']);
    await cluster.settle(cluster.boot('n3'));
    const n3 = await client(cluster, 'n3');
    const alone = cluster.settle(n3.get('k', { read: 'one' }));
    await expect(alone).rejects.toMatchObject({ code: 'ReplicasRefilling' });
    cluster.world.network.heal();
    await cluster.allReachable();
    await cluster.refilled();
    expect((await cluster.settle(n3.get('k', { read: 'one' }))).values).toEqual(['new']);
  });

  it('of all replicas at once ends too: there is nothing more to get', async () => {
    const cluster = await start(11);
    const n1 = await client(cluster, 'n1');
    await cluster.settle(n1.put('k', 'v', { write: 'all' }));
    for (const name of cluster.names) {
      const image = cluster.world.disk(name).image();
      cluster.crash(name);
      cluster.world.disk(name).restore(image);
    }
    await cluster.settle(Promise.all(cluster.names.map((name) => cluster.boot(name))));
    await cluster.allReachable();
    await cluster.refilled();
    const again = await client(cluster, 'n1');
    expect((await cluster.settle(again.get('k'))).values).toEqual(['v']);
  });
});

describe('an unclean stop', () => {
  it('makes buffered groups refill, and no others', async () => {
    const cluster = await start(20);
    const n1 = await client(cluster, 'n1');
    await cluster.settle(n1.put('k', 'v', { namespace: 'cache', write: 'all' }));
    cluster.crash('n3', { unsynced: 'lost' });
    await cluster.settle(cluster.boot('n3'));
    expect(cluster.gauge('n3', 'refilling')).toBe(1);
    await cluster.allReachable();
    await cluster.refilled();
    const n3 = await client(cluster, 'n3');
    const read = n3.get('k', { namespace: 'cache', read: 'one' });
    expect((await cluster.settle(read)).values).toEqual(['v']);
  });

  it('leaves a clean one alone', async () => {
    const cluster = await start(21);
    await cluster.stop('n3');
    await cluster.settle(cluster.boot('n3'));
    expect(cluster.gauge('n3', 'refilling')).toBe(0);
  });
});

describe('a new cluster', () => {
  it('serves reads although one node has never been up', async () => {
    const cluster = new SimCluster({ seed: 30, namespaces: NAMESPACES });
    await cluster.settle(Promise.all(['n1', 'n2'].map((name) => cluster.boot(name))));
    await cluster.simulation.runUntil(() =>
      ['n1', 'n2'].every((name) => cluster.gauge(name, 'refilling') === 0),
    );
    const n1 = await client(cluster, 'n1');
    await cluster.settle(n1.put('k', 'v'));
    expect((await cluster.settle(n1.get('k'))).values).toEqual(['v']);
    await cluster.settle(cluster.boot('n3'));
    await cluster.allReachable();
    await cluster.refilled();
    const n3 = await client(cluster, 'n3');
    expect((await cluster.settle(n3.get('k', { read: 'one' }))).values).toEqual(['v']);
  });
});

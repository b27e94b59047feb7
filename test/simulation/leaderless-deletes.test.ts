/** Deletes and expiry: what stays when a value goes (L15: see also `floor.test.ts`; and time to live). */
import { describe, expect, it } from 'vitest';
import { RawClient } from '../support/raw-client.js';
import { SimCluster } from '../support/sim-cluster.js';
import { agree, clients, start } from '../support/one-partition.js';

describe('a tombstone', () => {
  it('stays through restarts and repair while it may be needed, and goes some minutes after all have it (L15)', async () => {
    const cluster = await start(50);
    const [n1] = await clients(cluster);
    const written = await cluster.settle(n1.put('k', 'v', { write: 'all' }));
    await cluster.settle(n1.put('k', null, { context: written.context }));
    await cluster.settle(n1.put('other', 'v', { write: 'all' }));
    await agree(cluster);
    for (const name of cluster.names) expect(cluster.gauge(name, 'tombstones')).toBe(1);
    for (const name of cluster.names) {
      await cluster.stop(name);
      await cluster.settle(cluster.boot(name));
      await cluster.allReachable();
    }
    await cluster.simulation.runFor(100_000);
    for (const name of cluster.names) expect(cluster.stored(name, 'k')).toEqual([null]);
    for (const name of cluster.names) expect(cluster.gauge(name, 'records')).toBe(2);
    await cluster.simulation.runFor(500_000);
    for (const name of cluster.names) expect(cluster.record(name, 'k')).toBeUndefined();
    for (const name of cluster.names) expect(cluster.gauge(name, 'tombstones')).toBe(0);
    for (const name of cluster.names) expect(cluster.gauge(name, 'records')).toBe(1);
  });

  it('a replica that slept through the delete does not bring the value back', async () => {
    const cluster = await start(51);
    const [n1] = await clients(cluster);
    const written = await cluster.settle(n1.put('k', 'v', { write: 'all' }));
    cluster.crash('n3');
    await cluster.settle(n1.put('k', null, { context: written.context }));
    await cluster.simulation.runFor(60_000);
    await cluster.settle(cluster.boot('n3'));
    await agree(cluster);
    for (const name of cluster.names) expect(cluster.stored(name, 'k')).toEqual([null]);
  });
});

describe('time to live', () => {
  it('ends at the same moment on every replica, and makes no digests differ', async () => {
    const cluster = await start(60);
    const nodes = await clients(cluster);
    await cluster.settle(nodes[0].put('k', 'v', { ttlMs: 10_000, write: 'all' }));
    const { expiresAt } = cluster.record('n1', 'k')!.siblings[0]!;
    for (const name of cluster.names) {
      expect(cluster.record(name, 'k')!.siblings[0]!.expiresAt).toBe(expiresAt);
    }
    const runtime = cluster.world.client('clock');
    const untilExpiryMs = expiresAt - runtime.clock.wallMs();
    await cluster.simulation.runFor(untilExpiryMs - 100);
    for (const node of nodes)
      expect((await cluster.settle(node.get('k', { read: 1 }))).values).toEqual(['v']);
    await cluster.simulation.runFor(150);
    for (const node of nodes) {
      const { values, context } = await cluster.settle(node.get('k', { read: 1 }));
      expect(values).toEqual([]);
      expect(context).not.toBeNull();
    }
    expect((await cluster.settle(nodes[0].scan(0, {}))).entries).toEqual([]);
    // A recount on one replica turns it into a tombstone there; the others still hold the bytes.
    await cluster.stop('n2');
    await cluster.settle(cluster.boot('n2'));
    await cluster.allReachable();
    await cluster.simulation.runUntil(() => cluster.stored('n2', 'k')[0] === null);
    expect(cluster.stored('n1', 'k')).toEqual(['v']);
    expect(cluster.disagreements()).toEqual([]);
    await cluster.simulation.runFor(30_000);
    for (const name of cluster.names) expect(cluster.counter(name, 'anti_entropy_differences')).toBe(0);
    // A recount comes to the others as well, and then the tombstones go.
    await cluster.simulation.runFor(1_500_000);
    for (const name of cluster.names) expect(cluster.record(name, 'k')).toBeUndefined();
  });

  it('a write after it expired stands alone', async () => {
    const cluster = await start(61);
    const [n1] = await clients(cluster);
    await cluster.settle(n1.put('k', 'v', { ttlMs: 1_000 }));
    await cluster.simulation.runFor(2_000);
    const { context } = await cluster.settle(n1.get('k'));
    await cluster.settle(n1.put('k', 'again', { context }));
    expect(cluster.stored('n1', 'k')).toEqual(['again']);
    expect((await cluster.settle(n1.get('k'))).values).toEqual(['again']);
  });

  it("the namespace's own holds where a write names none", async () => {
    const cluster = await SimCluster.start({
      seed: 62,
      namespaces: '\n  - { name: default, strategy: leaderless, partitions: 1, ttl: 5s }\n',
    });
    const n1 = await RawClient.open(cluster, 'n1');
    await cluster.settle(n1.put('k', 'v'));
    await cluster.settle(n1.put('longer', 'v', { ttlMs: 60_000 }));
    await cluster.simulation.runFor(6_000);
    expect((await cluster.settle(n1.get('k'))).values).toEqual([]);
    expect((await cluster.settle(n1.get('longer'))).values).toEqual(['v']);
  });
});

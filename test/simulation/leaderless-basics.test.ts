import { describe, expect, it } from 'vitest';
import { SimCluster } from '../support/sim-cluster.js';

describe('a leaderless cluster on virtual time', () => {
  it('stores, reads, deletes and scans', async () => {
    const cluster = await SimCluster.start({ seed: 1 });
    const db = await cluster.connect('c1');
    const ns = db.namespace<string>('default');
    for (let i = 0; i < 20; i++) await cluster.settle(ns.put(`key-${i}`, `value ${i}`));
    const read = await cluster.settle(ns.get('key-7', { explain: true }));
    expect(read.value).toBe('value 7');
    expect(read.explain?.required).toBe('R=2 of N=3, one more asked after 60 ms');
    await cluster.settle(ns.delete('key-7', { context: read.context! }));
    expect((await cluster.settle(ns.get('key-7'))).value).toBeUndefined();
    const keys: string[] = [];
    await cluster.settle(
      (async () => {
        for await (const entry of ns.scan({ prefix: 'key-' })) keys.push(entry.key);
      })(),
    );
    expect(keys).toHaveLength(19);
    expect([...keys].sort()).toEqual(keys);
    await cluster.converge(10_000);
  });

  it('goes on without one node, and levels it when it is back', async () => {
    const cluster = await SimCluster.start({ seed: 2 });
    const db = await cluster.connect('c1');
    const ns = db.namespace<number>('default');
    await cluster.settle(ns.put('before', 1));
    cluster.crash('n2');
    for (let i = 0; i < 50; i++) await cluster.settle(ns.put(`during-${i}`, i));
    expect(cluster.disagreements().length).toBeGreaterThan(0);
    await cluster.settle(cluster.boot('n2'));
    await cluster.converge(10_000);
    expect(cluster.node('n1').status().gauges['hints']! + cluster.node('n3').status().gauges['hints']!).toBe(
      0,
    );
  });
});

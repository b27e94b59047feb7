import { describe, expect, it } from 'vitest';
import { SimCluster } from '../support/sim-cluster.js';

const NAMESPACES = `
  - { name: default, strategy: leader-follower, partitions: 2 }
`;

const NODES = ['n1', 'n2', 'n3'];

function leaders(cluster: SimCluster): Map<string, string> {
  const found = new Map<string, string>();
  for (const node of NODES) {
    if (!cluster.running(node)) continue;
    for (const { group, gauges } of cluster.node(node).status().groups)
      if (gauges['leads'] === 1) found.set(group, node);
  }
  return found;
}

async function started(seed: number): Promise<SimCluster> {
  const cluster = await SimCluster.start({ seed, namespaces: NAMESPACES });
  await cluster.simulation.runUntil(() => leaders(cluster).size === 2);
  return cluster;
}

describe('a leader-follower cluster on virtual time', () => {
  it('stores, reads, compares and sets, deletes and scans, and goes quiet', async () => {
    const cluster = await started(1);
    const db = await cluster.connect('c1');
    const ns = db.namespace<string>('default');
    for (let i = 0; i < 20; i++) await cluster.settle(ns.put(`key-${i}`, `value ${i}`));
    const read = await cluster.settle(ns.get('key-7', { explain: true }));
    expect(read).toMatchObject({ value: 'value 7', version: expect.any(Number) as number });
    expect(read.explain).toMatchObject({ strategy: 'leader-follower', required: 'read index: 2 of 3' });
    const written = await cluster.settle(ns.put('key-7', 'changed', { ifVersion: read.version! }));
    await expect(cluster.settle(ns.put('key-7', 'lost', { ifVersion: read.version! }))).rejects.toMatchObject(
      {
        code: 'ConditionFailed',
        outcome: 'failed',
      },
    );
    await cluster.settle(ns.delete('key-7', { ifVersion: written.version! }));
    expect((await cluster.settle(ns.get('key-7'))).value).toBeUndefined();
    const keys: string[] = [];
    await cluster.settle(
      (async () => {
        for await (const entry of ns.scan({ prefix: 'key-' })) keys.push(entry.key);
      })(),
    );
    expect(keys).toHaveLength(19);
    await cluster.simulation.runUntil(() => NODES.every((node) => cluster.gauge(node, 'quiet') === 2));
  });

  it('replaces a leader that is killed, loses nothing, and levels it when it is back', async () => {
    const cluster = await started(2);
    const db = await cluster.connect('c1');
    const ns = db.namespace<number>('default');
    for (let i = 0; i < 30; i++) await cluster.settle(ns.put(`k${i}`, i));
    const victim = leaders(cluster).get('default/0')!;
    cluster.crash(victim);
    for (let i = 0; i < 30; i++) await cluster.settle(ns.update(`k${i}`, (n) => n! + 100));
    await cluster.settle(cluster.boot(victim));
    for (let i = 0; i < 30; i++) expect((await cluster.settle(ns.get(`k${i}`))).value).toBe(i + 100);
    await cluster.simulation.runUntil(() => NODES.every((node) => cluster.gauge(node, 'quiet') === 2));
  });
});

/** The whole-cluster harness itself: what it promises to experiments. */
import { describe, expect, it } from 'vitest';
import { SimulatedCluster } from '../../src/simulation/cluster.js';
import { recordPlace } from '../../src/simulation/copies.js';
import { eventLoopTurns } from '../../chaos/event-loop.js';

const CONFIG = `
cluster: five
nodes:
${[1, 2, 3, 4, 5].map((n) => `  - { id: m${n}, host: m${n}.test, port: 7000, dataDir: ./m${n} }`).join('\n')}
namespaces:
  - { name: default, strategy: leaderless, partitions: 4, replicas: 3 }
`;

async function started(seed = 1): Promise<SimulatedCluster> {
  const cluster = new SimulatedCluster({ seed, turns: eventLoopTurns, config: CONFIG });
  await cluster.start();
  return cluster;
}

describe('a simulated cluster', () => {
  it('has the nodes of its config and serves', async () => {
    const cluster = await started();
    expect(cluster.names).toEqual(['m1', 'm2', 'm3', 'm4', 'm5']);
    const db = await cluster.settle(cluster.connect('c'));
    await cluster.settle(db.namespace<string>('default').put('k', 'v', { write: 'all' }));
    expect((await cluster.settle(db.namespace<string>('default').get('k'))).siblings).toEqual(['v']);
    const held = cluster
      .copies()
      .filter((group) => [...group.replicas.values()].some((copy) => copy.has('k')));
    expect(held).toHaveLength(1);
    expect([...(held[0]?.replicas.values() ?? [])].map((copy) => copy.size)).toEqual([1, 1, 1]);
    expect(cluster.disagreements()).toEqual([]);
  });

  it('sees a replica that differs, in a value too, and says so when it does not converge', async () => {
    const cluster = await started();
    const db = await cluster.settle(cluster.connect('c'));
    await cluster.settle(db.namespace<string>('default').put('k', 'v', { write: 'all' }));
    const group = cluster.copies().find((g) => [...g.replicas.values()].some((copy) => copy.has('k')));
    const [node] = [...(group?.replicas.keys() ?? [])];
    const place = `${recordPlace(cluster.map.namespaces[0]?.name ?? ('' as never), group?.partition ?? -1)}k`;
    const bytes = cluster.world.disk(node ?? '').peek(place) ?? new Uint8Array();
    cluster.world.disk(node ?? '').flipByte(place, bytes.length - 1);
    expect(cluster.disagreements()).toEqual([`default/${group?.partition} k: 2 versions`]);
    await expect(cluster.converge(400)).rejects.toMatchObject({
      code: 'Timeout',
      message: expect.stringContaining('2 versions') as string,
    });
  });

  it('a node can crash at any point of its life, and starts again', async () => {
    const cluster = await started();
    expect(cluster.running('m1')).toBe(true);
    void cluster.stop('m1');
    expect([cluster.running('m1'), cluster.down('m1')]).toEqual([false, false]);
    cluster.crash('m1');
    expect(cluster.down('m1')).toBe(true);
    void cluster.boot('m1');
    cluster.crash('m1');
    expect(cluster.down('m1')).toBe(true);
    await cluster.settle(cluster.restart('m1'));
    await cluster.allReachable();
    await cluster.settle(cluster.stop('m1'));
    expect(cluster.down('m1')).toBe(true);
  });

  it('a restart tries until the disk allows it', async () => {
    const cluster = await started();
    cluster.crash('m2');
    cluster.world.disk('m2').failWrites('StorageFailed', 3);
    await expect(cluster.settle(cluster.boot('m2'))).rejects.toMatchObject({ code: 'StorageFailed' });
    expect(cluster.down('m2')).toBe(true);
    await cluster.settle(cluster.restart('m2'));
    await cluster.allReachable();
  });
});

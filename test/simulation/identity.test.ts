/** L4 for a whole node: which stops end an incarnation, and which stores a node refuses. */
import { describe, expect, it } from 'vitest';
import { parseClusterConfig, type ClusterConfig } from '../../src/cluster/config.js';
import { incarnationId, nodeId } from '../../src/core/ids.js';
import { startNode } from '../../src/node/node.js';
import { RawClient } from '../support/raw-client.js';
import { SimCluster } from '../support/sim-cluster.js';

const NAMESPACES = `
  - { name: default, strategy: leaderless, partitions: 1 }
  - { name: cache, strategy: leaderless, partitions: 1, durability: buffered }
`;

async function start(seed: number): Promise<SimCluster> {
  return SimCluster.start({ seed, namespaces: NAMESPACES });
}

/** The incarnations under which n1 mints now, found by minting. */
async function incarnations(cluster: SimCluster): Promise<{ sync: string; buffered: string }> {
  const n1 = await RawClient.open(cluster, 'n1');
  const key = n1.name;
  await cluster.settle(n1.put(key, 'v'));
  await cluster.settle(n1.put(key, 'v', { namespace: 'cache' }));
  const of = (namespace: string): string =>
    cluster.record('n1', key, namespace)!.siblings[0]!.dot.incarnation;
  return { sync: of('default'), buffered: of('cache') };
}

async function restart(cluster: SimCluster, options: Parameters<SimCluster['boot']>[1] = {}): Promise<void> {
  await cluster.settle(cluster.boot('n1', options));
  await cluster.allReachable();
}

/** The same cluster, its config text changed. */
function changed(cluster: SimCluster, change: (config: ClusterConfig) => ClusterConfig): ClusterConfig {
  return change(cluster.config);
}

describe('an incarnation', () => {
  it('goes on after a clean stop', async () => {
    const cluster = await start(1);
    const before = await incarnations(cluster);
    await cluster.stop('n1');
    await restart(cluster);
    expect(await incarnations(cluster)).toEqual(before);
  });

  it.each([{ powerOff: false }, { powerOff: true }])(
    'after a crash (power off: $powerOff) goes on where writes are synced, ends where they are buffered',
    async (options) => {
      const cluster = await start(2);
      const before = await incarnations(cluster);
      cluster.crash('n1', { ...options, unsynced: 'lost' });
      await restart(cluster);
      // After a power cut the peers take a while to notice that their connections are dead.
      await cluster.simulation.runFor(5_000);
      const after = await incarnations(cluster);
      expect(after.sync).toBe(before.sync);
      expect(after.buffered).not.toBe(before.buffered);
    },
  );

  it('goes on behind every counter that it may have given', async () => {
    const cluster = await start(3);
    const counters: number[] = [];
    for (let round = 0; round < 4; round++) {
      const n1 = await RawClient.open(cluster, 'n1');
      await cluster.settle(n1.put(`k${round}`, 'v'));
      counters.push(cluster.record('n1', `k${round}`)!.siblings[0]!.dot.counter);
      cluster.crash('n1', { unsynced: 'lost' });
      await restart(cluster);
    }
    expect(counters).toEqual([...new Set(counters)].sort((a, b) => a - b));
  });

  it('ends where the folder was restored from an image', async () => {
    const cluster = await start(4);
    const before = await incarnations(cluster);
    const image = cluster.world.disk('n1').image();
    await incarnations(cluster);
    await cluster.stop('n1');
    cluster.world.disk('n1').restore(image);
    await restart(cluster);
    const after = await incarnations(cluster);
    expect(after.sync).not.toBe(before.sync);
    expect(after.buffered).not.toBe(before.buffered);
  });

  it('a restored node gives no dot a second time: what it had written since survives its return', async () => {
    const cluster = await start(5);
    const n1 = await RawClient.open(cluster, 'n1');
    await cluster.settle(n1.put('warm', 'up', { write: 'all' }));
    await cluster.stop('n1');
    const image = cluster.world.disk('n1').image();
    await restart(cluster);
    const again = await RawClient.open(cluster, 'n1');
    await cluster.settle(again.put('k', 'since the backup', { write: 'all' }));
    await cluster.stop('n1');
    cluster.world.disk('n1').restore(image);
    await restart(cluster);
    const restored = await RawClient.open(cluster, 'n1');
    await cluster.settle(restored.put('k', 'after the restore', { write: 'all' }));
    await cluster.converge(30_000);
    for (const name of cluster.names) {
      expect(cluster.stored(name, 'k')).toEqual(['after the restore', 'since the backup']);
    }
  });

  it('ends where the store was wiped', async () => {
    const cluster = await start(6);
    const before = await incarnations(cluster);
    cluster.crash('n1');
    cluster.world.disk('n1').wipe();
    await restart(cluster);
    const after = await incarnations(cluster);
    expect(after.sync).not.toBe(before.sync);
    expect(after.buffered).not.toBe(before.buffered);
  });

  it('ends where the operator says so, and only that once', async () => {
    const cluster = await start(7);
    const before = await incarnations(cluster);
    await cluster.stop('n1');
    await restart(cluster, { newIncarnation: true });
    const after = await incarnations(cluster);
    expect(after.sync).not.toBe(before.sync);
    expect(after.buffered).not.toBe(before.buffered);
    await cluster.stop('n1');
    await restart(cluster);
    expect(await incarnations(cluster)).toEqual(after);
  });

  it('that began while running is the one that a restart goes on with', async () => {
    const cluster = await start(8);
    const before = await incarnations(cluster);
    const n1 = await RawClient.open(cluster, 'n1');
    await cluster.settle(n1.put('k', 'v', { write: 'all' }));
    cluster.world.disk('n1').flipByte(cluster.placeOf('default', 'k'));
    await cluster.settle(n1.get('k'));
    const during = await incarnations(cluster);
    expect(during.sync).not.toBe(before.sync);
    cluster.crash('n1', { unsynced: 'lost' });
    await restart(cluster);
    expect((await incarnations(cluster)).sync).toBe(during.sync);
  });

  it('belongs to one node: two never share a name', async () => {
    const cluster = await start(9);
    const names = new Set(cluster.names.map((name) => cluster.node(name).status().incarnation));
    expect(names.size).toBe(3);
    for (const name of names) expect(incarnationId(name)).toMatch(/^n[123]\.[0-9a-z]{8}$/);
  });
});

describe('a node refuses to start', () => {
  it('on a folder that another node uses', async () => {
    const cluster = await start(20);
    const runtime = cluster.world.node('intruder', { disk: cluster.world.disk('n1') });
    const { config } = cluster;
    const second = startNode({ runtime, config, node: nodeId('n1'), dataDir: 'n1' });
    await expect(cluster.settle(second)).rejects.toMatchObject({ code: 'DataFolderInUse' });
    cluster.world.exit('intruder');
    const n1 = await RawClient.open(cluster, 'n1');
    await cluster.settle(n1.put('k', 'v', { write: 'all' }));
  });

  it("on another node's folder, and leaves it as it was", async () => {
    const cluster = await start(21);
    const before = await incarnations(cluster);
    await cluster.stop('n1');
    await cluster.stop('n2');
    const image = cluster.world.disk('n1').image();
    const runtime = cluster.world.node('n2', { disk: cluster.world.disk('n1') });
    const { config } = cluster;
    const foreign = startNode({ runtime, config, node: nodeId('n2'), dataDir: 'n2' });
    await expect(cluster.settle(foreign)).rejects.toMatchObject({ code: 'DataFolderForeign' });
    cluster.world.exit('n2');
    expect(cluster.world.disk('n1').image()).toEqual(image);
    await cluster.settle(cluster.boot('n2'));
    await restart(cluster);
    expect(await incarnations(cluster)).toEqual(before);
  });

  it('on a folder of another cluster', async () => {
    const cluster = await start(22);
    await cluster.stop('n1');
    const config = { ...cluster.config, cluster: 'another' };
    await expect(cluster.settle(cluster.boot('n1', { config }))).rejects.toMatchObject({
      code: 'DataFolderForeign',
    });
  });

  it.each<[string, string, (config: ClusterConfig) => ClusterConfig]>([
    [
      'other partitions',
      'ConfigIncompatible',
      (config) => ({
        ...config,
        epoch: 2,
        namespaces: config.namespaces.map((n) => ({ ...n, partitions: 2 })),
      }),
    ],
    [
      'fewer replicas',
      'ConfigIncompatible',
      (config) => ({
        ...config,
        epoch: 2,
        namespaces: config.namespaces.map((n) => ({ ...n, replicas: 2 })),
      }),
    ],
    [
      'a namespace gone',
      'ConfigIncompatible',
      (config) => ({ ...config, epoch: 2, namespaces: config.namespaces.slice(0, 1) }),
    ],
    [
      'another quorum under the same epoch',
      'MapConflict',
      (config) => ({
        ...config,
        namespaces: config.namespaces.map((n) => ({ ...n, write: 'all' as const })),
      }),
    ],
  ])('with a config of %s', async (_what, code, change) => {
    const cluster = await start(23);
    await cluster.stop('n1');
    const config = changed(cluster, change);
    await expect(cluster.settle(cluster.boot('n1', { config }))).rejects.toMatchObject({ code });
    // Nothing was changed, nothing left open: the right config starts.
    cluster.world.exit('n1');
    await restart(cluster);
  });

  it('with a node that the config does not have', async () => {
    const cluster = await start(24);
    const runtime = cluster.world.node('n4');
    const fourth = startNode({ runtime, config: cluster.config, node: nodeId('n4'), dataDir: 'n4' });
    await expect(cluster.settle(fourth)).rejects.toMatchObject({ code: 'ConfigInvalid' });
  });

  it('on a port in use, and leaves its folder free', async () => {
    const cluster = await start(25);
    await cluster.stop('n1');
    const squatter = cluster.world.client('squatter');
    const address = { host: 'n1.test', port: 7000 };
    const listener = await squatter.network.listen(address, () => ({
      onFrame: () => undefined,
      onClose: () => undefined,
    }));
    await expect(cluster.settle(cluster.boot('n1'))).rejects.toMatchObject({ code: 'PortInUse' });
    await listener.close();
    cluster.world.exit('n1');
    await restart(cluster);
  });
});

describe('a config that may follow', () => {
  /** A config of this epoch, in which the default namespace has this durability. */
  function durabilityConfig(epoch: number, durability: string) {
    return parseClusterConfig(
      `cluster: simulated\nepoch: ${epoch}\nnodes:\n${['n1', 'n2', 'n3']
        .map((id) => `  - { id: ${id}, host: ${id}.test, port: 7000, dataDir: ./${id} }\n`)
        .join(
          '',
        )}namespaces:\n  - { name: default, strategy: leaderless, partitions: 1, durability: ${durability} }\n`,
      'next.yaml',
    );
  }

  it('with another durability, and the first one again, gives no dot a second time', async () => {
    const namespaces = '\n  - { name: default, strategy: leaderless, partitions: 1 }\n';
    const cluster = await SimCluster.start({ seed: 31, namespaces });
    const dots: string[] = [];
    const write = async (name: string): Promise<void> => {
      await cluster.allReachable();
      const db = await cluster.connect(`writer of ${name}`);
      // So many that each of the nodes coordinates some.
      for (const key of Array.from({ length: 12 }, (_, i) => `${name} ${i}`)) {
        await cluster.settle(db.namespace('default').put(key, key, { write: 'all' }));
        for (const { dot } of cluster.record('n1', key)!.siblings)
          dots.push(`${dot.incarnation}:${dot.counter}`);
      }
      await cluster.settle(db.close());
    };
    await write('epoch 1');
    for (const [epoch, durability] of [
      [2, 'buffered'],
      [3, 'sync'],
    ] as const) {
      const config = durabilityConfig(epoch, durability);
      for (const name of cluster.names) await cluster.stop(name);
      await cluster.settle(Promise.all(cluster.names.map((name) => cluster.boot(name, { config }))));
      await write(`epoch ${epoch}`);
    }
    expect(dots).toHaveLength(36);
    expect(new Set(dots).size).toBe(36);
  });

  it('with another durability begins a life that no crash takes back', async () => {
    const namespaces = '\n  - { name: default, strategy: leaderless, partitions: 1 }\n';
    const cluster = await SimCluster.start({ seed: 32, namespaces });
    const buffered = durabilityConfig(2, 'buffered');
    for (const name of cluster.names) await cluster.stop(name);
    await cluster.settle(Promise.all(cluster.names.map((name) => cluster.boot(name, { config: buffered }))));
    await cluster.allReachable();
    await cluster.refilled();
    const db = await cluster.connect('app');
    await cluster.settle(db.namespace('default').put('k', 'v', { write: 'all' }));
    cluster.crash('n3', { unsynced: 'lost' });
    expect(cluster.record('n3', 'k')).toBeUndefined();
    cluster.world.network.partition('n3', ['n1', 'n2']);
    await cluster.settle(cluster.boot('n3', { config: durabilityConfig(3, 'sync') }));
    // It was acknowledged, and is not here: a read must not count this replica before it is.
    expect(cluster.gauge('n3', 'refilling')).toBe(1);
  });

  it('is taken with a higher epoch, and the incarnation goes on', async () => {
    const cluster = await start(30);
    const before = await incarnations(cluster);
    const config = parseClusterConfig(
      `cluster: simulated\nepoch: 2\nnodes:\n${cluster.names
        .map((id) => `  - { id: ${id}, host: ${id}.test, port: 7000, dataDir: ./${id} }\n`)
        .join('')}namespaces:${NAMESPACES.replaceAll('partitions: 1', 'partitions: 1, write: all')}`,
      'next.yaml',
    );
    for (const name of cluster.names) await cluster.stop(name);
    await cluster.settle(Promise.all(cluster.names.map((name) => cluster.boot(name, { config }))));
    await cluster.allReachable();
    const n1 = await RawClient.open(cluster, 'n1');
    const get = { type: 'get', key: 'k', read: null, atLeast: null, maxStalenessMs: 0 } as const;
    await expect(cluster.settle(n1.request(get, { epoch: 1 }))).rejects.toMatchObject({ code: 'StaleMap' });
    const db = await cluster.connect('app');
    const written = await cluster.settle(db.namespace('default').put('k', 'v', { explain: true }));
    expect(written.explain?.required).toBe('W=3 of N=3');
    expect(cluster.node('n1').status().incarnation).toBe(before.sync);
  });
});

/** L4: damage to what a node wrote down about itself. It is noticed, and no dot is given a second time. */
import { describe, expect, it } from 'vitest';
import { nodeId } from '../../src/core/ids.js';
import { startNode } from '../../src/node/node.js';
import type { Storage } from '../../src/runtime/runtime.js';
import { RawClient } from '../support/raw-client.js';
import { SimCluster } from '../support/sim-cluster.js';

const ONE_PARTITION = `
  - { name: default, strategy: leaderless, partitions: 1 }
`;
const COUNTER = 'm/counter/default/0';
const KEYS = ['a', 'b', 'c'];

async function start(seed: number): Promise<SimCluster> {
  const cluster = await SimCluster.start({ seed, namespaces: ONE_PARTITION });
  const n1 = await RawClient.open(cluster, 'n1');
  for (const key of KEYS) await cluster.settle(n1.put(key, 'old', { write: 'all' }));
  return cluster;
}

async function restart(cluster: SimCluster): Promise<void> {
  await cluster.settle(cluster.boot('n1'));
  await cluster.allReachable();
}

function textOf(cluster: SimCluster, entry: string): string {
  return Buffer.from(cluster.world.disk('n1').peek(entry) ?? []).toString();
}

/** Overwrites every key with what the writer had read of it; what survives is the new value, everywhere. */
async function overwritesAll(cluster: SimCluster): Promise<void> {
  const n1 = await RawClient.open(cluster, 'n1');
  for (const key of KEYS) {
    const { context } = await cluster.settle(n1.get(key));
    await cluster.settle(n1.put(key, 'new', { context, write: 'all' }));
    for (const name of cluster.names) expect(cluster.stored(name, key)).toEqual(['new']);
  }
}

describe('a damaged counter or incarnation', () => {
  it.each([
    [COUNTER, 'flipped'],
    [COUNTER, 'reported'],
    ['m/incarnations', 'flipped'],
    ['m/incarnations', 'reported'],
  ] as const)('%s, %s: the node mints under new names and says so', async (entry, how) => {
    const cluster = await start(1);
    const before = cluster.node('n1').status().incarnation;
    cluster.crash('n1');
    const disk = cluster.world.disk('n1');
    if (how === 'reported') disk.damage(entry);
    else expect(disk.flipByte(entry)).toBe(true);
    await restart(cluster);
    expect(cluster.node('n1').status().incarnation).not.toBe(before);
    expect(cluster.counter('n1', 'meta_damaged')).toBe(1);
    await overwritesAll(cluster);
    const anew = cluster.node('n1').status().incarnation;
    cluster.crash('n1');
    await restart(cluster);
    expect(cluster.counter('n1', 'meta_damaged'), 'it is healed').toBe(0);
    expect(cluster.node('n1').status().incarnation).toBe(anew);
  });

  it('is noticed whichever byte it is', async () => {
    const cluster = await start(2);
    const length = textOf(cluster, COUNTER).length;
    for (let at = 0; at < length; at++) {
      const before = cluster.node('n1').status().incarnation;
      cluster.crash('n1');
      cluster.world.disk('n1').flipByte(COUNTER, at);
      await cluster.settle(cluster.boot('n1'));
      expect(cluster.node('n1').status().incarnation).not.toBe(before);
      await cluster.allReachable();
      const n1 = await RawClient.open(cluster, 'n1');
      await cluster.settle(n1.put('k', `at ${at}`, { write: 'all' }));
    }
  });

  it('leaves the clock to the wall where its floor is damaged', async () => {
    const cluster = await start(3);
    cluster.crash('n1');
    expect(cluster.world.disk('n1').flipByte('m/clock')).toBe(true);
    await restart(cluster);
    expect(cluster.counter('n1', 'meta_damaged')).toBe(1);
    await overwritesAll(cluster);
  });
});

describe('a start that fails', () => {
  it.each(['m/owner', 'm/map'])('on a damaged %s says what to do and leaves nothing open', async (entry) => {
    const cluster = await start(4);
    cluster.crash('n1');
    const disk = cluster.world.disk('n1');
    const whole = disk.image();
    expect(disk.flipByte(entry)).toBe(true);
    await expect(cluster.settle(cluster.boot('n1'))).rejects.toMatchObject({ code: 'DataFolderDamaged' });
    cluster.world.exit('n1');
    disk.restore(whole);
    await restart(cluster);
    await overwritesAll(cluster);
  });

  it('after it has begun to listen stops listening', async () => {
    const cluster = await start(5);
    cluster.crash('n1');
    const runtime = cluster.runtime('n1');
    const failing = {
      ...runtime,
      openStorage: async (folder: string): Promise<Storage> =>
        failsBehindPossession(await runtime.openStorage(folder)),
    };
    const options = { config: cluster.config, node: nodeId('n1'), dataDir: 'n1' };
    const first = startNode({ ...options, runtime: failing });
    await expect(cluster.settle(first)).rejects.toThrow('the disk is gone');
    // The same process: neither its port nor its folder is taken.
    const second = await cluster.settle(startNode({ ...options, runtime }));
    await cluster.settle(second.stop());
  });
});

/** A store that takes the node's own first write, and fails when the first replica is opened. */
function failsBehindPossession(storage: Storage): Storage {
  return {
    get: (key) => storage.get(key),
    batch: () => storage.batch(),
    scan: (range, limit, bytesMax) => storage.scan(range, limit, bytesMax),
    view: () => storage.view(),
    freeBytes: () => {
      throw new Error('the disk is gone');
    },
    identity: storage.identity,
    close: () => storage.close(),
  };
}

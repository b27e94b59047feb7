/** A disk that fails or fills: open requests are unknown, reads go on, writes are refused, and all heals. */
import { describe, expect, it } from 'vitest';
import type { TrefoilError } from '../../src/core/errors.js';
import { nodeId } from '../../src/core/ids.js';
import { DRAIN_MS_MAX } from '../../src/core/limits.js';
import { startNode } from '../../src/node/node.js';
import type { Storage } from '../../src/runtime/runtime.js';
import { RawClient } from '../support/raw-client.js';
import { SimCluster } from '../support/sim-cluster.js';
import { watch, type Watched } from '../support/watched.js';

const ONE_PARTITION = `
  - { name: default, strategy: leaderless, partitions: 1 }
`;
const MEBIBYTE = 1024 * 1024;

async function start(seed: number): Promise<{ cluster: SimCluster; n1: RawClient }> {
  const cluster = await SimCluster.start({ seed, namespaces: ONE_PARTITION });
  const n1 = await RawClient.open(cluster, 'n1');
  await cluster.settle(n1.put('k', 'v', { write: 'all' }));
  await cluster.simulation.runFor(100);
  return { cluster, n1 };
}

/** Makes the next batches of n1 fail, and writes into the first. */
async function failBatch(cluster: SimCluster, n1: RawClient, count = 1): Promise<Watched<unknown>> {
  cluster.world.disk('n1').failWrites('StorageFailed', count);
  const put = watch(n1.put('lost', 'v'));
  await cluster.simulation.runUntil(() => put.settled);
  return put;
}

function healed(cluster: SimCluster): Promise<void> {
  return cluster.simulation.runUntil(() => cluster.node('n1').status().writesRefused === null);
}

describe('a batch that fails', () => {
  it('answers what waited for it as unknown, and sends nothing of it', async () => {
    const { cluster, n1 } = await start(1);
    const put = await failBatch(cluster, n1, 1_000);
    expect(put.error).toMatchObject({ code: 'StorageFailed', outcome: 'unknown' });
    expect(cluster.record('n2', 'lost')).toBeUndefined();
    expect(cluster.record('n3', 'lost')).toBeUndefined();
    expect(cluster.counter('n1', 'batches_failed')).toBe(1);
    expect(
      cluster.world.logLines.some(({ level, message }) => level === 'error' && message.includes('batch')),
    ).toBe(true);
  });

  it('while the storage fails, reads go on and writes are refused early', async () => {
    const { cluster, n1 } = await start(2);
    await failBatch(cluster, n1, 1_000);
    for (let round = 0; round < 20; round++) {
      await cluster.simulation.runFor(333);
      expect((await cluster.settle(n1.get('k'))).values).toEqual(['v']);
      expect((await cluster.settle(n1.scan(0, {}))).entries.length).toBeGreaterThan(0);
      const put = cluster.settle(n1.put('k', 'w'));
      await expect(put).rejects.toMatchObject({ code: 'NodeReadOnly', outcome: 'failed' });
    }
    expect(cluster.node('n1').status().writesRefused).toBe('NodeReadOnly');
    for (const name of ['n2', 'n3']) expect(cluster.stored(name, 'k')).toEqual(['v']);
  });

  it('reads go on also while the store is being opened anew', async () => {
    const { cluster, n1 } = await start(3);
    await failBatch(cluster, n1, 1);
    // The write that tries the store takes long: replicas are stepped meanwhile.
    cluster.world.disk('n1').setTimes({ fsyncMs: [3_000, 3_001] });
    await cluster.simulation.runFor(1_500);
    expect(cluster.node('n1').status().writesRefused).toBe('NodeReadOnly');
    for (let round = 0; round < 8; round++) {
      const read = watch(n1.get('k', { read: 'one' }));
      const scan = watch(n1.scan(0, {}));
      await cluster.simulation.runUntil(() => read.settled && scan.settled);
      expect(read.value?.values).toEqual(['v']);
      expect(scan.value?.entries.length).toBeGreaterThan(0);
      await cluster.simulation.runFor(100);
    }
  });

  it('a store that cannot be read refuses reads too, until it can', async () => {
    const { cluster, n1 } = await start(6);
    cluster.world.disk('n1').failReads(1_000);
    await expect(cluster.settle(n1.get('k'))).rejects.toMatchObject({ code: 'StorageFailed' });
    await expect(cluster.settle(n1.get('k'))).rejects.toMatchObject({
      code: 'NodeReadOnly',
      outcome: 'failed',
    });
    const n2 = await RawClient.open(cluster, 'n2');
    expect((await cluster.settle(n2.get('k'))).values).toEqual(['v']);
    await cluster.settle(n2.put('k', 'w'));
    cluster.world.disk('n1').failReads(0);
    await healed(cluster);
    await cluster.converge(30_000);
    expect((await cluster.settle(n1.get('k', { read: 'one' }))).values).toContain('w');
  });

  it('others go on writing, and keep hints for it', async () => {
    const { cluster, n1 } = await start(4);
    await failBatch(cluster, n1, 1_000);
    const n2 = await RawClient.open(cluster, 'n2');
    for (let i = 0; i < 10; i++) await cluster.settle(n2.put(`other-${i}`, 'v'));
    expect(cluster.record('n1', 'other-0')).toBeUndefined();
    cluster.world.disk('n1').failWrites('StorageFailed', 0);
    await healed(cluster);
    await cluster.converge(30_000);
    expect(cluster.stored('n1', 'other-9')).toEqual(['v']);
  });

  it('once it heals the node takes writes again, under a new incarnation', async () => {
    const { cluster, n1 } = await start(5);
    const before = cluster.node('n1').status().incarnation;
    await failBatch(cluster, n1, 3);
    expect(cluster.node('n1').status().incarnation).toBe(before);
    await healed(cluster);
    expect(cluster.node('n1').status().incarnation).not.toBe(before);
    await cluster.settle(n1.put('again', 'v', { write: 'all' }));
    expect(cluster.record('n2', 'again')!.siblings[0]!.dot.incarnation).not.toBe(before);
    await cluster.converge(30_000);
    // And it goes on under that one after a crash.
    const after = cluster.node('n1').status().incarnation;
    cluster.crash('n1', { unsynced: 'lost' });
    await cluster.settle(cluster.boot('n1'));
    expect(cluster.node('n1').status().incarnation).toBe(after);
  });

  it('a write in the failed batch may have reached the disk: its dot is never given to another', async () => {
    // Seeds decide whether the failed batch reached the log.
    for (let seed = 100; seed < 112; seed++) {
      const { cluster, n1 } = await start(seed);
      await failBatch(cluster, n1, 1);
      await healed(cluster);
      await cluster.simulation.runFor(100);
      await cluster.settle(n1.put('lost', 'second', { write: 'all' }));
      await cluster.converge(30_000);
      const stored = cluster.stored('n2', 'lost');
      expect([['second'], ['second', 'v']]).toContainEqual(stored);
      const dots = cluster.record('n2', 'lost')!.siblings.map(({ dot }) => dot.incarnation);
      expect(new Set(dots).size).toBe(dots.length);
    }
  });

  it('the SDK goes elsewhere meanwhile, and its writes succeed', async () => {
    const { cluster, n1 } = await start(6);
    const ns = (await cluster.connect('app')).namespace<string>('default');
    await cluster.settle(ns.put('warm', 'up'));
    await failBatch(cluster, n1, 1_000);
    for (let i = 0; i < 20; i++) {
      await cluster.settle(ns.put(`app-${i}`, 'v'));
      expect((await cluster.settle(ns.get(`app-${i}`))).value).toBe('v');
    }
  });

  it('nothing stays open behind it', async () => {
    const { cluster, n1 } = await start(7);
    cluster.world.disk('n1').setTimes({ fsyncMs: [50, 51] });
    const puts = Array.from({ length: 30 }, (_, i) => watch(n1.put(`k${i}`, 'v')));
    cluster.world.disk('n1').failWrites('StorageFailed', 1);
    await cluster.simulation.runUntil(() => puts.every(({ settled }) => settled));
    expect(puts.map(({ error }) => (error as TrefoilError).code)).toContain('StorageFailed');
    await healed(cluster);
    await cluster.simulation.runFor(5_000);
    for (const gauge of ['openWrites', 'openReads', 'openScans', 'openPeerCalls']) {
      expect(cluster.gauge('n1', gauge)).toBe(0);
    }
    expect(cluster.node('n1').status().requestsInFlight).toBe(0);
  });

  it('a stop while the storage fails ends in bounded time, and does not count as clean', async () => {
    const { cluster, n1 } = await start(8);
    await failBatch(cluster, n1, 1_000);
    const beganMs = cluster.simulation.nowMs();
    await cluster.stop('n1');
    expect(cluster.simulation.nowMs() - beganMs).toBeLessThan(15_000);
    expect(cluster.world.disk('n1').peek('m/clean')).toBeUndefined();
  });
});

describe('a stop', () => {
  it('while the store is being opened anew leaves it closed', async () => {
    const { cluster } = await start(9);
    cluster.crash('n1');
    const runtime = cluster.runtime('n1');
    let opened = 0;
    const slow = {
      ...runtime,
      openStorage: async (folder: string): Promise<Storage> => {
        if (++opened > 1)
          await new Promise<void>((resolve) => runtime.timers.after(2 * DRAIN_MS_MAX, resolve));
        return runtime.openStorage(folder);
      },
    };
    const options = { config: cluster.config, node: nodeId('n1'), dataDir: 'n1' };
    const node = await cluster.settle(startNode({ ...options, runtime: slow }));
    await failBatch(cluster, await RawClient.open(cluster, 'n1'));
    await cluster.simulation.runUntil(() => opened === 2);
    await cluster.settle(node.stop());
    await cluster.simulation.runFor(2 * DRAIN_MS_MAX);
    // The same process: the folder would still be in use.
    const again = await cluster.settle(startNode({ ...options, runtime }));
    await cluster.settle(again.stop());
  });
});

describe('a disk that fills', () => {
  it('refuses writes early while there is still room for the node itself; reads go on', async () => {
    const { cluster, n1 } = await start(20);
    cluster.world.disk('n1').setFreeBytes(MEBIBYTE);
    const put = cluster.settle(n1.put('k', 'w'));
    await expect(put).rejects.toMatchObject({ code: 'StorageFull', outcome: 'failed' });
    expect((await cluster.settle(n1.get('k'))).values).toEqual(['v']);
    expect((await cluster.settle(n1.scan(0, {}))).entries).toHaveLength(1);
    expect(cluster.node('n1').status().writesRefused).toBe('StorageFull');
    expect(cluster.counter('n1', 'batches_failed')).toBe(0);
  });

  it('does not confirm what it cannot keep: W = all is unknown, W = quorum succeeds without it', async () => {
    const { cluster } = await start(21);
    const n2 = await RawClient.open(cluster, 'n2');
    cluster.world.disk('n1').setFreeBytes(MEBIBYTE);
    await cluster.settle(n2.put('k2', 'v'));
    const all = cluster.settle(n2.put('k3', 'v', { write: 'all' }));
    await expect(all).rejects.toMatchObject({ code: 'QuorumNotReached', outcome: 'unknown' });
    expect(cluster.record('n1', 'k2')).toBeUndefined();
  });

  it('takes writes again by itself once there is room, under the same incarnation', async () => {
    const { cluster, n1 } = await start(22);
    const before = cluster.node('n1').status().incarnation;
    cluster.world.disk('n1').setFreeBytes(MEBIBYTE);
    await expect(cluster.settle(n1.put('k', 'w'))).rejects.toMatchObject({ code: 'StorageFull' });
    cluster.world.disk('n1').setFreeBytes(Infinity);
    await cluster.settle(n1.put('k', 'w'));
    expect(cluster.node('n1').status().incarnation).toBe(before);
    await cluster.converge(30_000);
  });

  it('even full to the last byte it loses nothing that was acknowledged, and serves reads', async () => {
    const { cluster, n1 } = await start(23);
    const db = await cluster.connect('app');
    const ns = db.namespace<string>('default');
    const acknowledged: string[] = [];
    for (let i = 0; i < 30; i++) {
      if (i === 10) cluster.world.disk('n1').setFreeBytes(0);
      await cluster.settle(ns.put(`a${i}`, 'v'));
      acknowledged.push(`a${i}`);
    }
    // A read repair, a recount, a hint: none may bring the node down.
    cluster.world.disk('n1').flipByte(cluster.placeOf('default', 'a3'));
    for (const key of acknowledged) {
      const read = await cluster.settle(n1.get(key)).catch(() => cluster.settle(ns.get(key)));
      expect('values' in read ? read.values.length : read.siblings.length).toBe(1);
    }
    await cluster.simulation.runFor(10_000);
    cluster.world.disk('n1').setFreeBytes(Infinity);
    await healed(cluster);
    await cluster.converge(60_000);
    for (const key of acknowledged) expect((await cluster.settle(ns.get(key))).value).toBe('v');
  });
});

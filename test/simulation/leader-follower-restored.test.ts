/** Clusters whose data folders were all restored from copies, and what an operator may say of them. */
import { describe, expect, it } from 'vitest';
import { decodeHardState } from '../../src/protocol/hard-state-codec.js';
import { COPIED_STORE, NO_STORE } from '../../src/replication/leader-follower/opening.js';
import { requestVote } from '../support/lone-core.js';
import { appended, LoneReplica, N2, N3 } from '../support/lone-replica.js';
import { SimCluster } from '../support/sim-cluster.js';

const NAMESPACES = `
  - { name: default, strategy: leader-follower, partitions: 2 }
`;

/** A cluster with values in it, stopped, all its folders put back from copies. */
async function restored(seed: number): Promise<SimCluster> {
  const cluster = await SimCluster.start({ seed, namespaces: NAMESPACES });
  const db = await cluster.connect('c1', { timeoutMs: 5_000 });
  const ns = db.namespace<number>('default');
  for (let i = 0; i < 10; i++) await cluster.settle(ns.put(`k${String(i)}`, i));
  await cluster.settle(db.close());
  await cluster.converge(10_000);
  for (const name of cluster.names) await cluster.stop(name);
  for (const name of cluster.names) {
    const disk = cluster.world.disk(name);
    disk.restore(disk.image());
  }
  return cluster;
}

async function read(cluster: SimCluster, client: string): Promise<unknown[]> {
  const db = await cluster.connect(client, { timeoutMs: 3_000 });
  const found: unknown[] = [];
  for (let i = 0; i < 10; i++) {
    const got = db.namespace<number>('default').get(`k${String(i)}`);
    const told = got.then(
      ({ value }) => value,
      (error: { code: string }) => error.code,
    );
    found.push(await cluster.settle(told));
  }
  await cluster.settle(db.close());
  return found;
}

const ALL = [...Array(10).keys()];

describe('a cluster that was restored as a whole', () => {
  it('waits with all that it has, and goes on when its operator vouches for it', async () => {
    const cluster = await restored(1);
    for (const name of cluster.names) await cluster.settle(cluster.boot(name));
    await cluster.simulation.runFor(10_000);
    expect(new Set(await read(cluster, 'c2'))).toEqual(new Set(['NoLeader']));
    for (const name of cluster.names) await cluster.stop(name);
    for (const name of cluster.names) await cluster.settle(cluster.boot(name, { trustStore: true }));
    expect(await read(cluster, 'c3')).toEqual(ALL);
    await cluster.converge(10_000);
    // Once is enough.
    for (const name of cluster.names) await cluster.stop(name);
    for (const name of cluster.names) await cluster.settle(cluster.boot(name));
    expect(await read(cluster, 'c4')).toEqual(ALL);
    expect(cluster.names.map((name) => cluster.counter(name, 'lives_ended'))).toEqual([0, 0, 0]);
  });

  it('goes on at once where that is said at the first start', async () => {
    const cluster = await restored(2);
    for (const name of cluster.names) await cluster.settle(cluster.boot(name, { trustStore: true }));
    expect(await read(cluster, 'c2')).toEqual(ALL);
    await cluster.converge(10_000);
  });

  it('has replicas that were being refilled when they were copied, and still are', () => {
    const refilling = (standing: 'joining' | 'member', store: string): number | undefined => {
      const lone = new LoneReplica();
      lone.trustStore = true;
      lone.storeHard({ term: 2, standing, store });
      lone.open();
      lone.settle();
      return lone.gauges['refilling'];
    };
    expect(refilling('joining', 'another')).toBe(1);
    expect(refilling('joining', NO_STORE)).toBe(1);
    expect(refilling('joining', COPIED_STORE)).toBe(0);
    expect(refilling('member', 'another')).toBe(0);
  });

  it('has none that votes with a hard state that was damaged, however often it is vouched for', () => {
    const store = new Map([['h', new Uint8Array(9)]]);
    for (let start = 0; start < 3; start++) {
      const lone = new LoneReplica({}, store);
      lone.trustStore = true;
      lone.open();
      lone.settle();
      lone.turn(lone.message(N3, requestVote(7, { index: 9, term: 6 }, true)));
      lone.settle();
      expect(lone.gauges).toMatchObject({ refilling: 1 });
      expect(lone.sent.filter(({ message }) => message.type === 'request-vote-result')).toEqual([]);
    }
  });

  it('marks what it begins to empty, so that the rest of it is trusted no more', () => {
    const lone = new LoneReplica();
    lone.storeHard({ term: 2, store: 'another' });
    lone.open();
    const marked = (): string => decodeHardState(lone.store.get('h') as Uint8Array).store;
    expect(marked()).toBe(COPIED_STORE);
    lone.turn(lone.message(N2, appended(2, { index: 0, term: 0 }, [], 0)));
    expect(marked()).toBe(NO_STORE);
  });
});

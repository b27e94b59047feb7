/** Values that rot on the disk of a replica that does not read them. */
import { describe, expect, it } from 'vitest';
import { decodeHardState } from '../../src/protocol/hard-state-codec.js';
import { SimCluster } from '../support/sim-cluster.js';

const NAMESPACES = '\n  - { name: default, strategy: leader-follower, partitions: 1 }\n';
const PLACE = 'g/default/0/';

function standing(cluster: SimCluster, node: string): string {
  return decodeHardState(cluster.world.disk(node).peek(`${PLACE}h`) as Uint8Array).standing;
}

/** Twenty values, one of them rotten on the disk of a follower. */
async function withRot(seed: number): Promise<{ cluster: SimCluster; rotten: string; other: string }> {
  const cluster = await SimCluster.start({ seed, namespaces: NAMESPACES });
  const db = await cluster.connect('c1');
  for (let i = 0; i < 20; i++) await cluster.settle(db.namespace('default').put(`key-${String(i)}`, i));
  await cluster.converge(10_000);
  await cluster.settle(db.close());
  const [rotten, other] = cluster.names.filter((name) => cluster.gauge(name, 'leads') === 0) as [
    string,
    string,
  ];
  const disk = cluster.world.disk(rotten);
  const [key] = disk.keys({ gte: `${PLACE}d/`, lt: `${PLACE}d0` });
  disk.flipByte(key as string);
  expect(cluster.disagreements()).toHaveLength(1);
  return { cluster, rotten, other };
}

describe('a value that has rotted on a follower', () => {
  // leader-follower-rot, seed 1: nobody read it until that follower led, and a restart did not look at it either.
  it('is found after a restart, and the others refill the replica', async () => {
    const { cluster, rotten } = await withRot(1);
    await cluster.stop(rotten);
    await cluster.settle(cluster.restart(rotten));
    await cluster.converge(10_000);
    expect(standing(cluster, rotten)).toBe('member');
  });

  it('costs nothing else while the replica could not be refilled', async () => {
    const { cluster, rotten, other } = await withRot(2);
    cluster.crash(other);
    await cluster.stop(rotten);
    await cluster.settle(cluster.restart(rotten));
    await cluster.simulation.runFor(5_000);
    expect(standing(cluster, rotten)).toBe('member');
    const db = await cluster.connect('c2');
    expect(await cluster.settle(db.namespace('default').get('key-7'))).toMatchObject({ value: 7 });
    await cluster.settle(cluster.restart(other));
    await cluster.converge(20_000);
  });

  it('stays while another replica, which is there, does not hold all that is committed', async () => {
    const { cluster, rotten, other } = await withRot(4);
    // Little enough to take no entries, and room for what a node writes of its own.
    cluster.world.disk(other).setFreeBytes(1024 * 1024);
    await cluster.simulation.runFor(2_000);
    const db = await cluster.connect('c2');
    for (let i = 0; i < 5; i++) await cluster.settle(db.namespace('default').put(`more-${String(i)}`, i));
    await cluster.stop(rotten);
    await cluster.settle(cluster.restart(rotten));
    await cluster.simulation.runFor(10_000);
    expect(cluster.counter(rotten, 'values_rotten')).toBe(1);
    expect(cluster.counter(rotten, 'lives_ended')).toBe(0);
    expect(standing(cluster, rotten)).toBe('member');
    cluster.world.disk(other).setFreeBytes(Infinity);
    await cluster.converge(20_000);
    expect(cluster.counter(rotten, 'lives_ended')).toBe(1);
  });

  it('on both followers at once is mended on one after the other', async () => {
    const { cluster, rotten, other } = await withRot(3);
    const disk = cluster.world.disk(other);
    disk.flipByte(disk.keys({ gte: `${PLACE}d/`, lt: `${PLACE}d0` }).at(-1)!);
    for (const name of [rotten, other]) {
      cluster.crash(name);
      await cluster.settle(cluster.boot(name));
    }
    await cluster.converge(60_000);
    expect([rotten, other].map((name) => standing(cluster, name))).toEqual(['member', 'member']);
    expect([rotten, other].map((name) => cluster.counter(name, 'lives_ended'))).toEqual([1, 1]);
  });
});

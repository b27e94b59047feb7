/** How groups form, and how replicas that have forgotten come back. Stories that hunts have found. */
import { describe, expect, it } from 'vitest';
import { decodeHardState } from '../../src/protocol/hard-state-codec.js';
import { SimCluster } from '../support/sim-cluster.js';

const NODES = ['n1', 'n2', 'n3', 'n4', 'n5'];

/** How every replica of every group stands to its group, as its disk has it. */
function standings(cluster: SimCluster): string[] {
  return cluster.names.flatMap((name) => {
    const disk = cluster.world.disk(name);
    return disk
      .keys({ gte: 'g/', lt: 'g0' })
      .filter((key) => key.endsWith('/h'))
      .map((key) => decodeHardState(disk.peek(key) as Uint8Array).standing);
  });
}

describe('a group that forms', () => {
  // leader-follower-5-nodes, seed 1: the leader had admitted n4 before n4 knew that the group was formed. n4 then told n2 that it was a member
  // and knew of no lives, which n2 took for the loss of its own data: its disk said `joining` while it was counted, and went on saying so.
  it.each([1, 2, 3, 4, 5, 6, 7, 8])('makes a member of each of five replicas, seed %i', async (seed) => {
    const namespaces = '\n  - { name: default, strategy: leader-follower, replicas: 5, partitions: 4 }\n';
    const cluster = await SimCluster.start({ seed, nodes: NODES, namespaces });
    await cluster.simulation.runFor(2_000);
    expect(new Set(standings(cluster))).toEqual(new Set(['member']));
    expect(standings(cluster)).toHaveLength(20);
  });
});

/** What a node reserves on disk of its clock: enough that no restart repeats a timestamp, and nothing of other clocks. */
import { describe, expect, it } from 'vitest';
import { hlcWallMs } from '../../src/core/hlc.js';
import { HLC_RESERVED_MS } from '../../src/core/limits.js';
import { highestHlc } from '../../src/core/record.js';
import { RawClient } from '../support/raw-client.js';
import { SimCluster } from '../support/sim-cluster.js';

const NAMESPACES = `
  - { name: default, strategy: leaderless, partitions: 1 }
  - { name: latest, strategy: leaderless, partitions: 1, conflict: lww }
`;
const HOUR_MS = 3_600_000;
const YEAR_MS = 365 * 24 * HOUR_MS;

/** Writes a key through a node and says at which wall time the write was minted. */
async function mintedAtMs(
  cluster: SimCluster,
  node: string,
  key: string,
  context?: Uint8Array,
): Promise<number> {
  const client = await RawClient.open(cluster, node);
  await cluster.settle(
    client.put(key, node, { write: 'all', ...(context === undefined ? {} : { context }) }),
  );
  const record = cluster.record(node, key);
  if (record === undefined) throw new Error(`${node} does not hold ${key}`);
  return hlcWallMs(highestHlc(record));
}

async function restart(cluster: SimCluster, node: string): Promise<void> {
  cluster.crash(node);
  await cluster.settle(cluster.boot(node));
  await cluster.allReachable();
}

describe('after data from a clock a year ahead', () => {
  it('a restarted node still mints by its own clock', async () => {
    const cluster = await SimCluster.start({ seed: 2, namespaces: NAMESPACES });
    const before = await mintedAtMs(cluster, 'n2', 'before');
    cluster.world.setClockOffset('n1', YEAR_MS);
    const n1 = await RawClient.open(cluster, 'n1');
    const { context } = await cluster.settle(n1.put('k', 'a', { write: 'all' }));
    const above = await mintedAtMs(cluster, 'n2', 'k', context);
    expect(above - before).toBeGreaterThan(YEAR_MS - HOUR_MS);
    await restart(cluster, 'n2');
    const after = await mintedAtMs(cluster, 'n2', 'after');
    expect(after - before).toBeGreaterThan(0);
    expect(after - before).toBeLessThan(HOUR_MS);
  });

  it('an acknowledged write that is really later wins', async () => {
    const cluster = await SimCluster.start({ seed: 3, namespaces: NAMESPACES });
    cluster.world.setClockOffset('n1', YEAR_MS);
    const n1 = await RawClient.open(cluster, 'n1');
    const { context } = await cluster.settle(n1.put('k', 'a', { write: 'all' }));
    await mintedAtMs(cluster, 'n2', 'k', context);
    cluster.world.setClockOffset('n1', 0);
    await restart(cluster, 'n2');
    cluster.world.network.partition('n2', ['n1', 'n3']);
    await cluster.parted('n2', ['n1', 'n3']);
    const n2 = await RawClient.open(cluster, 'n2');
    await cluster.settle(n2.put('z', 'earlier', { namespace: 'latest', write: 'one' }));
    await cluster.simulation.runFor(60_000);
    const n3 = await RawClient.open(cluster, 'n3');
    await cluster.settle(n3.put('z', 'a minute later', { namespace: 'latest' }));
    cluster.world.network.heal();
    await cluster.allReachable();
    await cluster.converge(60_000);
    const reader = await RawClient.open(cluster, 'n3');
    const { values } = await cluster.settle(reader.get('z', { namespace: 'latest', read: 'all' }));
    expect(values).toEqual(['a minute later']);
  });
});

describe('a clock set back by an hour across a restart', () => {
  it('mints above everything from before', async () => {
    const cluster = await SimCluster.start({ seed: 4, namespaces: NAMESPACES });
    const before = await mintedAtMs(cluster, 'n1', 'before');
    cluster.crash('n1');
    cluster.world.setClockOffset('n1', -HOUR_MS);
    await cluster.settle(cluster.boot('n1'));
    await cluster.allReachable();
    const after = await mintedAtMs(cluster, 'n1', 'after');
    expect(after).toBeGreaterThanOrEqual(before);
    expect(after - before).toBeLessThanOrEqual(HLC_RESERVED_MS + 1);
  });
});

// Found by leaderless-last-writer-wins, seed 20050: ten seconds were reserved, and a node that came back stood at their end.
describe('after a crash, with no clock wrong', () => {
  async function crashAndReturn(cluster: SimCluster): Promise<void> {
    cluster.crash('n1');
    await cluster.simulation.runFor(100);
    await cluster.settle(cluster.boot('n1'));
    await cluster.allReachable();
  }

  it('a node mints by its own clock', async () => {
    const cluster = await SimCluster.start({ seed: 5, namespaces: NAMESPACES });
    const beganMs = cluster.simulation.nowMs();
    const before = await mintedAtMs(cluster, 'n1', 'before');
    await crashAndReturn(cluster);
    const after = await mintedAtMs(cluster, 'n1', 'after');
    expect(after - before).toBeLessThanOrEqual(cluster.simulation.nowMs() - beganMs + 1);
  });

  it('a later write elsewhere wins over the first one of the node that is back', async () => {
    const cluster = await SimCluster.start({ seed: 6, namespaces: NAMESPACES });
    await mintedAtMs(cluster, 'n1', 'before');
    await crashAndReturn(cluster);
    cluster.world.network.partition('n1', ['n2', 'n3']);
    await cluster.parted('n1', ['n2', 'n3']);
    const n1 = await RawClient.open(cluster, 'n1');
    await cluster.settle(n1.put('z', 'earlier', { namespace: 'latest', write: 'one' }));
    await cluster.simulation.runFor(100);
    const n3 = await RawClient.open(cluster, 'n3');
    await cluster.settle(n3.put('z', 'later', { namespace: 'latest' }));
    cluster.world.network.heal();
    await cluster.allReachable();
    await cluster.converge(60_000);
    const reader = await RawClient.open(cluster, 'n2');
    const { values } = await cluster.settle(reader.get('z', { namespace: 'latest', read: 'all' }));
    expect(values).toEqual(['later']);
  });
});

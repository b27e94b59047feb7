/** Clocks follow what they see in records from others, and no further than the bound on skew. */
import { describe, expect, it } from 'vitest';
import { highestHlc } from '../../src/core/record.js';
import { RawClient } from '../support/raw-client.js';
import { SimCluster } from '../support/sim-cluster.js';

const NAMESPACES = `
  - { name: default, strategy: leaderless, partitions: 1 }
`;

/** The time of a write on n2 after it took one from n1, whose clock is ahead; and that of the write it took. */
async function afterOneAhead(aheadMs: number): Promise<{ taken: number; own: number; skewed: number }> {
  const cluster = await SimCluster.start({ seed: 1, namespaces: NAMESPACES });
  const n1 = await RawClient.open(cluster, 'n1');
  const n2 = await RawClient.open(cluster, 'n2');
  cluster.world.setClockOffset('n1', aheadMs);
  await cluster.settle(n1.put('ahead', 'v', { write: 'all' }));
  await cluster.settle(n2.put('own', 'v'));
  const time = (key: string): number => highestHlc(cluster.record('n2', key)!);
  return { taken: time('ahead'), own: time('own'), skewed: cluster.counter('n2', 'clock_skewed') };
}

describe('a node that takes a record from one whose clock is ahead', () => {
  it('gives later times from then on, within the bound on skew', async () => {
    const { taken, own, skewed } = await afterOneAhead(30_000);
    expect(own).toBeGreaterThan(taken);
    expect(skewed).toBe(0);
  });

  it('keeps to its own clock beyond the bound, and counts that', async () => {
    const { taken, own, skewed } = await afterOneAhead(3_600_000);
    expect(own).toBeLessThan(taken);
    expect(skewed).toBeGreaterThan(0);
  });
});

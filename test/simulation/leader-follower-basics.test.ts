import { describe, expect, it } from 'vitest';
import { sessionId } from '../../src/core/ids.js';
import { RawClient } from '../support/raw-client.js';
import { SimCluster } from '../support/sim-cluster.js';

const NAMESPACES = `
  - { name: default, strategy: leader-follower, partitions: 1 }
`;

async function leaderOf(cluster: SimCluster): Promise<string> {
  const leads = (): string | undefined =>
    ['n1', 'n2', 'n3'].find((n) => cluster.running(n) && cluster.gauge(n, 'leads') === 1);
  await cluster.simulation.runUntil(() => leads() !== undefined);
  return leads()!;
}

describe('a leader-follower cluster on virtual time', () => {
  it('forms a group, elects a leader, writes, reads, and goes quiet', async () => {
    const cluster = await SimCluster.start({ seed: 1, namespaces: NAMESPACES });
    const leader = await leaderOf(cluster);
    const client = await RawClient.open(cluster, leader);
    const opened = await cluster.settle(client.request({ type: 'open-session', partition: 0 }));
    if (opened.type !== 'session-result') throw new Error(opened.type);
    let sequence = 0;
    const put = (key: string, value: string) => {
      const operation = { session: sessionId(opened.session), sequence: ++sequence };
      return cluster.settle(client.put(key, value, { operation }));
    };
    for (let i = 0; i < 20; i++) expect(await put(`k${i}`, `v${i}`)).toMatchObject({ siblings: 1 });
    expect(await cluster.settle(client.get('k7'))).toMatchObject({ values: ['v7'] });
    expect((await cluster.settle(client.scan(0, {}))).entries).toHaveLength(20);
    await cluster.simulation.runUntil(() => cluster.gauge(leader, 'quiet') === 1);
    console.log(cluster.node(leader).status().gauges, cluster.node(leader).status().counters);
  });
});

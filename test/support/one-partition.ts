/** Three nodes with one partition of each kind, so that every key has the same coordinators, and a client for each node. */
import { RawClient } from './raw-client.js';
import { SimCluster, type SimClusterOptions } from './sim-cluster.js';

const NAMESPACES = `
  - { name: default, strategy: leaderless, partitions: 1 }
  - { name: latest, strategy: leaderless, partitions: 1, conflict: lww }
  - { name: counter, strategy: leaderless, partitions: 1, conflict: counter }
  - { name: set, strategy: leaderless, partitions: 1, conflict: set }
`;

export async function start(seed: number, onMessage?: SimClusterOptions['onMessage']): Promise<SimCluster> {
  return SimCluster.start({ seed, namespaces: NAMESPACES, ...(onMessage && { onMessage }) });
}

/** One client for each node. */
export async function clients(cluster: SimCluster): Promise<readonly [RawClient, RawClient, RawClient]> {
  const open = (name: string): Promise<RawClient> => RawClient.open(cluster, name);
  return [await open('n1'), await open('n2'), await open('n3')];
}

/** Runs until every replica has the same record of every key. */
export function agree(cluster: SimCluster): Promise<void> {
  return cluster.converge(30_000);
}

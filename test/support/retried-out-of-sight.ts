/**
 * A write whose first attempt is on n2 alone, which the others did not reach, and its retry on n1 alone, which the others can no longer
 * reach: n3 had said that it does not know the operation, and had written down that a retry was to come. Now n2 and n3 reach each other.
 */
import type { OperationId } from '../../src/core/record.js';
import type { RawClient } from './raw-client.js';
import { clients, start } from './one-partition.js';
import type { SimCluster } from './sim-cluster.js';
import { watch } from './watched.js';

export interface OutOfSight {
  readonly cluster: SimCluster;
  readonly n1: RawClient;
  readonly n2: RawClient;
  readonly n3: RawClient;
}

/** `attempt` begins one of the two; `meanwhile` goes on while n2 is alone with the first. */
export async function retriedOutOfSight(
  seed: number,
  namespace: string,
  attempt: (
    client: RawClient,
    how: { readonly operation: OperationId; readonly attempt?: number; readonly write?: 'one' },
  ) => Promise<unknown>,
  meanwhile: (cluster: SimCluster, n2: RawClient) => Promise<void>,
): Promise<OutOfSight> {
  let announced = false;
  const cluster = await start(seed, (from, to, message) => {
    if (message.type !== 'replica' || from !== 'n3' || to !== 'n1') return;
    announced ||= message.message.type === 'store-result';
  });
  const [n1, n2, n3] = await clients(cluster);
  const { network } = cluster.world;
  network.partition('n2', ['n1', 'n3']);
  await cluster.parted('n2', ['n1', 'n3']);
  const operation = n1.operation();
  await cluster.settle(attempt(n2, { operation, write: 'one' }));
  await meanwhile(cluster, n2);
  watch(attempt(n1, { operation, attempt: 1 }));
  await cluster.simulation.runUntil(() => announced);
  network.block('n1', 'n3');
  await cluster.simulation.runUntil(() => cluster.stored('n1', 'k', namespace).includes('x'));
  network.heal();
  network.partition('n1', ['n2', 'n3']);
  const reaches = (): boolean =>
    cluster
      .node('n2')
      .status()
      .peers.some(({ node, reachable }) => node === 'n3' && reachable);
  await cluster.simulation.runUntil(reaches);
  return { cluster, n1, n2, n3 };
}

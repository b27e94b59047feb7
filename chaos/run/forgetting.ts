/**
 * After the final reads of an experiment with the check `forgotten`: every key is deleted, seen by all replicas, and then nothing of any
 * may be left on a disk, neither its tombstone nor what the context said of its writes. That takes a floor that rises above all
 * of them, whatever was lost, restored or renamed before: a replica that cannot catch up leaves its remains to everybody.
 *
 * Past the history, which the final reads end: these deletes supersede all that it has, and would explain any loss.
 */
import type { Database } from '../../src/client/api.js';
import type { SimulatedCluster } from '../../src/simulation/cluster.js';
import { keyNames } from '../workloads/planning.js';
import type { WorkloadOptions } from '../workloads/workload.js';

/** How often the disks are looked at. */
const POLL_MS = 1_000;

/** Deletes every key and runs until nothing is left, or `withinMs` are over. Resolves with what is left, for people. */
export async function forgetAll(
  cluster: SimulatedCluster,
  database: Database,
  options: WorkloadOptions,
  withinMs: number,
): Promise<string[]> {
  const { namespace, timeoutMs } = options;
  const keys = database.namespace(namespace);
  for (const key of keyNames(options)) {
    const { context } = await cluster.settle(keys.get(key, { read: 'all', timeoutMs }));
    const seen = context === undefined ? {} : { context };
    await cluster.settle(keys.delete(key, { write: 'all', timeoutMs, ...seen }));
  }
  const untilMs = cluster.simulation.nowMs() + withinMs;
  for (;;) {
    const left = remains(cluster, namespace);
    if (left.length === 0 || cluster.simulation.nowMs() >= untilMs) return left;
    await cluster.simulation.runFor(POLL_MS);
  }
}

function remains(cluster: SimulatedCluster, namespace: string): string[] {
  return cluster
    .copies()
    .filter((group) => group.namespace === namespace)
    .flatMap(({ replicas }) =>
      [...replicas].flatMap(([node, held]) =>
        [...held.keys()].map((key) => `${node} has a record of ${key}`),
      ),
    );
}

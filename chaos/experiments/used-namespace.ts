/** The namespace that an experiment's workload works on, and what its reads can promise. */
import type { NamespaceEntry, QuorumLevel } from '../../src/cluster/cluster-map.js';
import { readsMeetWrites } from '../../src/cluster/quorum-overlap.js';
import { invariant } from '../../src/core/invariant.js';
import { clusterConfigOf, type Experiment } from './experiment.js';

export function usedNamespace(experiment: Experiment): NamespaceEntry {
  const { namespaces } = clusterConfigOf(experiment);
  const used = namespaces.find(({ name }) => name === experiment.workload.namespace);
  invariant(
    used !== undefined,
    'the namespace of a workload is one of the cluster, or the experiment was refused',
  );
  return used;
}

/** Whether each read of the workload meets every write that was acknowledged before it began, by its own levels or the namespace's. */
export function readsPromiseFreshness(experiment: Experiment): boolean {
  const used = usedNamespace(experiment);
  if (used.strategy !== 'leaderless') return readsMeetWrites(used);
  const { read = used.read, write = used.write } = experiment.workload;
  return readsMeetWrites({ ...used, read: read as QuorumLevel, write });
}

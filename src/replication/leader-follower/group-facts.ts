/** The fixed facts of one replica group, as seen by one of its replicas. */
import { replicasOf, type LeaderFollowerNamespace } from '../../cluster/cluster-map.js';
import type { GroupId, NodeId } from '../../core/ids.js';
import { invariant } from '../../core/invariant.js';
import { APPEND_BYTES_MAX } from '../../core/limits.js';
import type { ReplicaSetup } from '../strategy.js';

export interface GroupFacts {
  readonly group: GroupId;
  readonly self: NodeId;
  readonly partition: number;
  readonly namespace: LeaderFollowerNamespace;
  /** In the map's order: the first is the preferred leader. */
  readonly replicas: readonly NodeId[];
  /** All but this one. */
  readonly peers: readonly NodeId[];
  /** See `ReplicaSetup.store`. */
  readonly store: string;
  readonly trustStore: boolean;
  /** See `ReplicaPace`. */
  readonly appendBytesMax: number;
}

export function groupFacts(setup: ReplicaSetup): GroupFacts {
  const { group, self, partition, store, trustStore } = setup;
  const namespace = setup.map.namespaces[setup.namespaceIndex];
  invariant(
    namespace?.strategy === 'leader-follower',
    'a replica is opened by the strategy of its namespace',
  );
  const replicas = replicasOf(setup.map, setup.namespaceIndex, partition);
  invariant(replicas.includes(self), 'a replica is opened only where the map places one');
  const peers = replicas.filter((id) => id !== self);
  const appendBytesMax = setup.pace?.appendBytesMax ?? APPEND_BYTES_MAX;
  return { group, self, partition, namespace, replicas, peers, store, trustStore, appendBytesMax };
}

/** The fixed facts of one replica group, as seen by one of its replicas. */
import { quorumSize, replicasOf, type NamespaceEntry, type QuorumLevel } from '../../cluster/cluster-map.js';
import { standInsOf } from '../../cluster/placement.js';
import { TrefoilError } from '../../core/errors.js';
import type { GroupId, NodeId } from '../../core/ids.js';
import { invariant } from '../../core/invariant.js';
import type { ReplicaSetup, Turn } from '../strategy.js';

export interface GroupMembers {
  readonly group: GroupId;
  readonly self: NodeId;
  readonly partition: number;
  readonly namespace: NamespaceEntry;
  /** All N, this one first. */
  readonly replicas: readonly NodeId[];
  /** The others. */
  readonly peers: readonly NodeId[];
  /** Who stands in for replicas that are away, the first to be asked first; nobody where quorums are strict. */
  readonly standIns: readonly NodeId[];
}

export function groupMembers(setup: ReplicaSetup): GroupMembers {
  const namespace = setup.map.namespaces[setup.namespaceIndex];
  invariant(namespace !== undefined, 'a replica is opened for a namespace of the map');
  const replicas = replicasOf(setup.map, setup.namespaceIndex, setup.partition);
  invariant(replicas.includes(setup.self), 'a replica is opened only where the map places one');
  const peers = replicas.filter((id) => id !== setup.self);
  return {
    group: setup.group,
    self: setup.self,
    partition: setup.partition,
    namespace,
    replicas: [setup.self, ...peers],
    peers,
    standIns: namespace.sloppy ? standInsOf(setup.map, setup.namespaceIndex, setup.partition) : [],
  };
}

/**
 * How many of the other replicas must have told what they hold, so that one of them holds what W replicas had acknowledged
 * before this one lost it.
 */
export function witnessesNeeded({ namespace, peers }: GroupMembers): number {
  const { replicas, write } = namespace;
  return Math.min(peers.length, replicas - quorumSize(write, replicas) + 1);
}

/** How many replicas a level asks for. Throws `BadRequest` where there are not that many. */
export function requiredReplicas(
  members: GroupMembers,
  asked: QuorumLevel | null,
  fallback: QuorumLevel,
): number {
  const n = members.namespace.replicas;
  const required = quorumSize(asked ?? fallback, n);
  if (!Number.isInteger(required) || required < 1 || required > n) {
    throw new TrefoilError(
      'BadRequest',
      `${required} replicas asked of ${n} in namespace ${members.namespace.name}`,
    );
  }
  return required;
}

/** Throws `QuorumUnavailable` unless this replica and the peers it can reach, and `others`, are at least `required`. */
export function checkReachable(
  members: GroupMembers,
  turn: Turn,
  required: number,
  others: readonly NodeId[] = [],
): void {
  const reachable = 1 + [...members.peers, ...others].filter((peer) => turn.reachable(peer)).length;
  if (reachable >= required) return;
  throw new TrefoilError(
    'QuorumUnavailable',
    `${required} of ${members.namespace.replicas} replicas of ${members.group} are needed, ${reachable} can be reached`,
  );
}

/** The fixed facts of one replica group, as seen by one of its replicas. */
import {
  quorumSize,
  replicasOf,
  type AckLevel,
  type LeaderlessNamespace,
  type QuorumLevel,
  type ReadMode,
} from '../../cluster/cluster-map.js';
import { standInsOf } from '../../cluster/placement.js';
import { TrefoilError } from '../../core/errors.js';
import type { GroupId, NodeId } from '../../core/ids.js';
import { invariant } from '../../core/invariant.js';
import type { ReadLevel, WriteLevel } from '../../protocol/messages.js';
import type { ReplicaSetup, Turn } from '../strategy.js';

export interface GroupMembers {
  readonly group: GroupId;
  readonly self: NodeId;
  readonly partition: number;
  readonly namespace: LeaderlessNamespace;
  /** All N, this one first. */
  readonly replicas: readonly NodeId[];
  /** The others. */
  readonly peers: readonly NodeId[];
  /** Who stands in for replicas that are away, the first to be asked first; nobody where quorums are strict. */
  readonly standIns: readonly NodeId[];
}

export function groupMembers(setup: ReplicaSetup): GroupMembers {
  const namespace = leaderlessNamespace(setup);
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

/** The namespace of a group that this strategy was opened for. */
export function leaderlessNamespace({ map, namespaceIndex }: ReplicaSetup): LeaderlessNamespace {
  const namespace = map.namespaces[namespaceIndex];
  invariant(namespace !== undefined, 'a group is opened for a namespace of the map');
  invariant(namespace.strategy === 'leaderless', 'leaderless replication is for leaderless namespaces');
  return namespace;
}

/**
 * How many of the other replicas must have told what they hold, so that one of them holds what W replicas had acknowledged
 * before this one lost it.
 */
export function witnessesNeeded({ namespace, peers }: GroupMembers): number {
  const { replicas, write } = namespace;
  return Math.min(peers.length, replicas - quorumSize(write, replicas) + 1);
}

/** How many replicas a level asks for. Throws `BadRequest` where there are not that many, and for a level of another strategy. */
export function requiredReplicas(
  members: GroupMembers,
  asked: ReadLevel | WriteLevel | null,
  fallback: QuorumLevel,
): number {
  const n = members.namespace.replicas;
  const level = asked ?? fallback;
  if (level === 'leader' || level === 'linearizable' || level === 'session' || level === 'follower') {
    throw new TrefoilError('BadRequest', notALevelHere(level, members.namespace));
  }
  const required = quorumSize(level, n);
  if (!Number.isInteger(required) || required < 1 || required > n) {
    throw new TrefoilError(
      'BadRequest',
      `${required} replicas asked of ${n} in namespace ${members.namespace.name}`,
    );
  }
  return required;
}

function notALevelHere(level: AckLevel | ReadMode, { name, replicas }: LeaderlessNamespace): string {
  const kind = level === 'leader' ? 'an ack level' : 'a read mode';
  return (
    `${level} is ${kind} of leader-follower, and namespace ${name} is leaderless: ` +
    `use one, quorum, all or a number from 1 to ${replicas}`
  );
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

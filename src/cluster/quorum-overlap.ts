/** Whether the quorums of a namespace meet, which is what its reads can promise (R + W > N). */
import {
  quorumSize,
  type LeaderFollowerNamespace,
  type LeaderlessNamespace,
  type NamespaceEntry,
} from './cluster-map.js';

/**
 * Whether every read meets every acknowledged write, whoever wrote it. With sloppy quorums only a read of all replicas does; with
 * a leader, reads that it confirms of writes that a majority has.
 */
export function readsMeetWrites(namespace: NamespaceEntry): boolean {
  return namespace.strategy === 'leaderless' ? quorumsOverlap(namespace) : isLinearizable(namespace);
}

export function quorumsOverlap({ read, write, replicas, sloppy }: LeaderlessNamespace): boolean {
  const r = quorumSize(read, replicas);
  return sloppy ? r === replicas : r + quorumSize(write, replicas) > replicas;
}

function isLinearizable({ read, ack }: LeaderFollowerNamespace): boolean {
  return read === 'linearizable' && ack !== 'leader';
}

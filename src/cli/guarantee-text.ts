/** What a namespace's settings mean, in the words of whoever will live with them. */
import {
  quorumSize,
  type AckLevel,
  type LeaderFollowerNamespace,
  type LeaderlessNamespace,
  type NamespaceEntry,
} from '../cluster/cluster-map.js';
import { quorumsOverlap } from '../cluster/quorum-overlap.js';
import type { ConflictPolicy } from '../core/views.js';

const CONFLICT_TEXT: Readonly<Record<ConflictPolicy, string>> = {
  siblings: 'concurrent writes are all kept as siblings until the application resolves them',
  lww: 'of concurrent writes the last one wins, the others are counted',
  counter: 'concurrent increments all count; one whose outcome is unknown counts once or not at all',
  set: 'concurrent adds are all kept; an add wins over a concurrent remove',
};

/** Some sentences: what reads see, how many nodes may be down, what is risky. */
export function guaranteeText(namespace: NamespaceEntry): string[] {
  switch (namespace.strategy) {
    case 'leaderless':
      return leaderlessText(namespace);
    case 'leader-follower':
      return leaderFollowerText(namespace);
  }
}

function leaderlessText(namespace: LeaderlessNamespace): string[] {
  const { replicas } = namespace;
  const r = quorumSize(namespace.read, replicas);
  const w = quorumSize(namespace.write, replicas);
  return [
    namespace.sloppy
      ? sloppyText(namespace)
      : quorumsOverlap(namespace)
        ? `read-your-writes: R+W = ${r}+${w} > N = ${replicas}, every read meets every acknowledged write`
        : `eventual: R+W = ${r}+${w} <= N = ${replicas}, a read may miss the latest writes for a while`,
    namespace.sloppy
      ? `writes go on with ${down(replicas - 1)} of a partition down, as far as there are stand-ins; reads with ${down(replicas - r)}`
      : `writes go on with ${down(replicas - w)} of a partition down, reads with ${down(replicas - r)}`,
    CONFLICT_TEXT[namespace.conflict],
    ...(namespace.durability === 'buffered'
      ? ['buffered: a crash of the machine may take back acknowledged writes']
      : []),
    ...(w === 1 && replicas > 1 && namespace.durability === 'sync'
      ? ['W = 1: losing one disk may lose writes that were acknowledged and not yet copied']
      : []),
  ];
}

function sloppyText(namespace: LeaderlessNamespace): string {
  return quorumsOverlap(namespace)
    ? 'read-your-writes: every read asks all replicas, and one of them coordinated the write'
    : 'eventual: sloppy, a read may miss writes that stand-ins acknowledged until these have handed them over';
}

function leaderFollowerText(namespace: LeaderFollowerNamespace): string[] {
  const { replicas, clockBoundMs } = namespace;
  const majority = quorumSize('quorum', replicas);
  return [
    readText(namespace),
    availabilityText(namespace, majority),
    `writes of a partition have one order: no siblings, conditional writes and atomic batches within it`,
    ACK_TEXT[namespace.ack](majority, namespace),
    ...(clockBoundMs > 0 ? [leaseText(namespace)] : []),
    ...(replicas % 2 === 0 && replicas > 1
      ? [`${replicas} replicas survive no more losses than ${replicas - 1} do: the majority is ${majority}`]
      : []),
  ];
}

function leaseText({ read, clockBoundMs }: LeaderFollowerNamespace): string {
  const which =
    read === 'linearizable'
      ? 'reads are'
      : `of no use to reads of mode ${read}, the default here; those that ask for linearizable are`;
  return `clockBound: ${which} answered under a lease; stale ones are possible where clocks differ by more than ${clockBoundMs} ms`;
}

function readText({ read, ack }: LeaderFollowerNamespace): string {
  switch (read) {
    case 'linearizable':
      return ack === 'leader'
        ? 'reads are the latest that the leader has; a failover may take back what they saw'
        : 'linearizable: a read sees every write acknowledged before it began';
    case 'session':
      return ack === 'leader'
        ? 'session: within a session reads do not go back, unless a failover takes back what was acknowledged'
        : 'read-your-writes and monotonic reads within a session, from any replica';
    case 'follower':
      return 'eventual: any replica answers, and says how far it is behind';
  }
}

const ACK_TEXT: Readonly<Record<AckLevel, (majority: number, namespace: LeaderFollowerNamespace) => string>> =
  {
    leader: () =>
      'ack leader: acknowledged writes that no other replica has yet are lost when the leader fails; no conditional writes, no atomic batches at this level',
    quorum: (majority, { replicas }) =>
      `an acknowledged write is on the disks of ${majority} of ${replicas} replicas`,
    all: (_, { replicas, minReplicas }) =>
      minReplicas === replicas
        ? `an acknowledged write is on the disks of all ${replicas} replicas`
        : `an acknowledged write is on the disks of all replicas that can be reached, ${minReplicas} at least`,
  };

function availabilityText(
  { ack, read, replicas, minReplicas }: LeaderFollowerNamespace,
  majority: number,
): string {
  const needed = ack === 'all' ? minReplicas : majority;
  const readsNeed = read === 'linearizable' ? majority : 1;
  return (
    `writes go on with ${down(replicas - needed)} of a partition down, after the election of a leader where that was one; ` +
    `reads with ${down(replicas - readsNeed)}`
  );
}

function down(count: number): string {
  if (count === 0) return 'no replica';
  return count === 1 ? '1 replica' : `${count} replicas`;
}

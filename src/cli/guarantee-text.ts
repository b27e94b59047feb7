/** What a namespace's settings mean, in the words of whoever will live with them. */
import { quorumSize, type NamespaceEntry } from '../cluster/cluster-map.js';
import type { ConflictPolicy } from '../core/views.js';

const CONFLICT_TEXT: Readonly<Record<ConflictPolicy, string>> = {
  siblings: 'concurrent writes are all kept as siblings until the application resolves them',
  lww: 'of concurrent writes the last one wins, the others are counted',
  counter: 'concurrent increments all count; one whose outcome is unknown counts once or not at all',
  set: 'concurrent adds are all kept; an add wins over a concurrent remove',
};

/** Whether every read meets every acknowledged write. With sloppy quorums only a read of all replicas does. */
export function quorumsOverlap(namespace: NamespaceEntry): boolean {
  const { read, write, replicas, sloppy } = namespace;
  const r = quorumSize(read, replicas);
  return sloppy ? r === replicas : r + quorumSize(write, replicas) > replicas;
}

/** One sentence on reads, one on nodes that may be down, one on what is risky. */
export function guaranteeText(namespace: NamespaceEntry): string[] {
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

function sloppyText(namespace: NamespaceEntry): string {
  return quorumsOverlap(namespace)
    ? 'read-your-writes: every read asks all replicas, and one of them coordinated the write'
    : 'eventual: sloppy, a read may miss writes that stand-ins acknowledged until these have handed them over';
}

function down(count: number): string {
  if (count === 0) return 'no replica';
  return count === 1 ? '1 replica' : `${count} replicas`;
}

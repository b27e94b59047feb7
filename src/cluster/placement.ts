/**
 * Proposes which nodes hold which partition: weighted rendezvous hashing, spread over failure domains.
 *
 * Every node has a score for every partition. Replicas are picked one after the other: the highest score
 * among the nodes in the zone that holds fewest replicas so far, there on the host that holds fewest.
 *
 *     zone   east      north     west          partition 7, three replicas:
 *     node   e1  e2    n1  n2    w1  w2        e2 first (highest of all), then w1 (highest outside east),
 *     score  .4  .9    .3  .2    .8  .1        then n1 (highest of north)
 *
 * Invariants, as long as a host lies in one zone (then it is a domain inside a domain):
 * - zones hold equally many replicas of a partition, to one, as far as they have nodes; so do hosts in a zone;
 * - a removed node changes only the partitions it held, and those by exactly one replica each. A zone's
 *   picks are prefixes of one order per zone, so no pick of another node can be displaced.
 *
 * The preferred coordinator is not simply the highest score: among 16 partitions on 3 nodes, chance makes
 * 9, 4 and 3 a common split, and the first node would do half the coordination. So each partition prefers the
 * replica that is preferred least often so far in its namespace, by weight; this moves no data.
 * (Consistent hashing with virtual nodes was rejected: uneven unless the ring is large, and it knows no zones.)
 */
import { hashText } from '../core/hash.js';
import { groupId, type NodeId } from '../core/ids.js';
import { invariant } from '../core/invariant.js';
import { compareKeys } from '../core/text-order.js';
import { replicasOf, type ClusterMap, type NamespaceEntry, type NodeEntry } from './cluster-map.js';

/** What placement asks of a namespace. Nothing else of it, and no other namespace, has an influence. */
export type PlacedNamespace = Pick<NamespaceEntry, 'name' | 'partitions' | 'replicas'>;

interface Candidate {
  readonly node: NodeEntry;
  readonly score: number;
}

/**
 * The replicas of every partition, `result[i][p]` for partition p of `namespaces[i]`: distinct nodes, the
 * preferred coordinator first, the others by falling score.
 *
 * Deterministic, and the same for any order of `nodes`. There must be at least as many nodes as replicas.
 */
export function proposePlacement(
  nodes: readonly NodeEntry[],
  namespaces: readonly PlacedNamespace[],
): ClusterMap['placement'] {
  return namespaces.map((namespace) => {
    invariant(namespace.replicas <= nodes.length, `${namespace.name} has as many nodes as replicas`);
    const preferred = new Map<NodeId, number>();
    return Array.from({ length: namespace.partitions }, (_, partition) => {
      const replicas = pickReplicas(rank(nodes, namespace, partition), namespace.replicas);
      return coordinatorFirst(replicas, preferred).map(({ node }) => node.id);
    });
  });
}

/**
 * The nodes that stand in for the replicas of a partition while these are away, the first to be asked first: at most as many as
 * there are replicas. Picked on from them, by the same rule, so that each adds a failure domain where one is left.
 */
export function standInsOf(map: ClusterMap, namespaceIndex: number, partition: number): readonly NodeId[] {
  const namespace = map.namespaces[namespaceIndex];
  invariant(namespace !== undefined, 'stand-ins are asked for in a namespace of the map');
  const replicas = replicasOf(map, namespaceIndex, partition);
  const count = Math.min(replicas.length, map.nodes.length - replicas.length);
  const ranked = rank(map.nodes, namespace, partition);
  const homes = ranked.filter(({ node }) => replicas.includes(node.id));
  return pickSpread(ranked, homes, count).map(({ node }) => node.id);
}

/** All nodes by falling score. */
function rank(
  nodes: readonly NodeEntry[],
  namespace: PlacedNamespace,
  partition: number,
): readonly Candidate[] {
  const group = groupId(namespace.name, partition);
  return nodes
    .map((node) => ({ node, score: scoreOf(`${group} ${node.id}`, node.weight) }))
    .sort((a, b) => b.score - a.score || compareKeys(a.node.id, b.node.id));
}

/**
 * The logarithmic method of weighted rendezvous hashing (Schindelhauer and Schomaker, 2005): the node with the highest
 * score is any given node with a probability proportional to its weight.
 */
function scoreOf(text: string, weight: number): number {
  // The top 52 bits, as a fraction strictly between 0 and 1: with 53 the last half would round up to 1.
  const fraction = (Number(hashText(text) >> 12n) + 0.5) / 2 ** 52;
  return -weight / Math.log(fraction);
}

/** Picks from candidates sorted by falling score; the result is sorted so too. */
function pickReplicas(ranked: readonly Candidate[], replicas: number): readonly Candidate[] {
  const picked = new Set(pickSpread(ranked, [], replicas));
  return ranked.filter((candidate) => picked.has(candidate));
}

/** The first `count` of the candidates, in the order in which they are picked, to stand beside those `taken`. */
function pickSpread(
  ranked: readonly Candidate[],
  taken: readonly Candidate[],
  count: number,
): readonly Candidate[] {
  const picked = new Set(taken);
  const inZone = new Map<string, number>();
  const onHost = new Map<string, number>();
  for (const { node } of taken) {
    inZone.set(node.zone, (inZone.get(node.zone) ?? 0) + 1);
    onHost.set(node.host, (onHost.get(node.host) ?? 0) + 1);
  }
  while (picked.size < taken.length + count) {
    let best: Candidate | undefined;
    let bestZone = Infinity;
    let bestHost = Infinity;
    for (const candidate of ranked) {
      if (picked.has(candidate)) continue;
      const zone = inZone.get(candidate.node.zone) ?? 0;
      const host = onHost.get(candidate.node.host) ?? 0;
      // Equal counts leave the earlier one, whose score is higher.
      if (zone > bestZone || (zone === bestZone && host >= bestHost)) continue;
      best = candidate;
      bestZone = zone;
      bestHost = host;
    }
    invariant(best !== undefined, 'there are at least as many nodes as are to be picked');
    picked.add(best);
    inZone.set(best.node.zone, bestZone + 1);
    onHost.set(best.node.host, bestHost + 1);
  }
  return [...picked].slice(taken.length);
}

/** Moves the replica to the front that is preferred least often so far for its weight, and counts it. */
function coordinatorFirst(
  replicas: readonly Candidate[],
  preferred: Map<NodeId, number>,
): readonly Candidate[] {
  // Sainte-Laguë's divisors, as seats are shared among parties: half a seat ahead, by weight.
  const burden = ({ node }: Candidate): number => ((preferred.get(node.id) ?? 0) + 0.5) / node.weight;
  let first: Candidate | undefined;
  for (const replica of replicas) if (first === undefined || burden(replica) < burden(first)) first = replica;
  if (first === undefined) return replicas;
  preferred.set(first.node.id, (preferred.get(first.node.id) ?? 0) + 1);
  return [first, ...replicas.filter((replica) => replica !== first)];
}

/**
 * The cluster map of a config, and which maps may follow one another.
 *
 * Two maps are the same if and only if epoch and hash are: the hash covers everything that is in the map,
 * in one canonical encoding. It does not cover data folders and credentials, which are not in the map:
 * folders are each node's own affair, and a map is sent to clients.
 *
 * Data never moves today, so whatever decides where stored data lies must stay from one map to the next:
 * the strategy, partitions and replicas of each namespace, and the nodes that hold each partition; and a typed
 * conflict policy, since its payloads mean nothing to others. All else may change with the epoch: addresses,
 * quorum levels, `siblings` and `lww`, durability, new namespaces. The order of a
 * partition's replicas may change too: it says who is asked first, not who holds the data.
 */
import { TrefoilError } from '../core/errors.js';
import { hashText } from '../core/hash.js';
import { compareKeys } from '../core/text-order.js';
import { isTyped } from '../core/views.js';
import {
  findNamespace,
  replicasOf,
  type ClusterMap,
  type LeaderFollowerNamespace,
  type LeaderlessNamespace,
  type NamespaceEntry,
  type NodeEntry,
} from './cluster-map.js';
import type { ClusterConfig } from './config.js';
import { proposePlacement } from './placement.js';

/** The first word of what is hashed: another encoding must never give an equal hash by accident. */
const ENCODING = 'trefoil-map-1';

/** What may not change of a namespace that holds data. */
const FIXED_FIELDS = ['strategy', 'partitions', 'replicas'] as const;

/** The map that a config means: nodes by id, namespaces by name, replicas as placement proposes them. */
export function buildClusterMap(config: ClusterConfig): ClusterMap {
  const nodes = config.nodes
    .map(({ id, host, port, zone, weight }): NodeEntry => ({ id, host, port, zone, weight }))
    .sort((a, b) => compareKeys(a.id, b.id));
  const namespaces = config.namespaces.toSorted((a, b) => compareKeys(a.name, b.name));
  const placement = proposePlacement(nodes, namespaces);
  const content = { cluster: config.cluster, epoch: config.epoch, nodes, namespaces, placement };
  return { ...content, hash: hashClusterMap(content) };
}

/** 16 hexadecimal digits over everything in a map but its hash; independent of the order in which its objects list their fields. */
export function hashClusterMap(map: Omit<ClusterMap, 'hash'>): string {
  const canonical = JSON.stringify([
    ENCODING,
    map.cluster,
    map.epoch,
    map.nodes.map(encodeNode),
    map.namespaces.map(encodeNamespace),
    map.placement,
  ]);
  return hashText(canonical).toString(16).padStart(16, '0');
}

// `satisfies` makes the compiler refuse a field that was added to the type and forgotten here.
function encodeNode({ id, host, port, zone, weight, ...rest }: NodeEntry): readonly unknown[] {
  void (rest satisfies Readonly<Record<string, never>>);
  return [id, host, port, zone, weight];
}

function encodeNamespace(namespace: NamespaceEntry): readonly unknown[] {
  return namespace.strategy === 'leaderless' ? encodeLeaderless(namespace) : encodeLeaderFollower(namespace);
}

function encodeLeaderFollower(namespace: LeaderFollowerNamespace): readonly unknown[] {
  const { name, strategy, replicas, partitions, read, ack, minReplicas, clockBoundMs, logBytes, ...others } =
    namespace;
  const { durability, ttlMs, ...rest } = others;
  void (rest satisfies Readonly<Record<string, never>>);
  const common = [name, strategy, replicas, partitions, durability, ttlMs];
  return [...common, read, ack, minReplicas, clockBoundMs, logBytes];
}

function encodeLeaderless(namespace: LeaderlessNamespace): readonly unknown[] {
  const { name, strategy, replicas, partitions, read, write, conflict, durability, sloppy, ttlMs, ...rest } =
    namespace;
  void (rest satisfies Readonly<Record<string, never>>);
  const common = [name, strategy, replicas, partitions, read, write, conflict, durability, ttlMs];
  // A strict namespace is written as it was before there were sloppy ones: the hashes of stored maps stay.
  return sloppy ? [...common, 'sloppy'] : common;
}

/** Whether two maps are the same, by epoch and hash. */
export function sameMap(
  a: Pick<ClusterMap, 'epoch' | 'hash'>,
  b: Pick<ClusterMap, 'epoch' | 'hash'>,
): boolean {
  return a.epoch === b.epoch && a.hash === b.hash;
}

/**
 * Returns if `proposed` is `stored` itself or may follow it. Throws otherwise, with every reason found:
 * `ConfigIncompatible` for another cluster, an epoch that went back, and stored data that would be lost or
 * have to move; `MapConflict` for two contents under one epoch.
 */
export function checkMapTransition(stored: ClusterMap, proposed: ClusterMap): void {
  if (stored.cluster !== proposed.cluster) {
    throw incompatible([
      `the stored data belongs to cluster ${stored.cluster}, the config is of cluster ${proposed.cluster}: ` +
        `use the config of ${stored.cluster}, or empty data folders`,
    ]);
  }
  if (proposed.epoch < stored.epoch) {
    throw incompatible([
      `the config's epoch ${proposed.epoch} is older than the stored map's ${stored.epoch}: ` +
        `use the current config, or raise its epoch above ${stored.epoch}`,
    ]);
  }
  const changed = stored.namespaces.flatMap((before) => namespaceChanges(before, proposed));
  if (changed.length > 0) throw incompatible(changed);
  const moved = movedPartitions(stored, proposed);
  if (proposed.epoch === stored.epoch && proposed.hash !== stored.hash) {
    throw new TrefoilError(
      'MapConflict',
      `the config differs from the stored map (${proposed.hash} and ${stored.hash}) but has the same epoch ${stored.epoch}: ` +
        `undo the change, or set epoch to ${stored.epoch + 1}` +
        (moved.length > 0 ? `, which would not be enough here: ${moved.join('; ')}` : ''),
    );
  }
  if (moved.length > 0) throw incompatible(moved);
}

function incompatible(reasons: readonly string[]): TrefoilError {
  return new TrefoilError('ConfigIncompatible', reasons.join('; '));
}

function namespaceChanges(before: NamespaceEntry, proposed: ClusterMap): string[] {
  const after = findNamespace(proposed, before.name)?.entry;
  if (after === undefined) {
    return [
      `namespace ${before.name} holds data and is missing from the config: put it back (${fixedFields(before)})`,
    ];
  }
  const changed = (field: string, was: unknown, is: unknown): string[] =>
    was === is
      ? []
      : [
          `namespace ${before.name} holds data stored with ${field}: ${String(was)}, the config says ${String(is)}: ` +
            `set it back, or use a new namespace`,
        ];
  const found = FIXED_FIELDS.flatMap((field) => changed(field, before[field], after[field]));
  if (before.strategy !== 'leaderless' || after.strategy !== 'leaderless') return found;
  // A typed policy reads what is stored in its own way, so nothing else may have written it.
  if (!isTyped(before.conflict) && !isTyped(after.conflict)) return found;
  return [...found, ...changed('conflict', before.conflict, after.conflict)];
}

function fixedFields(namespace: NamespaceEntry): string {
  return FIXED_FIELDS.map((field) => `${field}: ${namespace[field]}`).join(', ');
}

/** One reason for each namespace with partitions whose set of replicas differs. */
function movedPartitions(stored: ClusterMap, proposed: ClusterMap): string[] {
  const reasons: string[] = [];
  stored.namespaces.forEach((before, storedIndex) => {
    const after = findNamespace(proposed, before.name);
    if (after === undefined) return;
    let moved = 0;
    for (let partition = 0; partition < before.partitions; partition++) {
      const holders = replicasOf(stored, storedIndex, partition).toSorted().join(' ');
      if (holders !== replicasOf(proposed, after.index, partition).toSorted().join(' ')) moved++;
    }
    if (moved === 0) return;
    reasons.push(
      `the config's nodes would move ${moved} of ${before.partitions} partitions of namespace ${before.name}, and ` +
        `moving partitions comes with elastic membership: keep the nodes with their ids, zones, hosts and weights`,
    );
  });
  return reasons;
}

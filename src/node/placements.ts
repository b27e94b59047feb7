/**
 * What a node opens: a replica of each group that the map places on it, and a stand-in for each group that it may be asked
 * to keep writes for, or still keeps some for since an earlier map (docs/adr/0009).
 */
import { replicasOf, type ClusterMap } from '../cluster/cluster-map.js';
import { standInsOf } from '../cluster/placement.js';
import { TrefoilError } from '../core/errors.js';
import { groupId, type GroupId, type NodeId } from '../core/ids.js';
import { SCAN_PAGE_BYTES_MAX } from '../core/limits.js';
import type { Storage } from '../runtime/runtime.js';
import { groupPrefix } from './replica-slot.js';

export interface Placement {
  readonly group: GroupId;
  readonly namespaceIndex: number;
  readonly partition: number;
}

/** The groups of which the map places a replica on a node. */
export function replicaPlacements(map: ClusterMap, self: NodeId): Placement[] {
  return allPlacements(map).filter(({ namespaceIndex, partition }) =>
    replicasOf(map, namespaceIndex, partition).includes(self),
  );
}

/** The leaderless groups that a node stands in for, and those it holds something of without being a replica. Rejects with `StorageFailed`. */
export async function standInPlacements(
  map: ClusterMap,
  self: NodeId,
  storage: Storage,
): Promise<Placement[]> {
  const found: Placement[] = [];
  for (const placement of allPlacements(map)) {
    const { group, namespaceIndex, partition } = placement;
    const namespace = map.namespaces[namespaceIndex];
    if (namespace?.strategy !== 'leaderless') continue;
    if (replicasOf(map, namespaceIndex, partition).includes(self)) continue;
    const named = namespace.sloppy && standInsOf(map, namespaceIndex, partition).includes(self);
    if (named || (await holdsAnything(group, storage))) found.push(placement);
  }
  return found;
}

async function holdsAnything(group: GroupId, storage: Storage): Promise<boolean> {
  const gte = groupPrefix(group);
  // `0` follows the `/` that ends the prefix.
  try {
    const entries = await storage.scan({ gte, lt: `${gte.slice(0, -1)}0` }, 1, SCAN_PAGE_BYTES_MAX);
    return entries.length > 0;
  } catch (error) {
    // What cannot be read is something.
    if (error instanceof TrefoilError && error.code === 'RecordCorrupt') return true;
    throw error;
  }
}

function allPlacements(map: ClusterMap): Placement[] {
  return map.namespaces.flatMap(({ name, partitions }, namespaceIndex) =>
    Array.from({ length: partitions }, (_, partition) => ({
      group: groupId(name, partition),
      namespaceIndex,
      partition,
    })),
  );
}

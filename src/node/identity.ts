/**
 * Who a data folder belongs to, and under which incarnation its node mints.
 *
 * An incarnation may mint for a key only while it holds, or has superseded, every earlier dot that it minted
 * for that key. So a new one begins wherever that may not be so:
 *
 *   - the folder is new, or is a copy or a restored backup (the store's identity changed);
 *   - the last stop was not clean and some namespace is `buffered`: an acknowledged write may be gone;
 *   - a record was found damaged, or a batch failed (asked for while running);
 *   - the operator says so.
 *
 * With `durability: sync` nothing leaves before it is on disk, so a SIGKILL does not end an incarnation.
 */
import { checkMapTransition } from '../cluster/build-map.js';
import type { ClusterMap } from '../cluster/cluster-map.js';
import { TrefoilError } from '../core/errors.js';
import { hlcFromWallMs, type HlcTime } from '../core/hlc.js';
import { incarnationId, type IncarnationId, type NodeId } from '../core/ids.js';
import type { Random, Storage } from '../runtime/runtime.js';
import { decodeMeta, encodeMeta } from './meta.js';

const OWNER = 'm/owner';
const MAP = 'm/map';
const INCARNATION = 'm/incarnation';
const CLEAN = 'm/clean';
const CLOCK = 'm/clock';

interface Owner {
  readonly cluster: string;
  readonly node: string;
}

interface StoredIncarnation {
  readonly id: string;
  readonly store: string;
}

export interface Identity {
  readonly incarnation: IncarnationId;
  /** Every timestamp given before the last stop is at or below this one. */
  readonly clockFloor: HlcTime;
}

/**
 * Takes possession of a store for one run: checks that it is this node's and fits the map, decides on the
 * incarnation, and marks the run as not (yet) cleanly stopped. Rejects with `DataFolderForeign`, `ConfigIncompatible`
 * or `MapConflict`, having changed nothing.
 */
export async function takePossession(
  storage: Storage,
  self: NodeId,
  map: ClusterMap,
  random: Random,
  newIncarnation: boolean,
): Promise<Identity> {
  const owner = decodeMeta<Owner>(storage.get(OWNER));
  if (owner !== undefined && (owner.cluster !== map.cluster || owner.node !== self)) {
    throw new TrefoilError(
      'DataFolderForeign',
      `the data folder belongs to node ${owner.node} of cluster ${owner.cluster}, not to ${self} of ${map.cluster}`,
    );
  }
  const stored = decodeMeta<ClusterMap>(storage.get(MAP));
  if (stored !== undefined) checkMapTransition(stored, map);

  const last = decodeMeta<StoredIncarnation>(storage.get(INCARNATION));
  const clean = storage.get(CLEAN) !== undefined;
  const buffered = map.namespaces.some((n) => n.durability === 'buffered');
  const continues =
    last !== undefined && last.store === storage.identity && !newIncarnation && (clean || !buffered);
  const incarnation = continues ? incarnationId(last.id) : freshIncarnation(self, random);

  const batch = storage.batch();
  batch.put(OWNER, encodeMeta({ cluster: map.cluster, node: self } satisfies Owner));
  batch.put(MAP, encodeMeta(map));
  batch.put(INCARNATION, storedIncarnation(incarnation, storage));
  batch.delete(CLEAN);
  await batch.write({ sync: true });
  return { incarnation, clockFloor: decodeMeta<number>(storage.get(CLOCK)) ?? 0 };
}

/** Marks the run as cleanly stopped. The last write of a run. */
export async function markClean(storage: Storage): Promise<void> {
  const batch = storage.batch();
  batch.put(CLEAN, encodeMeta(true));
  await batch.write({ sync: true });
}

/** Unique without a coordinator: the node's own name, and 41 random bits against its own earlier ones. */
export function freshIncarnation(self: NodeId, random: Random): IncarnationId {
  return incarnationId(`${self}.${random.text(8)}`);
}

/** The write that makes an incarnation the store's own. */
export function incarnationEntry(
  incarnation: IncarnationId,
  storage: Storage,
): readonly [string, Uint8Array] {
  return [INCARNATION, storedIncarnation(incarnation, storage)];
}

/** The write that keeps timestamps above those of this run even if the wall clock is set back. */
export function clockEntry(wallMs: number): readonly [string, Uint8Array] {
  return [CLOCK, encodeMeta(hlcFromWallMs(wallMs))];
}

function storedIncarnation(incarnation: IncarnationId, storage: Storage): Uint8Array {
  return encodeMeta({ id: incarnation, store: storage.identity } satisfies StoredIncarnation);
}

/**
 * Who a data folder belongs to, and under which incarnation its node mints.
 *
 * An incarnation may mint for a key only while it holds, or has superseded, every earlier dot that it minted
 * for that key. So a new one begins wherever that may not be so:
 *
 *   - the folder is new, or is a copy or a restored backup (the store's identity changed);
 *   - for `buffered` namespaces, the last stop was not clean: an acknowledged write may be gone;
 *   - a record was found damaged, or a batch failed (asked for while running);
 *   - what the node wrote down about its minting is damaged itself;
 *   - the operator says so.
 *
 * With `durability: sync` nothing leaves before it is on disk, so a SIGKILL does not end an incarnation.
 */
import { checkMapTransition } from '../cluster/build-map.js';
import { findNamespace, type ClusterMap, type NamespaceEntry } from '../cluster/cluster-map.js';
import { TrefoilError } from '../core/errors.js';
import { hlcFromWallMs, type HlcTime } from '../core/hlc.js';
import { incarnationId, type GroupId, type NodeId } from '../core/ids.js';
import type { Random, Storage } from '../runtime/runtime.js';
import { encodeMeta, readMeta } from './meta.js';
import { damagedCounters, type Durability, type Incarnations } from './minter.js';

const OWNER = 'm/owner';
const MAP = 'm/map';
const INCARNATIONS = 'm/incarnations';
const LIVES = 'm/lives';
const CLEAN = 'm/clean';
const CLOCK = 'm/clock';

interface Owner {
  readonly cluster: string;
  readonly node: string;
}

export interface Lives extends Readonly<Record<Durability, string>> {
  /** By the name of a namespace, the epoch of the map that last changed its durability. */
  readonly changedAt: Readonly<Record<string, number>>;
}

interface StoredLives extends Readonly<Record<Durability, string>> {
  /** Absent in a store from before it was followed. */
  readonly changedAt?: Lives['changedAt'];
  /** The store's identity when they began. */
  readonly store: string;
}

interface StoredIncarnations {
  readonly sync: string;
  readonly buffered: string;
  /** The store's identity when they began. */
  readonly store: string;
}

export interface Identity {
  readonly incarnations: Incarnations;
  /** See `storeOf`. */
  readonly lives: Lives;
  /**
   * Every timestamp that the clock stood at before the last stop is at or below this one. It needs no bound of
   * its own: it was only ever this node's own clock, a little ahead, never what other clocks wrote into data.
   */
  readonly clockFloor: HlcTime;
  /** Entries that could not be relied on and were replaced. */
  readonly damaged: readonly string[];
}

/**
 * Takes possession of a store for one run: checks that it is this node's and fits the map, decides on the
 * incarnation under which the node mints in `groups`, and marks the run as not (yet) cleanly stopped. Rejects with
 * `DataFolderForeign`, `DataFolderDamaged`, `ConfigIncompatible` or `MapConflict`, having changed nothing.
 */
export async function takePossession(
  storage: Storage,
  self: NodeId,
  map: ClusterMap,
  groups: readonly GroupId[],
  random: Random,
  newIncarnation: boolean,
): Promise<Identity> {
  const before = checkOwner(storage, self, map);
  const counters = damagedCounters(groups, storage);
  const clock = readMeta<HlcTime>(storage, CLOCK);
  const last = readMeta<StoredIncarnations>(storage, INCARNATIONS);
  const anew = newIncarnation || counters.length > 0;
  const incarnations = continuedIncarnations(storage, last, self, random, anew);
  const lastLives = readMeta<StoredLives>(storage, LIVES);
  const lives = withChanges(continuedLives(storage, lastLives, random, newIncarnation), before, map);
  const batch = storage.batch();
  batch.put(OWNER, encodeMeta({ cluster: map.cluster, node: self } satisfies Owner));
  batch.put(MAP, encodeMeta(map));
  batch.put(...incarnationsEntry(incarnations, storage));
  batch.put(...livesEntry(lives, storage));
  batch.delete(CLEAN);
  for (const key of counters) batch.delete(key);
  // Without its floor the clock may repeat timestamps, if it was also set back: they order writes, dots name them.
  if (clock === 'damaged') batch.delete(CLOCK);
  await batch.write({ sync: true });
  const others = [
    ...(last === 'damaged' ? [INCARNATIONS] : []),
    ...(lastLives === 'damaged' ? [LIVES] : []),
    ...(clock === 'damaged' ? [CLOCK] : []),
  ];
  return {
    incarnations,
    lives,
    clockFloor: clock === 'damaged' ? 0 : (clock ?? 0),
    damaged: [...counters, ...others],
  };
}

/**
 * Names the store for as long as the groups of a namespace have forgotten nothing. A change of durability begins a new name, here
 * where it is on disk before anything else: what the groups themselves wrote while they were `buffered` a crash may take back, down to
 * the last time they were `sync`, and that they would then go on with.
 */
export function storeOf(lives: Lives, { name, durability }: NamespaceEntry): string {
  const epoch = lives.changedAt[name];
  return epoch === undefined ? lives[durability] : `${lives[durability]}.${epoch}`;
}

/** Whose folder it is, and by which map its keys were placed: nothing can stand in for these. Gives that map, if there is one. */
function checkOwner(storage: Storage, self: NodeId, map: ClusterMap): ClusterMap | undefined {
  const owner = readMeta<Owner>(storage, OWNER);
  const stored = readMeta<ClusterMap>(storage, MAP);
  if (owner === 'damaged' || stored === 'damaged') {
    throw new TrefoilError(
      'DataFolderDamaged',
      `the entry ${owner === 'damaged' ? OWNER : MAP} of the data folder of node ${self} is damaged`,
    );
  }
  if (owner !== undefined && (owner.cluster !== map.cluster || owner.node !== self)) {
    throw new TrefoilError(
      'DataFolderForeign',
      `the data folder belongs to node ${owner.node} of cluster ${owner.cluster}, not to ${self} of ${map.cluster}`,
    );
  }
  if (stored !== undefined) checkMapTransition(stored, map);
  return stored;
}

/** Begins new lives in a store that was found, while running, to have lost what it held. Rejects with `StorageFailed`. */
export async function beginLives(storage: Storage, random: Random): Promise<Lives> {
  const lives = freshLives(random);
  const batch = storage.batch();
  batch.put(...livesEntry(lives, storage));
  await batch.write({ sync: true });
  return lives;
}

/** Marks the run as cleanly stopped. The last write of a run. */
export async function markClean(storage: Storage): Promise<void> {
  const batch = storage.batch();
  batch.put(CLEAN, encodeMeta(true));
  await batch.write({ sync: true });
}

/** Unique without a coordinator: the node's own name, and 41 random bits against its own earlier ones. */
export function freshIncarnations(self: NodeId, random: Random): Incarnations {
  return {
    sync: incarnationId(`${self}.${random.text(8)}`),
    buffered: incarnationId(`${self}.${random.text(8)}`),
  };
}

/** The write that makes incarnations the store's own. */
export function incarnationsEntry(
  incarnations: Incarnations,
  storage: Storage,
): readonly [string, Uint8Array] {
  const stored: StoredIncarnations = { ...incarnations, store: storage.identity };
  return [INCARNATIONS, encodeMeta(stored)];
}

function continuedIncarnations(
  storage: Storage,
  last: StoredIncarnations | undefined | 'damaged',
  self: NodeId,
  random: Random,
  anew: boolean,
): Incarnations {
  const fresh = freshIncarnations(self, random);
  if (anew || last === undefined || last === 'damaged' || last.store !== storage.identity) return fresh;
  const clean = readMeta<boolean>(storage, CLEAN) === true;
  return { sync: incarnationId(last.sync), buffered: clean ? incarnationId(last.buffered) : fresh.buffered };
}

function freshLives(random: Random): Lives {
  return { sync: random.text(8), buffered: random.text(8), changedAt: {} };
}

function livesEntry(lives: Lives, storage: Storage): readonly [string, Uint8Array] {
  const stored: StoredLives = { store: storage.identity, ...lives };
  return [LIVES, encodeMeta(stored)];
}

/** A store that was new, restored or pointed out by the operator has lost what it held; an unclean stop may lose buffered writes. */
function continuedLives(
  storage: Storage,
  last: StoredLives | undefined | 'damaged',
  random: Random,
  anew: boolean,
): Lives {
  const fresh = freshLives(random);
  if (anew || last === undefined || last === 'damaged' || last.store !== storage.identity) return fresh;
  const clean = readMeta<boolean>(storage, CLEAN) === true;
  const { sync, buffered, changedAt } = last;
  return { sync, buffered: clean ? buffered : fresh.buffered, changedAt: changedAt ?? {} };
}

function withChanges(lives: Lives, before: ClusterMap | undefined, map: ClusterMap): Lives {
  const changed = map.namespaces.filter(({ name, durability }) => {
    const entry = before === undefined ? undefined : findNamespace(before, name)?.entry;
    return entry !== undefined && entry.durability !== durability;
  });
  if (changed.length === 0) return lives;
  const changedAt = Object.fromEntries(changed.map(({ name }) => [name, map.epoch]));
  return { ...lives, changedAt: { ...lives.changedAt, ...changedAt } };
}

/** The write that keeps timestamps above those of this run even if the wall clock is set back. */
export function clockEntry(wallMs: number): readonly [string, Uint8Array] {
  return [CLOCK, encodeMeta(hlcFromWallMs(wallMs))];
}

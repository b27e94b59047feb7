/**
 * What the replicas of each group have on their disks, in a form that is equal exactly where they agree: of
 * every record its header, which is what hash trees digest, and its values. A sibling that can expire shows
 * without its value, because each replica turns it into a tombstone at its own moment.
 *
 * Of a replica that follows a leader, everything that is state: values, sessions, and how far it has come, byte for byte but
 * for the generation, which is each replica's own; whether it is a member, since only members have promised anything; and the entries of its
 * log, as far back as all have them: what was written over since would hide that it had differed.
 *
 * It reads the disks past the nodes: a replica that hides a difference cannot hide it from here.
 */
import { replicasOf, type ClusterMap, type NamespaceEntry } from '../cluster/cluster-map.js';
import { groupId, type NamespaceName } from '../core/ids.js';
import { hashBytes } from '../core/hash.js';
import { decodeAppliedState } from '../protocol/applied-state-codec.js';
import { decodeHardState } from '../protocol/hard-state-codec.js';
import { decodeSegment, LOG_KEYS } from '../protocol/log-codec.js';
import { checkRecord, decodeCheckedRecord, recordHeader } from '../protocol/record-codec.js';
import type { SimulatedDisk } from './disk.js';

/** The copies of one replica group. */
export interface GroupCopies {
  readonly namespace: NamespaceName;
  readonly partition: number;
  /** Per node, per key: what it has, in canonical form. */
  readonly replicas: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

/** Where a node keeps what it has of a group. */
function groupPlace(namespace: NamespaceName, partition: number): string {
  return `g/${groupId(namespace, partition)}/`;
}

/** What a node stores of a group that a flipped bit may hit: records, and of a replica with a log all that it has. */
export function storedKeys(
  { name, strategy }: NamespaceEntry,
  partition: number,
  disk: SimulatedDisk,
): string[] {
  const place = strategy === 'leaderless' ? recordPlace(name, partition) : groupPlace(name, partition);
  return disk.keys(within(place));
}

/** Where a node keeps the records of a leaderless group: this, then the key. */
export function recordPlace(namespace: NamespaceName, partition: number): string {
  return `g/${groupId(namespace, partition)}/r/`;
}

export function* groupCopies(
  map: ClusterMap,
  diskOf: (node: string) => SimulatedDisk,
): Generator<GroupCopies> {
  for (const [index, { name, partitions, strategy }] of map.namespaces.entries()) {
    for (let partition = 0; partition < partitions; partition++) {
      const nodes = replicasOf(map, index, partition);
      const copyOn = (id: string): Map<string, string> =>
        strategy === 'leaderless'
          ? recordsOn(diskOf(id), recordPlace(name, partition))
          : stateOn(diskOf(id), groupPlace(name, partition));
      const replicas = new Map(nodes.map((id) => [id, copyOn(id)]));
      if (strategy === 'leader-follower')
        addLogs(replicas, (id) => logOn(diskOf(id), groupPlace(name, partition)));
      yield { namespace: name, partition, replicas };
    }
  }
}

/** The keys on which the replicas of a group differ, each with the number of versions, for people. */
export function differences({ namespace, partition, replicas }: GroupCopies): string[] {
  const copies = [...replicas.values()];
  const keys = new Set(copies.flatMap((copy) => [...copy.keys()]));
  return [...keys].flatMap((key) => {
    const versions = new Set(copies.map((copy) => copy.get(key) ?? 'absent'));
    return versions.size > 1
      ? [`${namespace}/${String(partition)} ${key}: ${String(versions.size)} versions`]
      : [];
  });
}

function recordsOn(disk: SimulatedDisk, place: string): Map<string, string> {
  const stored = disk.keys(within(place));
  return new Map(
    stored.map((key) => [key.slice(place.length), canonical(disk.peek(key) ?? new Uint8Array())]),
  );
}

/** `d/<key>`, `s/<session>`, `a` and `standing`. What a replica holds of other generations is on its way out, and no state. */
function stateOn(disk: SimulatedDisk, place: string): Map<string, string> {
  const peek = (key: string): Uint8Array => disk.peek(place + key) ?? new Uint8Array();
  const state = new Map([['standing', told(peek('h'), (bytes) => decodeHardState(bytes).standing)]]);
  let generation = 0;
  const applied = told(peek('a'), (bytes) => {
    const { generation: own, ...come } = decodeAppliedState(bytes);
    generation = own;
    return JSON.stringify(come);
  });
  state.set('a', applied);
  for (const kind of ['d', 's']) {
    const own = `${place}${kind}/${String(generation)}/`;
    for (const key of disk.keys(within(own)))
      state.set(`${kind}/${key.slice(own.length)}`, hexOf(disk.peek(key) ?? new Uint8Array()));
  }
  return state;
}

/** Entries of a log by index. Empty where it cannot be read: what that means is for the node to say. */
function logOn(disk: SimulatedDisk, place: string): ReadonlyMap<number, string> {
  const log = new Map<number, string>();
  for (const key of disk.keys({ gte: place + LOG_KEYS.gte, lt: place + LOG_KEYS.lt })) {
    try {
      for (const { index, ...entry } of decodeSegment(disk.peek(key) ?? new Uint8Array()))
        log.set(index, JSON.stringify(entry));
    } catch {
      return new Map();
    }
  }
  return log;
}

/** Adds what the logs hold from where the last of them begins. */
function addLogs(
  replicas: ReadonlyMap<string, Map<string, string>>,
  logOf: (id: string) => ReadonlyMap<number, string>,
): void {
  const logs = [...replicas.keys()].map((id) => [id, logOf(id)] as const);
  if (logs.some(([, log]) => log.size === 0)) return;
  const from = Math.max(...logs.map(([, log]) => Math.min(...log.keys())));
  for (const [id, log] of logs)
    for (const [index, entry] of log) if (index >= from) replicas.get(id)?.set(`l/${String(index)}`, entry);
}

function told(bytes: Uint8Array, decode: (bytes: Uint8Array) => string): string {
  if (bytes.length === 0) return 'nothing';
  try {
    return decode(bytes);
  } catch {
    return `damaged ${hexOf(bytes)}`;
  }
}

/** The keys that begin with a text that ends in a slash: '0' follows '/' in the order of bytes. */
function within(place: string): { readonly gte: string; readonly lt: string } {
  return { gte: place, lt: `${place.slice(0, -1)}0` };
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function canonical(bytes: Uint8Array): string {
  // Two replicas that are damaged alike still do not have the record.
  if (!checkRecord(bytes)) return `damaged ${hexOf(bytes)}`;
  const { siblings } = decodeCheckedRecord(bytes);
  const values = siblings.map(({ value, expiresAt }) => {
    if (expiresAt !== 0) return 'expiring';
    return value === null ? 'tombstone' : hashBytes(value).toString(16);
  });
  return `${hexOf(recordHeader(bytes))} ${values.join(' ')}`;
}

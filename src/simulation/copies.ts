/**
 * What the replicas of each group have on their disks, in a form that is equal exactly where they agree: of
 * every record its header, which is what hash trees digest, and its values. A sibling that can expire shows
 * without its value, because each replica turns it into a tombstone at its own moment.
 *
 * It reads the disks past the nodes: a replica that hides a difference cannot hide it from here.
 */
import { replicasOf, type ClusterMap } from '../cluster/cluster-map.js';
import { groupId, type NamespaceName } from '../core/ids.js';
import { hashBytes } from '../core/hash.js';
import { checkRecord, decodeCheckedRecord, recordHeader } from '../protocol/record-codec.js';
import type { SimulatedDisk } from './disk.js';

/** The copies of one replica group. */
export interface GroupCopies {
  readonly namespace: NamespaceName;
  readonly partition: number;
  /** Per node, per key: what it has, in canonical form. */
  readonly replicas: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

/** Where a node keeps the records of a group: this, then the key. */
export function recordPlace(namespace: NamespaceName, partition: number): string {
  return `g/${groupId(namespace, partition)}/r/`;
}

export function* groupCopies(
  map: ClusterMap,
  diskOf: (node: string) => SimulatedDisk,
): Generator<GroupCopies> {
  for (const [index, { name, partitions }] of map.namespaces.entries()) {
    for (let partition = 0; partition < partitions; partition++) {
      const nodes = replicasOf(map, index, partition);
      const replicas = new Map(nodes.map((id) => [id, recordsOn(diskOf(id), recordPlace(name, partition))]));
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
  // '0' follows '/' in the order of bytes.
  const stored = disk.keys({ gte: place, lt: `${place.slice(0, -1)}0` });
  return new Map(
    stored.map((key) => [key.slice(place.length), canonical(disk.peek(key) ?? new Uint8Array())]),
  );
}

function canonical(bytes: Uint8Array): string {
  // Two replicas that are damaged alike still do not have the record.
  if (!checkRecord(bytes)) return `damaged ${Buffer.from(bytes).toString('hex')}`;
  const { siblings } = decodeCheckedRecord(bytes);
  const values = siblings.map(({ value, expiresAt }) => {
    if (expiresAt !== 0) return 'expiring';
    return value === null ? 'tombstone' : hashBytes(value).toString(16);
  });
  return `${Buffer.from(recordHeader(bytes)).toString('hex')} ${values.join(' ')}`;
}

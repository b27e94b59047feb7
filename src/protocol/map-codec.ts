/**
 * The cluster map on the wire, as nested arrays. Only its shape is checked here; whether it makes sense
 * (epoch, hash, placement) is for `cluster/` to say.
 */
import type { ClusterMap, NamespaceEntry, NodeEntry, QuorumLevel } from '../cluster/cluster-map.js';
import { namespaceName, nodeId, type NodeId } from '../core/ids.js';
import {
  amount,
  count,
  countTo,
  flag,
  list,
  malformed,
  text,
  tuple,
  word,
  wordCode,
  wordTable,
} from './fields.js';

/** Codes of strategies; also used where an explanation names one. */
export const STRATEGIES = wordTable(['leaderless']);
const CONFLICTS = wordTable(['siblings', 'lww', 'counter', 'set']);
const DURABILITIES = wordTable(['sync', 'buffered']);

export function node(value: unknown, field: string): NodeId {
  return nodeId(text(value, field));
}

/** A level travels as itself if it is a number, else as -1 (one), -2 (quorum) or -3 (all). */
export function levelToWire(level: QuorumLevel): number {
  switch (level) {
    case 'one':
      return -1;
    case 'quorum':
      return -2;
    case 'all':
      return -3;
    default:
      return level;
  }
}

export function levelFromWire(value: unknown, field: string): QuorumLevel {
  if (value === -1) return 'one';
  if (value === -2) return 'quorum';
  if (value === -3) return 'all';
  if (value === 0) throw malformed(`${field} must not be 0`);
  return countTo(0xffff, value, field);
}

export function mapToWire(map: ClusterMap): unknown[] {
  return [
    map.cluster,
    map.epoch,
    map.hash,
    map.nodes.map((n) => [n.id, n.host, n.port, n.zone, n.weight]),
    map.namespaces.map((n) => [
      n.name,
      wordCode(STRATEGIES, n.strategy),
      n.replicas,
      n.partitions,
      levelToWire(n.read),
      levelToWire(n.write),
      wordCode(CONFLICTS, n.conflict),
      wordCode(DURABILITIES, n.durability),
      n.ttlMs,
      n.sloppy,
    ]),
    map.placement,
  ];
}

export function mapFromWire(value: unknown, field: string): ClusterMap {
  const f = tuple(6, value, field);
  return {
    cluster: text(f[0], 'map cluster'),
    epoch: count(f[1], 'map epoch'),
    hash: text(f[2], 'map hash'),
    nodes: list(nodeFromWire, f[3], 'map nodes'),
    namespaces: list(namespaceFromWire, f[4], 'map namespaces'),
    placement: list(partitions, f[5], 'map placement'),
  };
}

function nodeFromWire(value: unknown, field: string): NodeEntry {
  const f = tuple(5, value, field);
  return {
    id: node(f[0], 'node id'),
    host: text(f[1], 'node host'),
    port: countTo(0xffff, f[2], 'node port'),
    zone: text(f[3], 'node zone'),
    weight: amount(f[4], 'node weight'),
  };
}

function namespaceFromWire(value: unknown, field: string): NamespaceEntry {
  const f = tuple(10, value, field);
  return {
    name: namespaceName(text(f[0], 'namespace name')),
    strategy: word(STRATEGIES, f[1], 'namespace strategy'),
    replicas: countTo(0xffff, f[2], 'namespace replicas'),
    partitions: countTo(0xffff_ffff, f[3], 'namespace partitions'),
    read: levelFromWire(f[4], 'namespace read level'),
    write: levelFromWire(f[5], 'namespace write level'),
    conflict: word(CONFLICTS, f[6], 'namespace conflict policy'),
    durability: word(DURABILITIES, f[7], 'namespace durability'),
    ttlMs: count(f[8], 'namespace ttl'),
    sloppy: flag(f[9], 'namespace sloppy'),
  };
}

function partitions(value: unknown, field: string): NodeId[][] {
  return list((partition) => list(node, partition, field), value, field);
}

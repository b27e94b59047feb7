/**
 * The cluster map on the wire, as nested arrays. Only its shape is checked here; whether it makes sense
 * (epoch, hash, placement) is for `cluster/` to say.
 */
import type { ClusterMap, NamespaceEntry, NodeEntry, QuorumLevel } from '../cluster/cluster-map.js';
import type { ReadLevel, WriteLevel } from './messages.js';
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
export const STRATEGIES = wordTable(['leaderless', 'leader-follower']);
const CONFLICTS = wordTable(['siblings', 'lww', 'counter', 'set']);
const DURABILITIES = wordTable(['sync', 'buffered']);
const ACKS = wordTable(['leader', 'quorum', 'all']);
const READ_MODES = wordTable(['linearizable', 'session', 'follower']);

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

/** A read level: a quorum, or a mode as -4 (linearizable), -5 (session) or -6 (follower). */
export function readLevelToWire(level: ReadLevel): number {
  const mode = READ_MODES.words.findIndex((name) => name === level);
  return mode < 0 ? levelToWire(level as QuorumLevel) : -4 - mode;
}

export function readLevelFromWire(value: unknown, field: string): ReadLevel {
  const mode = typeof value === 'number' ? READ_MODES.words[-4 - value] : undefined;
  return mode ?? levelFromWire(value, field);
}

/** A write level: a quorum, or -4 (leader). */
export function writeLevelToWire(level: WriteLevel): number {
  return level === 'leader' ? -4 : levelToWire(level);
}

export function writeLevelFromWire(value: unknown, field: string): WriteLevel {
  return value === -4 ? 'leader' : levelFromWire(value, field);
}

export function mapToWire(map: ClusterMap): unknown[] {
  return [
    map.cluster,
    map.epoch,
    map.hash,
    map.nodes.map((n) => [n.id, n.host, n.port, n.zone, n.weight]),
    map.namespaces.map(namespaceToWire),
    map.placement,
  ];
}

function namespaceToWire(n: NamespaceEntry): unknown[] {
  const basics = [
    n.name,
    wordCode(STRATEGIES, n.strategy),
    n.replicas,
    n.partitions,
    wordCode(DURABILITIES, n.durability),
    n.ttlMs,
  ];
  switch (n.strategy) {
    case 'leaderless':
      return [
        ...basics,
        [levelToWire(n.read), levelToWire(n.write), wordCode(CONFLICTS, n.conflict), n.sloppy],
      ];
    case 'leader-follower':
      return [
        ...basics,
        [wordCode(READ_MODES, n.read), wordCode(ACKS, n.ack), n.minReplicas, n.clockBoundMs, n.logBytes],
      ];
  }
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
  const f = tuple(7, value, field);
  const basics = {
    name: namespaceName(text(f[0], 'namespace name')),
    replicas: countTo(0xffff, f[2], 'namespace replicas'),
    partitions: countTo(0xffff_ffff, f[3], 'namespace partitions'),
    ttlMs: count(f[5], 'namespace ttl'),
  };
  const durability = word(DURABILITIES, f[4], 'namespace durability');
  const strategy = word(STRATEGIES, f[1], 'namespace strategy');
  switch (strategy) {
    case 'leaderless': {
      const own = tuple(4, f[6], field);
      return {
        ...basics,
        strategy,
        durability,
        read: levelFromWire(own[0], 'namespace read level'),
        write: levelFromWire(own[1], 'namespace write level'),
        conflict: word(CONFLICTS, own[2], 'namespace conflict policy'),
        sloppy: flag(own[3], 'namespace sloppy'),
      };
    }
    case 'leader-follower': {
      const own = tuple(5, f[6], field);
      if (durability !== 'sync') throw malformed('namespace durability must be sync with leader-follower');
      return {
        ...basics,
        strategy,
        durability,
        read: word(READ_MODES, own[0], 'namespace read mode'),
        ack: word(ACKS, own[1], 'namespace ack level'),
        minReplicas: countTo(0xffff, own[2], 'namespace minReplicas'),
        clockBoundMs: amount(own[3], 'namespace clockBoundMs'),
        logBytes: count(own[4], 'namespace logBytes'),
      };
    }
  }
}

function partitions(value: unknown, field: string): NodeId[][] {
  return list((partition) => list(node, partition, field), value, field);
}

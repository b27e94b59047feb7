/**
 * The cluster map: which nodes there are, what each namespace promises, and the replicas of every
 * partition, listed explicitly. Immutable. Two maps are the same if and only if epoch and hash are.
 */
import type { NamespaceName, NodeId } from '../core/ids.js';
import type { ConflictPolicy } from '../core/views.js';

export type Strategy = 'leaderless';

/** How many replicas must answer: a level, or a number from 1 to N. */
export type QuorumLevel = 'one' | 'quorum' | 'all' | number;

export interface NodeEntry {
  readonly id: NodeId;
  readonly host: string;
  readonly port: number;
  readonly zone: string;
  readonly weight: number;
}

export interface NamespaceEntry {
  readonly name: NamespaceName;
  readonly strategy: Strategy;
  /** N: replicas of each partition. */
  readonly replicas: number;
  /** A power of two. */
  readonly partitions: number;
  readonly read: QuorumLevel;
  readonly write: QuorumLevel;
  readonly conflict: ConflictPolicy;
  readonly durability: 'sync' | 'buffered';
  /** Whether a stand-in's disk counts towards W while replicas are away. */
  readonly sloppy: boolean;
  /** Default time to live of a write in milliseconds, 0 for none. */
  readonly ttlMs: number;
}

export interface ClusterMap {
  readonly cluster: string;
  readonly epoch: number;
  /** 16 hexadecimal digits over the rest of the map. */
  readonly hash: string;
  /** Sorted by id. */
  readonly nodes: readonly NodeEntry[];
  /** Sorted by name. */
  readonly namespaces: readonly NamespaceEntry[];
  /** `placement[i][p]`: the replicas of partition p of `namespaces[i]`, preferred coordinator first. */
  readonly placement: readonly (readonly (readonly NodeId[])[])[];
}

/** The number of replicas that a level stands for among `replicas`. */
export function quorumSize(level: QuorumLevel, replicas: number): number {
  switch (level) {
    case 'one':
      return 1;
    case 'quorum':
      return Math.floor(replicas / 2) + 1;
    case 'all':
      return replicas;
    default:
      return level;
  }
}

/** The namespace of that name with its index, or undefined. */
export function findNamespace(
  map: ClusterMap,
  name: string,
): { entry: NamespaceEntry; index: number } | undefined {
  const index = map.namespaces.findIndex((n) => n.name === name);
  const entry = map.namespaces[index];
  return entry === undefined ? undefined : { entry, index };
}

/** The replicas of a partition, preferred coordinator first; empty where the map knows no such partition. */
export function replicasOf(map: ClusterMap, namespaceIndex: number, partition: number): readonly NodeId[] {
  return map.placement[namespaceIndex]?.[partition] ?? [];
}

/**
 * The cluster map: which nodes there are, what each namespace promises, and the replicas of every
 * partition, listed explicitly. Immutable. Two maps are the same if and only if epoch and hash are.
 */
import type { NamespaceName, NodeId } from '../core/ids.js';
import type { ConflictPolicy } from '../core/views.js';

export type Strategy = NamespaceEntry['strategy'];

/** Leaderless: how many replicas must answer, a level or a number from 1 to N. */
export type QuorumLevel = 'one' | 'quorum' | 'all' | number;

/** Leader-follower: who has a write on disk before it is acknowledged. */
export type AckLevel = 'leader' | 'quorum' | 'all';

/** Leader-follower: what a read is held to. */
export type ReadMode = 'linearizable' | 'session' | 'follower';

export interface NodeEntry {
  readonly id: NodeId;
  readonly host: string;
  readonly port: number;
  readonly zone: string;
  readonly weight: number;
}

/** What each strategy's namespaces have. */
interface NamespaceBasics {
  readonly name: NamespaceName;
  /** N: replicas of each partition. */
  readonly replicas: number;
  /** A power of two. */
  readonly partitions: number;
  readonly durability: 'sync' | 'buffered';
  /** Default time to live of a write in milliseconds, 0 for none. */
  readonly ttlMs: number;
}

export interface LeaderlessNamespace extends NamespaceBasics {
  readonly strategy: 'leaderless';
  readonly read: QuorumLevel;
  readonly write: QuorumLevel;
  readonly conflict: ConflictPolicy;
  /** Whether a stand-in's disk counts towards W while replicas are away. */
  readonly sloppy: boolean;
}

export interface LeaderFollowerNamespace extends NamespaceBasics {
  readonly strategy: 'leader-follower';
  /** A log that loses its tail in a crash would break elections: never `buffered`. */
  readonly durability: 'sync';
  readonly read: ReadMode;
  readonly ack: AckLevel;
  /** `ack: all` does without replicas that cannot be reached as long as so many have the write: at least a majority. N: it never does without. */
  readonly minReplicas: number;
  /**
   * How far apart the rates and readings of two nodes' monotonic clocks may come within an election timeout, in milliseconds.
   * Above 0 the leader answers linearizable reads under a lease; 0: by asking a majority, which no clock can break.
   */
  readonly clockBoundMs: number;
  /** Bytes of log that each replica of a partition keeps for followers that are behind. */
  readonly logBytes: number;
}

export type NamespaceEntry = LeaderlessNamespace | LeaderFollowerNamespace;

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

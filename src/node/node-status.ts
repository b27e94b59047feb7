/** What a node says of itself, for operators and tools. Plain data; numbers carry their unit last in the name. */

export interface PeerStatus {
  readonly node: string;
  readonly reachable: boolean;
  /** How surprising the peer's silence is; above 8 it counts as down. */
  readonly phi: number;
  readonly rttMs: number;
}

export interface GroupStatus {
  readonly group: string;
  readonly strategy: string;
  readonly gauges: Readonly<Record<string, number>>;
}

export interface NodeStatus {
  readonly node: string;
  readonly cluster: string;
  readonly epoch: number;
  readonly incarnation: string;
  readonly uptimeMs: number;
  /** Why the node takes no writes, or null where it does. */
  readonly writesRefused: string | null;
  readonly requestsInFlight: number;
  readonly connections: number;
  readonly queueEvents: number;
  readonly freeBytes: number;
  readonly peers: readonly PeerStatus[];
  readonly groups: readonly GroupStatus[];
  /** The groups' gauges, added up. */
  readonly gauges: Readonly<Record<string, number>>;
  readonly counters: Readonly<Record<string, number>>;
}

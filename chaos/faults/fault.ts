/**
 * Faults, as data: what an experiment file says, what a seed draws, what the shrinker drops, and what a world
 * (simulated now, real processes later) is asked to do. A fault begins at `atMs` after the start of the fault
 * phase and ends after `forMs`; the healing phase ends whatever is left.
 */

export const PARTITION_SHAPES = ['halves', 'one', 'majorities-ring', 'bridge', 'one-way'] as const;
export type PartitionShape = (typeof PARTITION_SHAPES)[number];

/** Names of nodes; clients keep their links, except where a fault says so. */
type Node = string;

/** What goes wrong. Rates are of all frames, ranges are drawn from uniformly, `to` absent means every other node. */
export type FaultKind =
  // --- network ---
  /** `order`: the nodes in the order from which the shape is cut (halves: first half against the rest; one: the first alone ...). */
  | { readonly fault: 'partition'; readonly shape: PartitionShape; readonly order: readonly Node[] }
  | {
      readonly fault: 'slow-link';
      readonly from: Node;
      readonly to?: Node;
      readonly latencyMs: readonly [number, number];
    }
  | { readonly fault: 'lossy'; readonly rate: number }
  | { readonly fault: 'duplicating'; readonly rate: number }
  | { readonly fault: 'reordering'; readonly rate: number }
  | { readonly fault: 'corrupting'; readonly rate: number }
  | { readonly fault: 'narrow'; readonly from: Node; readonly to?: Node; readonly bytesPerMs: number }
  /** Frames from one node to another stop and pile up; at the end they all arrive. */
  | { readonly fault: 'clog'; readonly from: Node; readonly to: Node }
  /** Every connection of the node breaks, its clients' too. Has no duration. */
  | { readonly fault: 'reset'; readonly node: Node }
  // --- node ---
  /** Down for `forMs`, then started. `unsynced`: what becomes of writes that no fsync covered. */
  | {
      readonly fault: 'crash';
      readonly node: Node;
      readonly unsynced: 'seeded' | 'lost' | 'torn';
      readonly powerOff: boolean;
    }
  /** All nodes at once, nothing unsynced survives. */
  | { readonly fault: 'power-cut' }
  /** Stopped in order, started again after `forMs`. */
  | { readonly fault: 'restart'; readonly node: Node }
  /** The process stands still, its machine does not: connections stay, time goes on. */
  | { readonly fault: 'pause'; readonly node: Node }
  /** Every event of the node takes this many milliseconds of its time. */
  | { readonly fault: 'slow-cpu'; readonly node: Node; readonly eventMs: number }
  // --- disk ---
  | { readonly fault: 'slow-disk'; readonly node: Node; readonly fsyncMs: readonly [number, number] }
  | { readonly fault: 'full-disk'; readonly node: Node }
  /** Writes fail. */
  | { readonly fault: 'failing-disk'; readonly node: Node }
  /** Reads return a flipped bit, this share of them. */
  | { readonly fault: 'flipping-reads'; readonly node: Node; readonly rate: number }
  /** A bit of a stored record is flipped and stays so. `pick` in [0, 1) chooses the record. Has no duration. */
  | { readonly fault: 'rotten-record'; readonly node: Node; readonly pick: number }
  /** The node crashes, its folder is gone when it starts again after `forMs`. */
  | { readonly fault: 'lost-disk'; readonly node: Node }
  /** A copy is made of the node's disk; after `forMs` the node crashes, and starts on that copy. */
  | { readonly fault: 'restored-disk'; readonly node: Node }
  // --- clock ---
  | { readonly fault: 'clock-offset'; readonly node: Node; readonly offsetMs: number }
  /** Milliseconds that the node's wall clock gains (or loses) in a second. */
  | { readonly fault: 'clock-drift'; readonly node: Node; readonly msPerSecond: number }
  /** Jumps to and fro, `everyMs`. */
  | { readonly fault: 'clock-jumps'; readonly node: Node; readonly byMs: number; readonly everyMs: number };

export type Fault = FaultKind & {
  /** Virtual milliseconds after the fault phase began. */
  readonly atMs: number;
  readonly forMs: number;
};

export type FaultName = FaultKind['fault'];

/** The nodes that a fault names; none for one that is about all. */
export function nodesOf(fault: FaultKind): readonly string[] {
  if ('node' in fault) return [fault.node];
  if ('from' in fault) return fault.to === undefined ? [fault.from] : [fault.from, fault.to];
  return 'order' in fault ? fault.order : [];
}

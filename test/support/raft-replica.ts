/** One replica of a `RaftCluster`: its core, its disk, and what is on its way there. */
import type { NodeId } from '../../src/core/ids.js';
import type { LeaderFollowerMessage } from '../../src/protocol/leader-follower-messages.js';
import type { Raft } from '../../src/replication/leader-follower/raft/raft.js';
import type { HardState, Ready } from '../../src/replication/leader-follower/raft/raft-types.js';
import type { LogChange, LogPosition, Segment } from '../../src/replication/leader-follower/raft/raft-log.js';
import { entriesOf, type TextEntry } from './text-segments.js';

export interface Disk {
  hard: HardState;
  base: LogPosition;
  segments: Map<number, Segment>;
  /** The state, as of this index. */
  applied: LogPosition;
  life: number;
}

export interface Write {
  readonly ready: Ready;
  readonly applied: LogPosition;
  readonly deleted: readonly number[];
  readonly base: LogPosition;
  readonly after: { readonly to: NodeId; readonly message: LeaderFollowerMessage }[];
}

export interface Replica {
  readonly id: NodeId;
  readonly disk: Disk;
  /** undefined: crashed. */
  raft: Raft | undefined;
  /** Counts starts. */
  run: number;
  writes: Write[];
  /** Whether its disk takes nothing until it is let go. */
  held: boolean;
  /** It has just become leader, and owes its term a first entry. */
  owesNoop: boolean;
  /** Segments that go from the disk with the next write. */
  deleted: number[];
  /** Its snapshot was installed and its answer waits for the next write. */
  installed: { readonly to: NodeId; readonly message: LeaderFollowerMessage }[];
}

export function newReplica(id: NodeId, disk: Disk): Replica {
  return {
    id,
    disk,
    raft: undefined,
    run: 0,
    writes: [],
    held: false,
    owesNoop: false,
    deleted: [],
    installed: [],
  };
}

export function emptyDisk(standing: HardState['standing'], life: number): Disk {
  const start = { index: 0, term: 0 };
  return {
    hard: { term: 0, votedFor: null, standing },
    base: start,
    segments: new Map(),
    applied: start,
    life,
  };
}

/** What a disk holds, as entries. */
export function entriesOnDisk({ segments }: Disk): TextEntry[] {
  return [...segments.values()].sort((a, b) => a.first - b.first).flatMap(entriesOf);
}

export function applyChange(segments: Map<number, Segment>, change: LogChange): void {
  if (change.type === 'put') segments.set(change.segment.first, change.segment);
  else segments.delete(change.first);
}

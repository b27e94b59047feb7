/** What goes into the core of one replica, and what comes out of it. */
import type { NodeId } from '../../../core/ids.js';
import type { LeaderFollowerMessage } from '../../../protocol/leader-follower-messages.js';
import type { Random } from '../../../runtime/runtime.js';
import type { LogChange, LogMark, RaftLog, SegmentCodec } from './raft-log.js';

export interface RaftConfig {
  readonly self: NodeId;
  /** All that may vote, this one included. */
  readonly voters: readonly NodeId[];
  /** They get the log and do not vote. */
  readonly learners: readonly NodeId[];
  /** A follower that has heard no leader for a random time between this and twice this campaigns. */
  readonly electionMs: number;
  readonly heartbeatMs: number;
  /** Of entries in one message; a segment that is larger itself goes alone. */
  readonly appendBytesMax: number;
  /** 0: no leases. */
  readonly clockBoundMs: number;
  readonly codec: SegmentCodec;
  readonly random: Random;
}

/** What must be on disk before anything that depends on it leaves. */
export interface HardState {
  readonly term: number;
  readonly votedFor: NodeId | null;
  readonly standing: Standing;
}

/** What a replica knew when it stopped, or nothing. */
export interface RaftStart {
  readonly hard: HardState;
  readonly log: RaftLog;
  /** Everything up to it has been applied. */
  readonly commit: number;
  /** Names its unbroken memory. */
  readonly life: number;
}

export type Standing = 'member' | 'joining';

export type Role = 'follower' | 'pre-candidate' | 'candidate' | 'leader';

export interface Outgoing {
  readonly to: NodeId;
  readonly message: LeaderFollowerMessage;
  /** Waits for nothing on this replica's disk, but for its term. */
  readonly early: boolean;
}

export interface FetchWanted {
  readonly peer: NodeId;
  /** The first index wanted. */
  readonly from: number;
}

/** What a turn of the core asks for. */
export interface Ready {
  /** null: unchanged. */
  readonly hard: HardState | null;
  /** In order. */
  readonly changes: readonly LogChange[];
  /** What is in the log once `changes` are on disk: to be handed to `persisted` then. */
  readonly through: LogMark;
  readonly messages: readonly Outgoing[];
  /** Followers whose next entries are on disk only. */
  readonly fetches: readonly FetchWanted[];
  /** Followers that need the state itself. */
  readonly snapshots: readonly NodeId[];
}

/** Told of what happens inside: for golden traces and logs. */
export interface RaftWatcher {
  readonly became: (role: Role, term: number) => void;
}

/**
 * What the replicas of a leader-follower group say to each other: Raft (D. Ongaro, J. Ousterhout, "In Search of an
 * Understandable Consensus Algorithm", extended version, 2014; the thesis, 2014, for pre-vote, transfer and read index).
 *
 * `life` names the unbroken memory of the replica that answers, or is asked: what was acknowledged in a life that has ended
 * since counts for nothing (docs/adr/0017). Terms, indexes and rounds are whole numbers; index 0 is before the log's first entry.
 */
import type { NodeId } from '../core/ids.js';

/** "Would you vote for me, and did you not just hear from a leader?" Changes nothing at the receiver (thesis, 9.6). */
export interface PreVote {
  readonly type: 'pre-vote';
  /** The term that the sender would campaign in: its own and one. */
  readonly term: number;
  readonly lastIndex: number;
  readonly lastTerm: number;
}

export interface PreVoteResult {
  readonly type: 'pre-vote-result';
  /** Of a granted one the term asked for, else the voter's own. */
  readonly term: number;
  readonly granted: boolean;
}

export interface RequestVote {
  readonly type: 'request-vote';
  readonly term: number;
  /** The sender's. */
  readonly life: number;
  readonly lastIndex: number;
  readonly lastTerm: number;
  /** The leader has asked for this election: hearing from it does not stand against it (thesis, 3.10). */
  readonly transfer: boolean;
}

export interface RequestVoteResult {
  readonly type: 'request-vote-result';
  readonly term: number;
  /** The life that asked: votes for a life that has ended do not count. */
  readonly life: number;
  readonly granted: boolean;
}

/** Entries that follow one the receiver should have; none: a heartbeat. */
export interface AppendEntries {
  readonly type: 'append-entries';
  readonly term: number;
  readonly prevIndex: number;
  readonly prevTerm: number;
  readonly commit: number;
  /** The latest round of confirmations that the leader has begun; the answer hands it back (read index). */
  readonly round: number;
  /** Nothing more will come until something happens: the receiver need not expect heartbeats. */
  readonly quiet: boolean;
  /** Runs of entries, as `log-codec.ts` encodes them, each following the one before it. */
  readonly segments: readonly Uint8Array[];
}

export interface AppendEntriesResult {
  readonly type: 'append-entries-result';
  readonly term: number;
  readonly life: number;
  /** The replica has no vote and does not count yet: it is being refilled (docs/adr/0017). */
  readonly joining: boolean;
  readonly round: number;
  /** `durable`: the log agrees with the leader's up to `index`, on disk. `rejected`: it has no entry of that term at `prevIndex`. `heard`: nothing on disk yet. */
  readonly status: 'durable' | 'rejected' | 'heard';
  /** durable: the last index that agrees. rejected: the `prevIndex` that was refused. */
  readonly index: number;
  /** rejected: the largest index whose term is at most the refused one (fast back-off), and that term. */
  readonly hintIndex: number;
  readonly hintTerm: number;
}

/** A piece of the state as it was at `index`. Pieces come in key order, one at a time. */
export interface InstallSnapshot {
  readonly type: 'install-snapshot';
  readonly term: number;
  /** Names the sender's snapshot for as long as it lives. */
  readonly snapshot: number;
  readonly index: number;
  readonly indexTerm: number;
  /** The keys of the piece are greater than this one; empty in the first piece. */
  readonly after: string;
  readonly entries: readonly (readonly [key: string, value: Uint8Array])[];
  readonly last: boolean;
}

export interface InstallSnapshotResult {
  readonly type: 'install-snapshot-result';
  readonly term: number;
  readonly life: number;
  readonly snapshot: number;
  /** Everything up to and including this key has arrived; the next piece begins after it. */
  readonly received: string;
  /** `wanted`: go on after `received`. `installed`: all of it is on disk. */
  readonly status: 'wanted' | 'installed';
}

/** From the leader to the follower that shall lead: campaign now. */
export interface TimeoutNow {
  readonly type: 'timeout-now';
  readonly term: number;
}

/** To the leader of a group that may have gone quiet: the sender lacks something, or would like to be heard. */
export interface Wake {
  readonly type: 'wake';
  readonly term: number;
}

/** "Was this group ever formed, as far as you know?" From a replica whose store is empty (docs/adr/0017). */
export interface JoinQuery {
  readonly type: 'join-query';
  /** By which the answer is told from those to earlier questions: the life that asks, at first. */
  readonly life: number;
}

export interface JoinAnswer {
  readonly type: 'join-answer';
  /** What the question named. */
  readonly asked: number;
  readonly life: number;
  /** `fresh`: the sender's store is empty as well. */
  readonly state: 'fresh' | 'joining' | 'member';
  /** The lives of all replicas when the group was formed; empty where the sender does not know. */
  readonly formed: readonly (readonly [node: NodeId, life: number])[];
  /** A member's: what is committed up to here is on its disk. */
  readonly commit: number;
}

/** From the leader: you hold all that the group had committed when it learned of your new life; vote and count again. */
export interface Admit {
  readonly type: 'admit';
  readonly term: number;
  readonly life: number;
  /** What the receiver must have on disk to be admitted. */
  readonly index: number;
}

export type LeaderFollowerMessage =
  | PreVote
  | PreVoteResult
  | RequestVote
  | RequestVoteResult
  | AppendEntries
  | AppendEntriesResult
  | InstallSnapshot
  | InstallSnapshotResult
  | TimeoutNow
  | Wake
  | JoinQuery
  | JoinAnswer
  | Admit;

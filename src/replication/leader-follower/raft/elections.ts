/** Who may be voted for, and what a campaign comes to (paper, 5.2 and 5.4.1). */
import type { NodeId } from '../../../core/ids.js';
import type { PreVote, RequestVote } from '../../../protocol/leader-follower-messages.js';
import { voteResult, type VoteResult } from './quorum.js';
import type { RaftLog } from './raft-log.js';
import type { HardState } from './raft-types.js';

/** Whether a candidate's log has at least what this one has. */
export function hasAll({ lastIndex, lastTerm }: PreVote | RequestVote, log: RaftLog): boolean {
  return log.isBehindOrEqual({ index: lastIndex, term: lastTerm });
}

/** Whether a replica of this hard state and log votes for a candidate of its own term: once a term, and never while it is joining. */
export function mayVoteFor(from: NodeId, message: RequestVote, hard: HardState, log: RaftLog): boolean {
  if (message.term !== hard.term || hard.standing !== 'member') return false;
  return (hard.votedFor === null || hard.votedFor === from) && hasAll(message, log);
}

/** The votes of one campaign, each voter's last word. */
export class Ballot {
  readonly #voters: readonly NodeId[];
  readonly #votes = new Map<NodeId, boolean>();

  constructor(voters: readonly NodeId[]) {
    this.#voters = voters;
  }

  /** What the campaign has come to with this vote. */
  cast(voter: NodeId, granted: boolean): VoteResult {
    if (!this.#voters.includes(voter)) return 'pending';
    this.#votes.set(voter, granted);
    const votes = [...this.#votes.values()];
    const yes = votes.filter(Boolean).length;
    return voteResult(this.#voters.length, yes, votes.length - yes);
  }
}

/**
 * The planted bugs of leader-follower replication: mistakes that implementations of Raft have made, each in the place where it would be made
 * here. `seedsMax` is measured as for `leaderless-bugs.ts`; what was measured stands beside it.
 */
import type { PlantedBug } from './planted-bug.js';

const ROOM = 'src/replication/leader-follower';

export const LEADER_FOLLOWER_BUGS: readonly PlantedBug[] = [
  // --- Elections ---
  {
    name: 'vote-without-persisting',
    strategy: 'leader-follower',
    summary:
      'a vote, and the term that came with it, is not on disk: a replica that restarts votes twice in a term',
    file: `${ROOM}/durable-log.ts`,
    edits: [['if (hard !== null) this.#putHard(', 'if (hard?.votedFor === null) this.#putHard(']],
    experiments: ['leader-follower-votes'],
    seedsMax: 32, // caught in 4 of 14
  },
  {
    name: 'vote-for-a-shorter-log',
    strategy: 'leader-follower',
    summary: 'a vote is granted whatever the candidate has, so a leader may lack what is committed',
    file: `${ROOM}/raft/elections.ts`,
    edits: [
      [
        'return log.isBehindOrEqual({ index: lastIndex, term: lastTerm });',
        'return log.isBehindOrEqual({ index: lastIndex, term: lastTerm }) || true;',
      ],
    ],
    experiments: ['leader-follower-votes'],
    seedsMax: 24, // caught in 5 of 14
  },
  {
    name: 'vote-while-joining',
    strategy: 'leader-follower',
    summary: 'a replica that has lost its disk votes before it is refilled, as if it had forgotten nothing',
    file: `${ROOM}/raft/raft.ts`,
    edits: [
      ["this.#hard.standing === 'member' && !this.#standsByLeader", '!this.#standsByLeader'],
      [
        'mayVoteFor(from, message, this.#hard, this.log)',
        "mayVoteFor(from, message, { ...this.#hard, standing: 'member' }, this.log)",
      ],
      ["this.#hard.standing === 'member' && this.config.voters", 'this.config.voters'],
    ],
    experiments: ['leader-follower-forgetful'],
    seedsMax: 16, // caught in 6 of 13
  },
  {
    name: 'skip-pre-vote',
    strategy: 'leader-follower',
    summary:
      'a replica that was cut off campaigns at once, and its higher term deposes a leader that the others hear',
    file: `${ROOM}/raft/raft.ts`,
    edits: [['this.#becomePreCandidate(nowMs);', 'this.#becomeCandidate(nowMs, false);']],
    experiments: ['leader-follower-steady'],
    seedsMax: 5, // caught in 12 of 12
  },

  // --- The log ---
  {
    name: 'truncate-on-a-matching-prefix',
    strategy: 'leader-follower',
    summary:
      'a follower cuts its log where a message begins, also where it agrees: what came after it and was acknowledged is gone',
    file: `${ROOM}/raft/following.ts`,
    edits: [['const fresh = this.#firstNew(segment, commit);', 'const fresh = segment.first;']],
    experiments: ['leader-follower-network'],
    seedsMax: 18, // caught in 7 of 16
  },
  {
    name: 'keep-a-conflicting-tail',
    strategy: 'leader-follower',
    summary: 'a follower that has an entry at an index keeps it, whatever its term',
    file: `${ROOM}/raft/following.ts`,
    edits: [['this.#log.termAt(index) !== term', 'this.#log.termAt(index) === undefined']],
    experiments: ['leader-follower-partitions'],
    seedsMax: 10, // caught in 10 of 14
  },
  {
    name: 'count-itself-before-its-own-fsync',
    strategy: 'leader-follower',
    summary: 'a leader counts its own copy while that is still on its way to the disk',
    file: `${ROOM}/raft/voters.ts`,
    edits: [['return this.#log.stable;', 'return this.#log.last.index;']],
    experiments: ['leader-follower-power-cuts'],
    seedsMax: 54, // caught in 3 of 16
  },
  {
    name: 'acknowledge-entries-before-fsync',
    strategy: 'leader-follower',
    summary: 'a follower says that it has entries on disk while they are on their way there',
    file: `${ROOM}/durable-log.ts`,
    edits: [['waits = true; effects.send(to, message);', 'effects.sendEarly(to, message);']],
    experiments: ['leader-follower-power-cuts'],
    seedsMax: 24, // caught in 5 of 14
  },
  {
    name: 'count-a-follower-when-sent',
    strategy: 'leader-follower',
    summary: 'a follower counts as soon as a message has left for it',
    file: `${ROOM}/raft/progress.ts`,
    edits: [['this.next = last + 1;', 'this.next = last + 1; this.match = last;']],
    experiments: ['leader-follower-partitions'],
    seedsMax: 10, // caught in 11 of 16
  },
  {
    name: 'forget-that-a-follower-forgot',
    strategy: 'leader-follower',
    summary: 'what a follower had before it lost its disk still counts after it',
    file: `${ROOM}/raft/progress.ts`,
    edits: [['if (this.life !== life) {', 'if (this.life === undefined) {']],
    experiments: ['leader-follower-lost-disk'],
    seedsMax: 10, // caught in 13 of 16
  },

  // --- The state ---
  {
    name: 'lose-sessions-in-a-snapshot',
    strategy: 'leader-follower',
    summary: 'a snapshot installs values without the sessions: a retried operation is applied twice',
    file: `${ROOM}/snapshot-receiver.ts`,
    edits: [
      ['sessions.push([own, value]);', ''],
      ['effects.put(own, value);', ''],
    ],
    experiments: ['leader-follower-snapshots'],
    seedsMax: 12, // caught in 10 of 16
  },
  {
    name: 'apply-twice-after-a-restart',
    strategy: 'leader-follower',
    summary: 'the applied index is put down only now and then, apart from what was applied',
    file: `${ROOM}/state-machine.ts`,
    edits: [
      [
        'effects.putLazily(APPLIED_KEY, encodeAppliedState(this.#applied()));',
        'if (this.#index % 8 === 0) effects.putLazily(APPLIED_KEY, encodeAppliedState(this.#applied()));',
      ],
    ],
    experiments: ['leader-follower-crashes'],
    seedsMax: 10, // caught in 13 of 16
  },
  {
    name: 'apply-retries-again',
    strategy: 'leader-follower',
    summary: 'a session does not remember its results, so a retry is another operation',
    file: `${ROOM}/session-table.ts`,
    edits: [['if (result !== undefined) return result;', '']],
    experiments: ['leader-follower-counters'],
    seedsMax: 32, // caught in 4 of 13
  },

  // --- Reads ---
  {
    name: 'skip-the-read-index-round',
    strategy: 'leader-follower',
    summary: 'a leader answers reads from its own state, also when another one has been elected meanwhile',
    file: `${ROOM}/reads.ts`,
    edits: [['read.round = leadership.askRound(turn.monotonicMs);', '']],
    experiments: ['leader-follower-stale-leaders'],
    seedsMax: 75, // caught in 2 of 14
  },
  {
    name: 'confirm-rounds-alone',
    strategy: 'leader-follower',
    summary: 'a leader confirms itself and never asks whether a majority still hears it',
    file: `${ROOM}/raft/leadership.ts`,
    edits: [
      ['if (1 + answered.length < majorityOf(this.#config.voters.length)) return;', ''],
      ['if (!this.quorumHeard(nowMs)) return false;', ''],
    ],
    experiments: ['leader-follower-partitions'],
    seedsMax: 48, // caught in 2 of 8
  },
  {
    name: 'answer-before-applying',
    strategy: 'leader-follower',
    summary: 'a replica answers a read before it has applied what the read must see',
    file: `${ROOM}/reads.ts`,
    edits: [['read.index > state.appliedIndex ||', '']],
    experiments: ['leader-follower-sessions'],
    seedsMax: 18, // caught in 7 of 16
  },
];

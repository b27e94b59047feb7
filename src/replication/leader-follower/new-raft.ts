/** The core of a replica, as it begins after its memory was read. */
import { ELECTION_MS } from '../../core/limits.js';
import type { Turn } from '../strategy.js';
import type { GroupFacts } from './group-facts.js';
import type { Opened } from './opening.js';
import { Raft } from './raft/raft.js';
import { STORED_SEGMENTS } from './stored-segments.js';
import { HEARTBEATS_PER_ELECTION } from './tuning.js';

export function newRaft(facts: GroupFacts, { hard, log, state }: Opened, turn: Turn): Raft {
  const { self, replicas, peers, namespace, appendBytesMax } = facts;
  const { term, votedFor, standing, life } = hard;
  const raft = new Raft(
    {
      self,
      voters: replicas,
      learners: [],
      electionMs: ELECTION_MS,
      heartbeatMs: ELECTION_MS / HEARTBEATS_PER_ELECTION,
      appendBytesMax,
      clockBoundMs: namespace.clockBoundMs,
      codec: STORED_SEGMENTS,
      random: turn.random,
    },
    {
      hard: { term, votedFor, standing: standing === 'member' ? 'member' : 'joining' },
      log,
      commit: state.appliedIndex,
      life,
    },
    turn.monotonicMs,
  );
  for (const peer of peers) if (!turn.reachable(peer)) raft.peerDown(peer, turn.monotonicMs);
  return raft;
}

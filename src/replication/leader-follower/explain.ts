/** How an answer came about, in the words of `explain`. Built only when asked for. */
import type { AckLevel, ReadMode } from '../../cluster/cluster-map.js';
import type { NodeId } from '../../core/ids.js';
import type { Explanation, ReadLag, ReplicaAnswer } from '../../protocol/messages.js';
import type { GroupFacts } from './group-facts.js';
import type { Leadership } from './raft/leadership.js';
import { majorityOf } from './raft/quorum.js';

const WRITE_GUARANTEE: Readonly<Record<AckLevel, string>> = {
  leader: "the write is on the leader's disk only: a fail-over may lose it",
  quorum:
    'the write is on the disks of a majority and applied: no fail-over loses it, and every linearizable read sees it',
  all: 'the write is applied, and on the disk of every replica that can be reached',
};

export function explainWrite(
  facts: GroupFacts,
  ack: AckLevel,
  index: number,
  leadership: Leadership | undefined,
): Explanation {
  const { self, replicas, namespace } = facts;
  const needed =
    ack === 'leader' ? 1 : ack === 'quorum' ? majorityOf(replicas.length) : namespace.minReplicas;
  return {
    coordinator: self,
    strategy: 'leader-follower',
    required: `ack ${ack}: ${needed} of ${replicas.length}`,
    replicas: replicas.map((node) => ({ node, answer: held(facts, ack, node, index, leadership) })),
    repaired: [],
    guarantee: WRITE_GUARANTEE[ack],
  };
}

function held(
  { self }: GroupFacts,
  ack: AckLevel,
  node: NodeId,
  index: number,
  leadership: Leadership | undefined,
): ReplicaAnswer['answer'] {
  if (node === self) return 'leads';
  const follower = leadership?.follower(node);
  if (follower === undefined) return 'waiting';
  if (follower.match >= index && follower.counts) return 'stored';
  if (follower.joining) return 'refilling';
  // At this level the answer waits for every replica that can be reached.
  return ack === 'all' ? 'unreachable' : 'waiting';
}

export function explainRead(
  facts: GroupFacts,
  mode: ReadMode,
  how: 'round' | 'lease' | 'local',
  lag: ReadLag | null,
  leadership: Leadership | undefined,
): Explanation {
  const { self, replicas } = facts;
  const own = leadership !== undefined ? 'leads' : lag !== null && lag.entries > 0 ? 'behind' : 'current';
  const confirmed = how === 'round' ? (leadership?.takenPart() ?? []) : [];
  return {
    coordinator: self,
    strategy: 'leader-follower',
    required: how === 'round' ? `read index: ${majorityOf(replicas.length)} of ${replicas.length}` : how,
    replicas: replicas
      .filter((node) => node === self || confirmed.includes(node))
      .map((node) => ({
        node,
        answer: node !== self ? 'confirmed' : own,
      })),
    repaired: [],
    guarantee: readGuarantee(mode, how, leadership === undefined ? lag : null),
  };
}

function readGuarantee(mode: ReadMode, how: 'round' | 'lease' | 'local', lag: ReadLag | null): string {
  if (how === 'round') return 'linearizable: every write acknowledged by quorum before this read is seen';
  if (how === 'lease') return "linearizable, as long as clocks keep the namespace's clockBound";
  const behind =
    lag === null
      ? 'the leader itself'
      : `${lag.entries} entries and ${Math.ceil(lag.ms)} ms behind, as far as it knows`;
  return mode === 'session'
    ? `everything that the session has seen, maybe not the latest (${behind})`
    : `a state that was the latest once (${behind})`;
}

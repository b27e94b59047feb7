/** One Raft core, `n1`, that a test steps by hand; what it writes is on disk at once unless the test holds it back. */
import { nodeId, type NodeId } from '../../src/core/ids.js';
import type {
  AppendEntries,
  AppendEntriesResult,
  LeaderFollowerMessage,
  RequestVote,
} from '../../src/protocol/leader-follower-messages.js';
import type { Leadership } from '../../src/replication/leader-follower/raft/leadership.js';
import { Raft } from '../../src/replication/leader-follower/raft/raft.js';
import type { HardState, Ready, Role } from '../../src/replication/leader-follower/raft/raft-types.js';
import { RaftLog, type LogPosition } from '../../src/replication/leader-follower/raft/raft-log.js';
import { SeededRandom } from '../../src/simulation/random.js';
import { segmentOf, TEXT_SEGMENTS, type TextEntry } from './text-segments.js';

export const ELECTION_MS = 100;
/** Lives of the replicas are their numbers. */
export const LIFE = 1;

export interface LoneCoreOptions {
  readonly voters?: number;
  readonly learners?: number;
  readonly log?: readonly number[];
  readonly base?: LogPosition;
  readonly hard?: Partial<HardState>;
  readonly commit?: number;
  readonly clockBoundMs?: number;
}

export class LoneCore {
  readonly raft: Raft;
  readonly became: string[] = [];
  nowMs = 0;
  ready: Ready | undefined;

  constructor(options: LoneCoreOptions = {}) {
    const { voters = 3, learners = 0, log: terms = [], base = { index: 0, term: 0 } } = options;
    const log = new RaftLog(TEXT_SEGMENTS, base);
    entries(base.index + 1, ...terms).forEach((entry) => log.restore(segmentOf([entry])));
    const names = Array.from({ length: voters + learners }, (_, at) => nodeId(`n${at + 1}`));
    this.raft = new Raft(
      {
        self: nodeId('n1'),
        voters: names.slice(0, voters),
        learners: names.slice(voters),
        electionMs: ELECTION_MS,
        heartbeatMs: 20,
        appendBytesMax: 10_000,
        clockBoundMs: options.clockBoundMs ?? 0,
        codec: TEXT_SEGMENTS,
        random: new SeededRandom(1),
      },
      {
        hard: { term: log.last.term, votedFor: null, standing: 'member', ...options.hard },
        log,
        commit: options.commit ?? base.index,
        life: LIFE,
      },
      0,
      { became: (role: Role, term: number) => this.became.push(`${role} ${term}`) },
    );
  }

  get leadership(): Leadership {
    const { leadership } = this.raft;
    if (leadership === undefined) throw new RangeError('does not lead');
    return leadership;
  }

  /** Time passes; the core is told. */
  pass(ms: number): LeaderFollowerMessage[] {
    this.nowMs += ms;
    this.raft.tick(this.nowMs);
    return this.take();
  }

  step(from: string, message: LeaderFollowerMessage): LeaderFollowerMessage[] {
    this.raft.step(nodeId(from), message, this.nowMs);
    return this.take();
  }

  /** The messages of a turn. `written: false`: its writes stay under way, see `ready`. */
  take({ written = true } = {}): LeaderFollowerMessage[] {
    this.ready = this.raft.ready(this.nowMs);
    if (written) this.raft.persisted(this.ready.through);
    return this.ready.messages.map(({ message }) => message);
  }

  /** Campaigns, with everyone's consent, and leads; the term's first entry is on its own disk. */
  lead({ noop = true } = {}): Leadership {
    this.pass(Math.max(0, this.raft.dueMs - this.nowMs));
    const { voters } = this.raft.config;
    for (const voter of voters.slice(1))
      this.step(voter, { type: 'pre-vote-result', term: this.raft.term + 1, granted: true });
    const { term } = this.raft;
    for (const voter of voters.slice(1))
      this.step(voter, { type: 'request-vote-result', term, life: LIFE, granted: true });
    if (noop) this.propose('noop');
    return this.leadership;
  }

  propose(text: string): LeaderFollowerMessage[] {
    const { last } = this.raft.log;
    this.raft.propose(segmentOf([{ index: last.index + 1, term: this.raft.term, text }]), this.nowMs);
    return this.take();
  }

  /** An answer of a follower in this core's term. */
  answer(from: string, given: Partial<AppendEntriesResult>): LeaderFollowerMessage[] {
    return this.step(from, {
      type: 'append-entries-result',
      term: this.raft.term,
      life: Number(from.slice(1)),
      joining: false,
      round: 0,
      status: 'durable',
      index: 0,
      hintIndex: 0,
      hintTerm: 0,
      ...given,
    });
  }
}

export const n = (number: number): NodeId => nodeId(`n${number}`);

/** Entries of these terms from an index on. */
export function entries(first: number, ...terms: number[]): TextEntry[] {
  return terms.map((term, at) => ({ index: first + at, term, text: `${term}.${first + at}` }));
}

export function append(
  given: Partial<Omit<AppendEntries, 'segments'>> & { readonly term: number },
  ...following: number[]
): AppendEntries {
  const { prevIndex = 0 } = given;
  const segments = entries(prevIndex + 1, ...following).map((entry) => segmentOf([entry]).bytes);
  return {
    type: 'append-entries',
    prevIndex: 0,
    prevTerm: 0,
    commit: 0,
    round: 0,
    quiet: false,
    ...given,
    segments,
  };
}

export function requestVote(term: number, log: LogPosition, transfer = false): RequestVote {
  return { type: 'request-vote', term, life: 9, lastIndex: log.index, lastTerm: log.term, transfer };
}

export function termsOf(raft: Raft): number[] {
  const { log } = raft;
  return Array.from(
    { length: log.last.index - log.base.index },
    (_, at) => log.termAt(log.base.index + 1 + at) as number,
  );
}

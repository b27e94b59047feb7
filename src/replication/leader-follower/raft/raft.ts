/**
 * Raft's core for one replica: roles, terms, votes, and who follows whom
 * (D. Ongaro, J. Ousterhout, "In Search of an Understandable Consensus Algorithm", extended version, 2014; "the thesis": D. Ongaro,
 * "Consensus: Bridging Theory and Practice", 2014). What a leader does for its followers is in `leadership.ts`, what a follower does with its
 * leader's entries in `following.ts`.
 *
 *                  no leader in time            a majority would vote         a majority votes
 *     follower ──────────────────> pre-candidate ──────────────> candidate ─────────────> leader
 *        ^   a leader, a higher term     │                           │                       │
 *        └───────────────────────────────┴───────────────────────────┴───────────────────────┘
 *
 * It knows no storage, no network, no clock and no client. Whoever owns it feeds it messages, time and word of what is on disk, and
 * takes what it wants done with `ready()`, once a turn: so the entries, messages and commitments of a turn are gathered.
 *
 * A replica that is `joining` has forgotten what it promised (docs/adr/0017): it takes entries, but neither votes nor campaigns, and says so.
 *
 * Invariants, as in the paper's figure 3: at most one leader a term; a leader never truncates its log; logs that agree at an index
 * agree before it; what is committed is in every later leader's log.
 */
import type { NodeId } from '../../../core/ids.js';
import { invariant } from '../../../core/invariant.js';
import type {
  AppendEntries,
  LeaderFollowerMessage,
  PreVote,
  PreVoteResult,
  RequestVote,
  RequestVoteResult,
} from '../../../protocol/leader-follower-messages.js';
import { Ballot, hasAll, mayVoteFor } from './elections.js';
import { Following, NOWHERE, type Answer } from './following.js';
import { Leadership } from './leadership.js';
import type { LogMark, LogPosition, RaftLog, Segment } from './raft-log.js';
import type {
  HardState,
  Outgoing,
  RaftConfig,
  RaftStart,
  RaftWatcher,
  Ready,
  Role,
  Standing,
} from './raft-types.js';

export class Raft {
  readonly config: RaftConfig;
  readonly log: RaftLog;
  readonly #life: number;
  readonly #watcher: RaftWatcher | undefined;
  #hard: HardState;
  #hardChanged = false;
  #role: Role = 'follower';
  #leader: NodeId | null = null;
  #commit: number;
  #leadership: Leadership | undefined;
  /** Of this replica's own campaign. */
  #ballot: Ballot;
  /** When this replica campaigns, or asks to be heard, on the monotonic clock; Infinity while a quiet group's leader lives. */
  #electionDueMs: number;
  /** When a leader was last heard. */
  #leaderHeardMs = -Infinity;
  /** The leader has said that nothing more will come until something happens. */
  #quiet = false;
  readonly #down = new Set<NodeId>();
  #outgoing: Outgoing[] = [];
  readonly #following: Following;

  constructor(config: RaftConfig, start: RaftStart, nowMs: number, watcher?: RaftWatcher) {
    this.config = config;
    this.#ballot = new Ballot(config.voters);
    this.log = start.log;
    this.#life = start.life;
    this.#following = new Following(start.log, config.codec);
    this.#hard = start.hard;
    this.#commit = start.commit;
    this.#watcher = watcher;
    // What it heard before it stopped is forgotten; a lease may rest on that.
    if (config.clockBoundMs > 0) this.#leaderHeardMs = nowMs;
    this.#electionDueMs = nowMs + this.#electionTimeoutMs();
  }

  get role(): Role {
    return this.#role;
  }

  get term(): number {
    return this.#hard.term;
  }

  get hard(): HardState {
    return this.#hard;
  }

  get standing(): Standing {
    return this.#hard.standing;
  }

  /** The leader of this term, as far as this replica knows. */
  get leader(): NodeId | null {
    return this.#leader;
  }

  /** The highest index known to be committed. */
  get commit(): number {
    return this.#commit;
  }

  get leadership(): Leadership | undefined {
    return this.#leadership;
  }

  /** As far as this replica knows. */
  get quiet(): boolean {
    return this.#leadership?.quiet ?? this.#quiet;
  }

  /** When a follower last heard from its leader, on the monotonic clock. */
  get leaderHeardMs(): number {
    return this.#leaderHeardMs;
  }

  /** When `tick` wants to be called, on the monotonic clock; Infinity for never. */
  get dueMs(): number {
    if (this.#leadership !== undefined) return this.#leadership.dueMs;
    return this.#electionDueMs;
  }

  // --- Input ---------------------------------------------------------------------------------------------

  /** Time has passed. */
  tick(nowMs: number): void {
    if (this.#leadership !== undefined) {
      if (!this.#leadership.tick(nowMs)) this.#becomeFollower(this.term, null, nowMs);
    } else if (nowMs >= this.#electionDueMs) {
      this.#leader = null;
      this.#quiet = false;
      if (this.#mayCampaign) this.#becomePreCandidate(nowMs);
      else this.#callForLeader(nowMs);
    }
  }

  step(from: NodeId, message: LeaderFollowerMessage, nowMs: number): void {
    switch (message.type) {
      case 'pre-vote':
        return this.#preVote(from, message, nowMs);
      case 'pre-vote-result':
        return this.#preVoteResult(from, message, nowMs);
      case 'request-vote':
        return this.#requestVote(from, message, nowMs);
      case 'request-vote-result':
        return this.#requestVoteResult(from, message, nowMs);
      case 'append-entries':
        return this.#appendEntries(from, message, nowMs);
      case 'append-entries-result':
        if (this.#outranked(message.term, nowMs) || message.term < this.term) return;
        this.#leadership?.appendResult(from, message, nowMs);
        return this.#advanceCommit();
      case 'timeout-now':
        if (message.term === this.term && this.#role === 'follower' && this.#mayCampaign)
          this.#becomeCandidate(nowMs, true);
        return;
      case 'wake':
        if (this.#leadership !== undefined) return this.#leadership.wakenBy(from, nowMs);
        // The sender does not lead, and a quiet group would wait for it for ever.
        if (from === this.#leader) this.#becomeFollower(this.term, null, nowMs);
        return;
      case 'admit':
        return this.#admit(message.term, message.life, message.index);
      default:
        // Snapshots and joining are the owner's.
        return;
    }
  }

  /** A leader's own new entries. They follow the log's last one and are of this term. */
  propose(segment: Segment, nowMs: number): void {
    invariant(this.#leadership !== undefined, 'a leader proposes');
    this.log.append(segment);
    this.#leadership.wake(nowMs);
  }

  /** What a `Ready` named `through` is on disk, and with it all that came before. */
  persisted(through: LogMark): void {
    this.log.stabilized(through);
    this.#advanceCommit();
  }

  /** Entries for a follower that were read from the disk; see `Leadership.fetched`. */
  fetched(peer: NodeId, from: number, segments: readonly Segment[] | 'damaged' | null): void {
    this.#leadership?.fetched(peer, from, segments);
  }

  /** A follower has the state up to `index`. Its snapshot was given up: null. */
  snapshotEnded(peer: NodeId, index: number | null, nowMs: number): void {
    this.#leadership?.snapshotEnded(peer, index, nowMs);
    this.#advanceCommit();
  }

  /** A message of the term's leader that is not for the core came in: it lives. False where the sender leads no more. */
  heardLeader(from: NodeId, term: number, nowMs: number): boolean {
    if (term < this.term) return false;
    if (term > this.term || this.#role !== 'follower' || this.#leader !== from)
      this.#becomeFollower(term, from, nowMs);
    this.#quiet = false;
    this.#leaderHeardMs = nowMs;
    this.#electionDueMs = nowMs + this.#electionTimeoutMs();
    return true;
  }

  /**
   * The state is replaced by one as of `position`, which is committed. The log begins anew after it, unless it holds that position: then what follows
   * stays, for it may have been acknowledged (paper, 7). That all of it is on disk is told by `persisted` of the `Ready` that comes next, and
   * nothing of it is said to others before. Returns the first indexes of the segments that go from the disk.
   */
  installed(position: LogPosition): number[] {
    invariant(this.#leadership === undefined, 'a leader has its own state');
    invariant(position.index >= this.log.base.index, 'a state does not go back behind the log');
    const holds = this.log.termAt(position.index) === position.term;
    const gone = holds ? this.log.compact(position.index) : this.log.reset(position);
    this.#commit = Math.max(this.#commit, position.index);
    this.#following.reset();
    // So that there is something to write, and all messages wait for it.
    this.#hardChanged = true;
    return gone;
  }

  /** The link to a node is lost: if it leads, an election need not wait out its time. */
  peerDown(peer: NodeId, nowMs: number): void {
    this.#down.add(peer);
    if (this.#leadership !== undefined) return this.#leadership.peerDown(peer, nowMs);
    if (peer !== this.#leader) return;
    this.#quiet = false;
    const { electionMs, clockBoundMs, random } = this.config;
    // It may be back at once, and has to be elected again then.
    if (clockBoundMs === 0) this.#leaderHeardMs = -Infinity;
    this.#electionDueMs = Math.max(nowMs, this.#leasedUntilMs) + random.float() * (electionMs / 4);
  }

  peerUp(peer: NodeId, nowMs: number): void {
    this.#down.delete(peer);
    this.#leadership?.peerUp(peer, nowMs);
  }

  /** Hands leadership to a follower once that has everything. Returns false where it cannot be begun. */
  transfer(to: NodeId, nowMs: number): boolean {
    return this.#leadership?.transfer(to, nowMs) ?? false;
  }

  /** This replica may vote and count from here on, at a group's first start. `first`: it should lead, and campaigns before others do. */
  formed(first: boolean): void {
    if (first) this.#electionDueMs = -Infinity;
    this.#setHard({ ...this.#hard, standing: 'member' });
  }

  // --- Output --------------------------------------------------------------------------------------------

  /** What is to be done now; everything is handed out once. */
  ready(nowMs: number): Ready {
    const hard = this.#hardChanged ? this.#hard : null;
    const changes = this.log.takeChanges();
    for (const answer of this.#following.answers(changes.length > 0)) this.#answer(answer);
    const led = this.#leadership?.gather(nowMs);
    const messages = [...this.#outgoing, ...(led?.messages ?? [])];
    this.#outgoing = [];
    this.#hardChanged = false;
    return {
      hard,
      changes,
      through: this.log.mark,
      messages,
      fetches: led?.fetches ?? [],
      snapshots: led?.snapshots ?? [],
    };
  }

  // --- Elections (paper, 5.2 and 5.4.1; thesis, 9.6 and 4.2.3) --------------------------------------------

  #preVote(from: NodeId, message: PreVote, nowMs: number): void {
    this.#leadership?.wake(nowMs);
    const granted =
      message.term > this.term &&
      this.#hard.standing === 'member' &&
      !this.#standsByLeader(from, nowMs) &&
      hasAll(message, this.log);
    this.#send(from, { type: 'pre-vote-result', term: granted ? message.term : this.term, granted });
  }

  #preVoteResult(from: NodeId, { term, granted }: PreVoteResult, nowMs: number): void {
    if (!granted && this.#outranked(term, nowMs)) return;
    if (this.#role !== 'pre-candidate' || (granted && term !== this.term + 1)) return;
    this.#tally(from, granted, nowMs);
  }

  #requestVote(from: NodeId, message: RequestVote, nowMs: number): void {
    // One that was cut off, or removed, must not depose a leader that the others hear (thesis, 4.2.3). Where there are leases a refused pre-vote
    // may have told the term before, and the leader of the one before it may hold one yet.
    const { life, transfer } = message;
    const deposes = message.term > this.term || nowMs < this.#leasedUntilMs;
    const refused = deposes && !transfer && this.#standsByLeader(from, nowMs);
    if (!refused) this.#outranked(message.term, nowMs);
    const granted = !refused && mayVoteFor(from, message, this.#hard, this.log);
    if (granted) {
      if (this.#role === 'pre-candidate') this.#becomeFollower(this.term, null, nowMs);
      if (this.#hard.votedFor === null) this.#setHard({ ...this.#hard, votedFor: from });
      this.#electionDueMs = nowMs + this.#electionTimeoutMs();
    }
    this.#send(from, { type: 'request-vote-result', term: this.term, life, granted });
  }

  #requestVoteResult(from: NodeId, { term, life, granted }: RequestVoteResult, nowMs: number): void {
    if (this.#outranked(term, nowMs)) return;
    // A vote for a log that is lost says nothing of the one there is now.
    if (this.#role !== 'candidate' || term !== this.term || life !== this.#life) return;
    this.#tally(from, granted, nowMs);
  }

  #tally(from: NodeId, granted: boolean, nowMs: number): void {
    switch (this.#ballot.cast(from, granted)) {
      case 'won':
        if (this.#role === 'pre-candidate') this.#becomeCandidate(nowMs, false);
        else this.#becomeLeader(nowMs);
        return;
      case 'lost':
        return this.#becomeFollower(this.term, null, nowMs);
      case 'pending':
        return;
    }
  }

  /** One that may not campaign asks to be heard. */
  #callForLeader(nowMs: number): void {
    this.#electionDueMs = nowMs + this.#electionTimeoutMs();
    for (const peer of this.config.voters) {
      if (peer !== this.config.self) this.#send(peer, { type: 'wake', term: this.term });
    }
  }

  get #mayCampaign(): boolean {
    return this.#hard.standing === 'member' && this.config.voters.includes(this.config.self);
  }

  /** Whether this replica has reason to believe that there is a leader other than `from`: then it stands by it. */
  #standsByLeader(from: NodeId, nowMs: number): boolean {
    if (this.#leadership !== undefined) return this.#leadership.quorumHeard(nowMs);
    // A leader that campaigns does not lead any more.
    if (from === this.#leader) return false;
    if (nowMs < this.#leasedUntilMs) return true;
    if (this.#leader === null || this.#down.has(this.#leader)) return false;
    if (this.#quiet) this.#doubtQuiet(this.#leader, nowMs);
    return nowMs - this.#leaderHeardMs < this.config.electionMs;
  }

  /** Somebody misses the leader of a group that is quiet: it has an election timeout to be heard. */
  #doubtQuiet(leader: NodeId, nowMs: number): void {
    this.#quiet = false;
    this.#leaderHeardMs = nowMs;
    this.#electionDueMs = nowMs + this.#electionTimeoutMs();
    this.#send(leader, { type: 'wake', term: this.term });
  }

  /** Until when a leader that this replica heard may hold a lease, whatever has become of the leader or of the link to it (thesis, 6.4.1). */
  get #leasedUntilMs(): number {
    const { clockBoundMs, electionMs } = this.config;
    return clockBoundMs > 0 ? this.#leaderHeardMs + electionMs : -Infinity;
  }

  // --- Following (paper, 5.3) ------------------------------------------------------------------------------

  #appendEntries(from: NodeId, message: AppendEntries, nowMs: number): void {
    const { prevIndex, round } = message;
    if (!this.heardLeader(from, message.term, nowMs)) {
      // The sender leads no more: the term tells it.
      this.#answer({ to: from, round, status: 'rejected', index: prevIndex, early: true });
      return;
    }
    const last = this.#following.append(from, message, this.#commit);
    if (last === null) {
      this.#answer(
        { to: from, round, status: 'rejected', index: prevIndex, early: true },
        this.log.lastAtMost(prevIndex, message.prevTerm),
      );
      return;
    }
    this.#commit = Math.max(this.#commit, Math.min(message.commit, last));
    if (message.quiet && message.commit === last && this.log.last.index === last) this.#becomeQuiet();
  }

  #answer({ to, round, status, index, early }: Answer, hint: LogPosition = NOWHERE): void {
    const message = {
      type: 'append-entries-result',
      term: this.term,
      life: this.#life,
      joining: this.#hard.standing === 'joining',
      round,
      status,
      index,
      hintIndex: hint.index,
      hintTerm: hint.term,
    } as const;
    this.#outgoing.push({ to, message, early });
  }

  #admit(term: number, life: number, index: number): void {
    if (term !== this.term || life !== this.#life || this.#hard.standing === 'member') return;
    if (this.log.stable < index) return;
    this.#setHard({ ...this.#hard, standing: 'member' });
    // The leader counts this replica once it says that it is back.
    this.#following.answerAgain();
  }

  // --- Roles -----------------------------------------------------------------------------------------------

  /** Follows a higher term. Returns whether it was one. */
  #outranked(term: number, nowMs: number): boolean {
    if (term <= this.term) return false;
    this.#becomeFollower(term, null, nowMs);
    return true;
  }

  #becomeFollower(term: number, leader: NodeId | null, nowMs: number): void {
    invariant(term >= this.term, 'terms never fall');
    if (term > this.term) this.#setHard({ ...this.#hard, term, votedFor: null });
    this.#leadership = undefined;
    this.#leader = leader;
    this.#quiet = false;
    this.#following.reset();
    this.#electionDueMs = nowMs + this.#electionTimeoutMs();
    this.#setRole('follower');
  }

  #becomePreCandidate(nowMs: number): void {
    this.#setRole('pre-candidate');
    this.#electionDueMs = nowMs + this.#electionTimeoutMs();
    this.#campaign('pre-vote', this.term + 1, false);
    this.#tally(this.config.self, true, nowMs);
  }

  #becomeCandidate(nowMs: number, transfer: boolean): void {
    this.#leader = null;
    this.#setHard({ ...this.#hard, term: this.term + 1, votedFor: this.config.self });
    this.#setRole('candidate');
    this.#electionDueMs = nowMs + this.#electionTimeoutMs();
    this.#campaign('request-vote', this.term, transfer);
    this.#tally(this.config.self, true, nowMs);
  }

  #becomeLeader(nowMs: number): void {
    this.#leader = this.config.self;
    this.#following.reset();
    this.#leadership = new Leadership(
      this.config,
      this.term,
      this.log,
      this.#down,
      nowMs,
      () => this.#commit,
    );
    this.#setRole('leader');
  }

  #campaign(type: 'pre-vote' | 'request-vote', term: number, transfer: boolean): void {
    this.#ballot = new Ballot(this.config.voters);
    const { index: lastIndex, term: lastTerm } = this.log.last;
    for (const peer of this.config.voters) {
      if (peer === this.config.self) continue;
      if (type === 'pre-vote') this.#send(peer, { type, term, lastIndex, lastTerm });
      else this.#send(peer, { type, term, life: this.#life, lastIndex, lastTerm, transfer });
    }
  }

  #becomeQuiet(): void {
    this.#quiet = true;
    this.#electionDueMs = Infinity;
  }

  #setRole(role: Role): void {
    if (this.#role === role) return;
    this.#role = role;
    this.#watcher?.became(role, this.term);
  }

  #setHard(hard: HardState): void {
    this.#hard = hard;
    this.#hardChanged = true;
  }

  /** Commits what a majority has, if it is of this term (paper, 5.4.2). */
  #advanceCommit(): void {
    this.#commit = Math.max(this.#commit, this.#leadership?.committable() ?? 0);
  }

  #electionTimeoutMs(): number {
    return this.config.electionMs * (1 + this.config.random.float());
  }

  #send(to: NodeId, message: LeaderFollowerMessage): void {
    this.#outgoing.push({ to, message, early: false });
  }
}

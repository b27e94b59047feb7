/**
 * What a replica does while it leads: feeds its followers, commits what they have, confirms that it still leads, and goes quiet when
 * there is nothing to do. One object for one term; when the term ends it is forgotten.
 *
 * `gather` makes the messages of a turn. All that the turn brought has been appended by then, so each follower gets one message with
 * everything, and a round of confirmations rides on it.
 */
import type { NodeId } from '../../../core/ids.js';
import type { AppendEntriesResult } from '../../../protocol/leader-follower-messages.js';
import { Progress } from './progress.js';
import { majorityOf } from './quorum.js';
import type { FetchWanted, Outgoing, RaftConfig } from './raft-types.js';
import type { RaftLog, Segment } from './raft-log.js';
import { Rounds, type Round } from './rounds.js';
import { Voters } from './voters.js';

/** Heartbeats without anything to do before a group goes quiet. */
const IDLE_BEATS = 3;

interface Gathered {
  readonly messages: Outgoing[];
  readonly fetches: FetchWanted[];
  readonly snapshots: NodeId[];
}

export class Leadership {
  readonly term: number;
  readonly voters: Voters;
  readonly #config: RaftConfig;
  readonly #log: RaftLog;
  readonly #down: ReadonlySet<NodeId>;
  readonly #commit: () => number;
  readonly #followers = new Map<NodeId, Progress>();
  readonly #rounds = new Rounds();
  #confirmed: Round[] = [];
  #leaseUntilMs = -Infinity;
  /** A follower was told to campaign, and may do so at any time: nobody would stand by this leader against it. */
  #leaseForfeited = false;
  #lastConfirmed = 0;
  #heartbeatDueMs: number;
  #quorumDueMs: number;
  #quiet = false;
  #goesQuiet = false;
  #idleBeats = 0;
  #transferTo: NodeId | null = null;
  #transferUntilMs = 0;
  #outgoing: Outgoing[] = [];
  /** Followers whose next entries are damaged on this replica's disk. */
  readonly #unreadable = new Set<NodeId>();

  constructor(
    config: RaftConfig,
    term: number,
    log: RaftLog,
    down: ReadonlySet<NodeId>,
    nowMs: number,
    commit: () => number,
  ) {
    this.term = term;
    this.#config = config;
    this.#log = log;
    this.#down = down;
    this.#commit = commit;
    this.#heartbeatDueMs = this.#nextBeatMs(nowMs);
    this.#quorumDueMs = nowMs + config.electionMs;
    const next = log.last.index + 1;
    for (const node of [...config.voters, ...config.learners]) {
      if (node === config.self) continue;
      this.#followers.set(node, new Progress(node, config.voters.includes(node), next, nowMs));
    }
    this.voters = new Voters(config, log, this.#followers, down);
  }

  get quiet(): boolean {
    return this.#quiet;
  }

  get dueMs(): number {
    return this.#quiet ? Infinity : Math.min(this.#heartbeatDueMs, this.#quorumDueMs);
  }

  /** No proposals while leadership is handed over. */
  get transferring(): boolean {
    return this.#transferTo !== null;
  }

  /** The highest index of this term that a majority has on disk, this replica's own disk included; 0 for none (paper, 5.4.2). */
  committable(): number {
    const index = this.voters.majorityOnDisk();
    return index > this.#commit() && this.#log.termAt(index) === this.term ? index : 0;
  }

  /** Whether a majority was heard within an election timeout or, in a quiet group, is connected. */
  quorumHeard(nowMs: number): boolean {
    return this.#quiet
      ? this.voters.quorumConnected()
      : this.voters.followedAtMs(nowMs) > nowMs - this.#config.electionMs;
  }

  /** When a majority was last heard to follow; now, where it is connected in a quiet group. */
  followedMs(nowMs: number): number {
    return this.#quiet && this.quorumHeard(nowMs) ? nowMs : this.voters.followedAtMs(nowMs);
  }

  get followers(): readonly Progress[] {
    return [...this.#followers.values()];
  }

  follower(node: NodeId): Progress | undefined {
    return this.#followers.get(node);
  }

  // --- Rounds and leases -----------------------------------------------------------------------------------

  /** Asks for proof that this replica still leads, begun from now on; returns the number of the round that will be confirmed. */
  askRound(nowMs: number): number {
    this.wake(nowMs);
    return this.#rounds.ask();
  }

  /** Rounds that were confirmed since the last call, in order. */
  takeConfirmed(): Round[] {
    const confirmed = this.#confirmed;
    this.#confirmed = [];
    return confirmed;
  }

  /** Whether a lease holds: nobody else can have been elected yet, as far as clocks keep their bound (thesis, 6.4.1). */
  leased(nowMs: number): boolean {
    return this.#config.clockBoundMs > 0 && nowMs < this.#leaseUntilMs;
  }

  /** Whether an entry of this term is committed: before that, the commit index may be behind what earlier leaders acknowledged. */
  get established(): boolean {
    return this.#log.termAt(this.#commit()) === this.term;
  }

  /** The followers that have confirmed the latest round that was confirmed by a majority. */
  takenPart(): NodeId[] {
    const latest = this.#rounds.open === undefined ? this.#rounds.current : this.#rounds.current - 1;
    return this.followers.filter((f) => f.counts && f.confirmedRound >= latest).map((f) => f.node);
  }

  #confirm(): void {
    const round = this.#rounds.open;
    if (round === undefined) return;
    const answered = [...this.#followers.values()].filter(
      (f) => f.counts && f.confirmedRound >= round.number,
    );
    if (1 + answered.length < majorityOf(this.#config.voters.length)) return;
    this.#rounds.end();
    this.#confirmed.push(round);
    this.#lastConfirmed = round.number;
    const { electionMs, clockBoundMs } = this.#config;
    if (this.#transferTo === null && !this.#leaseForfeited)
      this.#leaseUntilMs = round.beganMs + electionMs - clockBoundMs;
  }

  /**
   * Whether whatever a joiner did in the life that it lost is over. A majority without it is not enough: the voter that is missing from that may have
   * got the joiner's vote for a later term, lead there, or come to. Who confirms in the life it has now leads nowhere else.
   */
  #outlived(joiner: Progress): boolean {
    const round = joiner.admitRound ?? Infinity;
    if (this.#lastConfirmed < round) return false;
    return [...this.#followers.values()].every(
      (f) => f === joiner || !f.votes || !joiner.votes || f.confirmedRound >= round,
    );
  }

  #findAdmitted(): void {
    for (const follower of this.#followers.values()) {
      if (follower.joining && follower.admitIndex === undefined && this.#outlived(follower))
        follower.admitIndex = this.#commit();
    }
  }

  // --- Answers ---------------------------------------------------------------------------------------------

  appendResult(from: NodeId, message: AppendEntriesResult, nowMs: number): void {
    const follower = this.#followers.get(from);
    if (follower === undefined || !follower.answersIn(message.life, message.joining, message.round)) return;
    follower.heardMs = nowMs;
    follower.confirmedRound = Math.max(follower.confirmedRound, message.round);
    this.#confirm();
    if (follower.joining && follower.admitRound === undefined) {
      follower.admitRound = this.askRound(nowMs);
      follower.knownSince = follower.admitRound;
    }
    this.#findAdmitted();
    switch (message.status) {
      case 'heard':
        break;
      case 'durable':
        if (follower.state === 'snapshot') break;
        follower.acknowledged(message.index);
        this.#handOver(follower);
        break;
      case 'rejected':
        this.#rejected(follower, message, nowMs);
        break;
    }
    this.#admitIfReady(follower);
  }

  #rejected(follower: Progress, message: AppendEntriesResult, nowMs: number): void {
    if (follower.state === 'snapshot' || message.index <= follower.match) return;
    // Of an earlier guess: what follows from it is under way.
    if (follower.state === 'probe' && message.index !== follower.probedAt) return;
    this.wake(nowMs);
    // Where the logs may agree: below the follower's hint, at no greater term than it has there.
    const { index } = this.#log.lastAtMost(message.hintIndex, message.hintTerm);
    follower.becomeProbe(Math.min(index + 1, message.index));
  }

  #admitIfReady(follower: Progress): void {
    const { joining, life, admitIndex: index, match, node } = follower;
    if (!joining || life === undefined || index === undefined || match < index) return;
    this.#send(node, { type: 'admit', term: this.term, life, index });
  }

  // --- Time ------------------------------------------------------------------------------------------------

  /** False: a majority has not been heard for too long; this replica must not lead any more (check quorum; thesis, 6.2). */
  tick(nowMs: number): boolean {
    if (this.#quiet) return true;
    const { electionMs, heartbeatMs } = this.#config;
    // Who stood still has asked nobody, and its silence is not the others': it asks now, and judges when they may have answered.
    if (nowMs - this.#heartbeatDueMs >= heartbeatMs)
      this.#quorumDueMs = Math.max(this.#quorumDueMs, nowMs + 2 * heartbeatMs);
    if (nowMs >= this.#quorumDueMs) {
      if (!this.quorumHeard(nowMs)) return false;
      this.#quorumDueMs = nowMs + electionMs;
    }
    if (this.#transferTo !== null && nowMs >= this.#transferUntilMs) this.#transferTo = null;
    if (nowMs >= this.#heartbeatDueMs) this.#heartbeat(nowMs);
    return true;
  }

  #heartbeat(nowMs: number): void {
    this.#heartbeatDueMs = this.#nextBeatMs(nowMs);
    for (const follower of this.#followers.values()) follower.probing = false;
    this.#beatAll();
    if (this.#mayRest(nowMs)) this.#idleBeats++;
    else this.#idleBeats = 0;
    if (this.#idleBeats >= IDLE_BEATS) this.#goesQuiet = true;
    else if (this.#config.clockBoundMs > 0) this.#rounds.renew();
  }

  /** Aligned, so that the heartbeats of all groups of a node leave in one frame. */
  #nextBeatMs(nowMs: number): number {
    const { heartbeatMs } = this.#config;
    return (Math.floor(nowMs / heartbeatMs) + 1) * heartbeatMs;
  }

  /** Whether there is nothing to do for anyone who can be reached, as they have lately said themselves. */
  #mayRest(nowMs: number): boolean {
    const { index } = this.#log.last;
    if (this.#commit() !== index || this.#log.stable !== index || this.#transferTo !== null) return false;
    if (this.#rounds.awaited) return false;
    let connected = 1;
    for (const follower of this.#followers.values()) {
      if (this.#down.has(follower.node)) continue;
      if (follower.match !== index || follower.state !== 'replicate' || follower.joining) return false;
      if (nowMs - follower.heardMs > 2 * this.#config.heartbeatMs) return false;
      if (follower.counts) connected++;
    }
    return connected >= majorityOf(this.#config.voters.length);
  }

  /** A follower lacks something, be it only word of what is committed. */
  wakenBy(from: NodeId, nowMs: number): void {
    this.wake(nowMs);
    const follower = this.#followers.get(from);
    if (follower !== undefined) follower.beat = true;
  }

  /** Something is to be done: a quiet group wakes. */
  wake(nowMs: number): void {
    this.#idleBeats = 0;
    this.#goesQuiet = false;
    if (!this.#quiet) return;
    this.#quiet = false;
    this.#heartbeatDueMs = this.#nextBeatMs(nowMs);
    this.#quorumDueMs = nowMs + this.#config.electionMs;
    for (const follower of this.#followers.values()) follower.heardMs = nowMs;
    this.#beatAll();
  }

  peerDown(peer: NodeId, nowMs: number): void {
    const follower = this.#followers.get(peer);
    if (follower === undefined) return;
    if (follower.state !== 'snapshot') follower.becomeProbe(follower.match + 1);
    if (this.#quiet && !this.quorumHeard(nowMs)) this.wake(nowMs);
  }

  /** Whatever was under way to it is lost. */
  peerUp(peer: NodeId, nowMs: number): void {
    const follower = this.#followers.get(peer);
    if (follower === undefined) return;
    this.wake(nowMs);
    if (follower.state !== 'snapshot') follower.becomeProbe(follower.match + 1);
    follower.beat = true;
  }

  // --- Transfer (thesis, 3.10) -------------------------------------------------------------------------------

  transfer(to: NodeId, nowMs: number): boolean {
    const follower = this.#followers.get(to);
    if (follower?.counts !== true || this.#down.has(to) || this.#transferTo !== null) return false;
    this.wake(nowMs);
    this.#transferTo = to;
    this.#transferUntilMs = nowMs + this.#config.electionMs;
    this.#leaseUntilMs = -Infinity;
    this.#handOver(follower);
    return true;
  }

  #handOver(follower: Progress): void {
    if (follower.node !== this.#transferTo || follower.match !== this.#log.last.index) return;
    this.#leaseForfeited = true;
    this.#send(follower.node, { type: 'timeout-now', term: this.term });
  }

  // --- Entries ---------------------------------------------------------------------------------------------

  /** Entries that were read from the disk for a follower; null where the log was cut or given up meanwhile. Where they are damaged it needs the state. */
  fetched(peer: NodeId, from: number, segments: readonly Segment[] | 'damaged' | null): void {
    const follower = this.#followers.get(peer);
    // It may have been asked for when this replica led in an earlier term, and have been truncated since.
    if (follower?.fetching !== true) return;
    follower.fetching = false;
    if (segments === 'damaged') {
      if (follower.state !== 'snapshot') this.#unreadable.add(peer);
      return;
    }
    if (segments === null || follower.next !== from || !this.#holds(from, segments)) return;
    if (follower.state === 'snapshot' || this.#down.has(peer)) return;
    this.#append(follower, segments);
  }

  /** Whether these are entries of this log from `from` on, also now: it may have been compacted since they were asked for. */
  #holds(from: number, segments: readonly Segment[]): boolean {
    const [start] = segments;
    if (start === undefined || start.first > from) return false;
    return segments.every(({ last, runs }) => this.#log.termAt(last) === runs.at(-1)?.[1]);
  }

  snapshotEnded(peer: NodeId, index: number | null, nowMs: number): void {
    const follower = this.#followers.get(peer);
    if (follower?.state !== 'snapshot') return;
    this.wake(nowMs);
    follower.becomeProbe((index ?? follower.match) + 1);
    if (index !== null) follower.acknowledged(index);
    // What could not be sent is not tried again at once.
    follower.beat = index !== null;
    follower.probing = index === null;
  }

  /** The messages of this turn. */
  gather(nowMs: number): Gathered {
    const fetches: FetchWanted[] = [];
    const snapshots: NodeId[] = [];
    if (this.established && this.#rounds.begin(this.#commit(), nowMs)) this.#confirm();
    for (const follower of this.#followers.values()) {
      // What is sent to it now would be lost; when it is back it is probed.
      if (!this.#down.has(follower.node)) this.#feed(follower, fetches, snapshots);
    }
    if (this.#goesQuiet) {
      this.#goesQuiet = false;
      this.#quiet = true;
    }
    const messages = this.#outgoing;
    this.#outgoing = [];
    return { messages, fetches, snapshots };
  }

  #feed(follower: Progress, fetches: FetchWanted[], snapshots: NodeId[]): void {
    while (this.#mayFeed(follower)) {
      const segments = this.#unreadable.delete(follower.node)
        ? 'compacted'
        : this.#log.segmentsFrom(follower.next, this.#config.appendBytesMax);
      if (segments === 'compacted') {
        follower.becomeSnapshot();
        snapshots.push(follower.node);
      } else if (segments === 'disk') {
        follower.fetching = true;
        fetches.push({ peer: follower.node, from: follower.next });
      } else {
        this.#append(follower, segments);
      }
    }
    if (follower.beat || follower.sentRound < (this.#rounds.open?.number ?? 0)) this.#append(follower, []);
  }

  #mayFeed(follower: Progress): boolean {
    if (follower.next > this.#log.last.index || follower.fetching) return false;
    switch (follower.state) {
      case 'probe':
        return !follower.probing;
      case 'replicate':
        return follower.mayReceive;
      case 'snapshot':
        return false;
    }
  }

  #append(follower: Progress, segments: readonly Segment[]): void {
    // Index 0 agrees with every log: a follower that gets a snapshot only hears that its leader lives.
    const prevIndex = follower.state === 'snapshot' ? 0 : follower.next - 1;
    const prevTerm = prevIndex === 0 ? 0 : this.#log.termAt(prevIndex);
    if (prevTerm === undefined) return;
    const bytes = segments.map((segment) => segment.bytes);
    this.#send(follower.node, {
      type: 'append-entries',
      term: this.term,
      prevIndex,
      prevTerm,
      commit: this.#commit(),
      round: this.#rounds.current,
      quiet: this.#goesQuiet,
      segments: bytes,
    });
    follower.beat = false;
    follower.probedAt = prevIndex;
    follower.sentRound = this.#rounds.current;
    const last = segments.at(-1)?.last;
    if (last === undefined) return;
    if (follower.state === 'probe') follower.probing = true;
    follower.sent(
      last,
      bytes.reduce((sum, b) => sum + b.length, 0),
    );
  }

  #beatAll(): void {
    for (const follower of this.#followers.values()) follower.beat = true;
  }

  #send(to: NodeId, message: Outgoing['message']): void {
    this.#outgoing.push({ to, message, early: true });
  }
}

/**
 * A replica of a leader-follower group that knows what it knew: the core, the state, and everything between them and the world.
 *
 *     events ──> core, writes, reads, snapshots ──end of the turn──> apply ──> propose ──> write and send ──> answer
 *
 * A turn's events only gather; `endTurn` does what they ask for, once. Its order matters: what is committed is applied before reads look
 * at it, and entries are proposed before the core makes its messages, so that they leave together.
 */
import { TrefoilError } from '../../core/errors.js';
import type { HlcTime } from '../../core/hlc.js';
import type { NodeId } from '../../core/ids.js';
import { encodeLogBase } from '../../protocol/hard-state-codec.js';
import { logKey, type Command, type LogEntry } from '../../protocol/log-codec.js';
import type {
  AppendEntries,
  InstallSnapshot,
  InstallSnapshotResult,
  JoinQuery,
  LeaderFollowerMessage,
} from '../../protocol/leader-follower-messages.js';
import type { ReadLag } from '../../protocol/messages.js';
import type { Effects, ReplicaEvent, Turn } from '../strategy.js';
import { Applier } from './applier.js';
import { CLEAN, Cleaner } from './cleaner.js';
import { DurableLog, trimLog } from './durable-log.js';
import { Freshness } from './freshness.js';
import type { GroupFacts } from './group-facts.js';
import { JOIN, joinAnswer, Joining, type Joined } from './joining.js';
import { FETCH, LogReader } from './log-reader.js';
import { LOG_BASE_KEY, type Opened, type Scanned } from './opening.js';
import type { Leadership } from './raft/leadership.js';
import { newRaft } from './new-raft.js';
import type { Raft } from './raft/raft.js';
import type { RaftLog } from './raft/raft-log.js';
import { READ, Reads, type ReadHost } from './reads.js';
import { notLeader, refilling, unsupported } from './refusals.js';
import { Scrub, SCRUB } from './scrub.js';
import { SnapshotReceiver } from './snapshot-receiver.js';
import { SNAPSHOT, SnapshotSender } from './snapshot-sender.js';
import type { ApplyResult, StateMachine } from './state-machine.js';
import { segmentsOf } from './stored-segments.js';
import { LOG_CACHE_BYTES, SWEEP_MS } from './tuning.js';
import { BALANCE, EXPIRE, Upkeep } from './upkeep.js';
import { Writes } from './writes.js';

const TICK = 'tick';
const SWEEP = 'sweep';

type PieceAnswer = Pick<InstallSnapshotResult, 'snapshot' | 'received' | 'status'>;
type Request = Extract<ReplicaEvent, { readonly type: 'request' }>;

export class OpenGroup implements ReadHost {
  readonly #facts: GroupFacts;
  readonly #log: RaftLog;
  readonly #raft: Raft;
  readonly #durable: DurableLog;
  readonly #applier: Applier;
  readonly #writes: Writes;
  readonly #reads: Reads;
  readonly #logReader: LogReader;
  readonly #sender: SnapshotSender;
  readonly #receiver = new SnapshotReceiver();
  readonly #cleaner = new Cleaner();
  readonly #scrub: Scrub;
  readonly #upkeep: Upkeep;
  #joining: Joining | undefined;
  #state: StateMachine;
  /** What the next entries of this leader's own tell, beside clients' writes. */
  #own: Command[] = [];
  /** The leadership under which clients' requests were taken. */
  #led: Leadership | undefined;
  /** The time of the latest entry that this leader has made or found. */
  #lastHlc: HlcTime = 0;
  readonly #freshness: Freshness;
  #tickAtMs = Infinity;
  #sweeping = false;
  #damage: string | null = null;

  constructor(facts: GroupFacts, opened: Opened, turn: Turn, effects: Effects) {
    const { hard, log, state } = opened;
    this.#facts = facts;
    this.#log = log;
    this.#state = state;
    this.#freshness = new Freshness(state.clock, turn);
    this.#durable = new DurableLog(hard);
    this.#applier = new Applier(log);
    this.#writes = new Writes(facts);
    this.#reads = new Reads(facts, this);
    this.#logReader = new LogReader(log);
    this.#upkeep = new Upkeep(facts);
    this.#scrub = new Scrub(facts);
    this.#raft = newRaft(facts, opened, turn);
    this.#sender = new SnapshotSender({
      term: () => this.#raft.term,
      lifeOf: (peer) => this.#raft.leadership?.follower(peer)?.life,
      ended: (peer, index, nowMs) => this.#raft.snapshotEnded(peer, index, nowMs),
      damaged: (what, effects) => this.damaged(what, effects),
    });
    if (hard.standing === 'fresh') this.#joining = new Joining(facts, hard.life, () => log.last.index > 0);
    if (this.#joining !== undefined) this.#joined(this.#joining.ask(turn, effects), effects);
    this.#cleaner.begin([state.generation], effects);
    this.#scrub.begin(effects);
    effects.whenTurnEnds();
  }

  /** Why this replica's memory can be relied on no more; null while it can. */
  get damage(): string | null {
    return this.#damage;
  }

  get durable(): DurableLog {
    return this.#durable;
  }

  // --- What reads need ---------------------------------------------------------------------------------------

  get state(): StateMachine {
    return this.#state;
  }

  get leadership(): Leadership | undefined {
    return this.#raft.leadership;
  }

  get lastIndex(): number {
    return this.#log.last.index;
  }

  /**
   * A leader is as fresh as a majority has lately confirmed: there may be another one. Before it has applied an entry of its own term it lacks
   * some of what earlier leaders acknowledged, for all that it knows.
   */
  lag({ monotonicMs }: Turn): ReadLag {
    const { leadership } = this;
    return leadership === undefined || this.#state.appliedTerm !== leadership.term
      ? this.#freshness.lag(this.#state.appliedIndex, monotonicMs)
      : { entries: 0, ms: monotonicMs - Math.max(0, leadership.followedMs(monotonicMs)) };
  }

  notLeader(): TrefoilError {
    return notLeader(this.#facts, this.#raft.leader, this.#joining?.missing ?? []);
  }

  moveClock(): void {
    if (this.#raft.leadership !== undefined && !this.#own.some(({ type }) => type === 'tick'))
      this.#own.push({ type: 'tick' });
  }

  wakeLeader(effects: Effects): void {
    const { leader, term } = this.#raft;
    if (leader !== null && leader !== this.#facts.self) effects.send(leader, { type: 'wake', term });
  }

  damaged(what: string, effects: Effects): void {
    this.#scrub.found(what, effects);
  }

  // --- Events ------------------------------------------------------------------------------------------------

  step(event: ReplicaEvent, turn: Turn, effects: Effects): void {
    if (event.type === 'turn-end') return this.#endTurn(turn, effects);
    effects.whenTurnEnds();
    switch (event.type) {
      case 'request':
        this.#request(event, turn, effects);
        return;
      case 'cancelled':
        this.#reads.cancel(event.request);
        return;
      case 'message':
        this.#message(event.from, event.message as LeaderFollowerMessage, turn, effects);
        return;
      case 'timer':
        this.#timer(event.timer, turn, effects);
        return;
      case 'durable': {
        const through = this.#durable.durable(event.token);
        if (through !== undefined) this.#raft.persisted(through);
        return;
      }
      case 'peer-up':
        if (!this.#facts.peers.includes(event.peer)) return;
        this.#raft.peerUp(event.peer, turn.monotonicMs);
        if (this.#joining !== undefined) this.#joined(this.#joining.ask(turn, effects), effects);
        return;
      case 'peer-down':
        this.#joining?.peerDown(event.peer);
        this.#raft.peerDown(event.peer, turn.monotonicMs);
        return;
      case 'scanned':
        this.#scanned(event, turn, effects);
        return;
      case 'map-changed':
        return;
    }
  }

  /** Fails everything that waits: this replica's memory is given up, or the node's store. */
  abandon(error: TrefoilError, effects: Effects): void {
    this.#sender.stop(effects);
    this.#upkeep.end(effects);
    this.#writes.deposed(null, effects);
    this.#reads.deposed(null, effects);
    this.#reads.abandon(error, effects);
  }

  gauges(): Readonly<Record<string, number>> {
    const { role, term, commit, quiet, leadership } = this.#raft;
    const matches = leadership?.followers.filter((f) => f.votes).map((f) => f.match) ?? [];
    return {
      leads: role === 'leader' ? 1 : 0,
      refilling: this.#durable.hard.standing === 'member' ? 0 : 1,
      quiet: quiet ? 1 : 0,
      term,
      commitIndex: commit,
      appliedIndex: this.#state.appliedIndex,
      logBytes: this.#log.bytes,
      lagEntries: matches.length === 0 ? 0 : this.#log.last.index - Math.min(...matches),
      openWrites: this.#writes.size,
      openWriteBytes: this.#writes.bytes,
      openReads: this.#reads.size,
      sessions: this.#state.sessions,
      snapshotsSending: this.#sender.size,
    };
  }

  #request(event: Request, turn: Turn, effects: Effects): void {
    try {
      this.#take(event, event.operation, turn, effects);
    } catch (error) {
      if (!(error instanceof TrefoilError)) throw error;
      effects.replyEarly(event.request, error);
    }
  }

  #take(event: Request, operation: Request['operation'], turn: Turn, effects: Effects): void {
    switch (operation.type) {
      case 'get':
      case 'scan':
        // A read that needs the leader is told who leads, here as anywhere.
        if (
          this.#raft.standing === 'joining' &&
          (operation.read ?? this.#facts.namespace.read) !== 'linearizable'
        )
          throw refilling(this.#facts);
        return this.#reads.begin(event, operation, turn, effects);
      case 'put':
      case 'put-all':
      case 'open-session': {
        const { leadership } = this.#raft;
        if (leadership === undefined) throw this.notLeader();
        if (turn.writesRefused !== null)
          throw new TrefoilError(turn.writesRefused, `node ${this.#facts.self} takes no writes now`);
        if (leadership.transferring)
          throw new TrefoilError('NoLeader', `${this.#facts.group} is being handed to another leader`);
        return this.#writes.begin(event, operation, this.#log.unwrittenBytes, turn);
      }
      case 'change':
        throw unsupported(operation, this.#facts);
    }
  }

  #message(from: NodeId, message: LeaderFollowerMessage, turn: Turn, effects: Effects): void {
    if (!this.#facts.peers.includes(from))
      throw new TrefoilError('BadRequest', `${from} holds no replica of ${this.#facts.group}`);
    switch (message.type) {
      case 'install-snapshot':
        return this.#install(from, message, turn, effects);
      case 'install-snapshot-result':
        return this.#sender.result(from, message, turn, effects);
      case 'join-query':
        this.#raft.leadership?.wake(turn.monotonicMs);
        return this.#answerQuery(from, message, effects);
      case 'join-answer':
        this.#scrub.answered(from, message);
        return this.#joined(this.#joining?.answered(from, message, turn, effects), effects);
      case 'append-entries':
        return this.#append(from, message, turn);
      case 'timeout-now':
        // It could take no writes as the leader, and would hand the group back.
        if (turn.writesRefused !== null) return;
        return this.#raft.step(from, message, turn.monotonicMs);
      default:
        this.#raft.step(from, message, turn.monotonicMs);
        return this.#noteAdmitted();
    }
  }

  #append(from: NodeId, message: AppendEntries, turn: Turn): void {
    // A disk that takes no writes takes no entries; heartbeats are answered.
    if (turn.writesRefused !== null && message.segments.length > 0)
      this.#raft.heardLeader(from, message.term, turn.monotonicMs);
    else this.#raft.step(from, message, turn.monotonicMs);
    if (this.#raft.leader === from) this.#freshness.leaderSays(message.commit);
  }

  #timer(timer: string, turn: Turn, effects: Effects): void {
    switch (timer) {
      case TICK:
        this.#tickAtMs = Infinity;
        this.#raft.tick(turn.monotonicMs);
        return;
      case SWEEP:
        this.#sweeping = false;
        this.#writes.sweep(turn.monotonicMs, effects);
        this.#reads.sweep(turn.monotonicMs, effects);
        this.#reads.advance([], turn, effects, true);
        this.#sender.sweep(turn, effects);
        return;
      case JOIN:
        if (this.#joining !== undefined) this.#joined(this.#joining.ask(turn, effects), effects);
        return;
      case BALANCE:
        if (this.#led !== undefined) this.#upkeep.balance(this.#raft, turn, effects);
        return;
      case SCRUB:
        this.#damage ??= this.#scrub.go(this.#state.generation, this.#raft, turn, effects);
        return;
      case EXPIRE:
        if (this.#led !== undefined) this.#upkeep.search(this.#state, this.#applier.seenExpiring, effects);
        return;
    }
  }

  #scanned(event: Scanned, turn: Turn, effects: Effects): void {
    if (event.scan.startsWith(READ)) return this.#reads.scanned(event, turn, effects);
    if (event.scan.startsWith(SNAPSHOT)) return this.#sender.scanned(event, turn, effects);
    if (event.scan === CLEAN) return this.#cleaner.scanned(event, effects);
    if (event.scan === SCRUB) return this.#scrub.scanned(event, this.#state.generation, effects);
    if (event.scan === EXPIRE) {
      if (this.#led !== undefined) this.#own.push(...this.#upkeep.scanned(event, this.#state, turn, effects));
      return;
    }
    if (!event.scan.startsWith(FETCH)) return;
    const fetched = this.#logReader.scanned(event);
    if (fetched === undefined) return;
    if (fetched.segments === 'damaged') this.damaged('a segment of the log', effects);
    this.#raft.fetched(fetched.peer, fetched.from, fetched.segments);
  }

  // --- Joining and snapshots -----------------------------------------------------------------------------------

  #joined(joined: Joined, effects: Effects): void {
    if (joined === undefined) return;
    this.#joining = undefined;
    const { type: standing } = joined;
    this.#durable.changeStanding({ standing, formed: standing === 'member' ? joined.formed : [] }, effects);
    if (standing === 'joining') {
      effects.log('warn', 'this store is empty, and its group is not: it is being refilled', {
        group: this.#facts.group,
      });
      return;
    }
    this.#raft.formed(this.#facts.replicas[0] === this.#facts.self);
  }

  /** The leader has admitted a replica that was still asking: it is a member, and whatever it is told now it is so no less. */
  #noteAdmitted(): void {
    if (this.#joining !== undefined && this.#raft.standing === 'member') this.#joining = undefined;
  }

  #install(from: NodeId, piece: InstallSnapshot, turn: Turn, effects: Effects): void {
    if (turn.writesRefused !== null || !this.#raft.heardLeader(from, piece.term, turn.monotonicMs)) return;
    const { snapshot, index } = piece;
    // Its log is about to be given up, and must not be written to after that. The piece comes again.
    if (piece.last && this.#log.hasChanges) return;
    // What is not on disk of it yet is waited for.
    if (index <= this.#state.appliedIndex)
      return this.#answerPiece(from, { snapshot, status: 'installed', received: piece.after }, effects);
    const before = this.#receiver.generation;
    const { received, installed } = this.#receiver.take(from, piece, this.#state, turn, effects);
    const { generation } = this.#receiver;
    // One that stopped before has left its keys.
    if (generation !== undefined && generation !== before)
      this.#cleaner.begin([this.#state.generation, generation], effects);
    if (installed === undefined)
      return this.#answerPiece(from, { snapshot, status: 'wanted', received }, effects);
    for (const first of this.#raft.installed(installed.position)) effects.delete(logKey(first));
    effects.put(LOG_BASE_KEY, encodeLogBase(this.#log.base));
    this.#state = installed.state;
    this.#durable.replacedState(effects);
    this.#cleaner.begin([installed.state.generation], effects);
    this.#scrub.forget();
    effects.count('snapshots_installed');
    this.#answerPiece(from, { snapshot, status: 'installed', received }, effects);
  }

  /** One that has found its memory damaged, as this one has, may have to wait until this one is whole again. */
  #answerQuery(from: NodeId, message: JoinQuery, effects: Effects): void {
    const { hard } = this.#durable;
    const answer = joinAnswer(hard, message, { last: this.lastIndex, commit: this.#raft.commit });
    const waits = this.#scrub.goesBefore(from);
    this.#durable.sendDurably(from, waits ? { ...answer, state: 'joining' } : answer, effects);
  }

  #answerPiece(to: NodeId, answer: PieceAnswer, effects: Effects): void {
    const { life } = this.#durable.hard;
    const result = { type: 'install-snapshot-result', term: this.#raft.term, life, ...answer } as const;
    this.#durable.sendDurably(to, result, effects);
  }

  // --- The end of a turn -----------------------------------------------------------------------------------------

  #endTurn(turn: Turn, effects: Effects): void {
    // First of all: an entry that is applied now may have taken the place of one that was this leader's own.
    this.#noteLeadership(turn, effects);
    this.#apply(turn, effects);
    this.#propose(turn);
    const ready = this.#raft.ready(turn.monotonicMs);
    this.#durable.execute(ready, turn, effects);
    for (const wanted of ready.fetches) this.#logReader.begin(wanted, effects);
    for (const peer of ready.snapshots) this.#sender.begin(peer, this.#state, turn, effects);
    this.#answer(turn, effects);
    this.#trimLog(effects);
    this.#armTimers(turn, effects);
  }

  #apply(turn: Turn, effects: Effects): void {
    const { commit } = this.#raft;
    if (commit > this.#state.appliedIndex) {
      const { leadership } = this.#raft;
      const done = (entry: LogEntry, result: ApplyResult): void => {
        this.#writes.applied(entry.index, result, leadership, effects);
      };
      const rest = this.#applier.apply(commit, this.#state, turn, effects, done);
      turn.observe(this.#state.clock);
      this.#state.flush(effects);
      if (rest === 'damaged') this.#damage = 'a value that an entry depends on';
      if (rest === 'more') effects.whenTurnEnds();
    }
    this.#freshness.applied(this.#state.appliedIndex, this.#raft.leaderHeardMs);
  }

  /** A leadership began or ended since the last turn. */
  #noteLeadership(turn: Turn, effects: Effects): void {
    const { leadership, leader, term } = this.#raft;
    if (leadership === this.#led) return;
    if (this.#led !== undefined) {
      this.#writes.deposed(leader, effects);
      this.#reads.deposed(leader, effects);
      this.#sender.stop(effects);
      this.#upkeep.end(effects);
      this.#own = [];
      effects.log('info', 'leads no more', { group: this.#facts.group, term, leader });
    }
    this.#led = leadership;
    if (leadership === undefined) return;
    // The first entry of a term commits what earlier terms have left (paper, 8).
    this.#own = [{ type: 'noop' }];
    this.#lastHlc = this.#applier.lastHlc(this.#state.clock);
    this.#upkeep.begin(turn, effects);
    effects.count('elections_won');
    effects.log('info', 'leads', { group: this.#facts.group, term: leadership.term });
  }

  #propose(turn: Turn): void {
    if (this.#led === undefined || (this.#own.length === 0 && !this.#writes.hasQueued)) return;
    const entries = this.#writes.take(
      this.#log.last.index + 1,
      this.#raft.term,
      () => this.#tick(turn),
      this.#own,
    );
    this.#own = [];
    for (const segment of segmentsOf(entries)) this.#raft.propose(segment, turn.monotonicMs);
  }

  #tick(turn: Turn): HlcTime {
    this.#lastHlc = turn.tick(this.#lastHlc);
    return this.#lastHlc;
  }

  #answer(turn: Turn, effects: Effects): void {
    const { leadership } = this.#raft;
    const confirmed = leadership?.takeConfirmed() ?? [];
    this.#reads.advance(confirmed, turn, effects);
    if (leadership !== undefined) this.#writes.advance(leadership, this.#log.stable, this.#state, effects);
    // A read may have asked for an entry.
    if (this.#own.length > 0) effects.whenTurnEnds();
  }

  #trimLog(effects: Effects): void {
    const { appliedIndex } = this.#state;
    this.#log.forget(appliedIndex, LOG_CACHE_BYTES);
    const needed = Math.min(this.#sender.logNeededFrom, this.leadership?.voters.reachableMatch ?? Infinity);
    trimLog(this.#log, this.#facts.namespace.logBytes, appliedIndex, needed, effects);
  }

  #armTimers(turn: Turn, effects: Effects): void {
    const { dueMs } = this.#raft;
    if (dueMs < this.#tickAtMs) {
      this.#tickAtMs = dueMs;
      effects.setTimer(TICK, Math.max(1, Math.ceil(dueMs - turn.monotonicMs)));
    }
    if (this.#sweeping || this.#writes.size + this.#reads.size + this.#sender.size === 0) return;
    this.#sweeping = true;
    effects.setTimer(SWEEP, SWEEP_MS);
  }
}

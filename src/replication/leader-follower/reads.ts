/**
 * Clients' reads, each held to its mode.
 *
 *     linearizable   the leader ──round, or lease──> commit index known ──applied──> answer
 *     session        any replica ──applied what the session has seen──> answer
 *     follower       any replica ──not too stale──> answer, with its lag
 *
 * A value that is due by the leader's clock and not yet by the group's is not decided by a reader: the read waits until an entry
 * has moved the group's clock, so that no later read shows it again.
 */
import type { ReadMode } from '../../cluster/cluster-map.js';
import { TrefoilError } from '../../core/errors.js';
import { hlcWallMs } from '../../core/hlc.js';
import type { NodeId } from '../../core/ids.js';
import { SCAN_PAGE_ENTRIES_MAX } from '../../core/limits.js';
import { afterPrefix, compareKeys } from '../../core/text-order.js';
import type { GetOperation, ReadLag, ReadLevel, ScanEntry, ScanOperation } from '../../protocol/messages.js';
import { decodeLeaderContext, encodeLeaderContext } from '../../protocol/leader-context-codec.js';
import { checkVersioned, decodeCheckedVersioned } from '../../protocol/versioned-record-codec.js';
import type { Asked, Effects, RequestHandle, Turn } from '../strategy.js';
import { explainRead } from './explain.js';
import type { GroupFacts } from './group-facts.js';
import type { Scanned } from './opening.js';
import type { Leadership } from './raft/leadership.js';
import type { Round } from './raft/rounds.js';
import { dataPrefix, type StateMachine } from './state-machine.js';

/** The share of a read's time that a replica waits until it says that it cannot serve it, where others may. */
const PATIENCE_ELSEWHERE = 0.8;

/** The scans of reads. */
export const READ = 'read/';

interface Read extends Asked {
  readonly operation: GetOperation | ScanOperation;
  readonly mode: ReadMode;
  /** When it is told what it waits for. Where another replica may do, that is while the client can still ask that one. */
  readonly lateMs: number;
  /** The state must have applied it. */
  index: number;
  /** Linearizable: the round that must be confirmed; 0 where none is needed. */
  round: number;
  how: 'round' | 'lease' | 'local';
  /** The group's clock must have reached this wall time; 0 where it need not. */
  clockMs: number;
  /** The generation that its scan was asked of. */
  generation: number;
}

/** What reads need of the replica around them. */
export interface ReadHost {
  readonly state: StateMachine;
  /** undefined: this replica does not lead. */
  readonly leadership: Leadership | undefined;
  /** How far this replica may be behind. */
  lag(turn: Turn): ReadLag;
  /** What whoever needs the leader is told here. */
  notLeader(): TrefoilError;
  /** Of the log. */
  readonly lastIndex: number;
  /** Asks for an entry that moves the group's clock. */
  moveClock(): void;
  /** Asks the leader to be heard. */
  wakeLeader(effects: Effects): void;
  /** A damaged value was met: it is refused, and the replica refilled when that is safe. */
  damaged(what: string, effects: Effects): void;
}

export class Reads {
  readonly #facts: GroupFacts;
  readonly #host: ReadHost;
  /** Reads that wait for a round, an index, the clock or freshness. */
  #waiting: Read[] = [];
  readonly #scanning = new Map<string, Read>();
  #lastScan = 0;

  constructor(facts: GroupFacts, host: ReadHost) {
    this.#facts = facts;
    this.#host = host;
  }

  get size(): number {
    return this.#waiting.length + this.#scanning.size;
  }

  /** Takes a read. Throws what refuses it. */
  begin(asked: Asked, operation: Read['operation'], turn: Turn, effects: Effects): void {
    const { request, deadlineMs, explain } = asked;
    const mode = readMode(operation.read) ?? this.#facts.namespace.read;
    const seen = operation.atLeast === null ? 0 : decodeLeaderContext(operation.atLeast).index;
    // What a leader's log does not hold was acknowledged by `ack: leader` and lost: nobody will ever have it.
    const index = mode === 'linearizable' ? Math.min(seen, this.#host.lastIndex) : seen;
    const read: Read = {
      request,
      operation,
      deadlineMs,
      explain,
      mode,
      lateMs:
        mode === 'linearizable'
          ? deadlineMs
          : turn.monotonicMs + (deadlineMs - turn.monotonicMs) * PATIENCE_ELSEWHERE,
      index,
      round: 0,
      how: 'local',
      clockMs: 0,
      generation: 0,
    };
    if (mode === 'linearizable') this.#beginLinearizable(read, turn);
    this.#tryServe(read, turn, effects, true);
  }

  /** Rounds were confirmed, entries applied, or (`late`) time has passed: serves what can be served. */
  advance(confirmed: readonly Round[], turn: Turn, effects: Effects, late = false): void {
    if (this.#waiting.length === 0) return;
    const last = confirmed.at(-1);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const read of waiting) {
      if (last !== undefined && read.round > 0 && read.round <= last.number) {
        read.round = 0;
        read.index = Math.max(read.index, last.commit);
      }
      this.#tryServe(read, turn, effects, late);
    }
  }

  scanned(event: Scanned, turn: Turn, effects: Effects): void {
    const read = this.#scanning.get(event.scan);
    if (read === undefined) return;
    this.#scanning.delete(event.scan);
    // A snapshot has replaced the state meanwhile.
    if (read.generation !== this.#host.state.generation) return this.#tryServe(read, turn, effects);
    if (event.damaged) return this.#damaged(read, 'a page of it', effects);
    this.#servePage(read, event, turn, effects);
  }

  /** This replica leads no more. */
  deposed(leader: NodeId | null, effects: Effects): void {
    const message = `node ${this.#facts.self} leads ${this.#facts.group} no more`;
    const refuse = (read: Read): void =>
      effects.replyEarly(
        read.request,
        new TrefoilError('NotLeader', message, { leader: leader ?? undefined }),
      );
    for (const read of this.#waiting.filter((r) => r.mode === 'linearizable')) refuse(read);
    this.#waiting = this.#waiting.filter((r) => r.mode !== 'linearizable');
    for (const [scan, read] of this.#scanning) {
      if (read.mode !== 'linearizable') continue;
      this.#scanning.delete(scan);
      refuse(read);
    }
  }

  cancel(request: RequestHandle): void {
    this.#waiting = this.#waiting.filter((read) => read.request !== request);
    for (const [scan, read] of this.#scanning) if (read.request === request) this.#scanning.delete(scan);
  }

  /** Ends what is late. */
  sweep(nowMs: number, effects: Effects): void {
    const late = this.#waiting.filter((read) => read.lateMs <= nowMs);
    if (late.length === 0) return;
    this.#waiting = this.#waiting.filter((read) => read.lateMs > nowMs);
    for (const read of late) effects.replyEarly(read.request, this.#lateError(read));
  }

  /** Fails everything, since this replica's state is given up. */
  abandon(error: TrefoilError, effects: Effects): void {
    for (const read of [...this.#waiting, ...this.#scanning.values()])
      effects.replyEarly(read.request, error);
    this.#waiting = [];
    this.#scanning.clear();
  }

  #beginLinearizable(read: Read, turn: Turn): void {
    const { leadership } = this.#host;
    if (leadership === undefined) throw this.#host.notLeader();
    // An entry of this term is applied, and with it all that earlier leaders acknowledged; what this one did, it had applied.
    if (this.#host.state.appliedTerm === leadership.term && leadership.leased(turn.monotonicMs)) {
      read.how = 'lease';
      return;
    }
    read.how = 'round';
    read.round = leadership.askRound(turn.monotonicMs);
  }

  /** `asks`: for what is missing, where it cannot be served. Not at every turn, or a busy replica would do little else. */
  #tryServe(read: Read, turn: Turn, effects: Effects, asks = false): void {
    const { state } = this.#host;
    const waits = read.round > 0 || read.index > state.appliedIndex || read.clockMs > hlcWallMs(state.clock);
    if (waits || this.#isTooStale(read, turn)) {
      this.#waiting.push(read);
      if (asks && (!waits || read.index > state.appliedIndex)) this.#freshen(turn, effects);
    } else if (read.operation.type === 'get') {
      this.#serveGet(read, read.operation, turn, effects);
    } else {
      this.#scan(read, read.operation, effects);
    }
  }

  #isTooStale({ operation: { maxStalenessMs } }: Read, turn: Turn): boolean {
    return maxStalenessMs > 0 && this.#host.lag(turn).ms > maxStalenessMs;
  }

  /** A leader asks the others whether it still leads; a follower asks to be told what there is. */
  #freshen(turn: Turn, effects: Effects): void {
    const { leadership } = this.#host;
    if (leadership === undefined) this.#host.wakeLeader(effects);
    else leadership.askRound(turn.monotonicMs);
  }

  #lagOf({ mode }: Read, turn: Turn): ReadLag | null {
    return mode === 'linearizable' ? null : this.#host.lag(turn);
  }

  #serveGet(read: Read, { key }: GetOperation, turn: Turn, effects: Effects): void {
    const { state } = this.#host;
    const record = state.get(key, turn);
    if (record === 'damaged') return this.#damaged(read, JSON.stringify(key.slice(0, 80)), effects);
    if (record !== null && record.expiresAt !== 0 && this.#waitsForClock(read, record.expiresAt, turn))
      return;
    const lag = this.#lagOf(read, turn);
    const version = record?.version ?? 0;
    effects.replyEarly(read.request, {
      type: 'get-result',
      values: record === null ? [] : [{ value: record.value, hlc: record.hlc, expiresAt: record.expiresAt }],
      context: encodeLeaderContext({ version, index: state.appliedIndex }),
      version,
      lag,
      explain: read.explain
        ? explainRead(this.#facts, read.mode, read.how, lag, this.#host.leadership)
        : null,
    });
  }

  /** Whether a leader's reader must wait until the group's clock has passed `dueMs`. */
  #waitsForClock(read: Read, dueMs: number, turn: Turn): boolean {
    if (read.mode !== 'linearizable' || dueMs > turn.wallMs) return false;
    if (dueMs <= hlcWallMs(this.#host.state.clock)) return false;
    read.clockMs = dueMs;
    this.#waiting.push(read);
    this.#host.moveClock();
    return true;
  }

  #scan(read: Read, { prefix, after, limit }: ScanOperation, effects: Effects): void {
    const scan = `${READ}${++this.#lastScan}`;
    const { generation } = this.#host.state;
    const keys = dataPrefix(generation);
    read.generation = generation;
    this.#scanning.set(scan, read);
    const lt = afterPrefix(keys + prefix) as string;
    const from = compareKeys(after, prefix) >= 0 ? { gt: keys + after } : { gte: keys + prefix };
    effects.scan(scan, { lt, ...from }, Math.min(Math.max(1, limit), SCAN_PAGE_ENTRIES_MAX));
  }

  #servePage(read: Read, event: Scanned, turn: Turn, effects: Effects): void {
    const { state } = this.#host;
    const prefixLength = dataPrefix(state.generation).length;
    const clockMs = hlcWallMs(state.clock);
    // The page may have been read from an earlier state, never from a later one.
    const index = state.appliedIndex;
    const entries: ScanEntry[] = [];
    for (const [stored, bytes] of event.entries) {
      const key = stored.slice(prefixLength);
      if (!checkVersioned(bytes)) return this.#damaged(read, JSON.stringify(key.slice(0, 80)), effects);
      const { version, hlc, expiresAt, value } = decodeCheckedVersioned(bytes);
      if (expiresAt !== 0 && this.#waitsForClock(read, expiresAt, turn)) return;
      if (expiresAt !== 0 && expiresAt <= clockMs) continue;
      const context = encodeLeaderContext({ version, index });
      entries.push({ key, values: [{ value, hlc, expiresAt }], context, version });
    }
    const [last] = event.entries.at(-1) ?? [];
    effects.replyEarly(read.request, {
      type: 'scan-result',
      entries,
      next: event.more && last !== undefined ? last.slice(prefixLength) : null,
      lag: this.#lagOf(read, turn),
      index,
    });
  }

  #damaged(read: Read, what: string, effects: Effects): void {
    const { self, group } = this.#facts;
    effects.replyEarly(read.request, new TrefoilError('RecordCorrupt', `${what} is damaged at node ${self}`));
    this.#host.damaged(`${what} of ${group}`, effects);
  }

  #lateError(read: Read): TrefoilError {
    const { self, group } = this.#facts;
    if (read.mode === 'linearizable')
      return new TrefoilError('Timeout', `node ${self} was not confirmed to lead ${group} in time`, {
        outcome: 'failed',
      });
    if (read.index > this.#host.state.appliedIndex)
      return new TrefoilError(
        'SessionNotSatisfied',
        `node ${self} has not caught up with the session in time`,
      );
    return new TrefoilError('TooStale', `node ${self} is further behind the leader of ${group} than allowed`);
  }
}

function readMode(level: ReadLevel | null): ReadMode | null {
  if (level === null || level === 'linearizable' || level === 'session' || level === 'follower') return level;
  throw new TrefoilError(
    'BadRequest',
    `read ${level} is for leaderless namespaces: use linearizable, session or follower`,
  );
}

/**
 * Has a record stored by the replicas of its group, and says when W of them have it on disk.
 *
 *     begin ──> store at each peer ──┬──> tally ──> done
 *           └─> own disk ────────────┘      └──> stand-ins, where sloppy and W is short
 *
 * A replica may answer with its record: a retry was announced there of something that this one supersedes. Then the round is over
 * without a verdict (`outdated`): what the others have stored would forget too early (docs/adr/0011).
 */
import type { NodeId } from '../../core/ids.js';
import { closesMoreQuestions, mergeRecords, type KeyRecord } from '../../core/record.js';
import { encodeRecord } from '../../protocol/record-codec.js';
import type { Effects, Turn } from '../strategy.js';
import type { GroupMembers } from './group-members.js';
import type { HintedHandoff } from './hinted-handoff.js';
import { usableRecord, type LocalRecords } from './local-records.js';
import type { PeerCalls } from './peer-calls.js';
import { StandIns } from './stand-ins.js';
import { STORE_ANSWER_MS_MAX } from './tuning.js';
import { WriteTally } from './write-tally.js';

export interface StoreRound {
  readonly key: string;
  /** What this replica held before. */
  readonly before: KeyRecord;
  /** Put on its own disk in the same step. */
  readonly record: KeyRecord;
  readonly bytes: Uint8Array;
  /** W. */
  readonly required: number;
  readonly deadlineMs: number;
  /** Which peers are sent it; the others get hints. */
  readonly sendsTo: (peer: NodeId) => boolean;
  /** Whether each is to tell what it holds then, and what time it is there. */
  readonly asks: boolean;
}

export interface StoreOutcome {
  readonly verdict: 'stored' | 'impossible' | 'late';
  readonly tally: WriteTally;
  /** The earliest wall clock of those that were asked; Infinity where none was. */
  readonly earliestWallMs: number;
}

/** Exactly one of them is called, once. */
export interface StoreEnd {
  readonly done: (outcome: StoreOutcome, turn: Turn, effects: Effects) => void;
  /** The record here has been brought up to what one of the others holds. */
  readonly outdated: (turn: Turn, effects: Effects) => void;
}

/** What it was given stands beside what comes of it: V8 spreads a second object into a literal one slow property at a time. */
interface OpenRound {
  readonly round: StoreRound;
  readonly end: StoreEnd;
  readonly tally: WriteTally;
  /** Whom to ask in the place of homes; undefined where quorums are strict. */
  standIns: StandIns | undefined;
  earliestWallMs: number;
  ended: boolean;
}

export class StoreRounds {
  readonly #members: GroupMembers;
  readonly #records: LocalRecords;
  readonly #calls: PeerCalls;
  readonly #hints: HintedHandoff;
  readonly #open = new Map<number, OpenRound>();
  #nextToken = 1;

  constructor(members: GroupMembers, records: LocalRecords, calls: PeerCalls, hints: HintedHandoff) {
    this.#members = members;
    this.#records = records;
    this.#calls = calls;
    this.#hints = hints;
  }

  get size(): number {
    return this.#open.size;
  }

  begin(round: StoreRound, turn: Turn, effects: Effects, end: StoreEnd): void {
    const { self, peers, replicas, namespace } = this.#members;
    const { key, bytes, required, sendsTo } = round;
    const token = this.#nextToken++;
    const asked = (replica: NodeId): boolean => replica === self || sendsTo(replica);
    const tally = new WriteTally({ required, homes: replicas, sloppy: namespace.sloppy }, asked);
    const open: OpenRound = {
      round,
      end,
      tally,
      standIns: undefined,
      earliestWallMs: Infinity,
      ended: false,
    };
    if (namespace.sloppy) {
      const held = { tally, key, record: bytes, mark: effects.mark() };
      open.standIns = new StandIns(this.#members, this.#calls, held, (turnNow, effectsNow) => {
        this.#judge(token, open, turnNow, effectsNow);
      });
    }
    this.#open.set(token, open);
    effects.whenDurable(token);
    for (const peer of peers) {
      if (asked(peer)) this.#send(token, open, peer, turn, effects);
      else this.#hints.keep(peer, key, turn, effects);
    }
    open.standIns?.ask(turn, effects);
  }

  /** This replica's own copy is on disk. */
  durable(token: number, turn: Turn, effects: Effects): void {
    const open = this.#open.get(token);
    if (open !== undefined) this.#answer(token, open, this.#members.self, 'stored', turn, effects);
  }

  /** Ends what has run out of time. */
  sweep(turn: Turn, effects: Effects): void {
    for (const [token, open] of this.#open) {
      if (open.round.deadlineMs <= turn.monotonicMs) this.#settle(token, open, 'late', turn, effects);
    }
  }

  #send(token: number, open: OpenRound, peer: NodeId, turn: Turn, effects: Effects): void {
    const deadlineMs = turn.monotonicMs + STORE_ANSWER_MS_MAX;
    const { key, bytes: record, asks } = open.round;
    this.#calls.store(effects, peer, { key, record, asks }, deadlineMs, (answer, turnNow, effectsNow) => {
      if (asks && answer !== null) open.earliestWallMs = Math.min(open.earliestWallMs, answer.wallMs);
      const learnt = answer?.record ? this.#learn(answer.record, open, turnNow, effectsNow) : 'nothing';
      if (learnt === 'outdated') {
        this.#open.delete(token);
        open.ended = true;
        return open.end.outdated(turnNow, effectsNow);
      }
      const stored = answer?.status === 'stored' && learnt !== 'lost';
      if (!stored) this.#hints.keep(peer, key, turnNow, effectsNow);
      this.#answer(token, open, peer, stored ? 'stored' : 'hinted', turnNow, effectsNow);
    });
  }

  /**
   * Takes over what the replica that answers holds. `outdated`: with that a question closes that was open in what was sent. What was
   * written over decides as well, since the sent record may have forgotten it in the same step. `lost`: it could not be taken over.
   */
  #learn(bytes: Uint8Array, open: OpenRound, turn: Turn, effects: Effects): 'nothing' | 'outdated' | 'lost' {
    const told = usableRecord(bytes);
    if (told === undefined || turn.writesRefused !== null) return 'lost';
    const { key, before, record } = open.round;
    const joined = mergeRecords(mergeRecords(told, before), record);
    const absorbed = this.#records.absorb(turn, effects, key, encodeRecord(joined));
    if (absorbed !== 'changed' && absorbed !== 'unchanged') return 'lost';
    return !open.ended && closesMoreQuestions(joined, record) ? 'outdated' : 'nothing';
  }

  #answer(
    token: number,
    open: OpenRound,
    replica: NodeId,
    answer: 'stored' | 'hinted',
    turn: Turn,
    effects: Effects,
  ): void {
    open.tally.answer(replica, answer);
    this.#judge(token, open, turn, effects);
  }

  #judge(token: number, open: OpenRound, turn: Turn, effects: Effects): void {
    if (!open.ended) open.standIns?.ask(turn, effects);
    const verdict = open.tally.verdict();
    if (verdict !== 'waiting') this.#settle(token, open, verdict, turn, effects);
  }

  #settle(
    token: number,
    open: OpenRound,
    verdict: 'stored' | 'impossible' | 'late',
    turn: Turn,
    effects: Effects,
  ): void {
    this.#open.delete(token);
    if (open.ended) return;
    open.ended = true;
    const { tally, earliestWallMs } = open;
    open.end.done({ verdict, tally, earliestWallMs }, turn, effects);
  }
}

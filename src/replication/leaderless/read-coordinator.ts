/**
 * Coordinates reads: ask, merge R answers, reply, repair the stale ones, also those that answer late.
 *
 * Asks as few replicas as R needs; one more when an answer is later than answers usually are (`answer-times.ts`); and all of
 * them when one is still missing after that, when a session's bound is not yet met, when the caller wants an explanation, and
 * now and then so that hot keys are checked everywhere.
 *
 * A read that has replied listens for late answers for a fixed time, whatever deadline it had, and only so many do:
 * each holds records.
 */
import { TrefoilError } from '../../core/errors.js';
import type { NodeId } from '../../core/ids.js';
import { contextBound, highestHlc } from '../../core/record.js';
import { dominates, EMPTY_VECTOR, join, type VersionVector } from '../../core/version-vector.js';
import { decodeContext, encodeContext } from '../../protocol/context-codec.js';
import type { FetchResult } from '../../protocol/leaderless-messages.js';
import type { GetOperation } from '../../protocol/messages.js';
import { checkRecord } from '../../protocol/record-codec.js';
import type { KeyRecord } from '../../core/record.js';
import type { Effects, ReplicaEvent, RequestHandle, Turn, WriteMark } from '../strategy.js';
import { AnswerTimes } from './answer-times.js';
import { explainRead } from './explain.js';
import type { Floor } from './floor.js';
import { checkReachable, requiredReplicas, type GroupMembers } from './group-members.js';
import type { LocalRecords } from './local-records.js';
import type { PeerCalls } from './peer-calls.js';
import { ReadAnswers, type MergedRead, type ReadAnswer } from './read-answers.js';
import type { RecordRepair } from './record-repair.js';
import { shownValues } from './shown-values.js';
import {
  LATE_ANSWER_MS_MAX,
  LATE_READS_MAX,
  READ_ALL_ONE_IN,
  READ_WIDEN_MS,
  STORE_ANSWER_MS_MAX,
} from './tuning.js';

type GetRequest = Extract<ReplicaEvent, { readonly type: 'request' }> & { readonly operation: GetOperation };

interface OpenRead {
  readonly request: RequestHandle;
  readonly key: string;
  readonly required: number;
  readonly deadlineMs: number;
  /** When to ask the replicas that were spared; Infinity once they have been. */
  widenAtMs: number;
  /** When to ask one spare replica; Infinity once that was done or there is none. */
  speculateAtMs: number;
  /** The spare replica that was asked since another was late. */
  speculated: NodeId | undefined;
  readonly explain: boolean;
  readonly atLeast: VersionVector;
  readonly answers: ReadAnswers;
  /** Of the local answer: whoever is told of it, or brought it, may hear so only when it is on disk here. */
  local: WriteMark;
  /** The replicas that were asked. */
  readonly asked: Set<NodeId>;
  /**
   * What those that answered were known to have absorbed when they were asked. What they have absorbed since says nothing of
   * an answer that may be older, and what they had absorbed in an earlier life nothing of one given in this.
   */
  seen: VersionVector;
  /** The questions that await an answer, by whom they were put to. */
  readonly waiting: Map<NodeId, number>;
  replied: boolean;
}

export class ReadCoordinator {
  readonly #members: GroupMembers;
  readonly #records: LocalRecords;
  readonly #calls: PeerCalls;
  readonly #repair: RecordRepair;
  readonly #floor: Floor;
  readonly #open = new Set<OpenRead>();
  /** Replied, and listening for late answers until then; the longest replied first. */
  readonly #late = new Map<OpenRead, number>();
  /** No open read has anything to do before this. */
  #nextLookMs = Infinity;
  readonly #times = new AnswerTimes();
  /** No open read asks a spare replica before this. */
  #speculateAtMs = Infinity;

  constructor(
    members: GroupMembers,
    records: LocalRecords,
    calls: PeerCalls,
    repair: RecordRepair,
    floor: Floor,
  ) {
    this.#floor = floor;
    this.#members = members;
    this.#records = records;
    this.#calls = calls;
    this.#repair = repair;
  }

  get size(): number {
    return this.#open.size + this.#late.size;
  }

  /** When `speculate` is wanted next; Infinity for not at all. */
  get speculateAtMs(): number {
    return this.#speculateAtMs;
  }

  /** Throws what refuses the read. */
  begin(get: GetRequest, turn: Turn, effects: Effects): void {
    if (get.deadlineMs <= turn.monotonicMs) {
      throw new TrefoilError('DeadlineExceeded', 'the time for this read was over before it began');
    }
    const { key, atLeast } = get.operation;
    const required = requiredReplicas(this.#members, get.operation.read, this.#members.namespace.read);
    checkReachable(this.#members, turn, required);
    const read: OpenRead = {
      request: get.request,
      key,
      required,
      deadlineMs: get.deadlineMs,
      widenAtMs: turn.monotonicMs + READ_WIDEN_MS,
      speculateAtMs: Infinity,
      speculated: undefined,
      explain: get.explain,
      atLeast: atLeast === null ? [] : contextBound(decodeContext(key, atLeast)),
      answers: new ReadAnswers(),
      local: 0,
      asked: new Set([this.#members.self]),
      seen: EMPTY_VECTOR,
      waiting: new Map(),
      replied: false,
    };
    const local = this.#records.read(turn, key);
    read.local = effects.mark();
    if (local === 'corrupt') this.#repair.begin(key, turn, effects);
    const told = read.answers.add(this.#members.self, this.#floor.refilling ? 'refilling' : local);
    if (told) read.seen = this.#floor.absorbed(turn);
    this.#open.add(read);
    this.#lookAt(read);

    const askAll = get.explain || (required > 1 && turn.random.integer(READ_ALL_ONE_IN) === 0);
    if (askAll) this.#widen(read, turn, effects);
    else this.#ask(read, required - read.answers.count, turn, effects);
    this.#judge(read, turn, effects);
    if (!read.replied && this.#spare(read, turn) !== undefined) {
      read.speculateAtMs = turn.monotonicMs + this.#times.delayMs;
      this.#speculateAtMs = Math.min(this.#speculateAtMs, read.speculateAtMs);
    }
  }

  /** Asks one spare replica for each read whose answers are late by now. */
  speculate(turn: Turn, effects: Effects): void {
    if (turn.monotonicMs < this.#speculateAtMs) return;
    this.#speculateAtMs = Infinity;
    for (const read of this.#open) {
      if (read.speculateAtMs > turn.monotonicMs) {
        this.#speculateAtMs = Math.min(this.#speculateAtMs, read.speculateAtMs);
        continue;
      }
      read.speculateAtMs = Infinity;
      const spare = this.#spare(read, turn);
      if (spare === undefined || read.waiting.size === 0) continue;
      read.speculated = spare;
      effects.count('reads_speculated');
      this.#askPeer(read, spare, turn, effects);
    }
  }

  #spare(read: OpenRead, turn: Turn): NodeId | undefined {
    return this.#members.peers.find((peer) => !read.asked.has(peer) && turn.reachable(peer));
  }

  sweep(turn: Turn, effects: Effects): void {
    for (const [read, untilMs] of this.#late) {
      if (untilMs > turn.monotonicMs) break;
      this.#forget(read);
    }
    if (turn.monotonicMs < this.#nextLookMs) return;
    this.#nextLookMs = Infinity;
    for (const read of this.#open) {
      if (read.deadlineMs <= turn.monotonicMs) {
        this.#fail(read, effects, new TrefoilError('Timeout', this.#shortfall(read), { outcome: 'failed' }));
        continue;
      }
      if (read.widenAtMs <= turn.monotonicMs) {
        this.#widen(read, turn, effects);
        this.#judge(read, turn, effects);
      }
      this.#lookAt(read);
    }
  }

  #lookAt(read: OpenRead): void {
    this.#nextLookMs = Math.min(this.#nextLookMs, read.deadlineMs, read.widenAtMs);
  }

  #widen(read: OpenRead, turn: Turn, effects: Effects): void {
    read.widenAtMs = Infinity;
    read.speculateAtMs = Infinity;
    this.#ask(read, this.#members.peers.length, turn, effects);
  }

  /** Asks up to `count` replicas that have not been asked. */
  #ask(read: OpenRead, count: number, turn: Turn, effects: Effects): void {
    const { peers } = this.#members;
    const first = count < peers.length ? turn.random.integer(peers.length) : 0;
    let asked = 0;
    for (let i = 0; i < peers.length && asked < count; i++) {
      const peer = peers[(first + i) % peers.length] as NodeId;
      if (read.asked.has(peer)) continue;
      if (!turn.reachable(peer)) {
        read.answers.add(peer, 'unreachable');
        continue;
      }
      asked++;
      this.#askPeer(read, peer, turn, effects);
    }
  }

  #askPeer(read: OpenRead, peer: NodeId, turn: Turn, effects: Effects): void {
    read.asked.add(peer);
    const told = this.#floor.toldBy(peer);
    const askedMs = turn.monotonicMs;
    const untilMs = read.deadlineMs + LATE_ANSWER_MS_MAX;
    const call = this.#calls.fetch(effects, peer, read.key, untilMs, (answer, turnNow, effectsNow) => {
      read.waiting.delete(peer);
      if (answer !== null) this.#times.took(peer, turnNow.monotonicMs - askedMs);
      const seen = answer?.life === told.life ? told.absorbed : EMPTY_VECTOR;
      this.#answered(read, peer, answerOf(answer), seen, turnNow, effectsNow);
    });
    read.waiting.set(peer, call);
  }

  #answered(
    read: OpenRead,
    peer: NodeId,
    answer: ReadAnswer,
    seen: VersionVector,
    turn: Turn,
    effects: Effects,
  ): void {
    const told = read.answers.add(peer, answer);
    if (told) read.seen = join(read.seen, seen);
    if (!read.replied) {
      if (!told) this.#widen(read, turn, effects);
      this.#judge(read, turn, effects);
      return;
    }
    if (read.waiting.size === 0) this.#late.delete(read);
    if (told) this.#repairStale(read, read.answers.merge(), turn, effects);
  }

  /** Replies if the answers are enough, fails if they can no longer be. */
  #judge(read: OpenRead, turn: Turn, effects: Effects): void {
    if (read.answers.count >= read.required) {
      const merged = read.answers.merge();
      if (satisfies(read, merged)) return this.#reply(read, merged, turn, effects);
      if (read.widenAtMs !== Infinity) this.#widen(read, turn, effects);
      if (read.waiting.size > 0) return;
      this.#fail(
        read,
        effects,
        new TrefoilError('SessionNotSatisfied', 'no replica that answered has seen what the session has'),
      );
      return;
    }
    if (read.waiting.size > 0) return;
    if (read.widenAtMs !== Infinity) this.#widen(read, turn, effects);
    if (read.waiting.size > 0) return;
    const { count, refilling } = read.answers;
    const code =
      refilling > 0 && count + refilling >= read.required ? 'ReplicasRefilling' : 'QuorumUnavailable';
    this.#fail(read, effects, new TrefoilError(code, this.#shortfall(read)));
  }

  #reply(read: OpenRead, merged: MergedRead, turn: Turn, effects: Effects): void {
    const values = shownValues(merged.record, this.#members.namespace.conflict, turn.wallMs);
    if (values instanceof TrefoilError) return this.#fail(read, effects, values);
    read.replied = true;
    this.#open.delete(read);
    effects.waitFor(read.local);
    if (speculationWon(read)) effects.count('reads_speculated_won');
    if (read.waiting.size > 0) this.#listen(read, turn);
    const all = [this.#members.self, ...this.#members.peers];
    const answers = read.explain ? read.answers.explain(all, merged) : [];
    const repaired = this.#repairStale(read, merged, turn, effects);
    effects.reply(read.request, {
      type: 'get-result',
      values,
      context: merged.bytes === null ? null : readContext(read.key, merged.record),
      version: 0,
      lag: null,
      explain: read.explain
        ? explainRead(this.#members, read.required, answers, repaired, this.#times.delayMs)
        : null,
    });
  }

  #listen(read: OpenRead, turn: Turn): void {
    this.#late.set(read, turn.monotonicMs + LATE_ANSWER_MS_MAX);
    const [longest] = this.#late.keys();
    if (this.#late.size > LATE_READS_MAX && longest !== undefined) this.#forget(longest);
  }

  /** Listens no longer. */
  #forget(read: OpenRead): void {
    this.#late.delete(read);
    for (const call of read.waiting.values()) this.#calls.withdraw(call);
    read.waiting.clear();
  }

  /** Sends the merge to the replicas that told of less. They are then taken to hold it. */
  #repairStale(read: OpenRead, merged: MergedRead, turn: Turn, effects: Effects): NodeId[] {
    const stale = read.answers.stale(merged);
    const { bytes } = merged;
    if (bytes === null || stale.length === 0) return [];
    effects.waitFor(read.local);
    effects.count('read_repairs', stale.length);
    for (const replica of stale) {
      if (replica === this.#members.self) this.#repairSelf(read.key, bytes, turn, effects);
      else
        this.#calls.store(
          effects,
          replica,
          { key: read.key, record: bytes },
          turn.monotonicMs + STORE_ANSWER_MS_MAX,
          () => undefined,
        );
      read.answers.brought(replica, merged.record, bytes);
    }
    return stale;
  }

  #repairSelf(key: string, bytes: Uint8Array, turn: Turn, effects: Effects): void {
    if (turn.writesRefused === null) this.#records.absorb(turn, effects, key, bytes);
  }

  #fail(read: OpenRead, effects: Effects, error: TrefoilError): void {
    this.#open.delete(read);
    read.replied = true;
    this.#forget(read);
    effects.reply(read.request, error);
  }

  #shortfall(read: OpenRead): string {
    const { count, refilling } = read.answers;
    const also = refilling === 0 ? '' : `, ${refilling} lost records and are being refilled`;
    return `${count} of the ${read.required} replicas needed answered${also}`;
  }
}

/** Whether the answers have seen what the session has: their records say so, or what their replicas had absorbed. */
function satisfies({ seen, atLeast }: OpenRead, { record }: MergedRead): boolean {
  return dominates(record.context, atLeast) || dominates(join(record.context, seen), atLeast);
}

/** Whether the spare replica's answer stood in for one that is still missing. */
function speculationWon(read: OpenRead): boolean {
  const { speculated, waiting, widenAtMs } = read;
  return speculated !== undefined && widenAtMs !== Infinity && waiting.size > 0 && !waiting.has(speculated);
}

function answerOf(
  answer: { readonly status: FetchResult['status']; readonly record: Uint8Array | null } | null,
): ReadAnswer {
  if (answer === null) return 'unreachable';
  if (answer.status === 'absent') return null;
  if (answer.status === 'refilling') return 'refilling';
  return answer.record !== null && checkRecord(answer.record) ? answer.record : 'corrupt';
}

/** A reader has seen the whole record. */
export function readContext(key: string, record: KeyRecord): Uint8Array {
  return encodeContext(key, { vector: record.context, dots: [], hlc: highestHlc(record) });
}

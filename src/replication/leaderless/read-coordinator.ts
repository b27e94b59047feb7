/**
 * Coordinates reads: ask, merge R answers, reply, repair the stale ones, also those that answer late.
 *
 * Asks as few replicas as R needs, and all of them when one is slow, when a session's bound is not yet met, when
 * the caller wants an explanation, and now and then so that hot keys are checked everywhere.
 */
import { TrefoilError } from '../../core/errors.js';
import type { NodeId } from '../../core/ids.js';
import { contextBound, highestHlc } from '../../core/record.js';
import { dominates, type VersionVector } from '../../core/version-vector.js';
import { viewRecord, type ConflictPolicy } from '../../core/views.js';
import { decodeContext, encodeContext } from '../../protocol/context-codec.js';
import type { GetOperation, ValueView } from '../../protocol/messages.js';
import { checkRecord } from '../../protocol/record-codec.js';
import type { KeyRecord } from '../../core/record.js';
import type { Effects, ReplicaEvent, RequestHandle, Turn } from '../strategy.js';
import { explainRead } from './explain.js';
import { checkReachable, requiredReplicas, type GroupMembers } from './group-members.js';
import type { LocalRecords } from './local-records.js';
import type { PeerCalls } from './peer-calls.js';
import { ReadAnswers, type MergedRead, type ReadAnswer } from './read-answers.js';
import type { RecordRepair } from './record-repair.js';
import { LATE_ANSWER_MS_MAX, READ_ALL_ONE_IN, READ_WIDEN_MS, STORE_ANSWER_MS_MAX } from './tuning.js';

type GetRequest = Extract<ReplicaEvent, { readonly type: 'request' }> & { readonly operation: GetOperation };

interface OpenRead {
  readonly request: RequestHandle;
  readonly key: string;
  readonly required: number;
  readonly deadlineMs: number;
  /** When to ask the replicas that were spared; Infinity once they have been. */
  widenAtMs: number;
  readonly explain: boolean;
  readonly atLeast: VersionVector;
  readonly answers: ReadAnswers;
  readonly asked: Set<NodeId>;
  waiting: number;
  /** What was replied; late answers are compared with it. */
  replied: MergedRead | undefined;
}

export class ReadCoordinator {
  readonly #members: GroupMembers;
  readonly #records: LocalRecords;
  readonly #calls: PeerCalls;
  readonly #repair: RecordRepair;
  readonly #open = new Set<OpenRead>();

  constructor(members: GroupMembers, records: LocalRecords, calls: PeerCalls, repair: RecordRepair) {
    this.#members = members;
    this.#records = records;
    this.#calls = calls;
    this.#repair = repair;
  }

  get size(): number {
    return this.#open.size;
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
      explain: get.explain,
      atLeast: atLeast === null ? [] : contextBound(decodeContext(key, atLeast)),
      answers: new ReadAnswers(),
      asked: new Set(),
      waiting: 0,
      replied: undefined,
    };
    const local = this.#records.read(turn, key);
    if (local === 'corrupt') this.#repair.begin(key, turn, effects);
    read.answers.add(this.#members.self, local);
    this.#open.add(read);

    const askAll = get.explain || (required > 1 && turn.random.integer(READ_ALL_ONE_IN) === 0);
    if (askAll) this.#widen(read, turn, effects);
    else this.#ask(read, required - read.answers.count, turn, effects);
    this.#judge(read, turn, effects);
  }

  sweep(turn: Turn, effects: Effects): void {
    for (const read of this.#open) {
      if (read.replied !== undefined) continue;
      if (read.deadlineMs <= turn.monotonicMs) {
        this.#fail(read, effects, new TrefoilError('Timeout', this.#shortfall(read), { outcome: 'failed' }));
      } else if (read.widenAtMs <= turn.monotonicMs) {
        this.#widen(read, turn, effects);
        this.#judge(read, turn, effects);
      }
    }
  }

  #widen(read: OpenRead, turn: Turn, effects: Effects): void {
    read.widenAtMs = Infinity;
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
      read.asked.add(peer);
      read.waiting++;
      asked++;
      this.#calls.fetch(
        effects,
        peer,
        read.key,
        read.deadlineMs + LATE_ANSWER_MS_MAX,
        (answer, turnNow, effectsNow) => {
          read.waiting--;
          this.#answered(read, peer, answerOf(answer), turnNow, effectsNow);
        },
      );
    }
  }

  #answered(read: OpenRead, peer: NodeId, answer: ReadAnswer, turn: Turn, effects: Effects): void {
    read.answers.add(peer, answer);
    if (read.replied === undefined) {
      if (typeof answer === 'string') this.#widen(read, turn, effects);
      this.#judge(read, turn, effects);
      return;
    }
    if (read.waiting === 0) this.#open.delete(read);
    if (typeof answer === 'string') return;
    const merged = read.answers.merge();
    this.#repairStale(read, merged, turn, effects);
  }

  /** Replies if the answers are enough, fails if they can no longer be. */
  #judge(read: OpenRead, turn: Turn, effects: Effects): void {
    if (read.answers.count >= read.required) {
      const merged = read.answers.merge();
      if (dominates(merged.record.context, read.atLeast)) return this.#reply(read, merged, turn, effects);
      if (read.widenAtMs !== Infinity) this.#widen(read, turn, effects);
      if (read.waiting > 0) return;
      this.#fail(
        read,
        effects,
        new TrefoilError('SessionNotSatisfied', 'no replica that answered has seen what the session has'),
      );
      return;
    }
    if (read.waiting > 0) return;
    if (read.widenAtMs !== Infinity) this.#widen(read, turn, effects);
    if (read.waiting === 0)
      this.#fail(read, effects, new TrefoilError('QuorumUnavailable', this.#shortfall(read)));
  }

  #reply(read: OpenRead, merged: MergedRead, turn: Turn, effects: Effects): void {
    read.replied = merged;
    if (read.waiting === 0) this.#open.delete(read);
    const all = [this.#members.self, ...this.#members.peers];
    const answers = read.explain ? read.answers.explain(all, merged) : [];
    const repaired = this.#repairStale(read, merged, turn, effects);
    effects.reply(read.request, {
      type: 'get-result',
      values: shownValues(merged.record, this.#members.namespace.conflict, turn.wallMs),
      context: merged.bytes === null ? null : readContext(read.key, merged.record),
      explain: read.explain ? explainRead(this.#members, read.required, answers, repaired) : null,
    });
  }

  /** Sends the merge to the replicas that told of less. They are then taken to hold it. */
  #repairStale(read: OpenRead, merged: MergedRead, turn: Turn, effects: Effects): NodeId[] {
    const stale = read.answers.stale(merged);
    const { bytes } = merged;
    if (bytes === null || stale.length === 0) return [];
    effects.count('read_repairs', stale.length);
    for (const replica of stale) {
      if (replica === this.#members.self) this.#repairSelf(read.key, bytes, turn, effects);
      else
        this.#calls.store(
          effects,
          replica,
          read.key,
          bytes,
          turn.monotonicMs + STORE_ANSWER_MS_MAX,
          () => undefined,
        );
      read.answers.add(replica, bytes);
    }
    return stale;
  }

  #repairSelf(key: string, bytes: Uint8Array, turn: Turn, effects: Effects): void {
    if (turn.writesRefused === null) this.#records.absorb(turn, effects, key, bytes);
  }

  #fail(read: OpenRead, effects: Effects, error: TrefoilError): void {
    this.#open.delete(read);
    read.replied = read.answers.merge();
    effects.reply(read.request, error);
  }

  #shortfall(read: OpenRead): string {
    return `${read.answers.count} of the ${read.required} replicas needed answered`;
  }
}

function answerOf(
  answer: { readonly status: 'found' | 'absent' | 'corrupt'; readonly record: Uint8Array | null } | null,
): ReadAnswer {
  if (answer === null) return 'unreachable';
  if (answer.status === 'absent') return null;
  return answer.record !== null && checkRecord(answer.record) ? answer.record : 'corrupt';
}

/** What a reader is shown, as it travels. */
export function shownValues(record: KeyRecord, policy: ConflictPolicy, wallMs: number): ValueView[] {
  const shown: ValueView[] = [];
  for (const { value, hlc, expiresAt } of viewRecord(record, policy, wallMs).values) {
    if (value !== null) shown.push({ value, hlc, expiresAt });
  }
  return shown;
}

/** A reader has seen the whole record. */
export function readContext(key: string, record: KeyRecord): Uint8Array {
  return encodeContext(key, { vector: record.context, dots: [], hlc: highestHlc(record) });
}

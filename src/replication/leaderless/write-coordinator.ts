/**
 * Coordinates writes: mint, merge locally, send the merged record to the other replicas, answer when W have
 * it on disk.
 *
 *     check ──> (look elsewhere first) ──> mint, put, send ──> tally ──> reply
 *                                                               └──> stand-ins, where sloppy and W is short
 *
 * Everything that can be refused is refused before the mint, as `failed`. After it the record may survive
 * anywhere, so a missing W is `unknown`, never `failed`.
 *
 * "Look elsewhere first" is for two kinds of write that the local copy may be too old to judge: a retry,
 * whose first attempt another replica may hold, and a context that has seen a dot not seen here. Such a dot is lost only
 * if every replica has said so; while one is silent it may hold it, and a write that does not know it
 * would leave standing what it has seen.
 *
 * A retry of a counter's write never mints. Sums absorb operations, so a second effect could not be hidden afterwards:
 * the retry is answered from what is known, or with `OperationUnconfirmed` (docs/adr/0010-typed-policies.md).
 */
import { TrefoilError } from '../../core/errors.js';
import type { NodeId } from '../../core/ids.js';
import { CONTEXT_DOTS_MAX, SIBLINGS_WARNING } from '../../core/limits.js';
import {
  contextBound,
  dotsOfOperation,
  EMPTY_CONTEXT,
  EMPTY_RECORD,
  forgetsOperations,
  highestHlc,
  type CausalContext,
  type KeyRecord,
} from '../../core/record.js';
import { covers, dominates, join, sameDot, type Dot } from '../../core/version-vector.js';
import { isTyped } from '../../core/views.js';
import { decodeContext, encodeContext } from '../../protocol/context-codec.js';
import type { WriteOperation } from '../../protocol/messages.js';
import { decodeCheckedRecord, encodeRecord } from '../../protocol/record-codec.js';
import type { Effects, ReplicaEvent, RequestHandle, Turn } from '../strategy.js';
import { explainWrite } from './explain.js';
import type { Floor } from './floor.js';
import { checkReachable, requiredReplicas, type GroupMembers } from './group-members.js';
import type { HintedHandoff } from './hinted-handoff.js';
import type { LocalRecords } from './local-records.js';
import { checkPolicy, mintWrite } from './mint-write.js';
import type { PeerCalls } from './peer-calls.js';
import type { RecordRepair } from './record-repair.js';
import { shownCount } from './shown-values.js';
import { StandIns } from './stand-ins.js';
import { LOOK_ANSWER_MS_MAX, RETRY_AGE_MS_MAX, STORE_ANSWER_MS_MAX } from './tuning.js';
import { WriteTally } from './write-tally.js';

type WriteRequest = Extract<ReplicaEvent, { readonly type: 'request' }> & {
  readonly operation: WriteOperation;
};

/** What this replica holds of the key, as read in this step. */
interface LocalState {
  readonly bytes: Uint8Array | null;
  readonly record: KeyRecord;
}

/** A write that has been minted and waits for W replicas. */
interface OpenWrite {
  readonly request: RequestHandle;
  readonly deadlineMs: number;
  readonly explain: boolean;
  readonly required: number;
  readonly tally: WriteTally;
  readonly key: string;
  readonly context: Uint8Array;
  readonly siblings: number;
  /** Whom to ask in the place of homes; undefined where quorums are strict. */
  standIns: StandIns | undefined;
  replied: boolean;
}

export class WriteCoordinator {
  readonly #members: GroupMembers;
  readonly #records: LocalRecords;
  readonly #calls: PeerCalls;
  readonly #hints: HintedHandoff;
  readonly #repair: RecordRepair;
  readonly #floor: Floor;
  readonly #open = new Map<number, OpenWrite>();
  #nextToken = 1;

  constructor(
    members: GroupMembers,
    records: LocalRecords,
    calls: PeerCalls,
    hints: HintedHandoff,
    repair: RecordRepair,
    floor: Floor,
  ) {
    this.#floor = floor;
    this.#members = members;
    this.#records = records;
    this.#calls = calls;
    this.#hints = hints;
    this.#repair = repair;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Throws what refuses the write; then nothing has been minted. */
  begin(put: WriteRequest, turn: Turn, effects: Effects): void {
    const { key, context } = put.operation;
    checkPolicy(this.#members.namespace, put.operation);
    const seen = context === null ? EMPTY_CONTEXT : decodeContext(key, context);
    const local = this.#admit(put, turn, effects);
    if (put.operation.attempt === 0 && this.#canJudge(local.record, seen, turn)) {
      this.#mint(put, seen, local, turn, effects);
      return;
    }
    this.#lookElsewhere(put, seen, turn, effects);
  }

  /** This replica's own copy of a write is on disk. */
  durable(token: number, turn: Turn, effects: Effects): void {
    const write = this.#open.get(token);
    if (write !== undefined) this.#answer(token, write, this.#members.self, 'stored', turn, effects);
  }

  /** Answers what has run out of time. */
  sweep(turn: Turn, effects: Effects): void {
    for (const [token, write] of this.#open) {
      if (write.deadlineMs <= turn.monotonicMs) this.#settle(token, write, 'late', effects);
    }
  }

  #admit(put: WriteRequest, turn: Turn, effects: Effects): LocalState {
    if (put.deadlineMs <= turn.monotonicMs) {
      throw new TrefoilError('DeadlineExceeded', 'the time for this write was over before it began');
    }
    if (turn.writesRefused !== null) {
      throw new TrefoilError(turn.writesRefused, `node ${this.#members.self} takes no writes now`);
    }
    checkReachable(this.#members, turn, this.#required(put), this.#members.standIns);
    const stored = this.#records.read(turn, put.operation.key);
    if (stored === 'corrupt') {
      this.#repair.begin(put.operation.key, turn, effects);
      throw new TrefoilError(
        'RecordCorrupt',
        `the copy on ${this.#members.self} is damaged and under repair`,
      );
    }
    return { bytes: stored, record: stored === null ? EMPTY_RECORD : decodeCheckedRecord(stored) };
  }

  #required(put: WriteRequest): number {
    return requiredReplicas(this.#members, put.operation.write, this.#members.namespace.write);
  }

  /** Whether the record holds what the writer's context needs. What a counter or a set takes away it must know itself. */
  #canJudge(record: KeyRecord, seen: CausalContext, turn: Turn): boolean {
    // What is absorbed and no longer in the record's context was seen, and superseded (docs/adr/0008).
    const absorbed = this.#floor.absorbed(turn);
    if (isTyped(this.#members.namespace.conflict))
      return dominates(join(record.context, absorbed), contextBound(seen));
    return seen.dots.every((dot) => covers(record.context, dot) || covers(absorbed, dot));
  }

  /** Brings the local copy up to what every reachable replica knows, then goes on. */
  #lookElsewhere(put: WriteRequest, seen: CausalContext, turn: Turn, effects: Effects): void {
    const { key } = put.operation;
    const asked = this.#members.peers.filter((peer) => turn.reachable(peer));
    let waiting = asked.length;
    const heard = { answered: 0, witnesses: 0 };
    const proceed = (turnNow: Turn, effectsNow: Effects): void => {
      try {
        const local = this.#admit(put, turnNow, effectsNow);
        this.#afterLook(put, seen, local, heard, turnNow, effectsNow);
      } catch (error) {
        if (!(error instanceof TrefoilError)) throw error;
        effectsNow.reply(put.request, error);
      }
    };
    if (waiting === 0) return proceed(turn, effects);
    const deadlineMs = Math.min(put.deadlineMs, turn.monotonicMs + LOOK_ANSWER_MS_MAX);
    for (const peer of asked) {
      this.#calls.fetch(effects, peer, key, deadlineMs, (answer, turnNow, effectsNow) => {
        if (answer !== null && answer.status !== 'corrupt') heard.answered++;
        if (answer?.status === 'found' || answer?.status === 'absent') heard.witnesses++;
        if (answer?.record && turnNow.writesRefused === null) {
          this.#records.absorb(turnNow, effectsNow, key, answer.record);
        }
        if (--waiting === 0) proceed(turnNow, effectsNow);
      });
    }
  }

  /**
   * `answered`: how many of the others have said what they hold; a damaged copy says nothing. `witnesses`: those that would hold
   * the operation if they ever had; one that is refilling may have lost it.
   */
  #afterLook(
    put: WriteRequest,
    seen: CausalContext,
    local: LocalState,
    { answered, witnesses }: { readonly answered: number; readonly witnesses: number },
    turn: Turn,
    effects: Effects,
  ): void {
    const { operation, attempt } = put.operation;
    const { conflict, sloppy } = this.#members.namespace;
    const known = dotsOfOperation(local.record, operation);
    if (known.length > 0) {
      const dots = isTyped(conflict) ? known : known.slice(0, 1);
      return this.#spread(put, seen, dots, local, local.record, turn, effects);
    }
    if (attempt > 0 && conflict === 'counter') {
      throw new TrefoilError(
        'OperationUnconfirmed',
        'no replica that answered knows whether the first attempt arrived; applied again it might count twice',
      );
    }
    const silent = this.#members.peers.length - answered;
    if (!this.#canJudge(local.record, seen, turn) && (silent > 0 || isTyped(conflict))) {
      throw new TrefoilError(
        'QuorumUnavailable',
        `the replicas that answered have not seen all that the context has; ${silent} did not answer`,
      );
    }
    // Minted by one that hears too few, it would wait here until the first attempt is overwritten and forgotten elsewhere.
    if (attempt > 0 && !sloppy && witnesses + 1 < this.#required(put)) {
      throw new TrefoilError(
        'QuorumUnavailable',
        `a retry must hear from ${this.#required(put) - 1} other replicas whether they know the first attempt; ${witnesses} answered`,
      );
    }
    if (
      attempt > 0 &&
      !isTyped(conflict) &&
      forgetsOperations(local.record, turn.wallMs - RETRY_AGE_MS_MAX)
    ) {
      throw new TrefoilError(
        'OperationForgotten',
        'the key has been written too often since to tell whether the first attempt arrived',
      );
    }
    this.#mint(put, seen, local, turn, effects);
  }

  #mint(put: WriteRequest, seen: CausalContext, local: LocalState, turn: Turn, effects: Effects): void {
    const minted = mintWrite(this.#members.namespace, put.operation, seen, local.record, turn, effects);
    this.#spread(put, seen, minted.dots, local, minted.record, turn, effects);
  }

  /** Puts the record here, sends it to the others, and opens the tally. */
  #spread(
    put: WriteRequest,
    seen: CausalContext,
    dots: readonly Dot[],
    before: LocalState,
    record: KeyRecord,
    turn: Turn,
    effects: Effects,
  ): void {
    const { self, peers, replicas, namespace } = this.#members;
    const { key } = put.operation;
    const bytes = encodeRecord(record);
    this.#records.note(record);
    this.#records.write(effects, key, before.bytes, bytes);

    const token = this.#nextToken++;
    const asked = (replica: NodeId): boolean => replica === self || turn.reachable(replica);
    const siblings = shownCount(record, namespace.conflict, turn.wallMs);
    if (siblings >= SIBLINGS_WARNING && !isTyped(namespace.conflict)) effects.count('sibling_warnings');
    const required = this.#required(put);
    const write: OpenWrite = {
      request: put.request,
      deadlineMs: put.deadlineMs,
      explain: put.explain,
      required,
      tally: new WriteTally({ required, homes: replicas, sloppy: namespace.sloppy }, asked),
      key,
      context: encodeContext(key, contextAfter(record, seen, dots)),
      siblings,
      standIns: undefined,
      replied: false,
    };
    if (namespace.sloppy) {
      const held = { tally: write.tally, key, record: bytes, mark: effects.mark() };
      write.standIns = new StandIns(this.#members, this.#calls, held, (turnNow, effectsNow) =>
        this.#judge(token, write, turnNow, effectsNow),
      );
    }
    this.#open.set(token, write);
    effects.whenDurable(token);
    for (const peer of peers) {
      if (asked(peer)) this.#send(token, write, peer, bytes, turn, effects);
      else this.#hints.keep(peer, key, turn, effects);
    }
    write.standIns?.ask(turn, effects);
  }

  #send(
    token: number,
    write: OpenWrite,
    peer: NodeId,
    bytes: Uint8Array,
    turn: Turn,
    effects: Effects,
  ): void {
    const deadlineMs = turn.monotonicMs + STORE_ANSWER_MS_MAX;
    this.#calls.store(effects, peer, write.key, bytes, deadlineMs, (answer, turnNow, effectsNow) => {
      const stored = answer?.status === 'stored';
      if (!stored) this.#hints.keep(peer, write.key, turnNow, effectsNow);
      this.#answer(token, write, peer, stored ? 'stored' : 'hinted', turnNow, effectsNow);
    });
  }

  #answer(
    token: number,
    write: OpenWrite,
    replica: NodeId,
    answer: 'stored' | 'hinted',
    turn: Turn,
    effects: Effects,
  ): void {
    write.tally.answer(replica, answer);
    this.#judge(token, write, turn, effects);
  }

  #judge(token: number, write: OpenWrite, turn: Turn, effects: Effects): void {
    if (!write.replied) write.standIns?.ask(turn, effects);
    const verdict = write.tally.verdict();
    if (verdict !== 'waiting') this.#settle(token, write, verdict, effects);
  }

  #settle(
    token: number,
    write: OpenWrite,
    verdict: 'stored' | 'impossible' | 'late',
    effects: Effects,
  ): void {
    this.#open.delete(token);
    if (write.replied) return;
    write.replied = true;
    if (verdict === 'stored') {
      effects.reply(write.request, {
        type: 'put-result',
        context: write.context,
        siblings: write.siblings,
        version: 0,
        replicas: 0,
        explain: write.explain ? explainWrite(this.#members, write.required, write.tally) : null,
      });
      return;
    }
    effects.count('writes_unknown');
    effects.reply(
      write.request,
      new TrefoilError(
        verdict === 'late' ? 'Timeout' : 'QuorumNotReached',
        `${write.tally.stored} of the ${write.required} replicas needed confirmed the write`,
      ),
    );
  }
}

/**
 * What the writer may claim to have seen after its write: the whole record where nothing stands beside the write; else what it
 * had seen before and exactly its own dots, the latest where there are many.
 */
function contextAfter(record: KeyRecord, seen: CausalContext, dots: readonly Dot[]): CausalContext {
  const hlc = highestHlc(record);
  const alone = record.siblings.every((s) => dots.some((dot) => sameDot(s.dot, dot)));
  if (alone) return { vector: record.context, dots: [], hlc };
  return { vector: seen.vector, dots: [...seen.dots, ...dots].slice(-CONTEXT_DOTS_MAX), hlc };
}

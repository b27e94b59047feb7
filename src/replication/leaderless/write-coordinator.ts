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
 * whose first attempt another replica may hold, and a context that has seen a dot not seen here.
 */
import { TrefoilError } from '../../core/errors.js';
import type { NodeId } from '../../core/ids.js';
import {
  CLOCK_SKEW_MS_MAX,
  CONTEXT_DOTS_MAX,
  RECORD_BYTES_MAX,
  REQUEST_TIMEOUT_MS_MAX,
  SIBLINGS_MAX,
  SIBLINGS_WARNING,
} from '../../core/limits.js';
import {
  applyWrite,
  dotsOfOperation,
  EMPTY_CONTEXT,
  EMPTY_RECORD,
  forgetsOperations,
  highestHlc,
  siblingsBeside,
  type CausalContext,
  type KeyRecord,
  type Sibling,
} from '../../core/record.js';
import { covers, join, sameDot, type Dot } from '../../core/version-vector.js';
import { supersededDots, viewRecord } from '../../core/views.js';
import { decodeContext, encodeContext } from '../../protocol/context-codec.js';
import type { PutOperation } from '../../protocol/messages.js';
import { decodeCheckedRecord, encodeRecord } from '../../protocol/record-codec.js';
import type { Effects, ReplicaEvent, RequestHandle, Turn } from '../strategy.js';
import { explainWrite } from './explain.js';
import { checkReachable, requiredReplicas, type GroupMembers } from './group-members.js';
import type { HintedHandoff } from './hinted-handoff.js';
import type { LocalRecords } from './local-records.js';
import type { PeerCalls } from './peer-calls.js';
import type { RecordRepair } from './record-repair.js';
import { StandIns } from './stand-ins.js';
import { LOOK_ANSWER_MS_MAX, STORE_ANSWER_MS_MAX } from './tuning.js';
import { WriteTally } from './write-tally.js';

/**
 * How long ago the first attempt of a retry may have been minted, by the clocks of two nodes: a request lives no
 * longer than this, and clocks are taken to differ by no more than the bound on skew.
 */
const FIRST_ATTEMPT_AGE_MS_MAX = REQUEST_TIMEOUT_MS_MAX + CLOCK_SKEW_MS_MAX;

type PutRequest = Extract<ReplicaEvent, { readonly type: 'request' }> & { readonly operation: PutOperation };

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
  readonly #open = new Map<number, OpenWrite>();
  #nextToken = 1;

  constructor(
    members: GroupMembers,
    records: LocalRecords,
    calls: PeerCalls,
    hints: HintedHandoff,
    repair: RecordRepair,
  ) {
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
  begin(put: PutRequest, turn: Turn, effects: Effects): void {
    const { key, context } = put.operation;
    const seen = context === null ? EMPTY_CONTEXT : decodeContext(key, context);
    const local = this.#admit(put, turn, effects);
    if (put.operation.attempt === 0 && seen.dots.every((dot) => covers(local.record.context, dot))) {
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

  #admit(put: PutRequest, turn: Turn, effects: Effects): LocalState {
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

  #required(put: PutRequest): number {
    return requiredReplicas(this.#members, put.operation.write, this.#members.namespace.write);
  }

  /** Brings the local copy up to what every reachable replica knows, then goes on. */
  #lookElsewhere(put: PutRequest, seen: CausalContext, turn: Turn, effects: Effects): void {
    const { key } = put.operation;
    const asked = this.#members.peers.filter((peer) => turn.reachable(peer));
    let waiting = asked.length;
    const proceed = (turnNow: Turn, effectsNow: Effects): void => {
      try {
        this.#afterLook(put, seen, this.#admit(put, turnNow, effectsNow), turnNow, effectsNow);
      } catch (error) {
        if (!(error instanceof TrefoilError)) throw error;
        effectsNow.reply(put.request, error);
      }
    };
    if (waiting === 0) return proceed(turn, effects);
    const deadlineMs = Math.min(put.deadlineMs, turn.monotonicMs + LOOK_ANSWER_MS_MAX);
    for (const peer of asked) {
      this.#calls.fetch(effects, peer, key, deadlineMs, (answer, turnNow, effectsNow) => {
        if (answer?.record && turnNow.writesRefused === null) {
          this.#records.absorb(turnNow, effectsNow, key, answer.record);
        }
        if (--waiting === 0) proceed(turnNow, effectsNow);
      });
    }
  }

  #afterLook(put: PutRequest, seen: CausalContext, local: LocalState, turn: Turn, effects: Effects): void {
    const { operation, attempt } = put.operation;
    const known = dotsOfOperation(local.record, operation)[0];
    if (known !== undefined) return this.#spread(put, seen, known, local, local.record, turn, effects);
    if (attempt > 0 && forgetsOperations(local.record, turn.wallMs - FIRST_ATTEMPT_AGE_MS_MAX)) {
      throw new TrefoilError(
        'OperationForgotten',
        'the key has been written too often since to tell whether the first attempt arrived',
      );
    }
    this.#mint(put, seen, local, turn, effects);
  }

  #mint(put: PutRequest, seen: CausalContext, local: LocalState, turn: Turn, effects: Effects): void {
    const { namespace } = this.#members;
    const { record } = local;
    const { value, operation, ttlMs } = put.operation;
    const covered: CausalContext = {
      ...seen,
      vector: namespace.conflict === 'lww' ? join(seen.vector, record.context) : seen.vector,
      dots: [...seen.dots, ...supersededDots(record)],
    };
    checkSiblings(siblingsBeside(record, covered), value);
    const ttl = ttlMs === 0 ? namespace.ttlMs : ttlMs;
    const written: Sibling = {
      dot: turn.mint(),
      hlc: turn.tick(Math.max(seen.hlc, highestHlc(record))),
      operation,
      expiresAt: value === null || ttl === 0 ? 0 : turn.wallMs + ttl,
      value,
    };
    const lost = namespace.conflict === 'lww' ? Math.max(0, record.siblings.length - 1) : 0;
    if (lost > 0) effects.count('conflicts_settled', lost);
    this.#spread(put, seen, written.dot, local, applyWrite(record, covered, written), turn, effects);
  }

  /** Puts the record here, sends it to the others, and opens the tally. */
  #spread(
    put: PutRequest,
    seen: CausalContext,
    dot: Dot,
    before: LocalState,
    record: KeyRecord,
    turn: Turn,
    effects: Effects,
  ): void {
    const { self, peers, replicas, namespace } = this.#members;
    const { key } = put.operation;
    const bytes = encodeRecord(record);
    this.#records.write(effects, key, before.bytes, bytes);

    const token = this.#nextToken++;
    const asked = (replica: NodeId): boolean => replica === self || turn.reachable(replica);
    const siblings = viewRecord(record, 'siblings', turn.wallMs).values.length;
    if (siblings >= SIBLINGS_WARNING) effects.count('sibling_warnings');
    const required = this.#required(put);
    const write: OpenWrite = {
      request: put.request,
      deadlineMs: put.deadlineMs,
      explain: put.explain,
      required,
      tally: new WriteTally({ required, homes: replicas, sloppy: namespace.sloppy }, asked),
      key,
      context: encodeContext(key, contextAfter(record, seen, dot)),
      siblings,
      standIns: undefined,
      replied: false,
    };
    if (namespace.sloppy) {
      const held = { tally: write.tally, key, record: bytes };
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
 * had seen before and exactly its own dot.
 */
function contextAfter(record: KeyRecord, seen: CausalContext, dot: Dot): CausalContext {
  const hlc = highestHlc(record);
  const alone = record.siblings.every((s) => sameDot(s.dot, dot));
  if (alone) return { vector: record.context, dots: [], hlc };
  return { vector: seen.vector, dots: [...seen.dots, dot].slice(-CONTEXT_DOTS_MAX), hlc };
}

/** The limit acts here, where a sibling would be minted, and nowhere else: merge never refuses. */
function checkSiblings(beside: readonly Sibling[], value: Uint8Array | null): void {
  if (beside.length >= SIBLINGS_MAX) {
    throw new TrefoilError(
      'TooManySiblings',
      `the key has ${beside.length} siblings that this write does not cover; the limit is ${SIBLINGS_MAX}`,
    );
  }
  const bytes = beside.reduce((sum, s) => sum + (s.value?.length ?? 0), value?.length ?? 0);
  if (beside.length > 0 && bytes > RECORD_BYTES_MAX) {
    throw new TrefoilError(
      'TooManySiblings',
      `the siblings of the key would hold ${bytes} bytes; the limit is ${RECORD_BYTES_MAX}`,
    );
  }
}

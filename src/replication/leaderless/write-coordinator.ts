/**
 * Coordinates writes: mint, merge locally, send the merged record to the other replicas, answer when W have
 * it on disk.
 *
 *     check ──> (look elsewhere first) ──> (announce a retry) ──> mint, put ──> StoreRounds ──> reply
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
import { isTyped, type ConflictPolicy } from '../../core/views.js';
import { decodeContext, encodeContext } from '../../protocol/context-codec.js';
import type { WriteOperation } from '../../protocol/messages.js';
import { decodeCheckedRecord, encodeRecord } from '../../protocol/record-codec.js';
import type { Effects, ReplicaEvent, Turn } from '../strategy.js';
import { explainWrite } from './explain.js';
import type { Floor } from './floor.js';
import { checkReachable, requiredReplicas, type GroupMembers } from './group-members.js';
import type { LocalRecords } from './local-records.js';
import { checkPolicy, mintWrite, questionOf } from './mint-write.js';
import type { PeerCalls } from './peer-calls.js';
import type { RecordRepair } from './record-repair.js';
import { shownCount } from './shown-values.js';
import type { StoreRounds } from './store-rounds.js';
import { LOOK_ANSWER_MS_MAX, RETRY_AGE_MS_MAX } from './tuning.js';

type WriteRequest = Extract<ReplicaEvent, { readonly type: 'request' }> & {
  readonly operation: WriteOperation;
};

/** What this replica holds of the key, as read in this step. */
interface LocalState {
  readonly bytes: Uint8Array | null;
  readonly record: KeyRecord;
}

/** Whom a look elsewhere has heard. */
interface Look {
  /** How many of the others have said what they hold; a damaged copy says nothing. */
  answered: number;
  /** Those that would hold the operation if they ever had: one that is refilling may have lost it. */
  readonly witnesses: Set<NodeId>;
  /** The question under which a retry was announced to W replicas, none of which knew the operation. */
  announcedAs: Dot | null;
  /** The earliest wall clock of those to which it was announced: one that runs ahead must not make young operations old. */
  earliestWallMs: number;
}

export class WriteCoordinator {
  readonly #members: GroupMembers;
  readonly #records: LocalRecords;
  readonly #calls: PeerCalls;
  readonly #rounds: StoreRounds;
  readonly #repair: RecordRepair;
  readonly #floor: Floor;

  constructor(
    members: GroupMembers,
    records: LocalRecords,
    calls: PeerCalls,
    rounds: StoreRounds,
    repair: RecordRepair,
    floor: Floor,
  ) {
    this.#floor = floor;
    this.#members = members;
    this.#records = records;
    this.#calls = calls;
    this.#rounds = rounds;
    this.#repair = repair;
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
    const look: Look = { answered: 0, witnesses: new Set(), announcedAs: null, earliestWallMs: Infinity };
    if (waiting === 0) return this.#afterLook(put, seen, look, turn, effects);
    const deadlineMs = Math.min(put.deadlineMs, turn.monotonicMs + LOOK_ANSWER_MS_MAX);
    for (const peer of asked) {
      this.#calls.fetch(effects, peer, key, deadlineMs, (answer, turnNow, effectsNow) => {
        if (
          answer !== null &&
          answer.status !== 'corrupt' &&
          this.#takeOver(key, answer.record, turnNow, effectsNow)
        ) {
          look.answered++;
          if (answer.status !== 'refilling') look.witnesses.add(peer);
        }
        if (--waiting === 0) this.#proceed(put, seen, look, turnNow, effectsNow);
      });
    }
  }

  /** Whether all that another replica holds of the key is known here now. */
  #takeOver(key: string, theirs: Uint8Array | null, turn: Turn, effects: Effects): boolean {
    if (theirs === null) return true;
    if (turn.writesRefused !== null) return false;
    const absorbed = this.#records.absorb(turn, effects, key, theirs);
    return absorbed === 'changed' || absorbed === 'unchanged';
  }

  /** Goes on in a later step, where what refuses the write is an answer. */
  #proceed(put: WriteRequest, seen: CausalContext, look: Look, turn: Turn, effects: Effects): void {
    try {
      this.#afterLook(put, seen, look, turn, effects);
    } catch (error) {
      if (!(error instanceof TrefoilError)) throw error;
      effects.reply(put.request, error);
    }
  }

  #afterLook(put: WriteRequest, seen: CausalContext, look: Look, turn: Turn, effects: Effects): void {
    const { operation, attempt } = put.operation;
    const { conflict, sloppy } = this.#members.namespace;
    const local = this.#admit(put, turn, effects);
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
    const silent = this.#members.peers.length - look.answered;
    if (!this.#canJudge(local.record, seen, turn) && (silent > 0 || isTyped(conflict))) {
      throw new TrefoilError(
        'QuorumUnavailable',
        `the replicas that answered have not seen all that the context has; ${silent} did not answer`,
      );
    }
    // Minted by one that hears too few, it would wait here until the first attempt is overwritten and forgotten elsewhere.
    const here = this.#floor.refilling ? 0 : 1;
    if (attempt > 0 && !sloppy && look.witnesses.size + here < this.#required(put)) {
      throw new TrefoilError(
        'QuorumUnavailable',
        `a retry must hear from ${this.#required(put) - here} other replicas whether they know the first attempt; ${look.witnesses.size} answered`,
      );
    }
    if (
      attempt > 0 &&
      showsTwins(put.operation, conflict) &&
      forgetsOperations(local.record, Math.min(turn.wallMs, look.earliestWallMs) - RETRY_AGE_MS_MAX)
    ) {
      throw new TrefoilError(
        'OperationForgotten',
        'the key has been written too often since to tell whether the first attempt arrived',
      );
    }
    if (look.announcedAs === null && this.#isAnnounced(put)) {
      return this.#announce(put, seen, local, look, turn, effects);
    }
    this.#mint(put, seen, local, turn, effects, look.announcedAs);
  }

  /** Whether the write is announced before it is minted: a retry whose twin would show, where any W replicas meet any other W. */
  #isAnnounced(put: WriteRequest): boolean {
    const { namespace, replicas } = this.#members;
    if (put.operation.attempt === 0 || namespace.sloppy || replicas.length === 1) return false;
    return 2 * this.#required(put) > replicas.length && showsTwins(put.operation, namespace.conflict);
  }

  /**
   * Writes the question down on W replicas that do not know the operation, and mints the retry then. Without it the retry could wait on this
   * replica alone, cut off, while the first attempt turns up elsewhere, is superseded and forgotten (docs/adr/0011).
   */
  #announce(
    put: WriteRequest,
    seen: CausalContext,
    local: LocalState,
    look: Look,
    turn: Turn,
    effects: Effects,
  ): void {
    const { key } = put.operation;
    const asked = questionOf(put.operation, seen, local.record, turn, effects);
    const bytes = encodeRecord(asked.record);
    this.#records.write(effects, key, local.bytes, bytes);
    effects.count('retries_announced');
    const required = this.#required(put);
    const round = {
      key,
      before: local.record,
      record: asked.record,
      bytes,
      required,
      deadlineMs: put.deadlineMs,
      sendsTo: (peer: NodeId) => look.witnesses.has(peer) && turn.reachable(peer),
      asks: true,
    };
    this.#rounds.begin(round, turn, effects, {
      done: ({ verdict, tally, earliestWallMs }, turnNow, effectsNow) => {
        if (verdict !== 'stored') {
          const message = `a retry must be announced to ${required} replicas first; ${tally.stored} have written that down`;
          return effectsNow.reply(put.request, new TrefoilError('QuorumUnavailable', message));
        }
        this.#proceed(put, seen, { ...look, announcedAs: asked.dot, earliestWallMs }, turnNow, effectsNow);
      },
      outdated: (turnNow, effectsNow) => {
        this.#proceed(put, seen, look, turnNow, effectsNow);
      },
    });
  }

  #mint(
    put: WriteRequest,
    seen: CausalContext,
    local: LocalState,
    turn: Turn,
    effects: Effects,
    announcedAs: Dot | null = null,
  ): void {
    const minted = mintWrite(this.#members.namespace, put.operation, seen, local.record, turn, effects);
    if (
      announcedAs !== null &&
      minted.dots.some(({ incarnation }) => incarnation !== announcedAs.incarnation)
    ) {
      throw new TrefoilError(
        'QuorumUnavailable',
        'this node has begun a new incarnation since it announced the retry',
      );
    }
    this.#spread(put, seen, minted.dots, local, minted.record, turn, effects);
  }

  /** Puts the record here and has it stored by the others; then the writer hears. */
  #spread(
    put: WriteRequest,
    seen: CausalContext,
    dots: readonly Dot[],
    before: LocalState,
    record: KeyRecord,
    turn: Turn,
    effects: Effects,
  ): void {
    const { namespace } = this.#members;
    const { key } = put.operation;
    const bytes = encodeRecord(record);
    this.#records.note(record);
    this.#records.write(effects, key, before.bytes, bytes);
    const siblings = shownCount(record, namespace.conflict, turn.wallMs);
    if (siblings >= SIBLINGS_WARNING && !isTyped(namespace.conflict)) effects.count('sibling_warnings');
    const required = this.#required(put);
    const context = encodeContext(key, contextAfter(record, seen, dots));
    const round = {
      key,
      before: before.record,
      record,
      bytes,
      required,
      deadlineMs: put.deadlineMs,
      sendsTo: (peer: NodeId) => turn.reachable(peer),
      asks: false,
    };
    this.#rounds.begin(round, turn, effects, {
      done: ({ verdict, tally }, _turnNow, effectsNow) => {
        if (verdict !== 'stored') return this.#replyUnknown(put, verdict, tally.stored, effectsNow);
        effectsNow.reply(put.request, {
          type: 'put-result',
          context,
          siblings,
          version: 0,
          replicas: 0,
          explain: put.explain ? explainWrite(this.#members, required, tally) : null,
        });
      },
      outdated: (turnNow, effectsNow) => {
        this.#spreadAgain(put, seen, dots, before.record, turnNow, effectsNow);
      },
    });
  }

  /** The same write, with what another replica knew and those that have stored it must know as well. */
  #spreadAgain(
    put: WriteRequest,
    seen: CausalContext,
    dots: readonly Dot[],
    before: KeyRecord,
    turn: Turn,
    effects: Effects,
  ): void {
    effects.count('writes_stored_again');
    const stored = this.#records.read(turn, put.operation.key);
    if (stored === null || stored === 'corrupt' || turn.writesRefused !== null) {
      return this.#replyUnknown(put, 'impossible', 0, effects);
    }
    const record = decodeCheckedRecord(stored);
    this.#spread(put, seen, dots, { bytes: stored, record: before }, record, turn, effects);
  }

  #replyUnknown(put: WriteRequest, verdict: 'impossible' | 'late', stored: number, effects: Effects): void {
    effects.count('writes_unknown');
    effects.reply(
      put.request,
      new TrefoilError(
        verdict === 'late' ? 'Timeout' : 'QuorumNotReached',
        `${stored} of the ${this.#required(put)} replicas needed confirmed the write`,
      ),
    );
  }
}

/** Whether a second application of the write would show beside the first. That of a remove shows nothing, that of a counter is never minted. */
function showsTwins(operation: WriteOperation, conflict: ConflictPolicy): boolean {
  if (!isTyped(conflict)) return true;
  return operation.type === 'change' && operation.change.kind === 'add';
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

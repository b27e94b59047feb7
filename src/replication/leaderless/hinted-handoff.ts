/**
 * Hints: which keys an unreachable replica has missed, kept on disk, and their delivery when it is back.
 *
 *     h/<peer>/<key>                a replica's: it holds the record, so the hint is only the key
 *     s/<peer>/<key> -> record      a stand-in's, which holds nothing else (`stand-in.ts`)
 *
 * A key written a hundred times meanwhile is one hint, and what is delivered is the newest record.
 *
 * A hint goes only when the peer has confirmed exactly the record that is stored here now (L8, L23); a newer write
 * that failed to reach the peer in between keeps it.
 *
 * A peer that refuses (its disk is full) would refuse the next hint as well: the pass ends there, and after a pause
 * that doubles with each refusal a single hint asks whether it takes them again.
 */
import type { NodeId } from '../../core/ids.js';
import { HINT_BYTES_MAX_PER_PEER } from '../../core/limits.js';
import type { Effects, ReplicaEvent, Turn } from '../strategy.js';
import type { GroupMembers } from './group-members.js';
import { type LocalCopy, type LocalRecords } from './local-records.js';
import { sameBytes } from './same-bytes.js';
import type { PeerCalls } from './peer-calls.js';
import { HANDOFF_RETRY_MS, HANDOFF_RETRY_MS_MAX, HANDOFF_WINDOW, STORE_ANSWER_MS_MAX } from './tuning.js';

export const NO_BYTES = new Uint8Array(0);
export const HANDOFF = 'handoff:';

/** Whose hints these are. */
export interface HintKind {
  /** What stands before the peer's name in the store. */
  readonly prefix: string;
  /** What the hints for one peer may cost together. */
  readonly bytesMax: number;
  /** Bytes that a hint costs; `value` is what stands under it in the store. */
  cost(key: string, value: Uint8Array): number;
  /** The record to deliver; null: there is none any more, and the hint can go. */
  record(peer: NodeId, key: string, turn: Turn, effects: Effects): LocalCopy;
}

/** The hints of a replica, which holds the records itself. */
export function replicaHints(members: GroupMembers, records: LocalRecords): HintKind {
  return {
    prefix: 'h/',
    bytesMax: Math.floor(HINT_BYTES_MAX_PER_PEER / members.namespace.partitions),
    cost: (key) => key.length,
    record: (_peer, key, turn) => records.read(turn, key),
  };
}

interface Handoff {
  /** Key bytes of the hints kept for this peer; counted anew by each pass over them. */
  bytes: number;
  hints: number;
  running: boolean;
  /** Something happened during the pass that calls for another. */
  again: boolean;
  /** Hints seen so far by the pass that is running. */
  passHints: number;
  passBytes: number;
  /** A pass has seen every hint, so that `hints` and `bytes` are more than what was kept since the start. */
  counted: boolean;
  /** The peer has refused a hint in this pass: the rest of it only counts. */
  passRefused: boolean;
  /** Before the next pass; more than the least once the peer has refused and taken none since. */
  pauseMs: number;
  /** When the timer of the next pass fires, if it is armed. */
  timerAtMs: number;
}

export class HintedHandoff {
  readonly #kind: HintKind;
  readonly #calls: PeerCalls;
  readonly #handoffs: ReadonlyMap<NodeId, Handoff>;

  constructor(peers: readonly NodeId[], kind: HintKind, calls: PeerCalls) {
    this.#kind = kind;
    this.#calls = calls;
    this.#handoffs = new Map(
      peers.map((peer) => [
        peer,
        {
          bytes: 0,
          hints: 0,
          running: false,
          again: false,
          passHints: 0,
          passBytes: 0,
          counted: false,
          passRefused: false,
          pauseMs: HANDOFF_RETRY_MS,
          timerAtMs: 0,
        },
      ]),
    );
  }

  /** Hints that wait, over all peers. */
  get size(): number {
    let size = 0;
    for (const handoff of this.#handoffs.values()) size += handoff.hints;
    return size;
  }

  /** What they cost together. */
  get bytes(): number {
    let bytes = 0;
    for (const handoff of this.#handoffs.values()) bytes += handoff.bytes;
    return bytes;
  }

  /** After a start: counts what an earlier run left, and delivers it. */
  open(effects: Effects): void {
    for (const peer of this.#handoffs.keys()) this.#startPass(peer, effects);
  }

  /** Keeps a hint, in the batch of the step that found the peer wanting. */
  keep(peer: NodeId, key: string, turn: Turn, effects: Effects): void {
    const handoff = this.#handoffs.get(peer);
    if (handoff === undefined || turn.writesRefused !== null) return;
    // Armed once: a write a second must not put the pass off for ever.
    if (handoff.timerAtMs <= turn.monotonicMs) this.#arm(peer, handoff, turn, effects);
    if (turn.read(this.place(peer, key)) !== undefined) return;
    if (this.#put(handoff, peer, key, NO_BYTES, undefined, effects)) effects.count('hints_kept');
    else effects.count('hints_dropped');
  }

  /**
   * Puts a hint with a record in the place of `before`, what stands there as read in this step. False: there is no room, or
   * what an earlier run left is not counted yet.
   */
  hold(
    peer: NodeId,
    key: string,
    record: Uint8Array,
    before: Uint8Array | undefined,
    turn: Turn,
    effects: Effects,
  ): boolean {
    const handoff = this.#handoffs.get(peer);
    if (handoff?.counted !== true) return false;
    if (!this.#put(handoff, peer, key, record, before, effects)) return false;
    if (handoff.timerAtMs <= turn.monotonicMs) this.#arm(peer, handoff, turn, effects);
    return true;
  }

  /** Where a hint stands in the store. */
  place(peer: NodeId, key: string): string {
    return `${this.#kind.prefix}${peer}/${key}`;
  }

  #put(
    handoff: Handoff,
    peer: NodeId,
    key: string,
    value: Uint8Array,
    before: Uint8Array | undefined,
    effects: Effects,
  ): boolean {
    const freed = before === undefined ? 0 : this.#kind.cost(key, before);
    const bytes = handoff.bytes - freed + this.#kind.cost(key, value);
    if (bytes > this.#kind.bytesMax) return false;
    handoff.bytes = bytes;
    if (before === undefined) handoff.hints++;
    effects.put(this.place(peer, key), value);
    return true;
  }

  /** Delivers what waits for a peer, if it can be reached; one that cannot is tried when it comes up. */
  begin(peer: NodeId, turn: Turn, effects: Effects): void {
    const handoff = this.#handoffs.get(peer);
    if (handoff !== undefined) handoff.timerAtMs = 0;
    if (turn.reachable(peer)) this.#startPass(peer, effects);
  }

  #arm(peer: NodeId, handoff: Handoff, turn: Turn, effects: Effects): void {
    handoff.timerAtMs = turn.monotonicMs + handoff.pauseMs;
    effects.setTimer(HANDOFF + peer, handoff.pauseMs);
  }

  #startPass(peer: NodeId, effects: Effects): void {
    const handoff = this.#handoffs.get(peer);
    if (handoff === undefined) return;
    if (handoff.running) {
      handoff.again = true;
      return;
    }
    handoff.running = true;
    handoff.again = false;
    handoff.passHints = 0;
    handoff.passBytes = 0;
    handoff.passRefused = false;
    this.#readPage(peer, handoff, this.place(peer, ''), effects);
  }

  /** A page of hints has been read: deliver it, or only count it where the peer is away. */
  page(
    peer: NodeId,
    scanned: Extract<ReplicaEvent, { readonly type: 'scanned' }>,
    turn: Turn,
    effects: Effects,
  ): void {
    const handoff = this.#handoffs.get(peer);
    if (handoff === undefined) return;
    const last = scanned.entries.at(-1)?.[0];
    const resume = scanned.more && last !== undefined ? last : null;
    let waiting = 1;
    const settled = (turnNow: Turn, effectsNow: Effects): void => {
      if (--waiting > 0) return;
      const goesOn = resume !== null && !(handoff.passRefused && handoff.counted);
      if (goesOn) this.#readPage(peer, handoff, resume, effectsNow);
      else this.#endPass(peer, handoff, resume === null, turnNow, effectsNow);
    };
    for (const [hint, value] of scanned.entries) {
      const key = hint.slice(this.place(peer, '').length);
      const cost = this.#kind.cost(key, value);
      handoff.passHints++;
      handoff.passBytes += cost;
      if (handoff.passRefused || !turn.reachable(peer) || turn.writesRefused !== null) continue;
      const record = this.#kind.record(peer, key, turn, effects);
      if (record === 'corrupt') continue;
      if (record === null) {
        this.#drop(handoff, peer, key, cost, effects);
        continue;
      }
      waiting++;
      this.#calls.store(
        effects,
        peer,
        { key, record },
        turn.monotonicMs + STORE_ANSWER_MS_MAX,
        (answer, turnNow, effectsNow) => {
          if (answer?.status === 'stored')
            this.#delivered(handoff, peer, key, cost, record, turnNow, effectsNow);
          else if (answer?.status === 'refused') refuse(handoff, effectsNow);
          settled(turnNow, effectsNow);
        },
      );
    }
    settled(turn, effects);
  }

  #delivered(
    handoff: Handoff,
    peer: NodeId,
    key: string,
    cost: number,
    sent: Uint8Array,
    turn: Turn,
    effects: Effects,
  ): void {
    handoff.pauseMs = HANDOFF_RETRY_MS;
    const now = this.#kind.record(peer, key, turn, effects);
    if (now === null || now === 'corrupt' || !sameBytes(now, sent) || turn.writesRefused !== null) return;
    effects.count('hints_delivered');
    this.#drop(handoff, peer, key, cost, effects);
  }

  #drop(handoff: Handoff, peer: NodeId, key: string, cost: number, effects: Effects): void {
    effects.delete(this.place(peer, key));
    handoff.passHints--;
    handoff.passBytes -= cost;
    handoff.hints = Math.max(0, handoff.hints - 1);
    handoff.bytes = Math.max(0, handoff.bytes - cost);
  }

  /** `whole`: the pass has come to the last hint, so what it counted is all there is. */
  #endPass(peer: NodeId, handoff: Handoff, whole: boolean, turn: Turn, effects: Effects): void {
    handoff.running = false;
    handoff.hints = whole ? Math.max(0, handoff.passHints) : handoff.hints;
    handoff.bytes = whole ? Math.max(0, handoff.passBytes) : handoff.bytes;
    handoff.counted ||= whole;
    if (handoff.hints > 0 || handoff.again) this.#arm(peer, handoff, turn, effects);
  }

  /** `0` follows `/`. */
  #end(peer: NodeId): string {
    return `${this.#kind.prefix}${peer}0`;
  }

  /** One at a time while the peer last refused. */
  #readPage(peer: NodeId, handoff: Handoff, after: string, effects: Effects): void {
    const asking = handoff.pauseMs > HANDOFF_RETRY_MS && !handoff.passRefused;
    effects.scan(HANDOFF + peer, { gt: after, lt: this.#end(peer) }, asking ? 1 : HANDOFF_WINDOW);
  }
}

/** The peer takes no writes now. */
function refuse(handoff: Handoff, effects: Effects): void {
  if (handoff.passRefused) return;
  handoff.passRefused = true;
  handoff.pauseMs = Math.min(2 * handoff.pauseMs, HANDOFF_RETRY_MS_MAX);
  effects.count('handoffs_refused');
}

/**
 * Hints: which keys an unreachable replica has missed, kept on disk, and their delivery when it is back.
 *
 * The coordinator is itself a replica and holds the record, so a hint is only the key: `h/<peer>/<key>`. A key
 * written a hundred times meanwhile is one hint, and what is delivered is the newest record.
 *
 * A hint goes only when the peer has confirmed exactly the record that is stored here now; a newer write
 * that failed to reach the peer in between keeps it.
 *
 * A peer that refuses (its disk is full) would refuse the next hint as well: the pass ends there, and after a pause
 * that doubles with each refusal a single hint asks whether it takes them again.
 */
import type { NodeId } from '../../core/ids.js';
import { HINT_BYTES_MAX_PER_PEER } from '../../core/limits.js';
import type { Effects, ReplicaEvent, Turn } from '../strategy.js';
import type { GroupMembers } from './group-members.js';
import { sameBytes, type LocalRecords } from './local-records.js';
import type { PeerCalls } from './peer-calls.js';
import { HANDOFF_RETRY_MS, HANDOFF_RETRY_MS_MAX, HANDOFF_WINDOW, STORE_ANSWER_MS_MAX } from './tuning.js';

const HINTS = 'h/';
const NO_BYTES = new Uint8Array(0);
export const HANDOFF = 'handoff:';

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
  readonly #members: GroupMembers;
  readonly #records: LocalRecords;
  readonly #calls: PeerCalls;
  readonly #bytesMax: number;
  readonly #handoffs: ReadonlyMap<NodeId, Handoff>;

  constructor(members: GroupMembers, records: LocalRecords, calls: PeerCalls) {
    this.#members = members;
    this.#records = records;
    this.#calls = calls;
    this.#bytesMax = Math.floor(HINT_BYTES_MAX_PER_PEER / members.namespace.partitions);
    this.#handoffs = new Map(
      members.peers.map((peer) => [
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

  /** After a start: counts what an earlier run left, and delivers it. */
  open(effects: Effects): void {
    for (const peer of this.#members.peers) this.#startPass(peer, effects);
  }

  /** Keeps a hint, in the batch of the step that found the peer wanting. */
  keep(peer: NodeId, key: string, turn: Turn, effects: Effects): void {
    const handoff = this.#handoffs.get(peer);
    if (handoff === undefined || turn.writesRefused !== null) return;
    // Armed once: a write a second must not put the pass off for ever.
    if (handoff.timerAtMs <= turn.monotonicMs) this.#arm(peer, handoff, turn, effects);
    if (turn.read(hintKey(peer, key)) !== undefined) return;
    if (handoff.bytes + key.length > this.#bytesMax) {
      effects.count('hints_dropped');
      return;
    }
    handoff.bytes += key.length;
    handoff.hints++;
    effects.count('hints_kept');
    effects.put(hintKey(peer, key), NO_BYTES);
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
    this.#readPage(peer, handoff, hintKey(peer, ''), effects);
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
    const keys = scanned.entries.map(([hint]) => hint.slice(hintKey(peer, '').length));
    const last = scanned.entries.at(-1)?.[0];
    const resume = scanned.more && last !== undefined ? last : null;
    let waiting = 1;
    const settled = (turnNow: Turn, effectsNow: Effects): void => {
      if (--waiting > 0) return;
      const goesOn = resume !== null && !(handoff.passRefused && handoff.counted);
      if (goesOn) this.#readPage(peer, handoff, resume, effectsNow);
      else this.#endPass(peer, handoff, resume === null, turnNow, effectsNow);
    };
    for (const key of keys) {
      handoff.passHints++;
      handoff.passBytes += key.length;
      if (handoff.passRefused || !turn.reachable(peer) || turn.writesRefused !== null) continue;
      const record = this.#records.read(turn, key);
      if (record === 'corrupt') continue;
      if (record === null) {
        this.#drop(handoff, peer, key, effects);
        continue;
      }
      waiting++;
      this.#calls.store(
        effects,
        peer,
        key,
        record,
        turn.monotonicMs + STORE_ANSWER_MS_MAX,
        (answer, turnNow, effectsNow) => {
          if (answer?.status === 'stored') this.#delivered(handoff, peer, key, record, turnNow, effectsNow);
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
    sent: Uint8Array,
    turn: Turn,
    effects: Effects,
  ): void {
    handoff.pauseMs = HANDOFF_RETRY_MS;
    const now = this.#records.read(turn, key);
    if (now === null || now === 'corrupt' || !sameBytes(now, sent) || turn.writesRefused !== null) return;
    effects.count('hints_delivered');
    this.#drop(handoff, peer, key, effects);
  }

  #drop(handoff: Handoff, peer: NodeId, key: string, effects: Effects): void {
    effects.delete(hintKey(peer, key));
    handoff.passHints--;
    handoff.passBytes -= key.length;
    handoff.hints = Math.max(0, handoff.hints - 1);
    handoff.bytes = Math.max(0, handoff.bytes - key.length);
  }

  /** `whole`: the pass has come to the last hint, so what it counted is all there is. */
  #endPass(peer: NodeId, handoff: Handoff, whole: boolean, turn: Turn, effects: Effects): void {
    handoff.running = false;
    handoff.hints = whole ? Math.max(0, handoff.passHints) : handoff.hints;
    handoff.bytes = whole ? Math.max(0, handoff.passBytes) : handoff.bytes;
    handoff.counted ||= whole;
    if (handoff.hints > 0 || handoff.again) this.#arm(peer, handoff, turn, effects);
  }

  /** One at a time while the peer last refused. */
  #readPage(peer: NodeId, handoff: Handoff, after: string, effects: Effects): void {
    const asking = handoff.pauseMs > HANDOFF_RETRY_MS && !handoff.passRefused;
    effects.scan(HANDOFF + peer, { gt: after, lt: hintsEnd(peer) }, asking ? 1 : HANDOFF_WINDOW);
  }
}

/** The peer takes no writes now. */
function refuse(handoff: Handoff, effects: Effects): void {
  if (handoff.passRefused) return;
  handoff.passRefused = true;
  handoff.pauseMs = Math.min(2 * handoff.pauseMs, HANDOFF_RETRY_MS_MAX);
  effects.count('handoffs_refused');
}

function hintKey(peer: NodeId, key: string): string {
  return `${HINTS}${peer}/${key}`;
}

/** `0` follows `/`. */
function hintsEnd(peer: NodeId): string {
  return `${HINTS}${peer}0`;
}

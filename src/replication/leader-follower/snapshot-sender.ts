/**
 * Sends the state to followers that the log does not reach: one view of the store for each, in pieces, one piece at a time.
 *
 *     values ──> sessions ──> with the last piece, how far the state had come
 *
 * Keys travel without their generation, `d/<key>` and `s/<session>`: the receiver fills a generation of its own. The receiver says up to
 * which key it has everything, so a transfer goes on where it stopped for as long as this view lives.
 */
import type { NodeId } from '../../core/ids.js';
import { SCAN_PAGE_ENTRIES_MAX } from '../../core/limits.js';
import { encodeAppliedState } from '../../protocol/applied-state-codec.js';
import type { InstallSnapshot, InstallSnapshotResult } from '../../protocol/leader-follower-messages.js';
import { checkVersioned } from '../../protocol/versioned-record-codec.js';
import type { Effects, Turn } from '../strategy.js';
import type { Scanned } from './opening.js';
import { APPLIED_KEY, dataPrefix, sessionPrefix, type StateMachine } from './state-machine.js';
import { SNAPSHOT_KEPT_MS, SNAPSHOT_RESEND_MS } from './tuning.js';

/** The views of snapshots, and the scans of them; the follower's name comes after it, and the snapshot's number. */
export const SNAPSHOT = 'snap/';

const DATA = 'd/';
const SESSIONS = 's/';

const SNAPSHOT_BOUND = 2 ** 31;

interface Sending {
  readonly snapshot: number;
  readonly index: number;
  readonly indexTerm: number;
  readonly generation: number;
  readonly applied: Uint8Array;
  stage: 'values' | 'sessions';
  /** Everything up to this key, as it travels, has been sent and answered; empty at the beginning. */
  received: string;
  /** The piece that waits for its answer. */
  piece: InstallSnapshot | undefined;
  sentMs: number;
  heardMs: number;
}

export interface SnapshotHost {
  term(): number;
  /** The life in which a follower answers, as far as is known. */
  lifeOf(peer: NodeId): number | undefined;
  /** The follower has the state up to `index`; null: it was given up. */
  ended(peer: NodeId, index: number | null, nowMs: number): void;
  damaged(what: string): void;
}

export class SnapshotSender {
  readonly #host: SnapshotHost;
  readonly #sending = new Map<NodeId, Sending>();

  constructor(host: SnapshotHost) {
    this.#host = host;
  }

  get size(): number {
    return this.#sending.size;
  }

  /** What follows must stay in the log, or the follower that gets a snapshot would need another after it; Infinity for none. */
  get logNeededFrom(): number {
    return Math.min(...[...this.#sending.values()].map(({ index }) => index));
  }

  /** Begins a snapshot of the state as it is after this step, which has been flushed. */
  begin(peer: NodeId, state: StateMachine, turn: Turn, effects: Effects): void {
    const { appliedIndex: index, appliedTerm: indexTerm, generation, clock } = state;
    const sending: Sending = {
      snapshot: turn.random.integer(SNAPSHOT_BOUND),
      index,
      indexTerm,
      generation,
      applied: encodeAppliedState({ generation, index, term: indexTerm, clock }),
      stage: 'values',
      received: '',
      piece: undefined,
      sentMs: turn.monotonicMs,
      heardMs: turn.monotonicMs,
    };
    const before = this.#sending.get(peer);
    if (before !== undefined) effects.closeView(viewOf(peer, before));
    this.#sending.set(peer, sending);
    effects.openView(viewOf(peer, sending));
    effects.count('snapshots_sent');
    this.#continue(peer, sending, '', effects);
  }

  /** A page of a view: the next piece. */
  scanned(event: Scanned, turn: Turn, effects: Effects): void {
    const peer = event.scan.slice(SNAPSHOT.length, event.scan.lastIndexOf('/')) as NodeId;
    const sending = this.#sending.get(peer);
    // Of a snapshot that another has replaced.
    if (sending === undefined || event.scan !== viewOf(peer, sending)) return;
    if (event.damaged) return this.#giveUp(peer, null, turn, effects);
    const entries = this.#travelling(event, sending);
    if (entries === undefined) return;
    if (entries.length === 0 && sending.stage === 'values') {
      sending.stage = 'sessions';
      return this.#read(peer, sending, '', effects);
    }
    const last = sending.stage === 'sessions' && !event.more;
    if (last) entries.push([APPLIED_KEY, sending.applied]);
    sending.piece = {
      type: 'install-snapshot',
      term: this.#host.term(),
      snapshot: sending.snapshot,
      index: sending.index,
      indexTerm: sending.indexTerm,
      after: sending.received,
      entries,
      last,
    };
    sending.sentMs = turn.monotonicMs;
    effects.sendEarly(peer, sending.piece);
  }

  result(from: NodeId, message: InstallSnapshotResult, turn: Turn, effects: Effects): void {
    const sending = this.#sending.get(from);
    if (sending?.snapshot !== message.snapshot || message.term !== this.#host.term()) return;
    if (message.life !== (this.#host.lifeOf(from) ?? message.life)) return;
    sending.heardMs = turn.monotonicMs;
    if (message.status === 'installed') return this.#giveUp(from, sending.index, turn, effects);
    // The answer to an earlier copy of this piece changes nothing.
    if (sending.piece === undefined || message.received === sending.piece.after) return;
    sending.piece = undefined;
    this.#continue(from, sending, message.received, effects);
  }

  /** Sends again what was not answered, gives up what nobody takes. */
  sweep(turn: Turn, effects: Effects): void {
    const nowMs = turn.monotonicMs;
    for (const [peer, sending] of this.#sending) {
      if (nowMs - sending.heardMs > SNAPSHOT_KEPT_MS) this.#giveUp(peer, null, turn, effects);
      else if (sending.piece !== undefined && nowMs - sending.sentMs >= SNAPSHOT_RESEND_MS) {
        sending.sentMs = nowMs;
        if (turn.reachable(peer)) effects.sendEarly(peer, { ...sending.piece, term: this.#host.term() });
      }
    }
  }

  /** This replica leads no more. */
  stop(effects: Effects): void {
    for (const [peer, sending] of this.#sending) effects.closeView(viewOf(peer, sending));
    this.#sending.clear();
  }

  #giveUp(peer: NodeId, index: number | null, turn: Turn, effects: Effects): void {
    const sending = this.#sending.get(peer);
    if (sending !== undefined) effects.closeView(viewOf(peer, sending));
    this.#sending.delete(peer);
    this.#host.ended(peer, index, turn.monotonicMs);
  }

  /** Goes on after a key that the receiver named; empty: from the beginning. */
  #continue(peer: NodeId, sending: Sending, received: string, effects: Effects): void {
    sending.received = received;
    sending.stage = received.startsWith(SESSIONS) ? 'sessions' : 'values';
    this.#read(peer, sending, received.slice(DATA.length), effects);
  }

  /** The next page of the stage, after a key or, where that is empty, from its first. */
  #read(peer: NodeId, sending: Sending, after: string, effects: Effects): void {
    const { stage, generation } = sending;
    const view = viewOf(peer, sending);
    const prefix = stage === 'values' ? dataPrefix(generation) : sessionPrefix(generation);
    // A prefix ends in a slash, and `0` follows it.
    const lt = `${prefix.slice(0, -1)}0`;
    const range = after === '' ? { gte: prefix, lt } : { gt: prefix + after, lt };
    effects.scan(view, range, SCAN_PAGE_ENTRIES_MAX, view);
  }

  /** The entries of a page as they travel; undefined where one of them is damaged. */
  #travelling(event: Scanned, { stage, generation }: Sending): [string, Uint8Array][] | undefined {
    const prefix = stage === 'values' ? dataPrefix(generation) : sessionPrefix(generation);
    const travels = stage === 'values' ? DATA : SESSIONS;
    const entries: [string, Uint8Array][] = [];
    for (const [key, value] of event.entries) {
      if (stage === 'values' && !checkVersioned(value)) {
        this.#host.damaged(key);
        return undefined;
      }
      entries.push([travels + key.slice(prefix.length), value]);
    }
    return entries;
  }
}

/** Each snapshot has a view of its own: what is said of an earlier one is not taken for this one's. */
function viewOf(peer: NodeId, { snapshot }: Sending): string {
  return `${SNAPSHOT}${peer}/${snapshot}`;
}

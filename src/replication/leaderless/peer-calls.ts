/**
 * Questions to other replicas that await an answer. Each ends exactly once: by its answer, or by `null`
 * when the peer went away or the time was up; or it is withdrawn. An answer that comes after that is dropped here,
 * so whoever wants late answers gives the call a later deadline than its own.
 *
 * Sequences start at a random number: an answer to a question from before a restart matches nothing.
 */
import type { NodeId } from '../../core/ids.js';
import type {
  FetchPageResult,
  FetchResult,
  LeaderlessMessage,
  StoreResult,
} from '../../protocol/leaderless-messages.js';
import type { Effects, Turn } from '../strategy.js';

export type PeerAnswer = StoreResult | FetchResult | FetchPageResult;

type OnAnswer<A extends PeerAnswer> = (answer: A | null, turn: Turn, effects: Effects) => void;

interface PeerCall {
  readonly peer: NodeId;
  readonly expects: PeerAnswer['type'];
  readonly deadlineMs: number;
  readonly onAnswer: OnAnswer<never>;
}

export class PeerCalls {
  readonly #open = new Map<number, PeerCall>();
  #nextSequence: number;
  /** No open call is due before this, so that most sweeps look at none. */
  #earliestMs = Infinity;

  constructor(firstSequence: number) {
    this.#nextSequence = firstSequence;
  }

  get size(): number {
    return this.#open.size;
  }

  store(
    effects: Effects,
    peer: NodeId,
    key: string,
    record: Uint8Array,
    deadlineMs: number,
    onAnswer: OnAnswer<StoreResult>,
  ): void {
    const sequence = this.#register({ peer, expects: 'store-result', deadlineMs, onAnswer });
    effects.send(peer, { type: 'store', sequence, key, record });
  }

  hold(
    effects: Effects,
    standIn: NodeId,
    held: { readonly home: NodeId; readonly key: string; readonly record: Uint8Array },
    deadlineMs: number,
    onAnswer: OnAnswer<StoreResult>,
  ): void {
    const sequence = this.#register({ peer: standIn, expects: 'store-result', deadlineMs, onAnswer });
    effects.send(standIn, { type: 'hold', sequence, ...held });
  }

  /** Gives the sequence, by which the call can be withdrawn. */
  fetch(
    effects: Effects,
    peer: NodeId,
    key: string,
    deadlineMs: number,
    onAnswer: OnAnswer<FetchResult>,
  ): number {
    const sequence = this.#register({ peer, expects: 'fetch-result', deadlineMs, onAnswer });
    effects.send(peer, { type: 'fetch', sequence, key });
    return sequence;
  }

  fetchPage(
    effects: Effects,
    peer: NodeId,
    page: { readonly prefix: string; readonly after: string; readonly limit: number },
    deadlineMs: number,
    onAnswer: OnAnswer<FetchPageResult>,
  ): void {
    const sequence = this.#register({ peer, expects: 'fetch-page-result', deadlineMs, onAnswer });
    const message: LeaderlessMessage = { type: 'fetch-page', sequence, ...page };
    effects.send(peer, message);
  }

  /** Hands an answer to its call, if that is still open and was put to this peer. */
  answered(from: NodeId, answer: PeerAnswer, turn: Turn, effects: Effects): void {
    const call = this.#open.get(answer.sequence);
    if (call === undefined || call.peer !== from || call.expects !== answer.type) return;
    this.#open.delete(answer.sequence);
    call.onAnswer(answer as never, turn, effects);
  }

  /** Nobody waits for the answer any more: the call ends, unheard. */
  withdraw(sequence: number): void {
    this.#open.delete(sequence);
  }

  /** Ends every call to a peer that went away. */
  peerDown(peer: NodeId, turn: Turn, effects: Effects): void {
    this.#end((call) => call.peer === peer, turn, effects);
  }

  /** Ends every call whose time is up. */
  sweep(turn: Turn, effects: Effects): void {
    if (turn.monotonicMs < this.#earliestMs) return;
    this.#earliestMs = Infinity;
    this.#end((call) => call.deadlineMs <= turn.monotonicMs, turn, effects);
    for (const { deadlineMs } of this.#open.values()) {
      if (deadlineMs < this.#earliestMs) this.#earliestMs = deadlineMs;
    }
  }

  /** What an ended call makes its owner do may end or open others: those that end now are chosen first. */
  #end(which: (call: PeerCall) => boolean, turn: Turn, effects: Effects): void {
    const ended: number[] = [];
    for (const [sequence, call] of this.#open) if (which(call)) ended.push(sequence);
    for (const sequence of ended) {
      const call = this.#open.get(sequence);
      this.#open.delete(sequence);
      call?.onAnswer(null, turn, effects);
    }
  }

  #register(call: PeerCall): number {
    const sequence = this.#nextSequence++;
    this.#open.set(sequence, call);
    if (call.deadlineMs < this.#earliestMs) this.#earliestMs = call.deadlineMs;
    return sequence;
  }
}

/**
 * Questions to other replicas that await an answer. Each ends exactly once: by its answer, or by `null`
 * when the peer went away or the time was up; or it is withdrawn. An answer that comes after that is dropped here,
 * so whoever wants late answers gives the call a later deadline than its own.
 *
 * An answer can be lost while the way to the peer stands: it travels on a connection of its own, which may break.
 * So a question that waits long is asked again, after pauses that double: the broken connection may take longer to be given up than one, and
 * a peer that is merely slow gets a few times the work at most, six in the minute that a request may take. Not before it has left the first time: what it carries may not be
 * on this replica's own disk yet.
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
import type { Effects, Turn, WriteMark } from '../strategy.js';
import { ASK_AGAIN_MS } from './tuning.js';

export type PeerAnswer = StoreResult | FetchResult | FetchPageResult;

type OnAnswer<A extends PeerAnswer> = (answer: A | null, turn: Turn, effects: Effects) => void;

interface PeerCall {
  readonly peer: NodeId;
  readonly expects: PeerAnswer['type'];
  readonly message: LeaderlessMessage;
  readonly deadlineMs: number;
  /** What the question waits for before it leaves. */
  readonly mark: WriteMark;
  /** When to ask again: known from the first sweep on. */
  againMs: number | undefined;
  /** From one time to the next. */
  pauseMs: number;
  readonly onAnswer: OnAnswer<never>;
}

export class PeerCalls {
  readonly #open = new Map<number, PeerCall>();
  #nextSequence: number;

  constructor(firstSequence: number) {
    this.#nextSequence = firstSequence;
  }

  get size(): number {
    return this.#open.size;
  }

  store(
    effects: Effects,
    peer: NodeId,
    stored: { readonly key: string; readonly record: Uint8Array; readonly asks?: boolean },
    deadlineMs: number,
    onAnswer: OnAnswer<StoreResult>,
  ): void {
    const { key, record, asks = false } = stored;
    this.#ask(effects, peer, 'store-result', deadlineMs, onAnswer, (sequence) => ({
      type: 'store',
      sequence,
      key,
      record,
      asks,
    }));
  }

  hold(
    effects: Effects,
    standIn: NodeId,
    held: { readonly home: NodeId; readonly key: string; readonly record: Uint8Array },
    deadlineMs: number,
    onAnswer: OnAnswer<StoreResult>,
  ): void {
    this.#ask(effects, standIn, 'store-result', deadlineMs, onAnswer, (sequence) => ({
      type: 'hold',
      sequence,
      ...held,
    }));
  }

  /** Gives the sequence, by which the call can be withdrawn. */
  fetch(
    effects: Effects,
    peer: NodeId,
    key: string,
    deadlineMs: number,
    onAnswer: OnAnswer<FetchResult>,
  ): number {
    return this.#ask(effects, peer, 'fetch-result', deadlineMs, onAnswer, (sequence) => ({
      type: 'fetch',
      sequence,
      key,
    }));
  }

  /** Like a `fetch`, answered only in the life of the peer that is named. */
  pull(
    effects: Effects,
    question: { readonly peer: NodeId; readonly life: string; readonly key: string },
    deadlineMs: number,
    onAnswer: OnAnswer<FetchResult>,
  ): void {
    const { peer, life, key } = question;
    this.#ask(effects, peer, 'fetch-result', deadlineMs, onAnswer, (sequence) => ({
      type: 'pull',
      sequence,
      life,
      key,
    }));
  }

  fetchPage(
    effects: Effects,
    peer: NodeId,
    page: { readonly prefix: string; readonly after: string; readonly limit: number },
    deadlineMs: number,
    onAnswer: OnAnswer<FetchPageResult>,
  ): void {
    this.#ask(effects, peer, 'fetch-page-result', deadlineMs, onAnswer, (sequence) => ({
      type: 'fetch-page',
      sequence,
      ...page,
    }));
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

  /** Asks again what has waited long, and ends every call whose time is up. */
  sweep(turn: Turn, effects: Effects): void {
    this.#end((call) => call.deadlineMs <= turn.monotonicMs, turn, effects);
    for (const call of this.#open.values()) {
      call.againMs ??= turn.monotonicMs + ASK_AGAIN_MS;
      if (call.againMs > turn.monotonicMs || !turn.written(call.mark)) continue;
      call.pauseMs *= 2;
      call.againMs = turn.monotonicMs + call.pauseMs;
      effects.count('peer_calls_repeated');
      effects.send(call.peer, call.message);
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

  #ask<A extends PeerAnswer>(
    effects: Effects,
    peer: NodeId,
    expects: A['type'],
    deadlineMs: number,
    onAnswer: OnAnswer<A>,
    messageOf: (sequence: number) => LeaderlessMessage,
  ): number {
    const sequence = this.#nextSequence++;
    const message = messageOf(sequence);
    const mark = effects.mark();
    this.#open.set(sequence, {
      peer,
      expects,
      message,
      deadlineMs,
      mark,
      againMs: undefined,
      pauseMs: ASK_AGAIN_MS,
      onAnswer,
    });
    effects.send(peer, message);
    return sequence;
  }
}

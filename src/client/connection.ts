/**
 * One connection to one node, from hello to its end.
 *
 *     connecting ──> greeting ──> ready ──> leaving ──> closed        (any state may fall to closed)
 *        open          hello      welcome    goodbye
 *
 * Requests wait in a queue until the connection is ready and has room (open requests, unsent bytes), leave
 * together in frames once a tick, and stand in the table of open requests until they are answered. Exactly
 * one of `answered` and `lost` is called for each, unless it is withdrawn.
 *
 * Half-open links are found by silence while an answer is owed: a ping after a while, the end after a
 * longer one. Time is looked at in `pulse` only, so that no request has a timer of its own. A pause of our
 * own process proves nothing about the node: the pulse says so and the silence starts anew.
 */
import { asTrefoilError, TrefoilError } from '../core/errors.js';
import {
  FRAME_BYTES_TARGET,
  REQUESTS_PER_CONNECTION_MAX,
  REQUESTS_WAITING_MAX,
  SDK_BUFFERED_BYTES_MAX,
  SDK_CONNECT_MS_MAX,
  SDK_IDLE_PULSE_MS,
  SDK_PING_AFTER_MS,
  SDK_SILENCE_MS_MAX,
} from '../core/limits.js';
import { decodeFrame, encodeFrames } from '../protocol/codec.js';
import type {
  ClientRequest,
  ClientResult,
  Hello,
  Message,
  Welcome,
  WireError,
} from '../protocol/messages.js';
import type { Address, ClientRuntime, Connection } from '../runtime/runtime.js';
import { errorFromWire } from './wire-error.js';

/** One attempt of a call, as a connection carries it. */
export interface Carried {
  /** The id of the attempt that is on its way, given by `request`. */
  readonly requestId: number;
  /** The bytes it adds to a frame, roughly. */
  readonly bytesEstimate: number;
  /** It leaves now, under this id. */
  request(id: number): ClientRequest;
  answered(result: ClientResult | WireError): void;
  /** It will not be answered. `sent`: it may have arrived. */
  lost(error: TrefoilError, sent: boolean): void;
}

export interface ConnectionEvents {
  /** The node accepts us. A returned error refuses the node. */
  readonly onWelcome: (connection: NodeConnection, welcome: Welcome) => TrefoilError | undefined;
  /** No new requests: the node asked for it, or the connection ended. Called before its requests are lost. */
  readonly onUnusable: (connection: NodeConnection, why: TrefoilError) => void;
}

type State = 'connecting' | 'greeting' | 'ready' | 'leaving' | 'closed';

export class NodeConnection {
  /** `host:port`. */
  readonly address: string;
  readonly #runtime: ClientRuntime;
  readonly #events: ConnectionEvents;
  readonly #link: Connection;
  #state: State = 'connecting';
  #node = 'a node';

  readonly #waiting = new Set<Carried>();
  readonly #open = new Map<number, Carried>();
  #outgoing: Message[] = [];
  #flushAsked = false;
  #nextId = 1;

  readonly #startedMs: number;
  #heardMs = 0;
  /** Since when an answer is owed; meaningless while none is. */
  #owedSinceMs = 0;
  #pingOpen = false;

  /** Starts to connect and returns at once. `hello` is made when the connection opens. */
  constructor(runtime: ClientRuntime, address: Address, hello: () => Hello, events: ConnectionEvents) {
    this.address = addressText(address);
    this.#runtime = runtime;
    this.#events = events;
    this.#startedMs = runtime.clock.monotonicMs();
    this.#link = runtime.network.connect(address, {
      onOpen: () => {
        if (this.#state !== 'connecting') return;
        this.#state = 'greeting';
        this.#say(hello());
      },
      onFrame: (frame) => this.#onFrame(frame),
      onClose: (reason) => this.#end(new TrefoilError('ConnectionLost', `${this.#name()}: ${reason}`)),
    });
  }

  /** Welcomed, and not on its way out. */
  get ready(): boolean {
    return this.#state === 'ready';
  }

  /** Takes new requests, if only to keep them until it is welcomed. */
  get usable(): boolean {
    return this.#state !== 'leaving' && this.#state !== 'closed';
  }

  /** At its end. */
  get closed(): boolean {
    return this.#state === 'closed';
  }

  /** No request is open or waits. */
  get idle(): boolean {
    return this.#open.size === 0 && this.#waiting.size === 0;
  }

  /** Takes a request; false where too many wait already. The connection must be usable. */
  submit(carried: Carried): boolean {
    if (this.#waiting.size >= REQUESTS_WAITING_MAX) return false;
    this.#waiting.add(carried);
    this.#askFlush();
    return true;
  }

  /** Nobody waits for the request any more. A late answer to it is ignored. */
  withdraw(carried: Carried): void {
    if (!this.#waiting.delete(carried)) this.#open.delete(carried.requestId);
    this.#closeWhenDone();
  }

  /** Takes no new requests and closes when those in flight are answered. */
  leave(why: TrefoilError): void {
    if (this.#state === 'connecting' || this.#state === 'greeting') return this.#end(why);
    if (this.#state !== 'ready') return;
    this.#state = 'leaving';
    this.#events.onUnusable(this, why);
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const carried of waiting) carried.lost(why, false);
    this.#closeWhenDone();
  }

  /** Ends it at once; what is open is lost. */
  destroy(why: TrefoilError): void {
    this.#end(why);
  }

  /** Looks at the time. `stalled`: this process itself stood still since the last look. */
  pulse(nowMs: number, stalled: boolean): void {
    if (this.#state === 'closed') return;
    if (this.#state === 'connecting' || this.#state === 'greeting') {
      if (nowMs - this.#startedMs >= SDK_CONNECT_MS_MAX && !stalled) {
        this.#lose(`no welcome within ${SDK_CONNECT_MS_MAX} ms`);
      }
      return;
    }
    if (stalled) this.#heardMs = nowMs;
    if (this.#waiting.size > 0) this.#askFlush();
    const owed = this.#owed();
    const silenceMs = nowMs - (owed ? Math.max(this.#heardMs, this.#owedSinceMs) : this.#heardMs);
    if (owed && silenceMs >= SDK_SILENCE_MS_MAX) {
      this.#lose(`nothing heard for ${Math.round(silenceMs)} ms`);
    } else if (!this.#pingOpen && silenceMs >= (owed ? SDK_PING_AFTER_MS : SDK_IDLE_PULSE_MS)) {
      this.#owe(nowMs);
      this.#pingOpen = true;
      this.#say({ type: 'ping', nonce: this.#nextId });
    }
  }

  // --- Outwards ------------------------------------------------------------------------------------------

  #say(message: Message): void {
    this.#outgoing.push(message);
    this.#askFlush();
  }

  #askFlush(): void {
    if (this.#flushAsked) return;
    this.#flushAsked = true;
    this.#runtime.timers.soon(() => this.#flush());
  }

  #flush(): void {
    this.#flushAsked = false;
    if (this.#state === 'closed') return;
    do {
      if (this.#state === 'ready') this.#takeWaiting();
      if (this.#outgoing.length === 0) return;
      const messages = this.#outgoing;
      this.#outgoing = [];
      for (const frame of encodeFrames(messages, FRAME_BYTES_TARGET)) this.#link.send(frame);
    } while (this.#waiting.size > 0);
  }

  /** Moves what there is room for, up to about a frame, from the queue into the table and the next frame. */
  #takeWaiting(): void {
    if (this.#waiting.size === 0 || this.#link.bufferedBytes() >= SDK_BUFFERED_BYTES_MAX) return;
    this.#owe(this.#runtime.clock.monotonicMs());
    let bytes = 0;
    for (const carried of this.#waiting) {
      if (this.#open.size >= REQUESTS_PER_CONNECTION_MAX || bytes >= FRAME_BYTES_TARGET) return;
      this.#waiting.delete(carried);
      const id = this.#nextId++;
      this.#open.set(id, carried);
      bytes += carried.bytesEstimate;
      this.#outgoing.push(carried.request(id));
    }
  }

  #owed(): boolean {
    return this.#pingOpen || this.#open.size > 0;
  }

  #owe(nowMs: number): void {
    if (!this.#owed()) this.#owedSinceMs = nowMs;
  }

  // --- Inwards -------------------------------------------------------------------------------------------

  #onFrame(frame: Uint8Array): void {
    if (this.#state === 'closed') return;
    this.#heardMs = this.#runtime.clock.monotonicMs();
    let messages: readonly Message[];
    try {
      messages = decodeFrame(frame);
    } catch (error) {
      return this.#lose(`it sent what cannot be read: ${asTrefoilError(error).message}`);
    }
    for (const message of messages) {
      this.#onMessage(message);
      // What a message makes us do may end the connection.
      if (this.closed) return;
    }
    if (this.#waiting.size > 0) this.#askFlush();
    this.#closeWhenDone();
  }

  #onMessage(message: Message): void {
    switch (message.type) {
      case 'response':
        return this.#onResponse(message.id, message.result);
      case 'welcome':
        return this.#onWelcome(message);
      case 'refused':
        return this.#end(errorFromWire(message.error, `${this.#name()} refused the connection: `));
      case 'ping':
        return this.#say({ type: 'pong', nonce: message.nonce });
      case 'pong':
        this.#pingOpen = false;
        return;
      case 'goodbye':
        return this.leave(new TrefoilError('ShuttingDown', `${this.#name()} is leaving: ${message.reason}`));
      case 'hello':
      case 'request':
      case 'replica':
        return this.#lose(`it sent a ${message.type} to a client`);
    }
  }

  #onWelcome(welcome: Welcome): void {
    if (this.#state !== 'greeting') return this.#lose('it sent a welcome out of turn');
    this.#node = welcome.node;
    this.#state = 'ready';
    const refusal = this.#events.onWelcome(this, welcome);
    if (refusal !== undefined) return this.#end(refusal);
    this.#askFlush();
  }

  #onResponse(id: number, result: ClientResult | WireError): void {
    const carried = this.#open.get(id);
    if (carried === undefined) return;
    this.#open.delete(id);
    carried.answered(result);
  }

  // --- The end -------------------------------------------------------------------------------------------

  #closeWhenDone(): void {
    if (this.#state !== 'leaving' || this.#open.size > 0) return;
    this.#state = 'closed';
    this.#link.close('done');
  }

  #lose(reason: string): void {
    this.#end(new TrefoilError('ConnectionLost', `${this.#name()}: ${reason}`));
  }

  #end(why: TrefoilError): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#link.destroy(why.message);
    this.#events.onUnusable(this, why);
    const open = [...this.#open.values()];
    const waiting = [...this.#waiting];
    this.#open.clear();
    this.#waiting.clear();
    for (const carried of waiting) carried.lost(why, false);
    for (const carried of open) carried.lost(why, true);
  }

  #name(): string {
    return `${this.#node} at ${this.address}`;
  }
}

/** Characters of a reason in a list of them. */
const REASON_LENGTH_MAX = 80;

/** Why the connection to an address ended, without the name in front, and cut to what a list of reasons takes. */
export function lossReason({ message }: TrefoilError, address: string): string {
  const name = `${address}: `;
  const at = message.indexOf(name);
  return message.slice(at < 0 ? 0 : at + name.length).slice(0, REASON_LENGTH_MAX);
}

/** `host:port`, with brackets around an IPv6 address. */
export function addressText(address: Address): string {
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

/**
 * One simulated connection: two ends and a pipe each way. An end obeys the contract of
 * `runtime.Connection` for the process that owns it, and calls nothing of a process that has died.
 *
 *   connecting ──accept──▶ open ──close()──▶ closing ──▶ closed
 *        └───────── refused, timed out, destroyed, reset ──▲
 */
import { invariant } from '../core/invariant.js';
import type { Cancel, Connection, ConnectionHandlers } from '../runtime/runtime.js';
import { copyOf, flipBit } from './bytes.js';
import { drawFate } from './frame-fate.js';
import { Pipe, type FramePacket, type Packet, type Path } from './pipe.js';
import type { SimulatedProcess } from './process.js';
import type { Simulation } from './scheduler.js';
import type { MessageFate, TraceMessage, TraceRecorder } from './trace.js';

/** What a peer hears whose connection was cut off. */
const CONNECTION_LOST = 'connection lost';

/** How long a close waits for the other side, as the real adapter does. */
const CLOSE_MS_MAX = 5_000;

type EndState = 'connecting' | 'open' | 'closing' | 'closed';

export class LinkEnd implements Connection {
  readonly remote: string;
  readonly process: SimulatedProcess;
  readonly #link: Link;
  readonly #simulation: Simulation;
  #handlers: ConnectionHandlers | undefined;
  #state: EndState = 'connecting';
  #unheard = false;
  #cancelTimeout: Cancel = () => undefined;

  constructor(link: Link, simulation: Simulation, process: SimulatedProcess, remote: string) {
    this.#link = link;
    this.#simulation = simulation;
    this.process = process;
    this.remote = remote;
  }

  get closed(): boolean {
    return this.#state === 'closed';
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  // --- Connection ----------------------------------------------------------------------------------

  send(frame: Uint8Array): void {
    if (this.#state === 'connecting' || this.#state === 'open') this.#link.sendFrame(this, frame);
  }

  bufferedBytes(): number {
    return this.#state === 'closed' ? 0 : this.#link.pipeFrom(this).bytes;
  }

  close(reason: string): void {
    if (this.#state === 'closing' || this.#state === 'closed') return;
    if (this.#state === 'connecting') {
      this.destroy(reason);
      return;
    }
    this.#state = 'closing';
    this.#link.pipeFrom(this).send({ kind: 'end', reason });
    this.#timeout(CLOSE_MS_MAX, reason);
  }

  destroy(reason: string): void {
    if (this.#state === 'closed') return;
    this.#link.cutFrom(this);
    this.lose(reason);
  }

  // --- For the link --------------------------------------------------------------------------------

  /** The side that connects: hears `onOpen` when it is accepted, or `onClose` within the timeout. */
  start(handlers: ConnectionHandlers, timeoutMs: number): void {
    this.#handlers = handlers;
    this.#link.pipeFrom(this).send({ kind: 'connect' });
    this.#timeout(timeoutMs, 'connect timed out');
  }

  /** The side that accepts. */
  accept(onConnection: (connection: Connection) => ConnectionHandlers): void {
    this.#state = 'open';
    this.#link.pipeFrom(this).send({ kind: 'accept' });
    this.#handlers = onConnection(this);
    if (this.isOpen) this.#handlers.onOpen?.();
  }

  receive(packet: Packet): void {
    if (!this.process.alive) {
      // The machine was off, is on again, and knows nothing of this connection.
      if (this.#unheard && packet.kind !== 'end') this.#link.cutFrom(this);
      return;
    }
    switch (packet.kind) {
      case 'connect':
        invariant(false, 'the network accepts');
        break;
      case 'accept':
        if (this.#state !== 'connecting') return;
        this.#cancelTimeout();
        this.#state = 'open';
        this.#handlers?.onOpen?.();
        break;
      case 'frame':
        if (this.#state !== 'open') return;
        if (packet.trace !== undefined) packet.trace.arrivedMs = this.#simulation.nowMs();
        this.#handlers?.onFrame(packet.bytes);
        break;
      case 'end':
        if (this.#state === 'closed') return;
        if (this.#state === 'open') this.#link.pipeFrom(this).send(packet);
        this.#finish();
        this.#handlers?.onClose(packet.reason);
        break;
    }
  }

  /** The connection broke, and this end notices. */
  lose(reason = CONNECTION_LOST): void {
    if (this.#state === 'closed') return;
    this.#finish();
    this.#simulation.schedule(0, `closed ${this.process.name}`, () => {
      this.process.act(() => this.#handlers?.onClose(reason));
    });
  }

  /** The process died: nothing is called any more. `unheard`, the peer was not told. */
  die(unheard: boolean): void {
    this.#unheard = unheard;
    this.#finish();
  }

  #timeout(ms: number, reason: string): void {
    let over = false;
    const cancel = this.#simulation.schedule(ms, `timeout ${this.process.name}`, () => {
      // A process that stands still may find, when it goes on, that what it waited for has come.
      this.process.act(() => {
        if (!over) this.destroy(reason);
      });
    });
    this.#cancelTimeout = () => {
      over = true;
      cancel();
    };
  }

  #finish(): void {
    this.#state = 'closed';
    this.#cancelTimeout();
    this.#link.endClosed();
  }
}

export interface LinkPlace {
  readonly simulation: Simulation;
  /** Number of the connection. */
  readonly number: number;
  readonly trace: TraceRecorder | undefined;
  readonly there: Path;
  readonly back: Path;
  /** Somebody asks to be let in: accepts on the end and returns true, or returns false. */
  readonly onConnect: () => boolean;
  /** Who would be asked. */
  readonly listening: () => SimulatedProcess | undefined;
  readonly onDone: () => void;
}

export class Link {
  readonly client: LinkEnd;
  server: LinkEnd | undefined;
  readonly #place: LinkPlace;
  readonly #there: Pipe;
  readonly #back: Pipe;
  #refused = false;

  constructor(place: LinkPlace, client: SimulatedProcess, remote: string) {
    const { simulation } = place;
    const label = `#${String(place.number)}`;
    this.#place = place;
    this.#there = new Pipe(simulation, place.there, label, {
      process: () => this.server?.process ?? place.listening(),
      receive: (packet) => {
        this.#atServer(packet);
      },
    });
    this.#back = new Pipe(simulation, place.back, label, {
      process: () => this.client.process,
      receive: (packet) => {
        this.client.receive(packet);
      },
    });
    this.client = new LinkEnd(this, simulation, client, remote);
  }

  /** Makes the accepting end. */
  serve(process: SimulatedProcess, remote: string): LinkEnd {
    this.server = new LinkEnd(this, this.#place.simulation, process, remote);
    return this.server;
  }

  pipeFrom(end: LinkEnd): Pipe {
    return end === this.client ? this.#there : this.#back;
  }

  sendFrame(end: LinkEnd, frame: Uint8Array): void {
    const path = end === this.client ? this.#place.there : this.#place.back;
    const pipe = this.pipeFrom(end);
    const fate = drawFate(path);
    // The receiver owns what it gets, so it never gets the sender's own array.
    const bytes = copyOf(frame);
    if (fate.flippedBit !== undefined) flipBit(bytes, Math.floor(fate.flippedBit * bytes.length * 8));
    const packet = (kind: MessageFate): FramePacket => {
      const trace = this.#recorded(path, frame, kind);
      return trace === undefined ? { kind: 'frame', bytes } : { kind: 'frame', bytes, trace };
    };
    if (fate.lost) {
      pipe.break();
      this.#breakSoon(path, fate.lossNoticedMs);
      pipe.send(packet('lost'));
      return;
    }
    if (fate.dropped) {
      this.#recorded(path, frame, 'dropped');
      pipe.sendNowhere(frame.length);
    } else if (fate.late) {
      pipe.sendLate(packet('late'), fate.lateMs);
    } else {
      pipe.send(packet(fate.flippedBit === undefined ? 'whole' : 'corrupted'), fate.tailMs);
    }
    if (fate.twice) pipe.sendCopy({ ...packet('duplicate'), bytes: copyOf(bytes) }, fate.copyLateMs);
  }

  /** An end drops the connection with what it queued; the other hears that it was lost. */
  cutFrom(end: LinkEnd): void {
    const pipe = this.pipeFrom(end);
    pipe.clear();
    pipe.send({ kind: 'end', reason: CONNECTION_LOST });
  }

  /** Whether one of its ends is at this name. */
  touches(name: string): boolean {
    return this.#place.there.from === name || this.#place.there.to === name;
  }

  /** Both ends lose it at once. */
  lose(): void {
    this.client.lose();
    this.server?.lose();
  }

  /** Neither end hears of the other again, and neither is told. */
  abandon(): void {
    this.#there.break();
    this.#back.break();
  }

  /** The paths may be free again. */
  resume(): void {
    this.#there.resume();
    this.#back.resume();
  }

  /** One end is closed; when both are, nothing on the way matters any more. */
  endClosed(): void {
    if (!this.client.closed || !(this.server?.closed ?? this.#refused)) return;
    this.abandon();
    this.#place.onDone();
  }

  /** Whether it joins these two. */
  joins(a: string, b: string): boolean {
    const { from, to } = this.#place.there;
    return (from === a && to === b) || (from === b && to === a);
  }

  #atServer(packet: Packet): void {
    if (this.server !== undefined) {
      this.server.receive(packet);
    } else if (packet.kind === 'connect' && !this.#place.onConnect()) {
      this.#refused = true;
      this.#back.send({ kind: 'end', reason: 'connection refused' });
    } else if (packet.kind === 'end') {
      this.abandon();
      this.#place.onDone();
    }
  }

  #breakSoon(path: Path, noticedMs: number): void {
    this.#place.simulation.schedule(noticedMs, `lost ${path.from}>${path.to}`, () => {
      this.lose();
    });
  }

  #recorded({ from, to }: Path, frame: Uint8Array, fate: MessageFate): TraceMessage | undefined {
    const { trace, simulation, number } = this.#place;
    if (trace === undefined) return undefined;
    const sentMs = simulation.nowMs();
    return trace.message(
      { from, to, connection: number, sentMs, arrivedMs: null, sizeBytes: frame.length, fate },
      frame,
    );
  }
}

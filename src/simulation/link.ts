/**
 * One simulated connection: two ends and a pipe each way. An end obeys the contract of
 * `runtime.Connection` for the process that owns it, and calls nothing of a process that has died.
 *
 *   connecting ──accept──▶ open ──close()──▶ closing ──▶ closed
 *        └───────── refused, timed out, destroyed, reset ──▲
 */
import { invariant } from '../core/invariant.js';
import type { Cancel, Connection, ConnectionHandlers } from '../runtime/runtime.js';
import { Pipe, type Packet, type Path } from './pipe.js';
import type { Range } from './random.js';
import type { Simulation } from './scheduler.js';
import { copyOf } from './bytes.js';

/** What a peer hears whose connection was cut off. */
const CONNECTION_LOST = 'connection lost';

/** How long a close waits for the other side, as the real adapter does. */
const CLOSE_MS_MAX = 5_000;

/** How long it takes two ends to notice that their connection broke. */
const LOSS_NOTICED_MS: Range = [200, 2_000];

/** A process, as the network knows it. */
export interface Process {
  readonly name: string;
  alive: boolean;
}

type EndState = 'connecting' | 'open' | 'closing' | 'closed';

export class LinkEnd implements Connection {
  readonly remote: string;
  readonly process: Process;
  readonly #link: Link;
  readonly #simulation: Simulation;
  #handlers: ConnectionHandlers | undefined;
  #state: EndState = 'connecting';
  #unheard = false;
  #cancelTimeout: Cancel = () => undefined;

  constructor(link: Link, simulation: Simulation, process: Process, remote: string) {
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
        if (this.#state === 'open') this.#handlers?.onFrame(packet.bytes);
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
      if (this.process.alive) this.#handlers?.onClose(reason);
    });
  }

  /** The process died: nothing is called any more. `unheard`, the peer was not told. */
  die(unheard: boolean): void {
    this.#unheard = unheard;
    this.#finish();
  }

  #timeout(ms: number, reason: string): void {
    this.#cancelTimeout = this.#simulation.schedule(ms, `timeout ${this.process.name}`, () => {
      this.destroy(reason);
    });
  }

  #finish(): void {
    this.#state = 'closed';
    this.#cancelTimeout();
    this.#link.endClosed();
  }
}

export interface LinkPlace {
  readonly simulation: Simulation;
  readonly label: string;
  readonly there: Path;
  readonly back: Path;
  /** Somebody asks to be let in: accepts on the end and returns true, or returns false. */
  readonly onConnect: () => boolean;
  readonly onDone: () => void;
}

export class Link {
  readonly client: LinkEnd;
  server: LinkEnd | undefined;
  readonly #place: LinkPlace;
  readonly #there: Pipe;
  readonly #back: Pipe;
  #refused = false;

  constructor(place: LinkPlace, client: Process, remote: string) {
    const { simulation, label } = place;
    this.#place = place;
    this.#there = new Pipe(simulation, place.there, label, (packet) => {
      this.#atServer(packet);
    });
    this.#back = new Pipe(simulation, place.back, label, (packet) => {
      this.client.receive(packet);
    });
    this.client = new LinkEnd(this, simulation, client, remote);
  }

  /** Makes the accepting end. */
  serve(process: Process, remote: string): LinkEnd {
    this.server = new LinkEnd(this, this.#place.simulation, process, remote);
    return this.server;
  }

  pipeFrom(end: LinkEnd): Pipe {
    return end === this.client ? this.#there : this.#back;
  }

  sendFrame(end: LinkEnd, frame: Uint8Array): void {
    const path = end === this.client ? this.#place.there : this.#place.back;
    const { lossRate, corruptionRate } = path.conditions();
    const lost = path.random.chance(lossRate);
    // The receiver owns what it gets, so it never gets the sender's own array.
    const bytes = copyOf(frame);
    if (path.random.chance(corruptionRate) && bytes.length > 0) flipBit(bytes, path);
    if (lost) {
      this.pipeFrom(end).break();
      this.#breakSoon(path);
    }
    this.pipeFrom(end).send({ kind: 'frame', bytes });
  }

  /** An end drops the connection with what it queued; the other hears that it was lost. */
  cutFrom(end: LinkEnd): void {
    const pipe = this.pipeFrom(end);
    pipe.clear();
    pipe.send({ kind: 'end', reason: CONNECTION_LOST });
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

  #breakSoon(path: Path): void {
    this.#place.simulation.schedule(
      path.random.between(LOSS_NOTICED_MS),
      `lost ${path.from}>${path.to}`,
      () => {
        this.lose();
      },
    );
  }
}

function flipBit(bytes: Uint8Array, path: Path): void {
  const at = path.random.integer(bytes.length);
  bytes[at] = (bytes[at] as number) ^ (1 << path.random.integer(8));
}

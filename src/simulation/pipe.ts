/**
 * One direction of a simulated connection: packets in order, each some time on the way. It behaves as TCP
 * does for those who use it: nothing overtakes, nothing arrives twice, and what cannot pass waits (a
 * blocked path stalls, it does not close). What is lost is lost with everything on its way.
 *
 * A frame that a fault makes late leaves the line and becomes a stray: it comes on its own, behind frames
 * that were sent after it, as no TCP would let it.
 */
import { digestBytes } from '../core/hash.js';
import type { Cancel } from '../runtime/runtime.js';
import type { LinkConditions } from './conditions.js';
import type { SimulatedProcess } from './process.js';
import type { SeededRandom } from './random.js';
import type { Simulation } from './scheduler.js';
import type { TraceMessage } from './trace.js';

export interface FramePacket {
  readonly kind: 'frame';
  readonly bytes: Uint8Array;
  readonly trace?: TraceMessage;
}

export type Packet =
  | { readonly kind: 'connect' }
  | { readonly kind: 'accept' }
  | FramePacket
  | { readonly kind: 'end'; readonly reason: string };

/** What a pipe asks of the network that it is laid in. */
export interface Path {
  readonly from: string;
  readonly to: string;
  /** Of latencies, and of the faults that TCP knows. */
  readonly random: SeededRandom;
  /** Of the faults beyond TCP: apart, so that they do not reshuffle the latencies. */
  readonly faultRandom: SeededRandom;
  conditions(): LinkConditions;
  /** Whether packets get through now. */
  passes(): boolean;
  /** Whether what was sent is kept on its way, whatever becomes of the sender. */
  clogged(): boolean;
}

interface Sent {
  readonly packet: Packet;
  readonly sizeBytes: number;
  readonly dueMs: number;
}

/** Where a pipe ends. */
export interface PipeEnd {
  /** Who takes the packets; undefined where nobody is there. */
  process(): SimulatedProcess | undefined;
  receive(packet: Packet): void;
}

export class Pipe {
  readonly #simulation: Simulation;
  readonly #path: Path;
  readonly #label: string;
  readonly #end: PipeEnd;
  #labels = { from: '', to: '', of: new Map<string, string>() };
  #queue: Sent[] = [];
  #bytes = 0;
  #lineFreeMs = 0;
  #broken = false;
  #stalled = false;
  /** Counts what was forgotten: a stray of before does not come any more. */
  #emptied = 0;
  #cancel: Cancel | undefined;

  constructor(simulation: Simulation, path: Path, label: string, end: PipeEnd) {
    this.#simulation = simulation;
    this.#path = path;
    this.#label = label;
    this.#end = end;
  }

  /** Bytes sent and not arrived. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Sends in order, `extraMs` later than the path takes. */
  send(packet: Packet, extraMs = 0): void {
    const sizeBytes = packet.kind === 'frame' ? packet.bytes.length : 0;
    this.#bytes += sizeBytes;
    // It may be due before the one ahead of it, but it arrives behind it.
    const dueMs = this.#dueMs(sizeBytes) + extraMs;
    if (this.#broken) return;
    this.#queue.push({ packet, sizeBytes, dueMs });
    if (this.#queue.length === 1) this.#await();
  }

  /** Sends a frame out of order: it comes `lateMs` after it should, whatever was sent meanwhile. */
  sendLate(packet: FramePacket, lateMs: number): void {
    this.#stray(packet, this.#dueMs(packet.bytes.length) + lateMs);
  }

  /** Sends a second copy of the frame sent last. It draws no latency: the frames to come keep theirs. */
  sendCopy(packet: FramePacket, lateMs: number): void {
    const { latencyMs } = this.#path.conditions();
    this.#stray(packet, this.#lineFreeMs + latencyMs[1] + lateMs);
  }

  /** A frame that vanishes: it takes its place on the line, and nothing comes of it. */
  sendNowhere(sizeBytes: number): void {
    this.#dueMs(sizeBytes);
  }

  /** From now on everything vanishes, also what is on the way; it still counts as not arrived. */
  break(): void {
    this.#broken = true;
    this.#stop();
  }

  /** Forgets what is on the way and goes on with what comes. A clogged path forgets nothing. */
  clear(): void {
    if (this.#path.clogged()) return;
    this.#bytes = 0;
    this.#stop();
  }

  /** The path may be free again. */
  resume(): void {
    if (!this.#stalled) return;
    this.#stalled = false;
    const { latencyMs } = this.#path.conditions();
    this.#await(this.#simulation.nowMs() + this.#path.random.between(latencyMs));
  }

  #stray(packet: FramePacket, dueMs: number): void {
    const sizeBytes = packet.bytes.length;
    this.#bytes += sizeBytes;
    if (this.#broken) return;
    const emptied = this.#emptied;
    const arrive = (): void => {
      if (this.#emptied !== emptied) return;
      const sent = { packet, sizeBytes, dueMs };
      if (this.#path.passes()) {
        this.#handOver(sent);
        return;
      }
      this.#queue.push(sent);
      // Alone in the line it has nobody ahead who would call it.
      if (this.#queue.length === 1) this.#stalled = true;
    };
    const delayMs = dueMs - this.#simulation.nowMs();
    this.#simulation.schedule(delayMs, this.#labelOf('late'), arrive, digestBytes(packet.bytes));
  }

  #dueMs(sizeBytes: number): number {
    const { latencyMs, bytesPerMs } = this.#path.conditions();
    this.#lineFreeMs = Math.max(this.#lineFreeMs, this.#simulation.nowMs()) + sizeBytes / bytesPerMs;
    return this.#lineFreeMs + this.#path.random.between(latencyMs);
  }

  #stop(): void {
    this.#queue = [];
    this.#stalled = false;
    this.#emptied++;
    this.#cancel?.();
  }

  #await(dueMs?: number): void {
    const first = this.#queue[0];
    if (first === undefined) return;
    const { packet } = first;
    this.#cancel = this.#simulation.schedule(
      (dueMs ?? first.dueMs) - this.#simulation.nowMs(),
      this.#labelOf(packet.kind),
      this.#arrive,
      packet.kind === 'frame' ? digestBytes(packet.bytes) : 0,
    );
  }

  readonly #arrive = (): void => {
    if (!this.#path.passes()) {
      this.#stalled = true;
      return;
    }
    const sent = this.#queue.shift();
    if (sent === undefined) return;
    this.#await();
    this.#handOver(sent);
  };

  #handOver(sent: Sent): void {
    const process = this.#end.process();
    if (process === undefined || !process.alive || process.free) {
      this.#deliver(sent);
    } else {
      process.act(() => {
        this.#deliver(sent);
      });
    }
  }

  #deliver({ packet, sizeBytes }: Sent): void {
    // What was cleared meanwhile does not count any more.
    this.#bytes = Math.max(0, this.#bytes - sizeBytes);
    this.#end.receive(packet);
  }

  /** Built once for each kind while the ends are the same: it is asked for every packet. */
  #labelOf(what: Packet['kind'] | 'late'): string {
    const { from, to } = this.#path;
    if (from !== this.#labels.from || to !== this.#labels.to) this.#labels = { from, to, of: new Map() };
    let label = this.#labels.of.get(what);
    if (label === undefined) {
      label = `${from}>${to} ${this.#label} ${what}`;
      this.#labels.of.set(what, label);
    }
    return label;
  }
}

/**
 * One direction of a simulated connection: packets in order, each some time on the way. It behaves as TCP
 * does for those who use it: nothing overtakes, nothing arrives twice, and what cannot pass waits (a
 * blocked path stalls, it does not close). What is lost is lost with everything on its way.
 */
import { hashBytes } from '../core/hash.js';
import type { Cancel } from '../runtime/runtime.js';
import type { Range, SeededRandom } from './random.js';
import type { Simulation } from './scheduler.js';

export type Packet =
  | { readonly kind: 'connect' }
  | { readonly kind: 'accept' }
  | { readonly kind: 'frame'; readonly bytes: Uint8Array }
  | { readonly kind: 'end'; readonly reason: string };

/** How one machine's packets fare on their way to another. */
export interface LinkConditions {
  readonly latencyMs: Range;
  /** Frames after which the connection turns out to be broken, of all frames. */
  readonly lossRate: number;
  /** Frames that arrive with a flipped bit, of all frames. */
  readonly corruptionRate: number;
  /** Bandwidth of each connection; Infinity for none that matters. */
  readonly bytesPerMs: number;
}

/** What a pipe asks of the network that it is laid in. */
export interface Path {
  readonly from: string;
  readonly to: string;
  readonly random: SeededRandom;
  conditions(): LinkConditions;
  /** Whether packets get through now. */
  passes(): boolean;
}

interface Sent {
  readonly packet: Packet;
  readonly sizeBytes: number;
  readonly dueMs: number;
}

export class Pipe {
  readonly #simulation: Simulation;
  readonly #path: Path;
  readonly #label: string;
  readonly #deliver: (packet: Packet) => void;
  #queue: Sent[] = [];
  #bytes = 0;
  #lineFreeMs = 0;
  #broken = false;
  #stalled = false;
  #cancel: Cancel | undefined;

  constructor(simulation: Simulation, path: Path, label: string, deliver: (packet: Packet) => void) {
    this.#simulation = simulation;
    this.#path = path;
    this.#label = `${path.from}>${path.to} ${label}`;
    this.#deliver = deliver;
  }

  /** Bytes sent and not arrived. */
  get bytes(): number {
    return this.#bytes;
  }

  send(packet: Packet): void {
    const sizeBytes = packet.kind === 'frame' ? packet.bytes.length : 0;
    this.#bytes += sizeBytes;
    if (this.#broken) return;
    const { latencyMs, bytesPerMs } = this.#path.conditions();
    this.#lineFreeMs = Math.max(this.#lineFreeMs, this.#simulation.nowMs()) + sizeBytes / bytesPerMs;
    // It may be due before the one ahead of it, but it arrives behind it.
    const dueMs = this.#lineFreeMs + this.#path.random.between(latencyMs);
    this.#queue.push({ packet, sizeBytes, dueMs });
    if (this.#queue.length === 1) this.#await(dueMs);
  }

  /** From now on everything vanishes, also what is on the way; it still counts as not arrived. */
  break(): void {
    this.#broken = true;
    this.#stop();
  }

  /** Forgets what is on the way and goes on with what comes. */
  clear(): void {
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

  #stop(): void {
    this.#queue = [];
    this.#stalled = false;
    this.#cancel?.();
  }

  #await(dueMs: number): void {
    const first = this.#queue[0];
    if (first === undefined) return;
    const label = `${this.#label} ${describe(first.packet)}`;
    this.#cancel = this.#simulation.schedule(dueMs - this.#simulation.nowMs(), label, () => {
      this.#arrive();
    });
  }

  #arrive(): void {
    if (!this.#path.passes()) {
      this.#stalled = true;
      return;
    }
    const sent = this.#queue.shift();
    if (sent === undefined) return;
    this.#bytes -= sent.sizeBytes;
    const next = this.#queue[0];
    if (next !== undefined) this.#await(next.dueMs);
    this.#deliver(sent.packet);
  }
}

function describe(packet: Packet): string {
  if (packet.kind !== 'frame') return packet.kind;
  return `frame ${String(packet.bytes.length)} ${hashBytes(packet.bytes).toString(16)}`;
}

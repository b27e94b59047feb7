/**
 * One step of one replica: the turn that it sees and the effects that it asks for.
 *
 * Writes go to the pipeline as they are asked for. Everything that leaves is kept until the step is over and
 * then waits for one batch: the newest of those that the step wrote to or read an unwritten value from.
 */
import { TrefoilError, type ErrorCode } from '../core/errors.js';
import { hlcWallMs, type HlcTime, type HybridClock } from '../core/hlc.js';
import type { IncarnationId, NodeId } from '../core/ids.js';
import { HLC_RESERVED_MS } from '../core/limits.js';
import type { Dot } from '../core/version-vector.js';
import type { ClientResult, PeerMessage } from '../protocol/messages.js';
import type { Effects, LocalRead, RequestHandle, Turn, WriteMark } from '../replication/strategy.js';
import type { LogLevel, Random, StorageRange } from '../runtime/runtime.js';
import { clockEntry } from './identity.js';
import type { KeptView } from './kept-view.js';
import type { Minter } from './minter.js';
import type { ReplicaSlot } from './replica-slot.js';
import type { ScanRequest } from './scans.js';
import type { WritePipeline } from './write-pipeline.js';

/** What a step asked for that leaves the replica. */
export type Output =
  | { readonly type: 'send'; readonly peer: NodeId; readonly message: PeerMessage }
  | { readonly type: 'reply'; readonly request: RequestHandle; readonly result: ClientResult | TrefoilError }
  | { readonly type: 'durable'; readonly token: number };

/** What the queue lends to each step. */
export interface StepWorld {
  readonly pipeline: WritePipeline;
  readonly minter: Minter;
  readonly clock: HybridClock;
  readonly random: Random;
  readonly writesRefused: ErrorCode | null;
  /** The storage failed: what a step writes now goes nowhere, and nothing that depends on it leaves. */
  readonly readOnly: boolean;
  /** The wall time up to which timestamps are reserved on disk; raised as they are used. */
  readonly clockReservation: { untilMs: number };
  reachable(peer: NodeId): boolean;
  sendNow(slot: ReplicaSlot, peer: NodeId, message: PeerMessage): void;
  replyNow(request: RequestHandle, result: ClientResult | TrefoilError): void;
  setTimer(slot: ReplicaSlot, timer: string, afterMs: number): void;
  scan(slot: ReplicaSlot, request: ScanRequest): void;
  whenTurnEnds(slot: ReplicaSlot): void;
  endIncarnation(reason: string): void;
  count(metric: string, by: number): void;
  log(level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>): void;
}

export class Step implements Turn, Effects {
  readonly wallMs: number;
  readonly monotonicMs: number;
  readonly random: Random;
  readonly writesRefused: ErrorCode | null;
  readonly outputs: Output[] = [];
  /** Views to be opened once the step is over. */
  readonly views: KeptView[] = [];
  /** Why the storage could not be read. The step is void then, whatever the replica made of it. */
  unreadable: TrefoilError | undefined;
  readonly #world: StepWorld;
  readonly #slot: ReplicaSlot;
  #waitsFor = 0;
  #voided = false;

  constructor(world: StepWorld, slot: ReplicaSlot, wallMs: number, monotonicMs: number) {
    this.#world = world;
    this.#slot = slot;
    this.wallMs = wallMs;
    this.monotonicMs = monotonicMs;
    this.random = world.random;
    this.writesRefused = world.writesRefused;
  }

  /** The batch that the outputs wait for, 0 for none; null where they must never leave. */
  get waitsFor(): number | null {
    return this.#voided || this.#slot.ahead ? null : this.#waitsFor;
  }

  // --- Turn ---

  read(key: string): LocalRead {
    try {
      const { value, batch } = this.#world.pipeline.read(this.#slot.prefix + key);
      if (batch > this.#waitsFor) this.#waitsFor = batch;
      return value;
    } catch (error) {
      if (!(error instanceof TrefoilError)) throw error;
      if (error.code === 'RecordCorrupt') return 'damaged';
      this.unreadable = error;
      throw error;
    }
  }

  written(mark: WriteMark): boolean {
    return this.#world.pipeline.isWritten(mark);
  }

  mint(): Dot {
    return this.#world.minter.mint(this.#slot.group, (key, value) => this.#write(key, value));
  }

  lastMinted(): Dot {
    return this.#world.minter.last(this.#slot.group);
  }

  mayMint(incarnation: IncarnationId): boolean {
    const { sync, buffered } = this.#world.minter.incarnations;
    return incarnation === sync || incarnation === buffered;
  }

  tick(above: HlcTime): HlcTime {
    const { clock, clockReservation: reservation } = this.#world;
    const time = clock.tick(above);
    // What the clock itself stands at: a time given above data from far ahead did not move it, and must not at the next start.
    const standsAtMs = hlcWallMs(clock.last);
    if (standsAtMs >= reservation.untilMs) {
      reservation.untilMs = standsAtMs + HLC_RESERVED_MS;
      this.#write(...clockEntry(reservation.untilMs));
    }
    return time;
  }

  observe(time: HlcTime): void {
    this.#world.clock.observe(time);
  }

  reachable(peer: NodeId): boolean {
    return this.#world.reachable(peer);
  }

  // --- Effects ---

  put(key: string, value: Uint8Array): void {
    this.#write(this.#slot.prefix + key, value);
  }

  delete(key: string): void {
    this.#write(this.#slot.prefix + key, null);
  }

  putLazily(key: string, value: Uint8Array): void {
    this.#writeLazily(this.#slot.prefix + key, value);
  }

  deleteLazily(key: string): void {
    this.#writeLazily(this.#slot.prefix + key, null);
  }

  whenDurable(token: number): void {
    this.outputs.push({ type: 'durable', token });
  }

  whenTurnEnds(): void {
    this.#world.whenTurnEnds(this.#slot);
  }

  mark(): WriteMark {
    return this.#waitsFor;
  }

  waitFor(mark: WriteMark): void {
    this.#waitsFor = Math.max(this.#waitsFor, mark);
  }

  send(peer: NodeId, message: PeerMessage): void {
    this.outputs.push({ type: 'send', peer, message });
  }

  sendEarly(peer: NodeId, message: PeerMessage): void {
    if (!this.#slot.ahead) this.#world.sendNow(this.#slot, peer, message);
  }

  reply(request: RequestHandle, result: ClientResult | TrefoilError): void {
    this.outputs.push({ type: 'reply', request, result });
  }

  replyEarly(request: RequestHandle, result: ClientResult | TrefoilError): void {
    if (!this.#slot.ahead) this.#world.replyNow(request, result);
  }

  setTimer(timer: string, afterMs: number): void {
    this.#world.setTimer(this.#slot, timer, afterMs);
  }

  cancelTimer(timer: string): void {
    this.#slot.cancelTimer(timer);
  }

  scan(scan: string, range: StorageRange, limit: number, view?: string): void {
    this.#world.scan(this.#slot, { scan, range, limit, view });
  }

  openView(view: string): void {
    this.views.push(this.#slot.views.ask(view));
  }

  closeView(view: string): void {
    this.#slot.views.close(view);
  }

  endIncarnation(reason: string): void {
    this.#world.endIncarnation(reason);
  }

  count(metric: string, by = 1): void {
    this.#world.count(metric, by);
  }

  log(level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>): void {
    this.#world.log(level, message, fields);
  }

  #write(key: string, value: Uint8Array | null): void {
    if (this.#world.readOnly) {
      this.#voided = true;
      return;
    }
    this.#waitsFor = this.#world.pipeline.put(key, value, this.#slot.durability);
  }

  #writeLazily(key: string, value: Uint8Array | null): void {
    if (this.#world.readOnly) this.#slot.ahead = true;
    else this.#world.pipeline.put(key, value, 'lazy');
  }
}

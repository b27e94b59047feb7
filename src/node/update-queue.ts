/**
 * The update queue: the one place where replicas are stepped and their effects executed.
 *
 *     enqueue ──> inbox ──turn──> step, step, step, turn-ends ──> pipeline (one batch) ──> outputs
 *
 * A turn drains what has arrived, at most `TURN_EVENTS_MAX`, and then steps once more those that asked for its end. What a step sends or replies leaves when every
 * write of the step, and every unwritten value it read, is on disk (`WritePipeline`). Replicas never run
 * concurrently, so the order of events decides everything.
 *
 * When a batch fails, all volatile state is discarded: the outputs that wait are dropped, the replicas are
 * reopened from disk, and until the storage answers again nothing is written and no write acknowledged. Where it cannot even be
 * read, nothing is stepped until it was opened anew.
 */
import { TrefoilError, type ErrorCode } from '../core/errors.js';
import type { HybridClock } from '../core/hlc.js';
import type { GroupId, NodeId } from '../core/ids.js';
import { QUEUE_EVENTS_MAX, STORAGE_RELAPSE_MS, STORAGE_RETRY_MS, TURN_EVENTS_MAX } from '../core/limits.js';
import type { ClientResult, PeerMessage } from '../protocol/messages.js';
import type { ReplicaEvent, ReplicaStatus, RequestHandle } from '../replication/strategy.js';
import type { LogLevel, Random, Storage } from '../runtime/runtime.js';
import { freshIncarnations, incarnationsEntry } from './identity.js';
import type { Minter } from './minter.js';
import type { QueueSetup } from './queue-setup.js';
import type { ReplicaSlot } from './replica-slot.js';
import { openViews, scan, type ScanRequest, type ScanWorld } from './scans.js';
import { Step, type Output, type StepWorld } from './step.js';
import { WritePipeline } from './write-pipeline.js';

interface Queued {
  readonly slot: ReplicaSlot;
  readonly event: ReplicaEvent;
}

export class UpdateQueue implements StepWorld, ScanWorld {
  readonly #setup: QueueSetup;
  readonly #slots = new Map<GroupId, ReplicaSlot>();
  readonly clockReservation = { untilMs: 0 };
  pipeline: WritePipeline;
  /** The storage failed and has not answered since. */
  readOnly = false;
  writesRefused: ErrorCode | null = null;
  #storage: Storage;
  #inbox: Queued[] = [];
  /** Those that asked for the end of the turn, in that order. */
  #endsAsked = new Set<ReplicaSlot>();
  #turnWallMs = 0;
  #turnMonotonicMs = 0;
  #drainAsked = false;
  /** No store to read from, or the node has stopped: nothing is stepped, and what arrives is dropped. */
  #paused = false;
  #stopped = false;
  /** The storage failed, and is tried again. */
  #retrying = false;
  /** The pause after a read that failed; longer where that comes again and again soon after the storage was opened anew. */
  #relapseMs = STORAGE_RETRY_MS;
  #recoveredMs = -Infinity;
  #reopening: Promise<void> = Promise.resolve();

  constructor(setup: QueueSetup) {
    this.#setup = setup;
    this.#storage = setup.storage;
    this.pipeline = this.#newPipeline();
  }

  get minter(): Minter {
    return this.#setup.minter;
  }

  get clock(): HybridClock {
    return this.#setup.clock;
  }

  get random(): Random {
    return this.#setup.runtime.random;
  }

  get storage(): Storage {
    return this.#storage;
  }

  /** Whether a client's request can be taken: there is room, and a store to answer from. */
  get refusesRequests(): ErrorCode | null {
    if (this.#stopped) return 'ShuttingDown';
    if (this.#paused) return 'NodeReadOnly';
    return this.#inbox.length >= QUEUE_EVENTS_MAX / 2 ? 'Overloaded' : null;
  }

  /** Whether all that was asked has been stepped and written. */
  get idle(): boolean {
    return this.#inbox.length === 0 && this.#endsAsked.size === 0 && this.pipeline.idle;
  }

  get depth(): number {
    return this.#inbox.length;
  }

  /** Opens a replica of a group. Throws `StorageFailed` where the storage cannot be read. */
  add(slot: ReplicaSlot): void {
    this.#slots.set(slot.group, slot);
    if (slot.mints) this.#setup.minter.open(slot.group, slot.durability, this.#storage);
    const unreadable = this.#open(slot);
    if (unreadable !== undefined) throw unreadable;
  }

  /** Hands an event to a replica; dropped and counted where there is no such replica or no room. */
  enqueue(group: GroupId, event: ReplicaEvent): void {
    const slot = this.#slots.get(group);
    if (slot === undefined) this.count('messages_for_others', 1);
    else if (this.#inbox.length >= QUEUE_EVENTS_MAX && event.type === 'message')
      this.count('messages_dropped', 1);
    else this.push(slot, event);
  }

  /** Hands an event to every replica. */
  broadcast(event: ReplicaEvent): void {
    for (const slot of this.#slots.values()) this.push(slot, event);
  }

  statuses(): ReplicaStatus[] {
    return [...this.#slots.values()].flatMap((slot) =>
      slot.replica === undefined ? [] : [slot.replica.status()],
    );
  }

  /** Has everything written soon, what was put lazily too: for an orderly stop that waits until the queue is `idle`. */
  hurry(): void {
    this.pipeline.hurry();
  }

  /** Stops stepping for good. What is unwritten is forgotten. */
  stop(): void {
    this.#stopped = true;
    this.#paused = true;
    this.#inbox = [];
    this.#endsAsked.clear();
    for (const slot of this.#slots.values()) slot.reset();
    this.pipeline.stop();
  }

  /** The store, for whoever stopped the queue to close: where it is just being opened anew, once that is over. */
  async lastStorage(): Promise<Storage> {
    await this.#reopening.catch(() => undefined);
    return this.#storage;
  }

  // --- The world of a step ---

  reachable(peer: NodeId): boolean {
    return this.#setup.outputs.reachable(peer);
  }

  sendNow(slot: ReplicaSlot, peer: NodeId, message: PeerMessage): void {
    this.#setup.outputs.send(peer, slot.group, message);
  }

  replyNow(request: RequestHandle, result: ClientResult | TrefoilError): void {
    this.#setup.outputs.reply(request, result);
  }

  setTimer(slot: ReplicaSlot, timer: string, afterMs: number): void {
    const cancel = this.#setup.runtime.timers.after(afterMs, () => this.push(slot, { type: 'timer', timer }));
    slot.setTimer(timer, cancel);
  }

  scan(slot: ReplicaSlot, request: ScanRequest): void {
    scan(this, slot, request);
  }

  whenTurnEnds(slot: ReplicaSlot): void {
    this.#endsAsked.add(slot);
  }

  endIncarnation(reason: string): void {
    const { minter, runtime, self } = this.#setup;
    if (minter.unused || this.readOnly) return;
    minter.begin(freshIncarnations(self, runtime.random));
    const [key, value] = incarnationsEntry(minter.incarnations, this.#storage);
    this.pipeline.put(key, value, 'sync');
    this.count('incarnations_ended', 1);
    this.log('warn', 'a new incarnation begins', { ...minter.incarnations, reason });
  }

  count(metric: string, by: number): void {
    this.#setup.counters.add(metric, by);
  }

  log(level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>): void {
    this.#setup.runtime.log.write(level, message, fields);
  }

  // --- Turns ---

  /** An event of the queue's own making: unlike those from outside it always finds room. */
  push(slot: ReplicaSlot, event: ReplicaEvent): void {
    if (this.#paused) return;
    this.#inbox.push({ slot, event });
    this.#askDrain();
  }

  #askDrain(): void {
    if (this.#drainAsked || this.#paused) return;
    this.#drainAsked = true;
    this.#setup.runtime.timers.soon(() => this.#drain());
  }

  #drain(): void {
    this.#drainAsked = false;
    if (this.#paused) return;
    const events = this.#inbox;
    if (events.length <= TURN_EVENTS_MAX) {
      this.#inbox = [];
    } else {
      this.#inbox = events.splice(TURN_EVENTS_MAX);
      this.#askDrain();
    }
    this.#beginTurn();
    for (const { slot, event } of events) this.#step(slot, event);
    this.#endTurn();
    this.pipeline.flush();
    this.#setup.outputs.flush();
  }

  /** Whoever asks again while the turn ends has asked for the end of the next one. */
  #endTurn(): void {
    const asked = this.#endsAsked;
    if (asked.size === 0) return;
    this.#endsAsked = new Set();
    for (const slot of asked) this.#step(slot, { type: 'turn-end' });
    if (this.#endsAsked.size > 0) this.#askDrain();
  }

  /** One turn, one time: its steps are together in it. */
  #beginTurn(): void {
    const { clock } = this.#setup.runtime;
    this.#turnWallMs = Math.floor(clock.wallMs());
    this.#turnMonotonicMs = clock.monotonicMs();
    if (this.readOnly) this.writesRefused = 'NodeReadOnly';
    else this.writesRefused = this.#storage.freeBytes() < this.#setup.freeBytesMin ? 'StorageFull' : null;
  }

  #step(slot: ReplicaSlot, event: ReplicaEvent): void {
    // A step of the same turn may have found that the storage cannot be read.
    if (slot.replica === undefined || this.#paused) return;
    const step = this.#newStep(slot);
    try {
      slot.replica.step(event, step, step);
    } catch (error) {
      if (step.unreadable === undefined) this.#escaped(slot, event, error);
    }
    if (step.unreadable === undefined) this.#release(slot, step);
    else this.unreadable(step.unreadable);
  }

  /**
   * A peer's message can be refused, and stored bytes can be none of ours whatever their checksum says. Anything
   * else that escapes a replica is a defect and stops the node.
   */
  #escaped(slot: ReplicaSlot, event: ReplicaEvent, error: unknown): void {
    if (!(error instanceof TrefoilError)) throw error;
    const { group } = slot;
    if (event.type === 'message') {
      this.count('messages_refused', 1);
      this.log('warn', 'a message was refused', { group, from: event.from, code: error.code });
    } else if (error.code === 'RecordCorrupt') {
      this.count('records_undecodable', 1);
      this.log('error', 'a stored record cannot be decoded', {
        group,
        event: event.type,
        error: error.message,
      });
    } else throw error;
  }

  /** Returns why the storage could not be read, where it could not. */
  #open(slot: ReplicaSlot): TrefoilError | undefined {
    this.#beginTurn();
    const step = this.#newStep(slot);
    try {
      slot.replica = slot.open(step, step);
    } catch (error) {
      if (step.unreadable === undefined) throw error;
    }
    if (step.unreadable !== undefined) {
      slot.replica = undefined;
      return step.unreadable;
    }
    this.#release(slot, step);
    this.pipeline.flush();
    if (this.#endsAsked.size > 0) this.#askDrain();
    return undefined;
  }

  #newStep(slot: ReplicaSlot): Step {
    return new Step(this, slot, this.#turnWallMs, this.#turnMonotonicMs);
  }

  #release(slot: ReplicaSlot, step: Step): void {
    openViews(this, step.views);
    const { waitsFor, outputs } = step;
    if (outputs.length === 0 || waitsFor === null) return;
    if (waitsFor === 0) this.#emit(slot, outputs);
    else this.pipeline.after(waitsFor, () => this.#emit(slot, outputs));
  }

  #emit(slot: ReplicaSlot, outputs: readonly Output[]): void {
    for (const output of outputs) {
      switch (output.type) {
        case 'send':
          this.#setup.outputs.send(output.peer, slot.group, output.message);
          break;
        case 'reply':
          this.#setup.outputs.reply(output.request, output.result);
          break;
        case 'durable':
          this.push(slot, output);
          break;
      }
    }
  }

  // --- Failure of the storage ---

  #newPipeline(): WritePipeline {
    return new WritePipeline(this.#storage, this.#setup.runtime.timers, {
      onWritten: () => this.#setup.outputs.flush(),
      onFailed: (error) => this.#failed(error),
    });
  }

  #failed(cause: unknown): void {
    this.count('batches_failed', 1);
    this.log('error', 'a batch failed; refusing writes until the storage answers', { error: String(cause) });
    this.#giveUp(cause, STORAGE_RETRY_MS);
  }

  /** A read failed, or a step did because of one. The replicas are opened anew, so that those that lead say that they do so no more. */
  unreadable(cause: unknown): void {
    if (this.#paused) return;
    this.count('reads_failed', 1);
    this.log('error', 'a read failed; refusing everything until the storage answers', {
      error: String(cause),
    });
    this.pipeline.stop();
    const relapse = this.#nowMs() - this.#recoveredMs < STORAGE_RELAPSE_MS;
    this.#relapseMs = relapse ? Math.min(this.#relapseMs * 2, STORAGE_RELAPSE_MS) : STORAGE_RETRY_MS;
    this.#giveUp(cause, this.#relapseMs);
    this.#paused = true;
  }

  /** Once it may be the storage's; where the same replica's scans go on failing it is what they read that is damaged. */
  scanFailed(slot: ReplicaSlot, error: unknown): 'damaged' | 'unreadable' {
    const again = this.#nowMs() - slot.scanFailedMs < STORAGE_RELAPSE_MS;
    slot.scanFailedMs = this.#nowMs();
    if (again) return 'damaged';
    this.unreadable(error);
    return 'unreadable';
  }

  #nowMs(): number {
    return this.#setup.runtime.clock.monotonicMs();
  }

  /** Nothing that was under way is answered for any more. */
  #giveUp(cause: unknown, retryMs: number): void {
    this.#refuseWrites();
    // What a batch was to reserve is not reserved.
    this.clockReservation.untilMs = 0;
    this.#inbox = [];
    this.#setup.outputs.failed(
      new TrefoilError('StorageFailed', 'the storage failed while the request was under way', { cause }),
    );
    this.#reopenReplicas();
    this.#retryLater(retryMs);
  }

  #refuseWrites(): void {
    this.readOnly = true;
    this.writesRefused = 'NodeReadOnly';
  }

  /** Those that cannot be opened now are when the storage was opened anew; until then nothing is stepped. */
  #reopenReplicas(): void {
    this.pipeline = this.#newPipeline();
    this.#endsAsked.clear();
    for (const slot of this.#slots.values()) slot.reset();
    for (const slot of this.#slots.values()) {
      if (this.#open(slot) !== undefined) this.#paused = true;
    }
    this.#setup.outputs.flush();
  }

  #retryLater(afterMs: number): void {
    if (this.#retrying) return;
    this.#retrying = true;
    this.#setup.runtime.timers.after(afterMs, () => {
      if (this.#stopped) return;
      this.#recover().then(
        () => this.log('info', 'the storage answers again; taking writes'),
        (error: unknown) => {
          this.#retrying = false;
          this.log('error', 'the storage still fails', { error: String(error) });
          this.#retryLater(STORAGE_RETRY_MS);
        },
      );
    });
  }

  /**
   * Opens the store anew, reads from it, and writes to it. What had been minted may be lost: with the first write that
   * succeeds a new incarnation begins.
   */
  async #recover(): Promise<void> {
    const { minter, runtime, self } = this.#setup;
    this.#paused = true;
    this.#reopening = this.#reopen();
    await this.#reopening;
    if (this.#stopped) return;
    this.#beginAnew();
    const next = freshIncarnations(self, runtime.random);
    const batch = this.#storage.batch();
    batch.put(...incarnationsEntry(next, this.#storage));
    await batch.write({ sync: true });
    if (this.#stopped) return;
    minter.begin(next);
    this.readOnly = false;
    this.#recoveredMs = this.#nowMs();
    // From here on it is a failure of its own that comes.
    this.#retrying = false;
    this.#beginAnew();
  }

  async #reopen(): Promise<void> {
    this.#storage = await this.#setup.reopen(this.#storage);
  }

  /** Reopens the replicas on the store as it is now. What they were at is over. Throws where it cannot be read. */
  #beginAnew(): void {
    this.#inbox = [];
    this.#paused = false;
    this.#setup.outputs.failed(new TrefoilError('StorageFailed', 'the storage was opened anew'));
    this.#reopenReplicas();
    if (!this.#paused) return;
    this.#refuseWrites();
    throw new TrefoilError('StorageFailed', 'the storage cannot be read');
  }
}

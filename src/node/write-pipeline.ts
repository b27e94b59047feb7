/**
 * The write pipeline: many steps, one batch, one fsync (group commit; as in Helland et al., "Group commit timers
 * and high volume transaction systems", 1987, without the timer: the disk's own pace gathers the group).
 *
 *     open batch    gathers the writes of every step made while ...
 *     sealed        ... those that a view closed, and
 *     in flight     ... the one before them is written and synced
 *     overlay       what any of them holds, so that reads see it
 *
 * Outputs wait for a batch by number: that of their own step's writes, or of the newest unwritten value that
 * their step read. A batch that fails takes down every output that waits, its own and those of all behind it.
 *
 * Lazy writes (docs/adr/0016) go into the same batch, in the same order, but nothing waits for them. A batch of lazy writes alone
 * stays open until something makes it urgent: an eager write, someone who waits for it, its age or its size. Here is the timer
 * that the eager ones do without. Whatever takes a lazy write along is synced, or a power cut could take that batch
 * back and keep a later one: a hole where a crash may only take back a suffix.
 */
import { LAZY_WRITES_BYTES_MAX, LAZY_WRITES_MS_MAX } from '../core/limits.js';
import type { Cancel, Storage, StorageBatch, Timers } from '../runtime/runtime.js';

interface Overlaid {
  /** null: deleted. */
  readonly value: Uint8Array | null;
  /** Which batch takes it to the disk, and the entry out of the overlay. */
  readonly batch: number;
  /** Which batch a reader's outputs wait for: 0 where the latest write of the key is lazy. */
  readonly waitsFor: number;
}

interface Batch {
  readonly number: number;
  readonly writes: StorageBatch;
  readonly keys: string[];
  readonly released: (() => void)[];
  sync: boolean;
  /** Whether it leaves at the next flush. Once it does, always. */
  urgent: boolean;
  lazyBytes: number;
  /** Of the timer that makes it urgent; it runs from the first lazy write on. */
  cancelTimer: Cancel | undefined;
}

/** Why a write is made: `sync` and `buffered` ones are waited for, with or without an fsync; `lazy` ones are not. */
export type WriteKind = 'sync' | 'buffered' | 'lazy';

export interface PipelineHandlers {
  /** A batch is on disk and its outputs have been released. */
  readonly onWritten: () => void;
  /** A batch failed: nothing that waited will be released. */
  readonly onFailed: (error: unknown) => void;
}

export class WritePipeline {
  readonly #storage: Storage;
  readonly #timers: Pick<Timers, 'after'>;
  readonly #handlers: PipelineHandlers;
  readonly #overlay = new Map<string, Overlaid>();
  #open: Batch | undefined;
  /** Oldest first; urgent, all of them. */
  #sealed: Batch[] = [];
  #inFlight: Batch | undefined;
  #lastNumber = 0;
  /** Batches are written in the order of their numbers: all up to this one are. */
  #writtenNumber = 0;
  #stopped = false;

  constructor(storage: Storage, timers: Pick<Timers, 'after'>, handlers: PipelineHandlers) {
    this.#storage = storage;
    this.#timers = timers;
    this.#handlers = handlers;
  }

  /** Whether everything put has been written, lazy writes included. */
  get idle(): boolean {
    return this.#open === undefined && this.#inFlight === undefined && this.#sealed.length === 0;
  }

  /** Keys that wait to be written. */
  get overlaid(): number {
    return this.#overlay.size;
  }

  /** The newest batch that still waits, be it of lazy writes alone; 0 where none does. */
  get newest(): number {
    return this.#lastNumber > this.#writtenNumber ? this.#lastNumber : 0;
  }

  /**
   * The latest value, and the batch that whoever passes it on waits for (0: none, it is on disk or was put lazily).
   * May throw what `Storage.get` throws.
   */
  read(key: string): { readonly value: Uint8Array | undefined; readonly batch: number } {
    const overlaid = this.#overlay.get(key);
    if (overlaid !== undefined) return { value: overlaid.value ?? undefined, batch: overlaid.waitsFor };
    return { value: this.#storage.get(key), batch: 0 };
  }

  /**
   * Puts (or with null deletes) in the open batch and returns its number. One `sync` write makes the whole batch wait for its fsync.
   * What was last put under a key decides how it reads: an eager value that a lazy one follows in the same batch keeps
   * nobody waiting any more, since it can be made again as the lazy one is; its own step waits nevertheless.
   */
  put(key: string, value: Uint8Array | null, kind: WriteKind): number {
    const batch = this.#openBatch();
    if (value === null) batch.writes.delete(key);
    else batch.writes.put(key, value);
    batch.keys.push(key);
    batch.sync ||= kind !== 'buffered';
    const { number } = batch;
    this.#overlay.set(key, { value, batch: number, waitsFor: kind === 'lazy' ? 0 : number });
    if (kind === 'lazy') this.#grewLazily(batch, key.length + (value?.length ?? 0));
    else batch.urgent = true;
    return number;
  }

  /** Whether the batch is on disk, or was never needed (0). */
  isWritten(batch: number): boolean {
    return batch <= this.#writtenNumber;
  }

  /** Calls `release` when the batch is on disk; at once where it already is. A batch that someone waits for leaves with the next flush. */
  after(batch: number, release: () => void): void {
    const waiting = this.#waiting(batch);
    if (waiting === undefined) {
      release();
    } else {
      waiting.urgent = true;
      waiting.released.push(release);
    }
  }

  /** Nothing more goes into the open batch, which leaves with the next flush: what waits for it finds the store as it is now. */
  seal(): void {
    if (this.#open === undefined) return;
    this.#sealed.push(this.#open);
    this.#open = undefined;
  }

  /** Writes the next batch that is urgent, if the disk is free for it. Called at the end of every turn. */
  flush(): void {
    if (this.#inFlight !== undefined || this.#stopped) return;
    const batch = this.#nextUrgent();
    if (batch === undefined) return;
    batch.cancelTimer?.();
    this.#inFlight = batch;
    batch.writes.write({ sync: batch.sync }).then(
      () => this.#written(batch),
      (error: unknown) => this.#failed(error),
    );
  }

  /** Writes everything as soon as the disk allows, lazy writes included: for an orderly stop. */
  hurry(): void {
    if (this.#open !== undefined) this.#open.urgent = true;
    this.flush();
  }

  /** Forgets everything unwritten. A write in flight may still reach the disk; nobody will be told. */
  stop(): void {
    this.#stopped = true;
    this.seal();
    for (const batch of this.#sealed) {
      batch.cancelTimer?.();
      void batch.writes.discard().catch(() => undefined);
    }
    this.#sealed = [];
    this.#overlay.clear();
  }

  #openBatch(): Batch {
    this.#open ??= {
      number: ++this.#lastNumber,
      writes: this.#storage.batch(),
      keys: [],
      released: [],
      sync: false,
      urgent: false,
      lazyBytes: 0,
      cancelTimer: undefined,
    };
    return this.#open;
  }

  #grewLazily(batch: Batch, bytes: number): void {
    batch.lazyBytes += bytes;
    if (batch.lazyBytes > LAZY_WRITES_BYTES_MAX) batch.urgent = true;
    if (batch.urgent) return;
    batch.cancelTimer ??= this.#timers.after(LAZY_WRITES_MS_MAX, () => {
      batch.urgent = true;
      this.flush();
    });
  }

  /** The batch of that number, where it is not on disk yet. */
  #waiting(number: number): Batch | undefined {
    if (this.isWritten(number)) return undefined;
    if (this.#open?.number === number) return this.#open;
    if (this.#inFlight?.number === number) return this.#inFlight;
    return this.#sealed.find((batch) => batch.number === number);
  }

  #nextUrgent(): Batch | undefined {
    const sealed = this.#sealed.shift();
    if (sealed !== undefined || this.#open?.urgent !== true) return sealed;
    const batch = this.#open;
    this.#open = undefined;
    return batch;
  }

  #written(batch: Batch): void {
    if (this.#stopped) return;
    for (const key of batch.keys) {
      if (this.#overlay.get(key)?.batch === batch.number) this.#overlay.delete(key);
    }
    this.#inFlight = undefined;
    this.#writtenNumber = batch.number;
    for (const release of batch.released) release();
    this.flush();
    this.#handlers.onWritten();
  }

  #failed(error: unknown): void {
    if (this.#stopped) return;
    this.stop();
    this.#handlers.onFailed(error);
  }
}

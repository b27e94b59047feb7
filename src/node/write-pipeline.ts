/**
 * The write pipeline: many steps, one batch, one fsync (group commit; as in Helland et al., "Group commit timers
 * and high volume transaction systems", 1987, without the timer: the disk's own pace gathers the group).
 *
 *     open batch    gathers the writes of every step made while ...
 *     in flight     ... the one before it is written and synced
 *     overlay       what either holds, so that reads see it
 *
 * Outputs wait for a batch by number: that of their own step's writes, or of the newest unwritten value that
 * their step read. A batch that fails takes down every output that waits, its own and the open batch's.
 */
import type { Storage, StorageBatch } from '../runtime/runtime.js';

interface Overlaid {
  /** null: deleted. */
  readonly value: Uint8Array | null;
  readonly batch: number;
}

interface Batch {
  readonly number: number;
  readonly writes: StorageBatch;
  readonly keys: string[];
  readonly released: (() => void)[];
  sync: boolean;
}

export interface PipelineHandlers {
  /** A batch is on disk and its outputs have been released. */
  readonly onWritten: () => void;
  /** A batch failed: nothing that waited will be released. */
  readonly onFailed: (error: unknown) => void;
}

export class WritePipeline {
  readonly #storage: Storage;
  readonly #handlers: PipelineHandlers;
  readonly #overlay = new Map<string, Overlaid>();
  #open: Batch | undefined;
  #inFlight: Batch | undefined;
  #lastNumber = 0;
  #stopped = false;

  constructor(storage: Storage, handlers: PipelineHandlers) {
    this.#storage = storage;
    this.#handlers = handlers;
  }

  /** Whether everything put has been written. */
  get idle(): boolean {
    return this.#open === undefined && this.#inFlight === undefined;
  }

  /** Keys that wait to be written. */
  get overlaid(): number {
    return this.#overlay.size;
  }

  /** The newest batch that still waits, 0 where none does. */
  get newest(): number {
    return (this.#open ?? this.#inFlight)?.number ?? 0;
  }

  /** The latest value, and the batch it still waits for (0: on disk). May throw what `Storage.get` throws. */
  read(key: string): { readonly value: Uint8Array | undefined; readonly batch: number } {
    const overlaid = this.#overlay.get(key);
    if (overlaid !== undefined) return { value: overlaid.value ?? undefined, batch: overlaid.batch };
    return { value: this.#storage.get(key), batch: 0 };
  }

  /** Puts (or with null deletes) in the open batch and returns its number. `sync` makes the whole batch wait for its fsync. */
  put(key: string, value: Uint8Array | null, sync: boolean): number {
    const batch = this.#openBatch();
    if (value === null) batch.writes.delete(key);
    else batch.writes.put(key, value);
    batch.keys.push(key);
    batch.sync ||= sync;
    this.#overlay.set(key, { value, batch: batch.number });
    return batch.number;
  }

  /** Whether the batch is on disk, or was never needed (0). */
  isWritten(batch: number): boolean {
    return this.#open?.number !== batch && this.#inFlight?.number !== batch;
  }

  /** Calls `release` when the batch is on disk; at once where it already is. */
  after(batch: number, release: () => void): void {
    if (this.#open?.number === batch) this.#open.released.push(release);
    else if (this.#inFlight?.number === batch) this.#inFlight.released.push(release);
    else release();
  }

  /** Writes the open batch, if the disk is free for it. Called at the end of every turn. */
  flush(): void {
    if (this.#inFlight !== undefined || this.#open === undefined || this.#stopped) return;
    const batch = this.#open;
    this.#open = undefined;
    this.#inFlight = batch;
    batch.writes.write({ sync: batch.sync }).then(
      () => this.#written(batch),
      (error: unknown) => this.#failed(error),
    );
  }

  /** Forgets everything unwritten. A write in flight may still reach the disk; nobody will be told. */
  stop(): void {
    this.#stopped = true;
    void this.#open?.writes.discard().catch(() => undefined);
    this.#open = undefined;
    this.#overlay.clear();
  }

  #openBatch(): Batch {
    this.#open ??= {
      number: ++this.#lastNumber,
      writes: this.#storage.batch(),
      keys: [],
      released: [],
      sync: false,
    };
    return this.#open;
  }

  #written(batch: Batch): void {
    if (this.#stopped) return;
    for (const key of batch.keys) {
      if (this.#overlay.get(key)?.batch === batch.number) this.#overlay.delete(key);
    }
    this.#inFlight = undefined;
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

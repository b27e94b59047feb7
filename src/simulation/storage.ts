/**
 * The handle of a process on a simulated disk. It knows whether it is still good: after `close` every call
 * is refused, after a crash of its process no promise of it settles any more, as if nobody were there.
 */
import { TrefoilError } from '../core/errors.js';
import { invariant } from '../core/invariant.js';
import type { Storage, StorageBatch, StorageEntry, StorageRange, StorageView } from '../runtime/runtime.js';
import type { Change, StoreView } from './sorted-store.js';
import { copyOf } from './bytes.js';

/** What a handle needs of the disk under it. */
export interface DiskAccess {
  readonly identity: string;
  freeBytes(): number;
  read(key: string): Uint8Array | undefined;
  scan(
    range: StorageRange,
    limit: number,
    bytesMax: number,
    of?: StoreView,
  ): Promise<readonly StorageEntry[]>;
  view(): StoreView;
  endView(view: StoreView): void;
  write(changes: readonly Change[], sync: boolean): Promise<void>;
  close(): Promise<void>;
}

export class SimulatedStorage implements Storage {
  readonly identity: string;
  readonly #disk: DiskAccess;
  readonly #views = new Set<StoreView>();
  #state: 'open' | 'closed' | 'dead' = 'open';

  constructor(disk: DiskAccess) {
    this.#disk = disk;
    this.identity = disk.identity;
  }

  get(key: string): Uint8Array | undefined {
    this.#assertOpen();
    return this.#disk.read(key);
  }

  batch(): StorageBatch {
    return new SimulatedBatch((changes, sync) => this.#whileAlive(() => this.#disk.write(changes, sync)));
  }

  scan(range: StorageRange, limit: number, bytesMax: number): Promise<readonly StorageEntry[]> {
    return this.#whileAlive(() => this.#disk.scan(range, limit, bytesMax));
  }

  view(): StorageView {
    this.#assertOpen();
    const view = this.#disk.view();
    this.#views.add(view);
    return {
      scan: (range, limit, bytesMax) =>
        this.#whileAlive(() => {
          if (!this.#views.has(view)) throw closed('view');
          return this.#disk.scan(range, limit, bytesMax, view);
        }),
      close: async () => {
        if (this.#state === 'dead') return never();
        this.#endView(view);
      },
    };
  }

  freeBytes(): number {
    return this.#disk.freeBytes();
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    const alive = this.#state === 'open';
    if (alive) this.#state = 'closed';
    this.#endViews();
    await (alive ? this.#disk.close() : never<void>());
  }

  /** For the disk: the process is gone. */
  kill(): void {
    this.#state = 'dead';
    this.#endViews();
  }

  #endView(view: StoreView): void {
    this.#views.delete(view);
    this.#disk.endView(view);
  }

  #endViews(): void {
    for (const view of this.#views) this.#endView(view);
  }

  async #whileAlive<T>(act: () => Promise<T>): Promise<T> {
    if (this.#state === 'dead') return never();
    this.#assertOpen();
    return act();
  }

  #assertOpen(): void {
    if (this.#state === 'open') return;
    throw closed('storage');
  }
}

class SimulatedBatch implements StorageBatch {
  readonly #changes: Change[] = [];
  readonly #write: (changes: readonly Change[], sync: boolean) => Promise<void>;
  #used = false;

  constructor(write: (changes: readonly Change[], sync: boolean) => Promise<void>) {
    this.#write = write;
  }

  get length(): number {
    return this.#changes.length;
  }

  put(key: string, value: Uint8Array): void {
    invariant(!this.#used, 'a batch is used once');
    // The caller may reuse its bytes after this call, as with LevelDB.
    this.#changes.push([key, copyOf(value)]);
  }

  delete(key: string): void {
    invariant(!this.#used, 'a batch is used once');
    this.#changes.push([key, undefined]);
  }

  write(options: { readonly sync: boolean }): Promise<void> {
    invariant(!this.#used, 'a batch is used once');
    this.#used = true;
    return this.#write(this.#changes, options.sync);
  }

  async discard(): Promise<void> {
    this.#used = true;
  }
}

function closed(what: string): TrefoilError {
  return new TrefoilError('StorageFailed', `The ${what} is closed.`, { outcome: 'failed' });
}

function never<T>(): Promise<T> {
  return new Promise(() => undefined);
}

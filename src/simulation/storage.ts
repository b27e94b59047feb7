/**
 * The handle of a process on a simulated disk. It knows whether it is still good: after `close` every call
 * is refused, after a crash of its process no promise of it settles any more, as if nobody were there.
 */
import { TrefoilError } from '../core/errors.js';
import { invariant } from '../core/invariant.js';
import type { Storage, StorageBatch, StorageEntry, StorageRange } from '../runtime/runtime.js';
import type { Change } from './sorted-store.js';
import { copyOf } from './bytes.js';

/** What a handle needs of the disk under it. */
export interface DiskAccess {
  readonly identity: string;
  freeBytes(): number;
  read(key: string): Uint8Array | undefined;
  scan(range: StorageRange, limit: number, bytesMax: number): Promise<readonly StorageEntry[]>;
  write(changes: readonly Change[], sync: boolean): Promise<void>;
  close(): Promise<void>;
}

export class SimulatedStorage implements Storage {
  readonly identity: string;
  readonly #disk: DiskAccess;
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

  freeBytes(): number {
    return this.#disk.freeBytes();
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    const alive = this.#state === 'open';
    if (alive) this.#state = 'closed';
    await (alive ? this.#disk.close() : never<void>());
  }

  /** For the disk: the process is gone. */
  kill(): void {
    this.#state = 'dead';
  }

  async #whileAlive<T>(act: () => Promise<T>): Promise<T> {
    if (this.#state === 'dead') return never();
    this.#assertOpen();
    return act();
  }

  #assertOpen(): void {
    if (this.#state === 'open') return;
    throw new TrefoilError('StorageFailed', 'The storage is closed.', { outcome: 'failed' });
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

function never<T>(): Promise<T> {
  return new Promise(() => undefined);
}

/**
 * Storage over LevelDB (classic-level). What matters here is not in the documentation:
 *
 * - Reads are `getSync`: some 3 us from memory, no promise and no thread. Writes are chained batches, which
 *   copy into native memory as they are filled, and take one thread hop and one fsync each.
 * - An iterator takes its snapshot when it is made, so a scan is consistent from the moment of the call. A view is an explicit
 *   snapshot, taken at once and without a thread; LevelDB itself closes those that are open when it closes.
 * - classic-level 3.0 keeps one buffer for the keys of `getSync`, and grows it only when a key fills it to
 *   the last byte. A key whose next character did not fit is cut short and looked up wrongly: a record
 *   would be absent that is there. The buffer is made large enough at the start, and longer keys go past it.
 *
 * The folder holds `level/` and `identity`; see `data-folder.ts`.
 */
import type { AbstractChainedBatch, AbstractLevel, AbstractSnapshot } from 'abstract-level';
import { ClassicLevel } from 'classic-level';
import { join } from 'node:path';
import { TrefoilError } from '../core/errors.js';
import { invariant } from '../core/invariant.js';
import { KEY_BYTES_MAX } from '../core/limits.js';
import type { Storage, StorageBatch, StorageEntry, StorageRange, StorageView } from '../runtime/runtime.js';
import { openDataFolder, renewIdentity, FreeSpace } from './data-folder.js';
import { droppedInRecovery, storageError } from './level-errors.js';

/** A LevelDB, or another level that can stand in for it, with string keys and byte values. */
export type ByteLevel = AbstractLevel<string | Buffer | Uint8Array, string, Uint8Array>;

/**
 * Measured with 200-byte values in synced batches of 64, over 150,000 keys: writing is bound by the fsync, and
 * neither 4, 16 or 32 MiB of write buffer, nor blocks of 4 or 16 KiB, nor compression changed it beyond the noise.
 * Reads were 2 to 3 us at 16 MiB and above and about 4 us at 4 MiB; 16 KiB blocks added 1 us. So: the
 * smallest buffer that reads well (two may be in memory), small blocks, and compression, because records repeat.
 */
const LEVEL_OPTIONS = {
  keyEncoding: 'utf8',
  valueEncoding: 'view',
  writeBufferSize: 16 * 1024 * 1024,
  cacheSize: 32 * 1024 * 1024,
  blockSize: 4 * 1024,
  compression: true,
} as const;

/** UTF-8 bytes of a key that `getSync` may take as a string: a user's key and what we put before it. */
const STRING_KEY_BYTES_MAX = 4 * KEY_BYTES_MAX;

/** A UTF-16 unit takes at most this many bytes of UTF-8. */
const UTF8_BYTES_PER_UNIT_MAX = 3;

/** Entries and bytes that one step of a scan asks LevelDB for. */
const SCAN_CHUNK_ENTRIES = 256;
const SCAN_CHUNK_BYTES = 256 * 1024;

/**
 * Opens, or makes, the LevelDB of a data folder.
 * Rejects with `DataFolderInUse` while another handle or process has it, else with `StorageFailed`.
 */
export async function openLevelStorage(folder: string): Promise<Storage> {
  const location = join(folder, 'level');
  let identity = await openDataFolder(folder);
  const level = new ClassicLevel<string, Uint8Array>(location, LEVEL_OPTIONS);
  try {
    await level.open();
    // Damage in LevelDB's log makes it drop writes that were durable once, and open as if nothing had been.
    if (await droppedInRecovery(location)) identity = await renewIdentity(folder);
  } catch (error) {
    await level.close().catch(() => undefined);
    throw storageError(error, `open ${folder}`);
  }
  return new LevelStorage(level, identity, await FreeSpace.of(folder));
}

export class LevelStorage implements Storage {
  readonly identity: string;
  readonly #level: ByteLevel;
  readonly #space: FreeSpace | undefined;

  /** Takes over an open level, and closes it in the end. Without `space`, free space has no bound. */
  constructor(level: ByteLevel, identity: string, space?: FreeSpace) {
    this.#level = level;
    this.identity = identity;
    this.#space = space;
    // Makes the buffer that the header speaks of.
    level.getSync('k'.repeat(STRING_KEY_BYTES_MAX));
  }

  get(key: string): Uint8Array | undefined {
    try {
      if (key.length * UTF8_BYTES_PER_UNIT_MAX <= STRING_KEY_BYTES_MAX) return this.#level.getSync(key);
      return this.#level.getSync<Buffer, Uint8Array>(Buffer.from(key), { keyEncoding: 'buffer' });
    } catch (error) {
      throw storageError(error, 'read');
    }
  }

  batch(): StorageBatch {
    try {
      return new LevelBatch(this.#level.batch(), this.#space);
    } catch (error) {
      throw storageError(error, 'write');
    }
  }

  scan(range: StorageRange, limit: number, bytesMax: number): Promise<readonly StorageEntry[]> {
    return scanLevel(this.#level, range, limit, bytesMax);
  }

  view(): StorageView {
    try {
      return new LevelView(this.#level, this.#level.snapshot());
    } catch (error) {
      throw storageError(error, 'open a view');
    }
  }

  freeBytes(): number {
    return this.#space?.bytes ?? Infinity;
  }

  async close(): Promise<void> {
    this.#space?.stop();
    try {
      await this.#level.close();
    } catch (error) {
      throw storageError(error, 'close');
    }
  }
}

/** Entries of a range from one state: that of the snapshot or, without one, of the call. */
async function scanLevel(
  level: ByteLevel,
  range: StorageRange,
  limit: number,
  bytesMax: number,
  snapshot?: AbstractSnapshot,
): Promise<readonly StorageEntry[]> {
  const found: StorageEntry[] = [];
  if (limit <= 0) return found;
  try {
    const options = { ...range, limit, highWaterMarkBytes: Math.min(bytesMax, SCAN_CHUNK_BYTES) };
    const iterator = level.iterator(snapshot === undefined ? options : { ...options, snapshot });
    try {
      for (let bytes = 0; found.length < limit && bytes < bytesMax;) {
        const entries = await iterator.nextv(Math.min(limit - found.length, SCAN_CHUNK_ENTRIES));
        if (entries.length === 0) break;
        for (const [key, value] of entries) {
          if (bytes >= bytesMax) break;
          found.push([key, value]);
          bytes += Buffer.byteLength(key) + value.length;
        }
      }
    } finally {
      await iterator.close();
    }
  } catch (error) {
    throw storageError(error, 'scan');
  }
  return found;
}

/** An explicit snapshot. It refuses a scan between two steps once it is closed, so closing waits until the scans are over. */
class LevelView implements StorageView {
  readonly #level: ByteLevel;
  readonly #snapshot: AbstractSnapshot;
  readonly #scans = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(level: ByteLevel, snapshot: AbstractSnapshot) {
    this.#level = level;
    this.#snapshot = snapshot;
  }

  async scan(range: StorageRange, limit: number, bytesMax: number): Promise<readonly StorageEntry[]> {
    if (this.#closing !== undefined) {
      throw new TrefoilError('StorageFailed', 'The view is closed.', { outcome: 'failed' });
    }
    const scanning = scanLevel(this.#level, range, limit, bytesMax, this.#snapshot);
    this.#scans.add(scanning);
    try {
      return await scanning;
    } finally {
      this.#scans.delete(scanning);
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.allSettled(this.#scans);
    await this.#snapshot.close();
  }
}

class LevelBatch implements StorageBatch {
  readonly #batch: AbstractChainedBatch<ByteLevel, string, Uint8Array>;
  readonly #space: FreeSpace | undefined;
  #length = 0;
  #used = false;

  constructor(batch: AbstractChainedBatch<ByteLevel, string, Uint8Array>, space: FreeSpace | undefined) {
    this.#batch = batch;
    this.#space = space;
  }

  get length(): number {
    return this.#length;
  }

  put(key: string, value: Uint8Array): void {
    invariant(!this.#used, 'a batch is used once');
    this.#length++;
    this.#batch.put(key, value);
  }

  delete(key: string): void {
    invariant(!this.#used, 'a batch is used once');
    this.#length++;
    this.#batch.del(key);
  }

  async write(options: { readonly sync: boolean }): Promise<void> {
    invariant(!this.#used, 'a batch is used once');
    this.#used = true;
    try {
      await this.#batch.write(options);
    } catch (error) {
      void this.#space?.refresh();
      const failed = storageError(error, 'write');
      // Whether it reached the log is not known: it may show after the next open.
      throw new TrefoilError(failed.code, failed.message, { outcome: 'unknown', cause: error });
    }
  }

  async discard(): Promise<void> {
    this.#used = true;
    await this.#batch.close();
  }
}

/**
 * A disk that outlives the process on it, with what LevelDB over a file system does in a crash:
 *
 *   write ──▶ journal (page cache) ──fsync──▶ durable, visible, resolved      with sync
 *         └─▶ journal (page cache), visible, resolved                         without
 *
 * Writes are done one at a time and in order; an fsync covers everything before it. A crash keeps the
 * durable part of the journal and as much of the rest, in order and in whole batches, as the seed decides
 * (the checksums of LevelDB's log reject a torn batch). Whatever survived is replayed at the next open,
 * also a batch whose write was reported as failed: "nothing of it may be relied on" cuts both ways.
 *
 * Faults: held between write and fsync, failing, full, slow, flipped bytes, damage that the store itself
 * reports, lost, copied and restored.
 */
import { TrefoilError, type ErrorCode } from '../core/errors.js';
import { hashBytes, hashText } from '../core/hash.js';
import { invariant } from '../core/invariant.js';
import type { Cancel, Storage, StorageEntry, StorageRange } from '../runtime/runtime.js';
import type { Range, SeededRandom } from './random.js';
import type { Simulation } from './scheduler.js';
import { Journal, type JournalEntry } from './journal.js';
import { SortedStore, type Change } from './sorted-store.js';
import { SimulatedStorage } from './storage.js';
import { copyOf } from './bytes.js';

export interface DiskTimes {
  readonly writeMs: Range;
  readonly fsyncMs: Range;
  readonly scanMs: Range;
}

/** A solid-state disk with a good day. */
export const DISK_TIMES_DEFAULT: DiskTimes = {
  writeMs: [0.01, 0.05],
  fsyncMs: [0.3, 2],
  scanMs: [0.05, 0.3],
};

/** A copy of what a disk held. */
export interface DiskImage {
  readonly store: SortedStore;
}

interface Write {
  readonly changes: readonly Change[];
  readonly sync: boolean;
  readonly resolve: () => void;
  readonly reject: (error: TrefoilError) => void;
}

export class SimulatedDisk {
  readonly name: string;
  readonly #simulation: Simulation;
  readonly #random: SeededRandom;
  #times = DISK_TIMES_DEFAULT;
  #generation = 1;
  #journal = new Journal(new SortedStore());
  #queue: Write[] = [];
  #working = false;
  #cancelStep: Cancel = () => undefined;
  #handle: SimulatedStorage | undefined;
  /** Counts those that ended with the disk open: promises of the ones before never settle. */
  #processes = 0;
  #idle: (() => void) | undefined;
  #capacityBytes = Infinity;
  #failing: { readonly code: ErrorCode; left: number } | undefined;
  #holdNext = false;
  #held: (() => void) | undefined;
  readonly #damaged = new Set<string>();

  constructor(simulation: Simulation, name: string) {
    this.#simulation = simulation;
    this.name = name;
    this.#random = simulation.random.fork(`disk/${name}`);
  }

  /** Names this copy of the data. */
  get identity(): string {
    return `simulated-disk-${this.name}-${String(this.#generation)}`;
  }

  // --- The process on it ---------------------------------------------------------------------------

  /** Opens the one handle. Throws `DataFolderInUse` while another is open. */
  open(): Storage {
    if (this.#handle !== undefined) {
      throw new TrefoilError(
        'DataFolderInUse',
        `The data folder of ${this.name} is open in another process.`,
      );
    }
    this.#journal.replay();
    this.#handle = new SimulatedStorage(this);
    return this.#handle;
  }

  /**
   * The machine stops: the handle is dead and its writes never settle. Of the batches that no fsync covered
   * a prefix survives that the seed decides, or with `lost` none.
   */
  crash(unsynced: 'seeded' | 'lost' = 'seeded'): void {
    this.#abandon();
    this.#journal.lose((count) => (unsynced === 'lost' ? 0 : this.#random.integer(count + 1)));
  }

  /** The process ends without the machine: what was written stays written, synced or not. */
  exit(): void {
    this.#abandon();
  }

  // --- Faults --------------------------------------------------------------------------------------

  /** The next synced write stops after it was written and before its fsync, and everything behind it waits. */
  holdSync(): void {
    this.#holdNext = true;
  }

  /** Whether a write stands between write and fsync. */
  get holding(): boolean {
    return this.#held !== undefined;
  }

  /** Lets the held write, or the one to come, go on. */
  releaseSync(): void {
    this.#holdNext = false;
    const go = this.#held;
    this.#held = undefined;
    go?.();
  }

  /** The next `count` writes reject with `code`. What was failing before is forgotten; 0 heals. */
  failWrites(code: ErrorCode, count = 1): void {
    this.#failing = { code, left: count };
  }

  /** Leaves this much space; Infinity by default. */
  setFreeBytes(bytes: number): void {
    this.#capacityBytes = this.#journal.store.bytes + bytes;
  }

  setTimes(times: Partial<DiskTimes>): void {
    this.#times = { ...this.#times, ...times };
  }

  /** Flips one bit of a stored value, as a failing medium does. Returns whether there was one to flip. */
  flipByte(key: string, offset?: number): boolean {
    // A copy: the process that wrote the value may still hold the bytes, and its memory is not what fails.
    const stored = this.#journal.store.get(key);
    const value = stored === undefined ? undefined : copyOf(stored);
    if (value === undefined || value.length === 0) return false;
    const at = offset ?? this.#random.integer(value.length);
    value[at] = (value[at] as number) ^ (1 << this.#random.integer(8));
    this.#journal.store.apply([[key, value]]);
    return true;
  }

  /** Reads that meet the key report `RecordCorrupt`, until it is written again. */
  damage(key: string): void {
    this.#damaged.add(key);
  }

  /** A copy of everything visible, as a backup would take it. */
  image(): DiskImage {
    return { store: this.#journal.store.copy() };
  }

  /** Puts a copy in place of what is here; the identity changes, as it does when a folder is restored. */
  restore(image: DiskImage): void {
    invariant(this.#handle === undefined, 'a disk is restored only while no process is on it');
    this.#journal = new Journal(image.store.copy());
    this.#damaged.clear();
    this.#generation++;
  }

  /** Loses everything. */
  wipe(): void {
    this.restore({ store: new SortedStore() });
  }

  /** What is stored under a key, past the handle: for tests. */
  peek(key: string): Uint8Array | undefined {
    const stored = this.#journal.store.get(key);
    return stored === undefined ? undefined : copyOf(stored);
  }

  /** The keys of a range, past the handle: for tests. */
  keys(range: StorageRange): string[] {
    return [...this.#journal.store.entries(range)].map(([key]) => key);
  }

  // --- For the handle ------------------------------------------------------------------------------

  freeBytes(): number {
    return Math.max(0, this.#capacityBytes - this.#journal.store.bytes);
  }

  read(key: string): Uint8Array | undefined {
    if (this.#damaged.has(key)) throw this.#corrupt(key);
    const stored = this.#journal.store.get(key);
    return stored === undefined ? undefined : copyOf(stored);
  }

  /** Reads now, answers later: the answer is a snapshot of the call. */
  scan(range: StorageRange, limit: number, bytesMax: number): Promise<readonly StorageEntry[]> {
    const found: StorageEntry[] = [];
    let bytes = 0;
    let damaged: string | undefined;
    if (limit > 0) {
      for (const [key, value] of this.#journal.store.entries(range)) {
        if (this.#damaged.has(key)) damaged ??= key;
        found.push([key, copyOf(value)]);
        bytes += key.length + value.length;
        if (found.length >= limit || bytes >= bytesMax) break;
      }
    }
    return new Promise((resolve, reject) => {
      const process = this.#processes;
      this.#simulation.schedule(this.#random.between(this.#times.scanMs), `scan ${this.name}`, () => {
        if (this.#processes !== process) return;
        if (damaged === undefined) resolve(found);
        else reject(this.#corrupt(damaged));
      });
    });
  }

  write(changes: readonly Change[], sync: boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ changes, sync, resolve, reject });
      if (!this.#working) this.#writeNext();
    });
  }

  /** Waits for the writes that wait, then gives the disk free. */
  async close(): Promise<void> {
    if (this.#working) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    }
    this.#handle = undefined;
  }

  // --- The way of a write --------------------------------------------------------------------------

  #writeNext(): void {
    const write = this.#queue.shift();
    this.#working = write !== undefined;
    if (write === undefined) {
      this.#idle?.();
      this.#idle = undefined;
      return;
    }
    const label = `write ${this.name} ${String(write.changes.length)} ${fingerprint(write.changes)}`;
    this.#step(this.#times.writeMs, label, () => {
      this.#written(write);
    });
  }

  #written(write: Write): void {
    const error = this.#failure(write.changes);
    if (error !== undefined) {
      // It may have reached the log nevertheless; a full disk refuses before it does.
      if (error.code !== 'StorageFull' && this.#random.chance(0.5)) this.#journal.append(write.changes);
      write.reject(error);
      this.#writeNext();
      return;
    }
    const entry = this.#journal.append(write.changes);
    if (!write.sync) {
      this.#finish(write, entry);
    } else if (this.#holdNext) {
      this.#holdNext = false;
      this.#held = () => {
        this.#fsync(write, entry);
      };
    } else {
      this.#fsync(write, entry);
    }
  }

  #fsync(write: Write, entry: JournalEntry): void {
    this.#step(this.#times.fsyncMs, `fsync ${this.name}`, () => {
      this.#journal.sync();
      this.#finish(write, entry);
    });
  }

  #finish(write: Write, entry: JournalEntry): void {
    this.#journal.show(entry);
    for (const [key] of entry.changes) this.#damaged.delete(key);
    write.resolve();
    this.#writeNext();
  }

  #step(range: Range, label: string, run: () => void): void {
    this.#cancelStep = this.#simulation.schedule(this.#random.between(range), label, run);
  }

  #failure(changes: readonly Change[]): TrefoilError | undefined {
    if (this.#failing !== undefined && this.#failing.left > 0) {
      this.#failing.left--;
      return new TrefoilError(this.#failing.code, `The disk of ${this.name} failed a write.`);
    }
    const bytes = changes.reduce((sum, [key, v]) => sum + (v === undefined ? 0 : key.length + v.length), 0);
    if (bytes <= this.freeBytes()) return undefined;
    return new TrefoilError('StorageFull', `The disk of ${this.name} is full.`);
  }

  #corrupt(key: string): TrefoilError {
    return new TrefoilError('RecordCorrupt', `The disk of ${this.name} cannot read the block of ${key}.`);
  }

  #abandon(): void {
    this.#cancelStep();
    this.#processes++;
    this.#handle?.kill();
    this.#handle = undefined;
    this.#queue = [];
    this.#working = false;
    this.#idle = undefined;
    this.#held = undefined;
    this.#holdNext = false;
  }
}

function fingerprint(changes: readonly Change[]): string {
  let hash = 0n;
  for (const [key, value] of changes) {
    hash = hashText(key, hash);
    hash = value === undefined ? hash + 1n : hashBytes(value, hash);
  }
  return hash.toString(16);
}

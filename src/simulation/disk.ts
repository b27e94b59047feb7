/**
 * A disk that outlives the process on it, with what LevelDB over a file system does in a crash:
 *
 *   write ──▶ journal (page cache) ──fsync──▶ durable, visible, resolved      with sync
 *         └─▶ journal (page cache), visible, resolved                         without
 *
 * Writes are done one at a time and in order; an fsync covers everything before it. A crash keeps the
 * durable part of the journal, and of the rest what `Unsynced` says, always in whole batches: the checksums of
 * LevelDB's log reject a batch of which a part is missing. Whatever survived is replayed at the next open,
 * also a batch whose write was reported as failed: "nothing of it may be relied on" cuts both ways.
 *
 * Torn: the system wrote pages of the log back in an order of its own. The newest batch is cut in the middle,
 * its half record is a checksum that fails, and it is gone. Of those before, each is there or is a hole:
 * LevelDB, not paranoid by default, skips the hole and goes on reading behind it, so a batch may survive one
 * that was written before it. What an fsync covered cannot be torn.
 *
 * Faults: held between write and fsync, flipped bytes, lost, copied and restored; and those of `disk-faults.ts`.
 */
import { TrefoilError, type ErrorCode } from '../core/errors.js';
import { digestBytes } from '../core/hash.js';
import { invariant } from '../core/invariant.js';
import type { Cancel, Storage, StorageEntry, StorageRange } from '../runtime/runtime.js';
import { copyOf, flipBit } from './bytes.js';
import { DiskFaults, type DiskFault, type DiskTimes } from './disk-faults.js';
import { Journal, type JournalEntry } from './journal.js';
import type { Range, SeededRandom } from './random.js';
import { mixText, type Simulation } from './scheduler.js';
import { SortedStore, type Change, type Entries, type StoreView } from './sorted-store.js';
import { SimulatedStorage } from './storage.js';

/** What becomes of batches that no fsync covered: a first part of them survives, none, or what a torn log gives. */
export type Unsynced = 'seeded' | 'lost' | 'torn';

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
  /** Of what happens to the data, apart from the disk's times. */
  readonly #damageRandom: SeededRandom;
  readonly #faults: DiskFaults;
  #generation = 1;
  #journal = new Journal(new SortedStore());
  #queue: Write[] = [];
  #working = false;
  #cancelStep: Cancel = () => undefined;
  #handle: SimulatedStorage | undefined;
  /** Counts those that ended with the disk open: promises of the ones before never settle. */
  #processes = 0;
  #idle: (() => void) | undefined;
  #holdNext = false;
  #held: (() => void) | undefined;
  /** Runs what concerns the process on the disk, when that process gets to it. */
  #act: (run: () => void) => void = now;

  constructor(simulation: Simulation, name: string) {
    this.#simulation = simulation;
    this.name = name;
    this.#random = simulation.random.fork(`disk/${name}`);
    this.#damageRandom = simulation.random.fork(`disk/${name}/damage`);
    this.#faults = new DiskFaults(name, simulation.random.fork(`disk/${name}/reads`));
  }

  /** Names this copy of the data. */
  get identity(): string {
    return `simulated-disk-${this.name}-${String(this.#generation)}`;
  }

  // --- The process on it ---------------------------------------------------------------------------

  /** Opens the one handle; its answers reach the process through `act`. Throws `DataFolderInUse` while another is open. */
  open(act: (run: () => void) => void = now): Storage {
    if (this.#handle !== undefined) {
      throw new TrefoilError(
        'DataFolderInUse',
        `The data folder of ${this.name} is open in another process.`,
      );
    }
    this.#journal.replay();
    this.#handle = new SimulatedStorage(this);
    this.#act = act;
    return this.#handle;
  }

  /** The machine stops: the handle is dead, its writes never settle, and what no fsync covered is uncertain. */
  crash(unsynced: Unsynced = 'seeded'): void {
    this.#abandon();
    this.#journal.lose((count) => this.#survivors(count, unsynced));
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
    this.#faults.failWrites(code, count);
  }

  /** The next `count` reads of single keys throw `StorageFailed`; 0 heals. */
  failReads(count = 1): void {
    this.#faults.failReads(count);
  }

  /** Leaves this much space; Infinity by default. */
  setFreeBytes(bytes: number): void {
    this.#faults.setCapacity(this.#journal.store.bytes + bytes);
  }

  setTimes(times: Partial<DiskTimes>): void {
    this.#faults.setTimes(times);
  }

  /** Makes the disk worse until it is taken back; other faults stay as they are. */
  impose(fault: DiskFault): Cancel {
    return this.#faults.impose(fault);
  }

  /** Flips one bit of a stored value, as a failing medium does. Returns whether there was one to flip. */
  flipByte(key: string, offset?: number): boolean {
    // A copy: the process that wrote the value may still hold the bytes, and its memory is not what fails.
    const stored = this.#journal.store.get(key);
    const value = stored === undefined ? undefined : copyOf(stored);
    if (value === undefined || value.length === 0) return false;
    const at = offset ?? this.#damageRandom.integer(value.length);
    flipBit(value, at * 8 + this.#damageRandom.integer(8));
    this.#journal.store.corrupt(key, value);
    return true;
  }

  /** Reads that meet the key report `RecordCorrupt`, until it is written again. */
  damage(key: string): void {
    this.#faults.damage(key);
  }

  /** A copy of everything visible, as a backup would take it. */
  image(): DiskImage {
    return { store: this.#journal.store.copy() };
  }

  /** Puts a copy in place of what is here; the identity changes, as it does when a folder is restored. */
  restore(image: DiskImage): void {
    invariant(this.#handle === undefined, 'a disk is restored only while no process is on it');
    this.#journal = new Journal(image.store.copy());
    this.#faults.replaced();
    this.#generation++;
  }

  /** Puts a copy in place of what is here, unseen: as when a file system or a machine is set back to a snapshot. */
  setBack(image: DiskImage): void {
    const generation = this.#generation;
    this.restore(image);
    this.#generation = generation;
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
    return this.#faults.freeBytes(this.#journal.store.bytes);
  }

  read(key: string): Uint8Array | undefined {
    const failure = this.#faults.readFailure();
    if (failure !== undefined) throw failure;
    if (this.#faults.isDamaged(key)) throw this.#corrupt(key);
    const stored = this.#journal.store.get(key);
    return stored === undefined ? undefined : this.#faults.read(stored);
  }

  view(): StoreView {
    return this.#journal.store.view();
  }

  endView(view: StoreView): void {
    this.#journal.store.endView(view);
  }

  /** Reads now, answers later: the answer is a snapshot of the call, or of the view that it is asked of. */
  scan(
    range: StorageRange,
    limit: number,
    bytesMax: number,
    of: Entries = this.#journal.store,
  ): Promise<readonly StorageEntry[]> {
    const found: StorageEntry[] = [];
    let bytes = 0;
    let damaged: string | undefined;
    if (limit > 0) {
      for (const [key, value] of of.entries(range)) {
        if (this.#faults.isDamaged(key)) damaged ??= key;
        found.push([key, this.#faults.read(value)]);
        bytes += key.length + value.length;
        if (found.length >= limit || bytes >= bytesMax) break;
      }
    }
    return new Promise((resolve, reject) => {
      const process = this.#processes;
      this.#simulation.schedule(this.#random.between(this.#faults.times.scanMs), `scan ${this.name}`, () => {
        if (this.#processes !== process) return;
        this.#act(() => {
          if (damaged === undefined) resolve(found);
          else reject(this.#corrupt(damaged));
        });
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
    const label = `write ${this.name}`;
    this.#step(
      this.#faults.times.writeMs,
      label,
      () => {
        this.#written(write);
      },
      digestOf(write.changes),
    );
  }

  #written(write: Write): void {
    const error = this.#faults.failure(sizeOf(write.changes), this.#journal.store.bytes);
    if (error !== undefined) {
      // It may have reached the log nevertheless; a full disk refuses before it does.
      if (error.code !== 'StorageFull' && this.#random.chance(0.5)) this.#journal.append(write.changes);
      this.#answer(() => {
        write.reject(error);
      });
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
    this.#step(this.#faults.times.fsyncMs, `fsync ${this.name}`, () => {
      this.#journal.sync();
      this.#finish(write, entry);
    });
  }

  #finish(write: Write, entry: JournalEntry): void {
    this.#journal.show(entry);
    for (const [key] of entry.changes) this.#faults.rewritten(key);
    this.#answer(write.resolve);
  }

  /** The process learns of it, and only then has the next one written: a process that stands still writes nothing. */
  #answer(settle: () => void): void {
    this.#act(() => {
      settle();
      this.#writeNext();
    });
  }

  #step(range: Range, label: string, run: () => void, digest = 0): void {
    this.#cancelStep = this.#simulation.schedule(this.#random.between(range), label, run, digest);
  }

  /** Which of `count` unsynced batches survive. */
  #survivors(count: number, unsynced: Unsynced): (index: number) => boolean {
    const first = this.#random.integer(count + 1);
    if (unsynced === 'lost') return () => false;
    if (unsynced === 'seeded') return (index) => index < first;
    return (index) => index < count - 1 && this.#damageRandom.chance(0.5);
  }

  #corrupt(key: string): TrefoilError {
    return new TrefoilError('RecordCorrupt', `The disk of ${this.name} cannot read the block of ${key}.`);
  }

  #abandon(): void {
    this.#cancelStep();
    this.#processes++;
    this.#handle?.kill();
    this.#handle = undefined;
    this.#act = now;
    this.#queue = [];
    this.#working = false;
    this.#idle = undefined;
    this.#held = undefined;
    this.#holdNext = false;
  }
}

function digestOf(changes: readonly Change[]): number {
  let digest = changes.length;
  for (const [key, value] of changes) {
    digest = mixText(digest, key);
    digest = Math.imul(digest ^ (value === undefined ? 1 : digestBytes(value)), 0x85ebca6b);
  }
  return digest;
}

function sizeOf(changes: readonly Change[]): number {
  return changes.reduce((sum, [key, v]) => sum + (v === undefined ? 0 : key.length + v.length), 0);
}

function now(run: () => void): void {
  run();
}

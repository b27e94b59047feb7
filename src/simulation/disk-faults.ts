/**
 * How a disk fares: its times, its space, what fails and what it reads wrongly. Tests set single things;
 * experiments impose faults, of which the worst of each holds, and take each back on its own.
 *
 * Which bit a read flips comes from a generator of its own, drawn for every read whatever the rate: a flip
 * more changes neither the disk's times nor what survives a crash.
 */
import { TrefoilError, type ErrorCode } from '../core/errors.js';
import type { Cancel } from '../runtime/runtime.js';
import { copyOf, flipBit } from './bytes.js';
import type { Range, SeededRandom } from './random.js';

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

export interface DiskFault {
  readonly times?: Partial<DiskTimes>;
  /** No space for anything that takes some. */
  readonly full?: boolean;
  /** Every write rejects with this. */
  readonly failing?: ErrorCode;
  /** The share of values that are read with one flipped bit; the medium itself is sound. */
  readonly flipRate?: number;
}

export class DiskFaults {
  readonly #name: string;
  readonly #random: SeededRandom;
  readonly #imposed = new Set<DiskFault>();
  readonly #damaged = new Set<string>();
  #base = DISK_TIMES_DEFAULT;
  #times = DISK_TIMES_DEFAULT;
  #flipRate = 0;
  #full = false;
  #capacityBytes = Infinity;
  #failing: { readonly code: ErrorCode; left: number } | undefined;
  #failingReads = 0;

  constructor(name: string, random: SeededRandom) {
    this.#name = name;
    this.#random = random;
  }

  get times(): DiskTimes {
    return this.#times;
  }

  setTimes(times: Partial<DiskTimes>): void {
    this.#base = { ...this.#base, ...times };
    this.#measure();
  }

  setCapacity(bytes: number): void {
    this.#capacityBytes = bytes;
  }

  failWrites(code: ErrorCode, count: number): void {
    this.#failing = { code, left: count };
  }

  failReads(count: number): void {
    this.#failingReads = count;
  }

  impose(fault: DiskFault): Cancel {
    const imposed = { ...fault };
    this.#imposed.add(imposed);
    this.#measure();
    return () => {
      this.#imposed.delete(imposed);
      this.#measure();
    };
  }

  // --- Blocks that the store itself finds damaged ---

  damage(key: string): void {
    this.#damaged.add(key);
  }

  isDamaged(key: string): boolean {
    return this.#damaged.has(key);
  }

  rewritten(key: string): void {
    this.#damaged.delete(key);
  }

  replaced(): void {
    this.#damaged.clear();
  }

  // --- What the disk asks ---

  freeBytes(usedBytes: number): number {
    return this.#full ? 0 : Math.max(0, this.#capacityBytes - usedBytes);
  }

  /** What becomes of a write that takes this much space. */
  failure(bytes: number, usedBytes: number): TrefoilError | undefined {
    const failing = [...this.#imposed].find((fault) => fault.failing !== undefined)?.failing;
    if (failing !== undefined) return this.#failed(failing);
    if (this.#failing !== undefined && this.#failing.left > 0) {
      this.#failing.left--;
      return this.#failed(this.#failing.code);
    }
    if (bytes <= this.freeBytes(usedBytes)) return undefined;
    return new TrefoilError('StorageFull', `The disk of ${this.#name} is full.`);
  }

  /** Why a read finds out nothing, not even whether there is something. */
  readFailure(): TrefoilError | undefined {
    if (this.#failingReads === 0) return undefined;
    this.#failingReads--;
    return new TrefoilError('StorageFailed', `The disk of ${this.#name} failed a read.`);
  }

  /** A stored value as the reader gets it: a copy of its own, perhaps not quite. */
  read(stored: Uint8Array): Uint8Array {
    const bytes = copyOf(stored);
    const drawn = this.#random.float();
    // Below the rate the draw is uniform again: it says which bit.
    if (drawn < this.#flipRate) flipBit(bytes, Math.floor((drawn / this.#flipRate) * bytes.length * 8));
    return bytes;
  }

  #failed(code: ErrorCode): TrefoilError {
    return new TrefoilError(code, `The disk of ${this.#name} failed a write.`);
  }

  #measure(): void {
    const imposed = [...this.#imposed];
    const slowest = (of: keyof DiskTimes): Range =>
      imposed.reduce((worst, { times }) => slower(worst, times?.[of]), this.#base[of]);
    this.#times = { writeMs: slowest('writeMs'), fsyncMs: slowest('fsyncMs'), scanMs: slowest('scanMs') };
    this.#flipRate = Math.max(0, ...imposed.map((fault) => fault.flipRate ?? 0));
    this.#full = imposed.some((fault) => fault.full === true);
  }
}

function slower(a: Range, b: Range = a): Range {
  return a[0] + a[1] >= b[0] + b[1] ? a : b;
}

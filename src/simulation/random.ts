/**
 * Seeded randomness. One seed decides everything in a simulation, and one draw more in one concern must
 * not reshuffle the others: so nobody shares a generator. Each concern forks its own by name, and a
 * fork depends on the seed and the names on the way to it only, never on what was drawn before.
 *
 * The generator is xoshiro128** (D. Blackman and S. Vigna, "Scrambled linear pseudorandom number
 * generators", 2018): 128 bits of state in four 32-bit words, which JavaScript computes on natively.
 */
import { hashText } from '../core/hash.js';
import { invariant } from '../core/invariant.js';
import type { Random } from '../runtime/runtime.js';

const LETTERS = '0123456789abcdefghijklmnopqrstuvwxyz';

/** A closed range of numbers from which a uniform value is drawn. */
export type Range = readonly [min: number, max: number];

export class SeededRandom implements Random {
  readonly #seed: string;
  readonly #state: Int32Array;

  constructor(seed: number | string) {
    this.#seed = String(seed);
    const low = hashText(this.#seed, 0n);
    const high = hashText(this.#seed, 1n);
    const word = (bits: bigint): number => Number(bits & 0xffffffffn);
    // All zero is the one state that xoshiro cannot leave.
    this.#state = Int32Array.of(word(low) | 1, word(low >> 32n), word(high), word(high >> 32n));
  }

  /** An independent generator: the same for the same seed and name, whatever was drawn here before. */
  fork(name: string): SeededRandom {
    return new SeededRandom(`${this.#seed}/${name}`);
  }

  float(): number {
    return (this.#next() * 0x200000 + (this.#next() >>> 11)) / 2 ** 53;
  }

  integer(bound: number): number {
    invariant(bound >= 1 && bound <= 2 ** 32, 'a bound is between 1 and 2^32');
    return Math.floor(this.float() * bound);
  }

  text(length: number): string {
    let text = '';
    while (text.length < length) text += LETTERS[this.integer(LETTERS.length)];
    return text;
  }

  /** Uniform in [min, max). */
  between(range: Range): number {
    return range[0] + this.float() * (range[1] - range[0]);
  }

  /** True with the given probability. Draws even for 0 and 1, so that changing a rate reshuffles nothing. */
  chance(probability: number): boolean {
    return this.float() < probability;
  }

  #next(): number {
    const state = this.#state;
    const a = state[0] as number;
    const b = state[1] as number;
    const c = (state[2] as number) ^ a;
    const d = (state[3] as number) ^ b;
    state[0] = a ^ d;
    state[1] = b ^ c;
    state[2] = c ^ (b << 9);
    state[3] = rotateLeft(d, 11);
    return Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0;
  }
}

function rotateLeft(word: number, by: number): number {
  return (word << by) | (word >>> (32 - by));
}

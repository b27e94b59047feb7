/**
 * What of a growing vector is on disk for certain.
 *
 *     noted (a step, its mark) ──> noted ──> ... ──mark written──> durable
 *
 * A replica may tell only what a crash cannot take back within the same life: others forget by it (docs/adr/0008). Letting the
 * message wait for the newest vector was rejected: it held back the comparisons of a node whose disk stands still, for writes that
 * had nothing to do with them.
 */
import { EMPTY_VECTOR, type VersionVector } from '../../core/version-vector.js';
import type { Effects, Turn, WriteMark } from '../strategy.js';

interface Noted {
  readonly vector: VersionVector;
  readonly mark: WriteMark;
}

export class DurableVector {
  #durable: VersionVector = EMPTY_VECTOR;
  /** The oldest first: at most one for each batch under way. */
  #unwritten: Noted[] = [];

  /** Nothing is durable of what comes next. */
  reset(): void {
    this.#durable = EMPTY_VECTOR;
    this.#unwritten = [];
  }

  /** To be called at the end of each step, with the vector as it is now: the same object while it is the same. */
  note(vector: VersionVector, effects: Effects): void {
    const last = this.#unwritten.at(-1);
    if (vector === (last?.vector ?? this.#durable)) return;
    // A step that only drew a dot, from a block that an earlier one reserves, has put nothing itself.
    const mark = Math.max(effects.mark(), last?.mark ?? 0);
    if (last?.mark === mark) this.#unwritten.pop();
    this.#unwritten.push({ vector, mark });
  }

  current(turn: Turn): VersionVector {
    for (;;) {
      const oldest = this.#unwritten[0];
      if (oldest === undefined || !turn.written(oldest.mark)) return this.#durable;
      this.#unwritten.shift();
      this.#durable = oldest.vector;
    }
  }
}

/**
 * Gives dots: one counter per group under the node's incarnation.
 *
 * Counters are reserved on disk a block at a time, so that most mints cost no write of their own; a restart
 * goes on behind the reserved block, whatever part of it was used. Gaps mean nothing to a version vector.
 */
import type { GroupId, IncarnationId } from '../core/ids.js';
import { COUNTERS_RESERVED } from '../core/limits.js';
import type { Dot } from '../core/version-vector.js';
import type { Storage } from '../runtime/runtime.js';
import { decodeMeta, encodeMeta } from './meta.js';

interface Reserved {
  readonly incarnation: string;
  readonly below: number;
}

interface GroupCounter {
  next: number;
  /** Counters below this one are reserved on disk, or in a batch that any use of them waits for. */
  reservedBelow: number;
}

export class Minter {
  #incarnation: IncarnationId;
  #minted = 0;
  readonly #groups = new Map<GroupId, GroupCounter>();

  constructor(incarnation: IncarnationId) {
    this.#incarnation = incarnation;
  }

  get incarnation(): IncarnationId {
    return this.#incarnation;
  }

  /** Whether this run has minted under the current incarnation, or may have in an earlier run. */
  get unused(): boolean {
    return this.#minted === 0 && [...this.#groups.values()].every((g) => g.next === 1);
  }

  /** Reads what an earlier run reserved for a group. */
  open(group: GroupId, storage: Storage): void {
    const reserved = decodeMeta<Reserved>(storage.get(counterKey(group)));
    const next = reserved?.incarnation === this.#incarnation ? reserved.below : 1;
    this.#groups.set(group, { next, reservedBelow: next });
  }

  /** A new dot; `put` writes into the batch that the dot's own write goes into. */
  mint(group: GroupId, put: (key: string, value: Uint8Array) => void): Dot {
    const counter = this.#groups.get(group) ?? { next: 1, reservedBelow: 1 };
    this.#groups.set(group, counter);
    if (counter.next >= counter.reservedBelow) {
      counter.reservedBelow = counter.next + COUNTERS_RESERVED;
      const reserved: Reserved = { incarnation: this.#incarnation, below: counter.reservedBelow };
      put(counterKey(group), encodeMeta(reserved));
    }
    this.#minted++;
    return { incarnation: this.#incarnation, counter: counter.next++ };
  }

  /** Mints under a new name from here on. */
  begin(incarnation: IncarnationId): void {
    this.#incarnation = incarnation;
    this.#minted = 0;
    for (const counter of this.#groups.values()) {
      counter.next = 1;
      counter.reservedBelow = 1;
    }
  }
}

function counterKey(group: GroupId): string {
  return `m/counter/${group}`;
}

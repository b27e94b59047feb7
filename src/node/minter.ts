/**
 * Gives dots: one counter per group under an incarnation of the node.
 *
 * A node has two incarnations, one for its `sync` groups and one for its `buffered` ones: only the latter
 * forget in a crash, so only theirs ends with one, and the contexts of the others stay short. A group whose durability the
 * config changes mints under the other one, and may come back to the first: both counters are kept.
 *
 * Counters are reserved on disk a block at a time, so that most mints cost no write of their own; a restart
 * goes on behind the reserved block, whatever part of it was used. Gaps mean nothing to a version vector.
 */
import { TrefoilError } from '../core/errors.js';
import type { GroupId, IncarnationId } from '../core/ids.js';
import { invariant } from '../core/invariant.js';
import { COUNTERS_RESERVED } from '../core/limits.js';
import type { Dot } from '../core/version-vector.js';
import type { Storage } from '../runtime/runtime.js';
import { encodeMeta, readMeta } from './meta.js';

interface Block {
  readonly incarnation: string;
  readonly below: number;
}

interface Reserved extends Block {
  /** Of the node's other incarnation, from when the group's durability was another one: it goes on if that is set back. */
  readonly other?: Block;
}

interface GroupCounter {
  readonly durability: Durability;
  next: number;
  /** Counters below this one are reserved on disk, or in a batch that any use of them waits for. */
  reservedBelow: number;
  /** What is reserved under the node's other incarnation. */
  other: Block | undefined;
}

export type Durability = 'sync' | 'buffered';

export type Incarnations = Readonly<Record<Durability, IncarnationId>>;

export class Minter {
  #incarnations: Incarnations;
  readonly #groups = new Map<GroupId, GroupCounter>();

  constructor(incarnations: Incarnations) {
    this.#incarnations = incarnations;
  }

  get incarnations(): Incarnations {
    return this.#incarnations;
  }

  /** Whether nothing has been minted under the current incarnations, in this run or before. */
  get unused(): boolean {
    return [...this.#groups.values()].every((group) => group.next === 1 && group.other === undefined);
  }

  /**
   * Reads what an earlier run reserved for a group. Throws `DataFolderDamaged`: taking possession of the store has
   * already replaced every counter that was damaged then.
   */
  open(group: GroupId, durability: Durability, storage: Storage): void {
    const reserved = readMeta<Reserved>(storage, counterKey(group));
    if (reserved === 'damaged') {
      throw new TrefoilError(
        'DataFolderDamaged',
        `the entry ${counterKey(group)} of the data folder is damaged`,
      );
    }
    const blocks = reserved === undefined ? [] : [reserved, ...(reserved.other ? [reserved.other] : [])];
    const under = (incarnation: IncarnationId): Block | undefined =>
      blocks.find((block) => block.incarnation === incarnation);
    const next = under(this.#incarnations[durability])?.below ?? 1;
    const other = under(this.#incarnations[durability === 'sync' ? 'buffered' : 'sync']);
    this.#groups.set(group, { durability, next, reservedBelow: next, other });
  }

  /** A new dot; `put` writes into the batch that the dot's own write goes into. */
  mint(group: GroupId, put: (key: string, value: Uint8Array) => void): Dot {
    const counter = this.#groups.get(group);
    invariant(counter !== undefined, 'a replica mints in its own group');
    const incarnation = this.#incarnations[counter.durability];
    if (counter.next >= counter.reservedBelow) {
      counter.reservedBelow = counter.next + COUNTERS_RESERVED;
      const { other } = counter;
      const block = { incarnation, below: counter.reservedBelow };
      const reserved: Reserved = other === undefined ? block : { ...block, other: blockOf(other) };
      put(counterKey(group), encodeMeta(reserved));
    }
    return { incarnation, counter: counter.next++ };
  }

  /** The last dot given in a group under the current incarnation; counter 0 where none was. Counters may have been skipped. */
  last(group: GroupId): Dot {
    const counter = this.#groups.get(group);
    invariant(counter !== undefined, 'a replica asks in its own group');
    return { incarnation: this.#incarnations[counter.durability], counter: counter.next - 1 };
  }

  /** Mints under new names from here on. */
  begin(incarnations: Incarnations): void {
    this.#incarnations = incarnations;
    for (const counter of this.#groups.values()) {
      counter.next = 1;
      counter.reservedBelow = 1;
      counter.other = undefined;
    }
  }
}

function blockOf({ incarnation, below }: Block): Block {
  return { incarnation, below };
}

/** The entries of these groups' counters that are damaged. */
export function damagedCounters(groups: readonly GroupId[], storage: Storage): string[] {
  return groups.map(counterKey).filter((key) => readMeta<Reserved>(storage, key) === 'damaged');
}

function counterKey(group: GroupId): string {
  return `m/counter/${group}`;
}

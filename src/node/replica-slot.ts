/** One replica in the update queue: its state machine, and the timers, scans and views that belong to it. */
import type { GroupId } from '../core/ids.js';
import type { Effects, Replica, Turn } from '../replication/strategy.js';
import type { Cancel, StorageRange } from '../runtime/runtime.js';
import { KeptViews } from './kept-view.js';
import type { Durability } from './minter.js';

/** What stands before the keys of a group's replica in the store. */
export function groupPrefix(group: GroupId): string {
  return `g/${group}/`;
}

export class ReplicaSlot {
  readonly group: GroupId;
  /** What stands before the replica's own keys in the store. */
  readonly prefix: string;
  /** Whether the namespace's writes wait for fsync. */
  readonly durability: Durability;
  readonly open: (turn: Turn, effects: Effects) => Replica;
  /** Whether its replica may mint; a stand-in may not. */
  readonly mints: boolean;
  replica: Replica | undefined;
  /**
   * It put something lazily that went nowhere, because the storage had failed. An eager write that goes nowhere voids the outputs of its
   * step and that is enough: nothing was said, and later reads find the state of before. But what is put lazily counts at once, so the
   * replica goes on as if its later reads showed it, and they show the state of before: it would answer with old values under a new index.
   * So nothing leaves it until it is opened anew.
   */
  ahead = false;
  /** When a scan of it last failed, on the monotonic clock, whatever was opened anew since. */
  scanFailedMs = -Infinity;
  readonly views = new KeptViews();
  readonly #timers = new Map<string, Cancel>();
  /** The latest scan of each name; an answer to an earlier one is dropped. */
  readonly #scans = new Map<string, number>();
  #lastScan = 0;

  constructor(
    group: GroupId,
    durability: Durability,
    open: (turn: Turn, effects: Effects) => Replica,
    mints = true,
  ) {
    this.group = group;
    this.prefix = groupPrefix(group);
    this.durability = durability;
    this.open = open;
    this.mints = mints;
  }

  /** A range of the replica's own keys, as it stands in the store. */
  storedRange(range: StorageRange): StorageRange {
    return {
      lt: this.prefix + range.lt,
      ...(range.gt === undefined ? {} : { gt: this.prefix + range.gt }),
      ...(range.gte === undefined ? {} : { gte: this.prefix + range.gte }),
    };
  }

  setTimer(name: string, cancel: Cancel): void {
    this.#timers.get(name)?.();
    this.#timers.set(name, cancel);
  }

  cancelTimer(name: string): void {
    this.#timers.get(name)?.();
    this.#timers.delete(name);
  }

  /** A ticket for a scan of this name, which replaces the one before it. */
  beginScan(name: string): number {
    this.#scans.set(name, ++this.#lastScan);
    return this.#lastScan;
  }

  /** Whether this is the scan still wanted under its name; if so it is over now. */
  endScan(name: string, ticket: number): boolean {
    return this.#scans.get(name) === ticket && this.#scans.delete(name);
  }

  /** Forgets everything volatile. */
  reset(): void {
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
    this.#scans.clear();
    this.views.closeAll();
    this.ahead = false;
    this.replica = undefined;
  }
}

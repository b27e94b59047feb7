/**
 * One update of a key at a time within one database handle. Without consensus two concurrent updates cost
 * each other further rounds, and many at once may repeat or merge more than they mean to; those of one
 * process need not meet at all. Updates of other processes still do: see `update.ts`.
 *
 * A key that nobody updates costs nothing here.
 */
import { UPDATES_WAITING_PER_KEY_MAX } from '../core/limits.js';
import type { ClientRuntime } from '../runtime/runtime.js';
import { WaitingRooms } from './waiting-rooms.js';

export class KeyTurns {
  /** The keys that are being updated. */
  readonly #taken = new Set<string>();
  readonly #rooms: WaitingRooms<void>;

  constructor(runtime: Pick<ClientRuntime, 'clock' | 'timers'>) {
    this.#rooms = new WaitingRooms(runtime, {
      waitersMax: UPDATES_WAITING_PER_KEY_MAX,
      what: () => 'a turn to update the key',
    });
  }

  /**
   * Runs `task` when the key is free; `deadlineMs` is on the monotonic clock. Rejects, without having run it,
   * with `DeadlineExceeded`, `Cancelled` or `Overloaded`.
   */
  async take<T>(
    key: string,
    deadlineMs: number,
    signal: AbortSignal | undefined,
    task: () => Promise<T>,
  ): Promise<T> {
    if (this.#taken.has(key)) await this.#rooms.wait(key, deadlineMs, signal);
    else this.#taken.add(key);
    try {
      return await task();
    } finally {
      // The turn is handed on, so that nobody who comes now gets in between.
      if (!this.#rooms.admitFirst(key)) this.#taken.delete(key);
    }
  }
}

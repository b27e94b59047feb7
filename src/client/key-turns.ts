/**
 * One update of a key at a time within one database handle. Without consensus two concurrent updates cost
 * each other further rounds, and many at once may repeat or merge more than they mean to; those of one
 * process need not meet at all. Updates of other processes still do: see `update.ts`.
 *
 * A key that nobody updates costs nothing here. Deadlines and signals of those that wait are looked at by one
 * timer, which runs only while somebody waits.
 */
import { TrefoilError } from '../core/errors.js';
import { SDK_PULSE_MS, UPDATES_WAITING_PER_KEY_MAX } from '../core/limits.js';
import type { ClientRuntime } from '../runtime/runtime.js';

interface Waiter {
  readonly deadlineMs: number;
  readonly signal: AbortSignal | undefined;
  readonly begin: () => void;
  readonly refuse: (error: TrefoilError) => void;
}

export class KeyTurns {
  readonly #runtime: Pick<ClientRuntime, 'clock' | 'timers'>;
  /** The keys that are being updated, each with those that wait for it, in order. */
  readonly #keys = new Map<string, Set<Waiter>>();
  #watching = false;

  constructor(runtime: Pick<ClientRuntime, 'clock' | 'timers'>) {
    this.#runtime = runtime;
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
    await this.#enter(key, deadlineMs, signal);
    try {
      return await task();
    } finally {
      this.#leave(key);
    }
  }

  #enter(key: string, deadlineMs: number, signal: AbortSignal | undefined): Promise<void> | undefined {
    const waiters = this.#keys.get(key);
    if (waiters === undefined) {
      this.#keys.set(key, new Set());
      return undefined;
    }
    if (waiters.size >= UPDATES_WAITING_PER_KEY_MAX) {
      throw new TrefoilError('Overloaded', `${waiters.size} updates wait for one key`, {
        retryAfterMs: SDK_PULSE_MS,
      });
    }
    return new Promise((begin, refuse) => {
      waiters.add({ deadlineMs, signal, begin, refuse });
      this.#watch();
    });
  }

  #leave(key: string): void {
    const waiters = this.#keys.get(key) ?? new Set();
    const [next] = waiters;
    if (next === undefined) {
      this.#keys.delete(key);
    } else {
      waiters.delete(next);
      next.begin();
    }
  }

  #watch(): void {
    if (this.#watching) return;
    this.#watching = true;
    this.#runtime.timers.after(SDK_PULSE_MS, () => {
      this.#watching = false;
      const nowMs = this.#runtime.clock.monotonicMs();
      let waiting = 0;
      for (const waiters of this.#keys.values()) {
        for (const waiter of waiters) if (refusedNow(waiter, nowMs)) waiters.delete(waiter);
        waiting += waiters.size;
      }
      if (waiting > 0) this.#watch();
    });
  }
}

/** Refuses a waiter whose time is up or whose caller has given up. */
function refusedNow(waiter: Waiter, nowMs: number): boolean {
  if (waiter.deadlineMs <= nowMs) {
    const message = 'the time was up while other updates of the key were under way';
    waiter.refuse(new TrefoilError('DeadlineExceeded', message));
    return true;
  }
  if (waiter.signal?.aborted !== true) return false;
  waiter.refuse(new TrefoilError('Cancelled', 'cancelled before the update began', { outcome: 'failed' }));
  return true;
}

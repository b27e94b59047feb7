/**
 * Those who wait within this process: for their turn to update a key, for a session with a replica group.
 *
 *     wait ──> a room: a name, and who waits there, in order ──admit───────────> goes on, with what was waited for
 *                                                            ──refuse──────────> rejected by whoever keeps the room
 *                                                            ──time, signal────> rejected by the pulse
 *
 * Deadlines and signals in all rooms are looked at by one timer, which runs only while somebody waits. A room in which nobody waits
 * is none, and costs nothing.
 */
import { TrefoilError } from '../core/errors.js';
import { SDK_PULSE_MS } from '../core/limits.js';
import type { ClientRuntime } from '../runtime/runtime.js';

interface Waiter<T> {
  /** On the monotonic clock. */
  readonly deadlineMs: number;
  readonly signal: AbortSignal | undefined;
  readonly admit: (value: T) => void;
  readonly refuse: (error: TrefoilError) => void;
}

export interface RoomRules {
  /** In each room; one more is refused with `Overloaded`. */
  readonly waitersMax: number;
  /** What is waited for in a room, for messages. */
  readonly what: (room: string) => string;
  /** Who is not refused when the time is up, since the room's keeper will say why. Nobody where absent. */
  readonly told?: (room: string, deadlineMs: number) => boolean;
}

export class WaitingRooms<T> {
  readonly #runtime: Pick<ClientRuntime, 'clock' | 'timers'>;
  readonly #rules: RoomRules;
  readonly #rooms = new Map<string, Set<Waiter<T>>>();
  #watching = false;

  constructor(runtime: Pick<ClientRuntime, 'clock' | 'timers'>, rules: RoomRules) {
    this.#runtime = runtime;
    this.#rules = rules;
  }

  /**
   * Waits at the end of a room; `deadlineMs` is on the monotonic clock. Rejects, with outcome `failed`, with `Overloaded` where the room is full,
   * with `DeadlineExceeded` or `Cancelled`, or with what the room's keeper refuses by.
   */
  wait(room: string, deadlineMs: number, signal: AbortSignal | undefined): Promise<T> {
    return new Promise((admit, refuse) => {
      const waiters = this.#rooms.get(room) ?? new Set();
      if (waiters.size >= this.#rules.waitersMax) {
        const message = `${waiters.size} calls wait already for ${this.#rules.what(room)}`;
        throw new TrefoilError('Overloaded', message, { retryAfterMs: SDK_PULSE_MS });
      }
      this.#rooms.set(room, waiters.add({ deadlineMs, signal, admit, refuse }));
      this.#watch();
    });
  }

  /** The latest deadline of those in a room, or undefined where nobody waits. */
  latestDeadlineMs(room: string): number | undefined {
    const deadlines = [...(this.#rooms.get(room) ?? [])].map(({ deadlineMs }) => deadlineMs);
    return deadlines.length === 0 ? undefined : Math.max(...deadlines);
  }

  /** Admits the first of a room. False where nobody waits. */
  admitFirst(room: string, value: T): boolean {
    const [first] = this.#rooms.get(room) ?? [];
    if (first !== undefined) this.#letGo(room, first).admit(value);
    return first !== undefined;
  }

  admitAll(room: string, value: T): void {
    for (const waiter of [...(this.#rooms.get(room) ?? [])]) this.#letGo(room, waiter).admit(value);
  }

  /** Refuses those in a room whose deadline `whose` picks; the others wait on. */
  refuse(room: string, error: TrefoilError, whose: (deadlineMs: number) => boolean): void {
    for (const waiter of [...(this.#rooms.get(room) ?? [])])
      if (whose(waiter.deadlineMs)) this.#letGo(room, waiter).refuse(error);
  }

  #letGo(room: string, waiter: Waiter<T>): Waiter<T> {
    const waiters = this.#rooms.get(room);
    waiters?.delete(waiter);
    if (waiters?.size === 0) this.#rooms.delete(room);
    return waiter;
  }

  #watch(): void {
    if (this.#watching) return;
    this.#watching = true;
    this.#runtime.timers.after(SDK_PULSE_MS, () => {
      this.#watching = false;
      const nowMs = this.#runtime.clock.monotonicMs();
      for (const [room, waiters] of [...this.#rooms])
        for (const waiter of [...waiters]) {
          const refusal = this.#refusal(room, waiter, nowMs);
          if (refusal !== undefined) this.#letGo(room, waiter).refuse(refusal);
        }
      if (this.#rooms.size > 0) this.#watch();
    });
  }

  /** What ends the waiting of one whose caller has given up or whose time is up. */
  #refusal(room: string, { deadlineMs, signal }: Waiter<T>, nowMs: number): TrefoilError | undefined {
    const { what, told } = this.#rules;
    if (signal?.aborted === true)
      return new TrefoilError('Cancelled', `cancelled while waiting for ${what(room)}`, {
        outcome: 'failed',
      });
    if (deadlineMs > nowMs || told?.(room, deadlineMs) === true) return undefined;
    return new TrefoilError('DeadlineExceeded', `the time was up while waiting for ${what(room)}`);
  }
}

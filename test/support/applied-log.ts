/** A replica's state machine over a store that is a map: entries are applied in turns, and a restart keeps what was flushed. */
import { compareKeys } from '../../src/core/text-order.js';
import type { Command, LogEntry, LoggedPut } from '../../src/protocol/log-codec.js';
import {
  APPLIED_KEY,
  StateMachine,
  type ApplyResult,
  type StateEffects,
  type StateTurn,
} from '../../src/replication/leader-follower/state-machine.js';
import type { LocalRead } from '../../src/replication/strategy.js';

export class AppliedLog implements StateTurn, StateEffects {
  machine = StateMachine.load(undefined, []);
  readonly stored = new Map<string, Uint8Array>();
  readonly counters = new Map<string, number>();
  /** Keys that the store reports as damaged. */
  readonly unreadable = new Set<string>();

  apply(entry: LogEntry): ApplyResult {
    return this.machine.apply(entry, this, this);
  }

  flush(): void {
    this.machine.flush(this);
  }

  /** Ends a turn and opens the state anew from what is stored. */
  restart(): void {
    this.flush();
    this.machine = StateMachine.load(
      this.read(APPLIED_KEY),
      this.entries().filter(([key]) => key.startsWith('s/')),
    );
  }

  entries(): [string, Uint8Array][] {
    return [...this.stored].sort(([a], [b]) => compareKeys(a, b));
  }

  /** All that is stored, as text. */
  content(): [string, string][] {
    return this.entries().map(([key, bytes]) => [key, Buffer.from(bytes).toString('hex')]);
  }

  read(key: string): LocalRead {
    return this.unreadable.has(key) ? 'damaged' : this.stored.get(key);
  }

  putLazily(key: string, value: Uint8Array): void {
    this.unreadable.delete(key);
    this.stored.set(key, value);
  }

  deleteLazily(key: string): void {
    this.unreadable.delete(key);
    this.stored.delete(key);
  }

  count(metric: string, by = 1): void {
    this.counters.set(metric, (this.counters.get(metric) ?? 0) + by);
  }
}

export const put = (
  session: number,
  sequence: number,
  of: Partial<LoggedPut> = {},
  lowestOpen = 0,
): Command => ({
  type: 'put',
  session,
  sequence,
  lowestOpen,
  put: loggedPut(of),
});

export const loggedPut = (of: Partial<LoggedPut> = {}): LoggedPut => ({
  key: 'k',
  value: new Uint8Array([1]),
  ifVersion: null,
  ttlMs: 0,
  ...of,
});

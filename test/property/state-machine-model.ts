/**
 * What a leader-follower group's state should be, by its whole history: every write of a key and every result of an operation is
 * kept, and all questions are answered by looking at all of it. Slow, and plain enough to be believed.
 */
import { hlcFromWallMs, hlcWallMs } from '../../src/core/hlc.js';
import { SESSION_IDLE_MS_MAX } from '../../src/core/limits.js';
import type { LogEntry, LoggedPut, PutAllCommand, PutCommand } from '../../src/protocol/log-codec.js';
import type { ApplyResult } from '../../src/replication/leader-follower/state-machine.js';

interface Written {
  readonly version: number;
  readonly expiresAt: number;
  readonly value: Uint8Array | null;
}

interface ModelSession {
  usedAt: number;
  lowestOpen: number;
  ended: boolean;
}

export class StateModel {
  readonly sessions = new Map<number, ModelSession>();
  readonly #writes = new Map<string, Written[]>();
  /** By session and sequence: how often the operation had an effect, and its results. */
  readonly #effects = new Map<string, number>();
  readonly #results = new Map<string, ApplyResult>();
  #clock = 0;

  apply({ index, hlc, command }: LogEntry): ApplyResult {
    this.#clock = Math.max(this.#clock, hlc);
    for (const session of this.sessions.values()) {
      if (this.#clock - session.usedAt > hlcFromWallMs(SESSION_IDLE_MS_MAX)) session.ended = true;
    }
    switch (command.type) {
      case 'noop':
      case 'tick':
      case 'expire':
        return { type: 'none' };
      case 'open-session':
        this.sessions.set(index, { usedAt: this.#clock, lowestOpen: 0, ended: false });
        return { type: 'session', session: index.toString(36) as never };
      case 'put':
        return this.#operate(command, [command.put], index, hlc);
      case 'put-all':
        return this.#operate(command, command.puts, index, hlc);
    }
  }

  /** The latest write of a key that is not due; undefined where there is none. */
  live(key: string): (Written & { readonly value: Uint8Array }) | undefined {
    const last = this.#writes.get(key)?.at(-1);
    if (last === undefined || last.value === null) return undefined;
    if (last.expiresAt !== 0 && last.expiresAt <= hlcWallMs(this.#clock)) return undefined;
    return { ...last, value: last.value };
  }

  /** The keys whose latest write is due, removed or not. */
  due(keys: readonly string[]): string[] {
    return keys.filter((key) => {
      const last = this.#writes.get(key)?.at(-1);
      return last !== undefined && last.value !== null && this.live(key) === undefined;
    });
  }

  /** The most effects that any operation has had. */
  effectsMax(): number {
    return Math.max(0, ...this.#effects.values());
  }

  #operate(
    { session, sequence, lowestOpen }: PutCommand | PutAllCommand,
    puts: readonly LoggedPut[],
    index: number,
    hlc: number,
  ): ApplyResult {
    const found = this.sessions.get(session);
    if (found === undefined || found.ended) return { type: 'session-expired' };
    found.usedAt = this.#clock;
    found.lowestOpen = Math.max(found.lowestOpen, lowestOpen);
    if (sequence < found.lowestOpen) return { type: 'forgotten' };
    const operation = `${session}/${sequence}`;
    const known = this.#results.get(operation);
    if (known !== undefined) return known;
    const result = this.#attempt(puts, index, hlc);
    this.#results.set(operation, result);
    if (result.type === 'ok') this.#effects.set(operation, (this.#effects.get(operation) ?? 0) + 1);
    return result;
  }

  #attempt(puts: readonly LoggedPut[], index: number, hlc: number): ApplyResult {
    const versions = puts.map(({ key }) => this.live(key)?.version ?? 0);
    const place = puts.findIndex(({ ifVersion }, i) => ifVersion !== null && ifVersion !== versions[i]);
    if (place >= 0) return { type: 'condition-failed', actual: versions[place] as number, place };
    for (const { key, value, ttlMs } of puts) {
      const written = { version: index, expiresAt: ttlMs === 0 ? 0 : hlcWallMs(hlc) + ttlMs, value };
      this.#writes.set(key, [...(this.#writes.get(key) ?? []), written]);
    }
    return { type: 'ok', version: index };
  }
}

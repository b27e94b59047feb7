/**
 * The sessions of one group: what became of the operations whose clients may still retry them. It makes an operation have one
 * effect for as long as its session lives, and none after that (thesis, 6.3).
 *
 *     session ── lowest open 7 ─┬─ 7: done by entry 120          an operation below 7 is over: never applied again
 *                               ├─ 9: refused by entry 121
 *                               └─ 8: done by entry 130
 *
 * Part of the replicated state, so everything here depends on nothing but the entries applied: idleness is measured by the group's
 * clock, and "longest unused" by the index of the last entry, which no two sessions share. The map is kept in that order.
 * A table made from stored sessions acts and encodes as the one that stored them.
 */
import { hlcFromWallMs, type HlcTime } from '../../core/hlc.js';
import { sessionId, type SessionId } from '../../core/ids.js';
import { invariant } from '../../core/invariant.js';
import { SESSION_IDLE_MS_MAX, SESSION_RESULTS_MAX, SESSIONS_MAX } from '../../core/limits.js';
import { encodeSession, type StoredResult, type StoredSession } from '../../protocol/applied-state-codec.js';

const IDLE_MAX = hlcFromWallMs(SESSION_IDLE_MS_MAX);

/** A stored session under way. */
interface Session extends StoredSession {
  usedAt: HlcTime;
  usedBy: number;
  lowestOpen: number;
  readonly results: Map<number, StoredResult>;
}

/**
 * What the table knows of an operation. `new`: apply it and record what comes of it. `forgotten`: it is over, and must not be
 * applied. `too-many-open`: as many results are kept as may be.
 */
export type Lookup = 'unknown-session' | 'new' | 'forgotten' | 'too-many-open' | StoredResult;

/** How a session is called outside the group: its index in base 36. */
export function sessionName(index: number): SessionId {
  return sessionId(index.toString(36));
}

/** The index of a session's name; null for a text that names none. */
export function sessionIndex(name: string): number | null {
  if (!/^[1-9a-z][0-9a-z]{0,10}$/.test(name)) return null;
  const index = parseInt(name, 36);
  return Number.isSafeInteger(index) ? index : null;
}

export class SessionTable {
  /** By index, the one that was unused longest first. */
  readonly #sessions = new Map<number, Session>();
  readonly #changed = new Set<number>();
  /** The one that was used last: as long as it goes on, the order stands. */
  #latest: Session | undefined;
  /** No session was last used before this. A map is slow to tell its first entry after many were taken from its front. */
  #usedAtMin: HlcTime = 0;

  /** From stored sessions, in any order. */
  constructor(stored: readonly StoredSession[] = []) {
    for (const session of stored.toSorted((a, b) => a.usedBy - b.usedBy)) {
      this.#latest = { ...session, results: new Map(session.results) };
      this.#sessions.set(session.index, this.#latest);
    }
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** Opens the session that the entry of this index names. With too many open, the one that was unused longest ends: returns how many did. */
  begin(index: number, clock: HlcTime): number {
    invariant(index > (this.#latest?.usedBy ?? 0), 'a session is named by a new entry');
    let ended = 0;
    for (const oldest of this.#sessions.keys()) {
      if (this.#sessions.size < SESSIONS_MAX) break;
      this.#end(oldest);
      ended++;
    }
    const session: Session = { index, usedAt: clock, usedBy: index, lowestOpen: 0, results: new Map() };
    this.#sessions.set(index, session);
    this.#latest = session;
    this.#changed.add(index);
    return ended;
  }

  /** An entry belongs to the session: it is in use, and forgets operations below `lowestOpen`, which never goes back. */
  touch(session: number, index: number, clock: HlcTime, lowestOpen: number): void {
    const found = this.#sessions.get(session);
    if (found === undefined) return;
    found.usedAt = clock;
    found.usedBy = index;
    if (lowestOpen > found.lowestOpen) forgetBelow(found, lowestOpen);
    if (found !== this.#latest) {
      this.#sessions.delete(session);
      this.#sessions.set(session, found);
      this.#latest = found;
    }
    this.#changed.add(session);
  }

  lookup(session: number, sequence: number): Lookup {
    const found = this.#sessions.get(session);
    if (found === undefined) return 'unknown-session';
    if (sequence < found.lowestOpen) return 'forgotten';
    const result = found.results.get(sequence);
    if (result !== undefined) return result;
    return found.results.size < SESSION_RESULTS_MAX ? 'new' : 'too-many-open';
  }

  /**
   * Whether an operation will be known as one of a session, and so be applied or have been, where its entry has this time and is the
   * `ahead`-th from here, whatever the entries before it say.
   */
  willTake(session: number, sequence: number, clock: HlcTime, ahead: number): boolean {
    const found = this.#sessions.get(session);
    if (found === undefined || clock - found.usedAt > IDLE_MAX || sequence < found.lowestOpen) return false;
    return found.results.size + ahead <= SESSION_RESULTS_MAX && this.#sessions.size + ahead <= SESSIONS_MAX;
  }

  /** Keeps the result of an operation that `lookup` called new, in the entry that `touch` told of. */
  record(session: number, sequence: number, result: StoredResult): void {
    const found = this.#sessions.get(session);
    const index = typeof result === 'number' ? result : result.index;
    invariant(
      found !== undefined && found.usedBy === index,
      'a result belongs to the entry that is being applied',
    );
    found.results.set(sequence, result);
    this.#changed.add(session);
  }

  /** Ends the sessions that have been unused for longer than `SESSION_IDLE_MS_MAX`; returns how many. */
  expire(clock: HlcTime): number {
    if (clock - this.#usedAtMin <= IDLE_MAX) return 0;
    let ended = 0;
    this.#usedAtMin = clock;
    for (const session of this.#sessions.values()) {
      if (clock - session.usedAt <= IDLE_MAX) {
        this.#usedAtMin = session.usedAt;
        break;
      }
      this.#end(session.index);
      ended++;
    }
    return ended;
  }

  /** What has changed since the last call: the sessions' encodings, null for those that ended. */
  takeChanged(): [session: number, encoded: Uint8Array | null][] {
    const changed = Array.from(this.#changed, (index): [number, Uint8Array | null] => {
      const session = this.#sessions.get(index);
      return [index, session === undefined ? null : encodeSession(session)];
    });
    this.#changed.clear();
    return changed;
  }

  #end(index: number): void {
    this.#sessions.delete(index);
    this.#changed.add(index);
  }
}

/** Walks what there is less of: the sequences that are over, or the results. */
function forgetBelow(session: Session, lowestOpen: number): void {
  if (lowestOpen - session.lowestOpen <= session.results.size) {
    for (let sequence = session.lowestOpen; sequence < lowestOpen; sequence++)
      session.results.delete(sequence);
  } else {
    for (const sequence of session.results.keys())
      if (sequence < lowestOpen) session.results.delete(sequence);
  }
  session.lowestOpen = lowestOpen;
}

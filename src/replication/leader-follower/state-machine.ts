/**
 * What a leader-follower replica does with committed entries: the replicated state, and nothing of how entries come to be
 * committed.
 *
 *     a                            how far: generation, index, term, clock     (applied-state-codec.ts)
 *     d/<generation>/<key>         the value and its version                   (versioned-record-codec.ts)
 *     s/<generation>/<session>     an open session and its results             (session-table.ts)
 *
 * Two replicas that have applied the same entries have the same bytes under all of these, whatever turns and restarts lay between.
 * So an entry is applied by what it says and by the state before it alone: time is the group's clock, the highest time of an applied
 * entry. Sessions stand under a generation as values do: a snapshot fills the next one beside them, and the switch is one write of `a`.
 *
 * All writes are lazy: they can be made again from the log (docs/adr/0016). A step that applies entries ends with `flush`, so that `a`
 * is in the batch of the keys that it speaks for.
 *
 * A record that fails its checksum is unknown, not absent. An entry whose effect depends on one cannot be applied, nor can any
 * after it: the state is then `damaged` until a snapshot replaces it. A put without a condition depends on nothing, and heals the key.
 * An only replica, which nobody can refill and which nobody can differ from, passes such an entry over instead: it has no effect.
 */
import { hlcWallMs, type HlcTime } from '../../core/hlc.js';
import type { SessionId } from '../../core/ids.js';
import { invariant, unreachable } from '../../core/invariant.js';
import {
  decodeAppliedState,
  decodeSession,
  encodeAppliedState,
  type AppliedState,
  type StoredResult,
  type StoredSession,
} from '../../protocol/applied-state-codec.js';
import type { LogEntry, LoggedPut, PutAllCommand, PutCommand } from '../../protocol/log-codec.js';
import {
  checkVersioned,
  decodeCheckedVersioned,
  encodeVersioned,
  versionedHeader,
  type VersionedHeader,
  type VersionedRecord,
} from '../../protocol/versioned-record-codec.js';
import type { Effects, LocalRead, Turn } from '../strategy.js';
import { sessionName, SessionTable } from './session-table.js';

export type StateTurn = Pick<Turn, 'read'>;
export type StateEffects = Pick<Effects, 'putLazily' | 'deleteLazily' | 'count'>;

/** Entries of a scan. */
type Stored = readonly (readonly [key: string, value: Uint8Array])[];

export type ApplyResult =
  /** Written, now or when the operation was applied first. */
  | { readonly type: 'ok'; readonly version: number }
  /** The version that the key had instead, 0 where it was absent; and which put of a `put-all` it was. */
  | { readonly type: 'condition-failed'; readonly actual: number; readonly place: number }
  | { readonly type: 'session'; readonly session: SessionId }
  /** The group knows no such session. This entry had no effect; an earlier one of the same operation may have had one. */
  | { readonly type: 'session-expired' }
  /** The client has said that this operation is over. */
  | { readonly type: 'forgotten' }
  /** The session has too many results that its client may still ask for. This entry had no effect; a retry may. */
  | { readonly type: 'too-many-open' }
  /** An entry of the group's own. */
  | { readonly type: 'none' }
  /** Not applied: the state is unknown at this key. */
  | { readonly type: 'damaged'; readonly key: string };

export const APPLIED_KEY = 'a';

/** The range of all sessions, of every generation. */
export const SESSION_KEYS = { gte: 's/', lt: 's0' } as const;

type Damaged = Extract<ApplyResult, { readonly type: 'damaged' }>;

const NONE: ApplyResult = { type: 'none' };
const NOTHING_APPLIED: AppliedState = { generation: 0, index: 0, term: 0, clock: 0 };

/** What the keys of a generation's values begin with. */
export function dataPrefix(generation: number): string {
  return `d/${generation}/`;
}

/** What the keys of a generation's sessions begin with. */
export function sessionPrefix(generation: number): string {
  return `s/${generation}/`;
}

export class StateMachine {
  readonly #generation: number;
  readonly #dataPrefix: string;
  readonly #sessionPrefix: string;
  readonly #sessions: SessionTable;
  #index: number;
  #term: number;
  #clock: HlcTime;
  /** The key that was found damaged. */
  #damage: string | null = null;
  #flushed = true;
  /** Of an only replica. */
  readonly #alone: boolean;

  /** A state that has applied nothing yet, unless it is told otherwise. */
  constructor(state: AppliedState = NOTHING_APPLIED, sessions = new SessionTable(), alone = false) {
    this.#alone = alone;
    this.#generation = state.generation;
    this.#dataPrefix = dataPrefix(state.generation);
    this.#sessionPrefix = sessionPrefix(state.generation);
    this.#sessions = sessions;
    this.#index = state.index;
    this.#term = state.term;
    this.#clock = state.clock;
  }

  /**
   * From what is stored: the value of `APPLIED_KEY`, and what a scan of `SESSION_KEYS` gave; sessions of other generations are left
   * out. The state is damaged where any of it cannot be read.
   */
  static load(applied: LocalRead, sessions: Stored | 'damaged', alone = false): StateMachine {
    const state = readApplied(applied);
    const table = state === null || sessions === 'damaged' ? null : readSessions(state.generation, sessions);
    const machine = new StateMachine(state ?? NOTHING_APPLIED, table ?? new SessionTable(), alone);
    if (table === null) machine.#damage = state === null ? APPLIED_KEY : SESSION_KEYS.gte;
    return machine;
  }

  /** Index of the last entry applied, 0 for none. */
  get appliedIndex(): number {
    return this.#index;
  }

  get appliedTerm(): number {
    return this.#term;
  }

  /** The highest time of an applied entry: by it values expire and sessions end. */
  get clock(): HlcTime {
    return this.#clock;
  }

  get generation(): number {
    return this.#generation;
  }

  get sessions(): number {
    return this.#sessions.size;
  }

  /** Nothing is applied any more: the replica must be refilled. */
  get damaged(): boolean {
    return this.#damage !== null;
  }

  /**
   * Applies the entry that follows the last one. Never throws for what an entry says. `damaged` once is `damaged` for ever, but in an only
   * replica: nothing is applied any more.
   */
  apply(entry: LogEntry, turn: StateTurn, effects: StateEffects): ApplyResult {
    if (this.#damage !== null) return { type: 'damaged', key: this.#damage };
    invariant(entry.index === this.#index + 1, 'entries are applied in the order of the log');
    this.#flushed = false;
    if (entry.hlc > this.#clock) this.#clock = entry.hlc;
    this.#countEnded(this.#sessions.expire(this.#clock), effects);
    const result = this.#execute(entry, turn, effects);
    if (result.type === 'damaged' && !this.#alone) {
      // What was done for this entry so far can be done again: the applied index tells that it was not applied.
      this.#damage = result.key;
      return result;
    }
    this.#index = entry.index;
    this.#term = entry.term;
    return result;
  }

  /** Whether a write without a condition, which is in the log and not applied, will surely have its effect. */
  willTake({ index, hlc, command }: LogEntry): boolean {
    if (command.type !== 'put' || command.put.ifVersion !== null) return false;
    return this.#sessions.willTake(command.session, command.sequence, hlc, index - this.#index);
  }

  /** Ends a step that has applied entries: puts `a` and the sessions that changed. */
  flush(effects: StateEffects): void {
    if (this.#flushed) return;
    this.#flushed = true;
    for (const [session, encoded] of this.#sessions.takeChanged()) {
      const key = this.#sessionPrefix + sessionName(session);
      if (encoded === null) effects.deleteLazily(key);
      else effects.putLazily(key, encoded);
    }
    effects.putLazily(APPLIED_KEY, encodeAppliedState(this.#applied()));
  }

  /**
   * The value of a key: a view of the stored bytes. null where it is absent, or due by the group's clock. A reader by whose own clock it is
   * due already waits for an entry that moves the group's.
   */
  get(key: string, turn: StateTurn): VersionedRecord | null | 'damaged' {
    const record = this.#record(key, turn, decodeCheckedVersioned);
    return record === null || record === 'damaged' || !this.#isDue(record) ? record : null;
  }

  #applied(): AppliedState {
    return { generation: this.#generation, index: this.#index, term: this.#term, clock: this.#clock };
  }

  #execute(entry: LogEntry, turn: StateTurn, effects: StateEffects): ApplyResult {
    const { command } = entry;
    switch (command.type) {
      case 'noop':
      case 'tick':
        return NONE;
      case 'open-session':
        this.#countEnded(this.#sessions.begin(entry.index, this.#clock), effects);
        return { type: 'session', session: sessionName(entry.index) };
      case 'put':
      case 'put-all':
        return this.#write(entry, command, turn, effects);
      case 'expire':
        return this.#expire(command.keys, turn, effects);
      default:
        return unreachable(command);
    }
  }

  #write(
    entry: LogEntry,
    command: PutCommand | PutAllCommand,
    turn: StateTurn,
    effects: StateEffects,
  ): ApplyResult {
    const { session, sequence } = command;
    this.#sessions.touch(session, entry.index, this.#clock, command.lowestOpen);
    const known = this.#sessions.lookup(session, sequence);
    switch (known) {
      case 'unknown-session':
        return { type: 'session-expired' };
      case 'forgotten':
      case 'too-many-open':
        return { type: known };
      case 'new':
        break;
      default:
        effects.count('operations_repeated');
        return answer(known);
    }

    const result =
      command.type === 'put'
        ? this.#put(entry, command.put, turn, effects)
        : this.#putAll(entry, command.puts, turn, effects);
    if (typeof result === 'object' && 'type' in result) return result;
    this.#sessions.record(session, sequence, result);
    return answer(result);
  }

  #put(entry: LogEntry, put: LoggedPut, turn: StateTurn, effects: StateEffects): StoredResult | Damaged {
    const refusal = this.#refusal(entry, put, 0, turn);
    if (refusal !== null) return refusal;
    this.#store(entry, put, effects);
    return entry.index;
  }

  /** All conditions are asked of the state before the entry; then all puts are made, or none. */
  #putAll(
    entry: LogEntry,
    puts: readonly LoggedPut[],
    turn: StateTurn,
    effects: StateEffects,
  ): StoredResult | Damaged {
    for (const [place, put] of puts.entries()) {
      const refusal = this.#refusal(entry, put, place, turn);
      if (refusal !== null) return refusal;
    }
    for (const put of puts) this.#store(entry, put, effects);
    return entry.index;
  }

  /** Why a put's condition forbids it, or null where it does not. */
  #refusal(
    entry: LogEntry,
    { key, ifVersion }: LoggedPut,
    place: number,
    turn: StateTurn,
  ): Exclude<StoredResult, number> | Damaged | null {
    if (ifVersion === null) return null;
    const header = this.#header(key, turn);
    if (header === 'damaged') return { type: 'damaged', key: this.#dataPrefix + key };
    const actual = header === null || this.#isDue(header) ? 0 : header.version;
    return actual === ifVersion ? null : { index: entry.index, actual, place };
  }

  #store({ index, hlc }: LogEntry, { key, value, ttlMs }: LoggedPut, effects: StateEffects): void {
    if (value === null) return effects.deleteLazily(this.#dataPrefix + key);
    const expiresAt = ttlMs === 0 ? 0 : hlcWallMs(hlc) + ttlMs;
    effects.putLazily(this.#dataPrefix + key, encodeVersioned({ version: index, hlc, expiresAt, value }));
  }

  /** A key that has been written anew since it was found due stays. */
  #expire(keys: readonly string[], turn: StateTurn, effects: StateEffects): ApplyResult {
    const due: string[] = [];
    for (const key of keys) {
      const header = this.#header(key, turn);
      if (header === 'damaged') return { type: 'damaged', key: this.#dataPrefix + key };
      if (header !== null && this.#isDue(header)) due.push(key);
    }
    for (const key of due) effects.deleteLazily(this.#dataPrefix + key);
    if (due.length > 0) effects.count('values_expired', due.length);
    return NONE;
  }

  #isDue({ expiresAt }: VersionedHeader): boolean {
    return expiresAt !== 0 && expiresAt <= hlcWallMs(this.#clock);
  }

  #header(key: string, turn: StateTurn): VersionedHeader | null | 'damaged' {
    return this.#record(key, turn, versionedHeader);
  }

  #record<T>(key: string, turn: StateTurn, decode: (bytes: Uint8Array) => T): T | null | 'damaged' {
    const bytes = turn.read(this.#dataPrefix + key);
    if (bytes === undefined) return null;
    if (bytes === 'damaged') return 'damaged';
    return decodeWhole(bytes, decode) ?? 'damaged';
  }

  #countEnded(sessions: number, effects: StateEffects): void {
    if (sessions > 0) effects.count('sessions_ended', sessions);
  }
}

/**
 * The keys of a page of a generation's data whose values are due at a time: what an `expire` may name. What cannot be read is
 * left out: only an entry that depends on it shall find the state damaged.
 */
export function findDue(generation: number, page: Stored, wallMs: number): string[] {
  const prefixLength = dataPrefix(generation).length;
  const due: string[] = [];
  for (const [key, bytes] of page) {
    const expiresAt = decodeWhole(bytes, versionedHeader)?.expiresAt ?? 0;
    if (expiresAt !== 0 && expiresAt <= wallMs) due.push(key.slice(prefixLength));
  }
  return due;
}

/** null where it is damaged. */
function readApplied(bytes: LocalRead): AppliedState | null {
  if (bytes === undefined) return NOTHING_APPLIED;
  if (bytes === 'damaged') return null;
  try {
    return decodeAppliedState(bytes);
  } catch {
    return null;
  }
}

/** null where one of them is damaged, or is not under its own name. */
function readSessions(generation: number, stored: Stored): SessionTable | null {
  const prefix = sessionPrefix(generation);
  const own = stored.filter(([key]) => key.startsWith(prefix));
  try {
    const sessions = own.map(([, bytes]) => decodeSession(bytes));
    const named = own.every(([key], i) => key === prefix + sessionName((sessions[i] as StoredSession).index));
    return named ? new SessionTable(sessions) : null;
  } catch {
    return null;
  }
}

function answer(result: StoredResult): ApplyResult {
  return typeof result === 'number'
    ? { type: 'ok', version: result }
    : { type: 'condition-failed', actual: result.actual, place: result.place };
}

/** What `decode` makes of a record, or null where it is damaged. */
function decodeWhole<T>(bytes: Uint8Array, decode: (bytes: Uint8Array) => T): T | null {
  if (!checkVersioned(bytes)) return null;
  try {
    return decode(bytes);
  } catch {
    return null;
  }
}

/**
 * How a replica finds what it knew: the hard state is read at once, the log and the sessions by scans, before it takes part again.
 *
 *     [wipe] ──> log ──> sessions ──> opened
 *
 * What cannot be read is not guessed: the replica then begins a new life without any of it (docs/adr/0017), and so it does where the
 * store itself is another one than that in which the life began.
 */
import { SCAN_PAGE_ENTRIES_MAX } from '../../core/limits.js';
import {
  decodeHardState,
  decodeLogBase,
  encodeHardState,
  type StoredHardState,
} from '../../protocol/hard-state-codec.js';
import { LOG_KEYS } from '../../protocol/log-codec.js';
import type { Effects, ReplicaEvent, Turn } from '../strategy.js';
import type { GroupFacts } from './group-facts.js';
import { RaftLog, type LogPosition, type Segment } from './raft/raft-log.js';
import { APPLIED_KEY, SESSION_KEYS, StateMachine } from './state-machine.js';
import { STORED_SEGMENTS, storedSegment } from './stored-segments.js';
import { LOG_CACHE_BYTES } from './tuning.js';

export const HARD_STATE_KEY = 'h';
export const LOG_BASE_KEY = 'b';

/** The scans of an opening. */
export const OPENING = 'open/';

const LIFE_BOUND = 2 ** 32;

/** Everything but the hard state, which stands between. */
const WIPED = [
  { gte: 'a', lt: HARD_STATE_KEY },
  { gte: 'i', lt: 'z' },
] as const;

/** In a stored hard state: what is stored beside it belongs to no life, or part of it has been emptied. */
export const NO_STORE = '';

/** The same, for no other reason than that it was written in another store: all of it is there still. */
export const COPIED_STORE = 'copied';

export type Scanned = Extract<ReplicaEvent, { readonly type: 'scanned' }>;

export interface Opened {
  readonly hard: StoredHardState;
  readonly log: RaftLog;
  readonly state: StateMachine;
}

/** The hard state with which a replica starts in this store, and whether what else is there is to be relied on. */
export interface Start {
  readonly hard: StoredHardState;
  readonly trusted: boolean;
  /** The hard state is not the stored one. */
  readonly changed: boolean;
  /** Not trusted, but whole: it was only written in another store. */
  readonly copied: boolean;
}

export function startingState(facts: GroupFacts, turn: Turn): Start {
  const found = readHardState(turn);
  const start = (hard: StoredHardState, rest: Partial<Start> = {}): Start => ({
    hard,
    trusted: true,
    changed: true,
    copied: false,
    ...rest,
  });
  // Nobody else can contradict an only replica, nor refill it: what there is is the state, and what was damaged may be mended.
  const alone = facts.peers.length === 0;
  if (found === undefined) return start(newLife(facts, turn, { term: 0, votedFor: null, standing: 'fresh' }));
  if (found === 'damaged') {
    const standing = alone ? 'member' : 'joining';
    return start(newLife(facts, turn, { term: 0, votedFor: null, standing }), { trusted: alone });
  }
  if (alone) {
    const standing = found.standing === 'joining' ? 'member' : found.standing;
    return start({ ...found, standing, store: facts.store });
  }
  if (found.store === facts.store) return start(found, { changed: false });
  const copied = found.store !== NO_STORE;
  if (facts.trustStore && copied) {
    // One that distrusted a copy, at a start without the operator's word, has it all still; one that was being refilled has not.
    return start({
      ...found,
      standing: wasDistrusted(found) ? 'member' : found.standing,
      store: facts.store,
    });
  }
  const whole = copied && (found.standing !== 'joining' || wasDistrusted(found));
  return start(endedLife(facts, turn, found), { trusted: false, copied: whole });
}

function wasDistrusted({ standing, store }: StoredHardState): boolean {
  return standing === 'joining' && store === COPIED_STORE;
}

/** What follows a life in which something was forgotten. A replica that was never part of a group has had nothing to forget. */
export function endedLife(facts: GroupFacts, turn: Turn, hard: StoredHardState): StoredHardState {
  const { term, votedFor } = hard;
  const standing = hard.standing === 'fresh' ? 'fresh' : 'joining';
  return newLife(facts, turn, { term, votedFor, standing });
}

function newLife(
  { store }: GroupFacts,
  turn: Turn,
  rest: Pick<StoredHardState, 'term' | 'votedFor' | 'standing'>,
): StoredHardState {
  return { ...rest, life: turn.random.integer(LIFE_BOUND), store, formed: [] };
}

function readHardState(turn: Turn): StoredHardState | undefined | 'damaged' {
  const bytes = turn.read(HARD_STATE_KEY);
  if (bytes === undefined || bytes === 'damaged') return bytes;
  try {
    return decodeHardState(bytes);
  } catch {
    return 'damaged';
  }
}

export class Opening {
  readonly hard: StoredHardState;
  readonly #alone: boolean;
  readonly #wipes: { readonly gte: string; readonly lt: string }[];
  #log: RaftLog | undefined;
  #applied = 0;
  #sessions: (readonly [key: string, value: Uint8Array])[] = [];

  /** `alone`: of an only replica. */
  constructor(hard: StoredHardState, { wipe, alone }: { readonly wipe: boolean; readonly alone: boolean }) {
    this.hard = hard;
    this.#alone = alone;
    this.#wipes = wipe ? [...WIPED] : [];
  }

  /** Whether there is something left to be emptied. */
  get wiping(): boolean {
    return this.#wipes.length > 0;
  }

  /** `changed`: the hard state is not the stored one yet. */
  begin(changed: boolean, turn: Turn, effects: Effects): 'opening' | 'damaged' {
    if (changed) effects.put(HARD_STATE_KEY, encodeHardState(this.hard));
    return this.#next(turn, effects);
  }

  scanned(event: Scanned, turn: Turn, effects: Effects): Opened | 'opening' | 'damaged' {
    if (event.scan === `${OPENING}wipe`) return this.#wiped(event, turn, effects);
    if (event.damaged) return 'damaged';
    return event.scan === `${OPENING}log`
      ? this.#logRead(event, effects)
      : this.#sessionsRead(event, turn, effects);
  }

  #next(turn: Turn, effects: Effects): 'opening' | 'damaged' {
    const [range] = this.#wipes;
    if (range !== undefined) {
      effects.scan(`${OPENING}wipe`, range, SCAN_PAGE_ENTRIES_MAX);
      return 'opening';
    }
    const base = readBase(turn);
    const state = base === null ? null : StateMachine.load(turn.read(APPLIED_KEY), []);
    if (base === null || state === null || state.damaged) return 'damaged';
    this.#applied = state.appliedIndex;
    this.#log = new RaftLog(STORED_SEGMENTS, base);
    effects.scan(`${OPENING}log`, LOG_KEYS, SCAN_PAGE_ENTRIES_MAX);
    return 'opening';
  }

  /** A range that cannot be read cannot be emptied either; its keys are asked for again. */
  #wiped(event: Scanned, turn: Turn, effects: Effects): 'opening' | 'damaged' {
    const [range] = this.#wipes;
    for (const [key] of event.entries) effects.deleteLazily(key);
    if (event.damaged || range === undefined) return 'damaged';
    if (event.more) effects.scan(event.scan, { gte: range.gte, lt: range.lt }, SCAN_PAGE_ENTRIES_MAX);
    else this.#wipes.shift();
    // All of it has gone, or goes with this: the life begins in this store.
    if (this.#wipes.length === 0) effects.put(HARD_STATE_KEY, encodeHardState(this.hard));
    return event.more ? 'opening' : this.#next(turn, effects);
  }

  #logRead(event: Scanned, effects: Effects): 'opening' | 'damaged' {
    const log = this.#log as RaftLog;
    for (const [, bytes] of event.entries) {
      const segment = readSegment(bytes);
      const follows = segment?.first === log.last.index + 1;
      if (segment === null || !follows || (segment.runs[0]?.[1] ?? 0) < log.last.term) return 'damaged';
      log.restore(segment);
    }
    log.forget(this.#applied, LOG_CACHE_BYTES);
    const [last] = event.entries.at(-1) ?? [];
    if (event.more && last !== undefined)
      effects.scan(event.scan, { gt: last, lt: LOG_KEYS.lt }, SCAN_PAGE_ENTRIES_MAX);
    else effects.scan(`${OPENING}sessions`, SESSION_KEYS, SCAN_PAGE_ENTRIES_MAX);
    return 'opening';
  }

  #sessionsRead(event: Scanned, turn: Turn, effects: Effects): Opened | 'opening' | 'damaged' {
    this.#sessions.push(...event.entries);
    const [last] = event.entries.at(-1) ?? [];
    if (event.more && last !== undefined) {
      effects.scan(event.scan, { gt: last, lt: SESSION_KEYS.lt }, SCAN_PAGE_ENTRIES_MAX);
      return 'opening';
    }
    const log = this.#log as RaftLog;
    const state = StateMachine.load(turn.read(APPLIED_KEY), this.#sessions, this.#alone);
    // What was applied is in the log, or the log begins after it.
    if (state.damaged || log.termAt(state.appliedIndex) !== state.appliedTerm) return 'damaged';
    return { hard: this.#alone ? notBefore(log.last.term, this.hard) : this.hard, log, state };
  }
}

/** Of an only replica whose hard state was damaged the log tells which terms there were; nobody else can have had its vote. */
function notBefore(term: number, hard: StoredHardState): StoredHardState {
  return hard.term < term ? { ...hard, term, votedFor: null } : hard;
}

/** Where the log begins; null where that cannot be told. */
function readBase(turn: Turn): LogPosition | null {
  const bytes = turn.read(LOG_BASE_KEY);
  if (bytes === undefined) return { index: 0, term: 0 };
  if (bytes === 'damaged') return null;
  try {
    return decodeLogBase(bytes);
  } catch {
    return null;
  }
}

function readSegment(bytes: Uint8Array): Segment | null {
  try {
    return storedSegment(bytes);
  } catch {
    return null;
  }
}

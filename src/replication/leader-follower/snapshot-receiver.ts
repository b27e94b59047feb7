/**
 * Takes the state from a leader: pieces fill a generation of keys of their own beside the present ones, and the last piece switches to it
 * in one batch. Until then nothing has changed; a transfer that stops leaves keys that the cleaner takes away.
 *
 * A piece is answered once it is on disk: the sender waits for that, and so goes no faster than this disk.
 */
import { TrefoilError } from '../../core/errors.js';
import type { NodeId } from '../../core/ids.js';
import { decodeAppliedState, encodeAppliedState } from '../../protocol/applied-state-codec.js';
import type { InstallSnapshot } from '../../protocol/leader-follower-messages.js';
import { checkVersioned } from '../../protocol/versioned-record-codec.js';
import type { Effects, Turn } from '../strategy.js';
import type { LogPosition } from './raft/raft-log.js';
import { APPLIED_KEY, dataPrefix, sessionPrefix, StateMachine } from './state-machine.js';

const DATA = 'd/';
const SESSIONS = 's/';

const GENERATION_BOUND = 2 ** 31;

interface Receiving {
  readonly from: NodeId;
  readonly snapshot: number;
  readonly generation: number;
  received: string;
  readonly sessions: (readonly [key: string, value: Uint8Array])[];
}

export interface Received {
  /** Everything up to this key is there. */
  readonly received: string;
  /** The last piece has come: the state that is now the replica's, and where its log begins. */
  readonly installed: { readonly state: StateMachine; readonly position: LogPosition } | undefined;
}

export class SnapshotReceiver {
  #receiving: Receiving | undefined;

  /** The generation that is being filled; undefined where none is. */
  get generation(): number | undefined {
    return this.#receiving?.generation;
  }

  /**
   * Takes a piece. Throws `MalformedFrame` for one that no snapshot has. When it is the last, the step's writes make the new state the
   * stored one; the log's keys are left to the caller.
   */
  take(from: NodeId, piece: InstallSnapshot, present: StateMachine, turn: Turn, effects: Effects): Received {
    const receiving = this.#receivingOf(from, piece, present, turn);
    if (receiving === undefined) return { received: '', installed: undefined };
    if (piece.after !== receiving.received) return { received: receiving.received, installed: undefined };
    for (const [key, value] of piece.entries) this.#store(receiving, key, value, effects);
    receiving.received = piece.entries.at(-1)?.[0] ?? piece.after;
    if (!piece.last) return { received: receiving.received, installed: undefined };
    this.#receiving = undefined;
    return { received: receiving.received, installed: this.#install(receiving, piece, effects) };
  }

  #receivingOf(
    from: NodeId,
    { snapshot, after }: InstallSnapshot,
    present: StateMachine,
    turn: Turn,
  ): Receiving | undefined {
    const current = this.#receiving;
    if (current?.from === from && current.snapshot === snapshot && after !== '') return current;
    // The middle of one whose beginning was forgotten.
    if (after !== '') return undefined;
    const drawn = turn.random.integer(GENERATION_BOUND);
    const generation = drawn === present.generation ? drawn + 1 : drawn;
    this.#receiving = { from, snapshot, generation, received: '', sessions: [] };
    return this.#receiving;
  }

  #store({ generation, sessions }: Receiving, key: string, value: Uint8Array, effects: Effects): void {
    if (key === APPLIED_KEY) return;
    if (key.startsWith(DATA) && checkVersioned(value)) {
      effects.put(dataPrefix(generation) + key.slice(DATA.length), value);
    } else if (key.startsWith(SESSIONS)) {
      const own = sessionPrefix(generation) + key.slice(SESSIONS.length);
      sessions.push([own, value]);
      effects.put(own, value);
    } else {
      throw new TrefoilError('MalformedFrame', 'a piece of a snapshot holds what is no part of the state');
    }
  }

  #install(
    { generation, sessions }: Receiving,
    { entries, index, indexTerm }: InstallSnapshot,
    effects: Effects,
  ): { readonly state: StateMachine; readonly position: LogPosition } {
    const [, sent] = entries.find(([key]) => key === APPLIED_KEY) ?? [];
    const come = sent === undefined ? undefined : decodeAppliedState(sent);
    if (come?.index !== index || come.term !== indexTerm)
      throw new TrefoilError('MalformedFrame', 'a snapshot does not say how far it had come');
    const applied = encodeAppliedState({ ...come, generation });
    const state = StateMachine.load(applied, sessions);
    if (state.damaged) throw new TrefoilError('MalformedFrame', 'a session in a snapshot cannot be read');
    const position = { index, term: indexTerm };
    effects.put(APPLIED_KEY, applied);
    return { state, position };
  }
}

/**
 * Carries out what the core asks for: puts its term, vote and log on disk, and lets its messages leave when they may.
 *
 *     early message      at once, unless a term, a vote or a new state is not on disk yet
 *     any other message  when everything that this replica has put so far is on disk
 *
 * `#mustBeOnDisk` marks the last write of the first kind, `#lastWrite` the last of all.
 */
import type { NodeId } from '../../core/ids.js';
import { encodeHardState, encodeLogBase, type StoredHardState } from '../../protocol/hard-state-codec.js';
import type { LeaderFollowerMessage } from '../../protocol/leader-follower-messages.js';
import { logKey } from '../../protocol/log-codec.js';
import type { Effects, Turn, WriteMark } from '../strategy.js';
import { HARD_STATE_KEY, LOG_BASE_KEY } from './opening.js';
import type { HardState, Ready } from './raft/raft-types.js';
import type { LogChange, LogMark, RaftLog } from './raft/raft-log.js';
import { COMPACT_SEGMENTS_MAX, COMPACT_TO, HELD_MAX } from './tuning.js';

export class DurableLog {
  #hard: StoredHardState;
  #mustBeOnDisk: WriteMark = 0;
  #lastWrite: WriteMark = 0;
  /** What is on disk once the writes of a token are. */
  readonly #throughs = new Map<number, LogMark>();
  #lastToken = 0;

  constructor(hard: StoredHardState) {
    this.#hard = hard;
  }

  /** As it is stored, or about to be. */
  get hard(): StoredHardState {
    return this.#hard;
  }

  /** Writes and messages of a turn of the core. */
  execute({ hard, changes, through, messages }: Ready, turn: Turn, effects: Effects): void {
    if (hard !== null) this.#putHard({ ...this.#hard, ...stored(hard, this.#hard) }, effects);
    for (const change of changes) putChange(change, effects);
    if (hard !== null || changes.length > 0) {
      this.#lastWrite = effects.mark();
      const token = ++this.#lastToken;
      this.#throughs.set(token, through);
      effects.whenDurable(token);
    }
    if (messages.length === 0) return;
    const mayLeaveEarly = turn.written(this.#mustBeOnDisk);
    let waits = false;
    for (const { to, message, early } of messages) {
      if (early && mayLeaveEarly) {
        effects.sendEarly(to, message);
        continue;
      }
      waits = true;
      effects.send(to, message);
    }
    if (waits) effects.waitFor(this.#lastWrite);
  }

  /** What has come to be on disk with a token's writes. */
  durable(token: number): LogMark | undefined {
    const through = this.#throughs.get(token);
    this.#throughs.delete(token);
    return through;
  }

  /** Changes what the core does not know of: how this replica stands to its group. */
  changeStanding(change: Pick<StoredHardState, 'standing' | 'formed'>, effects: Effects): void {
    this.#putHard({ ...this.#hard, ...change }, effects);
    this.#lastWrite = effects.mark();
  }

  /** This step has put a state that nothing may leave before. */
  replacedState(effects: Effects): void {
    this.#lastWrite = effects.mark();
    this.#mustBeOnDisk = this.#lastWrite;
  }

  /** Sends what speaks of this replica's disk. */
  sendDurably(to: NodeId, message: LeaderFollowerMessage, effects: Effects): void {
    effects.send(to, message);
    effects.waitFor(this.#lastWrite);
  }

  #putHard(hard: StoredHardState, effects: Effects): void {
    this.#hard = hard;
    effects.put(HARD_STATE_KEY, encodeHardState(hard));
    this.#mustBeOnDisk = effects.mark();
  }
}

/** The core's part of the hard state; a fresh replica is joining to it. */
function stored(
  { term, votedFor, standing }: HardState,
  before: StoredHardState,
): Pick<StoredHardState, 'term' | 'votedFor' | 'standing'> {
  return { term, votedFor, standing: standing === 'member' ? 'member' : before.standing };
}

function putChange(change: LogChange, effects: Effects): void {
  if (change.type === 'put') effects.put(logKey(change.segment.first), change.segment.bytes);
  else effects.delete(logKey(change.first));
}

/**
 * Cuts a log that has outgrown its bytes. What is not applied stays, and what follows `neededFrom`, which followers that are there still
 * lack or will after the state that they are being sent, unless that makes the log grow far beyond them.
 */
export function trimLog(
  log: RaftLog,
  bytesMax: number,
  applied: number,
  neededFrom: number,
  effects: Effects,
): void {
  if (log.bytes <= bytesMax) return;
  const index = log.bytes < bytesMax * HELD_MAX ? Math.min(applied, neededFrom) : applied;
  const gone = log.compact(index, bytesMax * COMPACT_TO, COMPACT_SEGMENTS_MAX);
  if (gone.length === 0) return;
  for (const first of gone) effects.deleteLazily(logKey(first));
  effects.putLazily(LOG_BASE_KEY, encodeLogBase(log.base));
  effects.count('log_compactions');
}

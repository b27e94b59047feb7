/** Applies committed entries to the state, in order. */
import type { HlcTime } from '../../core/hlc.js';
import { APPEND_BYTES_MAX } from '../../core/limits.js';
import { invariant } from '../../core/invariant.js';
import type { LogEntry } from '../../protocol/log-codec.js';
import type { Effects, Turn } from '../strategy.js';
import type { RaftLog } from './raft/raft-log.js';
import type { ApplyResult, StateMachine } from './state-machine.js';
import { entriesOf } from './stored-segments.js';
import { APPLY_ENTRIES_MAX } from './tuning.js';

export class Applier {
  readonly #log: RaftLog;
  /** Whether a value with a time to live was written. */
  seenExpiring = false;

  constructor(log: RaftLog) {
    this.#log = log;
  }

  /**
   * Applies entries up to `commit`, `APPLY_ENTRIES_MAX` or a little more at most. `done` hears of each result. Returns whether there
   * are more, or `damaged`: an entry that must be applied cannot be.
   */
  apply(
    commit: number,
    state: StateMachine,
    turn: Turn,
    effects: Effects,
    done: (entry: LogEntry, result: ApplyResult) => void,
  ): 'all' | 'more' | 'damaged' {
    const until = Math.min(commit, state.appliedIndex + APPLY_ENTRIES_MAX);
    while (state.appliedIndex < until) {
      const segments = this.#log.segmentsFrom(state.appliedIndex + 1, APPEND_BYTES_MAX);
      invariant(typeof segments !== 'string' && segments.length > 0, 'what is not applied is in memory');
      for (const segment of segments) {
        for (const entry of entriesOf(segment)) {
          if (entry.index <= state.appliedIndex) continue;
          if (entry.index > commit) return 'all';
          const result = state.apply(entry, turn, effects);
          if (state.damaged) return 'damaged';
          this.#note(entry);
          done(entry, result);
        }
        if (state.appliedIndex >= until) break;
      }
    }
    return state.appliedIndex < commit ? 'more' : 'all';
  }

  /** The time of the log's last entry: what a new leader's entries must come after. */
  lastHlc(applied: HlcTime): HlcTime {
    const { index } = this.#log.last;
    const segments = this.#log.segmentsFrom(index, 1);
    if (typeof segments === 'string') return applied;
    const last = segments.at(-1);
    return last === undefined ? applied : Math.max(applied, entriesOf(last).at(-1)?.hlc ?? 0);
  }

  #note({ command }: LogEntry): void {
    if (command.type === 'put') this.seenExpiring ||= command.put.ttlMs > 0;
    else if (command.type === 'put-all') this.seenExpiring ||= command.puts.some((put) => put.ttlMs > 0);
  }
}

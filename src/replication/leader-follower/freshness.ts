/** How far behind its leader a follower's state is, as far as the follower can know. */
import { hlcWallMs, type HlcTime } from '../../core/hlc.js';
import type { ReadLag } from '../../protocol/messages.js';
import type { Turn } from '../strategy.js';

export class Freshness {
  /** What a leader has said to be committed. */
  #leaderCommit = 0;
  /** When this replica last had applied all of that, on the monotonic clock. */
  #freshMs: number;

  /** How long it was away nobody has told yet; all that it knows is as old as the last entry that it has applied. */
  constructor(clock: HlcTime, turn: Turn) {
    this.#freshMs = turn.monotonicMs - Math.max(0, turn.wallMs - hlcWallMs(clock));
  }

  leaderSays(commit: number): void {
    this.#leaderCommit = Math.max(this.#leaderCommit, commit);
  }

  /** Everything up to `index` is applied; the leader was last heard at `heardMs`. */
  applied(index: number, heardMs: number): void {
    if (index >= this.#leaderCommit) this.#freshMs = Math.max(this.#freshMs, heardMs);
  }

  lag(appliedIndex: number, nowMs: number): ReadLag {
    return {
      entries: Math.max(0, this.#leaderCommit - appliedIndex),
      ms: Math.max(0, nowMs - this.#freshMs),
    };
  }
}

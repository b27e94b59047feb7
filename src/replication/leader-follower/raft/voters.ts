/** What the voters of a group have on their disks and when they were heard, as its leader knows it, counted in majorities. */
import type { NodeId } from '../../../core/ids.js';
import type { Progress } from './progress.js';
import { majorityIndex, majorityOf } from './quorum.js';
import type { RaftConfig } from './raft-types.js';
import type { RaftLog } from './raft-log.js';

export class Voters {
  readonly #config: RaftConfig;
  readonly #log: RaftLog;
  readonly #followers: ReadonlyMap<NodeId, Progress>;
  readonly #down: ReadonlySet<NodeId>;

  constructor(
    config: RaftConfig,
    log: RaftLog,
    followers: ReadonlyMap<NodeId, Progress>,
    down: ReadonlySet<NodeId>,
  ) {
    this.#config = config;
    this.#log = log;
    this.#followers = followers;
    this.#down = down;
  }

  /** The highest index that a majority has on disk, this replica's own disk included; 0 for none. */
  majorityOnDisk(): number {
    return majorityIndex(this.#config.voters.map((voter) => this.#ackedBy(voter)));
  }

  /** How many voters have `index` on disk. */
  holders(index: number): number {
    return this.#config.voters.filter((voter) => this.#ackedBy(voter) >= index).length;
  }

  /** Whether every voter that can be reached has `index` on disk. */
  heldByReachable(index: number): boolean {
    return this.#config.voters.every(
      (voter) =>
        this.#down.has(voter) ||
        this.#ackedBy(voter) >= index ||
        // What a joiner has in the life that it has now is on its disk, though it does not count.
        (this.#followers.get(voter)?.match ?? 0) >= index,
    );
  }

  /**
   * What followers that can be reached, learners among them, still lack begins after it; the log had better reach back so far. Infinity where
   * there are none.
   */
  get reachableMatch(): number {
    const reached = [...this.#followers.values()].filter(
      (f) => !this.#down.has(f.node) && f.state !== 'snapshot',
    );
    return Math.min(...reached.map((f) => f.match));
  }

  /** Whether the links to a majority stand. */
  quorumConnected(): boolean {
    const connected = [...this.#followers.values()].filter((f) => f.counts && !this.#down.has(f.node));
    return 1 + connected.length >= majorityOf(this.#config.voters.length);
  }

  /** When a majority was last heard, this replica now; -Infinity for never. */
  followedAtMs(nowMs: number): number {
    const others = majorityOf(this.#config.voters.length) - 1;
    if (others === 0) return nowMs;
    const heard = [...this.#followers.values()].flatMap((f) => (f.counts ? [f.heardMs] : []));
    return heard.sort((a, b) => b - a)[others - 1] ?? -Infinity;
  }

  #ackedBy(voter: NodeId): number {
    if (voter === this.#config.self) return this.#log.stable;
    const follower = this.#followers.get(voter);
    return follower?.counts === true ? follower.match : 0;
  }
}

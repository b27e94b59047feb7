/** What a test may ask of a `RaftCluster`. */
import type { SeededRandom } from '../../src/simulation/random.js';

export interface ClusterOptions {
  readonly voters?: number;
  readonly learners?: number;
  readonly electionMs?: number;
  readonly heartbeatMs?: number;
  readonly clockBoundMs?: number;
  readonly appendBytesMax?: number;
  readonly seed?: number;
  /** How long a message takes; one that is drawn anew for each lets them overtake each other. */
  readonly latencyMs?: (random: SeededRandom) => number;
  /** What becomes of a message: how often it arrives. */
  readonly copies?: (random: SeededRandom) => number;
  readonly diskMs?: (random: SeededRandom) => number;
  /** Terms of the entries on a disk at the start, and the hard state's term where it is above the last one's. */
  readonly disks?: Readonly<Record<string, { readonly log: readonly number[]; readonly term?: number }>>;
  readonly traced?: boolean;
  /** Where between one and two election timeouts the patience of each replica ends, instead of at a random place. */
  readonly patience?: readonly number[];
}

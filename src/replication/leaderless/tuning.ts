/**
 * The intervals and windows of leaderless replication, in one place. They decide speed and load, never
 * correctness: the simulation runs with the same ones.
 */
import { CLOCK_SKEW_MS_MAX, REQUEST_TIMEOUT_MS_MAX } from '../../core/limits.js';

/** How often open operations are looked through for deadlines. */
export const SWEEP_MS = 50;

/** A peer that has not answered by then is asked again: its answer may have gone down with a connection. The pause doubles each time. */
export const ASK_AGAIN_MS = 1_000;

/** A replica that has not confirmed a write by then gets a hint. */
export const STORE_ANSWER_MS_MAX = 2_000;

/** How long a write that looks elsewhere first waits for the replicas it asks; then it goes on with what it has. */
export const LOOK_ANSWER_MS_MAX = 1_000;

/** A read that lacks answers by then asks the replicas it had spared. */
export const READ_WIDEN_MS = 100;

/**
 * How long a read or a scan waits for the replicas it asked before it asks a spare one: the time that of a hundred answers of
 * the fastest peer one exceeds, but no less than the first (which is above what a healthy peer takes on a local network)
 * and no more than the second, which also holds until enough answers were seen.
 */
export const SPECULATE_MS_MIN = 5;
export const SPECULATE_MS_MAX = 60;
export const SPECULATE_PERCENTILE = 0.99;

/** Answers remembered of each peer, and how many more make the percentile be computed anew. */
export const ANSWER_TIMES_WINDOW = 128;
export const ANSWER_TIMES_STRIDE = 16;

/** How long after the reply a read still listens for late answers to repair by. */
export const LATE_ANSWER_MS_MAX = 1_000;

/** Replied reads of one group that listen for late answers; with one more, the longest replied is forgotten. */
export const LATE_READS_MAX = 256;

/** One read in so many asks every replica, so that stale copies of hot keys are found by reading. */
export const READ_ALL_ONE_IN = 10;

/** Hints sent to one peer before the next page waits for their confirmation. */
export const HANDOFF_WINDOW = 32;

/** Pause before hints that could not be delivered are tried again. */
export const HANDOFF_RETRY_MS = 1_000;

/** The longest pause before a peer that refuses is offered a hint again: the pause doubles with each refusal. */
export const HANDOFF_RETRY_MS_MAX = 16_000;

/** Pause between comparisons of hash trees with one peer or another. */
export const COMPARE_MS = 8_000;

/** Differences must outlast this before they are worth a scan: writes under way look like differences. */
export const COMPARE_AGAIN_MS = 300;

/** A leaf that keeps differing while its hashes keep moving is offered after so many comparisons. */
export const DIFFERING_ROUNDS_MAX = 10;

/** Keys read per chunk when leaves are offered or a tree is counted, and the pause after each chunk. */
export const PACED_CHUNK_ENTRIES = 256;
export const PACED_CHUNK_PAUSE_MS = 5;

/** Pause between recounts of a hash tree, plus up to half of it at random. */
export const RECOUNT_MS = 600_000;

/** Pause before a recount that met an unreadable range is tried again; it doubles up to `RECOUNT_MS`. */
export const RECOUNT_DAMAGED_MS = 15_000;

/**
 * Records being fetched from one peer because its offer differed. What is offered beyond is left to a later comparison:
 * a replica that lacks everything must not ask for everything at once.
 */
export const OFFER_FETCHES_MAX = 256;

/** Corrupt records under repair at once; further ones wait for the next read that finds them. */
export const REPAIRS_MAX = 256;

/** How long a repair waits for the other replicas before it uses the answers it has. */
export const REPAIR_ANSWER_MS_MAX = 1_000;

/** Pause before records that could not be repaired are tried again. */
export const REPAIR_RETRY_MS = 2_000;

/** A pull round that got nothing for so long is given up; the next comparison begins another. */
export const ROUND_STALLED_MS = 10_000;

/** Ranges offered in a round that wait to be compared with the own keys in them; with one more the round is repeated. */
export const OFFERED_RANGES_MAX = 64;

/**
 * How old a write is when no retry of it can come any more, by the clocks of two nodes: a request lives no longer than this, and
 * clocks are taken to differ by no more than the bound on skew.
 */
export const RETRY_AGE_MS_MAX = REQUEST_TIMEOUT_MS_MAX + CLOCK_SKEW_MS_MAX;

/** Pause between removals of what is no longer needed: longer than a retry may take to come. */
export const PRUNE_MS = 150_000;

/** How long a replica with a new store waits for those of the others that it cannot reach, before a cluster without them is taken for new. */
export const NEW_CLUSTER_WAIT_MS = 3_000;

/** How long after its life began a replica may speak for incarnations from before: nothing of theirs is on its way any more. */
export const ORPHANS_AFTER_MS = 60_000;

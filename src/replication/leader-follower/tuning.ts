/** Intervals and sizes of the strategy that are neither limits of the system nor a namespace's own. */

/** Heartbeats an election timeout. */
export const HEARTBEATS_PER_ELECTION = 5;

/** Bytes of applied entries that a replica keeps in memory for followers that are a little behind. */
export const LOG_CACHE_BYTES = 2 * 1024 * 1024;

/** Entries applied in one turn; the rest waits for the next, so that nothing else does. */
export const APPLY_ENTRIES_MAX = 4096;

/** Segments given up in one turn. */
export const COMPACT_SEGMENTS_MAX = 1024;

/** What is left of a log that outgrew its bytes, as a share of them. */
export const COMPACT_TO = 0.5;

/** How far beyond its bytes a log may grow, as a multiple, for followers that are there and would need the state otherwise, once more. */
export const HELD_MAX = 4;

/** How often deadlines are looked at while something is open. */
export const SWEEP_MS = 50;

/** How often a leader looks whether another one would be better placed. */
export const BALANCE_MS = 2_000;

/** How often the time until the next attempt to hand over is doubled. */
export const HANDOVERS_DOUBLED_MAX = 6;

/** How far behind the preferred leader may be to be handed the group. */
export const HANDOVER_ENTRIES_MAX = 1_000;

/** Between searches for values whose time has come, where there may be any. */
export const EXPIRE_MS = 30_000;

/** Keys that one entry takes away when their time has come. */
export const EXPIRE_KEYS_MAX = 256;

/** How often a replica that knows of no group asks the others. */
export const JOIN_MS = 250;

/** A piece of a snapshot that was not answered for so long is sent again. */
export const SNAPSHOT_RESEND_MS = 2_000;

/** How long a snapshot is kept for a follower that cannot be reached. */
export const SNAPSHOT_KEPT_MS = 30_000;

/** Between two pages of the search for values that have rotted, and between two such searches. */
export const SCRUB_PAGE_MS = 200;
export const SCRUB_AGAIN_MS = 6 * 60 * 60 * 1000;

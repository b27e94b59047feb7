/**
 * Every bound of the system, in one place, with its unit last in the name. What happens at a limit is
 * said beside it; the config may lower some of them per node, nothing may exceed them.
 */

/** Key length in UTF-8 bytes. Beyond it: `KeyTooLarge`. */
export const KEY_BYTES_MAX = 1024;

/** Value length in bytes. Beyond it: `ValueTooLarge`. */
export const VALUE_BYTES_MAX = 1024 * 1024;

/** Puts and deletes of one atomic batch (`put-all`), at least one. */
export const PUT_ALL_MAX = 128;

/** Bytes of keys and values in one atomic batch. Beyond it: `BadRequest`. */
export const PUT_ALL_BYTES_MAX = 4 * 1024 * 1024;

/** One WebSocket frame. A larger one closes the connection with `FrameTooLarge`. */
export const FRAME_BYTES_MAX = 16 * 1024 * 1024;

/** A frame is closed and sent once it holds this much, however many messages still wait. */
export const FRAME_BYTES_TARGET = 256 * 1024;

/** Messages in one frame; a frame that holds more is malformed. */
export const FRAME_MESSAGES_MAX = 8192;

/** Values (texts, numbers, arrays ...) in one frame; a frame that holds more is malformed. It bounds what decoding may allocate. */
export const FRAME_VALUES_MAX = 1024 * 1024;

/** Arrays within arrays in one frame; deeper nesting is malformed. */
export const FRAME_NESTING_MAX = 12;

/** Unsent bytes on one connection beyond which a peer's messages are dropped and counted (they are all retried or repaired). */
export const PEER_BUFFERED_BYTES_MAX = 64 * 1024 * 1024;

/** Unsent bytes to one client beyond which its connection is closed as a slow consumer. */
export const CLIENT_BUFFERED_BYTES_MAX = 64 * 1024 * 1024;

/** Requests a node works on at once. One more gets `Overloaded` with a retry-after. */
export const REQUESTS_IN_FLIGHT_MAX = 4096;

/** Requests one client connection may have open at once. */
export const REQUESTS_PER_CONNECTION_MAX = 2048;

/** Inbound connections of one node; one more is refused with `Overloaded`. */
export const CONNECTIONS_MAX = 2048;

/** Events that wait in the update queue; peers' messages beyond it are dropped and counted, clients are refused. */
export const QUEUE_EVENTS_MAX = 65_536;

/** Events stepped in one turn before outputs are flushed. */
export const TURN_EVENTS_MAX = 1024;

/** How long writes that were put lazily wait for a batch to go with; then they make one of their own. A crash takes back no more than this. */
export const LAZY_WRITES_MS_MAX = 200;

/** Bytes of lazy writes, keys by characters, beyond which their batch leaves at the end of the turn. */
export const LAZY_WRITES_BYTES_MAX = 1024 * 1024;

/** Longest time budget that a request may ask for. */
export const REQUEST_TIMEOUT_MS_MAX = 60_000;

/** Time budget of a request that names none. */
export const REQUEST_TIMEOUT_MS_DEFAULT = 5_000;

/**
 * Incarnations whose writes one replica group follows below the floor. What further ones minted is kept for ever: tombstones, and
 * their entries in contexts.
 */
export const ABSORBED_ENTRIES_MAX = 1024;

/** Siblings of one key at which a write is answered with a warning. */
export const SIBLINGS_WARNING = 16;

/** Siblings of one key at which a write that adds one is refused with `TooManySiblings`. Of a counter: incarnations that counted in it. */
export const SIBLINGS_MAX = 64;

/** Elements of one set at which an add of another is refused with `SetTooLarge`. */
export const SET_ELEMENTS_MAX = 1024;

/**
 * Bytes of values in one record at which a write that adds a sibling is refused with `TooManySiblings`, to a set with `SetTooLarge`. Coordinators that do
 * not see each other may each go this far, so a merged record can be as many times larger as it has replicas.
 */
export const RECORD_BYTES_MAX = 2 * 1024 * 1024;

/** Operations that a record remembers, beside the retried ones, so that a retry is recognised; older ones answer `OperationForgotten`. */
export const RECENT_OPERATIONS_MAX = 8;

/**
 * Retried operations that a record remembers, however many writes came after them: the first attempt may come back from a replica that was
 * away. The oldest goes, counted in `retries_forgotten`.
 */
export const RETRIED_OPERATIONS_MAX = 32;

/** Questions about retried operations that a record keeps (docs/adr/0011); the oldest goes, counted in `questions_forgotten`. */
export const QUESTIONS_MAX = 32;

/** How far ahead of the local wall clock a remote timestamp may push ours; beyond it the data is kept and the clock is not moved. */
export const CLOCK_SKEW_MS_MAX = 60_000;

/** Dot counters reserved on disk at a time; a restart skips at most this many. */
export const COUNTERS_RESERVED = 1024;

/**
 * How far beyond the last timestamp a node reserves on disk, so that a clock set back across a restart cannot repeat one. It starts
 * at the end of what it reserved: less than any process needs to start, so that a restart alone never puts it ahead of its wall clock.
 */
export const HLC_RESERVED_MS = 10;

/** Exact dots in one causal context; a writer that has seen more must read before it can supersede them all. */
export const CONTEXT_DOTS_MAX = 16;

/** Hints kept for one peer by one node, in bytes of their keys. When full, new ones are counted and left to anti-entropy. */
export const HINT_BYTES_MAX_PER_PEER = 32 * 1024 * 1024;

/**
 * Records that a stand-in keeps for one replica of one group, in bytes with their keys. When full it refuses, which is no
 * acknowledgement. Times replicas and partitions it bounds what a node keeps for others.
 */
export const STAND_IN_BYTES_MAX = 16 * 1024 * 1024;

/** Keys or entries in one scan page. */
export const SCAN_PAGE_ENTRIES_MAX = 512;

/** Bytes of records in one scan page; a page ends early when it holds this much. */
export const SCAN_PAGE_BYTES_MAX = 1024 * 1024;

/** Free disk space under which writes are refused with `StorageFull`; reads go on. */
export const FREE_BYTES_MIN = 64 * 1024 * 1024;

/** Pause between attempts to use a store that has failed. */
export const STORAGE_RETRY_MS = 1_000;

/**
 * A read that fails so soon after the store was opened anew is no accident: the pause before the next attempt is doubled, up to the same time. A
 * replica whose scans fail within it of each other takes what they read for damaged.
 */
export const STORAGE_RELAPSE_MS = 60_000;

/** How often a node pings its peers. */
export const HEARTBEAT_MS = 1_000;

/** Silence after which an accepted connection is taken for dead; the other side pings more often than that. */
export const CONNECTION_SILENCE_MS_MAX = 30_000;

/** How long an accepted connection may take to say `hello`. */
export const HELLO_MS_MAX = 5_000;

/** How long a dialled peer may take to say `welcome`; then it is dialled anew. */
export const WELCOME_MS_MAX = 2_000;

/** Pause before a lost peer is dialled again: doubles from the first to the second, with jitter. */
export const RECONNECT_MS_MIN = 50;
export const RECONNECT_MS_MAX = 1_000;

/** What a client is told to wait when a node has too much to do. */
export const OVERLOADED_RETRY_AFTER_MS = 100;

/** How long a graceful stop waits for requests in flight. */
export const DRAIN_MS_MAX = 10_000;

/** Contexts that one SDK session keeps; an evicted key is read with R + W > N. */
export const SESSION_CONTEXTS_MAX = 10_000;

/** Characters in the name of a cluster, node, zone or namespace. A longer one is refused by the config. */
export const NAME_LENGTH_MAX = 64;

/** Characters of a session's id. A longer one is `BadRequest`. */
export const SESSION_ID_LENGTH_MAX = 64;

/** Characters of an error's message as it travels; the rest is cut off. */
export const ERROR_MESSAGE_LENGTH_MAX = 1024;

/** Partitions of one namespace. More are refused by the config. */
export const PARTITIONS_MAX = 4096;

/** The longest time to live, a hundred years; a longer one is refused, by the config and with `BadRequest`. */
export const TTL_MS_MAX = 36_500 * 86_400_000;

/** Heartbeat intervals that a failure detector remembers of one peer; the oldest makes room. */
export const HEARTBEAT_INTERVALS_MAX = 200;

// --- The SDK -------------------------------------------------------------------------------------------

/**
 * Requests that wait for room on one SDK connection, and writes that wait for a session with one replica group; one more is refused with
 * `Overloaded` before it is sent.
 */
export const REQUESTS_WAITING_MAX = 8192;

/** Unsent bytes on an SDK connection beyond which further requests wait in its queue. */
export const SDK_BUFFERED_BYTES_MAX = 4 * 1024 * 1024;

/** How long the SDK waits for a connection to open and be welcomed before it tries another node. */
export const SDK_CONNECT_MS_MAX = 1_500;

/** Silence on an SDK connection that owes an answer, after which the SDK pings. */
export const SDK_PING_AFTER_MS = 500;

/** Silence on an SDK connection that owes an answer, after which it is taken for half-open and dropped. */
export const SDK_SILENCE_MS_MAX = 1_500;

/** SDK connections that are leaving and still have requests in flight; with one more, the longest leaving is dropped. */
export const SDK_LEAVING_MAX = 64;

/** How often the SDK looks at deadlines and silences while calls are open: their granularity. */
export const SDK_PULSE_MS = 20;

/** The same while no call is open; an idle connection is pinged at this pace. */
export const SDK_IDLE_PULSE_MS = 1_000;

/** The first pause before a retry; it doubles with each one, up to the next limit. Jitter is full. */
export const RETRY_BACKOFF_MS_MIN = 10;
export const RETRY_BACKOFF_MS_MAX = 1_000;

/** Retries of one call, whatever time it has left. */
export const RETRIES_MAX = 100;

/** How long the SDK leaves a node alone after one failed connection; it doubles with each one, up to the next limit. */
export const SDK_RECONNECT_MS_MIN = 50;
export const SDK_RECONNECT_MS_MAX = 1_000;

/** Seeds that the SDK tries at a time while it has no map. */
export const SEEDS_AT_ONCE = 3;

/** Sessions with one replica group that a write opens, one after the other, when they turn out to have expired. */
export const SESSION_REOPENS_MAX = 3;

/** A read that any replica may answer gives the first one this long, and each further one twice as long as the one before. */
export const ANY_REPLICA_MS_MIN = 500;

/** Times that one call follows an answer to the leader it names without a pause. */
export const LEADER_REDIRECTS_AT_ONCE = 3;

/** Rounds of read and write that one `update` makes before it gives up with `UpdateConflict`. */
export const UPDATE_ROUNDS_MAX = 16;

/** Updates of one key that wait for their turn in one SDK process; one more is refused with `Overloaded`. */
export const UPDATES_WAITING_PER_KEY_MAX = 1024;

/** Operations of one `batch` that are under way at once. */
export const BATCH_OPERATIONS_AT_ONCE = 256;

/** Partitions whose first page a scan asks for at once. */
export const SCAN_PARTITIONS_AT_ONCE = 32;

/** Entries a scan without a limit asks for in one page of one partition. */
export const SCAN_PAGE_ENTRIES_DEFAULT = 256;

/** How long `close` waits for calls that are under way. */
export const SDK_CLOSE_MS_MAX = 2_000;

/** Bytes of a context that a read or a write may carry. A longer one is `BadContext`. */
export const CONTEXT_BYTES_MAX = 64 * 1024;

// --- Leader-follower -----------------------------------------------------------------------------------

/**
 * The shortest time without a leader after which a follower campaigns; the longest is twice this. Long against a round trip and
 * a stalled event loop, short against the two seconds in which a killed leader must be replaced. A lease lasts so long, less
 * `clockBound`: a config whose bound leaves nothing is refused.
 */
export const ELECTION_MS = 600;

/** Bytes of entries in one message to a follower; a segment that is larger itself goes alone. */
export const APPEND_BYTES_MAX = 1024 * 1024;

/** Messages and bytes of entries under way to one follower; more waits for its answers. */
export const APPEND_MESSAGES_IN_FLIGHT_MAX = 64;
export const APPEND_BYTES_IN_FLIGHT_MAX = 8 * 1024 * 1024;

/** Writes of one replica group that are under way at once, and their bytes; as many bytes may wait for the leader's own disk. One more is refused with `Overloaded`. */
export const PROPOSALS_MAX = 4096;
export const PROPOSED_BYTES_MAX = 32 * 1024 * 1024;

/**
 * Writes of one replica group that were answered and are not applied; their bytes count in `PROPOSED_BYTES_MAX`. What is in the log and not
 * committed can neither be taken back nor compacted.
 */
export const UNAPPLIED_WRITES_MAX = 65_536;

// --- Leader-follower: sessions --------------------------------------------------------------------------

/** How long a session may go unused, by its group's clock; then it ends, and its writes are refused with `SessionExpired`. */
export const SESSION_IDLE_MS_MAX = 3_600_000;

/** Sessions that one group knows; a new one ends the one that was unused longest. */
export const SESSIONS_MAX = 4096;

/** Results that a group keeps for one session: operations that the client has not said to be over. One more operation is refused. */
export const SESSION_RESULTS_MAX = 1024;

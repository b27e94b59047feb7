/**
 * The interfaces to the world. Everything that the node, the strategies and the SDK know of time,
 * randomness, network and disk comes through here, so that one seed can replay a whole cluster.
 * `adapters/` implements them for real, `simulation/` virtually; one contract suite holds both.
 */

export interface Clock {
  /** Wall time in milliseconds since the epoch; may jump both ways. */
  wallMs(): number;
  /** Milliseconds since some start; never goes back. */
  monotonicMs(): number;
}

/** Cancels what it was returned for; does nothing when called again or too late. */
export type Cancel = () => void;

export interface Timers {
  /** Calls `run` once after `ms`. Never synchronously. */
  after(ms: number, run: () => void): Cancel;
  /** Calls `run` once, soon, after events that have already arrived: the tick that gathers a turn. */
  soon(run: () => void): void;
}

export interface Random {
  /** Uniform in [0, 1). */
  float(): number;
  /** Uniform integer in [0, bound), for a bound up to 2^32. */
  integer(bound: number): number;
  /** `length` characters of [0-9a-z], for identities. */
  text(length: number): string;
}

// --- Network -------------------------------------------------------------------------------------------

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface ConnectionHandlers {
  /** One whole binary frame. The bytes belong to the receiver and are never reused. */
  readonly onFrame: (frame: Uint8Array) => void;
  /** Called once, whoever closed; `reason` is for people. Nothing is called after it. */
  readonly onClose: (reason: string) => void;
  /** The connection can be sent on. For an accepted connection, called at once. */
  readonly onOpen?: () => void;
}

/** One ordered, framed, bidirectional link. Frames may be lost only by the connection closing. */
export interface Connection {
  readonly remote: string;
  /** Queues a frame. Ignored once closed. The caller must not change the bytes afterwards. */
  send(frame: Uint8Array): void;
  /** Bytes queued here and not yet handed to the system: the measure for back-pressure. */
  bufferedBytes(): number;
  /** Closes after what is queued has been sent (bounded). */
  close(reason: string): void;
  /** Drops the connection at once, with what is queued. */
  destroy(reason: string): void;
}

export interface Listener {
  readonly address: Address;
  close(): Promise<void>;
}

export interface Network {
  /** Accepts connections. `onConnection` returns the handlers for one. Rejects with `PortInUse`. */
  listen(address: Address, onConnection: (connection: Connection) => ConnectionHandlers): Promise<Listener>;
  /** Starts to connect and returns at once; `onOpen` or `onClose` tells how it went. */
  connect(address: Address, handlers: ConnectionHandlers): Connection;
}

// --- Storage -------------------------------------------------------------------------------------------

/** Keys are well-formed strings ordered by their UTF-8 bytes. */
export interface StorageRange {
  readonly gte?: string;
  readonly gt?: string;
  readonly lt: string;
}

export type StorageEntry = readonly [key: string, value: Uint8Array];

/** Gathers writes; `write` makes all of them visible and durable together, or none. Used once. */
export interface StorageBatch {
  put(key: string, value: Uint8Array): void;
  delete(key: string): void;
  /** Number of puts and deletes so far. */
  readonly length: number;
  /** Resolves when applied, with `sync` only after fsync. Rejects with `StorageFailed` or `StorageFull`; then nothing of it may be relied on. */
  write(options: { readonly sync: boolean }): Promise<void>;
  /** Gives up an unwritten batch. */
  discard(): Promise<void>;
}

/** The store as it was at one moment. It costs disk space for as long as it is open: what was overwritten since cannot go. */
export interface StorageView {
  /** As `Storage.scan`, from the state of the view. Rejects with `StorageFailed` once the view or its store is closed. */
  scan(range: StorageRange, limit: number, bytesMax: number): Promise<readonly StorageEntry[]>;
  /** Gives it up; again does nothing. A scan that was asked for before is answered. */
  close(): Promise<void>;
}

/** One ordered store. Only one open handle at a time. */
export interface Storage {
  /**
   * The value, or undefined. Throws `RecordCorrupt` where the store itself reports damage, `StorageFailed` where it cannot be read. The bytes
   * belong to the caller.
   */
  get(key: string): Uint8Array | undefined;
  batch(): StorageBatch;
  /**
   * Up to `limit` entries of a range in key order, from one consistent state no older than the call, cut short
   * (but never empty while there are any) after `bytesMax` bytes of keys and values.
   * Rejects with `RecordCorrupt` where the store itself reports damage.
   */
  scan(range: StorageRange, limit: number, bytesMax: number): Promise<readonly StorageEntry[]>;
  /**
   * Keeps what is there now: every batch whose write has resolved and, of those under way, each whole or not at all.
   * Throws `StorageFailed`, as once the store is closed.
   */
  view(): StorageView;
  /** Free space for more data, as last measured; Infinity where there is no bound. */
  freeBytes(): number;
  /** What names this copy of the data: it changes when the folder is copied or restored elsewhere. */
  readonly identity: string;
  /** Finishes the writes that it was given. Closes views that are open. */
  close(): Promise<void>;
}

// --- Log -----------------------------------------------------------------------------------------------

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface Log {
  write(level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** What a client needs of the world. */
export interface ClientRuntime {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly network: Network;
  readonly log: Log;
}

/** What a node needs: the same, and a disk. `openStorage` rejects with `DataFolderInUse` or `StorageFailed`. */
export interface NodeRuntime extends ClientRuntime {
  openStorage(folder: string): Promise<Storage>;
}

/**
 * The contract of a strategy.
 *
 * A replica is a synchronous state machine: it gets an event and its turn, and says through `effects` what
 * should happen. It never awaits, does no I/O, and has no clock of its own. `node/update-queue.ts` feeds it
 * and executes its effects:
 *
 *     events ──> step step step ──> one storage batch ──fsync──> durable events, sends, replies
 *
 * `send` and `reply` wait for every write of their step and for every unwritten value that the step read:
 * nothing leaves that a crash could take back. `sendEarly` is the explicit exception, and so is what is put lazily
 * (docs/adr/0016).
 */
import type { ClusterMap } from '../cluster/cluster-map.js';
import type { ErrorCode, TrefoilError } from '../core/errors.js';
import type { HlcTime } from '../core/hlc.js';
import type { GroupId, IncarnationId, NodeId } from '../core/ids.js';
import type { Dot } from '../core/version-vector.js';
import type { ClientOperation, ClientResult, PeerMessage } from '../protocol/messages.js';
import type { LogLevel, Random } from '../runtime/runtime.js';

/** Names one client request within a node, for as long as it is open. */
export type RequestHandle = number;

/** The operations that reach a replica: all but those the node answers itself. */
export type ReplicaOperation = Exclude<ClientOperation, { readonly type: 'status' }>;

/** What a request says beside its operation. */
export interface Asked {
  readonly request: RequestHandle;
  /** On the turn's monotonic clock. */
  readonly deadlineMs: number;
  readonly explain: boolean;
}

export type ReplicaEvent =
  | (Asked & { readonly type: 'request'; readonly operation: ReplicaOperation })
  /** Nobody waits for the answer any more (the client is gone). */
  | { readonly type: 'cancelled'; readonly request: RequestHandle }
  | { readonly type: 'message'; readonly from: NodeId; readonly message: PeerMessage }
  | { readonly type: 'timer'; readonly timer: string }
  /** The writes of the step that asked for `token` are on disk (as the namespace's durability has it). */
  | { readonly type: 'durable'; readonly token: number }
  /** The answer to `whenTurnEnds`: every event of this turn has been stepped. The last step of a replica in a turn. */
  | { readonly type: 'turn-end' }
  | { readonly type: 'peer-up'; readonly peer: NodeId }
  | { readonly type: 'peer-down'; readonly peer: NodeId }
  | { readonly type: 'map-changed'; readonly map: ClusterMap }
  /**
   * The answer to `effects.scan`. `damaged`: the store could not read the range, or the view to read it from is not open (closed, replaced,
   * or never opened); entries are then empty.
   */
  | {
      readonly type: 'scanned';
      readonly scan: string;
      readonly entries: readonly (readonly [key: string, value: Uint8Array])[];
      /** Whether the range may hold more beyond the last entry. */
      readonly more: boolean;
      readonly damaged: boolean;
    };

/** What a local read gave: the bytes, nothing, or damage that the store itself reported. */
export type LocalRead = Uint8Array | undefined | 'damaged';

/** One step's view of the world. Valid during that step only. */
export interface Turn {
  readonly wallMs: number;
  readonly monotonicMs: number;
  readonly random: Random;
  /** The latest value under one of this replica's own keys, writes not yet on disk included. */
  read(key: string): LocalRead;
  /** Whether all that a mark names is on disk. */
  written(mark: WriteMark): boolean;
  /** A new dot of this node's incarnation in this group; its counter is never given twice. */
  mint(): Dot;
  /** The last dot that this node's current incarnation gave in this group; counter 0 where none yet. */
  lastMinted(): Dot;
  /** Whether this node may still mint under an incarnation. Once it may not, it never will again. */
  mayMint(incarnation: IncarnationId): boolean;
  /** A timestamp above every one seen, and above `above`. */
  tick(above: HlcTime): HlcTime;
  /** Follows a timestamp seen in a record. */
  observe(time: HlcTime): void;
  /** Whether this node sees a peer as reachable now. */
  reachable(peer: NodeId): boolean;
  /** Why this node cannot write now, or null where it can. Checked before minting, so that a full disk is an early refusal. */
  readonly writesRefused: ErrorCode | null;
}

/** See `Effects.mark`. Means something only to the replica that took it, until that is opened anew. */
export type WriteMark = number;

export interface Effects {
  /** Writes under this replica's own keys, all of one step in one batch. */
  put(key: string, value: Uint8Array): void;
  delete(key: string): void;
  /**
   * Writes that can be made again from what is on disk already. They cost no fsync of their own: they go with the next batch that
   * has one, within `LAZY_WRITES_MS_MAX`, and in order, so that a crash takes back a suffix of them. Nothing waits for them:
   * neither the outputs of their step nor those of steps that read them. What was put last decides: a step that reads an eager value
   * waits for it, one that reads the lazy value put over it does not. While the storage has failed they go nowhere, and
   * from then on nothing leaves the replica until it is opened anew: ask `writesRefused` before.
   */
  putLazily(key: string, value: Uint8Array): void;
  deleteLazily(key: string): void;
  /** Asks for a `durable` event once this step's writes are on disk; lazy ones do not count, and with no others it comes at once. */
  whenDurable(token: number): void;
  /**
   * Asks for one `turn-end` event, when all that arrived for this replica in this turn has been stepped, and before its writes leave.
   * Asked in `open` or while a turn ends, it means the next turn, which then comes even if nothing else arrives.
   */
  whenTurnEnds(): void;
  /** Names what the outputs of this step wait for so far: all that it has put, and every unwritten value that it has read. */
  mark(): WriteMark;
  /**
   * The outputs of this step wait for what an earlier one marked as well. To be said by a step that passes on what that one
   * had read or put: a step by itself waits for nothing that it was merely told of.
   */
  waitFor(mark: WriteMark): void;
  send(peer: NodeId, message: PeerMessage): void;
  /** Leaves at once, before this step's writes are durable. Each use is justified in the strategy's SPEC. */
  sendEarly(peer: NodeId, message: PeerMessage): void;
  /** Exactly one answer for each request, unless it was cancelled. */
  reply(request: RequestHandle, result: ClientResult | TrefoilError): void;
  /** An answer that says nothing of this replica's disk: it leaves at once, as `sendEarly` does. */
  replyEarly(request: RequestHandle, result: ClientResult | TrefoilError): void;
  /** Replaces a running timer of the same name. */
  setTimer(timer: string, afterMs: number): void;
  cancelTimer(timer: string): void;
  /**
   * Reads a range of this replica's own keys off the turn; answered by a `scanned` event. One per name at a time.
   * `view`: from a state that `openView` has kept, not from the current one.
   */
  scan(
    scan: string,
    range: { readonly gt?: string; readonly gte?: string; readonly lt: string },
    limit: number,
    view?: string,
  ): void;
  /**
   * Keeps the state of this replica's keys as it is after this step, lazy writes included and later steps' not, for scans under the name `view`.
   * Such scans may be asked for at once. It costs an fsync, since nothing more goes into the batch of this step, and disk space for as long
   * as it is open; a view of the same name is replaced, and all end when the replica is opened anew.
   */
  openView(view: string): void;
  /** Scans that are being read are answered, those that still wait for the view to open find it `damaged`. */
  closeView(view: string): void;
  /** This node's memory of what it minted may have a hole: it mints under a new incarnation from the next mint on. */
  endIncarnation(reason: string): void;
  /** Adds to a named counter of the node's metrics. */
  count(metric: string, by?: number): void;
  log(level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>): void;
}

export interface Replica {
  step(event: ReplicaEvent, turn: Turn, effects: Effects): void;
  /** For operators, metrics and the dashboard; plain data. */
  status(): ReplicaStatus;
}

export interface ReplicaStatus {
  readonly group: GroupId;
  readonly strategy: string;
  /** Numbers by name, units last in the name. */
  readonly gauges: Readonly<Record<string, number>>;
}

/** What a replica is made of, given once. */
export interface ReplicaSetup {
  readonly group: GroupId;
  readonly self: NodeId;
  readonly map: ClusterMap;
  readonly namespaceIndex: number;
  readonly partition: number;
  /** Names the store for as long as it has forgotten nothing: another one where it is new, restored, or may have lost writes. */
  readonly store: string;
  /** The operator vouches for what is stored under the name of another store: see `NodeOptions.trustStore`. */
  readonly trustStore: boolean;
  /** Other intervals than the strategy's own: for simulations that have little time. */
  readonly pace?: Partial<ReplicaPace>;
}

export interface ReplicaPace {
  /** Between comparisons of replicas. */
  readonly compareMs: number;
  /** Between removals of what is no longer needed. */
  readonly pruneMs: number;
  /** How old a write must be before no retry of it can come. */
  readonly retryAgeMs: number;
  /** Leader-follower: bytes of entries in one message to a follower. */
  readonly appendBytesMax: number;
}

/** A strategy, as the node shell knows it: makes replicas, which then find their state through `turn.read` and scans. */
export interface StrategyDefinition {
  readonly name: string;
  /** The replica arms its timers and opens its state here; called once in its first turn. */
  open(setup: ReplicaSetup, turn: Turn, effects: Effects): Replica;
  /**
   * The same group on a node that holds no replica of it and keeps writes for those that are away (docs/adr/0009). It
   * gets no requests and must not mint. Absent where a strategy knows no stand-ins.
   */
  readonly openStandIn?: (setup: ReplicaSetup, turn: Turn, effects: Effects) => Replica;
}

/** What the update queue is given once: the world it steps replicas in, and where their outputs go. */
import type { TrefoilError } from '../core/errors.js';
import type { HybridClock } from '../core/hlc.js';
import type { GroupId, NodeId } from '../core/ids.js';
import type { ClientResult, PeerMessage } from '../protocol/messages.js';
import type { RequestHandle } from '../replication/strategy.js';
import type { NodeRuntime, Storage } from '../runtime/runtime.js';
import type { Counters } from './counters.js';
import type { Minter } from './minter.js';

/** Where the queue's outputs go. */
export interface QueueOutputs {
  send(peer: NodeId, group: GroupId, message: PeerMessage): void;
  reply(request: RequestHandle, result: ClientResult | TrefoilError): void;
  reachable(peer: NodeId): boolean;
  /** Called at the end of each turn and of each batch: what was sent and replied can leave. */
  flush(): void;
  /** A batch failed: every request that waits for a replica must be answered as `unknown`. */
  failed(error: TrefoilError): void;
}

export interface QueueSetup {
  readonly self: NodeId;
  readonly runtime: NodeRuntime;
  readonly storage: Storage;
  /** Closes a failed store and opens it again. */
  readonly reopen: (failed: Storage) => Promise<Storage>;
  readonly clock: HybridClock;
  readonly minter: Minter;
  readonly counters: Counters;
  readonly outputs: QueueOutputs;
  /** Free disk space under which writes are refused. */
  readonly freeBytesMin: number;
}

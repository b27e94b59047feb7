/**
 * A node: the shell around the replicas that the map places on it. Opens its store, takes possession of it,
 * opens the replicas, listens, dials its peers; and all that in reverse when it stops.
 */
import type { ClusterConfig } from '../cluster/config.js';
import { buildClusterMap } from '../cluster/build-map.js';
import type { ClusterMap, NamespaceEntry } from '../cluster/cluster-map.js';
import { TrefoilError } from '../core/errors.js';
import { HybridClock } from '../core/hlc.js';
import type { NodeId } from '../core/ids.js';
import { CLOCK_SKEW_MS_MAX, DRAIN_MS_MAX, FREE_BYTES_MIN } from '../core/limits.js';
import { leaderFollower } from '../replication/leader-follower/leader-follower.js';
import { leaderless } from '../replication/leaderless/leaderless.js';
import type { ReplicaPace, ReplicaSetup, StrategyDefinition } from '../replication/strategy.js';
import type { Address, Listener, NodeRuntime, Storage } from '../runtime/runtime.js';
import { Counters } from './counters.js';
import { beginLives, markClean, storeOf, takePossession, type Lives } from './identity.js';
import type { Link } from './link.js';
import { Minter } from './minter.js';
import type { NodeStatus } from './node-status.js';
import { PeerLinks } from './peer-links.js';
import { replicaPlacements, standInPlacements, type Placement } from './placements.js';
import { ReplicaSlot } from './replica-slot.js';
import { Requests } from './requests.js';
import { Server } from './server.js';
import { UpdateQueue } from './update-queue.js';

/** How often a stopping node looks whether everything is written. */
const DRAIN_POLL_MS = 5;

const STRATEGIES: Readonly<Record<string, StrategyDefinition>> = {
  leaderless,
  'leader-follower': leaderFollower,
};

export interface NodeOptions {
  readonly runtime: NodeRuntime;
  readonly config: ClusterConfig;
  readonly node: NodeId;
  readonly dataDir: string;
  /** Mint under a new incarnation: after restoring a backup into the same folder. */
  readonly newIncarnation?: boolean;
  /**
   * Go on with what the leader-follower replicas find, though it is a restored or moved copy: where all nodes of a cluster were, at the same
   * time, and nobody is left to refill them. What was acknowledged after the copies is lost.
   */
  readonly trustStore?: boolean;
  /** Lower bounds than the defaults of `core/limits.ts`. */
  readonly limits?: { readonly requestsInFlightMax?: number; readonly freeBytesMin?: number };
  /** Other intervals than the strategies' own: for simulations. */
  readonly pace?: Partial<ReplicaPace>;
}

export interface RunningNode {
  readonly id: NodeId;
  readonly address: Address;
  status(): NodeStatus;
  /** Answers what is in flight (bounded by `DRAIN_MS_MAX`), then closes everything. */
  stop(): Promise<void>;
}

/**
 * Starts a node. Rejects with `ConfigInvalid`, `PortInUse`, `DataFolderInUse`, `DataFolderForeign`,
 * `DataFolderDamaged`, `ConfigIncompatible`, `MapConflict` or `StorageFailed`, having left nothing open.
 */
export async function startNode(options: NodeOptions): Promise<RunningNode> {
  const map = buildClusterMap(options.config);
  const entry = map.nodes.find((node) => node.id === options.node);
  if (entry === undefined) {
    throw new TrefoilError('ConfigInvalid', `the config has no node ${options.node}`);
  }
  const storage = await options.runtime.openStorage(options.dataDir);
  let node: TrefoilNode | undefined;
  try {
    node = new TrefoilNode(options, map, await openState(options, map, storage));
    await node.listen({ host: entry.host, port: entry.port });
    return node;
  } catch (error) {
    await node?.abandon();
    await storage.close();
    throw error;
  }
}

interface NodeState {
  readonly storage: Storage;
  readonly clock: HybridClock;
  readonly minter: Minter;
  readonly standIns: readonly Placement[];
  readonly lives: Lives;
  /** Entries of the node's own that were damaged and have been replaced. */
  readonly damaged: readonly string[];
}

async function openState(
  { runtime, node, newIncarnation }: NodeOptions,
  map: ClusterMap,
  storage: Storage,
): Promise<NodeState> {
  const groups = replicaPlacements(map, node).map(({ group }) => group);
  const identity = await takePossession(storage, node, map, groups, runtime.random, newIncarnation ?? false);
  const clock = new HybridClock(() => runtime.clock.wallMs(), CLOCK_SKEW_MS_MAX, identity.clockFloor);
  const standIns = await standInPlacements(map, node, storage);
  const { incarnations, lives, damaged } = identity;
  return { storage, clock, minter: new Minter(incarnations), standIns, lives, damaged };
}

class TrefoilNode implements RunningNode {
  readonly id: NodeId;
  readonly #runtime: NodeRuntime;
  readonly #map: ClusterMap;
  readonly #counters = new Counters();
  readonly #dirty = new Set<Link>();
  readonly #clock: HybridClock;
  readonly #minter: Minter;
  readonly #queue: UpdateQueue;
  readonly #requests: Requests;
  readonly #peers: PeerLinks;
  readonly #server: Server;
  readonly #standIns: readonly Placement[];
  #lives: Lives;
  /** Of the store in which these lives began. */
  #store: string;
  #trustStore: boolean;
  readonly #pace: Partial<ReplicaPace>;
  readonly #startedMs: number;
  #listener: Listener | undefined;
  #stopping: Promise<void> | undefined;

  constructor(options: NodeOptions, map: ClusterMap, state: NodeState) {
    const { runtime, node: self, config, dataDir, limits } = options;
    this.id = self;
    this.#runtime = runtime;
    this.#map = map;
    this.#clock = state.clock;
    this.#minter = state.minter;
    this.#standIns = state.standIns;
    this.#lives = state.lives;
    this.#store = state.storage.identity;
    this.#trustStore = options.trustStore ?? false;
    this.#pace = options.pace ?? {};
    this.#startedMs = runtime.clock.monotonicMs();
    for (const entry of state.damaged) {
      this.#counters.add('meta_damaged');
      runtime.log.write('warn', "an entry of the node's own was damaged; it begins anew", { entry });
    }
    this.#peers = new PeerLinks(runtime, self, map, config.credentials, this.#counters, this.#dirty, {
      onUp: (peer) => this.#queue.broadcast({ type: 'peer-up', peer }),
      onDown: (peer) => this.#queue.broadcast({ type: 'peer-down', peer }),
    });
    this.#queue = new UpdateQueue({
      self,
      runtime,
      storage: state.storage,
      reopen: (failed) => this.#reopenStorage(failed, dataDir),
      clock: state.clock,
      minter: state.minter,
      counters: this.#counters,
      freeBytesMin: limits?.freeBytesMin ?? FREE_BYTES_MIN,
      outputs: {
        send: (peer, group, message) => this.#peers.send(peer, { type: 'replica', group, message }),
        reply: (request, result) => this.#requests.reply(request, result),
        reachable: (peer) => this.#peers.reachable(peer),
        flush: () => this.#flush(),
        failed: (error) => this.#requests.failAll(error),
      },
    });
    this.#requests = new Requests(
      self,
      map,
      runtime.clock,
      this.#counters,
      this.#queue,
      limits?.requestsInFlightMax,
    );
    this.#server = new Server({
      runtime,
      self,
      map,
      credentials: config.credentials,
      counters: this.#counters,
      queue: this.#queue,
      requests: this.#requests,
      dirty: this.#dirty,
      status: () => JSON.stringify(this.status()),
      onPeerGreeted: (peer) => this.#peers.peerGreeted(peer),
    });
  }

  get address(): Address {
    return this.#listener?.address ?? { host: '', port: 0 };
  }

  async listen(address: Address): Promise<void> {
    this.#listener = await this.#runtime.network.listen(address, (connection) =>
      this.#server.accept(connection),
    );
    this.#openReplicas();
    // It was said of what was found at the start.
    this.#trustStore = false;
    this.#server.start();
    this.#peers.start();
  }

  status(): NodeStatus {
    const groups = this.#queue.statuses();
    const gauges: Record<string, number> = {};
    for (const group of groups) {
      for (const [name, value] of Object.entries(group.gauges)) gauges[name] = (gauges[name] ?? 0) + value;
    }
    return {
      node: this.id,
      cluster: this.#map.cluster,
      epoch: this.#map.epoch,
      incarnation: this.#minter.incarnations.sync,
      uptimeMs: Math.round(this.#runtime.clock.monotonicMs() - this.#startedMs),
      writesRefused: this.#queue.writesRefused,
      requestsInFlight: this.#requests.size,
      connections: this.#server.size,
      queueEvents: this.#queue.depth,
      freeBytes: Math.min(this.#queue.storage.freeBytes(), Number.MAX_SAFE_INTEGER),
      peers: this.#peers.statuses(),
      groups,
      gauges,
      counters: { ...this.#counters.all(), clock_skewed: this.#clock.skewed },
    };
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  #openReplicas(): void {
    for (const placement of replicaPlacements(this.#map, this.id)) {
      const { strategy, namespace } = this.#placed(placement);
      this.#queue.add(
        new ReplicaSlot(placement.group, namespace.durability, (turn, effects) =>
          strategy.open(this.#setupOf(placement, namespace), turn, effects),
        ),
      );
    }
    for (const placement of this.#standIns) {
      const { strategy, namespace } = this.#placed(placement);
      const open = strategy.openStandIn;
      if (open === undefined) continue;
      this.#queue.add(
        new ReplicaSlot(
          placement.group,
          namespace.durability,
          (turn, effects) => open(this.#setupOf(placement, namespace), turn, effects),
          false,
        ),
      );
    }
  }

  #placed(placement: Placement): {
    readonly strategy: StrategyDefinition;
    readonly namespace: NamespaceEntry;
  } {
    const namespace = this.#map.namespaces[placement.namespaceIndex] as NamespaceEntry;
    const strategy = STRATEGIES[namespace.strategy];
    if (strategy === undefined)
      throw new TrefoilError('ConfigInvalid', `there is no strategy ${namespace.strategy}`);
    return { strategy, namespace };
  }

  /** Made anew for every opening: the store may be another one by then. */
  #setupOf(placement: Placement, namespace: NamespaceEntry): ReplicaSetup {
    const store = storeOf(this.#lives, namespace);
    const trustStore = this.#trustStore;
    return { ...placement, self: this.id, map: this.#map, store, trustStore, pace: this.#pace };
  }

  /** A store that lost writes that had been durable, as it was opened anew, is another one: what replicas knew in it began in an earlier life. */
  async #reopenStorage(failed: Storage, dataDir: string): Promise<Storage> {
    await failed.close();
    const storage = await this.#runtime.openStorage(dataDir);
    if (storage.identity === this.#store) return storage;
    try {
      this.#lives = await beginLives(storage, this.#runtime.random);
    } catch (error) {
      await storage.close();
      throw error;
    }
    this.#store = storage.identity;
    this.#runtime.log.write('error', 'the store has lost what was written; its replicas are refilled');
    return storage;
  }

  #flush(): void {
    for (const link of [...this.#dirty]) link.flush();
  }

  /** Closes what a start that failed has opened, but for the store, which it was given. */
  async abandon(): Promise<void> {
    this.#peers.stop();
    this.#queue.stop();
    this.#server.closeAll('the node could not start');
    await this.#listener?.close();
  }

  async #stop(): Promise<void> {
    this.#server.sayGoodbye('the node stops');
    const drained = await this.#drained();
    await this.#listener?.close();
    this.#flush();
    this.#server.closeAll('the node stops');
    this.#peers.stop();
    this.#queue.stop();
    const storage = await this.#queue.lastStorage();
    try {
      if (drained && !this.#queue.readOnly) await markClean(storage);
    } finally {
      await storage.close();
    }
  }

  /** Waits until every request is answered and everything is written, bounded; says whether that was so. */
  #drained(): Promise<boolean> {
    return new Promise((resolve) => {
      const { timers } = this.#runtime;
      let over = false;
      const finish = (drained: boolean): void => {
        over = true;
        cancel();
        resolve(drained);
      };
      const cancel = timers.after(DRAIN_MS_MAX, () => finish(false));
      const check = (): void => {
        if (over) return;
        this.#queue.hurry();
        if (this.#queue.idle) finish(true);
        else timers.after(DRAIN_POLL_MS, check);
      };
      this.#requests.drain(check);
    });
  }
}

/**
 * A whole cluster on virtual time: the real node and the real SDK on simulated machines.
 *
 *   down ──boot──▶ starting ──▶ running ──stop──▶ stopping ──▶ down        a crash leads to `down` from anywhere
 *
 * Two kinds of method: those that return a promise of something that happens inside the world (`boot`,
 * `stop`, `restart`, `connect`) need somebody to run the simulation meanwhile, because a fault that ends in
 * the middle of a run uses them too; those that run it themselves (`settle`, `allReachable`, `converge`)
 * belong to whoever drives the run, and only one may at a time.
 */
import { buildClusterMap } from '../cluster/build-map.js';
import type { ClusterMap } from '../cluster/cluster-map.js';
import { parseClusterConfig, type ClusterConfig } from '../cluster/config.js';
import type { ConnectOptions, Database } from '../client/api.js';
import { connectWith } from '../client/database.js';
import { asTrefoilError, TrefoilError } from '../core/errors.js';
import { nodeId } from '../core/ids.js';
import { invariant } from '../core/invariant.js';
import { startNode, type NodeOptions, type RunningNode } from '../node/node.js';
import type { Cancel, NodeRuntime } from '../runtime/runtime.js';
import { differences, groupCopies, type GroupCopies } from './copies.js';
import type { Simulation } from './scheduler.js';
import { SimulatedWorld, type CrashOptions, type WorldOptions } from './world.js';

/** How long a supervisor waits before it starts a node again that could not start. */
const RESTART_DELAY_MS = 500;

/** How often `converge` compares the replicas. */
const CONVERGE_POLL_MS = 200;

/** Differences that an error names. */
const DIFFERENCES_SHOWN_MAX = 5;

export interface SimulatedClusterOptions extends WorldOptions {
  /** A cluster config, as a file has it. */
  readonly config: string;
  readonly limits?: NonNullable<NodeOptions['limits']>;
  readonly pace?: NonNullable<NodeOptions['pace']>;
  /** Puts something between the nodes and the world, such as a tap. */
  readonly wrapRuntime?: (name: string, runtime: NodeRuntime) => NodeRuntime;
}

interface NodeState {
  state: 'starting' | 'running' | 'stopping';
  node: RunningNode | undefined;
  /** Called when it is down. */
  readonly onDown: (() => void)[];
}

export class SimulatedCluster {
  readonly world: SimulatedWorld;
  readonly config: ClusterConfig;
  readonly map: ClusterMap;
  /** All nodes of the config, in its order. */
  readonly names: readonly string[];
  readonly #limits: NodeOptions['limits'];
  readonly #pace: NodeOptions['pace'];
  readonly #wrapRuntime: SimulatedClusterOptions['wrapRuntime'];
  /** The nodes that are not down. An object of its own for each start, so that a late promise knows whose it was. */
  readonly #nodes = new Map<string, NodeState>();
  /** What nodes counted that have ended. */
  readonly #counted: Record<string, number> = {};
  /** How many faults keep each node from being started again. */
  readonly #keptDown = new Map<string, number>();

  /** Throws `ConfigInvalid`. No node runs yet. */
  constructor(options: SimulatedClusterOptions) {
    this.world = new SimulatedWorld(options);
    this.config = parseClusterConfig(options.config, 'simulated.yaml');
    this.map = buildClusterMap(this.config);
    this.names = this.map.nodes.map((entry) => entry.id);
    this.#limits = options.limits;
    this.#pace = options.pace;
    this.#wrapRuntime = options.wrapRuntime;
  }

  get simulation(): Simulation {
    return this.world.simulation;
  }

  // --- Nodes ---------------------------------------------------------------------------------------

  /** Starts one node that is down. Rejects as `startNode` does, and the node is down again; never settles if it crashes meanwhile. */
  async boot(name: string, options: Partial<NodeOptions> = {}): Promise<RunningNode> {
    return (await this.#start(name, options)) ?? new Promise<RunningNode>(() => undefined);
  }

  /**
   * As a supervisor does: starts a node that is down, again and again while its disk or its folder refuses. Resolves
   * when it runs, or when that is no longer for this call to do: it was started by others, or is kept down.
   */
  async restart(name: string): Promise<void> {
    while (this.down(name) && !this.#keptDown.has(name)) {
      try {
        await this.#start(name, {});
      } catch (error) {
        if (!(error instanceof TrefoilError)) throw error;
        await this.sleep(RESTART_DELAY_MS);
      }
    }
  }

  /**
   * Keeps a node from being restarted (it does not stop it). Of overlapping faults the last to be taken back lets
   * `restart` work again, so each can end with taking back its own and a restart.
   */
  keepDown(name: string): Cancel {
    this.#keptDown.set(name, (this.#keptDown.get(name) ?? 0) + 1);
    let over = false;
    return () => {
      if (over) return;
      over = true;
      const left = (this.#keptDown.get(name) ?? 0) - 1;
      if (left > 0) this.#keptDown.set(name, left);
      else this.#keptDown.delete(name);
    };
  }

  /** The runtime of one node, to start it by hand. */
  runtime(name: string): NodeRuntime {
    const runtime = this.world.node(name);
    return this.#wrapRuntime?.(name, runtime) ?? runtime;
  }

  /** A node that is up. */
  node(name: string): RunningNode {
    const node = this.#nodes.get(name)?.node;
    invariant(node !== undefined, `${name} runs`);
    return node;
  }

  /** Whether the node has started and was not asked to stop. */
  running(name: string): boolean {
    return this.#nodes.get(name)?.state === 'running';
  }

  /** Whether there is no process of this node. */
  down(name: string): boolean {
    return !this.#nodes.has(name);
  }

  /** The counters of all nodes, summed: those that run, and those that ended. */
  counters(): Record<string, number> {
    const sums = { ...this.#counted };
    for (const { node } of this.#nodes.values()) addTo(sums, node?.status().counters ?? {});
    return sums;
  }

  /** Kills a node's process, whatever it is doing. Nothing where there is none. */
  crash(name: string, options: CrashOptions = {}): void {
    this.#count(name);
    this.world.crash(name, options);
    this.#ended(name);
  }

  /** Stops a running node in order. Resolves when it is down, also when it crashed meanwhile; rejects as the node's stop does. */
  stop(name: string): Promise<void> {
    const stopping = this.#nodes.get(name);
    invariant(stopping?.node !== undefined, `${name} runs`);
    const { node } = stopping;
    stopping.state = 'stopping';
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void): void => {
        if (this.#nodes.get(name) === stopping) {
          this.#count(name);
          this.world.exit(name);
          this.#ended(name);
        }
        settle();
      };
      stopping.onDown.push(resolve);
      this.world.act(name, () => {
        node.stop().then(
          () => {
            finish(resolve);
          },
          (error: unknown) => {
            finish(() => {
              reject(asTrefoilError(error));
            });
          },
        );
      });
    });
  }

  /** The node, or undefined if it crashed meanwhile. */
  async #start(name: string, options: Partial<NodeOptions>): Promise<RunningNode | undefined> {
    invariant(!this.#nodes.has(name), `${name} is down before it is started`);
    const starting: NodeState = { state: 'starting', node: undefined, onDown: [] };
    this.#nodes.set(name, starting);
    const crashed = new Promise<undefined>((resolve) => {
      starting.onDown.push(() => {
        resolve(undefined);
      });
    });
    try {
      const started = startNode({
        runtime: this.runtime(name),
        config: this.config,
        node: nodeId(name),
        dataDir: name,
        ...(this.#limits === undefined ? {} : { limits: this.#limits }),
        ...(this.#pace === undefined ? {} : { pace: this.#pace }),
        ...options,
      });
      const node = await Promise.race([started, crashed]);
      if (node === undefined || this.#nodes.get(name) !== starting) return undefined;
      starting.state = 'running';
      starting.node = node;
      return node;
    } catch (error) {
      if (this.#nodes.get(name) !== starting) return undefined;
      this.world.exit(name);
      this.#ended(name);
      throw error;
    }
  }

  /** Keeps what a node has counted, which ends with it. */
  #count(name: string): void {
    const { node } = this.#nodes.get(name) ?? {};
    if (node !== undefined) addTo(this.#counted, node.status().counters);
  }

  #ended(name: string): void {
    const state = this.#nodes.get(name);
    this.#nodes.delete(name);
    for (const tell of state?.onDown ?? []) tell();
  }

  // --- Clients -------------------------------------------------------------------------------------

  /** A client's process and its connection. The process runs until `disconnect`. */
  connect(name: string, options: Partial<ConnectOptions> = {}): Promise<Database> {
    const seeds = this.map.nodes.map(({ host, port }) => `${host}:${String(port)}`);
    return connectWith(this.world.client(name), { seeds, timeoutMs: 5_000, ...options });
  }

  /** Ends a client's process, as it is; the name is free for the next one. */
  disconnect(name: string): void {
    this.world.exit(name);
  }

  // --- Time ----------------------------------------------------------------------------------------

  /** Resolves after some virtual time. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.simulation.schedule(ms, 'sleep', resolve);
    });
  }

  /** Runs until the promise settles. */
  settle<T>(promise: Promise<T>, limitMs = 60_000): Promise<T> {
    return this.simulation.settle(promise, { limitMs });
  }

  /** Starts every node, and runs until each sees the others and counts in reads. */
  async start(): Promise<void> {
    await this.settle(Promise.all(this.names.map((name) => this.boot(name))));
    await this.allReachable();
    await this.refilled();
  }

  /** Runs until every replica counts: a new one does once it has asked the others what it may have lost. */
  refilled(limitMs = 30_000): Promise<void> {
    const filled = (name: string): boolean => {
      const { gauges } = this.node(name).status();
      return ['refilling', 'opening'].every((gauge) => (gauges[gauge] ?? 0) === 0);
    };
    return this.simulation.runUntil(() => this.names.every(filled), { limitMs });
  }

  /** Runs until every node is up and sees all others. */
  allReachable(limitMs = 30_000): Promise<void> {
    const sees = (name: string): boolean =>
      this.node(name)
        .status()
        .peers.every((peer) => peer.reachable);
    return this.simulation.runUntil(
      () => this.names.every((name) => this.running(name)) && this.names.every(sees),
      { limitMs },
    );
  }

  // --- Agreement -----------------------------------------------------------------------------------

  /** What the replicas of every group have on disk. */
  copies(): GroupCopies[] {
    return [...groupCopies(this.map, (node) => this.world.disk(node))];
  }

  /** The records on which replicas differ, for people. Empty: all agree. */
  disagreements(): string[] {
    return this.copies().flatMap(differences);
  }

  /** What stand-ins still keep for replicas, for people: the replicas may agree because none of them has it. */
  heldBack(): string[] {
    return this.names.flatMap((name) => {
      const held = this.running(name) ? (this.node(name).status().gauges['standInHints'] ?? 0) : 0;
      return held > 0 ? [`${name} keeps ${String(held)} records for others`] : [];
    });
  }

  /** Runs until all replicas agree and have what was kept for them. Rejects with `Timeout`, which names what still differs. */
  async converge(limitMs: number): Promise<void> {
    const untilMs = this.simulation.nowMs() + limitMs;
    for (;;) {
      const left = [...this.disagreements(), ...this.heldBack()];
      if (left.length === 0) return;
      if (this.simulation.nowMs() >= untilMs) {
        const shown = left.slice(0, DIFFERENCES_SHOWN_MAX).join('; ');
        throw new TrefoilError('Timeout', `no agreement within ${String(limitMs)} virtual ms: ${shown}`);
      }
      await this.simulation.runFor(CONVERGE_POLL_MS);
    }
  }
}

function addTo(sums: Record<string, number>, counters: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(counters)) sums[name] = (sums[name] ?? 0) + value;
}

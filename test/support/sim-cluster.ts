/**
 * A whole cluster on virtual time: the real node and the real SDK on simulated machines. Strategy tests and
 * campaigns run on it; what they break, they break through the world's faults.
 */
import { findNamespace, replicasOf, type ClusterMap } from '../../src/cluster/cluster-map.js';
import { buildClusterMap } from '../../src/cluster/build-map.js';
import { parseClusterConfig, type ClusterConfig } from '../../src/cluster/config.js';
import type { Database } from '../../src/client/api.js';
import { connectWith } from '../../src/client/database.js';
import { partitionOfKey } from '../../src/core/hash.js';
import { groupId, nodeId } from '../../src/core/ids.js';
import type { KeyRecord } from '../../src/core/record.js';
import { startNode, type NodeOptions, type RunningNode } from '../../src/node/node.js';
import type { Message } from '../../src/protocol/messages.js';
import { decodeRecord, recordHeader } from '../../src/protocol/record-codec.js';
import type { NodeRuntime } from '../../src/runtime/runtime.js';
import type { LinkConditions } from '../../src/simulation/pipe.js';
import { SimulatedWorld, type CrashOptions } from '../../src/simulation/world.js';
import { tappedNetwork } from './tapped-network.js';

export const drain = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const NODES = ['n1', 'n2', 'n3'];

export interface SimClusterOptions {
  readonly seed: number;
  /** YAML of the namespaces; one of siblings, one of lww by default. */
  readonly namespaces?: string;
  readonly conditions?: Partial<LinkConditions>;
  readonly limits?: NonNullable<NodeOptions['limits']>;
  /** Sees every message of every node as it leaves. Decoding all frames takes time: only for tests that need it. */
  readonly onMessage?: (from: string, to: string, message: Message) => void;
}

const NAMESPACES = `
  - { name: default, strategy: leaderless, partitions: 2 }
  - { name: latest, strategy: leaderless, partitions: 2, conflict: lww }
`;

export class SimCluster {
  readonly world: SimulatedWorld;
  readonly config: ClusterConfig;
  readonly map: ClusterMap;
  readonly names = NODES;
  readonly #limits: NodeOptions['limits'];
  readonly #onMessage: SimClusterOptions['onMessage'];
  #rawClients = 0;
  readonly #nodes = new Map<string, RunningNode>();

  constructor(options: SimClusterOptions) {
    this.world = new SimulatedWorld({
      seed: options.seed,
      drain,
      ...(options.conditions === undefined ? {} : { conditions: options.conditions }),
    });
    this.config = parseClusterConfig(
      `cluster: simulated\nnodes:\n${NODES.map(
        (id) => `  - { id: ${id}, host: ${id}.test, port: 7000, dataDir: ./${id} }\n`,
      ).join('')}namespaces:${options.namespaces ?? NAMESPACES}`,
      'simulated.yaml',
    );
    this.map = buildClusterMap(this.config);
    this.#limits = options.limits;
    this.#onMessage = options.onMessage;
  }

  /** Starts every node and waits until each sees the others. */
  static async start(options: SimClusterOptions): Promise<SimCluster> {
    const cluster = new SimCluster(options);
    await cluster.settle(Promise.all(NODES.map((name) => cluster.boot(name))));
    await cluster.allReachable();
    return cluster;
  }

  get simulation() {
    return this.world.simulation;
  }

  settle<T>(promise: Promise<T>, limitMs = 60_000): Promise<T> {
    return this.simulation.settle(promise, { limitMs });
  }

  /** Starts one node; the promise needs the simulation to run. */
  async boot(name: string, options: Partial<NodeOptions> = {}): Promise<RunningNode> {
    const node = await startNode({
      runtime: this.runtime(name),
      config: this.config,
      node: nodeId(name),
      dataDir: name,
      ...(this.#limits === undefined ? {} : { limits: this.#limits }),
      ...options,
    });
    this.#nodes.set(name, node);
    return node;
  }

  /** The runtime of one node, to start it by hand. */
  runtime(name: string): NodeRuntime {
    const runtime = this.world.node(name);
    const onMessage = this.#onMessage;
    if (onMessage === undefined) return runtime;
    return {
      ...runtime,
      network: tappedNetwork(runtime.network, (to, message) => onMessage(name, to, message)),
    };
  }

  /** A fresh name for a client that speaks the protocol by hand. */
  rawClientName(): string {
    return `raw-${++this.#rawClients}`;
  }

  node(name: string): RunningNode {
    const node = this.#nodes.get(name);
    if (node === undefined) throw new Error(`${name} does not run`);
    return node;
  }

  running(name: string): boolean {
    return this.#nodes.has(name);
  }

  crash(name: string, options: CrashOptions = {}): void {
    this.world.crash(name, options);
    this.#nodes.delete(name);
  }

  /** Stops a node gracefully. */
  async stop(name: string): Promise<void> {
    await this.settle(this.node(name).stop());
    this.world.exit(name);
    this.#nodes.delete(name);
  }

  allReachable(limitMs = 30_000): Promise<void> {
    return this.simulation.runUntil(
      () =>
        NODES.every((name) => this.running(name)) &&
        NODES.every((name) =>
          this.node(name)
            .status()
            .peers.every((peer) => peer.reachable),
        ),
      { limitMs },
    );
  }

  /** Runs until these two sides know that they cannot reach each other (a side that is down knows nothing). */
  parted(name: string, others: readonly string[]): Promise<void> {
    const sees = (from: string, to: string): boolean =>
      this.running(from) &&
      this.node(from)
        .status()
        .peers.some((peer) => peer.node === to && peer.reachable);
    return this.simulation.runUntil(() => others.every((other) => !sees(name, other) && !sees(other, name)));
  }

  connect(
    name: string,
    options: { readonly timeoutMs?: number; readonly seeds?: readonly string[] } = {},
  ): Promise<Database> {
    const { seeds = NODES.map((id) => `${id}.test:7000`), timeoutMs = 5_000 } = options;
    return this.settle(connectWith(this.world.client(name), { seeds, timeoutMs }));
  }

  /** Where a node keeps the record of a key in its store. */
  recordKey(namespace: string, partition: number, key: string): string {
    const entry = this.map.namespaces.find((n) => n.name === namespace);
    if (entry === undefined) throw new Error(`no namespace ${namespace}`);
    return `g/${groupId(entry.name, partition)}/r/${key}`;
  }

  /** Where a node keeps the record of a key, whatever its partition. */
  placeOf(namespace: string, key: string): string {
    const entry = findNamespace(this.map, namespace)?.entry;
    return this.recordKey(namespace, partitionOfKey(key, entry?.partitions ?? 1), key);
  }

  /** The record of a key as a node has it on disk. */
  record(node: string, key: string, namespace = 'default'): KeyRecord | undefined {
    const bytes = this.world.disk(node).peek(this.placeOf(namespace, key));
    return bytes === undefined ? undefined : decodeRecord(bytes);
  }

  /** The texts that a node has on disk under a key, `null` for a tombstone, sorted. */
  stored(node: string, key: string, namespace = 'default'): (string | null)[] {
    const siblings = this.record(node, key, namespace)?.siblings ?? [];
    return siblings.map(({ value }) => (value === null ? null : Buffer.from(value).toString())).sort();
  }

  /** A counter of a node, 0 where it never counted. */
  counter(node: string, name: string): number {
    return this.node(node).status().counters[name] ?? 0;
  }

  gauge(node: string, name: string): number {
    return this.node(node).status().gauges[name] ?? 0;
  }

  /** The stored record headers of every group that differ between its replicas, for people. Empty: all agree. */
  disagreements(): string[] {
    const found: string[] = [];
    this.map.namespaces.forEach((namespace, index) => {
      for (let partition = 0; partition < namespace.partitions; partition++) {
        const copies = replicasOf(this.map, index, partition).map((id) =>
          this.#headers(id, namespace.name, partition),
        );
        const keys = new Set(copies.flatMap((copy) => [...copy.keys()]));
        for (const key of keys) {
          const headers = new Set(copies.map((copy) => copy.get(key) ?? 'absent'));
          if (headers.size > 1) found.push(`${namespace.name}/${partition} ${key}: ${headers.size} versions`);
        }
      }
    });
    return found;
  }

  #headers(node: string, namespace: string, partition: number): Map<string, string> {
    const gte = this.recordKey(namespace, partition, '');
    const disk = this.world.disk(node);
    return new Map(
      disk.keys({ gte, lt: `${gte.slice(0, -1)}0` }).map((stored) => {
        const bytes = disk.peek(stored) ?? new Uint8Array();
        return [stored.slice(gte.length), Buffer.from(recordHeader(bytes)).toString('hex')];
      }),
    );
  }

  /** Runs until all replicas agree, or fails with what still differs. */
  async converge(limitMs: number): Promise<void> {
    const untilMs = this.simulation.nowMs() + limitMs;
    while (this.disagreements().length > 0) {
      if (this.simulation.nowMs() >= untilMs) {
        throw new Error(
          `no agreement within ${limitMs} virtual ms: ${this.disagreements().slice(0, 5).join('; ')}`,
        );
      }
      await this.simulation.runFor(200);
    }
  }
}

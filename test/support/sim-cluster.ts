/**
 * A cluster of three for the tests: `SimulatedCluster` with a config, short names for what tests look at, and
 * methods that run the simulation themselves, because a test is always the one who drives it.
 */
import { eventLoopTurns } from '../../chaos/event-loop.js';
import { findNamespace } from '../../src/cluster/cluster-map.js';
import type { Database } from '../../src/client/api.js';
import { partitionOfKey } from '../../src/core/hash.js';
import type { KeyRecord } from '../../src/core/record.js';
import type { NodeOptions } from '../../src/node/node.js';
import type { Message } from '../../src/protocol/messages.js';
import { decodeRecord } from '../../src/protocol/record-codec.js';
import { SimulatedCluster } from '../../src/simulation/cluster.js';
import { recordPlace } from '../../src/simulation/copies.js';
import type { LinkConditions } from '../../src/simulation/conditions.js';
import { tappedNetwork } from './tapped-network.js';

const NODES = ['n1', 'n2', 'n3'];

export interface SimClusterOptions {
  readonly seed: number;
  /** Their names; three by default. */
  readonly nodes?: readonly string[];
  /** YAML of the namespaces; one of siblings, one of lww by default. */
  readonly namespaces?: string;
  readonly conditions?: Partial<LinkConditions>;
  readonly limits?: NonNullable<NodeOptions['limits']>;
  readonly pace?: NonNullable<NodeOptions['pace']>;
  /** Sees every message of every node as it leaves. Decoding all frames takes time: only for tests that need it. */
  readonly onMessage?: (from: string, to: string, message: Message) => void;
}

const NAMESPACES = `
  - { name: default, strategy: leaderless, partitions: 2 }
  - { name: latest, strategy: leaderless, partitions: 2, conflict: lww }
`;

export class SimCluster extends SimulatedCluster {
  #rawClients = 0;

  constructor(options: SimClusterOptions) {
    const { seed, nodes = NODES, namespaces, conditions, limits, pace, onMessage } = options;
    super({
      seed,
      turns: eventLoopTurns,
      config: `cluster: simulated\nnodes:\n${nodes
        .map((id) => `  - { id: ${id}, host: ${id}.test, port: 7000, dataDir: ./${id} }\n`)
        .join('')}namespaces:${namespaces ?? NAMESPACES}`,
      ...(conditions === undefined ? {} : { conditions }),
      ...(limits === undefined ? {} : { limits }),
      ...(pace === undefined ? {} : { pace }),
      ...(onMessage === undefined
        ? {}
        : {
            wrapRuntime: (name, runtime) => ({
              ...runtime,
              network: tappedNetwork(runtime.network, (to, message) => onMessage(name, to, message)),
            }),
          }),
    });
  }

  /** Starts every node and waits until each sees the others. */
  static async start(options: SimClusterOptions): Promise<SimCluster> {
    const cluster = new SimCluster(options);
    await cluster.start();
    return cluster;
  }

  /** A fresh name for a client that speaks the protocol by hand. */
  rawClientName(): string {
    return `raw-${++this.#rawClients}`;
  }

  /** Stops a node gracefully. */
  override stop(name: string): Promise<void> {
    return this.settle(super.stop(name));
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

  override connect(
    name: string,
    options: { readonly timeoutMs?: number; readonly seeds?: readonly string[] } = {},
  ): Promise<Database> {
    return this.settle(super.connect(name, options));
  }

  /** Where a node keeps the record of a key in its store. */
  recordKey(namespace: string, partition: number, key: string): string {
    const entry = this.map.namespaces.find((n) => n.name === namespace);
    if (entry === undefined) throw new Error(`no namespace ${namespace}`);
    return `${recordPlace(entry.name, partition)}${key}`;
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
}

/**
 * Where a request goes: the newest cluster map, one link for each address, and which of a partition's
 * replicas to ask.
 *
 * The map's preferred coordinator is asked first, so that the writes of a key meet in one place. While it
 * is not connected, a connected replica serves and the preferred one is connected beside it. Reads that any
 * replica may answer are spread over those that are connected, by chance. A node whose
 * connection fails is left alone for a while that grows with each failure, with jitter; other replicas
 * serve meanwhile. There is no map service to ask: maps come with welcomes and `StaleMap` answers, so to
 * refresh means to connect where we are not connected yet.
 */
import {
  findNamespace,
  replicasOf,
  type ClusterMap,
  type NamespaceEntry,
  type NodeEntry,
} from '../cluster/cluster-map.js';
import { TrefoilError } from '../core/errors.js';
import type { NodeId } from '../core/ids.js';
import {
  PARTITIONS_MAX,
  SDK_LEAVING_MAX,
  SDK_RECONNECT_MS_MAX,
  SDK_RECONNECT_MS_MIN,
  SEEDS_AT_ONCE,
} from '../core/limits.js';
import { PROTOCOL_VERSION, type Welcome } from '../protocol/messages.js';
import type { Address, ClientRuntime } from '../runtime/runtime.js';
import { addressText, lossReason, NodeConnection } from './connection.js';

export interface RouterOptions {
  readonly seeds: readonly Address[];
  /** undefined: any cluster. */
  readonly cluster: string | undefined;
  readonly credentials: string;
  /** Names this client in its hellos. */
  readonly id: string;
  /** Called when a first or newer map is known. */
  readonly onMap: (map: ClusterMap) => void;
}

/** What is known of one address. */
interface Link {
  readonly address: Address;
  connection: NodeConnection | undefined;
  failures: number;
  /** No new connection before this time. */
  downUntilMs: number;
  lastError: TrefoilError | undefined;
}

export class Router {
  readonly #runtime: ClientRuntime;
  readonly #options: RouterOptions;
  readonly #links = new Map<string, Link>();
  readonly #seeds: readonly Link[];
  /** Connections that take no new requests and still have some in flight, the longest leaving first. */
  readonly #leaving = new Set<NodeConnection>();
  /** Who leads which partition, as far as an answer has told; by `placeOf`. */
  readonly #leaders = new Map<number, Link>();
  /** The links of the current map's nodes. */
  #nodes = new Map<string, Link>();
  #map: ClusterMap | undefined;
  #nextSeed = 0;
  #closed = false;

  constructor(runtime: ClientRuntime, options: RouterOptions) {
    this.#runtime = runtime;
    this.#options = options;
    this.#seeds = options.seeds.map((address) => this.#linkTo(address));
    this.#nextSeed = runtime.random.integer(Math.max(1, this.#seeds.length));
  }

  /** The newest map known; undefined until a first node has welcomed us. */
  get map(): ClusterMap | undefined {
    return this.#map;
  }

  /** A namespace of the map. Throws `UnknownNamespace`. */
  namespace(name: string): { entry: NamespaceEntry; index: number } {
    const found = this.#map === undefined ? undefined : findNamespace(this.#map, name);
    if (found !== undefined) return found;
    this.refresh();
    const known = this.#map?.namespaces.map((n) => n.name).join(', ') ?? '';
    throw new TrefoilError('UnknownNamespace', `no namespace ${JSON.stringify(name)}; there are: ${known}`);
  }

  /**
   * A usable connection to a replica of a partition, or undefined where none may be tried now.
   * Replicas at the addresses in `avoid` come last.
   */
  pick(
    namespaceIndex: number,
    partition: number,
    avoid: ReadonlySet<string> | undefined,
  ): NodeConnection | undefined {
    if (this.#map === undefined) return undefined;
    const replicas = replicasOf(this.#map, namespaceIndex, partition);
    const nowMs = this.#runtime.clock.monotonicMs();
    let connecting: NodeConnection | undefined;
    let avoided: NodeConnection | undefined;
    for (const node of replicas) {
      const link = this.#nodes.get(node);
      const connection = link === undefined ? undefined : this.#ensure(link, nowMs);
      if (connection === undefined) continue;
      if (avoid?.has(connection.address) === true) {
        if (avoided === undefined || (connection.ready && !avoided.ready)) avoided = connection;
      } else if (connection.ready) {
        return connection;
      } else {
        connecting ??= connection;
      }
    }
    return connecting ?? avoided;
  }

  /** As {@link pick}, but by chance where several replicas would do equally well. All of them get connected. */
  pickAny(
    namespaceIndex: number,
    partition: number,
    avoid: ReadonlySet<string> | undefined,
  ): NodeConnection | undefined {
    if (this.#map === undefined) return undefined;
    const nowMs = this.#runtime.clock.monotonicMs();
    const best: NodeConnection[] = [];
    let bestRank = 0;
    for (const node of replicasOf(this.#map, namespaceIndex, partition)) {
      const link = this.#nodes.get(node);
      const connection = link === undefined ? undefined : this.#ensure(link, nowMs);
      if (connection === undefined) continue;
      const rank = (avoid?.has(connection.address) === true ? 0 : 2) + (connection.ready ? 1 : 0);
      if (rank > bestRank) best.length = 0;
      if (rank < bestRank) continue;
      bestRank = rank;
      best.push(connection);
    }
    return best.length > 1 ? best[this.#runtime.random.integer(best.length)] : best[0];
  }

  /** As {@link pick}, but first the replica that is known to lead the partition. */
  pickLeader(
    namespaceIndex: number,
    partition: number,
    avoid: ReadonlySet<string> | undefined,
  ): NodeConnection | undefined {
    const hint = this.#leaders.get(placeOf(namespaceIndex, partition));
    const leader = hint === undefined ? undefined : this.#ensure(hint, this.#runtime.clock.monotonicMs());
    if (leader !== undefined && avoid?.has(leader.address) !== true) return leader;
    return this.pick(namespaceIndex, partition, avoid);
  }

  /**
   * Takes note that the replica at `from` does not lead a partition, and of who does, if it knew. Gives a usable connection to that
   * leader, or undefined where there is none, or where the answer makes no sense.
   */
  noteLeader(
    namespace: string,
    partition: number,
    leader: NodeId | undefined,
    from: string | undefined,
  ): NodeConnection | undefined {
    const found = this.#map === undefined ? undefined : findNamespace(this.#map, namespace);
    if (this.#map === undefined || found === undefined) return undefined;
    const place = placeOf(found.index, partition);
    const link = leader === undefined ? undefined : this.#nodes.get(leader);
    const isReplica = leader !== undefined && replicasOf(this.#map, found.index, partition).includes(leader);
    if (link === undefined || !isReplica || addressText(link.address) === from) {
      const known = this.#leaders.get(place);
      if (known !== undefined && addressText(known.address) === from) this.#leaders.delete(place);
      return undefined;
    }
    const connection = this.#ensure(link, this.#runtime.clock.monotonicMs());
    if (connection === undefined) this.#leaders.delete(place);
    else this.#leaders.set(place, link);
    return connection;
  }

  /** How many replicas a partition has; 0 where the map knows no such namespace. */
  replicaCount(namespace: string, partition: number): number {
    return this.#replicas(namespace, partition).length;
  }

  /** A usable connection to one node, or undefined where it may not be tried now. Throws `BadRequest` for an unknown node. */
  connectionTo(node: string): NodeConnection | undefined {
    const link = this.#nodes.get(node);
    if (link !== undefined) return this.#ensure(link, this.#runtime.clock.monotonicMs());
    const known = this.#map?.nodes.map((n) => n.id).join(', ') ?? '';
    throw new TrefoilError('BadRequest', `no node ${JSON.stringify(node)}; there are: ${known}`);
  }

  /** Why the last connection to each of some nodes failed, for a person. */
  reasons(nodes: readonly string[]): string {
    return nodes.map((node) => `${node}: ${lastReason(this.#nodes.get(node))}`).join('; ');
  }

  /** What each replica of a partition `said`, by its address, else why it is not connected, as `n1: NoLeader`. Without those that are connected and said nothing. */
  told(
    namespace: string,
    partition: number,
    said: (address: string) => string | undefined,
  ): readonly string[] {
    return this.#replicas(namespace, partition).flatMap((node) => {
      const link = this.#nodes.get(node);
      if (link === undefined) return [];
      const address = addressText(link.address);
      const told =
        said(address) ?? (link.lastError === undefined ? undefined : lossReason(link.lastError, address));
      return told === undefined ? [] : [`${node}: ${told}`];
    });
  }

  /** Why the last connection to each seed failed, for a person. */
  seedReasons(): string {
    return this.#seeds.map((link) => `${addressText(link.address)}: ${lastReason(link)}`).join('; ');
  }

  /** The refusal that no retry can change, if every seed has given one and there is no map. */
  seedRefusal(): TrefoilError | undefined {
    const errors = this.#seeds.map((link) => link.lastError);
    return errors.every((error) => error?.retryable === false) ? errors[0] : undefined;
  }

  /** Takes a map that came with an answer, if it is newer and of this cluster. */
  adopt(map: ClusterMap): void {
    if (this.#closed) return;
    const current = this.#map;
    if (current !== undefined && (map.cluster !== current.cluster || map.epoch <= current.epoch)) {
      if (map.epoch === current.epoch && map.hash !== current.hash) {
        this.#runtime.log.write('warn', 'two maps of one epoch', { ours: current.hash, theirs: map.hash });
      }
      return;
    }
    this.#map = map;
    this.#nodes = new Map(map.nodes.map((node) => [node.id, this.#linkTo(node)]));
    // Namespaces may stand at other places now; and who led may have left.
    this.#leaders.clear();
    this.#leaveStrangers(map.nodes);
    this.#options.onMap(map);
  }

  /** Looks for a newer map: connects to nodes and seeds that we are not connected to. */
  refresh(): void {
    const nowMs = this.#runtime.clock.monotonicMs();
    for (const link of new Set([...this.#nodes.values(), ...this.#seeds])) this.#ensure(link, nowMs);
  }

  /** Looks at the time; see `NodeConnection.pulse`. While there is no map, keeps a few seeds on trial. */
  pulse(nowMs: number, stalled: boolean): void {
    for (const link of this.#links.values()) link.connection?.pulse(nowMs, stalled);
    for (const connection of this.#leaving) {
      connection.pulse(nowMs, stalled);
      if (connection.closed) this.#leaving.delete(connection);
    }
    if (this.#map !== undefined) return;
    let trials = this.#seeds.filter((link) => link.connection !== undefined).length;
    for (let tried = 0; tried < this.#seeds.length && trials < SEEDS_AT_ONCE; tried++) {
      const link = this.#seeds[this.#nextSeed++ % this.#seeds.length];
      if (link?.connection === undefined && link !== undefined && this.#ensure(link, nowMs) !== undefined)
        trials++;
    }
  }

  /** Drops every connection; no new one is made. */
  close(why: TrefoilError): void {
    this.#closed = true;
    for (const link of this.#links.values()) link.connection?.destroy(why);
    for (const connection of this.#leaving) connection.destroy(why);
  }

  #replicas(namespace: string, partition: number): readonly NodeId[] {
    const found = this.#map === undefined ? undefined : findNamespace(this.#map, namespace);
    return this.#map === undefined || found === undefined
      ? []
      : replicasOf(this.#map, found.index, partition);
  }

  #linkTo(address: Address): Link {
    const text = addressText(address);
    let link = this.#links.get(text);
    if (link === undefined) {
      link = {
        address: { host: address.host, port: address.port },
        connection: undefined,
        failures: 0,
        downUntilMs: 0,
        lastError: undefined,
      };
      this.#links.set(text, link);
    }
    return link;
  }

  #ensure(link: Link, nowMs: number): NodeConnection | undefined {
    if (link.connection?.usable === true) return link.connection;
    if (this.#closed || nowMs < link.downUntilMs) return undefined;
    const { credentials, id } = this.#options;
    const hello = () => ({
      type: 'hello' as const,
      protocol: PROTOCOL_VERSION,
      cluster: this.#options.cluster ?? this.#map?.cluster ?? '',
      role: 'client' as const,
      id,
      credentials,
      mapEpoch: this.#map?.epoch ?? 0,
      mapHash: this.#map?.hash ?? '',
    });
    link.connection = new NodeConnection(this.#runtime, link.address, hello, {
      onWelcome: (_connection, welcome) => this.#onWelcome(link, welcome),
      onUnusable: (connection, why) => this.#onUnusable(link, connection, why),
    });
    return link.connection;
  }

  #onWelcome(link: Link, welcome: Welcome): TrefoilError | undefined {
    const cluster = this.#options.cluster ?? this.#map?.cluster;
    if (cluster !== undefined && welcome.cluster !== cluster) {
      return new TrefoilError(
        'WrongCluster',
        `${addressText(link.address)} belongs to cluster ${welcome.cluster}, not ${cluster}`,
      );
    }
    if (welcome.protocol !== PROTOCOL_VERSION) {
      return new TrefoilError(
        'UnsupportedProtocol',
        `${addressText(link.address)} speaks protocol ${welcome.protocol}, this client ${PROTOCOL_VERSION}`,
      );
    }
    link.failures = 0;
    link.lastError = undefined;
    if (welcome.map !== null) this.adopt(welcome.map);
    return undefined;
  }

  #onUnusable(link: Link, connection: NodeConnection, why: TrefoilError): void {
    // The end of one that was leaving: that its node left is known.
    if (this.#leaving.delete(connection)) return;
    if (!connection.closed) this.#keepLeaving(connection);
    if (link.connection === connection) link.connection = undefined;
    for (const [place, leader] of this.#leaders) if (leader === link) this.#leaders.delete(place);
    link.lastError = why;
    const backoffMs = Math.min(
      SDK_RECONNECT_MS_MAX,
      SDK_RECONNECT_MS_MIN * 2 ** Math.min(link.failures++, 10),
    );
    // Half fixed, half jitter: never at once, never all together.
    const pauseMs = (backoffMs / 2) * (1 + this.#runtime.random.float()) + (why.retryAfterMs ?? 0);
    link.downUntilMs = this.#runtime.clock.monotonicMs() + pauseMs;
  }

  /** A leaving connection is watched until it is closed: the node may die before it has answered. */
  #keepLeaving(connection: NodeConnection): void {
    this.#leaving.add(connection);
    const [longest] = this.#leaving;
    if (this.#leaving.size <= SDK_LEAVING_MAX || longest === undefined) return;
    longest.destroy(
      new TrefoilError('ConnectionLost', `${longest.address}: too many connections are leaving`),
    );
  }

  /** Connections to addresses that a new map no longer has: seeds under other names, nodes that left. */
  #leaveStrangers(nodes: readonly NodeEntry[]): void {
    const known = new Set(nodes.map(addressText));
    const why = new TrefoilError('NotReplica', 'the node is no longer in the cluster map');
    for (const [text, link] of this.#links) if (!known.has(text)) link.connection?.leave(why);
  }
}

/** One number for each partition of the map. */
function placeOf(namespaceIndex: number, partition: number): number {
  return namespaceIndex * PARTITIONS_MAX + partition;
}

function lastReason(link: Link | undefined): string {
  return link?.lastError?.message ?? (link?.connection === undefined ? 'not tried' : 'no answer yet');
}

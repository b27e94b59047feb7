/**
 * A node that speaks the protocol and does what a test tells it: it serves a simple store that all nodes of
 * its world share, refuses, stays silent, loses answers. It records every hello and request it gets.
 */
import { findNamespace, type ClusterMap } from '../../src/cluster/cluster-map.js';
import { partitionOfKey } from '../../src/core/hash.js';
import { incarnationId, namespaceName, nodeId } from '../../src/core/ids.js';
import { compareKeys } from '../../src/core/text-order.js';
import { decodeFrame, encodeFrame } from '../../src/protocol/codec.js';
import { decodeContext, encodeContext } from '../../src/protocol/context-codec.js';
import {
  PROTOCOL_VERSION,
  type ClientRequest,
  type ClientResult,
  type Hello,
  type Message,
  type ScanEntry,
  type WireError,
} from '../../src/protocol/messages.js';
import type { ClientRuntime, Connection } from '../../src/runtime/runtime.js';

const INCARNATION = incarnationId('store');

interface Stored {
  readonly dot: number;
  readonly value: Uint8Array | null;
  readonly operation: string;
}

/** What the nodes of a world hold and do. */
export interface NodeStore {
  serve(request: ClientRequest, node: string): ClientResult | WireError;
}

/** What all nodes of a world hold: they are always in agreement. Policy `siblings`. */
export class SharedStore implements NodeStore {
  readonly #keys = new Map<string, { siblings: Stored[]; dots: number; operations: Map<string, number> }>();
  readonly #map: ClusterMap;

  constructor(map: ClusterMap) {
    this.#map = map;
  }

  serve(request: ClientRequest): ClientResult | WireError {
    const { operation, namespace } = request;
    switch (operation.type) {
      case 'status':
        return { type: 'status-result', status: '{"ok":true}' };
      case 'change':
      case 'put-all':
      case 'open-session':
        return wireError('Unsupported');
      case 'get':
        return { type: 'get-result', ...this.#read(operation.key), version: 0, lag: null, explain: null };
      case 'scan': {
        const found = findNamespace(this.#map, namespace);
        const partitions = found?.entry.partitions ?? 1;
        const keys = [...this.#keys.keys()]
          .filter((key) => partitionOfKey(key, partitions) === operation.partition)
          .filter((key) => key.startsWith(operation.prefix))
          .filter((key) => operation.after === '' || compareKeys(key, operation.after) > 0)
          .sort(compareKeys);
        const page = keys.slice(0, operation.limit);
        const entries = page.map((key) => ({ key, ...this.#read(key), version: 0 }) as ScanEntry);
        const next = page.length < keys.length ? (page.at(-1) ?? null) : null;
        const live = entries.filter((e) => e.values.length > 0);
        return { type: 'scan-result', entries: live, next, lag: null, index: 0 };
      }
      case 'put': {
        const { key, value, context } = operation;
        const name = `${operation.operation.session}/${operation.operation.sequence}`;
        const record = this.#keys.get(key) ?? {
          siblings: [],
          dots: 0,
          operations: new Map<string, number>(),
        };
        this.#keys.set(key, record);
        const seen = context === null ? { vector: [], dots: [], hlc: 0 } : decodeContext(key, context);
        const covered = seen.vector[0]?.[1] ?? 0;
        const exact = seen.dots.map((dot) => dot.counter);
        let dot = operation.attempt > 0 ? record.operations.get(name) : undefined;
        if (dot === undefined) {
          dot = ++record.dots;
          record.operations.set(name, dot);
          record.siblings = record.siblings.filter((s) => s.dot > covered && !exact.includes(s.dot));
          record.siblings.push({ dot, value, operation: name });
        }
        const dots = [{ incarnation: INCARNATION, counter: dot }];
        return {
          type: 'put-result',
          context: encodeContext(key, { vector: seen.vector, dots, hlc: dot }),
          siblings: record.siblings.length,
          version: 0,
          replicas: 0,
          explain: null,
        };
      }
    }
  }

  #read(key: string): Pick<ScanEntry, 'values'> & { context: Uint8Array | null } {
    const record = this.#keys.get(key);
    if (record === undefined) return { values: [], context: null };
    const live = record.siblings.flatMap((s) =>
      s.value === null ? [] : [{ value: s.value, hlc: s.dot, expiresAt: 0 }],
    );
    const context = { vector: [[INCARNATION, record.dots]] as const, dots: [], hlc: record.dots };
    return { values: live, context: encodeContext(key, context) };
  }
}

/** What a node does with a request: serve it, or answer this, or not answer (`serve` says whether it takes effect). */
export type Reaction =
  | 'serve'
  | WireError
  /** `refusal`: in place of what it would serve. */
  | { readonly answerAfterMs: number; readonly refusal?: WireError }
  | { readonly lose: 'request' | 'answer' };

export const wireError = (code: WireError['code'], more: Partial<WireError> = {}): WireError => ({
  code,
  message: `scripted ${code}`,
  outcome: 'failed',
  retryAfterMs: 0,
  map: null,
  leader: null,
  ...more,
});

export class ScriptedNode {
  readonly id: string;
  readonly hellos: Hello[] = [];
  readonly requests: ClientRequest[] = [];
  frames = 0;
  /** Requests that it has and has not answered; the most of them. */
  open = 0;
  openMax = 0;
  pongs = 0;
  protocol = PROTOCOL_VERSION;
  map: ClusterMap;
  /** Overridden by tests. */
  react: (request: ClientRequest) => Reaction = () => 'serve';
  refusal: WireError | undefined;
  /** Whether it welcomes clients of other clusters. */
  anyCluster = false;
  readonly connections = new Set<Connection>();
  readonly #store: NodeStore;
  readonly #runtime: ClientRuntime;
  #stop: (() => Promise<void>) | undefined;

  constructor(id: string, map: ClusterMap, store: NodeStore, runtime: ClientRuntime) {
    this.id = id;
    this.map = map;
    this.#store = store;
    this.#runtime = runtime;
  }

  get port(): number {
    return this.map.nodes.find((node) => node.id === this.id)?.port ?? 0;
  }

  async start(): Promise<void> {
    const listener = await this.#runtime.network.listen({ host: 'test', port: this.port }, (connection) => {
      this.connections.add(connection);
      return {
        onFrame: (frame) => {
          this.frames++;
          for (const message of decodeFrame(frame)) this.#onMessage(connection, message);
        },
        onClose: () => this.connections.delete(connection),
      };
    });
    this.#stop = () => listener.close();
  }

  /** As a killed process: every connection breaks, new ones are refused. */
  async kill(): Promise<void> {
    await this.#stop?.();
    this.breakConnections('killed');
  }

  breakConnections(reason: string): void {
    for (const connection of [...this.connections]) connection.destroy(reason);
  }

  /** Says something to every client. */
  say(message: Message): void {
    for (const connection of this.connections) connection.send(encodeFrame([message]));
  }

  /** The keys it was asked to write, in order. */
  get written(): string[] {
    return this.requests.flatMap(({ operation }) => (operation.type === 'put' ? [operation.key] : []));
  }

  #onMessage(connection: Connection, message: Message): void {
    const send = (reply: Message): void => connection.send(encodeFrame([reply]));
    switch (message.type) {
      case 'hello': {
        this.hellos.push(message);
        if (this.refusal !== undefined) return send({ type: 'refused', error: this.refusal });
        const { cluster, epoch, hash } = this.map;
        if (message.protocol !== this.protocol)
          return send({ type: 'refused', error: wireError('UnsupportedProtocol') });
        if (message.cluster !== '' && message.cluster !== cluster && !this.anyCluster)
          return send({ type: 'refused', error: wireError('WrongCluster') });
        const map = message.mapEpoch === epoch && message.mapHash === hash ? null : this.map;
        return send({ type: 'welcome', protocol: this.protocol, cluster, node: nodeId(this.id), map });
      }
      case 'request':
        this.requests.push(message);
        return this.#onRequest(connection, message);
      case 'ping':
        return send({ type: 'pong', nonce: message.nonce });
      case 'pong':
        this.pongs++;
        return;
      default:
        throw new Error(`a client sent ${message.type}`);
    }
  }

  #onRequest(connection: Connection, request: ClientRequest): void {
    const reaction = this.react(request);
    this.openMax = Math.max(this.openMax, ++this.open);
    const answer = (result: ClientResult | WireError): void => {
      this.open--;
      connection.send(encodeFrame([{ type: 'response', id: request.id, result }]));
    };
    if (reaction === 'serve') answer(this.#store.serve(request, this.id));
    else if ('code' in reaction) answer(reaction);
    else if ('answerAfterMs' in reaction) {
      const result = reaction.refusal ?? this.#store.serve(request, this.id);
      this.#runtime.timers.after(reaction.answerAfterMs, () => answer(result));
    } else if (reaction.lose === 'answer') this.#store.serve(request, this.id);
  }
}

/** A map of nodes n1, n2, ... at ports 1, 2, ...; every node holds every partition, the order turns with it. */
export function testMap(
  nodes: number,
  more: { epoch?: number; namespaces?: string[]; partitions?: number } = {},
): ClusterMap {
  const { epoch = 1, namespaces = ['photos'], partitions = 4 } = more;
  const ids = Array.from({ length: nodes }, (_, i) => nodeId(`n${i + 1}`));
  const turned = (by: number) => ids.map((_, i) => ids[(i + by) % nodes] ?? nodeId('n1'));
  return {
    cluster: 'test',
    epoch,
    hash: String(epoch).padStart(16, '0'),
    nodes: ids.map((id, i) => ({ id, host: 'test', port: i + 1, zone: 'z', weight: 1 })),
    namespaces: namespaces.map((name) => ({
      name: namespaceName(name),
      strategy: 'leaderless' as const,
      replicas: nodes,
      partitions,
      read: 'quorum' as const,
      write: 'quorum' as const,
      conflict: 'siblings' as const,
      durability: 'sync' as const,
      ttlMs: 0,
      sloppy: false,
    })),
    placement: namespaces.map(() => Array.from({ length: partitions }, (_, p) => turned(p))),
  };
}

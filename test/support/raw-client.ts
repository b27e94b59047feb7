/**
 * A client that speaks the protocol by hand: to one node of the test's choice, without retries, with operation ids,
 * contexts and frames as the test wants them. What the SDK hides is what these tests are about.
 */
import { errorFromWire } from '../../src/client/wire-error.js';
import type { QuorumLevel } from '../../src/cluster/cluster-map.js';
import { sessionId } from '../../src/core/ids.js';
import type { OperationId } from '../../src/core/record.js';
import { decodeFrame, encodeFrame } from '../../src/protocol/codec.js';
import {
  PROTOCOL_VERSION,
  type ClientOperation,
  type ClientRequest,
  type ClientResult,
  type Explanation,
  type Hello,
  type Message,
  type PutResult,
  type Refused,
  type ScanResult,
  type TypedChange,
} from '../../src/protocol/messages.js';
import type { Connection } from '../../src/runtime/runtime.js';
import type { SimCluster } from './sim-cluster.js';

export interface RawPutOptions {
  readonly namespace?: string;
  readonly context?: Uint8Array | null;
  readonly write?: QuorumLevel;
  readonly ttlMs?: number;
  readonly operation?: OperationId;
  readonly attempt?: number;
  readonly budgetMs?: number;
  readonly explain?: boolean;
}

export interface RawGetOptions {
  readonly namespace?: string;
  readonly read?: QuorumLevel;
  readonly atLeast?: Uint8Array | null;
  readonly budgetMs?: number;
  readonly explain?: boolean;
}

/** Like a `GetResult`, its values as texts. */
export interface RawRead {
  readonly values: readonly string[];
  readonly context: Uint8Array | null;
  readonly explain: Explanation | null;
}

type Waiting = readonly [resolve: (result: ClientResult) => void, reject: (error: Error) => void];

export class RawClient {
  readonly name: string;
  readonly received: Message[] = [];
  /** Why the connection closed; undefined while it is open. */
  closed: string | undefined;
  opened = false;
  readonly #cluster: SimCluster;
  readonly #connection: Connection;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #nextSequence = 1;

  constructor(cluster: SimCluster, node: string) {
    this.#cluster = cluster;
    this.name = cluster.rawClientName();
    this.#connection = cluster.world.client(this.name).network.connect(
      { host: `${node}.test`, port: 7000 },
      {
        onOpen: () => (this.opened = true),
        onFrame: (frame) => this.#onFrame(frame),
        onClose: (reason) => this.#onClose(reason),
      },
    );
  }

  /** Connects and says hello; returns once welcomed. */
  static async open(cluster: SimCluster, node: string, hello: Partial<Hello> = {}): Promise<RawClient> {
    const client = await RawClient.dial(cluster, node);
    client.send(client.hello(hello));
    await cluster.simulation.runUntil(() => client.welcomed || client.closed !== undefined);
    if (!client.welcomed) throw new Error(`${node} did not welcome: ${client.closed ?? ''}`);
    return client;
  }

  /** Connects and says nothing. */
  static async dial(cluster: SimCluster, node: string): Promise<RawClient> {
    const client = new RawClient(cluster, node);
    await cluster.simulation.runUntil(() => client.opened);
    return client;
  }

  get welcomed(): boolean {
    return this.received.some((message) => message.type === 'welcome');
  }

  /** What the node said before it closed the connection. */
  get refusal(): Refused['error'] | undefined {
    return this.received.find((message): message is Refused => message.type === 'refused')?.error;
  }

  hello(changes: Partial<Hello> = {}): Hello {
    return {
      type: 'hello',
      protocol: PROTOCOL_VERSION,
      cluster: this.#cluster.map.cluster,
      role: 'client',
      id: this.name,
      credentials: '',
      mapEpoch: 0,
      mapHash: '',
      ...changes,
    };
  }

  send(...messages: readonly Message[]): void {
    this.#connection.send(encodeFrame(messages));
  }

  sendBytes(bytes: Uint8Array): void {
    this.#connection.send(bytes);
  }

  /** Goes away without a word, answers or not. */
  destroy(): void {
    this.#connection.destroy('the test hangs up');
  }

  /** Rejects with the `TrefoilError` that the node answered. */
  request(operation: ClientOperation, changes: Partial<ClientRequest> = {}): Promise<ClientResult> {
    const id = this.#nextId++;
    const epoch = this.#cluster.map.epoch;
    const request = {
      type: 'request',
      id,
      epoch,
      budgetMs: 5_000,
      namespace: 'default',
      explain: false,
    } as const;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, [resolve, reject]);
      this.send({ ...request, operation, ...changes, id });
    });
  }

  async put(key: string, value: string | null, options: RawPutOptions = {}): Promise<PutResult> {
    const { namespace = 'default', context = null, write = null, ttlMs = 0, attempt = 0 } = options;
    const { operation = this.operation(), budgetMs = 5_000, explain = false } = options;
    const bytes = value === null ? null : Buffer.from(value);
    const lowestOpen = operation.sequence;
    const put = {
      type: 'put',
      key,
      value: bytes,
      context,
      ifVersion: null,
      write,
      ttlMs,
      operation,
      lowestOpen,
      attempt,
    } as const;
    return (await this.request(put, { namespace, budgetMs, explain })) as PutResult;
  }

  /** A change of a counter or a set, in the namespace that is called by its policy unless `options` name another. */
  async change(key: string, change: TypedChange, options: RawPutOptions = {}): Promise<PutResult> {
    const own = change.kind === 'increment' ? 'counter' : 'set';
    const { namespace = own, context = null, write = null, attempt = 0, budgetMs = 5_000 } = options;
    const { operation = this.operation(), explain = false } = options;
    const lowestOpen = operation.sequence;
    const content = { type: 'change', key, change, context, write, operation, lowestOpen, attempt } as const;
    return (await this.request(content, { namespace, budgetMs, explain })) as PutResult;
  }

  async get(key: string, options: RawGetOptions = {}): Promise<RawRead> {
    const { namespace = 'default', read = null, atLeast = null, budgetMs = 5_000, explain = false } = options;
    const result = await this.request(
      { type: 'get', key, read, atLeast, maxStalenessMs: 0 },
      { namespace, budgetMs, explain },
    );
    if (!('values' in result)) throw new Error(`a ${result.type} answers a get`);
    const values = result.values.map(({ value }) => Buffer.from(value).toString());
    return { values, context: result.context, explain: result.explain };
  }

  async scan(
    partition: number,
    page: {
      readonly prefix?: string;
      readonly after?: string;
      readonly limit?: number;
      readonly read?: QuorumLevel;
    },
    namespace = 'default',
  ): Promise<ScanResult> {
    const { prefix = '', after = '', limit = 512, read = null } = page;
    const operation = {
      type: 'scan',
      partition,
      prefix,
      after,
      limit,
      read,
      atLeast: null,
      maxStalenessMs: 0,
    } as const;
    return (await this.request(operation, { namespace })) as ScanResult;
  }

  /** A new operation id of this client. */
  operation(): OperationId {
    return { session: sessionId(this.name), sequence: this.#nextSequence++ };
  }

  #onFrame(frame: Uint8Array): void {
    for (const message of decodeFrame(frame)) {
      this.received.push(message);
      if (message.type !== 'response') continue;
      const waiting = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if ('type' in message.result) waiting?.[0](message.result);
      else waiting?.[1](errorFromWire(message.result));
    }
  }

  #onClose(reason: string): void {
    this.closed = reason;
    for (const [, reject] of this.#waiting.values()) reject(new Error(`the connection closed: ${reason}`));
    this.#waiting.clear();
  }
}

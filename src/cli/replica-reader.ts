/**
 * Reads one replica's own copies, past the SDK's routing, which would pick whichever replica suits it.
 *
 * A replica that is asked with `read: one`, or with `follower` where there are leaders, answers from what it holds itself and asks
 * nobody, so what comes back is its own copy, and the question repairs nothing. (`explain` would make it ask the others.)
 */
import { systemClientRuntime } from '../adapters/system-runtime.js';
import type { Database } from '../client/api.js';
import { NodeConnection, type Carried } from '../client/connection.js';
import { errorFromWire } from '../client/wire-error.js';
import { findNamespace, type ClusterMap, type Strategy } from '../cluster/cluster-map.js';
import { TrefoilError } from '../core/errors.js';
import {
  PROTOCOL_VERSION,
  type ClientRequest,
  type ClientResult,
  type GetResult,
  type Hello,
  type ReadLevel,
  type WireError,
} from '../protocol/messages.js';
import type { Address, ClientRuntime } from '../runtime/runtime.js';
import type { CopyReader } from './verify-replicas.js';

interface ReplicaReaderOptions {
  readonly runtime: ClientRuntime;
  readonly address: Address;
  /** That the questions are meant for. */
  readonly map: ClusterMap;
}

export interface ReplicaReader extends CopyReader {
  /** The node's own copy of a key that it is a replica of. Rejects with its error, or when the connection is lost. */
  get(namespace: string, key: string): Promise<GetResult>;
  close(): void;
}

const BUDGET_MS = 10_000;
const PULSE_MS = 250;

/** What asks a replica for its own copy. */
const OWN_COPY: Readonly<Record<Strategy, ReadLevel>> = { leaderless: 'one', 'leader-follower': 'follower' };

/** Connects to every node of a cluster without credentials: a reader by node. Rejects with `ConnectionLost`, or with why a node refuses. */
export async function openReplicaReaders(db: Database): Promise<Map<string, ReplicaReader>> {
  const { map } = db;
  const runtime = systemClientRuntime();
  const readers = await Promise.all(
    map.nodes.map(
      async ({ id, host, port }) =>
        [id, await openReplicaReader({ runtime, address: { host, port }, map })] as const,
    ),
  );
  return new Map(readers);
}

async function openReplicaReader(options: ReplicaReaderOptions): Promise<ReplicaReader> {
  const { runtime } = options;
  const connection = await new Promise<NodeConnection>((resolve, reject) => {
    const opened = new NodeConnection(runtime, options.address, () => helloOf(options), {
      onWelcome: (welcomed) => {
        resolve(welcomed);
        return undefined;
      },
      onUnusable: (_, why) => reject(why),
    });
    pulse(runtime, opened);
  });
  return {
    get: (namespace, key) =>
      new Promise((resolve, reject) => {
        const question = new OwnCopy(options.map, namespace, key, resolve, reject);
        if (!connection.usable) reject(new TrefoilError('ConnectionLost', `${connection.address} is gone`));
        else if (!connection.submit(question))
          reject(new TrefoilError('Overloaded', 'too many questions wait already'));
      }),
    close: () => connection.destroy(new TrefoilError('ConnectionLost', 'the reader was closed')),
  };
}

class OwnCopy implements Carried {
  requestId = 0;
  readonly bytesEstimate: number;
  readonly #map: ClusterMap;
  readonly #namespace: string;
  readonly #key: string;
  readonly #resolve: (result: GetResult) => void;
  readonly #reject: (error: TrefoilError) => void;

  constructor(
    map: ClusterMap,
    namespace: string,
    key: string,
    resolve: (result: GetResult) => void,
    reject: (error: TrefoilError) => void,
  ) {
    this.bytesEstimate = key.length + 40;
    this.#map = map;
    this.#namespace = namespace;
    this.#key = key;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  request(id: number): ClientRequest {
    this.requestId = id;
    const found = findNamespace(this.#map, this.#namespace);
    const read = found === undefined ? null : OWN_COPY[found.entry.strategy];
    return {
      type: 'request',
      id,
      epoch: this.#map.epoch,
      budgetMs: BUDGET_MS,
      namespace: this.#namespace,
      explain: false,
      operation: { type: 'get', key: this.#key, read, atLeast: null, maxStalenessMs: 0 },
    };
  }

  answered(result: ClientResult | WireError): void {
    if ('code' in result) this.#reject(errorFromWire(result, ''));
    else if (result.type === 'get-result') this.#resolve(result);
    else this.#reject(new TrefoilError('MalformedFrame', `a ${result.type} in answer to a get`));
  }

  lost(error: TrefoilError): void {
    this.#reject(error);
  }
}

function helloOf({ runtime, map }: ReplicaReaderOptions): Hello {
  return {
    type: 'hello',
    protocol: PROTOCOL_VERSION,
    cluster: map.cluster,
    role: 'client',
    id: runtime.random.text(20),
    credentials: '',
    mapEpoch: 0,
    mapHash: '',
  };
}

/** Lets the connection look at the time until it is closed: it finds half-open links so. */
function pulse(runtime: ClientRuntime, connection: NodeConnection): void {
  if (!connection.usable) return;
  connection.pulse(runtime.clock.monotonicMs(), false);
  runtime.timers.after(PULSE_MS, () => pulse(runtime, connection));
}

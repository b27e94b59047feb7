/**
 * What the replicas of leader-follower groups do, without any replication: all nodes of a world share one state, one of them leads
 * each partition and the others say so. Sessions, conditions and recorded results are as in the real thing.
 */
import { findNamespace, replicasOf, type ClusterMap, type ReadMode } from '../../src/cluster/cluster-map.js';
import { partitionOfKey } from '../../src/core/hash.js';
import { namespaceName, nodeId, sessionId, type NodeId } from '../../src/core/ids.js';
import { compareKeys } from '../../src/core/text-order.js';
import { decodeLeaderContext, encodeLeaderContext } from '../../src/protocol/leader-context-codec.js';
import type {
  ClientRequest,
  ClientResult,
  PutAllOperation,
  PutOfAll,
  PutOperation,
  ReadLag,
  ScanEntry,
  ValueView,
  WireError,
} from '../../src/protocol/messages.js';
import { testMap, wireError, type NodeStore } from './scripted-node.js';

interface Value {
  readonly version: number;
  readonly value: Uint8Array;
}

interface Group {
  index: number;
  readonly values: Map<string, Value>;
  readonly sessions: Map<string, Map<number, ClientResult | WireError>>;
}

export class LedStore implements NodeStore {
  readonly #map: ClusterMap;
  readonly #groups = new Map<string, Group>();
  /** Who leads each partition of each namespace; null for nobody, and where absent the map's first replica. */
  readonly leaders = new Map<number, NodeId | null>();
  /** Whether those that do not lead say who does. */
  hints = true;
  /** What followers say of how far they are behind. */
  lag: ReadLag = { entries: 0, ms: 0 };
  /** Writes that took effect, in order: `key version`. */
  readonly applied: string[] = [];

  constructor(map: ClusterMap) {
    this.#map = map;
  }

  /** The group has forgotten all its sessions. */
  endSessions(partition: number): void {
    this.#group('photos', partition).sessions.clear();
  }

  sessionsOf(partition: number): string[] {
    return [...this.#group('photos', partition).sessions.keys()];
  }

  /** Something else has been written to the partition. */
  skip(partition: number, entries: number): void {
    this.#group('photos', partition).index += entries;
  }

  serve(request: ClientRequest, node: string): ClientResult | WireError {
    const { operation, namespace } = request;
    if (operation.type === 'status') return { type: 'status-result', status: '{"ok":true}' };
    if (operation.type === 'change') return wireError('Unsupported');
    const found = findNamespace(this.#map, namespace);
    if (found?.entry.strategy !== 'leader-follower') return wireError('UnknownNamespace');
    const { partitions } = found.entry;
    const partition =
      'partition' in operation ? operation.partition : partitionOfKey(operation.key, partitions);
    const group = this.#group(namespace, partition);
    const first = replicasOf(this.#map, found.index, partition)[0] ?? nodeId('n1');
    const known = this.leaders.get(partition);
    const leader = known === undefined ? first : known;
    const leads = leader === node;
    const mode = 'read' in operation ? (operation.read ?? found.entry.read) : 'linearizable';
    if (!leads && mode === 'linearizable') {
      if (leader === null) return wireError('NoLeader');
      return wireError('NotLeader', { leader: this.hints ? leader : null });
    }
    const lag = mode === 'linearizable' ? null : this.lag;
    switch (operation.type) {
      case 'open-session': {
        const session = sessionId(`s${++group.index}`);
        group.sessions.set(session, new Map());
        return { type: 'session-result', session };
      }
      case 'get': {
        if (operation.atLeast !== null && decodeLeaderContext(operation.atLeast).index > group.index) {
          return wireError('SessionNotSatisfied');
        }
        if (operation.maxStalenessMs > 0 && lag !== null && lag.ms > operation.maxStalenessMs) {
          return wireError('TooStale');
        }
        const value = group.values.get(operation.key);
        const version = value?.version ?? 0;
        const context = encodeLeaderContext({ version, index: group.index });
        return { type: 'get-result', values: viewsOf(value), context, version, lag, explain: null };
      }
      case 'scan': {
        const keys = [...group.values.keys()]
          .filter((key) => key.startsWith(operation.prefix))
          .filter((key) => operation.after === '' || compareKeys(key, operation.after) > 0)
          .sort(compareKeys);
        const page = keys.slice(0, operation.limit);
        const entries = page.map((key): ScanEntry => {
          const value = group.values.get(key);
          const version = value?.version ?? 0;
          const context = encodeLeaderContext({ version, index: group.index });
          return { key, values: viewsOf(value), context, version };
        });
        const next = page.length < keys.length ? (page.at(-1) ?? null) : null;
        return { type: 'scan-result', entries, next, lag, index: group.index };
      }
      case 'put':
        return this.#once(group, operation, [operation]);
      case 'put-all':
        return this.#once(group, operation, operation.puts);
    }
  }

  #once(
    group: Group,
    { operation }: PutOperation | PutAllOperation,
    puts: readonly PutOfAll[],
  ): ClientResult | WireError {
    const session = group.sessions.get(operation.session);
    if (session === undefined) return wireError('SessionExpired');
    const known = session.get(operation.sequence);
    if (known !== undefined) return known;
    const result = this.#write(group, puts);
    session.set(operation.sequence, result);
    return result;
  }

  #write(group: Group, puts: readonly PutOfAll[]): ClientResult | WireError {
    const version = ++group.index;
    const refused = puts.some(
      ({ key, ifVersion }) => ifVersion !== null && ifVersion !== (group.values.get(key)?.version ?? 0),
    );
    if (refused) return wireError('ConditionFailed');
    for (const { key, value } of puts) {
      this.applied.push(`${key} ${version}`);
      if (value === null) group.values.delete(key);
      // A copy: what came in may be a view of a frame.
      else group.values.set(key, { version, value: new Uint8Array(value) });
    }
    const context = encodeLeaderContext({ version, index: version });
    return { type: 'put-result', context, siblings: 1, version, replicas: 2, explain: null };
  }

  #group(namespace: string, partition: number): Group {
    const name = `${namespace}/${partition}`;
    const group = this.#groups.get(name) ?? { index: 0, values: new Map(), sessions: new Map() };
    this.#groups.set(name, group);
    return group;
  }
}

function viewsOf(value: Value | undefined): ValueView[] {
  return value === undefined ? [] : [{ value: value.value, hlc: value.version, expiresAt: 0 }];
}

/** As `testMap`, with leader-follower namespaces. */
export function ledMap(
  nodes = 3,
  own: { ack?: 'leader' | 'quorum'; read?: ReadMode; partitions?: number } = {},
): ClusterMap {
  const { ack = 'quorum', read = 'linearizable', partitions = 4 } = own;
  return {
    ...testMap(nodes, { partitions }),
    namespaces: [
      {
        name: namespaceName('photos'),
        strategy: 'leader-follower',
        durability: 'sync',
        replicas: nodes,
        partitions,
        read,
        ack,
        minReplicas: nodes,
        clockBoundMs: 0,
        logBytes: 2 ** 26,
        ttlMs: 0,
      },
    ],
  };
}

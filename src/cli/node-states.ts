/** What every node of the map says of itself, or why it cannot be asked: the ground for `cluster status`, `cluster up` and the demo. */
import type { Database } from '../client/api.js';
import { asTrefoilError, type TrefoilError } from '../core/errors.js';
import type { GroupStatus, NodeStatus } from '../node/node-status.js';

export interface NodeState {
  readonly node: string;
  readonly address: string;
  readonly zone: string;
  /** undefined: it could not be asked, and `error` says why. */
  readonly status: NodeStatus | undefined;
  readonly error: TrefoilError | undefined;
}

export type StateWord = 'down' | 'read-only' | 'refilling' | 'up';

/** How a node is, in one word. Refilling: a replica of it at least has lost records and does not count until it has them. */
export function stateOf({ status }: NodeState): StateWord {
  if (status === undefined) return 'down';
  if (status.writesRefused !== null) return 'read-only';
  return (status.gauges['refilling'] ?? 0) > 0 ? 'refilling' : 'up';
}

/** How long one node may take to answer before it counts as down. */
const STATUS_MS_MAX = 2_000;

/** Asks nodes at once, all where `ids` is absent; never rejects because of a node that is down. In the map's order. */
export async function readNodeStates(db: Database, ids?: readonly string[]): Promise<NodeState[]> {
  const nodes = db.map.nodes.filter(({ id }) => ids === undefined || ids.includes(id));
  return Promise.all(
    nodes.map(async ({ id, host, port, zone }) => {
      const place = { node: id, address: `${host}:${port}`, zone };
      try {
        const status = (await db.nodeStatus(id, { timeoutMs: STATUS_MS_MAX })) as NodeStatus;
        return { ...place, status, error: undefined };
      } catch (error) {
        return { ...place, status: undefined, error: asTrefoilError(error) };
      }
    }),
  );
}

/** Whether every node serves and reaches every other. */
export function seeEachOther(states: readonly NodeState[]): boolean {
  return states.every(
    ({ status }) =>
      status !== undefined &&
      status.peers.length === states.length - 1 &&
      status.peers.every((peer) => peer.reachable),
  );
}

/** The gauges of a replica group, such as `orders/0`, at a node; undefined where the node was not asked or holds no replica of it. */
export function groupGauges({ status }: NodeState, group: string): GroupStatus['gauges'] | undefined {
  return status?.groups.find((found) => found.group === group)?.gauges;
}

export interface Leader {
  readonly node: string;
  readonly term: number;
}

/** Who leads a replica group: of those that say so, the one with the latest term. */
export function leaderOf(states: readonly NodeState[], group: string): Leader | undefined {
  const leaders = states.flatMap((state) => {
    const { leads, term = 0 } = groupGauges(state, group) ?? {};
    return leads === 1 ? [{ node: state.node, term }] : [];
  });
  return leaders.toSorted((a, b) => b.term - a.term)[0];
}

/** What every node of the map says of itself, or why it cannot be asked: the ground for `cluster status`, `cluster up` and the demo. */
import type { Database } from '../client/api.js';
import { asTrefoilError, type TrefoilError } from '../core/errors.js';
import type { NodeStatus } from '../node/node-status.js';

export interface NodeState {
  readonly node: string;
  readonly address: string;
  readonly zone: string;
  /** undefined: it could not be asked, and `error` says why. */
  readonly status: NodeStatus | undefined;
  readonly error: TrefoilError | undefined;
}

/** How long one node may take to answer before it counts as down. */
const STATUS_MS_MAX = 2_000;

/** Asks all nodes at once; never rejects because of a node that is down. In the map's order. */
export async function readNodeStates(db: Database): Promise<NodeState[]> {
  return Promise.all(
    db.map.nodes.map(async ({ id, host, port, zone }) => {
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

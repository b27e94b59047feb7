/** Scripted nodes, a client runtime and virtual time, put together for one test of the SDK. */
import { eventLoopTurns } from '../../chaos/event-loop.js';
import type { ConnectOptions, Database } from '../../src/client/api.js';
import { connectWith } from '../../src/client/database.js';
import type { ClusterMap } from '../../src/cluster/cluster-map.js';
import { partitionOfKey } from '../../src/core/hash.js';
import type { TrefoilError } from '../../src/core/errors.js';
import type { ClientRuntime, Connection } from '../../src/runtime/runtime.js';
import type { SimulatedNetwork } from '../../src/simulation/network.js';
import type { Simulation } from '../../src/simulation/scheduler.js';
import { SimulatedWorld } from '../../src/simulation/world.js';
import { ScriptedNode, SharedStore, testMap, type NodeStore } from './scripted-node.js';

/** The client's name in the network. */
export const CLIENT = 'client';

export interface ScriptedWorld {
  readonly simulation: Simulation;
  readonly network: SimulatedNetwork;
  readonly runtime: ClientRuntime;
  /** The node of that number, from 1; in the network it is called n1, n2, ... */
  node(number: number): ScriptedNode;
  connect(options?: Partial<ConnectOptions>): Promise<Database>;
  /** Runs virtual time until the promise settles. */
  settle<T>(promise: Promise<T>): Promise<T>;
  /** The same, for a promise that must reject: gives its error. */
  failure(promise: Promise<unknown>): Promise<TrefoilError>;
  /** Moves the client's monotonic clock on, as if its process had stood still. */
  stall(ms: number): void;
  /** What the client has sent and the network not yet delivered. */
  bufferedBytes(): number;
}

/** A world with one node for each of the map's, all of them started. */
export async function scriptedWorld(
  map: ClusterMap = testMap(3),
  seed = 1,
  store: NodeStore = new SharedStore(map),
): Promise<ScriptedWorld> {
  const world = new SimulatedWorld({ seed, turns: eventLoopTurns });
  const { simulation, network } = world;
  let stalledMs = 0;
  const client = world.client(CLIENT);
  const connections: Connection[] = [];
  const runtime: ClientRuntime = {
    ...client,
    clock: { ...client.clock, monotonicMs: () => client.clock.monotonicMs() + stalledMs },
    network: {
      ...client.network,
      connect: (address, handlers) => {
        const connection = client.network.connect(address, handlers);
        connections.push(connection);
        return connection;
      },
    },
  };
  const nodes: ScriptedNode[] = [];
  for (const { id } of map.nodes) {
    const node = new ScriptedNode(id, map, store, world.client(id));
    await node.start();
    nodes.push(node);
  }
  const settle = <T>(promise: Promise<T>): Promise<T> => simulation.settle(promise, { limitMs: 120_000 });
  return {
    simulation,
    network,
    runtime,
    node: (number) => nodes[number - 1] as ScriptedNode,
    connect: (options = {}) =>
      settle(connectWith(runtime, { seeds: ['test:1'], cluster: 'test', ...options })),
    settle,
    failure: async (promise) =>
      settle(
        promise.then(
          (value) => {
            throw new Error(`it gave ${JSON.stringify(value)}`);
          },
          (error: unknown) => error as TrefoilError,
        ),
      ),
    stall: (ms) => {
      stalledMs += ms;
    },
    bufferedBytes: () => connections.reduce((sum, connection) => sum + connection.bufferedBytes(), 0),
  };
}

/** A key whose preferred coordinator is the node of that number, where `testMap(nodes)` is the map. */
export function keyFor(number: number, nodes = 3, partitions = 4): string {
  for (let i = 0; ; i++) {
    const key = `key-${i}`;
    if (partitionOfKey(key, partitions) % nodes === number - 1) return key;
  }
}

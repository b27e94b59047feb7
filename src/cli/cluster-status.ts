/**
 * `trefoil cluster status`: one line per node. A cluster of which some nodes are down, or that does not serve all partitions, still has a
 * status, so that is no error: the lines say so, and the exit code is 3.
 *
 * Nodes that run different configs end with 0: so it is while a new config is brought out node by node, and scripts that do it wait for a 0.
 */
import type { ConnectOptions } from '../client/api.js';
import { buildClusterMap } from '../cluster/build-map.js';
import type { ClusterMap } from '../cluster/cluster-map.js';
import { asTrefoilError } from '../core/errors.js';
import { connect } from '../index.js';
import { clusterPlaces, type ClusterPlaces } from './cluster-nodes.js';
import { connectOptions, type ConnectionArguments } from './connect.js';
import type { CliContext } from './context.js';
import { EXIT, endWith } from './exit-codes.js';
import { entriesBehind, groupLines, ledGroups, type LedGroup } from './led-groups.js';
import { loadConfig } from './load-config.js';
import { readNodeStates, stateOf, type NodeState } from './node-states.js';
import { readPidFile } from './pid-file.js';
import { residentBytes } from './process-identity.js';
import { statusLines, summaryLines, type StatusRow } from './status-text.js';

export interface StatusArguments extends ConnectionArguments {
  readonly config: string | undefined;
  readonly groups: boolean;
}

export async function clusterStatus(argv: StatusArguments, context: CliContext): Promise<void> {
  const places = argv.config === undefined ? undefined : clusterPlaces(argv.config);
  const { map, states } = await askNodes(argv, places);
  const rows = states.map((state) => withMemory(state, places));
  const groups = ledGroups(map, states);
  if (context.json) context.printJson(statusJson(map, rows, groups, argv.groups));
  else {
    statusLines(rows, groups).forEach((line) => context.print(line));
    if (argv.groups) ['', ...groupLines(groups), ''].forEach((line) => context.print(line));
    summaryLines(map, states, groups).forEach((line) => context.print(line));
  }
  if (!isWhole(states, groups)) endWith(EXIT.partial);
}

interface Asked {
  readonly map: ClusterMap;
  readonly states: readonly NodeState[];
}

/** Asks the nodes of the cluster's map; where no node can be reached to have it from, of the config's, which are all down then. */
async function askNodes(argv: StatusArguments, places: ClusterPlaces | undefined): Promise<Asked> {
  try {
    const db = await connect(statusConnectOptions(argv, places));
    try {
      return { map: db.map, states: await readNodeStates(db) };
    } finally {
      await db.close();
    }
  } catch (cause) {
    const error = asTrefoilError(cause);
    if (argv.config === undefined || error.code !== 'NoReachableNode') throw error;
    const map = buildClusterMap(loadConfig(argv.config));
    const states = map.nodes.map(({ id, host, port, zone }) => {
      return { node: id, address: `${host}:${port}`, zone, status: undefined, error };
    });
    return { map, states };
  }
}

function statusConnectOptions(argv: StatusArguments, places: ClusterPlaces | undefined): ConnectOptions {
  if (places === undefined) return connectOptions(argv);
  const { seeds, cluster } = places;
  return {
    ...connectOptions({ ...argv, credentials: argv.credentials ?? places.credentials, seeds }),
    cluster,
  };
}

function withMemory(state: NodeState, places: ClusterPlaces | undefined): StatusRow {
  const place = places?.nodes.find(({ id }) => id === state.node);
  const pid = place === undefined ? undefined : readPidFile(place.pidFile)?.pid;
  return { ...state, memoryBytes: pid === undefined ? undefined : residentBytes(pid) };
}

/** Whether every node serves all that it holds, and every partition that needs a leader has one. */
export function isWhole(states: readonly NodeState[], groups: readonly LedGroup[]): boolean {
  return (
    states.every((state) => stateOf(state) === 'up') && groups.every(({ leader }) => leader !== undefined)
  );
}

/** The status for a machine. */
export function statusJson(
  { cluster, epoch, hash }: Pick<ClusterMap, 'cluster' | 'epoch' | 'hash'>,
  rows: readonly StatusRow[],
  groups: readonly LedGroup[],
  withGroups: boolean,
): object {
  const withoutLeader = groups.flatMap(({ group, leader }) => (leader === undefined ? [group] : []));
  return {
    cluster,
    epoch,
    hash,
    nodes: rows.map((row) => rowJson(row, groups)),
    withoutLeader,
    ...(withGroups ? { groups: groups.map(groupJson) } : {}),
  };
}

function rowJson(row: StatusRow, groups: readonly LedGroup[]): object {
  const { node, address, zone, status, error, memoryBytes } = row;
  return {
    node,
    address,
    zone,
    state: stateOf(row),
    epoch: status?.epoch ?? null,
    behind: entriesBehind(groups, node) ?? null,
    memoryBytes: memoryBytes ?? null,
    status: status ?? null,
    error: error === undefined ? null : { code: error.code, message: error.message },
  };
}

function groupJson({ group, leader, term, commitIndex, replicas }: LedGroup): object {
  return {
    group,
    leader: leader ?? null,
    term: term ?? null,
    commitIndex: commitIndex ?? null,
    replicas: replicas.map(({ node, state, appliedIndex, behind }) => {
      return { node, state, appliedIndex: appliedIndex ?? null, behind: behind ?? null };
    }),
  };
}

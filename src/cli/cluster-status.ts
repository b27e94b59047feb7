/**
 * `trefoil cluster status`: one line per node. A cluster of which some nodes are down still has a status,
 * so that is no error: the line says `down`, and the exit code is 3.
 */
import type { ConnectOptions, Database } from '../client/api.js';
import { connect } from '../index.js';
import type { NodeStatus } from '../node/node-status.js';
import { connectOptions, type ConnectionArguments } from './connect.js';
import type { CliContext } from './context.js';
import { formatDuration } from './duration.js';
import { EXIT, endWith } from './exit-codes.js';
import { clusterPlaces, type ClusterPlaces } from './cluster-nodes.js';
import { readNodeStates, type NodeState } from './node-states.js';
import { readPidFile } from './pid-file.js';
import { residentBytes } from './process-identity.js';
import { formatBytes, formatCount, tableLines, type Column } from './table.js';

export interface StatusArguments extends ConnectionArguments {
  readonly config: string | undefined;
}

export async function clusterStatus(argv: StatusArguments, context: CliContext): Promise<void> {
  const places = argv.config === undefined ? undefined : clusterPlaces(argv.config);
  const db = await connect(statusConnectOptions(argv, places));
  try {
    const states = await readRows(db, places);
    const { cluster, epoch, hash } = db.map;
    if (context.json) context.printJson({ cluster, epoch, hash, nodes: states.map(stateJson) });
    else {
      statusLines(states).forEach((line) => context.print(line));
      context.print(summaryLine(cluster, epoch, states));
    }
    if (states.some((state) => state.status === undefined)) endWith(EXIT.partial);
  } finally {
    await db.close();
  }
}

/**
 * A node and what this machine knows of its process. Memory is the process's affair and not the node's, so
 * it is known only where the config says which process to look at.
 */
export interface StatusRow extends NodeState {
  readonly memoryBytes: number | undefined;
}

async function readRows(db: Database, places: ClusterPlaces | undefined): Promise<StatusRow[]> {
  return (await readNodeStates(db)).map((state) => {
    const place = places?.nodes.find(({ id }) => id === state.node);
    const pid = place === undefined ? undefined : readPidFile(place.pidFile)?.pid;
    return { ...state, memoryBytes: pid === undefined ? undefined : residentBytes(pid) };
  });
}

function statusConnectOptions(argv: StatusArguments, places: ClusterPlaces | undefined): ConnectOptions {
  if (places === undefined) return connectOptions(argv);
  const { seeds, cluster } = places;
  return {
    ...connectOptions({ ...argv, credentials: argv.credentials ?? places.credentials, seeds }),
    cluster,
  };
}

/** The table that a person reads. */
export function statusLines(states: readonly StatusRow[]): string[] {
  // Only where namespaces have leaders.
  const led = states.some(({ status }) => status?.gauges['leads'] !== undefined);
  return tableLines(
    [
      { title: 'NODE' },
      { title: 'ADDRESS' },
      { title: 'ZONE' },
      { title: 'STATE' },
      { title: 'PEERS', align: 'right' },
      ...(led ? LEADER_COLUMNS : []),
      { title: 'HINTS', align: 'right' },
      { title: 'HELD', align: 'right' },
      { title: 'REPAIRS', align: 'right' },
      { title: 'SIBLINGS', align: 'right' },
      { title: 'CORRUPT', align: 'right' },
      { title: 'MEMORY', align: 'right' },
      { title: 'UP', align: 'right' },
    ],
    states.map((state) => [
      state.node,
      state.address,
      state.zone,
      stateText(state),
      ...figures(state, led ? leaderFigures : () => []),
    ]),
  );
}

/** Partitions that the node leads; entries that it knows to be committed, in all partitions, and has not applied. */
const LEADER_COLUMNS: readonly Column[] = [
  { title: 'LEADS', align: 'right' },
  { title: 'BEHIND', align: 'right' },
];

function leaderFigures({ gauges }: NodeStatus): string[] {
  return [formatCount(gauges['leads'] ?? 0), formatCount(gauges['lagEntries'] ?? 0)];
}

function stateText({ status, error }: NodeState): string {
  if (status === undefined) return error?.code === 'NoReachableNode' ? 'down' : `down (${error?.code ?? ''})`;
  if (status.writesRefused !== null) return `read-only (${status.writesRefused})`;
  return (status.gauges['refilling'] ?? 0) > 0 ? 'refilling' : 'up';
}

function figures({ status, memoryBytes }: StatusRow, more: (status: NodeStatus) => string[]): string[] {
  // Cells beyond the columns are not printed.
  if (status === undefined) return Array.from({ length: 8 + LEADER_COLUMNS.length }, () => '-');
  const reachable = status.peers.filter((peer) => peer.reachable).length;
  const { counters } = status;
  return [
    `${reachable}/${status.peers.length}`,
    ...more(status),
    formatCount(status.gauges['hints'] ?? 0),
    formatCount(status.gauges['standInHints'] ?? 0),
    formatCount((counters['read_repairs'] ?? 0) + (counters['records_repaired'] ?? 0)),
    formatCount(counters['sibling_warnings'] ?? 0),
    formatCount(status.gauges['corruptRecords'] ?? 0),
    memoryBytes === undefined ? '-' : formatBytes(memoryBytes),
    formatDuration(status.uptimeMs),
  ];
}

function summaryLine(cluster: string, epoch: number, states: readonly StatusRow[]): string {
  const up = states.filter((state) => state.status !== undefined).length;
  return `cluster ${cluster}, epoch ${epoch}: ${up} of ${states.length} nodes up`;
}

function stateJson(state: StatusRow): unknown {
  const { node, address, zone, status, error, memoryBytes } = state;
  return {
    node,
    address,
    zone,
    state: status === undefined ? 'down' : status.writesRefused === null ? 'up' : 'read-only',
    memoryBytes: memoryBytes ?? null,
    status: status ?? null,
    error: error === undefined ? null : { code: error.code, message: error.message },
  };
}

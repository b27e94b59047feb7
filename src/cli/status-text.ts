/** What `trefoil cluster status` prints: the table of nodes, and the lines below it that sum up. */
import type { NodeStatus } from '../node/node-status.js';
import { formatDuration } from './duration.js';
import { countText, entriesBehind, type LedGroup } from './led-groups.js';
import { stateOf, type NodeState } from './node-states.js';
import { counted, formatBytes, formatCount, tableLines, type Column } from './table.js';

/**
 * A node and what this machine knows of its process. Memory is the process's affair and not the node's, so
 * it is known only where the config says which process to look at.
 */
export interface StatusRow extends NodeState {
  readonly memoryBytes: number | undefined;
}

/** The table that a person reads. */
export function statusLines(states: readonly StatusRow[], groups: readonly LedGroup[]): string[] {
  // Only where namespaces have leaders.
  const led = groups.length > 0;
  const columns: readonly Column[] = [
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
  ];
  return tableLines(
    columns,
    states.map((state) => {
      const { node, address, zone, status } = state;
      const place = [node, address, zone, stateText(state)];
      if (status === undefined) return [...place, ...columns.slice(place.length).map(() => '-')];
      return [
        ...place,
        peersText(status),
        ...(led ? [formatCount(status.gauges['leads'] ?? 0), countText(entriesBehind(groups, node))] : []),
        ...figures(status, state.memoryBytes),
      ];
    }),
  );
}

/** Partitions that the node leads; entries that their leaders know to be committed and it has not applied, in all its partitions. */
const LEADER_COLUMNS: readonly Column[] = [
  { title: 'LEADS', align: 'right' },
  { title: 'BEHIND', align: 'right' },
];

function stateText(state: NodeState): string {
  const { status, error } = state;
  const word = stateOf(state);
  switch (word) {
    case 'down':
      return error === undefined || error.code === 'NoReachableNode' ? word : `${word} (${error.code})`;
    case 'read-only':
      return `${word} (${status?.writesRefused ?? ''})`;
    case 'refilling':
    case 'up':
      return word;
  }
}

function peersText({ peers }: NodeStatus): string {
  return `${peers.filter((peer) => peer.reachable).length}/${peers.length}`;
}

function figures({ gauges, counters, uptimeMs }: NodeStatus, memoryBytes: number | undefined): string[] {
  return [
    formatCount(gauges['hints'] ?? 0),
    formatCount(gauges['standInHints'] ?? 0),
    formatCount((counters['read_repairs'] ?? 0) + (counters['records_repaired'] ?? 0)),
    formatCount(counters['sibling_warnings'] ?? 0),
    formatCount(gauges['corruptRecords'] ?? 0),
    memoryBytes === undefined ? '-' : formatBytes(memoryBytes),
    formatDuration(uptimeMs),
  ];
}

/** The lines below the table: how many nodes are up, and whatever else is not as it should be. `epoch` is the map's, for when no node tells its own. */
export function summaryLines(
  { cluster, epoch }: { readonly cluster: string; readonly epoch: number },
  states: readonly NodeState[],
  groups: readonly LedGroup[],
): string[] {
  const answers = states.flatMap(({ node, status }) => (status === undefined ? [] : [{ node, status }]));
  const epochs = [...new Set(answers.map(({ status }) => status.epoch))].toSorted((a, b) => a - b);
  const led = groups.filter(({ leader }) => leader !== undefined).length;
  const which = epochs.length > 1 ? 'epochs differ' : `epoch ${epochs[0] ?? epoch}`;
  const lines = [`cluster ${cluster}, ${which}: ${answers.length} of ${states.length} nodes up`];
  if (epochs.length > 1) {
    const nodesOf = (one: number) =>
      answers.filter(({ status }) => status.epoch === one).map(({ node }) => node);
    lines.push(epochs.map((one) => `epoch ${one} at ${nodesOf(one).join(', ')}`).join('; '));
  }
  if (led < groups.length && answers.length > 0) {
    // One that does not answer here may lead for others all the same.
    const known = answers.length < states.length ? ' among the nodes that answer' : '';
    lines.push(
      `${formatCount(groups.length - led)} of ${counted(groups.length, 'partition')} have no leader${known}`,
    );
  }
  return lines;
}

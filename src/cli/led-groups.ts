/**
 * The partitions that have leaders, each as the nodes that answer tell of it: who leads, and how far its replicas are behind.
 *
 * How far is counted here and not taken from a gauge: a leader knows only its worst follower (`lagEntries`), and a follower what its
 * leader last told it, which is nothing new while it is cut off. The nodes are asked at once, not at one instant, so under writes a replica
 * may seem some entries behind that has them by now.
 */
import { replicasOf, type ClusterMap } from '../cluster/cluster-map.js';
import { groupId } from '../core/ids.js';
import { formatCount, tableLines } from './table.js';
import { groupGauges, leaderOf, stateOf, type NodeState } from './node-states.js';

export interface LedReplica {
  readonly node: string;
  readonly state: 'leads' | 'follows' | 'refilling' | 'down' | 'absent';
  /** undefined: it does not say. */
  readonly appliedIndex: number | undefined;
  /** Entries that the leader knows to be committed and it has not applied; undefined where either does not say. */
  readonly behind: number | undefined;
}

export interface LedGroup {
  readonly group: string;
  /** undefined: none of the nodes that answer. */
  readonly leader: string | undefined;
  /** Of the leader; where there is none, the latest that a replica knows. */
  readonly term: number | undefined;
  /** Likewise. */
  readonly commitIndex: number | undefined;
  /** By id, so that the lines of a table are alike. */
  readonly replicas: readonly LedReplica[];
}

/** Every partition of a leader-follower namespace, by namespace and number. */
export function ledGroups(map: ClusterMap, states: readonly NodeState[]): LedGroup[] {
  return map.namespaces.flatMap(({ name, strategy, partitions }, index) =>
    strategy === 'leader-follower'
      ? Array.from({ length: partitions }, (_, partition) => {
          const replicas: readonly string[] = replicasOf(map, index, partition);
          return ledGroup(
            groupId(name, partition),
            states.filter(({ node }) => replicas.includes(node)),
          );
        })
      : [],
  );
}

function ledGroup(group: string, states: readonly NodeState[]): LedGroup {
  const leader = leaderOf(states, group)?.node;
  const told = states.filter(({ node }) => leader === undefined || node === leader);
  const commitIndex = latest(told, group, 'commitIndex');
  return {
    group,
    leader,
    term: latest(told, group, 'term'),
    commitIndex,
    replicas: states.map((state) =>
      ledReplica(state, group, leader, leader === undefined ? undefined : commitIndex),
    ),
  };
}

function ledReplica(
  state: NodeState,
  group: string,
  leader: string | undefined,
  committed: number | undefined,
): LedReplica {
  const gauges = groupGauges(state, group);
  const appliedIndex = gauges?.['appliedIndex'];
  return {
    node: state.node,
    state: replicaState(state, gauges, leader),
    appliedIndex,
    behind:
      committed === undefined || appliedIndex === undefined
        ? undefined
        : Math.max(0, committed - appliedIndex),
  };
}

function replicaState(
  state: NodeState,
  gauges: Readonly<Record<string, number>> | undefined,
  leader: string | undefined,
): LedReplica['state'] {
  if (stateOf(state) === 'down') return 'down';
  // A node that runs another config may hold no replica where this map has one.
  if (gauges === undefined) return 'absent';
  if (state.node === leader) return 'leads';
  return gauges['refilling'] === 1 ? 'refilling' : 'follows';
}

function latest(states: readonly NodeState[], group: string, gauge: string): number | undefined {
  const figures = states.flatMap((state) => groupGauges(state, group)?.[gauge] ?? []);
  return figures.length === 0 ? undefined : Math.max(...figures);
}

/** How far a node's replicas are behind their leaders, added up; undefined where nobody can tell of any. */
export function entriesBehind(groups: readonly LedGroup[], node: string): number | undefined {
  const figures = groups.flatMap(({ replicas }) =>
    replicas.flatMap((replica) => (replica.node === node ? (replica.behind ?? []) : [])),
  );
  return figures.length === 0 ? undefined : figures.reduce((sum, behind) => sum + behind, 0);
}

/** The table of `cluster status --groups`: one line for each group. */
export function groupLines(groups: readonly LedGroup[]): string[] {
  if (groups.length === 0) return ['no namespace has leaders'];
  return tableLines(
    [
      { title: 'GROUP' },
      { title: 'LEADER' },
      { title: 'TERM', align: 'right' },
      { title: 'COMMIT', align: 'right' },
      { title: 'FOLLOWERS, ENTRIES BEHIND' },
    ],
    groups.map(({ group, leader, term, commitIndex, replicas }) => [
      group,
      leader ?? '-',
      countText(term),
      countText(commitIndex),
      replicas
        .filter(({ node }) => node !== leader)
        .map(followerText)
        .join(', '),
    ]),
  );
}

/** `n2 0`, `n2 1,234`, `n2 down`, `n2 refilling 1,234`; `n2 -` where it cannot be told, for want of a leader. */
function followerText({ node, state, behind }: LedReplica): string {
  switch (state) {
    case 'down':
    case 'absent':
      return `${node} ${state}`;
    case 'refilling':
      return behind === undefined ? `${node} refilling` : `${node} refilling ${formatCount(behind)}`;
    case 'leads':
    case 'follows':
      return `${node} ${countText(behind)}`;
  }
}

/** `-` for a figure that nobody can tell. */
export function countText(count: number | undefined): string {
  return count === undefined ? '-' : formatCount(count);
}

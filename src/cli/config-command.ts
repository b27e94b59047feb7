/** `trefoil config check FILE`: what the config says, what it promises, and where it puts the data. */
import type { CommandModule } from 'yargs';
import { buildClusterMap } from '../cluster/build-map.js';
import type { ClusterMap } from '../cluster/cluster-map.js';
import type { ClusterConfig } from '../cluster/config.js';
import { cliContext } from './context.js';
import { formatDuration } from './duration.js';
import { readsMeetWrites } from '../cluster/quorum-overlap.js';
import { guaranteeText } from './guarantee-text.js';
import { loadConfig } from './load-config.js';
import { formatCount, tableLines } from './table.js';

interface CheckArguments {
  readonly file: string;
  readonly json: boolean;
}

const checkCommand: CommandModule<object, CheckArguments> = {
  command: 'check <file>',
  describe: 'check a cluster config and say what it promises',
  builder: (yargs) =>
    yargs
      .positional('file', { describe: 'cluster config file', type: 'string', demandOption: true })
      .option('json', { describe: 'print JSON for machines', type: 'boolean', default: false }),
  handler: (argv) => {
    const context = cliContext(argv);
    const config = loadConfig(argv.file);
    const map = buildClusterMap(config);
    if (context.json) context.printJson(checkJson(config, map));
    else checkLines(argv.file, config, map).forEach((line) => context.print(line));
  },
};

export const configCommand: CommandModule = {
  command: 'config',
  describe: 'check a cluster config',
  builder: (yargs) => yargs.command(checkCommand).demandCommand(1, 'name a command: check'),
  handler: () => undefined,
};

/** What a person is told of a config that is good. */
export function checkLines(file: string, config: ClusterConfig, map: ClusterMap): string[] {
  const zones = new Set(map.nodes.map((node) => node.zone)).size;
  const load = replicaCounts(map);
  const total = [...load.values()].reduce((sum, count) => sum + count, 0);
  return [
    `${file} is good: cluster ${config.cluster}, epoch ${config.epoch}, ` +
      `${plural(map.nodes.length, 'node')}, ${plural(zones, 'zone')}, ${plural(map.namespaces.length, 'namespace')}`,
    '',
    ...namespaceTable(map),
    '',
    ...map.namespaces.flatMap((namespace) => [
      namespace.name,
      ...guaranteeText(namespace).map((line) => `  ${line}`),
    ]),
    '',
    'Placement: replicas of partitions on each node',
    ...tableLines(
      [
        { title: 'NODE' },
        { title: 'ADDRESS' },
        { title: 'ZONE' },
        { title: 'WEIGHT', align: 'right' },
        { title: 'REPLICAS', align: 'right' },
        { title: 'SHARE', align: 'right' },
      ],
      map.nodes.map((node) => [
        node.id,
        `${node.host}:${node.port}`,
        node.zone,
        String(node.weight),
        formatCount(load.get(node.id) ?? 0),
        `${((100 * (load.get(node.id) ?? 0)) / Math.max(total, 1)).toFixed(1)} %`,
      ]),
    ),
  ];
}

function namespaceTable(map: ClusterMap): string[] {
  return tableLines(
    [
      { title: 'NAMESPACE' },
      { title: 'STRATEGY' },
      { title: 'N', align: 'right' },
      { title: 'READ' },
      { title: 'WRITE' },
      { title: 'PARTITIONS', align: 'right' },
      { title: 'CONFLICT' },
      { title: 'DURABILITY' },
      { title: 'TTL' },
    ],
    map.namespaces.map((n) => [
      n.name,
      n.strategy,
      String(n.replicas),
      String(n.read),
      n.strategy === 'leaderless' ? String(n.write) : n.ack,
      String(n.partitions),
      n.strategy === 'leaderless' ? n.conflict : '-',
      n.durability,
      n.ttlMs === 0 ? 'none' : formatDuration(n.ttlMs),
    ]),
  );
}

function checkJson(config: ClusterConfig, map: ClusterMap): unknown {
  return {
    cluster: config.cluster,
    epoch: map.epoch,
    hash: map.hash,
    nodes: map.nodes.map((node) => ({ ...node, partitionReplicas: replicaCounts(map).get(node.id) ?? 0 })),
    namespaces: map.namespaces.map((namespace) => ({
      ...namespace,
      readYourWrites: readsMeetWrites(namespace),
      guarantees: guaranteeText(namespace),
    })),
  };
}

/** How many partition replicas each node has, over all namespaces. */
function replicaCounts(map: ClusterMap): Map<string, number> {
  const counts = new Map<string, number>(map.nodes.map((node) => [node.id, 0]));
  for (const node of map.placement.flat(2)) counts.set(node, (counts.get(node) ?? 0) + 1);
  return counts;
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

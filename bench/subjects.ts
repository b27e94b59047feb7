/**
 * What is compared. A subject starts its servers on free ports of this machine and says how to reach them;
 * everything after that is the same for all. To add one: a starter here and its client in `clients.ts`.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePorts } from '../src/cli/free-ports.js';
import { trefoilProgram } from '../src/cli/node-process.js';
import type { ClientTarget } from './clients.js';
import { programPath, startServer, type ServerProcess } from './processes.js';

export interface SubjectSetup {
  /** An empty folder for data and configuration. */
  readonly folder: string;
  readonly durability: 'sync' | 'buffered';
  readonly cpuProfileDir?: string | undefined;
}

export interface RunningSubject {
  readonly servers: readonly ServerProcess[];
  readonly target: ClientTarget;
}

export interface Subject {
  readonly name: string;
  /** One line for the report. */
  readonly description: string;
  /** Why it cannot be measured on this machine; undefined where it can. */
  unavailable?(): string | undefined;
  /** Starts the servers and resolves when all of them serve. Leaves nothing running where it rejects. */
  start(setup: SubjectSetup): Promise<RunningSubject>;
}

const NODES = 3;
const NAMESPACE = 'photos';

export const trefoil: Subject = {
  name: 'trefoil',
  description: 'three nodes, N=3 R=2 W=2, conflict: lww, through the SDK',
  start: (setup) =>
    startTrefoil(setup, `strategy: leaderless, replicas: 3, conflict: lww, durability: ${setup.durability}`),
};

export const trefoilLeaderFollower: Subject = {
  name: 'trefoil',
  description: 'three nodes, 16 partitions of 3 replicas, ack: quorum, read: linearizable, through the SDK',
  start: (setup) => startTrefoil(setup, 'strategy: leader-follower, replicas: 3, partitions: 16'),
};

/** One group, as etcd is: all of a turn's requests share one log, one message and one round, and one node leads. */
export const trefoilOnePartition: Subject = {
  name: 'trefoil, 1 group',
  description: 'the same with one partition, so one leader and one log',
  start: (setup) => startTrefoil(setup, 'strategy: leader-follower, replicas: 3, partitions: 1'),
};

export const barePipeline: Subject = {
  name: 'bare pipeline',
  description: 'ws + msgpackr + one chained LevelDB batch: the same copies, no versions',
  async start(setup) {
    const ports = await freePorts(NODES);
    const servers = await startAll(
      ports.map(
        (port, i) => () =>
          startServer({
            name: `bare pipeline n${i + 1}`,
            program: programPath('bare-pipeline.js'),
            args: [
              `n${i + 1}`,
              join(setup.folder, `n${i + 1}`),
              setup.durability,
              String(port),
              ...ports.filter((other) => other !== port).map(String),
            ],
            cpuProfileDir: setup.cpuProfileDir,
          }),
      ),
    );
    return { servers, target: { type: 'bare-pipeline', ports } };
  },
};

/** Three nodes with one namespace of these settings. */
async function startTrefoil(setup: SubjectSetup, settings: string): Promise<RunningSubject> {
  const cluster = await prepareCluster(setup.folder, settings);
  const servers = await startAll(
    cluster.nodes.map((node) => () => startNode(cluster, node, setup.cpuProfileDir)),
  );
  return { servers, target: cluster.target };
}

/** A cluster of Trefoil that is configured and not started yet. */
export interface PreparedCluster {
  readonly config: string;
  readonly nodes: readonly string[];
  readonly target: ClientTarget & { readonly type: 'trefoil' };
}

/** Writes a config of three nodes on free ports, with one namespace of these settings. */
export async function prepareCluster(folder: string, settings: string): Promise<PreparedCluster> {
  const ports = await freePorts(NODES);
  const nodes = ports.map((_, i) => `n${i + 1}`);
  const config = join(folder, 'cluster.yaml');
  const lines = [
    'cluster: bench',
    'nodes:',
    ...ports.map((port, i) => `  - { id: n${i + 1}, port: ${port}, dataDir: ./n${i + 1} }`),
    'namespaces:',
    `  - { name: ${NAMESPACE}, ${settings} }`,
    '',
  ];
  await writeFile(config, lines.join('\n'));
  const seeds = ports.map((port) => `127.0.0.1:${port}`);
  return { config, nodes, target: { type: 'trefoil', seeds, namespace: NAMESPACE } };
}

/** Starts one node and resolves when it serves. */
export function startNode(
  { config }: Pick<PreparedCluster, 'config'>,
  id: string,
  cpuProfileDir?: string,
): Promise<ServerProcess> {
  return startServer({
    name: `trefoil ${id}`,
    program: trefoilProgram(),
    args: ['node', `--config=${config}`, `--id=${id}`, '--log-level=warn', '--until-stdin-ends'],
    cpuProfileDir,
  });
}

/** Starts all at once: the nodes of a cluster may wait for each other. Leaves nothing running where one cannot. */
export async function startAll(starts: readonly (() => Promise<ServerProcess>)[]): Promise<ServerProcess[]> {
  const started = await Promise.allSettled(starts.map((start) => start()));
  const servers = started.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const failed = started.find((result) => result.status === 'rejected');
  if (failed === undefined) return servers;
  await Promise.all(servers.map((server) => server.stop()));
  throw failed.reason;
}

/** An empty folder under `parent`. */
export async function emptyFolder(parent: string, name: string): Promise<string> {
  const folder = join(parent, name);
  await mkdir(folder, { recursive: true });
  return folder;
}

/**
 * What is compared. A subject starts its servers on free ports of this machine and says how to reach them;
 * everything after that is the same for all. To add one: a starter here and its client in `clients.ts`.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePorts } from '../src/cli/free-ports.js';
import { trefoilProgram } from '../src/cli/node-process.js';
import type { ClientTarget } from './clients.js';
import { programPath, startServer, type ServerCommand, type ServerProcess } from './processes.js';

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
  /** Starts the servers and resolves when all of them serve. Leaves nothing running where it rejects. */
  start(setup: SubjectSetup): Promise<RunningSubject>;
}

const NODES = 3;
const NAMESPACE = 'photos';

export const trefoil: Subject = {
  name: 'trefoil',
  description: 'three nodes, N=3 R=2 W=2, conflict: lww, through the SDK',
  async start(setup) {
    const ports = await freePorts(NODES);
    const config = join(setup.folder, 'cluster.yaml');
    await writeFile(config, clusterConfig(ports, setup.durability));
    const servers = await startAll(
      ports.map((_, i) => ({
        name: `trefoil n${i + 1}`,
        program: trefoilProgram(),
        args: ['node', `--config=${config}`, `--id=n${i + 1}`, '--log-level=warn', '--until-stdin-ends'],
        cpuProfileDir: setup.cpuProfileDir,
      })),
    );
    const seeds = ports.map((port) => `127.0.0.1:${port}`);
    return { servers, target: { type: 'trefoil', seeds, namespace: NAMESPACE } };
  },
};

export const barePipeline: Subject = {
  name: 'bare pipeline',
  description: 'ws + msgpackr + one chained LevelDB batch: the same copies, no versions',
  async start(setup) {
    const ports = await freePorts(NODES);
    const servers = await startAll(
      ports.map((port, i) => ({
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
      })),
    );
    return { servers, target: { type: 'bare-pipeline', ports } };
  },
};

/** Starts all at once: the nodes of a cluster may wait for each other. */
async function startAll(commands: readonly ServerCommand[]): Promise<ServerProcess[]> {
  const started = await Promise.allSettled(commands.map(startServer));
  const servers = started.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const failed = started.find((result) => result.status === 'rejected');
  if (failed === undefined) return servers;
  await Promise.all(servers.map((server) => server.stop()));
  throw failed.reason;
}

function clusterConfig(ports: readonly number[], durability: string): string {
  const nodes = ports.map((port, i) => `  - { id: n${i + 1}, port: ${port}, dataDir: ./n${i + 1} }`);
  return [
    'cluster: bench',
    'nodes:',
    ...nodes,
    'namespaces:',
    `  - { name: ${NAMESPACE}, strategy: leaderless, replicas: 3, conflict: lww, durability: ${durability} }`,
    '',
  ].join('\n');
}

/** An empty folder under `parent`. */
export async function emptyFolder(parent: string, name: string): Promise<string> {
  const folder = join(parent, name);
  await mkdir(folder, { recursive: true });
  return folder;
}

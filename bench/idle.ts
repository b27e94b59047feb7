/**
 * `npm run bench -- idle`: what a cluster costs while nobody uses it: CPU time of all three nodes together as a part of one core, and each
 * node's resident memory. The cluster is that of `cluster-configs/local-3.yaml` or, with `--groups N`, one of N leader-follower groups.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePorts } from '../src/cli/free-ports.js';
import { cpuSecondsOf, peakBytesOf } from './process-usage.js';
import type { ServerProcess } from './processes.js';
import { prepareCluster, startNode } from './subjects.js';

const CONFIG = fileURLToPath(new URL('../../cluster-configs/local-3.yaml', import.meta.url));
const NODES = ['n1', 'n2', 'n3'];
/** Starting costs CPU time that an idle node does not. */
const SETTLE_MS = 15_000;

/** Watches for `seconds` and returns the report's lines. Rejects where a node does not start. `groups`: of leader-follower. */
export async function measureIdle(
  seconds: number,
  dataParent: string,
  groups: number | undefined,
): Promise<string[]> {
  const folder = await mkdtemp(join(dataParent, 'trefoil-idle-'));
  const servers: ServerProcess[] = [];
  try {
    const config = await configOf(folder, groups);
    servers.push(...(await Promise.all(NODES.map((id) => startNode({ config }, id)))));
    await pause(SETTLE_MS);
    const before = servers.map(({ pid }) => cpuSecondsOf(pid));
    const beganMs = performance.now();
    await pause(seconds * 1000);
    const elapsed = (performance.now() - beganMs) / 1000;
    const used = servers.map(({ pid }, i) => (cpuSecondsOf(pid) ?? NaN) - (before[i] ?? NaN));
    const all = used.reduce((sum, cpu) => sum + cpu, 0);
    return [
      `idle for ${elapsed.toFixed(0)} s, three nodes together: ${((100 * all) / elapsed).toFixed(2)} % of a core`,
      ...servers.map(({ pid }, i) => {
        const peak = ((peakBytesOf(pid) ?? NaN) / 2 ** 20).toFixed(0);
        return `${NODES[i]}: ${((100 * (used[i] ?? NaN)) / elapsed).toFixed(2)} % of a core, ${peak} MiB at its peak`;
      }),
    ];
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
    await rm(folder, { recursive: true, force: true });
  }
}

async function configOf(folder: string, groups: number | undefined): Promise<string> {
  if (groups !== undefined) {
    const settings = `strategy: leader-follower, replicas: 3, partitions: ${groups}`;
    return (await prepareCluster(folder, settings)).config;
  }
  const config = join(folder, 'local-3.yaml');
  await writeFile(config, await configOnFreePorts());
  return config;
}

async function configOnFreePorts(): Promise<string> {
  const ports = await freePorts(NODES.length);
  let next = 0;
  return (await readFile(CONFIG, 'utf8')).replace(/port: \d+/g, () => `port: ${ports[next++]}`);
}

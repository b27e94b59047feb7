/**
 * `npm run bench -- catch-up`: how fast a follower that was away comes back, and whether those who use the cluster notice.
 *
 *     n3 stops ──> entries are written ──> a steady load begins ──> n3 starts ──> n3 has everything but the load's latest
 *
 * With a `logBytes` that holds the entries n3 gets them from the leader's log; with a small one the leader has given them up, and n3 gets a
 * snapshot. One partition, so that the leader is one node and the follower has one log to take in.
 */
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { replicasOf } from '../src/cluster/cluster-map.js';
import { connect, TrefoilError, type Database } from '../src/index.js';
import type { NodeStatus } from '../src/node/node-status.js';
import { together } from './load-group.js';
import type { LoadMeasure, ProcessMeasure } from './load-messages.js';
import { LoadProcess } from './load-process.js';
import { cpuSecondsOf } from './process-usage.js';
import type { ServerProcess } from './processes.js';
import { prepareCluster, startAll, startNode, type PreparedCluster } from './subjects.js';

export interface CatchUpPlan {
  /** Written while the follower is away. */
  readonly entries: number;
  readonly logBytes: string;
  /** How long the steady load is measured alone, before the follower starts. */
  readonly pacedSeconds: number;
  readonly dataParent: string;
  /** For a profile of the follower, as it catches up. */
  readonly cpuProfileDir: string | undefined;
}

const PACED_PER_SECOND = 2_000;
/** All are of one session, which keeps 1,024 results. */
const WRITES_AT_ONCE = 512;
const POLL_MS = 50;
/** The follower has caught up when it is no further behind than the steady load writes in this time. */
const BEHIND_MS = 250;
const CATCH_UP_MS_MAX = 120_000;
const LEADER_ATTEMPTS = 100;
const LEADER_PAUSE_MS = 200;

/** Measures one run and returns the report's lines. Leaves no process and no folder behind, also where it rejects. */
export async function measureCatchUp(
  plan: CatchUpPlan,
  onProgress: (what: string) => void,
): Promise<string[]> {
  const folder = await mkdtemp(join(plan.dataParent, 'trefoil-catch-up-'));
  const servers = new Map<string, ServerProcess>();
  const load = new LoadProcess();
  // Also where a signal ends the program.
  const onExit = (): void => rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  process.once('exit', onExit);
  try {
    const settings = `strategy: leader-follower, replicas: 3, partitions: 1, logBytes: ${plan.logBytes}`;
    const cluster = await prepareCluster(folder, settings);
    const started = await startAll(cluster.nodes.map((id) => () => startNode(cluster, id)));
    cluster.nodes.forEach((id, i) => servers.set(id, started[i] as ServerProcess));
    const db = await connect({ seeds: cluster.target.seeds });
    try {
      return await measure(plan, cluster, servers, load, db, onProgress);
    } finally {
      await db.close();
    }
  } finally {
    await load.close();
    await Promise.all([...servers.values()].map((server) => server.stop()));
    await rm(folder, { recursive: true, force: true });
    process.off('exit', onExit);
  }
}

async function measure(
  plan: CatchUpPlan,
  cluster: PreparedCluster,
  servers: Map<string, ServerProcess>,
  load: LoadProcess,
  db: Database,
  onProgress: (what: string) => void,
): Promise<string[]> {
  const follower = await someFollower(db, cluster.nodes);
  await load.open(cluster.target, { records: 0, from: 0, to: 0, firstNew: 0 });
  await servers.get(follower)?.stop();
  onProgress(`${follower} is stopped, writing ${plan.entries} entries`);
  const filledMs = await timed(() => load.fill(plan.entries, WRITES_AT_ONCE));
  onProgress(`written in ${(filledMs / 1000).toFixed(1)} s; a steady load begins`);
  const alone = await paced(load, () => pause(plan.pacedSeconds * 1000));

  const before = await leaderOf(db, cluster.nodes);
  const end = await load.pace(PACED_PER_SECOND);
  const beganMs = performance.now();
  const server = await startNode(cluster, follower, plan.cpuProfileDir);
  servers.set(follower, server);
  const readyMs = performance.now() - beganMs;
  const caughtMs = await caughtUp(db, cluster.nodes, follower, beganMs);
  const cpuSeconds = cpuSecondsOf(server.pid);
  const during = together([await end()]);
  const snapshots = (await statusOf(db, follower))?.counters['snapshots_installed'] ?? 0;

  const seconds = ((caughtMs ?? NaN) - readyMs) / 1000;
  const caughtUpText =
    caughtMs === undefined
      ? `has not caught up within ${CATCH_UP_MS_MAX / 1000} s`
      : `caught up ${seconds.toFixed(2)} s after it was ready: ${Math.round(before.gauges.appliedIndex / seconds)} entries a second`;
  return [
    `logBytes ${plan.logBytes}: ${plan.entries} entries missed, written at ${Math.round(plan.entries / (filledMs / 1000))} a second; ` +
      `brought by ${snapshots > 0 ? 'snapshot' : 'log'}`,
    `  ${caughtUpText}; it was ready ${(readyMs / 1000).toFixed(2)} s after its start; its CPU time ${cpuSeconds?.toFixed(2) ?? '-'} s`,
    `  steady load alone:       ${describe(alone)}`,
    `  steady load meanwhile:   ${describe(during)}`,
  ];
}

async function paced(load: LoadProcess, meanwhile: () => Promise<unknown>): Promise<LoadMeasure> {
  const end: () => Promise<ProcessMeasure> = await load.pace(PACED_PER_SECOND);
  await meanwhile();
  return together([await end()]);
}

function describe({ operations, seconds, p50Ms, p99Ms, maxMs, errors }: LoadMeasure): string {
  const failed = Object.entries(errors).map(([code, count]) => `${count} ${code}`);
  return (
    `${Math.round(operations / seconds)} writes a second of ${PACED_PER_SECOND}, p50 ${p50Ms.toFixed(2)}, p99 ${p99Ms.toFixed(2)}, ` +
    `max ${maxMs.toFixed(1)} ms, failed: ${failed.join(', ') || 'none'}`
  );
}

/** Milliseconds from `beganMs` until the follower has applied what the leader had committed, but for the steady load's latest; undefined: too long. */
async function caughtUp(
  db: Database,
  nodes: readonly string[],
  follower: string,
  beganMs: number,
): Promise<number | undefined> {
  for (;;) {
    const elapsedMs = performance.now() - beganMs;
    const [leader, own] = await Promise.all([leaderOf(db, nodes), statusOf(db, follower)]);
    const behind = leader.gauges.commitIndex - (own?.gauges['appliedIndex'] ?? 0);
    if (behind <= (PACED_PER_SECOND * BEHIND_MS) / 1000) return performance.now() - beganMs;
    if (elapsedMs > CATCH_UP_MS_MAX) return undefined;
    await pause(POLL_MS);
  }
}

interface Leader {
  readonly node: string;
  readonly gauges: { readonly commitIndex: number; readonly appliedIndex: number };
}

async function leaderOf(db: Database, nodes: readonly string[]): Promise<Leader> {
  for (let attempt = 0; attempt < LEADER_ATTEMPTS; attempt++) {
    for (const node of nodes) {
      const { leads, commitIndex = 0, appliedIndex = 0 } = (await statusOf(db, node))?.gauges ?? {};
      if (leads === 1) return { node, gauges: { commitIndex, appliedIndex } };
    }
    await pause(POLL_MS);
  }
  throw new Error('nobody leads');
}

/** A node that follows, once the one that is to lead does: leadership does not move then while all is measured. */
async function someFollower(db: Database, nodes: readonly string[]): Promise<string> {
  const [preferred] = replicasOf(db.map, 0, 0);
  for (let attempt = 0; attempt < LEADER_ATTEMPTS; attempt++) {
    if ((await leaderOf(db, nodes)).node === preferred) {
      const follower = nodes.findLast((node) => node !== preferred);
      if (follower !== undefined) return follower;
    }
    await pause(LEADER_PAUSE_MS);
  }
  throw new Error(`${preferred ?? 'nobody'} does not lead`);
}

/** What a node says of itself; undefined where it does not answer. */
async function statusOf(db: Database, node: string): Promise<NodeStatus | undefined> {
  try {
    return (await db.nodeStatus(node, { timeoutMs: 2_000 })) as NodeStatus;
  } catch (error) {
    if (error instanceof TrefoilError) return undefined;
    throw error;
  }
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const beganMs = performance.now();
  await run();
  return performance.now() - beganMs;
}

/**
 * `trefoil cluster up`: every node of a config as a process of its own, until all serve and see each other.
 *
 * What already runs is left alone, so that `cluster up` also brings back the nodes that are missing. If
 * one node cannot start, those that this call started are stopped again: up is all or nothing.
 */
import { connect } from '../index.js';
import { TrefoilError } from '../core/errors.js';
import { clusterPlaces, type ClusterPlaces, type NodePlace } from './cluster-nodes.js';
import type { CliContext } from './context.js';
import { shellWord } from './get-command.js';
import { spawnNode, type NodeProcess } from './node-process.js';
import { readNodeStates, seeEachOther } from './node-states.js';
import { readPidFile, removePidFile, writePidFile } from './pid-file.js';
import { pollUntil } from './poll.js';

export interface UpArguments {
  readonly config: string;
  readonly foreground: boolean;
  readonly logLevel: string;
  readonly trustStore: boolean;
  readonly json: boolean;
}

/** How long nodes that all serve may take to find each other. */
const MEET_MS_MAX = 15_000;

export async function clusterUp(argv: UpArguments, context: CliContext): Promise<void> {
  const places = clusterPlaces(argv.config);
  const running = places.nodes.filter((node) => readPidFile(node.pidFile) !== undefined);
  // One that runs may hold what the copies lack, and they would outvote it.
  if (argv.trustStore && running.length > 0)
    throw new TrefoilError(
      'BadRequest',
      `--trust-store is for a cluster that was restored as a whole; stop what runs of ${places.cluster} first (${pidList(running)})`,
    );
  if (running.length === places.nodes.length)
    throw new TrefoilError(
      'DataFolderInUse',
      `cluster ${places.cluster} is already up (${pidList(running)}); trefoil cluster down stops it`,
    );
  const missing = places.nodes.filter((node) => !running.includes(node));
  const started: NodeProcess[] = [];
  const interrupt = interruptible(() => stopAll(started, missing));
  try {
    await startAll(missing, argv, started);
    await waitUntilMet(places);
  } catch (error) {
    await stopAll(started, missing);
    throw error;
  }
  if (interrupt.asked()) {
    await stopAll(started, missing);
    process.exitCode = 130;
    return;
  }
  tell(argv, context, places, running, started);
  if (argv.foreground) await untilTheyEnd(started, missing, context);
  interrupt.over();
  started.forEach((node) => node.release());
}

/** Starts nodes side by side and gathers those that serve in `started`; throws the first failure once all are settled. */
async function startAll(
  nodes: readonly NodePlace[],
  argv: UpArguments,
  started: NodeProcess[],
): Promise<void> {
  const results = await Promise.allSettled(
    nodes.map(async (node) => {
      const spawned = await spawnNode({
        configFile: argv.config,
        id: node.id,
        logFile: node.logFile,
        logLevel: argv.logLevel,
        trustStore: argv.trustStore,
        outlive: !argv.foreground,
      });
      started.push(spawned);
      writePidFile(node.pidFile, spawned.pid);
    }),
  );
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

async function stopAll(started: readonly NodeProcess[], nodes: readonly NodePlace[]): Promise<void> {
  await Promise.all(
    started.map(async (spawned) => {
      await spawned.stop();
      const place = nodes.find((node) => node.id === spawned.id);
      if (place !== undefined) removePidFile(place.pidFile);
    }),
  );
}

async function waitUntilMet(places: ClusterPlaces): Promise<void> {
  const db = await connect({
    seeds: places.seeds,
    cluster: places.cluster,
    ...(places.credentials === '' ? {} : { credentials: places.credentials }),
  });
  try {
    const met = await pollUntil(async () => (seeEachOther(await readNodeStates(db)) ? true : undefined), {
      deadlineMs: MEET_MS_MAX,
      everyMs: 100,
    });
    if (met === undefined)
      throw new TrefoilError(
        'Timeout',
        `the nodes serve but did not all find each other within ${MEET_MS_MAX} ms; see their logs`,
        { outcome: 'failed' },
      );
  } finally {
    await db.close();
  }
}

function tell(
  argv: UpArguments,
  context: CliContext,
  places: ClusterPlaces,
  running: readonly NodePlace[],
  started: readonly NodeProcess[],
): void {
  const nodes = places.nodes.map((node) => ({
    node: node.id,
    address: node.address,
    pid: readPidFile(node.pidFile)?.pid ?? null,
    log: node.logFile,
    started: started.some((one) => one.id === node.id),
  }));
  if (context.json) {
    context.printJson({ cluster: places.cluster, nodes });
    return;
  }
  for (const { node, address, pid, started: isNew } of nodes)
    context.print(`${node}  ${address}  pid ${String(pid)}  ${isNew ? 'ready' : 'was running'}`);
  context.print(
    `cluster ${places.cluster} is up: ${places.nodes.length} nodes see each other` +
      (running.length > 0 ? `, ${started.length} started now` : ''),
  );
  const seeds = `--seeds ${places.seeds[0] ?? ''}`;
  context.note(
    argv.foreground
      ? '  next: Ctrl-C stops it'
      : `  next: trefoil put hello world ${seeds}; stop with trefoil cluster down --config ${shellWord(argv.config)}`,
  );
}

/** In the foreground: stays until every node has ended, and tells of one that ends by itself. */
async function untilTheyEnd(
  started: readonly NodeProcess[],
  nodes: readonly NodePlace[],
  context: CliContext,
): Promise<void> {
  await Promise.all(
    started.map(async (node) => {
      const exit = await node.exited;
      const place = nodes.find((candidate) => candidate.id === node.id);
      if (place !== undefined) removePidFile(place.pidFile);
      const clean = exit.code === 0;
      context.note(`${node.id} ended${clean ? '' : ` with ${exit.signal ?? `code ${String(exit.code)}`}`}`);
      if (!clean) process.exitCode = 1;
    }),
  );
}

/** Runs `stop` at the first SIGINT or SIGTERM; the second one ends this program at once. */
function interruptible(stop: () => Promise<void>): {
  readonly asked: () => boolean;
  readonly over: () => void;
} {
  let asked = false;
  const handler = (): void => {
    if (asked) process.exit(130);
    asked = true;
    void stop();
  };
  process.on('SIGINT', handler).on('SIGTERM', handler);
  return {
    asked: () => asked,
    over: () => void process.off('SIGINT', handler).off('SIGTERM', handler),
  };
}

function pidList(nodes: readonly NodePlace[]): string {
  return nodes.map((node) => `${node.id} pid ${String(readPidFile(node.pidFile)?.pid)}`).join(', ');
}

/** `trefoil cluster down`: asks every node to stop, waits, and kills what does not. Stopping what is down is no error. */
import { clusterPlaces, type NodePlace } from './cluster-nodes.js';
import type { CliContext } from './context.js';
import { EXIT, endWith } from './exit-codes.js';
import { STOP_MS_MAX } from './node-process.js';
import { readPidFile, removePidFile } from './pid-file.js';
import { pollUntil } from './poll.js';
import { isRunning, type ProcessIdentity } from './process-identity.js';

export interface DownArguments {
  readonly config: string;
  readonly json: boolean;
}

type Ending = 'stopped' | 'killed' | 'was not running' | 'still running';

const KILL_MS_MAX = 5_000;

export async function clusterDown(argv: DownArguments, context: CliContext): Promise<void> {
  const places = clusterPlaces(argv.config);
  const endings = await Promise.all(
    places.nodes.map(async (node) => ({ node: node.id, ending: await stopNode(node) })),
  );
  if (context.json) context.printJson({ cluster: places.cluster, nodes: endings });
  else endings.forEach(({ node, ending }) => context.print(`${node}  ${ending}`));
  if (endings.some(({ ending }) => ending === 'still running')) endWith(EXIT.failed);
  else if (endings.some(({ ending }) => ending === 'killed')) endWith(EXIT.partial);
}

async function stopNode(node: NodePlace): Promise<Ending> {
  const identity = readPidFile(node.pidFile);
  let ending: Ending = 'was not running';
  if (identity !== undefined) {
    if (await endsAfter(identity, 'SIGTERM', STOP_MS_MAX)) ending = 'stopped';
    else ending = (await endsAfter(identity, 'SIGKILL', KILL_MS_MAX)) ? 'killed' : 'still running';
  }
  if (ending !== 'still running') removePidFile(node.pidFile);
  return ending;
}

async function endsAfter(
  identity: ProcessIdentity,
  signal: NodeJS.Signals,
  deadlineMs: number,
): Promise<boolean> {
  if (!isRunning(identity)) return true;
  try {
    process.kill(identity.pid, signal);
  } catch {
    // Gone between the look and the signal, or not ours to signal: the poll tells which.
  }
  const gone = await pollUntil(async () => (isRunning(identity) ? undefined : true), {
    deadlineMs,
    everyMs: 50,
  });
  return gone === true;
}

/**
 * `trefoil node`: one storage node in the foreground. Ready is told once, on stdout; the log goes to
 * stderr. The first SIGTERM or SIGINT drains and stops, bounded; a second one ends it at once, which is
 * as safe as a crash: nothing was acknowledged that is not durable.
 */
import type { CommandModule } from 'yargs';
import { DRAIN_MS_MAX } from '../core/limits.js';
import type { RunningNode } from '../node/node.js';
import type { LogLevel } from '../runtime/runtime.js';
import { argumentsAs } from './arguments.js';
import { cliContext } from './context.js';

interface NodeArguments {
  readonly config: string;
  readonly id: string;
  readonly dataDir: string | undefined;
  readonly logLevel: LogLevel;
  readonly newIncarnation: boolean;
  readonly trustStore: boolean;
  readonly untilStdinEnds: boolean;
  readonly json: boolean;
}

/** Slack beyond the drain, after which a stop that hangs is ended. */
const STOP_SLACK_MS = 1_500;

export const nodeCommand: CommandModule<object, NodeArguments> = {
  command: 'node',
  describe: 'run one storage node in the foreground',
  builder: (yargs) =>
    argumentsAs<NodeArguments>(
      yargs
        .option('config', {
          describe: 'cluster config file',
          type: 'string',
          requiresArg: true,
          demandOption: true,
        })
        .option('id', {
          describe: 'which of its nodes to run',
          type: 'string',
          requiresArg: true,
          demandOption: true,
        })
        .option('data-dir', {
          describe: "data folder, instead of the config's",
          type: 'string',
          requiresArg: true,
        })
        .option('log-level', {
          describe: 'least level that is logged to stderr',
          choices: ['debug', 'info', 'warn', 'error'] as const,
          default: 'info' as const,
        })
        .option('new-incarnation', {
          describe:
            'the data folder was restored over itself: what is written from here on has a new identity, and leader-follower replicas are refilled',
          type: 'boolean',
          default: false,
        })
        .option('trust-store', {
          describe:
            'go on with leader-follower data that was restored or moved, on all nodes at once; what was acknowledged after the copies is lost',
          type: 'boolean',
          default: false,
        })
        .option('until-stdin-ends', {
          describe: 'stop when standard input ends',
          type: 'boolean',
          default: false,
          hidden: true,
        })
        .option('json', { describe: 'print the ready line as JSON', type: 'boolean', default: false }),
    ),
  handler: runNode,
};

async function runNode(argv: NodeArguments): Promise<void> {
  const context = cliContext(argv);
  const [{ createLog, systemNodeRuntime }, { startNode }, { dataDirOf, loadConfig, nodeOf }] =
    await Promise.all([
      import('../adapters/node-runtime.js'),
      import('../node/node.js'),
      import('./load-config.js'),
    ]);
  const config = loadConfig(argv.config);
  const entry = nodeOf(config, argv.id);
  const log = createLog(argv.logLevel);
  stopOnDefect((error) => log.write('error', 'defect: the node stops', { error: error.stack }));

  const running = await startNode({
    runtime: systemNodeRuntime({ log }),
    config,
    node: entry.id,
    dataDir: argv.dataDir ?? dataDirOf(argv.config, entry),
    newIncarnation: argv.newIncarnation,
    trustStore: argv.trustStore,
  });
  ignoreClosedStdout();
  // Before the ready line: whoever reads it may signal at once.
  const asked = stopAsked(argv.untilStdinEnds);
  const { host, port } = running.address;
  if (context.json) context.printJson({ ready: true, node: entry.id, host, port, pid: process.pid });
  else context.print(`ready ${entry.id} ${host}:${port}`);

  const reason = await asked;
  log.write('info', `stopping: ${reason}`);
  await stopBounded(running);
}

/** Resolves at the first signal; from then on a second one ends the process. */
function stopAsked(untilStdinEnds: boolean): Promise<string> {
  return new Promise((resolve) => {
    let asked = false;
    const onSignal = (signal: NodeJS.Signals): void => {
      if (asked) process.exit(signal === 'SIGINT' ? 130 : 143);
      asked = true;
      resolve(signal);
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
    if (untilStdinEnds) {
      const onEnd = (): void => {
        asked = true;
        resolve('the program that started it is gone');
      };
      process.stdin.once('end', onEnd).once('error', onEnd).resume();
    }
  });
}

async function stopBounded(running: RunningNode): Promise<void> {
  const hangs = setTimeout(() => process.exit(1), DRAIN_MS_MAX + STOP_SLACK_MS);
  await running.stop();
  clearTimeout(hangs);
  // A standard input that is still open would keep the process alive.
  process.stdin.destroy();
}

/** An exception that nobody caught is a defect: going on would risk acknowledged data. */
function stopOnDefect(tell: (error: Error) => void): void {
  const onDefect = (cause: unknown): void => {
    const error = cause instanceof Error ? cause : new Error(String(cause));
    tell(error);
    process.stderr.write(`error: Internal: ${error.message.split('\n')[0] ?? ''}\n`);
    process.exit(1);
  };
  process.on('uncaughtException', onDefect);
  process.on('unhandledRejection', onDefect);
}

/** Whoever waited for the ready line may close the pipe after it: no reason to stop. */
function ignoreClosedStdout(): void {
  process.stdout.removeAllListeners('error').on('error', () => undefined);
}

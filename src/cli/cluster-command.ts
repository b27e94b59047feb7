/** `trefoil cluster up|down|status`: a whole cluster of this machine, by its config file. */
import type { CommandModule } from 'yargs';
import { argumentsAs } from './arguments.js';
import { clusterDown, type DownArguments } from './cluster-down.js';
import { clusterStatus, type StatusArguments } from './cluster-status.js';
import { clusterUp, type UpArguments } from './cluster-up.js';
import { connectionOptions } from './connect.js';
import { cliContext } from './context.js';

const CONFIG = {
  describe: 'cluster config file',
  type: 'string',
  requiresArg: true,
} as const;

const JSON_OPTION = { describe: 'print JSON for machines', type: 'boolean', default: false } as const;

const upCommand: CommandModule<object, UpArguments> = {
  command: 'up',
  describe: 'start every node of a config on this machine, or those that are missing',
  builder: (yargs) =>
    argumentsAs<UpArguments>(
      yargs
        .option('config', { ...CONFIG, demandOption: true })
        .option('foreground', {
          describe: 'stay, and stop the nodes on Ctrl-C',
          type: 'boolean',
          default: false,
        })
        .option('log-level', {
          describe: "least level in the nodes' logs",
          choices: ['debug', 'info', 'warn', 'error'] as const,
          default: 'info' as const,
        })
        .option('trust-store', {
          describe:
            'go on with leader-follower data of folders that were all restored or moved; what was acknowledged after the copies is lost',
          type: 'boolean',
          default: false,
        })
        .option('json', JSON_OPTION),
    ),
  handler: (argv) => clusterUp(argv, cliContext(argv)),
};

const downCommand: CommandModule<object, DownArguments> = {
  command: 'down',
  describe: 'stop the nodes that cluster up started',
  builder: (yargs) => yargs.option('config', { ...CONFIG, demandOption: true }).option('json', JSON_OPTION),
  handler: (argv) => clusterDown(argv, cliContext(argv)),
};

const statusCommand: CommandModule<object, StatusArguments> = {
  command: 'status',
  describe: 'show every node: state, peers, leaders, hints, repairs, memory',
  builder: (yargs) =>
    connectionOptions(yargs)
      .option('config', {
        ...CONFIG,
        describe: 'find the nodes by this config file instead of --seeds',
      })
      .option('groups', {
        describe: 'also show every partition with a leader: who leads, and how far the others are behind',
        type: 'boolean',
        default: false,
      }),
  handler: (argv) => clusterStatus(argv, cliContext(argv)),
};

export const clusterCommand: CommandModule = {
  command: 'cluster',
  describe: 'start, stop or show a cluster',
  builder: (yargs) =>
    yargs
      .command(upCommand)
      .command(downCommand)
      .command(statusCommand)
      .demandCommand(1, 'name a command: up, down or status'),
  handler: () => undefined,
};

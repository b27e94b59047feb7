/**
 * How a command reaches the cluster: the options that every such command shares, and one place that
 * opens the database and closes it whatever happens.
 */
import type { Argv } from 'yargs';
import { connect } from '../index.js';
import type { ConnectOptions, Database } from '../client/api.js';
import { parseDurationMs } from './duration.js';

/** What the shared options give a handler. */
export interface ConnectionArguments {
  readonly seeds: readonly string[];
  /** Time budget of each call, in milliseconds. */
  readonly timeout: number | undefined;
  /** The secret of a cluster that has one. */
  readonly credentials: string | undefined;
  readonly json: boolean;
}

export const SEEDS_DEFAULT = '127.0.0.1:7101';

/** Adds `--seeds`, `--timeout`, `--credentials` and `--json` to a command. */
export function connectionOptions<T>(yargs: Argv<T>): Argv<T & ConnectionArguments> {
  return yargs
    .option('seeds', {
      describe: 'host:port of any nodes, by commas (or env TREFOIL_SEEDS)',
      type: 'string',
      requiresArg: true,
      default: process.env['TREFOIL_SEEDS'] || SEEDS_DEFAULT,
      coerce: parseSeeds,
    })
    .option('timeout', {
      describe: 'time budget of each call: 500ms, 5s, 1m',
      type: 'string',
      requiresArg: true,
      coerce: (text: string | undefined) =>
        text === undefined ? undefined : parseDurationMs(text, '--timeout'),
    })
    .option('credentials', {
      describe: "the cluster's secret (better: env TREFOIL_CREDENTIALS)",
      type: 'string',
      requiresArg: true,
    })
    .option('json', {
      describe: 'print JSON for machines',
      type: 'boolean',
      default: false,
    });
}

/** Opens the database that the options name, runs, and closes it, also when `run` fails. */
export async function withDatabase<T>(
  argv: ConnectionArguments,
  run: (db: Database) => Promise<T>,
): Promise<T> {
  const db = await connect(connectOptions(argv));
  try {
    return await run(db);
  } finally {
    await db.close();
  }
}

/** The SDK's options for what a person gave. The secret's environment variable keeps it out of process lists. */
export function connectOptions(
  argv: Pick<ConnectionArguments, 'seeds' | 'timeout' | 'credentials'>,
): ConnectOptions {
  const credentials = argv.credentials ?? process.env['TREFOIL_CREDENTIALS'];
  return {
    seeds: argv.seeds,
    ...(argv.timeout === undefined ? {} : { timeoutMs: argv.timeout }),
    ...(credentials === undefined || credentials === '' ? {} : { credentials }),
  };
}

function parseSeeds(given: string | readonly string[]): readonly string[] {
  const parts = typeof given === 'string' ? [given] : given;
  return parts
    .flatMap((part) => part.split(','))
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

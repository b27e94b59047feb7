/** The options that the commands on keys share, and how they become the SDK's call options. */
import type { Argv } from 'yargs';
import type { QuorumLevel } from '../cluster/cluster-map.js';
import type { Context } from '../client/api.js';
import { TrefoilError } from '../core/errors.js';
import { connectionOptions, type ConnectionArguments } from './connect.js';
import { parseDurationMs } from './duration.js';

export interface DataArguments extends ConnectionArguments {
  readonly namespace: string;
}

export interface ReadArguments {
  readonly read: QuorumLevel | undefined;
  readonly explain: boolean;
}

export interface WriteArguments {
  readonly write: QuorumLevel | undefined;
  readonly explain: boolean;
  readonly context: string | undefined;
}

/** `--namespace` and the connection. */
export function dataOptions<T>(yargs: Argv<T>): Argv<T & DataArguments> {
  return connectionOptions(yargs).option('namespace', {
    alias: 'n',
    describe: 'namespace of the cluster config',
    type: 'string',
    requiresArg: true,
    default: 'default',
  });
}

export function readOption<T>(yargs: Argv<T>): Argv<T & Pick<ReadArguments, 'read'>> {
  return yargs.option('read', {
    describe: 'replicas that must answer: one, quorum, all or a number',
    type: 'string',
    requiresArg: true,
    coerce: (text: string | undefined) => parseLevel(text, '--read'),
  });
}

export function writeOption<T>(yargs: Argv<T>): Argv<T & Pick<WriteArguments, 'write'>> {
  return yargs.option('write', {
    describe: 'replicas that must have it on disk: one, quorum, all or a number',
    type: 'string',
    requiresArg: true,
    coerce: (text: string | undefined) => parseLevel(text, '--write'),
  });
}

export function explainOption<T>(yargs: Argv<T>): Argv<T & Pick<ReadArguments, 'explain'>> {
  return yargs.option('explain', {
    describe: 'tell how the answer came about',
    type: 'boolean',
    default: false,
  });
}

export function contextOption<T>(yargs: Argv<T>): Argv<T & Pick<WriteArguments, 'context'>> {
  return yargs.option('context', {
    describe: 'what you had read: the context of get --json',
    type: 'string',
    requiresArg: true,
  });
}

export function ttlOption<T>(yargs: Argv<T>): Argv<T & { readonly ttl: number | undefined }> {
  return yargs.option('ttl', {
    describe: 'time to live: 90s, 15m, 7d',
    type: 'string',
    requiresArg: true,
    coerce: (text: string | undefined) => (text === undefined ? undefined : parseDurationMs(text, '--ttl')),
  });
}

/** `one`, `quorum`, `all`, or a whole number above zero. Throws `BadRequest`. */
export function parseLevel(text: string | undefined, option: string): QuorumLevel | undefined {
  if (text === undefined || text === 'one' || text === 'quorum' || text === 'all') return text;
  if (/^[1-9]\d{0,2}$/.test(text)) return Number(text);
  throw new TrefoilError('BadRequest', `${option} must be one, quorum, all or a number, not "${text}"`);
}

/** The text that `get --json` prints for a context. */
export function contextText(context: Context | undefined): string | null {
  return context === undefined ? null : Buffer.from(context.token).toString('base64url');
}

/** The context of `key` that the text stands for. Throws `BadContext`. */
export function parseContext(key: string, text: string): Context {
  if (!/^[A-Za-z0-9_-]+$/.test(text))
    throw new TrefoilError('BadContext', '--context is not what get --json printed: it is not base64url');
  return { key, token: new Uint8Array(Buffer.from(text, 'base64url')) };
}

/** Only what was given, as the SDK wants it: absent means the namespace's own. */
export function callOptions(
  key: string,
  argv: Partial<ReadArguments & WriteArguments & { readonly ttl: number | undefined }>,
): {
  read?: QuorumLevel;
  write?: QuorumLevel;
  explain?: boolean;
  ttlMs?: number;
  context?: Context;
} {
  return {
    ...(argv.read === undefined ? {} : { read: argv.read }),
    ...(argv.write === undefined ? {} : { write: argv.write }),
    ...(argv.explain === true ? { explain: true } : {}),
    ...(argv.ttl === undefined ? {} : { ttlMs: argv.ttl }),
    ...(argv.context === undefined ? {} : { context: parseContext(key, argv.context) }),
  };
}

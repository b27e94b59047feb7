/** The options that the commands on keys share, and how they become the SDK's call options. */
import type { Argv } from 'yargs';
import type { AckLevel, QuorumLevel, ReadMode } from '../cluster/cluster-map.js';
import type { Context } from '../client/api.js';
import { TrefoilError } from '../core/errors.js';
import { argumentsAs } from './arguments.js';
import { connectionOptions, type ConnectionArguments } from './connect.js';
import { parseDurationMs } from './duration.js';

export interface DataArguments extends ConnectionArguments {
  readonly namespace: string;
}

export interface ReadArguments {
  readonly read: QuorumLevel | ReadMode | undefined;
  readonly explain: boolean;
}

export interface StalenessArguments {
  readonly maxStaleness: number | undefined;
}

export interface ConditionArguments {
  readonly ifVersion: number | undefined;
  readonly ifAbsent: boolean;
}

export interface WriteArguments {
  readonly write: QuorumLevel | undefined;
  readonly ack: AckLevel | undefined;
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

const READ_LEVELS = 'leaderless: replicas that must answer: one, quorum, all or a number';

/** `leaderlessOnly`: with a leader, the command reads the latest or cannot be used. */
export function readOption<T>(yargs: Argv<T>, leaderlessOnly = false): Argv<T & Pick<ReadArguments, 'read'>> {
  return yargs.option('read', {
    describe: leaderlessOnly
      ? READ_LEVELS
      : `${READ_LEVELS}; with a leader: linearizable, session or follower`,
    type: 'string',
    requiresArg: true,
    coerce: (text: string | undefined) => parseReadLevel(text),
  });
}

export function stalenessOption<T>(yargs: Argv<T>): Argv<T & StalenessArguments> {
  const withOption = yargs.option('max-staleness', {
    describe:
      'with a leader, read session or follower: how far behind the replica that answers may be: 500ms, 2s',
    type: 'string',
    requiresArg: true,
    coerce: (text: string | undefined) =>
      text === undefined ? undefined : parseDurationMs(text, '--max-staleness'),
  });
  return argumentsAs<T & StalenessArguments>(withOption);
}

export function writeOption<T>(yargs: Argv<T>): Argv<T & Pick<WriteArguments, 'write' | 'ack'>> {
  return yargs
    .option('write', {
      describe: 'leaderless: replicas that must have it on disk: one, quorum, all or a number',
      type: 'string',
      requiresArg: true,
      coerce: (text: string | undefined) => parseLevel(text, '--write'),
    })
    .option('ack', {
      describe: 'with a leader: who must have it on disk: leader (a failover may lose it), quorum or all',
      type: 'string',
      requiresArg: true,
      coerce: (text: string | undefined) => parseAck(text),
    });
}

export function conditionOptions<T>(yargs: Argv<T>): Argv<T & ConditionArguments> {
  const withOptions = yargs
    .option('if-version', {
      describe:
        'with a leader: only if the key has this version, as put and get --explain tell it; 0 for absent',
      type: 'string',
      requiresArg: true,
      coerce: (text: string | undefined) => parseVersion(text),
    })
    .option('if-absent', {
      describe: 'with a leader: only if the key is absent',
      type: 'boolean',
      default: false,
    });
  return argumentsAs<T & ConditionArguments>(withOptions);
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
    describe:
      'what you had read, the context of get --json: replaces exactly that; with a leader, only if nobody has written since',
    type: 'string',
    requiresArg: true,
  });
}

export function ttlOption<T>(yargs: Argv<T>): Argv<T & { readonly ttl: number | undefined }> {
  return yargs.option('ttl', {
    describe: 'time to live, with its unit: 500ms, 90s, 15m, 7d',
    type: 'string',
    requiresArg: true,
    coerce: (text: string | undefined) => (text === undefined ? undefined : parseDurationMs(text, '--ttl')),
  });
}

const LEVEL = /^(?:one|quorum|all|[1-9]\d{0,2})$/;

/** `one`, `quorum`, `all`, or a whole number above zero. Throws `BadRequest`. */
export function parseLevel(text: string | undefined, option: string): QuorumLevel | undefined {
  if (text === undefined || text === 'one' || text === 'quorum' || text === 'all') return text;
  if (LEVEL.test(text)) return Number(text);
  throw new TrefoilError('BadRequest', `${option} must be one, quorum, all or a number, not "${text}"`);
}

function parseReadLevel(text: string | undefined): QuorumLevel | ReadMode | undefined {
  if (text === 'linearizable' || text === 'session' || text === 'follower') return text;
  if (text === undefined || LEVEL.test(text)) return parseLevel(text, '--read');
  throw new TrefoilError(
    'BadRequest',
    `--read must be one, quorum, all or a number, or with a leader linearizable, session or follower, not "${text}"`,
  );
}

function parseAck(text: string | undefined): AckLevel | undefined {
  if (text === undefined || text === 'leader' || text === 'quorum' || text === 'all') return text;
  throw new TrefoilError('BadRequest', `--ack must be leader, quorum or all, not "${text}"`);
}

function parseVersion(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const version = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(version)) return version;
  throw new TrefoilError('BadRequest', `--if-version must be a version, or 0 for absent, not "${text}"`);
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
  argv: Partial<
    ReadArguments &
      StalenessArguments &
      WriteArguments &
      ConditionArguments & { readonly ttl: number | undefined }
  >,
): {
  read?: QuorumLevel | ReadMode;
  maxStalenessMs?: number;
  write?: QuorumLevel;
  ack?: AckLevel;
  ifVersion?: number;
  ifAbsent?: true;
  explain?: boolean;
  ttlMs?: number;
  context?: Context;
} {
  return {
    ...(argv.read === undefined ? {} : { read: argv.read }),
    ...(argv.maxStaleness === undefined ? {} : { maxStalenessMs: argv.maxStaleness }),
    ...(argv.write === undefined ? {} : { write: argv.write }),
    ...(argv.ack === undefined ? {} : { ack: argv.ack }),
    ...(argv.ifVersion === undefined ? {} : { ifVersion: argv.ifVersion }),
    ...(argv.ifAbsent === true ? { ifAbsent: true } : {}),
    ...(argv.explain === true ? { explain: true } : {}),
    ...(argv.ttl === undefined ? {} : { ttlMs: argv.ttl }),
    ...(argv.context === undefined ? {} : { context: parseContext(key, argv.context) }),
  };
}

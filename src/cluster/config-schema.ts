/**
 * The schema of a cluster config, field by field: what each accepts, its default, and what to say of
 * anything else. Each field stands alone, so that one wrong field never hides what is wrong with another;
 * what must hold between fields is in `config-checks.ts`.
 *
 * A reason completes the sentence that starts with the field's name ("port must be ..."). The value found
 * is quoted, except for credentials, which never appear in a message.
 */
import { z } from 'zod';
import { nodeId, namespaceName } from '../core/ids.js';
import { NAME_LENGTH_MAX, PARTITIONS_MAX, TTL_MS_MAX } from '../core/limits.js';
import type { QuorumLevel } from './cluster-map.js';
import { didYouMean } from './did-you-mean.js';

const NAME = new RegExp(`^[A-Za-z0-9][A-Za-z0-9._-]{0,${NAME_LENGTH_MAX - 1}}$`);
const NAMESPACE = new RegExp(`^[a-z0-9][a-z0-9-]{0,${NAME_LENGTH_MAX - 1}}$`);
const HOST = /^[A-Za-z0-9._:-]{1,255}$/;
/** Addresses that mean "every interface" to a listener and nothing to whoever wants to connect. */
const WILDCARD_HOSTS: readonly string[] = ['0.0.0.0', '::', '*'];

const QUORUM_LEVELS = ['one', 'quorum', 'all'] as const;
const STRATEGIES_LATER: readonly unknown[] = ['leader-follower', 'multi-leader'];
const DURATION_UNITS_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** A found value as a message shows it. */
function shown(value: unknown): string {
  const text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length <= 80 ? text : `${text.slice(0, 77)}...`;
}

function text(): z.ZodString {
  return z.string({
    error: ({ input }) => `must be text, not ${shown(input)}${quotesHelp(input)}`,
  });
}

function quotesHelp(input: unknown): string {
  return input === null || typeof input === 'object' ? '' : ': put it in quotes';
}

function name(): z.ZodString {
  return text().regex(NAME, {
    error: ({ input }) =>
      `must be 1 to ${NAME_LENGTH_MAX} letters, digits, dots, dashes or underscores and start with a letter or digit, not ${shown(input)}`,
  });
}

function wholeNumber(min: number, max: number): z.ZodNumber {
  const range = max === Number.MAX_SAFE_INTEGER ? `${min} or more` : `from ${min} to ${max}`;
  const error = ({ input }: { readonly input?: unknown }): string =>
    `must be a whole number ${range}, not ${shown(input)}`;
  return z.number({ error }).int({ error }).min(min, { error }).max(max, { error });
}

function choice<const Values extends readonly [string, ...string[]]>(values: Values) {
  return z.enum(values, {
    error: ({ input }) =>
      `must be ${orList(values)}, not ${shown(input)}${typeof input === 'string' ? didYouMean(input, values) : ''}`,
  });
}

function orList(values: readonly string[]): string {
  return values.length < 2 ? values.join('') : `${values.slice(0, -1).join(', ')} or ${values.at(-1) ?? ''}`;
}

function quorumLevel() {
  return z.custom<QuorumLevel>(
    (input) =>
      QUORUM_LEVELS.some((level) => level === input) ||
      (typeof input === 'number' && Number.isSafeInteger(input) && input >= 1),
    {
      error: ({ input }) =>
        `must be one, quorum, all or a whole number of replicas, not ${shown(input)}` +
        (typeof input === 'string' ? didYouMean(input, QUORUM_LEVELS) : ''),
    },
  );
}

/** Milliseconds of `30d`, `12h`, `15m`, `90s`, `500ms` or a bare number of milliseconds; undefined for anything else. */
function durationMs(input: unknown): number | undefined {
  if (typeof input === 'number') return input;
  const match = typeof input === 'string' ? /^(\d{1,15}(?:\.\d{1,6})?) ?(ms|s|m|h|d)$/.exec(input) : null;
  if (match === null) return undefined;
  // Rounded: 1.1 seconds are 1100.0000000000002 ms in binary.
  return Math.round(Number(match[1]) * DURATION_UNITS_MS[match[2] as keyof typeof DURATION_UNITS_MS]);
}

const ttl = z.unknown().transform((input, context) => {
  const ms = durationMs(input);
  if (ms !== undefined && Number.isSafeInteger(ms) && ms >= 0 && ms <= TTL_MS_MAX) return ms;
  const why =
    ms !== undefined && ms > TTL_MS_MAX
      ? `must be at most ${TTL_MS_MAX / DURATION_UNITS_MS.d}d`
      : 'must be a duration such as 30d, 12h, 15m, 90s or 500ms, or a whole number of milliseconds';
  context.addIssue({ code: 'custom', message: `${why}, not ${shown(input)}` });
  return z.NEVER;
});

const isPowerOfTwo = (n: number): boolean => Number.isInteger(Math.log2(n));

function powersAround(n: number): string {
  const below = 2 ** Math.floor(Math.log2(n));
  return `the nearest are ${below} and ${below * 2}`;
}

export const clusterSchema = z.object({
  cluster: name(),
  epoch: wholeNumber(1, Number.MAX_SAFE_INTEGER).default(1),
  credentials: z
    .string({ error: 'must be text: put it in quotes' })
    .min(1, { error: 'must not be empty: leave it out for none' })
    .default(''),
});

export const nodeSchema = z.object({
  id: name().transform(nodeId),
  host: text()
    .regex(HOST, { error: ({ input }) => `must be a host name or an IP address, not ${shown(input)}` })
    .refine((host) => !WILDCARD_HOSTS.includes(host), {
      error: ({ input }) =>
        `must be an address that other nodes and clients can connect to, and ${shown(input)} is none`,
    })
    .default('127.0.0.1'),
  port: wholeNumber(1, 65_535),
  zone: name().default('default'),
  weight: z
    .number({ error: ({ input }) => `must be a number above 0, not ${shown(input)}` })
    .positive({ error: ({ input }) => `must be a number above 0, not ${shown(input)}` })
    .max(1_000_000, { error: ({ input }) => `must be at most 1000000, not ${shown(input)}` })
    .default(1),
  dataDir: text().min(1, { error: 'must not be empty' }),
});

export const namespaceSchema = z.object({
  name: text()
    .regex(NAMESPACE, {
      error: ({ input }) =>
        `must be 1 to ${NAME_LENGTH_MAX} lower-case letters, digits or dashes and not start with a dash, not ${shown(input)}`,
    })
    .transform(namespaceName),
  strategy: z.literal('leaderless', {
    error: ({ input }) =>
      STRATEGIES_LATER.includes(input)
        ? `${String(input)} is not available yet: use leaderless`
        : `must be leaderless, not ${shown(input)}${typeof input === 'string' ? didYouMean(input, ['leaderless']) : ''}`,
  }),
  replicas: wholeNumber(1, Number.MAX_SAFE_INTEGER).default(3),
  partitions: wholeNumber(1, PARTITIONS_MAX)
    .refine(isPowerOfTwo, {
      error: ({ input }) => `must be a power of two, not ${shown(input)}: ${powersAround(Number(input))}`,
    })
    .default(16),
  read: quorumLevel().default('quorum'),
  write: quorumLevel().default('quorum'),
  conflict: choice(['siblings', 'lww', 'counter', 'set']).default('siblings'),
  durability: choice(['sync', 'buffered']).default('sync'),
  sloppy: z.boolean({ error: ({ input }) => `must be true or false, not ${shown(input)}` }).default(false),
  ttl: ttl.default(0),
  guarantee: choice(['read-your-writes']).optional(),
});

export type ClusterFields = z.infer<typeof clusterSchema>;
export type NodeFields = z.infer<typeof nodeSchema>;
export type NamespaceFields = z.infer<typeof namespaceSchema>;

/**
 * The schemas of a namespace in a cluster config, one for each strategy (docs/adr/0015). A field of another strategy is refused
 * with what to use instead: it must never be ignored, since it was written to promise something.
 */
import { z } from 'zod';
import { namespaceName } from '../core/ids.js';
import { ELECTION_MS, NAME_LENGTH_MAX, PARTITIONS_MAX } from '../core/limits.js';
import type { QuorumLevel } from './cluster-map.js';
import { didYouMean } from './did-you-mean.js';
import { byteSize, choice, duration, shown, text, ttl, wholeNumber } from './schema-parts.js';

const NAMESPACE = new RegExp(`^[a-z0-9][a-z0-9-]{0,${NAME_LENGTH_MAX - 1}}$`);
const STRATEGIES = ['leaderless', 'leader-follower'] as const;
const STRATEGIES_LATER: readonly unknown[] = ['multi-leader'];

const QUORUM_LEVELS = ['one', 'quorum', 'all'] as const;
const READ_MODES = ['linearizable', 'session', 'follower'] as const;
const ACK_LEVELS = ['leader', 'quorum', 'all'] as const;

/** Far below what is of use: so that short runs see logs given up and snapshots sent. */
const LOG_BYTES_MIN = 16 * 1024;
const LOG_BYTES_DEFAULT = 64 * 1024 * 1024;

const MODES_AND_ACKS: readonly string[] = [...READ_MODES, 'leader'];

function quorumLevel() {
  return z.custom<QuorumLevel>(
    (input) =>
      QUORUM_LEVELS.some((level) => level === input) ||
      (typeof input === 'number' && Number.isSafeInteger(input) && input >= 1),
    {
      error: ({ input }) =>
        `must be one, quorum, all or a whole number of replicas, not ${shown(input)}` +
        (isOneOf(MODES_AND_ACKS, input)
          ? ': that is for strategy leader-follower'
          : typeof input === 'string'
            ? didYouMean(input, QUORUM_LEVELS)
            : ''),
    },
  );
}

function isOneOf(words: readonly string[], input: unknown): boolean {
  return typeof input === 'string' && words.includes(input);
}

/** A word of a strategy with a leader; a quorum in its place is told apart from a misspelling. */
function leaderWord<const Words extends readonly [string, ...string[]]>(words: Words, instead: string) {
  return z.enum(words, {
    error: ({ input }) =>
      `must be ${words.slice(0, -1).join(', ')} or ${words.at(-1)}, not ${shown(input)}` +
      (typeof input === 'number' || isOneOf(QUORUM_LEVELS, input)
        ? `: quorums of replicas are for strategy leaderless; ${instead}`
        : typeof input === 'string'
          ? didYouMean(input, words)
          : ''),
  });
}

const isPowerOfTwo = (n: number): boolean => Number.isInteger(Math.log2(n));

function powersAround(n: number): string {
  const below = 2 ** Math.floor(Math.log2(n));
  return `the nearest are ${below} and ${below * 2}`;
}

function wrongStrategy({ input }: { readonly input?: unknown }): string {
  if (STRATEGIES_LATER.includes(input)) {
    return `${String(input)} is not available yet: use leaderless or leader-follower`;
  }
  const known = typeof input === 'string' ? didYouMean(input, STRATEGIES) : '';
  return `must be leaderless or leader-follower, not ${shown(input)}${known}`;
}

const basics = {
  name: text()
    .regex(NAMESPACE, {
      error: ({ input }) =>
        `must be 1 to ${NAME_LENGTH_MAX} lower-case letters, digits or dashes and not start with a dash, not ${shown(input)}`,
    })
    .transform(namespaceName),
  replicas: wholeNumber(1, Number.MAX_SAFE_INTEGER).default(3),
  partitions: wholeNumber(1, PARTITIONS_MAX)
    .refine(isPowerOfTwo, {
      error: ({ input }) => `must be a power of two, not ${shown(input)}: ${powersAround(Number(input))}`,
    })
    .default(16),
};

const guarantee = choice(['read-your-writes', 'linearizable']).optional();

export const leaderlessSchema = z.object({
  name: basics.name,
  strategy: z.literal('leaderless', { error: wrongStrategy }),
  replicas: basics.replicas,
  partitions: basics.partitions,
  read: quorumLevel().default('quorum'),
  write: quorumLevel().default('quorum'),
  conflict: choice(['siblings', 'lww', 'counter', 'set']).default('siblings'),
  durability: choice(['sync', 'buffered']).default('sync'),
  sloppy: z.boolean({ error: ({ input }) => `must be true or false, not ${shown(input)}` }).default(false),
  ttl,
  guarantee,
});

export const leaderFollowerSchema = z.object({
  name: basics.name,
  strategy: z.literal('leader-follower', { error: wrongStrategy }),
  replicas: basics.replicas,
  partitions: basics.partitions,
  ack: leaderWord(ACK_LEVELS, 'ack names who has a write on disk before it is acknowledged').default(
    'quorum',
  ),
  read: leaderWord(READ_MODES, 'with a leader a read has a mode').default('linearizable'),
  minReplicas: wholeNumber(1, Number.MAX_SAFE_INTEGER).optional(),
  clockBound: duration(
    ELECTION_MS - 1,
    `${ELECTION_MS - 1}ms (a lease lasts the time without a leader until an election, ${ELECTION_MS}ms, less clockBound)`,
  ).default(0),
  logBytes: byteSize(LOG_BYTES_MIN, '16KiB').default(LOG_BYTES_DEFAULT),
  durability: z
    .literal('sync', {
      error: ({ input }) =>
        `must be sync with strategy leader-follower, not ${shown(input)}: ` +
        'a log whose end a crash takes back would elect leaders that lack acknowledged writes; for fewer waits use ack: leader',
    })
    .default('sync'),
  ttl,
  guarantee,
});

/** Fields that only the other strategy has, each with what completes "FIELD ...". */
export const FOREIGN_TO_LEADERLESS: Readonly<Record<string, string>> = {
  ack: 'is for strategy leader-follower: use write, how many replicas have a write on disk before it is acknowledged',
  minReplicas: 'is for strategy leader-follower: use write with a number of replicas',
  clockBound:
    'is for strategy leader-follower: it bounds the lease of a leader, and here is none; leave it out',
  logBytes: 'is for strategy leader-follower: it bounds the log of a leader, and here is none; leave it out',
};

export const FOREIGN_TO_LEADER_FOLLOWER: Readonly<Record<string, string>> = {
  write:
    'is for strategy leaderless: use ack (leader, quorum or all), who has a write on disk before it is acknowledged',
  conflict:
    'is for strategy leaderless: one leader orders all writes of a key, so nothing conflicts; leave it out, and write with ifVersion or update',
  sloppy: 'is for strategy leaderless: a stand-in has no vote and no log; leave it out',
};

export type LeaderlessFields = z.infer<typeof leaderlessSchema>;
export type LeaderFollowerFields = z.infer<typeof leaderFollowerSchema>;

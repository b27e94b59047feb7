/**
 * Which anomalies rule out which consistency level: the one table.
 *
 * The levels and what they forbid follow Adya (Weak Consistency, 1999), Bailis et al. (Highly Available
 * Transactions) and Cerone and Gotsman (Analysing Snapshot Isolation), as Elle combines them. Two choices of
 * ours: a transaction that contradicts itself breaks repeatable read too, and a value that nobody wrote breaks
 * every level. Levels whose own anomalies no checker here looks for (monotonic atomic view, update
 * serializable) are not offered, rather than answered with half a check.
 *
 * A level is a base and a notion of time. `strong-session-` adds the order of each process to the edges of a
 * cycle, `strong-` adds real time; strict serializability is strong serializability.
 */

/** By severity: what is found and reported first. */
export const ANOMALIES = [
  'garbage-read',
  'duplicate-elements',
  'cyclic-versions',
  'internal',
  'incompatible-order',
  'G1a',
  'dirty-update',
  'G1b',
  'future-read',
  'G0',
  'G1c',
  'lost-update',
  'G-single',
  'G-nonadjacent',
  'G2-item',
] as const;
export type Anomaly = (typeof ANOMALIES)[number];

/** Whether order outside the data helps to close a cycle: none, that of each process, or real time. */
export type TimeOrder = 'none' | 'process' | 'realtime';

/** In a sentence each, for reports. */
export const ANOMALY_MEANS: Readonly<Record<Anomaly, string>> = {
  'garbage-read': 'a value was read that nobody wrote',
  'duplicate-elements': 'an element stands in a list more than once',
  'cyclic-versions': 'the versions of a key cannot be put in an order',
  internal: 'a transaction contradicts its own reads and writes',
  'incompatible-order': 'two reads saw the same list grow in different ways',
  G1a: 'aborted read: a value of a failed transaction was read',
  'dirty-update': 'a committed append stands on a failed one',
  G1b: "intermediate read: a value was read that was not its transaction's last",
  'future-read': 'a transaction read what it wrote only later',
  G0: 'write cycle',
  G1c: 'circular information flow',
  'lost-update': 'two transactions read the same version of a key and both wrote the key',
  'G-single': 'read skew: a cycle with one anti-dependency',
  'G-nonadjacent': 'a cycle whose anti-dependencies never follow each other',
  'G2-item': 'write skew: a cycle with anti-dependencies in a row',
};

interface BaseLevel {
  readonly forbids: readonly Anomaly[];
  readonly implies: readonly BaseName[];
}

const BASE_NAMES = [
  'read-uncommitted',
  'read-committed',
  'cursor-stability',
  'consistent-view',
  'snapshot-isolation',
  'repeatable-read',
  'serializable',
] as const;
type BaseName = (typeof BASE_NAMES)[number];

const BASES: Readonly<Record<BaseName, BaseLevel>> = {
  'read-uncommitted': {
    forbids: ['G0', 'garbage-read', 'duplicate-elements', 'cyclic-versions'],
    implies: [],
  },
  'read-committed': {
    forbids: ['G1a', 'G1b', 'G1c', 'incompatible-order', 'dirty-update', 'future-read'],
    implies: ['read-uncommitted'],
  },
  'cursor-stability': { forbids: ['lost-update'], implies: ['read-committed'] },
  'consistent-view': { forbids: ['G-single'], implies: ['cursor-stability'] },
  'snapshot-isolation': { forbids: ['internal', 'G-nonadjacent'], implies: ['consistent-view'] },
  'repeatable-read': {
    forbids: ['internal', 'G-single', 'G-nonadjacent', 'G2-item'],
    implies: ['cursor-stability'],
  },
  serializable: { forbids: [], implies: ['repeatable-read', 'snapshot-isolation'] },
};

export const CONSISTENCY_LEVELS = [
  ...BASE_NAMES,
  'strong-session-read-uncommitted',
  'strong-session-read-committed',
  'strong-session-snapshot-isolation',
  'strong-session-serializable',
  'strong-read-uncommitted',
  'strong-read-committed',
  'strong-snapshot-isolation',
  'strict-serializable',
] as const;
export type ConsistencyLevel = (typeof CONSISTENCY_LEVELS)[number];

/** What elle-cli assumes too. */
export const CONSISTENCY_DEFAULT: ConsistencyLevel = 'strict-serializable';

const ALIASES: ReadonlyMap<string, ConsistencyLevel> = new Map([
  ['PL-1', 'read-uncommitted'],
  ['PL-2', 'read-committed'],
  ['PL-CS', 'cursor-stability'],
  ['PL-2+', 'consistent-view'],
  ['PL-SI', 'snapshot-isolation'],
  ['PL-2.99', 'repeatable-read'],
  ['PL-3', 'serializable'],
  ['conflict-serializable', 'serializable'],
  ['strong-serializable', 'strict-serializable'],
  ['PL-SS', 'strict-serializable'],
]);

/** The level of that name or alias; undefined where there is none. */
export function consistencyNamed(name: string): ConsistencyLevel | undefined {
  return CONSISTENCY_LEVELS.find((level) => level === name) ?? ALIASES.get(name);
}

export interface Requirements {
  readonly level: ConsistencyLevel;
  readonly time: TimeOrder;
  readonly forbids: ReadonlySet<Anomaly>;
}

export function requirementsOf(level: ConsistencyLevel): Requirements {
  const { base, time } = partsOf(level);
  const forbids = new Set<Anomaly>();
  const pending: BaseName[] = [base];
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    for (const anomaly of BASES[name].forbids) forbids.add(anomaly);
    pending.push(...BASES[name].implies);
  }
  return { level, time, forbids };
}

function partsOf(level: ConsistencyLevel): { readonly base: BaseName; readonly time: TimeOrder } {
  const timed = /^(strong-session|strong|strict)-(.+)$/.exec(level);
  const base = BASE_NAMES.find((name) => name === (timed?.[2] ?? level)) ?? 'serializable';
  if (timed === null) return { base, time: 'none' };
  return { base, time: timed[1] === 'strong-session' ? 'process' : 'realtime' };
}

/** The edge checks of call options: what they give is clean, what is wrong with them is a `BadRequest`. */
import {
  quorumSize,
  type AckLevel,
  type LeaderFollowerNamespace,
  type LeaderlessNamespace,
  type QuorumLevel,
  type ReadMode,
} from '../cluster/cluster-map.js';
import { TrefoilError } from '../core/errors.js';
import { checkKey } from '../core/keys.js';
import { CONTEXT_BYTES_MAX, REQUEST_TIMEOUT_MS_MAX, TTL_MS_MAX } from '../core/limits.js';
import type { Address } from '../runtime/runtime.js';
import { decodeLeaderContext } from '../protocol/leader-context-codec.js';
import type { Context, ReadOptions, WriteCondition, WriteOptions } from './api.js';

/** A time budget in milliseconds; one of 0 or less is past before it begins. Throws `BadRequest`. */
export function checkTimeoutMs(timeoutMs: number): number {
  if (!(timeoutMs <= REQUEST_TIMEOUT_MS_MAX)) {
    throw new TrefoilError(
      'BadRequest',
      `timeoutMs is ${timeoutMs}: at most ${REQUEST_TIMEOUT_MS_MAX} are allowed`,
    );
  }
  return timeoutMs;
}

/** The read level of a leaderless namespace, null for its own. Throws `BadRequest`. */
export function checkReadQuorum(options: ReadOptions, entry: LeaderlessNamespace): QuorumLevel | null {
  if (options.maxStalenessMs !== undefined) {
    throw new TrefoilError(
      'BadRequest',
      `maxStalenessMs is for strategy leader-follower, and namespace ${entry.name} is leaderless: ask more replicas (read)`,
    );
  }
  return checkQuorum('read', options.read, entry);
}

/** The write level of a leaderless namespace, null for its own. Throws `BadRequest`. */
export function checkWriteQuorum(
  { write, ack }: Pick<WriteOptions, 'write' | 'ack'>,
  entry: LeaderlessNamespace,
): QuorumLevel | null {
  if (ack === undefined) return checkQuorum('write', write, entry);
  throw new TrefoilError(
    'BadRequest',
    `ack is for strategy leader-follower, and namespace ${entry.name} is leaderless: use write`,
  );
}

function checkQuorum(
  option: 'read' | 'write',
  level: QuorumLevel | ReadMode | undefined,
  { name, replicas }: LeaderlessNamespace,
): QuorumLevel | null {
  if (level === undefined) return null;
  if (level === 'one' || level === 'quorum' || level === 'all') return level;
  if (typeof level === 'number' && Number.isInteger(level) && level >= 1 && level <= replicas) return level;
  const why = isReadMode(level) ? `, since namespace ${name} is leaderless` : '';
  throw new TrefoilError(
    'BadRequest',
    `${option} is ${String(level)}: it must be 'one', 'quorum', 'all' or a number from 1 to ${replicas}${why}`,
  );
}

function isReadMode(level: unknown): level is ReadMode {
  return level === 'linearizable' || level === 'session' || level === 'follower';
}

/** The read mode of a leader-follower namespace, null for its own. Throws `BadRequest`. */
export function checkReadMode({ read }: ReadOptions, { name }: LeaderFollowerNamespace): ReadMode | null {
  if (read === undefined) return null;
  if (isReadMode(read)) return read;
  throw new TrefoilError(
    'BadRequest',
    `read is ${String(read)}: it must be 'linearizable', 'session' or 'follower', since namespace ${name} is leader-follower`,
  );
}

/** A bound on staleness, 0 for none. Throws `BadRequest`; also for a read of the latest, which a bound would not change. */
export function checkStalenessMs(
  { read, maxStalenessMs }: ReadOptions,
  { name, read: own }: LeaderFollowerNamespace,
): number {
  if (maxStalenessMs === undefined) return 0;
  if ((read ?? own) === 'linearizable') {
    const whose = read === undefined ? `, which is the mode of namespace ${name}` : '';
    throw new TrefoilError(
      'BadRequest',
      `maxStalenessMs bounds reads of followers, and a linearizable read gives the latest${whose}: read with 'follower' or 'session', or leave it out`,
    );
  }
  if (Number.isSafeInteger(maxStalenessMs) && maxStalenessMs > 0) return maxStalenessMs;
  throw new TrefoilError(
    'BadRequest',
    `maxStalenessMs is ${maxStalenessMs}: it must be a whole number of milliseconds, 1 or more; for the latest, read with 'linearizable'`,
  );
}

/** Throws `BadRequest` for options of reads where a leader-follower namespace reads the latest whatever they say, or nothing. */
export function checkReadsLatest(
  { read, maxStalenessMs }: ReadOptions,
  { name }: LeaderFollowerNamespace,
  what: string,
): void {
  if (maxStalenessMs === undefined && (read === undefined || read === 'linearizable')) return;
  const option = maxStalenessMs === undefined ? `read is ${String(read)}` : 'maxStalenessMs is given';
  throw new TrefoilError(
    'BadRequest',
    `${option}: ${what} in namespace ${name}, which is leader-follower; leave it out`,
  );
}

/**
 * The ack level of a write to a leader-follower namespace, null for its own. Throws `BadRequest`; also for one whose result
 * is needed (`conditional`) at `leader`, where it is not known yet.
 */
export function checkAck(
  { write, ack }: Pick<WriteOptions, 'write' | 'ack'>,
  { name, ack: own }: LeaderFollowerNamespace,
  conditional: boolean,
): AckLevel | null {
  if (write !== undefined) {
    const message = `write is for strategy leaderless, and namespace ${name} is leader-follower: use ack`;
    throw new TrefoilError('BadRequest', message);
  }
  if (ack !== undefined && ack !== 'leader' && ack !== 'quorum' && ack !== 'all') {
    throw new TrefoilError('BadRequest', `ack is ${String(ack)}: it must be 'leader', 'quorum' or 'all'`);
  }
  if (conditional && (ack ?? own) === 'leader') {
    const whose = ack === undefined ? `, which is the level of namespace ${name}` : '';
    throw new TrefoilError(
      'BadRequest',
      `a write with a condition and an atomic batch cannot be acknowledged by the leader alone${whose}: what comes of them is known only later; use ack 'quorum' or 'all'`,
    );
  }
  return ack ?? null;
}

/** What a write to a leaderless namespace supersedes. Throws `Unsupported` for conditions, which only a leader can judge. */
export function writeContext(
  key: string,
  { context, ifVersion, ifAbsent }: WriteCondition,
  { name }: LeaderlessNamespace,
): Uint8Array | null {
  if (ifVersion === undefined && ifAbsent === undefined) return contextToken(key, context);
  throw new TrefoilError(
    'Unsupported',
    `${ifVersion === undefined ? 'ifAbsent' : 'ifVersion'} needs strategy leader-follower, and namespace ${name} is leaderless: ` +
      'write with the context of a read, or update',
  );
}

/** The version that a write to a leader-follower namespace demands, 0 for absent, null for any. Throws `BadRequest` and `BadContext`. */
export function writeVersion(key: string, { context, ifVersion, ifAbsent }: WriteCondition): number | null {
  const given = [context, ifVersion, ifAbsent].filter((condition) => condition !== undefined);
  if (given.length > 1) {
    throw new TrefoilError('BadRequest', 'a write takes one of context, ifVersion and ifAbsent');
  }
  if (ifAbsent !== undefined) {
    // In JavaScript it may be anything.
    if ((ifAbsent as unknown) === true) return 0;
    throw new TrefoilError('BadRequest', `ifAbsent is ${String(ifAbsent)}: set it to true, or leave it out`);
  }
  if (ifVersion !== undefined) {
    if (Number.isSafeInteger(ifVersion) && ifVersion >= 0) return ifVersion;
    throw new TrefoilError('BadRequest', `ifVersion is ${ifVersion}: it must be a version, or 0 for absent`);
  }
  const token = contextToken(key, context);
  return token === null ? null : decodeLeaderContext(token).version;
}

/** The level, raised to at least `needed` replicas. `own` is the namespace's level, for which null stands. */
export function raiseLevel(
  level: QuorumLevel | null,
  own: QuorumLevel,
  needed: number,
  replicas: number,
): QuorumLevel | null {
  return quorumSize(level ?? own, replicas) >= needed ? level : needed;
}

/** A time to live, 0 for the namespace's own. Throws `BadRequest`. */
export function checkTtlMs(ttlMs: number | undefined): number {
  if (ttlMs === undefined) return 0;
  if (Number.isInteger(ttlMs) && ttlMs > 0 && ttlMs <= TTL_MS_MAX) return ttlMs;
  throw new TrefoilError(
    'BadRequest',
    `ttlMs is ${ttlMs}: it must be a whole number from 1 to ${TTL_MS_MAX}`,
  );
}

/** The token of a context for a write of `key`, or null. Throws `BadContext`. */
export function contextToken(key: string, context: Context | undefined): Uint8Array | null {
  if (context === undefined) return null;
  if (context.key !== key) {
    throw new TrefoilError(
      'BadContext',
      `the context is of ${JSON.stringify(context.key)}, the write of ${JSON.stringify(key)}`,
    );
  }
  if (context.token instanceof Uint8Array && context.token.length <= CONTEXT_BYTES_MAX) return context.token;
  throw new TrefoilError('BadContext', `the context of ${JSON.stringify(key)} is damaged`);
}

/** The bounds of a scan are keys, or empty. Throws what `checkKey` throws. */
export function checkScanBound(bound: string): string {
  if (bound.length > 0) checkKey(bound);
  return bound;
}

/** Entries at most. Throws `BadRequest`. */
export function checkLimit(limit: number | undefined): number {
  if (limit === undefined) return Infinity;
  if (limit >= 0) return limit;
  throw new TrefoilError('BadRequest', `limit is ${limit}: it must be 0 or more`);
}

/** `host:port` or `[v6]:port`. Throws `BadRequest`. */
export function parseSeed(seed: string): Address {
  const match = /^(?:\[([^\]]+)\]|([^:\s]+)):(\d{1,5})$/.exec(seed.trim());
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host !== undefined && port >= 1 && port <= 65_535) return { host, port };
  throw new TrefoilError('BadRequest', `${JSON.stringify(seed)} is no seed: write host:port`);
}

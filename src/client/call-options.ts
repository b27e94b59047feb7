/** The edge checks of call options: what they give is clean, what is wrong with them is a `BadRequest`. */
import { quorumSize, type QuorumLevel } from '../cluster/cluster-map.js';
import { TrefoilError } from '../core/errors.js';
import { checkKey } from '../core/keys.js';
import { CONTEXT_BYTES_MAX, REQUEST_TIMEOUT_MS_MAX, TTL_MS_MAX } from '../core/limits.js';
import type { Address } from '../runtime/runtime.js';
import type { Context } from './api.js';

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

/** A read or write level among `replicas`, null for the namespace's own. Throws `BadRequest`. */
export function checkLevel(
  option: 'read' | 'write',
  level: QuorumLevel | undefined,
  replicas: number,
): QuorumLevel | null {
  if (level === undefined) return null;
  if (level === 'one' || level === 'quorum' || level === 'all') return level;
  if (Number.isInteger(level) && level >= 1 && level <= replicas) return level;
  throw new TrefoilError(
    'BadRequest',
    `${option} is ${String(level)}: it must be 'one', 'quorum', 'all' or a number from 1 to ${replicas}`,
  );
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

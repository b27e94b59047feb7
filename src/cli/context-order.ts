/**
 * How the contexts of one key compare, by the strategy that gave them: all that the ledger and its verification know of strategies.
 *
 * A leaderless context is a version vector, and two writes may know nothing of each other. With leader-follower the writes of a key
 * follow one another: a version is the place of a write in the log, and an index how much of the log an answer had applied.
 */
import type { Strategy } from '../cluster/cluster-map.js';
import { contextDominates, decodeContext, mergeContexts } from '../protocol/context-codec.js';
import { decodeLeaderContext } from '../protocol/leader-context-codec.js';

export interface ContextOrder {
  /** Whether an answer with the context `seen` has seen the write that gave `written`. */
  hasSeen(key: string, seen: Uint8Array, written: Uint8Array): boolean;
  /** Whether `a` tells of a write of the key that `b` does not tell of. */
  isBeyond(key: string, a: Uint8Array, b: Uint8Array): boolean;
  /** Tells of what either tells of. */
  join(key: string, a: Uint8Array, b: Uint8Array): Uint8Array;
  /** Whether other values stand beside the write that gave `written`. */
  standsBeside(key: string, written: Uint8Array): boolean;
}

const BY_VECTOR: ContextOrder = {
  hasSeen: contextDominates,
  isBeyond: (key, a, b) => !contextDominates(key, b, a),
  join: mergeContexts,
  // A context that names its write exactly.
  standsBeside: (key, written) => decodeContext(key, written).dots.length > 0,
};

const BY_VERSION: ContextOrder = {
  // By the index: of a key that is deleted an answer names no version.
  hasSeen: (_, seen, written) => decodeLeaderContext(seen).index >= versionOf(written),
  isBeyond: (_, a, b) => versionOf(a) > versionOf(b),
  join: (_, a, b) => (versionOf(a) > versionOf(b) ? a : b),
  standsBeside: () => false,
};

export const CONTEXT_ORDERS: Readonly<Record<Strategy, ContextOrder>> = {
  leaderless: BY_VECTOR,
  'leader-follower': BY_VERSION,
};

function versionOf(context: Uint8Array): number {
  return decodeLeaderContext(context).version;
}

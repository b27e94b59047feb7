/**
 * What the replicas of a leaderless group say to each other. Records travel whole, as the bytes that are
 * stored (see `record-codec.ts`): that is what makes plain version vectors sound, and it spares every hop
 * a second encoding.
 *
 * `sequence` ties an answer to its question; it is the asking replica's own and means nothing else.
 */
import type { NodeId } from '../core/ids.js';

/** Merge this record into yours and tell me when it is durable. */
export interface Store {
  readonly type: 'store';
  readonly sequence: number;
  readonly key: string;
  readonly record: Uint8Array;
}

export interface StoreResult {
  readonly type: 'store-result';
  readonly sequence: number;
  /** `refused`: the receiver cannot write (full disk, read-only). `corrupt`: its own copy awaits repair. */
  readonly status: 'stored' | 'corrupt' | 'refused';
}

/**
 * To a stand-in: keep this record for `home`, a replica that I cannot reach, and tell me when it is durable. Answered by
 * a `store-result`; `refused` where there is no room, or this is no node to stand in.
 */
export interface Hold {
  readonly type: 'hold';
  readonly sequence: number;
  readonly home: NodeId;
  readonly key: string;
  readonly record: Uint8Array;
}

/** What do you hold of this key? */
export interface Fetch {
  readonly type: 'fetch';
  readonly sequence: number;
  readonly key: string;
}

export interface FetchResult {
  readonly type: 'fetch-result';
  readonly sequence: number;
  readonly status: 'found' | 'absent' | 'corrupt';
  /** null unless found. */
  readonly record: Uint8Array | null;
}

/** One page of your records whose key starts with `prefix` and is greater than `after`. */
export interface FetchPage {
  readonly type: 'fetch-page';
  readonly sequence: number;
  readonly prefix: string;
  readonly after: string;
  readonly limit: number;
}

export interface FetchPageResult {
  readonly type: 'fetch-page-result';
  readonly sequence: number;
  readonly status: 'found' | 'corrupt';
  readonly entries: readonly (readonly [key: string, record: Uint8Array])[];
  /** Every key up to and including this one is in `entries`, if it is held at all; null: to the end of the prefix. */
  readonly end: string | null;
}

/**
 * Anti-entropy, as a descent: a root that agrees needs no answer. Each side that learns which leaves differ
 * offers the keys of those leaves with their digests, and the other fetches what it lacks.
 */
export interface CompareRoot {
  readonly type: 'compare-root';
  /** 8 bytes. */
  readonly root: Uint8Array;
}

export interface CompareBranches {
  readonly type: 'compare-branches';
  /** 8 bytes for each branch. */
  readonly branches: Uint8Array;
}

export interface CompareLeaves {
  readonly type: 'compare-leaves';
  /** The branches that differ, each with the 8-byte hashes of its leaves. */
  readonly branches: readonly (readonly [branch: number, leaves: Uint8Array])[];
}

export interface DifferingLeaves {
  readonly type: 'differing-leaves';
  readonly leaves: readonly number[];
}

export interface OfferKeys {
  readonly type: 'offer-keys';
  /** Keys with the 8-byte digest of the sender's record. */
  readonly entries: readonly (readonly [key: string, digest: Uint8Array])[];
}

export type LeaderlessMessage =
  | Store
  | StoreResult
  | Hold
  | Fetch
  | FetchResult
  | FetchPage
  | FetchPageResult
  | CompareRoot
  | CompareBranches
  | CompareLeaves
  | DifferingLeaves
  | OfferKeys;

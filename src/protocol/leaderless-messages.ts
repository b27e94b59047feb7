/**
 * What the replicas of a leaderless group say to each other. Records travel whole, as the bytes that are
 * stored (see `record-codec.ts`): that is what makes plain version vectors sound, and it spares every hop
 * a second encoding.
 *
 * `sequence` ties an answer to its question; it is the asking replica's own and means nothing else.
 */
import type { NodeId } from '../core/ids.js';

import type { VersionVector } from '../core/version-vector.js';

/** Merge this record into yours and tell me when it is durable. */
export interface Store {
  readonly type: 'store';
  readonly sequence: number;
  readonly key: string;
  readonly record: Uint8Array;
  /** Tell me as well what you hold then: the record announces a retry of an operation that you may know. */
  readonly asks: boolean;
}

export interface StoreResult {
  readonly type: 'store-result';
  readonly sequence: number;
  /** `refused`: the receiver cannot write (full disk, read-only). `corrupt`: its own copy awaits repair. */
  readonly status: 'stored' | 'corrupt' | 'refused';
  /**
   * What the receiver holds now: where that is asked for, or it has questions about retried operations that the record lacked (docs/adr/0011). Null
   * elsewhere, and for a `hold`.
   */
  readonly record: Uint8Array | null;
  /** The receiver's wall clock in whole milliseconds, where it was asked; else 0. */
  readonly wallMs: number;
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
  /** `refilling`: the sender has lost records and may hold too little; what it does hold is in `record`. */
  readonly status: 'found' | 'absent' | 'corrupt' | 'refilling';
  /** null where nothing is held, or it is damaged. */
  readonly record: Uint8Array | null;
  /** The sender's: what an earlier one had absorbed says nothing of this answer. */
  readonly life: string;
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
  readonly status: 'found' | 'corrupt' | 'refilling';
  readonly entries: readonly (readonly [key: string, record: Uint8Array])[];
  /** Every key up to and including this one is in `entries`, if it is held at all; null: to the end of the prefix. */
  readonly end: string | null;
}

/**
 * Anti-entropy, as rounds in which one replica, the puller, takes over all that another, the source, has absorbed
 * (docs/adr/0008). A root that agrees needs no answer and is a completed round. Else the puller descends to the leaves
 * that differ, has their keys offered, and pulls what it lacks.
 *
 * `life` names the unbroken memory of the replica that is to answer: a source that has lost records since does not
 * answer under its old one. `round` is the puller's own number of the round; 0 belongs to none.
 */
export interface CompareRoot {
  readonly type: 'compare-root';
  /** 8 bytes. */
  readonly root: Uint8Array;
  /** The sender's life, and 8 bytes that change with what it has absorbed. */
  readonly life: string;
  readonly stamp: Uint8Array;
  /** The latest life and stamp of the receiver that the sender has heard; an empty life for none. */
  readonly heardLife: string;
  readonly heardStamp: Uint8Array;
  readonly refilling: boolean;
  /** The sender has heard an earlier life of the receiver: if the receiver's store is new, it was lost. */
  readonly remembers: boolean;
  /** What the sender has absorbed of the whole group; null where the receiver has heard it. */
  readonly absorbed: VersionVector | null;
}

/** From the puller: which of these do you have otherwise? */
export interface CompareBranches {
  readonly type: 'compare-branches';
  readonly round: number;
  readonly life: string;
  /** 8 bytes for each branch. */
  readonly branches: Uint8Array;
}

/** From the source: the branches that differ, none where all agree. */
export interface CompareLeaves {
  readonly type: 'compare-leaves';
  readonly round: number;
  /** The branches that differ, each with the 8-byte hashes of its leaves. */
  readonly branches: readonly (readonly [branch: number, leaves: Uint8Array])[];
}

/** From the puller: offer me the keys of these leaves. Outside of a round `life` is empty. */
export interface DifferingLeaves {
  readonly type: 'differing-leaves';
  readonly round: number;
  readonly life: string;
  readonly leaves: readonly number[];
}

/** From the source: every key that it holds of these leaves after `after`, up to and including `end`. */
export interface OfferKeys {
  readonly type: 'offer-keys';
  readonly round: number;
  /** Empty: from the first key on. */
  readonly after: string;
  /** null: to the last key. */
  readonly end: string | null;
  /** Keys with the 8-byte digest of the sender's record. */
  readonly entries: readonly (readonly [key: string, digest: Uint8Array])[];
}

/** From the puller: what do you hold of this key, in this life of yours? Answered like a `fetch`; `corrupt` where the life is over. */
export interface Pull {
  readonly type: 'pull';
  readonly sequence: number;
  readonly life: string;
  readonly key: string;
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
  | Pull
  | OfferKeys;

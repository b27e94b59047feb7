/**
 * A hash tree over one replica's records: how two replicas find out, in one message when they agree and in
 * a few small ones when they do not, where they differ (Merkle, 1987; as in Dynamo, section 4.7).
 *
 *     root ── 32 branches ── 1024 leaves ── keys, by the top bits of their hash
 *
 * Every node of the tree is the exclusive or of the 64-bit digests below it. That makes a write an O(1)
 * update (take the old digest out, put the new one in) and the order of writes irrelevant. It is no defence
 * against an adversary, and need not be: replicas trust each other.
 *
 * The tree lives in memory only. It is counted from a paced scan after a start, and recounted now and then
 * to catch drift. A recount runs beside writes: `recountWrite` tells it of each key written meanwhile.
 */
import { hashBytes, hashText } from '../../core/hash.js';

export const BRANCHES = 32;
export const LEAVES_PER_BRANCH = 32;
const LEAVES = BRANCHES * LEAVES_PER_BRANCH;
const HASH_BYTES = 8;
export const ALL_LEAVES: readonly number[] = Array.from({ length: LEAVES }, (_, leaf) => leaf);

/** The leaf that a key belongs to. */
export function leafOfKey(key: string): number {
  return leafOf(hashText(key));
}

function leafOf(keyHash: bigint): number {
  return Number(keyHash >> 54n);
}

/** The digest of a record under its key; `header` is what two equal records share bit for bit. */
export function recordDigest(key: string, header: Uint8Array): bigint {
  return hashBytes(header, hashText(key));
}

/** A digest as the 8 bytes that travel. */
export function digestBytes(digest: bigint): Uint8Array {
  const bytes = new Uint8Array(HASH_BYTES);
  new DataView(bytes.buffer).setBigUint64(0, digest);
  return bytes;
}

export class HashTree {
  readonly #leaves = new BigUint64Array(LEAVES);
  /** Kept, not computed: idle replicas ask for nothing else. */
  #root = 0n;

  /** Replaces a record's contribution; `before` or `after` is null where there is none. */
  replace(key: string, before: Uint8Array | null, after: Uint8Array | null): void {
    const keyHash = hashText(key);
    const leaf = leafOf(keyHash);
    let change = 0n;
    if (before !== null) change ^= hashBytes(before, keyHash);
    if (after !== null) change ^= hashBytes(after, keyHash);
    this.#leaves[leaf] = (this.#leaves[leaf] ?? 0n) ^ change;
    this.#root ^= change;
  }

  /** 8 bytes. */
  root(): Uint8Array {
    return digestBytes(this.#root);
  }

  /** 8 bytes for each of the 32 branches. */
  branches(): Uint8Array {
    const bytes = new Uint8Array(BRANCHES * HASH_BYTES);
    const view = new DataView(bytes.buffer);
    for (let branch = 0; branch < BRANCHES; branch++) {
      let hash = 0n;
      for (let i = 0; i < LEAVES_PER_BRANCH; i++) hash ^= this.#leaves[branch * LEAVES_PER_BRANCH + i] ?? 0n;
      view.setBigUint64(branch * HASH_BYTES, hash);
    }
    return bytes;
  }

  /** 8 bytes for each of the 32 leaves of one branch. */
  leavesOf(branch: number): Uint8Array {
    const bytes = new Uint8Array(LEAVES_PER_BRANCH * HASH_BYTES);
    const view = new DataView(bytes.buffer);
    for (let i = 0; i < LEAVES_PER_BRANCH; i++) {
      view.setBigUint64(i * HASH_BYTES, this.#leaves[branch * LEAVES_PER_BRANCH + i] ?? 0n);
    }
    return bytes;
  }

  /** Whether both trees hash the same records. */
  equals(other: HashTree): boolean {
    return this.#leaves.every((hash, leaf) => hash === other.#leaves[leaf]);
  }
}

/** Positions (0-based, in units of 8 bytes) at which two hash lists of equal length differ. */
export function differingHashes(a: Uint8Array, b: Uint8Array): number[] {
  const differing: number[] = [];
  for (let i = 0; i * HASH_BYTES < Math.max(a.length, b.length); i++) {
    for (let byte = i * HASH_BYTES; byte < (i + 1) * HASH_BYTES; byte++) {
      if (a[byte] !== b[byte]) {
        differing.push(i);
        break;
      }
    }
  }
  return differing;
}

/** The hash at a position of a hash list. */
export function hashAt(hashes: Uint8Array, position: number): bigint {
  return new DataView(hashes.buffer, hashes.byteOffset, hashes.byteLength).getBigUint64(
    position * HASH_BYTES,
  );
}

/**
 * Where a key lives: XXH64 of its UTF-8 bytes, or of its `{tag}` so that related keys live together.
 * The hash is xxhash-wasm's; its module is instantiated once, here, before anything can ask for a hash.
 */
import xxhash from 'xxhash-wasm';

const hasher = await xxhash();

/** XXH64 of a text's UTF-8 bytes. */
export function hashText(text: string, seed?: bigint): bigint {
  return hasher.h64(text, seed);
}

/** XXH64 of bytes. */
export function hashBytes(bytes: Uint8Array, seed?: bigint): bigint {
  return hasher.h64Raw(bytes, seed);
}

/** XXH32 of bytes: quicker to get than 64 bits, where nothing depends on the last collision. */
export function digestBytes(bytes: Uint8Array): number {
  return hasher.h32Raw(bytes);
}

/**
 * The part of a key that decides its partition: what stands between the first `{` and the next `}`,
 * if that is not empty; else the whole key. (The rule of Redis Cluster, which users know.)
 */
export function partitionedPart(key: string): string {
  const open = key.indexOf('{');
  if (open < 0) return key;
  const close = key.indexOf('}', open + 1);
  return close > open + 1 ? key.slice(open + 1, close) : key;
}

/** The partition of a key, 0 <= result < partitions; `partitions` is a power of two. */
export function partitionOfKey(key: string, partitions: number): number {
  return Number(hasher.h64(partitionedPart(key)) & BigInt(partitions - 1));
}

/**
 * The node's own few entries in its store: the CRC-32 of the rest in hexadecimal, a space, and JSON, so that an
 * operator can read them with any LevelDB tool.
 *
 * They are few and everything hangs on them: one flipped bit in a reserved counter, and dots would be given a
 * second time. LevelDB's own checksums guard its blocks, not what stood in memory before.
 */
import { crc32 } from 'node:zlib';
import { TrefoilError } from '../core/errors.js';
import type { Storage } from '../runtime/runtime.js';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function encodeMeta(value: unknown): Uint8Array {
  const json = JSON.stringify(value);
  return encoder.encode(`${checksum(json)} ${json}`);
}

/** The value of the entry; undefined where there is none, or word that it cannot be relied on. */
export function readMeta<T>(storage: Storage, key: string): T | undefined | 'damaged' {
  let bytes: Uint8Array | undefined;
  try {
    bytes = storage.get(key);
  } catch (error) {
    if (error instanceof TrefoilError && error.code === 'RecordCorrupt') return 'damaged';
    throw error;
  }
  if (bytes === undefined) return undefined;
  const text = decoder.decode(bytes);
  const json = text.slice(CHECKSUM_LENGTH + 1);
  return text === `${checksum(json)} ${json}` ? (JSON.parse(json) as T) : 'damaged';
}

const CHECKSUM_LENGTH = 8;

function checksum(json: string): string {
  return crc32(json).toString(16).padStart(CHECKSUM_LENGTH, '0');
}

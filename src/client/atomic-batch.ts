/** The edge checks of an atomic batch: what comes out is one `put-all` of one partition. */
import type { LeaderFollowerNamespace } from '../cluster/cluster-map.js';
import { TrefoilError } from '../core/errors.js';
import { partitionOfKey } from '../core/hash.js';
import { checkKey, utf8Length } from '../core/keys.js';
import { PUT_ALL_BYTES_MAX, PUT_ALL_MAX } from '../core/limits.js';
import type { PutOfAll } from '../protocol/messages.js';
import type { BatchOperation } from './api.js';
import { checkTtlMs, writeVersion } from './call-options.js';
import { checkOperation } from './known-options.js';

export interface AtomicBatch {
  readonly partition: number;
  readonly puts: readonly PutOfAll[];
}

/** Throws `BadRequest`, and what is wrong with a key or a value. `encode` gives a value's bytes. */
export function atomicBatch<T>(
  operations: readonly BatchOperation<T>[],
  entry: LeaderFollowerNamespace,
  ttlMs: number | undefined,
  encode: (key: string, value: T) => Uint8Array,
): AtomicBatch {
  const [first] = operations;
  if (first === undefined || operations.length > PUT_ALL_MAX) {
    throw bad(`${operations.length} operations; one takes 1 to ${PUT_ALL_MAX}`);
  }
  const partition = partitionOfKey(first.key, entry.partitions);
  const keys = new Set<string>();
  let bytes = 0;
  const puts = operations.map((operation): PutOfAll => {
    checkOperation(operation);
    if (operation.type === 'get') throw bad('a get cannot be in one: it takes puts and deletes');
    const { key } = operation;
    checkKey(key);
    if (keys.has(key)) throw bad(`${quoted(key)} is in it twice; one takes each key once`);
    keys.add(key);
    if (partitionOfKey(key, entry.partitions) !== partition) {
      throw bad(
        `${quoted(first.key)} and ${quoted(key)} are of different partitions: give the keys of one batch a common {tag}, as in order/{42}/item`,
      );
    }
    const value = operation.type === 'put' ? encode(key, operation.value) : null;
    bytes += utf8Length(key) + (value?.length ?? 0);
    const own = operation.type === 'put' ? (operation.ttlMs ?? ttlMs) : undefined;
    return { key, value, ifVersion: writeVersion(key, operation), ttlMs: checkTtlMs(own) };
  });
  if (bytes > PUT_ALL_BYTES_MAX) throw bad(`${bytes} bytes; the limit is ${PUT_ALL_BYTES_MAX}`);
  return { partition, puts };
}

function quoted(key: string): string {
  return JSON.stringify(key.slice(0, 80));
}

function bad(what: string): TrefoilError {
  return new TrefoilError('BadRequest', `an atomic batch: ${what}`);
}

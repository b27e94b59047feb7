/**
 * The arguments of an operation, checked where it comes in. The SDK checks them too, but a client need not be
 * the SDK, and what a replica is stepped with must not be able to break it: past this point an argument
 * that cannot be used is a defect of ours.
 */
import { TrefoilError } from '../core/errors.js';
import { partitionOfKey } from '../core/hash.js';
import { checkKey, utf8Length } from '../core/keys.js';
import {
  CONTEXT_BYTES_MAX,
  PUT_ALL_BYTES_MAX,
  PUT_ALL_MAX,
  SESSION_ID_LENGTH_MAX,
  SET_ELEMENTS_MAX,
  TTL_MS_MAX,
  VALUE_BYTES_MAX,
} from '../core/limits.js';
import type {
  ChangeOperation,
  GetOperation,
  PutAllOperation,
  PutOfAll,
  PutOperation,
  ScanOperation,
} from '../protocol/messages.js';
import type { ReplicaOperation } from '../replication/strategy.js';

/** Printable ASCII without the space: two ids that differ also differ in every encoding. */
const SESSION_ID = /^[!-~]+$/;

/** Checks the operation's own arguments and says which partition it is for. Throws what refuses it. */
export function checkedPartition(operation: ReplicaOperation, partitions: number): number {
  switch (operation.type) {
    case 'get':
      return getPartition(operation, partitions);
    case 'put':
      return putPartition(operation, partitions);
    case 'change':
      return changePartition(operation, partitions);
    case 'put-all':
      return putAllPartition(operation, partitions);
    case 'scan':
      return scanPartition(operation, partitions);
    case 'open-session':
      return checkedPartitionNumber(operation.partition, partitions);
  }
}

function getPartition({ key, atLeast }: GetOperation, partitions: number): number {
  checkKey(key);
  checkContext(atLeast);
  return partitionOfKey(key, partitions);
}

function putPartition(put: PutOperation, partitions: number): number {
  checkPut(put);
  checkContext(put.context);
  checkSession(put.operation.session);
  return partitionOfKey(put.key, partitions);
}

function putAllPartition({ partition, puts, operation }: PutAllOperation, partitions: number): number {
  checkedPartitionNumber(partition, partitions);
  if (puts.length === 0 || puts.length > PUT_ALL_MAX) {
    throw new TrefoilError('BadRequest', `${puts.length} puts; one atomic batch takes 1 to ${PUT_ALL_MAX}`);
  }
  const keys = new Set<string>();
  let bytes = 0;
  for (const put of puts) {
    checkPut(put);
    if (keys.has(put.key)) {
      throw new TrefoilError(
        'BadRequest',
        `the key ${put.key} is in the batch twice; one batch takes each once`,
      );
    }
    keys.add(put.key);
    if (partitionOfKey(put.key, partitions) !== partition) {
      throw new TrefoilError(
        'BadRequest',
        `the key ${put.key} is not of partition ${partition}: the keys of an atomic batch must share a {tag}, which puts them into one`,
      );
    }
    bytes += utf8Length(put.key) + (put.value?.length ?? 0);
  }
  if (bytes > PUT_ALL_BYTES_MAX) {
    throw new TrefoilError(
      'BadRequest',
      `an atomic batch of ${bytes} bytes; the limit is ${PUT_ALL_BYTES_MAX}`,
    );
  }
  checkSession(operation.session);
  return partition;
}

function checkPut({ key, value, ttlMs }: PutOfAll): void {
  checkKey(key);
  if (value !== null) checkLength('a value', value);
  if (ttlMs > TTL_MS_MAX) {
    throw new TrefoilError('BadRequest', `a time to live of ${ttlMs} ms; the limit is ${TTL_MS_MAX}`);
  }
}

function changePartition({ key, context, change, operation }: ChangeOperation, partitions: number): number {
  checkKey(key);
  checkContext(context);
  checkSession(operation.session);
  if (change.kind !== 'increment') {
    const count = change.elements.length;
    if (count === 0 || count > SET_ELEMENTS_MAX) {
      throw new TrefoilError('BadRequest', `${count} elements; one call takes 1 to ${SET_ELEMENTS_MAX}`);
    }
    for (const element of change.elements) checkLength('an element', element);
  }
  return partitionOfKey(key, partitions);
}

function scanPartition({ partition, prefix, after, atLeast }: ScanOperation, partitions: number): number {
  if (prefix !== '') checkKey(prefix);
  if (after !== '') checkKey(after);
  checkContext(atLeast);
  return checkedPartitionNumber(partition, partitions);
}

function checkedPartitionNumber(partition: number, partitions: number): number {
  if (partition < partitions) return partition;
  throw new TrefoilError('BadRequest', `partition ${partition} of ${partitions}`);
}

function checkContext(context: Uint8Array | null): void {
  if (context !== null && context.length > CONTEXT_BYTES_MAX) {
    throw new TrefoilError(
      'BadContext',
      `a context of ${context.length} bytes; the limit is ${CONTEXT_BYTES_MAX}`,
    );
  }
}

function checkLength(what: string, bytes: Uint8Array): void {
  if (bytes.length > VALUE_BYTES_MAX) {
    throw new TrefoilError(
      'ValueTooLarge',
      `${what} of ${bytes.length} bytes; the limit is ${VALUE_BYTES_MAX}`,
    );
  }
}

function checkSession(session: string): void {
  if (session.length > SESSION_ID_LENGTH_MAX || !SESSION_ID.test(session)) {
    throw new TrefoilError(
      'BadRequest',
      `a session's id must be 1 to ${SESSION_ID_LENGTH_MAX} characters of printable ASCII`,
    );
  }
}

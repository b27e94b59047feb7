/**
 * The arguments of an operation, checked where it comes in. The SDK checks them too, but a client need not be
 * the SDK, and what a replica is stepped with must not be able to break it: past this point an argument
 * that cannot be used is a defect of ours.
 */
import { TrefoilError } from '../core/errors.js';
import { partitionOfKey } from '../core/hash.js';
import { checkKey } from '../core/keys.js';
import {
  CONTEXT_BYTES_MAX,
  SESSION_ID_LENGTH_MAX,
  SET_ELEMENTS_MAX,
  TTL_MS_MAX,
  VALUE_BYTES_MAX,
} from '../core/limits.js';
import type { ChangeOperation, GetOperation, PutOperation, ScanOperation } from '../protocol/messages.js';
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
    case 'scan':
      return scanPartition(operation, partitions);
  }
}

function getPartition({ key, atLeast }: GetOperation, partitions: number): number {
  checkKey(key);
  checkContext(atLeast);
  return partitionOfKey(key, partitions);
}

function putPartition(put: PutOperation, partitions: number): number {
  const { key, value, context, ttlMs } = put;
  checkKey(key);
  checkContext(context);
  if (value !== null) checkLength('a value', value);
  if (ttlMs > TTL_MS_MAX) {
    throw new TrefoilError('BadRequest', `a time to live of ${ttlMs} ms; the limit is ${TTL_MS_MAX}`);
  }
  checkSession(put.operation.session);
  return partitionOfKey(key, partitions);
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

function scanPartition({ partition, prefix, after }: ScanOperation, partitions: number): number {
  if (partition >= partitions) {
    throw new TrefoilError('BadRequest', `partition ${partition} of ${partitions}`);
  }
  if (prefix !== '') checkKey(prefix);
  if (after !== '') checkKey(after);
  return partition;
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

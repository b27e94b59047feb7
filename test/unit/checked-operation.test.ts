/** What a node refuses of an operation before any replica is stepped with it. */
import { describe, expect, it } from 'vitest';
import { partitionOfKey } from '../../src/core/hash.js';
import { sessionId } from '../../src/core/ids.js';
import { CONTEXT_BYTES_MAX, PUT_ALL_MAX, TTL_MS_MAX, VALUE_BYTES_MAX } from '../../src/core/limits.js';
import { checkedPartition } from '../../src/node/checked-operation.js';
import type { PutAllOperation, PutOfAll, ScanOperation } from '../../src/protocol/messages.js';

const PARTITIONS = 4;
const PARTITION = partitionOfKey('{t}', PARTITIONS);

const put = (key: string, changes: Partial<PutOfAll> = {}): PutOfAll => ({
  key,
  value: new Uint8Array([1]),
  ifVersion: null,
  ttlMs: 0,
  ...changes,
});

const putAll = (puts: readonly PutOfAll[], changes: Partial<PutAllOperation> = {}): PutAllOperation => ({
  type: 'put-all',
  partition: PARTITION,
  puts,
  write: null,
  operation: { session: sessionId('s'), sequence: 1 },
  lowestOpen: 1,
  attempt: 0,
  ...changes,
});

const many = (count: number): PutOfAll[] => Array.from({ length: count }, (_, i) => put(`{t}/${i}`));
/** A key of another partition. */
const elsewhere = ['{u}', '{v}', '{w}', '{x}'].find((key) => partitionOfKey(key, PARTITIONS) !== PARTITION);

describe('a put-all', () => {
  it('is for the partition that it names', () => {
    expect(
      checkedPartition(putAll([put('{t}/a'), put('{t}/b', { value: null, ifVersion: 0 })]), PARTITIONS),
    ).toBe(PARTITION);
    expect(checkedPartition(putAll(many(PUT_ALL_MAX)), PARTITIONS)).toBe(PARTITION);
  });

  it.each<[string, PutAllOperation, string, string]>([
    ['of nothing', putAll([]), 'BadRequest', '0 puts'],
    ['of too many', putAll(many(PUT_ALL_MAX + 1)), 'BadRequest', '129 puts'],
    ['of one key twice', putAll([put('{t}/a'), put('{t}/a')]), 'BadRequest', 'twice'],
    [
      'of keys of two partitions',
      putAll([put('{t}/a'), put(elsewhere ?? '')]),
      'BadRequest',
      'must share a {tag}',
    ],
    [
      'of a partition that is not',
      putAll([put('{t}/a')], { partition: 4 }),
      'BadRequest',
      'partition 4 of 4',
    ],
    ['with an empty key', putAll([put('')]), 'InvalidKey', 'empty'],
    [
      'with a value that is too large',
      putAll([put('{t}/a', { value: new Uint8Array(VALUE_BYTES_MAX + 1) })]),
      'ValueTooLarge',
      'a value',
    ],
    [
      'with values that are too large together',
      putAll(many(5).map((p) => ({ ...p, value: new Uint8Array(VALUE_BYTES_MAX) }))),
      'BadRequest',
      'the limit is 4194304',
    ],
    [
      'that lives too long',
      putAll([put('{t}/a', { ttlMs: TTL_MS_MAX + 1 })]),
      'BadRequest',
      'a time to live',
    ],
    [
      'without a session',
      putAll([put('{t}/a')], { operation: { session: sessionId(''), sequence: 1 } }),
      'BadRequest',
      "a session's id",
    ],
  ])('%s is refused', (_what, operation, code, why) => {
    const refused = expect.objectContaining({
      code,
      message: expect.stringContaining(why) as string,
    }) as Error;
    expect(() => checkedPartition(operation, PARTITIONS)).toThrow(refused);
  });
});

it('a session is opened with a partition that there is', () => {
  expect(checkedPartition({ type: 'open-session', partition: 3 }, PARTITIONS)).toBe(3);
  expect(() => checkedPartition({ type: 'open-session', partition: 4 }, PARTITIONS)).toThrow(
    'partition 4 of 4',
  );
});

it('the bound of a scan is no longer than a context', () => {
  const scan: ScanOperation = {
    type: 'scan',
    partition: 0,
    prefix: '',
    after: '',
    limit: 1,
    read: null,
    atLeast: new Uint8Array(CONTEXT_BYTES_MAX + 1),
    maxStalenessMs: 0,
  };
  expect(() => checkedPartition(scan, PARTITIONS)).toThrow('a context of');
  expect(checkedPartition({ ...scan, atLeast: null }, PARTITIONS)).toBe(0);
});

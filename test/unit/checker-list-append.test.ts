import { describe, expect, it } from 'vitest';
import type { ConsistencyLevel } from '../../chaos/checkers/transactions/consistency.js';
import { checkListAppend } from '../../chaos/checkers/transactions/list-append.js';
import type { Operation } from '../../chaos/history/history.js';
import { concurrent, history, txn } from '../support/transaction-history.js';

function reasonAt(consistency: ConsistencyLevel, operations: readonly Operation[]): string {
  const verdict = checkListAppend(operations, { consistency });
  return `${verdict.validity}: ${verdict.reason}`;
}

/** Invalid at one level with exactly these anomalies, valid one level below. */
function breaks(
  operations: readonly Operation[],
  level: ConsistencyLevel,
  names: string,
  below?: ConsistencyLevel,
) {
  expect(reasonAt(level, operations)).toBe(`invalid: not ${level}: ${names}`);
  if (below !== undefined) expect(reasonAt(below, operations)).toMatch(/^valid/);
}

describe('list-append: histories without fault', () => {
  it.each<[string, readonly Operation[]]>([
    ['nothing at all', []],
    ['one after the other', history(txn('ax1'), txn('rx1 ax2'), txn('rx1,2'))],
    ['appends that nobody read', history(txn('ax1'), txn('ax2'), txn('ay1'))],
    ['own appends are read back', history(txn('ax1 rx1 ax2 rx1,2'), txn('rx1,2'))],
    ['an info that took effect', history(txn('ax1', { outcome: 'info' }), txn('rx1 ry'))],
    ['an info that did not', history(txn('ax1 ay1', { outcome: 'info' }), txn('rx ry'))],
    ['a failed one that did not', history(txn('ax1', { outcome: 'fail' }), txn('rx'))],
    [
      'a value that failed first and then did not',
      history(txn('ax1', { outcome: 'fail' }), txn('ax1'), txn('rx1')),
    ],
    ['concurrent, against the order of invocation', concurrent(txn('rx1,2 ax3'), txn('ax2'), txn('ax1'))],
    [
      'a reader that appends what is never read',
      concurrent(txn('rx1 ax2'), txn('ax1'), txn('rx1'), txn('rx1 ry')),
    ],
  ])('%s', (_, operations) => {
    expect(checkListAppend(operations).validity).toBe('valid');
  });
});

describe('list-append: anomalies', () => {
  it('G0: two transactions append to two keys in opposite orders', () => {
    breaks(concurrent(txn('ax1 ay1'), txn('ax2 ay2'), txn('rx1,2'), txn('ry2,1')), 'read-uncommitted', 'G0');
  });

  it('G1a: a failed append is read', () => {
    const operations = history(txn('ax1', { outcome: 'fail' }), txn('rx1'));
    breaks(operations, 'read-committed', 'G1a', 'read-uncommitted');
  });

  it('G1b: an append is read before its transaction appended again', () => {
    const operations = concurrent(txn('ax1 ax2'), txn('rx1'));
    breaks(operations, 'read-committed', 'G1b', 'read-uncommitted');
  });

  it('G1c: two transactions read each other', () => {
    const operations = concurrent(txn('ax1 ry1'), txn('ay1 rx1'));
    breaks(operations, 'read-committed', 'G1c', 'read-uncommitted');
  });

  it('G-single: one of two appends of a transaction is seen', () => {
    const operations = concurrent(txn('ax1 ay1'), txn('rx1 ry'), txn('ry1'));
    breaks(operations, 'consistent-view', 'G-single', 'cursor-stability');
  });

  it('G-nonadjacent: two readers see two appends in opposite orders', () => {
    const operations = concurrent(txn('ax1'), txn('ay1'), txn('rx1 ry'), txn('ry1 rx'));
    breaks(operations, 'snapshot-isolation', 'G-nonadjacent', 'consistent-view');
  });

  it('G2-item: write skew is snapshot isolation and not serializable', () => {
    const operations = concurrent(txn('rx ay1'), txn('ry ax1'), txn('rx1 ry1'));
    breaks(operations, 'repeatable-read', 'G2-item', 'snapshot-isolation');
    expect(reasonAt('serializable', operations)).toMatch(/^invalid/);
  });

  it('lost update: two stand on the same version', () => {
    const operations = concurrent(txn('ax1'), txn('rx1 ax2'), txn('rx1 ax3'), txn('rx1,2,3'));
    breaks(operations, 'cursor-stability', 'lost-update', 'read-committed');
  });

  it('internal: a transaction does not see its own append', () => {
    const operations = history(txn('ax1 rx'), txn('rx1'));
    expect(reasonAt('snapshot-isolation', operations)).toMatch(/internal/);
    expect(reasonAt('read-committed', operations)).toMatch(/^valid/);
  });

  it('internal: two reads of one key differ', () => {
    const operations = concurrent(txn('rx rx1'), txn('ax1'));
    expect(reasonAt('repeatable-read', operations)).toMatch(/internal/);
  });

  it('incompatible order: neither list is the beginning of the other', () => {
    const operations = concurrent(txn('ax1'), txn('ax2'), txn('rx1,2'), txn('rx2'));
    breaks(operations, 'read-committed', 'incompatible-order', 'read-uncommitted');
  });

  it('duplicate elements', () => {
    breaks(history(txn('ax1'), txn('rx1,1')), 'read-uncommitted', 'duplicate-elements');
  });

  it('garbage read', () => {
    breaks(history(txn('ax1'), txn('rx1,7')), 'read-uncommitted', 'garbage-read');
  });

  it('dirty update: a committed append stands on a failed one', () => {
    const operations = history(txn('ax1', { outcome: 'fail' }), txn('ax2'), txn('rx1,2'));
    breaks(operations, 'read-committed', 'G1a, dirty-update', 'read-uncommitted');
  });

  it('future read: a transaction reads what it appends only later', () => {
    const operations = history(txn('rx1 ax1'));
    breaks(operations, 'read-committed', 'future-read', 'read-uncommitted');
  });
});

describe('list-append: time', () => {
  it('G-single-realtime: a stale read', () => {
    const operations = history(txn('ax1'), txn('rx'), txn('rx1'));
    breaks(operations, 'strict-serializable', 'G-single-realtime', 'serializable');
    breaks(operations, 'strong-snapshot-isolation', 'G-single-realtime', 'strong-session-serializable');
  });

  it('G-single-process: a process does not see its own append', () => {
    const operations = history(txn('ax1', { process: 7 }), txn('rx', { process: 7 }), txn('rx1'));
    breaks(operations, 'strong-session-snapshot-isolation', 'G-single-process', 'snapshot-isolation');
  });

  it('G0-realtime: an append stands before one that had completed', () => {
    const operations = history(txn('ax1'), txn('ax2'), txn('rx2,1'));
    breaks(operations, 'strong-read-uncommitted', 'G0-realtime', 'read-uncommitted');
  });

  it('G1c-realtime: a list is read before the append to it began', () => {
    const operations = history(txn('rx1'), txn('ax1'));
    breaks(operations, 'strong-read-committed', 'G1c-realtime', 'strong-session-serializable');
  });

  it('G1c-process: a process reads what it appends only later', () => {
    const operations = history(txn('rx1', { process: 1 }), txn('ax1', { process: 1 }));
    breaks(operations, 'strong-session-read-committed', 'G1c-process', 'serializable');
  });

  it('an info transaction completes never, so nothing comes after it', () => {
    const operations = history(txn('ax1', { outcome: 'info' }), txn('rx'), txn('rx1'));
    expect(checkListAppend(operations).validity).toBe('valid');
  });
});

describe('list-append: what it says', () => {
  it('shows the cycle in words', () => {
    const verdict = checkListAppend(concurrent(txn('ax1 ay1'), txn('rx1 ry'), txn('ry1')));
    expect(verdict.witness?.lines).toEqual([
      'G-single: read skew: a cycle with one anti-dependency',
      '  T1 = read x = [1], read y = [], process 1, operation 1',
      '  T2 = append 1 to x, append 1 to y, process 0, operation 0',
      '  T1 read y without 1, which T2 appended (rw)',
      '  T2 appended 1 to x, T1 read it (wr)',
      '  so T1 < T2 < T1: a cycle',
    ]);
    expect(verdict.witness?.operations.map((o) => o.index)).toEqual([1, 0]);
  });

  it('does not judge appends that are not unique, nor what is no transaction', () => {
    expect(reasonAt('serializable', history(txn('ax1'), txn('ax1')))).toBe(
      'unknown: 1 was appended to x twice, by operations 0 and 1: appends must be unique',
    );
    expect(reasonAt('serializable', history(txn('wx1')))).toMatch(/^unknown: operation 0 has a step/);
    expect(reasonAt('serializable', history(txn('rx=1')))).toMatch(/^unknown: operation 0 read 1 of x/);
  });

  it('says what a weaker level allows', () => {
    const operations = history(txn('ax1', { outcome: 'fail' }), txn('rx1'));
    expect(reasonAt('read-uncommitted', operations)).toBe(
      'valid: 2 transactions, nothing against read-uncommitted, which allows G1a',
    );
  });
});

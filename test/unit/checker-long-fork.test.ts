import { describe, expect, it } from 'vitest';
import { checkLongFork } from '../../chaos/checkers/transactions/long-fork.js';
import type { Operation } from '../../chaos/history/history.js';
import { concurrent, txn } from '../support/transaction-history.js';

const line = (operations: readonly Operation[], groupSize?: number): string => {
  const { validity, reason } = checkLongFork(operations, groupSize === undefined ? {} : { groupSize });
  return `${validity}: ${reason}`;
};

describe('long fork', () => {
  it('reads that see more and more are one timeline', () => {
    const operations = concurrent(
      txn('wx1'),
      txn('wy1'),
      txn('rx=nil ry=nil'),
      txn('ry=nil rx=1'),
      txn('rx=1 ry=1'),
    );
    expect(line(operations)).toBe('valid: 3 reads of 1 groups, none of them forked');
  });

  it('two reads that see two writes in opposite orders are a fork', () => {
    const operations = concurrent(
      txn('wx1'),
      txn('wy1'),
      txn('rx=1 ry=nil'),
      txn('rx=1 ry=1'),
      txn('ry=1 rx=nil'),
    );
    expect(line(operations)).toBe(
      'invalid: long fork: operations 2 and 4 saw the writes of x and y in opposite orders',
    );
    expect(checkLongFork(operations).witness?.lines).toEqual([
      'operation 2 of process 2 saw the write of x and not that of y',
      'operation 4 of process 4 saw the write of y and not that of x',
    ]);
  });

  it('a fork is found among reads of different sizes', () => {
    const operations = concurrent(txn('rx=1 ry=nil rz=nil'), txn('rx=nil ry=1 rz=1'));
    expect(line(operations, 3)).toMatch(/^invalid/);
  });

  it('groups do not concern each other', () => {
    expect(line(concurrent(txn('rx=1 ry=nil'), txn('ry=1 rz=nil')))).toMatch(/^valid: 2 reads of 2 groups/);
  });

  it('does not judge what it was not made for', () => {
    expect(line(concurrent(txn('wx1'), txn('wx2')))).toMatch(/^unknown: key x is written twice/);
    expect(line(concurrent(txn('wx1 wy1')))).toMatch(/^unknown: operation 0 is neither/);
    expect(line(concurrent(txn('rx=1 ry=1'), txn('rx=1')))).toMatch(/^unknown: operation 1 reads 1 keys/);
    expect(line(concurrent(txn('rx=1 ry=1'), txn('rx=2 ry=1')))).toMatch(
      /^unknown: key x was read as 1 and as 2/,
    );
  });
});

import { describe, expect, it } from 'vitest';
import type { ConsistencyLevel } from '../../chaos/checkers/transactions/consistency.js';
import { checkRwRegister } from '../../chaos/checkers/transactions/rw-register.js';
import type { Operation } from '../../chaos/history/history.js';
import { concurrent, history, txn } from '../support/transaction-history.js';

function reasonAt(consistency: ConsistencyLevel, operations: readonly Operation[]): string {
  const verdict = checkRwRegister(operations, { consistency });
  return `${verdict.validity}: ${verdict.reason}`;
}

/** Invalid at one level with exactly these anomalies, valid at the other. */
function breaks(
  operations: readonly Operation[],
  level: ConsistencyLevel,
  names: string,
  below: ConsistencyLevel,
) {
  expect(reasonAt(level, operations)).toBe(`invalid: not ${level}: ${names}`);
  expect(reasonAt(below, operations)).toMatch(/^valid/);
}

describe('rw-register: histories without fault', () => {
  it.each<[string, readonly Operation[]]>([
    ['nothing at all', []],
    ['one after the other', history(txn('wx1'), txn('rx=1 wx2'), txn('rx=2'))],
    ['a value is overwritten', history(txn('wx1'), txn('wx2'), txn('rx=2'))],
    ['own writes are read back', history(txn('rx=nil wx1 rx=1 wx2 rx=2'), txn('rx=2 rx=2'))],
    ['an info that took effect late', history(txn('wx1', { outcome: 'info' }), txn('rx=nil'), txn('rx=1'))],
    ['an info that did not', history(txn('wx1 wy1', { outcome: 'info' }), txn('rx=nil ry=nil'))],
    ['a failed write', history(txn('wx1', { outcome: 'fail' }), txn('rx=nil'))],
    [
      'a value that failed first and then did not',
      history(txn('wx1', { outcome: 'fail' }), txn('wx1'), txn('rx=1')),
    ],
    ['concurrent writes, seen in either order', concurrent(txn('wx1'), txn('wx2'), txn('rx=2'), txn('rx=1'))],
    ['a value read again after it was read', history(txn('wx1'), txn('rx=1'), txn('rx=1'), txn('rx=1 wx2'))],
  ])('%s', (_, operations) => {
    expect(reasonAt('strict-serializable', operations)).toMatch(/^valid/);
  });
});

describe('rw-register: anomalies', () => {
  it('G1a: a failed write is read', () => {
    breaks(
      history(txn('wx1', { outcome: 'fail' }), txn('rx=1')),
      'read-committed',
      'G1a',
      'read-uncommitted',
    );
  });

  it('G1b: a value is read that its transaction overwrote', () => {
    breaks(concurrent(txn('wx1 wx2'), txn('rx=1')), 'read-committed', 'G1b', 'read-uncommitted');
  });

  it('G1c: two transactions read each other', () => {
    breaks(concurrent(txn('wx1 ry=1'), txn('wy1 rx=1')), 'read-committed', 'G1c', 'read-uncommitted');
  });

  it('G-single: one of two writes of a transaction is seen', () => {
    breaks(concurrent(txn('wx1 wy1'), txn('rx=1 ry=nil')), 'consistent-view', 'G-single', 'cursor-stability');
  });

  it('G-nonadjacent: two readers see two writes in opposite orders', () => {
    const operations = concurrent(txn('wx1'), txn('wy1'), txn('rx=1 ry=nil'), txn('ry=1 rx=nil'));
    breaks(operations, 'snapshot-isolation', 'G-nonadjacent', 'consistent-view');
  });

  it('G2-item: write skew', () => {
    const operations = concurrent(txn('rx=nil wy1'), txn('ry=nil wx1'));
    breaks(operations, 'repeatable-read', 'G2-item', 'snapshot-isolation');
  });

  it('lost update: two read the same version and write', () => {
    const operations = concurrent(txn('wx1'), txn('rx=1 wx2'), txn('rx=1 wx3'));
    breaks(operations, 'cursor-stability', 'lost-update', 'read-committed');
  });

  it('internal: a transaction does not see its own write', () => {
    expect(reasonAt('snapshot-isolation', concurrent(txn('wx1'), txn('wx2 rx=1')))).toMatch(/internal/);
    expect(reasonAt('snapshot-isolation', concurrent(txn('wx1'), txn('rx=nil rx=1')))).toMatch(/internal/);
    expect(reasonAt('read-committed', concurrent(txn('wx1'), txn('rx=nil rx=1')))).toMatch(/^valid/);
  });

  it('future read: a transaction reads what it writes only later', () => {
    breaks(history(txn('rx=1 wx1')), 'read-committed', 'future-read', 'read-uncommitted');
  });

  it('garbage read', () => {
    const garbage = 'invalid: not read-uncommitted: garbage-read';
    expect(reasonAt('read-uncommitted', history(txn('rx=7'), txn('rx=8')))).toContain(garbage);
    expect(reasonAt('read-uncommitted', history(txn('rx=nil'), txn('rx=7')))).toContain(garbage);
    expect(checkRwRegister(history(txn('rx=7')), { initial: null }).validity).toBe('invalid');
    expect(checkRwRegister(history(txn('rx=7')), { initial: 6 }).validity).toBe('invalid');
  });

  it('cyclic versions: two transactions each write after what the other wrote', () => {
    const operations = concurrent(txn('rx=2 wx1'), txn('rx=1 wx2'));
    expect(reasonAt('read-committed', operations)).toBe('invalid: not read-committed: cyclic-versions, G1c');
    expect(reasonAt('read-uncommitted', operations)).toMatch(/^valid/);
  });
});

describe('rw-register: time', () => {
  it('the initial state is read after a write had completed', () => {
    const operations = history(txn('wx1'), txn('rx=nil'));
    breaks(operations, 'strict-serializable', 'cyclic-versions, G-single-realtime', 'serializable');
    breaks(
      operations,
      'strong-snapshot-isolation',
      'cyclic-versions, G-single-realtime',
      'strong-read-committed',
    );
  });

  it('a value is read after a later one was read', () => {
    const operations = concurrentWritesThen(
      txn('rx=1', { at: [4, 5] }),
      txn('rx=2', { at: [6, 7] }),
      txn('rx=1', { at: [8, 9] }),
    );
    breaks(operations, 'strict-serializable', 'cyclic-versions', 'serializable');
    breaks(operations, 'strong-snapshot-isolation', 'cyclic-versions', 'strong-read-committed');
  });

  it('only within one process do session levels see it', () => {
    const reads = (processes: readonly number[]) =>
      [1, 2, 1].map((value, i) => txn(`rx=${value}`, { process: processes[i]!, at: [4 + 2 * i, 5 + 2 * i] }));
    breaks(
      concurrentWritesThen(...reads([7, 7, 7])),
      'strong-session-serializable',
      'cyclic-versions',
      'serializable',
    );
    expect(reasonAt('strong-session-serializable', concurrentWritesThen(...reads([7, 8, 9])))).toMatch(
      /^valid/,
    );
  });

  it('order from time helps to close other cycles', () => {
    const operations = history(
      txn('wx1'),
      txn('wx2 ry=nil', { at: [2, 9] }),
      txn('wy1 rx=1', { at: [3, 8] }),
    );
    breaks(operations, 'strict-serializable', 'G2-item', 'serializable');
  });

  it('writes that ran at once are in no order', () => {
    const operations = concurrentWritesThen(txn('rx=2', { at: [4, 5] }));
    expect(reasonAt('strict-serializable', operations)).toMatch(/^valid/);
  });

  function concurrentWritesThen(...reads: ReturnType<typeof txn>[]): Operation[] {
    return history(txn('wx1', { at: [0, 2] }), txn('wx2', { at: [1, 3] }), ...reads);
  }
});

describe('rw-register: what it says', () => {
  it('shows why versions cannot be ordered', () => {
    const verdict = checkRwRegister(history(txn('wx1'), txn('rx=nil')));
    expect(verdict.witness?.lines.slice(0, 5)).toEqual([
      'cyclic-versions: the versions of a key cannot be put in an order',
      '  T1 = write x = 1, process 0, operation 0',
      '  T2 = read x = nil, process 1, operation 1',
      '  x = nil comes before 1: it is the initial state',
      '  x = 1 comes before nil: T1 saw or left the one and had completed before T2, which saw or left the other',
    ]);
  });

  it('takes the initial value it is told', () => {
    expect(checkRwRegister(history(txn('rx=0')), { initial: 0 }).validity).toBe('valid');
    expect(checkRwRegister(history(txn('rx=1')), { initial: 0 }).validity).toBe('invalid');
    expect(checkRwRegister(history(txn('wx0')), { initial: 0 }).reason).toMatch(/its initial value$/);
  });

  it('takes one value that nobody wrote for the initial one', () => {
    expect(reasonAt('strict-serializable', history(txn('rx=3 ry=4'), txn('rx=3 wx1'), txn('rx=1')))).toBe(
      'valid: 3 transactions, nothing against strict-serializable, if at first x = 3, y = 4',
    );
    // As the initial value it takes part in cycles: both wrote over it.
    expect(reasonAt('serializable', concurrent(txn('rx=3 wx1'), txn('rx=3 wx2')))).toMatch(/^valid/);
    // A read behind an own write is no evidence of it.
    expect(reasonAt('serializable', history(txn('wx1 rx=3')))).toMatch(/^invalid: .*internal/);
  });

  it('which was not there at first if it comes too late: then nobody knows who wrote it', () => {
    const late = history(txn('wx2'), txn('rx=3'), txn('rx=2'));
    expect(reasonAt('serializable', late)).toMatch(/^valid: .* if at first x = 3$/);
    expect(reasonAt('strict-serializable', late)).toBe(
      'valid: 3 transactions, nothing against strict-serializable, though nobody wrote x = 3',
    );
    expect(checkRwRegister(late, { initial: null }).validity).toBe('invalid');
    // What is wrong without it stays wrong.
    const both = history(txn('wx2'), txn('rx=3'), txn('wx4'), txn('rx=2'));
    expect(reasonAt('strict-serializable', both)).toMatch(/^invalid/);
  });

  it('does not judge values that are not unique', () => {
    expect(reasonAt('serializable', history(txn('wx1'), txn('wx1')))).toBe(
      'unknown: 1 was written to x twice, by operations 0 and 1: written values must be unique',
    );
  });
});

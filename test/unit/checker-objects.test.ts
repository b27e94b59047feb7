import { describe, expect, it } from 'vitest';
import { checkBank } from '../../chaos/checkers/objects/bank.js';
import { checkCounter } from '../../chaos/checkers/objects/counter.js';
import { checkSet } from '../../chaos/checkers/objects/set.js';
import { add, objectHistory, read, type WrittenOperation } from '../support/object-history.js';

const line = ({ validity, reason }: { validity: string; reason: string }): string => `${validity}: ${reason}`;

describe('counter', () => {
  const check = (...operations: readonly WrittenOperation[]): string =>
    line(checkCounter(objectHistory(...operations)));

  it('a read is the sum of the adds before it', () => {
    expect(check(add(1), add(2), read(3))).toBe('valid: 3 operations, 1 reads within their bounds');
    expect(check(add(1), add(2), read(2))).toBe('invalid: operation 2 read 2, where 3 was possible');
    expect(check(add(1), add(2), read(4))).toMatch(/^invalid/);
  });

  it('an add that runs meanwhile may show or not', () => {
    const during = (value: number): string => check(add(1), add(5, 'ok', [2, 5]), read(value, [3, 4]));
    expect(during(1)).toMatch(/^valid/);
    expect(during(6)).toMatch(/^valid/);
    expect(during(7)).toBe('invalid: operation 2 read 7, where 1 to 6 was possible');
    expect(check(read(5, [0, 3]), add(5, 'ok', [1, 2]))).toMatch(/^valid/);
    expect(check(read(5, [0, 1]), add(5, 'ok', [2, 3]))).toMatch(/^invalid/);
  });

  it('an unknown add may show for ever, a failed one never', () => {
    expect(check(add(1), add(4, 'info'), read(5), read(1))).toMatch(/^valid/);
    expect(check(add(1), add(4, 'fail'), read(5))).toBe('invalid: operation 2 read 5, where 1 was possible');
  });

  it('adds may be negative', () => {
    expect(check(add(5), add(-3), read(2))).toMatch(/^valid/);
    expect(check(add(5), add(-3), read(5))).toMatch(/^invalid/);
    expect(check(add(5), add(-3, 'ok', [2, 5]), read(5, [3, 4]))).toMatch(/^valid/);
    // Sums that round would make a verdict.
    expect(check(add(0.1), add(0.2), read(0.3))).toMatch(/^unknown: operation 0 adds 0.1/);
    expect(check(add(Infinity), read(Infinity))).toMatch(/^unknown/);
    expect(check(add(1), read(0.5))).toMatch(/^unknown: operation 1 read 0.5/);
    expect(check(add(2 ** 53 - 1), add(2), read(2 ** 53 - 1))).toBe(
      'unknown: the adds sum to more than 2^53',
    );
    const by = (f: string, amount: number | null): WrittenOperation => ({ ...add(amount), f });
    expect(check(by('increment', null), by('increment', 4), by('decrement', 2), read(3))).toMatch(/^valid/);
    expect(check(by('increment', null), by('decrement', 2), read(1))).toMatch(/^invalid/);
    expect(check(add(5), add(-3, 'info'), read(2), read(1))).toBe(
      'invalid: operation 3 read 1, where 2 to 5 was possible',
    );
  });

  it('starts where it is told, and keeps keys apart', () => {
    expect(line(checkCounter(objectHistory(read(7)), { initial: 7 }))).toMatch(/^valid/);
    const [a, b] = objectHistory(add(1), read(1));
    expect(
      line(
        checkCounter([
          { ...a!, key: 'x' },
          { ...b!, key: 'y' },
        ]),
      ),
    ).toBe('invalid: operation 1 read 1 of y, where 0 was possible');
  });

  it('does not judge what is no number', () => {
    expect(check(add('1'))).toBe('unknown: operation 0 adds "1", which is no whole number below 2^53');
    expect(check(read(null))).toBe('unknown: operation 0 read nil, which is no whole number below 2^53');
  });
});

describe('bank', () => {
  const of = (...balances: number[]) => read(new Map(balances.map((b, i) => [`${i}`, b])));
  const check = (...operations: readonly WrittenOperation[]): string =>
    line(checkBank(objectHistory(...operations)));

  it('every read has the total of the first', () => {
    expect(check(of(100, 0), of(60, 40))).toBe('valid: 2 reads, each with a total of 100');
    expect(check(of(100, 0), of(60, 30), of(1, 1))).toBe(
      'invalid: operation 1: the balances sum to 90, not 100 (and 1 more reads)',
    );
  });

  it('or the total it is told', () => {
    expect(checkBank(objectHistory(of(60, 30)), { total: 100 }).validity).toBe('invalid');
  });

  it('no balance is negative, unless that is allowed', () => {
    const operations = objectHistory(of(100, 0), of(101, -1));
    expect(line(checkBank(operations))).toBe('invalid: operation 1: account 1 has a negative balance, -1');
    expect(checkBank(operations, { negativeAllowed: true }).validity).toBe('valid');
  });

  it('no account appears that was not there, none without a balance', () => {
    expect(check(of(100), of(60, 40))).toBe('invalid: operation 1: account 1 is not known');
    expect(check(of(0), read(new Map([['0', null]])))).toBe(
      'invalid: operation 1: account 0 has the balance nil',
    );
  });

  it('does not judge what is no balances', () => {
    expect(check(read([1, 2]))).toMatch(/^unknown/);
    expect(check(of(0.1, 0.2), of(0.3, 0))).toMatch(/^unknown: operation 0 read .* whole numbers$/);
    expect(check(of(2 ** 53 - 1, 2), of(2 ** 53 - 1, 3))).toMatch(/^unknown/);
    expect(check()).toBe('unknown: the balances were never read');
  });
});

describe('set', () => {
  const check = (...operations: readonly WrittenOperation[]): string =>
    line(checkSet(objectHistory(...operations)));

  it('the last read holds all that was acknowledged', () => {
    expect(check(add(0), add(1), read([1, 0]))).toBe('valid: 1 reads; 2 stable');
    expect(check(add(0), add(1), read([1]))).toBe('invalid: 1 reads; 1 lost: 0; 1 stable');
  });

  it('an unknown add may show: it is recovered then', () => {
    expect(check(add(0), add(1, 'info'), read([0]))).toBe('valid: 1 reads; 1 stable');
    expect(check(add(0), add(1, 'info'), read([0, 1]))).toBe('valid: 1 reads; 1 recovered: 1; 2 stable');
  });

  it('once read, an unknown add must not vanish', () => {
    expect(check(add(1, 'info'), read([1]), read([]))).toMatch(/^invalid: 2 reads; 1 lost: 1/);
  });

  it('nothing shows that nobody added, or that failed', () => {
    expect(check(add(0), read([0, 9]))).toBe('invalid: 1 reads; 1 unexpected: 9; 1 stable');
    expect(check(add(0), add(1, 'fail'), read([0, 1]))).toMatch(/1 unexpected: 1/);
    expect(check(add(0), add(1, 'fail'), read([0]))).toMatch(/^valid/);
  });

  it('no element shows twice in one read', () => {
    expect(check(add(0), read([0, 0]))).toBe('invalid: 1 reads; 1 duplicated: 0; 1 stable');
  });

  it('missed and then read is stale, which linearizable sets forbid', () => {
    const operations = objectHistory(add(0), read([]), read([0]));
    expect(line(checkSet(operations))).toBe('valid: 2 reads; 1 stale: 0; 1 stable');
    expect(checkSet(operations, { linearizable: true }).validity).toBe('invalid');
    expect(checkSet(operations, { linearizable: true }).witness?.lines).toEqual([
      '0 was known when operation 1 began, which misses it',
    ]);
  });

  it('a read that began before the add completed may miss it', () => {
    const operations = objectHistory(add(0, 'ok', [0, 3]), read([], [1, 5]), read([0], [6, 7]));
    expect(line(checkSet(operations, { linearizable: true }))).toBe('valid: 2 reads; 1 stable');
  });

  it('without a read nothing is known', () => {
    expect(check(add(0))).toBe('unknown: the set was never read');
    expect(check(read([]), add(0))).toBe(
      'unknown: no read tells about any element: 1 reads; 1 never-read: 0',
    );
  });

  it('keys stand apart where values are pairs throughout', () => {
    const pairs = [add([1, 5]), add([2, 6]), read([1, [5]]), read([2, []])];
    expect(check(...pairs)).toMatch(/^invalid: 2 reads; 1 lost: 6/);
    expect(check(add([1, 5]), read([[1, 5]]))).toBe('valid: 1 reads; 1 stable');
    expect(check(add([0, 0]), read([0, 1]))).toMatch(/^invalid: 1 reads; 1 lost: \[0 0\]; 2 unexpected: 0 1/);
  });

  it('does not judge removals', () => {
    expect(check({ ...add(1), f: 'remove' })).toMatch(/^unknown: operation 0 is neither/);
  });
});

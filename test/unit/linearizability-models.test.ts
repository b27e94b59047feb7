/** Each model's own rules, the traps of recorded histories, budgets, keys, and what a witness says. */
import { describe, expect, it } from 'vitest';
import {
  checkLinearizable,
  type LinearizabilityOptions,
} from '../../chaos/checkers/linearizability/check-linearizable.js';
import type { ModelName } from '../../chaos/checkers/linearizability/model.js';
import type { Operation, Value } from '../../chaos/history/history.js';
import { cas, operation, read, write } from '../support/operations.js';

const verdictOf = (
  model: ModelName,
  operations: readonly Operation[],
  options: Partial<LinearizabilityOptions> = {},
): string => checkLinearizable(operations, { ...options, model }).validity;

describe('register', () => {
  it.each<[string, readonly Operation[], string]>([
    ['nothing at all', [], 'valid'],
    ['a read of what was there at first', [read(null, 0, 1)], 'valid'],
    ['a read of what nobody wrote', [read(1, 0, 1)], 'invalid'],
    ['a stale read', [write(1, 0, 1), write(2, 2, 3), read(1, 4, 5)], 'invalid'],
    ['the same, while the second write was open', [write(1, 0, 1), write(2, 2, 5), read(1, 3, 4)], 'valid'],
    ['new, then old', [write(1, 0, 1), write(2, 2, 9), read(2, 3, 4), read(1, 5, 6)], 'invalid'],
    ['a lost write that shows late', [write(1, 0), read(null, 1, 2), read(1, 3, 4)], 'valid'],
    ['a lost write that goes away', [write(1, 0), read(1, 1, 2), read(null, 3, 4)], 'invalid'],
    ['a failed write that shows', [write(1, 0, 1, { outcome: 'fail' }), read(1, 2, 3)], 'invalid'],
    ['a read before its write', [read(1, 0, 1), write(1, 2, 3)], 'invalid'],
    ['a read that failed', [write(1, 0, 1), read(7, 2, 3, { outcome: 'fail' })], 'valid'],
    ['a read without an answer', [write(1, 0, 1), read(7, 2)], 'valid'],
    ['completed at the index of an invocation: concurrent', [read(1, 0, 1), write(1, 1, 2)], 'valid'],
  ])('%s', (_name, operations, validity) => {
    expect(verdictOf('register', operations)).toBe(validity);
    // The same through the search: a second write of a value closes the near-linear way.
    const twice = [write('twice', 100, 101), write('twice', 102, 103)];
    expect(verdictOf('register', [...operations, ...twice])).toBe(validity);
  });

  it('tells texts from numbers, and equal composites from different ones', () => {
    expect(verdictOf('register', [write(1, 0, 1), read('1', 2, 3)])).toBe('invalid');
    expect(verdictOf('register', [write([1, 'a'], 0, 1), read([1, 'a'], 2, 3)])).toBe('valid');
    expect(verdictOf('register', [write([1], 0, 1), read('[1]', 2, 3)])).toBe('invalid');
    const map = (...keys: string[]): Value => new Map(keys.map((key): [string, Value] => [key, 1]));
    expect(verdictOf('register', [write(map('a', 'b'), 0, 1), read(map('b', 'a'), 2, 3)])).toBe('valid');
  });

  it('a read of nil: absent, or unknown', () => {
    const history = [write(1, 0, 1), read(null, 2, 3)];
    expect(verdictOf('register', history)).toBe('invalid');
    expect(verdictOf('register', history, { nilReads: 'unknown' })).toBe('valid');
  });

  it('what it held at first', () => {
    expect(verdictOf('register', [read(0, 0, 1)], { initial: 0 })).toBe('valid');
    expect(verdictOf('register', [read(null, 0, 1)], { initial: 0 })).toBe('invalid');
  });
});

describe('cas-register', () => {
  it('a failed cas tells something, or nothing', () => {
    const history = [write(1, 0, 1), cas(1, 2, 2, 3, { outcome: 'fail' })];
    expect(verdictOf('cas-register', history)).toBe('valid');
    expect(verdictOf('cas-register', history, { failedCasObserves: true })).toBe('invalid');
  });

  it('a lost write of what nobody reads may still be why a cas failed', () => {
    const history = [write(1, 0, 1), write(9, 2), cas(1, 2, 3, 4, { outcome: 'fail' })];
    expect(verdictOf('cas-register', history, { failedCasObserves: true })).toBe('valid');
  });

  it('a chain of lost operations is followed', () => {
    const chain = [write(1, 0), cas(1, 2, 1), cas(2, 3, 2), read(3, 3, 4)];
    expect(verdictOf('cas-register', chain)).toBe('valid');
    expect(
      verdictOf(
        'cas-register',
        chain.filter((_, at) => at !== 1),
      ),
    ).toBe('invalid');
  });
});

describe('the other models', () => {
  const op = (f: string, input: Value, from: number, to?: number, process?: number): Operation =>
    operation(f, input, from, to, process === undefined ? {} : { process });
  const get = (output: Value, from: number, to: number): Operation =>
    operation('get', null, from, to, { output });
  const transfer = (from: Value, to: Value, amount: number, at: number): Operation =>
    op(
      'transfer',
      new Map<string, Value>([
        ['from', from],
        ['to', to],
        ['amount', amount],
      ]),
      at,
      at + 1,
    );
  const balances = (held: Record<string, number>, at: number): Operation =>
    read(new Map(Object.entries(held)), at, at + 1);

  it.each<[ModelName, string, readonly Operation[], string]>([
    ['kv', 'appends in order', [op('append', 'a', 0, 1), op('append', 'b', 2, 3), get('ab', 4, 5)], 'valid'],
    [
      'kv',
      'appends out of order',
      [op('append', 'a', 0, 1), op('append', 'b', 2, 3), get('ba', 4, 5)],
      'invalid',
    ],
    ['kv', 'a put covers', [op('append', 'a', 0, 1), op('put', 'b', 2, 3), get('b', 4, 5)], 'valid'],
    ['counter', 'read and write', [op('add', 2, 0, 1), op('decrement', 1, 2, 3), read(1, 4, 5)], 'valid'],
    [
      'counter',
      'an addition lost',
      [op('add', 2, 0, 1), op('increment', null, 2, 3), read(2, 4, 5)],
      'invalid',
    ],
    ['counter', 'added twice', [op('add', 2, 0), read(4, 1, 2)], 'invalid'],
    [
      'set',
      'any order of the list',
      [op('add', 'a', 0, 1), op('add', 'b', 2, 3), read(['b', 'a'], 4, 5)],
      'valid',
    ],
    ['set', 'an element lost', [op('add', 'a', 0, 1), op('add', 'b', 2, 3), read(['b'], 4, 5)], 'invalid'],
    [
      'set',
      'back after its removal',
      [op('add', 1, 0, 1), op('remove', 1, 2, 3), read([1], 4, 5)],
      'invalid',
    ],
    [
      'mutex',
      'one holder',
      [op('acquire', null, 0, 1, 1), op('release', null, 2, 3, 1), op('acquire', null, 4, 5, 2)],
      'valid',
    ],
    ['mutex', 'two holders', [op('acquire', null, 0, 1, 1), op('acquire', null, 2, 3, 2)], 'invalid'],
    ['mutex', 'released by another', [op('acquire', null, 0, 1, 1), op('release', null, 2, 3, 2)], 'valid'],
    ['mutex', 'released while it is free', [op('release', null, 0, 1, 1)], 'invalid'],
    [
      'mutex',
      'released twice',
      [op('acquire', null, 0, 1, 1), op('release', null, 2, 3, 1), op('release', null, 4, 5, 2)],
      'invalid',
    ],
    [
      'mutex',
      'released for a client that never heard that it had it',
      [op('acquire', null, 0, undefined, 1), op('release', null, 1, 2, 2), op('acquire', null, 3, 4, 3)],
      'valid',
    ],
    [
      'bank',
      'opening balances follow from the first read',
      [transfer(0, 1, 5, 0), balances({ 0: 5, 1: 5 }, 2)],
      'valid',
    ],
    [
      'bank',
      'it cannot have been opened overdrawn',
      [transfer(0, 1, 5, 0), balances({ 0: 5, 1: 4 }, 2)],
      'invalid',
    ],
    [
      'bank',
      'money lost',
      [balances({ 0: 5, 1: 5 }, 0), transfer(0, 1, 1, 2), balances({ 0: 4, 1: 5 }, 4)],
      'invalid',
    ],
    ['bank', 'overdrawn', [balances({ 0: 5, 1: 5 }, 0), transfer(0, 1, 6, 2)], 'invalid'],
  ])('%s: %s', (model, _name, operations, validity) => {
    expect(verdictOf(model, operations)).toBe(validity);
  });

  it('a bank may be told its opening balances', () => {
    const initial = new Map([
      ['0', 5],
      ['1', 5],
    ]);
    expect(verdictOf('bank', [balances({ 0: 4, 1: 6 }, 0)], { initial })).toBe('invalid');
    expect(verdictOf('bank', [transfer(0, 1, 1, 0), balances({ 0: 4, 1: 6 }, 2)], { initial })).toBe('valid');
  });

  it.each<[ModelName, Operation, RegExp]>([
    ['register', cas(1, 2, 4, 5), /register has no operation "cas" \(at #4\); it has read, write/],
    ['cas-register', op('cas', 1, 0, 1), /\[from to\]/],
    ['counter', op('add', 'two', 0, 1), /"two" is not a whole number/],
    ['counter', op('add', Number.MAX_SAFE_INTEGER + 1, 0, 1), /not a whole number/],
    ['set', read('text', 0, 1), /a read of a set has a list/],
    ['bank', op('transfer', [0, 1, 2], 0, 1), /\{from, to, amount\}/],
  ])('%s refuses what it cannot read', (model, one, message) => {
    expect(() => verdictOf(model, [one])).toThrow(message);
    expect(() => verdictOf(model, [one])).toThrow(expect.objectContaining({ code: 'BadRequest' }));
  });
});

describe('keys', () => {
  it('are judged each by itself, and named', () => {
    const bad = [write(1, 0, 1, { key: 'b' }), read(2, 2, 3, { key: 'b' })];
    const verdict = checkLinearizable([write(2, 0, 1, { key: 'a' }), ...bad], { model: 'register' });
    expect(verdict.validity).toBe('invalid');
    expect(verdict.reason).toMatch(
      /^key "b": not linearizable: process 2 read 2 between #2 and #3, which nobody wrote$/,
    );
  });

  it('the nemesis is nobody', () => {
    expect(verdictOf('register', [operation('partition', 'all', 0, 1, { process: 'nemesis' })])).toBe(
      'valid',
    );
  });
});

describe('budgets', () => {
  /** 1, then 2, then 1 again, with 1 written once; and beside it writes that anybody could have made at any point of it. */
  const hopelessAmong = (count: number): Operation[] => [
    ...Array.from({ length: count }, (_, at) => write(10 + at, at, 200 + at)),
    ...[write(1, 100, 190), write(2, 101, 191)],
    ...[read(1, 110, 111), read(2, 112, 113), read(1, 114, 115), cas(1, 1, 300, 301, { outcome: 'fail' })],
  ];
  const hopeless = hopelessAmong(20);

  it.each([
    ['steps', { stepsMax: 20, bytesMax: 1e9 }],
    ['memory', { stepsMax: 1e9, bytesMax: 30_000 }],
  ])('%s: unknown, and why', (what, budget) => {
    const verdict = checkLinearizable(hopeless, { model: 'cas-register', budget });
    expect(verdict.validity).toBe('unknown');
    expect(verdict.reason).toMatch(
      new RegExp(`the search used up its ${what}; at best it placed \\d+ of 26 operations`),
    );
  });

  it('with enough of both there is a verdict', () => {
    expect(verdictOf('cas-register', hopelessAmong(8))).toBe('invalid');
  });

  it('an invalid key outweighs one that nobody can tell', () => {
    const keyed = hopeless.map((o) => ({ ...o, key: 'a' }));
    const bad = [write(1, 0, 1, { key: 'b' }), read(2, 2, 3, { key: 'b' })];
    const verdict = checkLinearizable([...keyed, ...bad], {
      model: 'cas-register',
      budget: { stepsMax: 20, bytesMax: 1e9 },
    });
    expect(verdict).toMatchObject({
      validity: 'invalid',
      reason: expect.stringContaining('key "b"') as string,
    });
  });
});

describe('witnesses', () => {
  it('of the search: the window, the furthest order, and what cannot follow it', () => {
    const before = [write(1, 0, 1), write(1, 2, 3), read(1, 4, 5)];
    const after = [read(3, 14, 15), write(1, 16, 17)];
    const verdict = checkLinearizable(
      [...before, write(2, 6, 7), write(3, 8, 9), read(3, 10, 11), read(2, 12, 13), ...after],
      { model: 'register' },
    );
    expect(verdict.reason).toBe('not linearizable: process 12 read 2 between #12 and #13 has no place');
    expect(verdict.witness?.lines).toMatchInlineSnapshot(`
      [
        "these 2 operations have no order, whatever was held before #10:",
        "  process 10 read 3 between #10 and #11",
        "  process 12 read 2 between #12 and #13",
        "the furthest order: read 3 (#10); the state is then 3",
        "then process 12 read 2 between #12 and #13 must be placed, for it completes first of the rest, and it cannot be",
      ]
    `);
    expect(verdict.witness?.operations.map((o) => o.invokedAt)).toEqual([10, 12]);
    expect(verdict.witness?.placed?.map((o) => o.invokedAt)).toEqual([0, 2, 4, 6, 8, 10]);
  });

  it('of zones: both clusters', () => {
    const verdict = checkLinearizable([write(1, 0, 1), write(2, 2, 3), read(1, 4, 5), read(2, 6, 7)], {
      model: 'register',
    });
    expect(verdict.reason).toBe('not linearizable: 1 and 2 must each have been held before the other');
    expect(verdict.witness?.lines).toMatchInlineSnapshot(`
      [
        "1 was held before 2 was for the last time:",
        "  process 0 write 1 between #0 and #1",
        "  process 6 read 2 between #6 and #7",
        "2 was held before 1 was for the last time:",
        "  process 2 write 2 between #2 and #3",
        "  process 4 read 1 between #4 and #5",
        "so neither 1 nor 2 can have been held first",
      ]
    `);
    expect(verdict.witness?.placed?.map((o) => o.invokedAt)).toEqual([0, 2]);
  });
});

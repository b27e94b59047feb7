import { describe, expect, test } from 'vitest';
import type { BatchOperation } from '../../src/client/api.js';
import { checkOperation, checkOptions } from '../../src/client/known-options.js';

const messageOf = (check: () => void): string => {
  try {
    check();
    return 'accepted';
  } catch (error) {
    return `${(error as { code: string }).code}: ${(error as Error).message}`;
  }
};

describe('options', () => {
  test.each([
    ['put', { ifabsent: true }, 'BadRequest: unknown option ifabsent (did you mean ifAbsent?)'],
    ['put', { if_version: 3 }, 'BadRequest: unknown option if_version (did you mean ifVersion?)'],
    ['delete', { ifVerison: 3 }, 'BadRequest: unknown option ifVerison (did you mean ifVersion?)'],
    ['get', { maxStaleness: 5 }, 'BadRequest: unknown option maxStaleness (did you mean maxStalenessMs?)'],
    ['scan', { perfix: 'a' }, 'BadRequest: unknown option perfix (did you mean prefix?)'],
    ['batch', { Atomic: true }, 'BadRequest: unknown option Atomic (did you mean atomic?)'],
    ['connect', { seed: [] }, 'BadRequest: unknown option seed (did you mean seeds?)'],
    ['namespace', { Codec: {} }, 'BadRequest: unknown option Codec (did you mean codec?)'],
    [
      'get',
      { write: 'all', x: 1 },
      'BadRequest: unknown option write: get takes timeoutMs, signal, explain, read, maxStalenessMs',
    ],
    // What another kind of call takes: an update has its own condition.
    [
      'update',
      { ifVersion: 3 },
      'BadRequest: unknown option ifVersion: update takes timeoutMs, signal, explain, read, maxStalenessMs, write, ack, ttlMs',
    ],
    ['put', null, 'BadRequest: the options of put must be an object, not null'],
    ['put', 'all', 'BadRequest: the options of put must be an object, not all'],
  ] as const)('of %s: %j', (kind, options, message) => {
    expect(messageOf(() => checkOptions(kind, options))).toBe(message);
  });

  test('that are known pass, inherited ones too', () => {
    expect(messageOf(() => checkOptions('put', {}))).toBe('accepted');
    expect(messageOf(() => checkOptions('put', { ifAbsent: true, ack: 'all', ttlMs: undefined }))).toBe(
      'accepted',
    );
    expect(messageOf(() => checkOptions('put', Object.create({ ifAbsent: true })))).toBe('accepted');
    expect(messageOf(() => checkOptions('put', Object.create({ ifabsent: true })))).toContain(
      'unknown option',
    );
  });

  test('with a long name do not fill the message', () => {
    expect(messageOf(() => checkOptions('put', { ['x'.repeat(10_000)]: 1 })).length).toBeLessThan(250);
  });
});

describe('operations of a batch', () => {
  const told = (operation: object): string =>
    messageOf(() => checkOperation(operation as BatchOperation<unknown>));

  test('take their own fields', () => {
    expect(told({ type: 'get', key: 'k' })).toBe('accepted');
    expect(told({ type: 'put', key: 'k', value: 1, ttlMs: 5, ifVersion: 0 })).toBe('accepted');
    expect(told({ type: 'delete', key: 'k', ifVersion: 1 })).toBe('accepted');
    expect(told({ type: 'put', key: 'k', value: 1, ifabsent: true })).toBe(
      'BadRequest: unknown option ifabsent (did you mean ifAbsent?)',
    );
    expect(told({ type: 'get', key: 'k', read: 'all' })).toBe(
      'BadRequest: unknown option read: a get of a batch takes type, key',
    );
  });

  test('that are no put and no get do not delete', () => {
    expect(told({ type: 'Put', key: 'k', value: 1 })).toBe(
      'BadRequest: an operation of a batch is a get, a put or a delete, not Put (did you mean put?)',
    );
    expect(told({ key: 'k' })).toContain('not undefined');
  });
});

import { describe, expect, test } from 'vitest';
import {
  checkLevel,
  checkLimit,
  checkTimeoutMs,
  checkTtlMs,
  contextToken,
  parseSeed,
  raiseLevel,
} from '../../src/client/call-options.js';
import { CONTEXT_BYTES_MAX, REQUEST_TIMEOUT_MS_MAX } from '../../src/core/limits.js';

const refused = (code: string): unknown => expect.objectContaining({ code });

describe('seeds', () => {
  test.each([
    ['127.0.0.1:7101', { host: '127.0.0.1', port: 7101 }],
    [' node-1.example:80 ', { host: 'node-1.example', port: 80 }],
    ['[::1]:7101', { host: '::1', port: 7101 }],
  ])('%j', (text, address) => {
    expect(parseSeed(text)).toEqual(address);
  });

  test.each(['', 'host', 'host:', ':7101', 'host:0', 'host:65536', 'host:x', '::1:7101', 'http://host:1'])(
    '%j is refused',
    (text) => {
      expect(() => parseSeed(text)).toThrow(refused('BadRequest'));
    },
  );
});

test('levels: names, and numbers from 1 to N', () => {
  expect(checkLevel('read', undefined, 3)).toBeNull();
  expect(checkLevel('read', 'all', 3)).toBe('all');
  expect(checkLevel('write', 3, 3)).toBe(3);
  for (const level of [0, 4, 1.5, NaN, 'most' as 'all'])
    expect(() => checkLevel('write', level, 3)).toThrow(/write is .*1 to 3/);
});

test('a level is raised to what is needed, and else left as it is', () => {
  expect(raiseLevel(null, 'quorum', 2, 3)).toBeNull();
  expect(raiseLevel(null, 'one', 2, 3)).toBe(2);
  expect(raiseLevel('one', 'all', 3, 3)).toBe(3);
  expect(raiseLevel('all', 'one', 2, 3)).toBe('all');
});

test('time budgets, times to live and limits', () => {
  expect(checkTimeoutMs(-5)).toBe(-5);
  expect(() => checkTimeoutMs(NaN)).toThrow(refused('BadRequest'));
  expect(() => checkTimeoutMs(REQUEST_TIMEOUT_MS_MAX + 1)).toThrow(refused('BadRequest'));
  expect(checkTtlMs(undefined)).toBe(0);
  expect(() => checkTtlMs(0)).toThrow(refused('BadRequest'));
  expect(() => checkTtlMs(1.5)).toThrow(refused('BadRequest'));
  expect(checkLimit(undefined)).toBe(Infinity);
  expect(() => checkLimit(-1)).toThrow(refused('BadRequest'));
  expect(() => checkLimit(NaN)).toThrow(refused('BadRequest'));
});

test('a context serves its own key only', () => {
  const token = new Uint8Array([1]);
  expect(contextToken('k', undefined)).toBeNull();
  expect(contextToken('k', { key: 'k', token })).toBe(token);
  expect(() => contextToken('k', { key: 'other', token })).toThrow(refused('BadContext'));
  expect(() => contextToken('k', { key: 'k', token: new Uint8Array(CONTEXT_BYTES_MAX + 1) })).toThrow(
    refused('BadContext'),
  );
});

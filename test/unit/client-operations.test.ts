import { expect, test } from 'vitest';
import { Operations } from '../../src/client/operations.js';

test('operations are numbered from 1 within one session', () => {
  const operations = new Operations('session-a');
  expect(operations.open()).toEqual({ session: 'session-a', sequence: 1 });
  expect(operations.open()).toEqual({ session: 'session-a', sequence: 2 });
});

test('the lowest open sequence rises over what is closed, in whatever order', () => {
  const operations = new Operations('s');
  const [first, second, third] = [operations.open(), operations.open(), operations.open()];
  operations.close(second);
  expect(operations.lowestOpen).toBe(1);
  operations.close(first);
  expect(operations.lowestOpen).toBe(3);
  operations.close(third);
  expect(operations.lowestOpen).toBe(4);
  expect(operations.open().sequence).toBe(4);
});

test('closing an operation twice is a programmer’s fault', () => {
  const operations = new Operations('s');
  const first = operations.open();
  operations.close(first);
  expect(() => operations.close(first)).toThrow('it was open');
});

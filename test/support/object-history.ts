/** Histories on one object written by hand: each operation ends before the next begins, unless `at` says so. */
import type { Operation, Value } from '../../chaos/history/history.js';

export interface WrittenOperation {
  readonly f: string;
  readonly input: Value;
  readonly output: Value;
  readonly outcome: Operation['outcome'];
  readonly at?: readonly [number, number];
}

export function add(
  value: Value,
  outcome: Operation['outcome'] = 'ok',
  at?: readonly [number, number],
): WrittenOperation {
  return { f: 'add', input: value, output: value, outcome, ...(at && { at }) };
}

export function read(value: Value, at?: readonly [number, number]): WrittenOperation {
  return { f: 'read', input: null, output: value, outcome: 'ok', ...(at && { at }) };
}

export function objectHistory(...written: readonly WrittenOperation[]): Operation[] {
  return written.map(({ f, input, output, outcome, at }, index) => {
    const [invokedAt, completedAt] = at ?? [2 * index, 2 * index + 1];
    return {
      index,
      process: index,
      f,
      key: undefined,
      input,
      output,
      outcome,
      invokedAt,
      completedAt: outcome === 'info' ? Infinity : completedAt,
      invokedNs: NaN,
      completedNs: NaN,
    };
  });
}

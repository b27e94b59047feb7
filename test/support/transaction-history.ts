/**
 * Histories of transactions written by hand: one line each, `process outcome steps`, in the order of their
 * invocations. `at` says when they ran, in event indexes; without it each ends before the next begins.
 *
 *     txn('ax1 ry1,2', { process: 1, outcome: 'info', at: [0, 5] })
 *
 * Steps: `ax1` appends 1 to x, `wx1` writes x = 1, `rx1,2` read x = [1 2], `rx` read nothing, `rx=1` read the
 * register x = 1.
 */
import type { Operation, Value } from '../../chaos/history/history.js';

export interface Written {
  readonly steps: string;
  readonly process?: number;
  readonly outcome?: Operation['outcome'];
  readonly at?: readonly [number, number];
}

export function txn(steps: string, options: Omit<Written, 'steps'> = {}): Written {
  return { steps, ...options };
}

export function history(...written: readonly Written[]): Operation[] {
  return written.map(({ steps, process, outcome = 'ok', at }, index) => {
    const output = steps.split(' ').filter(Boolean).map(step);
    const input = output.map((s) => (s[0] === 'r' ? ['r', s[1]!, null] : s));
    const [invokedAt, completedAt] = at ?? [2 * index, 2 * index + 1];
    return {
      index,
      process: process ?? index,
      f: 'txn',
      key: undefined,
      input,
      output: outcome === 'ok' ? output : input,
      outcome,
      invokedAt,
      completedAt: outcome === 'info' ? Infinity : completedAt,
      invokedNs: NaN,
      completedNs: NaN,
    };
  });
}

/** The same, all at once: nothing completed before anything else began. */
export function concurrent(...written: readonly Written[]): Operation[] {
  const count = written.length;
  return history(...written.map((w, i) => ({ ...w, at: [i, count + i] as const })));
}

function step(text: string): readonly Value[] {
  const [, kind, key, rest] = /^([awr])([a-z])(.*)$/.exec(text) ?? [];
  if (kind === undefined || key === undefined || rest === undefined) throw new TypeError(`no step: ${text}`);
  if (kind === 'a') return ['append', key, Number(rest)];
  if (kind === 'w') return ['w', key, Number(rest)];
  if (rest.startsWith('=')) return ['r', key, rest === '=nil' ? null : Number(rest.slice(1))];
  return ['r', key, rest === '' ? [] : rest.split(',').map(Number)];
}

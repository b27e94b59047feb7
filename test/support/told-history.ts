/**
 * Histories told by hand: operations on one line each, with the instants at which they began and ended.
 * An instant is an event index and as many milliseconds at once.
 */
import type { Operation, Value } from '../../chaos/history/history.js';

export interface Told {
  readonly process?: number | string;
  readonly key?: string;
  readonly seen?: readonly Value[];
  readonly outcome?: 'ok' | 'fail' | 'info';
}

/** An operation without its place in the history. */
export type Step = (index: number) => Operation;

export function told(...steps: readonly Step[]): Operation[] {
  return steps.map((step, index) => step(index)).sort((a, b) => a.invokedAt - b.invokedAt);
}

export function step(
  f: string,
  [began, ended]: readonly [number, number],
  input: Value,
  output: Value,
  about: Told = {},
): Step {
  const outcome = about.outcome ?? 'ok';
  const done = outcome === 'info' ? Infinity : ended;
  return (index) => ({
    index,
    process: about.process ?? index,
    f,
    key: about.key ?? 'k',
    input,
    output,
    outcome,
    invokedAt: began,
    completedAt: done,
    invokedNs: began * 1e6,
    completedNs: done * 1e6,
    ...(about.seen === undefined ? {} : { seen: about.seen }),
  });
}

export const write = (value: Value, at: readonly [number, number], about?: Told): Step =>
  step('write', at, value, value, about);
export const update = (value: Value, at: readonly [number, number], about?: Told): Step =>
  step('update', at, value, value, about);
export const remove = (at: readonly [number, number], about?: Told): Step =>
  step('delete', at, null, null, about);
export const cas = (from: Value, to: Value, at: readonly [number, number], about?: Told): Step =>
  step('cas', at, [from, to], [from, to], about);
export const read = (values: Value, at: readonly [number, number], about?: Told): Step =>
  step('read', at, null, values, about);
export const finalRead = (values: Value, at: readonly [number, number], about?: Told): Step =>
  read(values, at, { ...about, process: 'judge' });

/** Short ways to say histories, and a checker of linearizability that leaves nothing out, to hold the real one against. */
import type { Operation, Value } from '../../chaos/history/history.js';

export interface Said {
  readonly process?: number | string;
  readonly key?: string;
  readonly output?: Value;
  readonly outcome?: Operation['outcome'];
}

/** An operation from one event index to another; `info` where it has no end. */
export function operation(
  f: string,
  input: Value,
  from: number,
  to: number | undefined,
  said: Said = {},
): Operation {
  const outcome = said.outcome ?? (to === undefined ? 'info' : 'ok');
  return {
    index: from,
    process: said.process ?? from,
    f,
    key: said.key,
    input,
    output: said.output === undefined ? input : said.output,
    outcome,
    invokedAt: from,
    completedAt: outcome === 'info' ? Infinity : (to ?? Infinity),
    invokedNs: NaN,
    completedNs: NaN,
  };
}

export const write = (value: Value, from: number, to?: number, said?: Said): Operation =>
  operation('write', value, from, to, said);

export const read = (value: Value, from: number, to?: number, said?: Said): Operation =>
  operation('read', null, from, to, { ...said, output: value });

export const cas = (
  from: Value,
  to: Value,
  invokedAt: number,
  completedAt?: number,
  said?: Said,
): Operation => operation('cas', [from, to], invokedAt, completedAt, said);

/** What an operation does to a state, by the definition of the object; undefined where it cannot have happened there. */
export type Apply<S> = (state: S, operation: Operation) => S | undefined;

/**
 * Every order of the certain operations with every choice of uncertain ones, tried. `initials` are all states that the object may
 * begin in. `tells` leaves out what says nothing: failed operations, unanswered reads.
 */
export function naivelyLinearizable<S>(
  operations: readonly Operation[],
  initials: readonly S[],
  apply: Apply<S>,
): boolean {
  const go = (state: S, rest: readonly Operation[]): boolean => {
    if (rest.every((o) => o.outcome === 'info')) return true;
    return rest.some((chosen) => {
      if (rest.some((other) => other.completedAt < chosen.invokedAt)) return false;
      const after = apply(state, chosen);
      return (
        after !== undefined &&
        go(
          after,
          rest.filter((o) => o !== chosen),
        )
      );
    });
  };
  return initials.some((state) => go(state, operations));
}

/**
 * One element of a set, all others left out of sight: there, or not. A history of the set that has no order has one of no element; so what is
 * wrong with one element refutes the whole, and is found in a search of its own that is small. The reverse does not hold: a read shows
 * all elements at one moment, and each element alone may find another moment for it.
 *
 * An element is a register of two values, and what is proved in `register-model.ts` holds.
 */
import type { Operation, Value } from '../../history/history.js';
import {
  identityOf,
  lastCompletion,
  showValue,
  type Model,
  type ModelOptions,
  type State,
  type Step,
} from './model.js';

const ABSENT = 0;
const PRESENT = 1;
const UNSETTLED = -1;

export function setElementModel(element: Value, options: ModelOptions): Model {
  const identity = identityOf(element);
  const has = (list: Value): boolean =>
    Array.isArray(list) && (list as readonly Value[]).some((value) => identityOf(value) === identity);
  const shown = showValue(element);
  return {
    initial: has(options.initial ?? null) ? PRESENT : ABSENT,
    step: (operation) => elementStep(operation, identity, has, options),
    commutes: false,
    stateFollowsFromSteps: false,
    helps: (before, after, next) => next.apply(before) === undefined && next.apply(after) !== undefined,
    seenUntil: (required) => {
      const until = [ABSENT, PRESENT].map((state) =>
        lastCompletion(required.filter(({ needs }) => needs === state)),
      );
      return ({ leaves }) => until[leaves as number] as number;
    },
    unsettled: UNSETTLED,
    show: (state) =>
      state === UNSETTLED ? 'unknown' : state === PRESENT ? `one with ${shown}` : `one without ${shown}`,
  };
}

function elementStep(
  operation: Operation,
  identity: ReturnType<typeof identityOf>,
  has: (list: Value) => boolean,
  options: ModelOptions,
): Step | undefined {
  const { f, outcome, input, output } = operation;
  if (f === 'read') {
    if (outcome !== 'ok' || (output === null && options.nilReads === 'unknown')) return undefined;
    const shows = has(output) ? PRESENT : ABSENT;
    const apply = (state: State): State | undefined =>
      state === shows || state === UNSETTLED ? shows : undefined;
    return { operation, observes: true, kind: `r${shows}`, needs: shows, apply };
  }
  if (outcome === 'fail' || identityOf(input) !== identity) return undefined;
  const leaves = f === 'add' ? PRESENT : ABSENT;
  return { operation, observes: false, kind: `w${leaves}`, leaves, apply: () => leaves };
}

/** The elements that a history of a set names, in the order met. */
export function elementsNamed(operations: readonly Operation[]): Value[] {
  const named = new Map<ReturnType<typeof identityOf>, Value>();
  for (const { f, input, output } of operations) {
    for (const value of f === 'read' ? (Array.isArray(output) ? (output as readonly Value[]) : []) : [input])
      named.set(identityOf(value), value);
  }
  return [...named.values()];
}

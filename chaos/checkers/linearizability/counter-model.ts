/**
 * A counter: `add` and `increment` (by 1 where no value is given), `decrement`, `read`. States are numbers.
 *
 * Additions commute, so the state follows from which were made, and an addition matters only to a read that does not
 * show what is there. Where all are upwards, one that leads beyond the read does not help it.
 */
import type { Operation } from '../../history/history.js';
import {
  lastCompletion,
  malformed,
  wholeNumber,
  type Model,
  type ModelOptions,
  type State,
  type Step,
} from './model.js';

export const COUNTER_OPERATIONS = ['add', 'increment', 'decrement', 'read'] as const;

export function counterModel(operations: readonly Operation[], options: ModelOptions): Model {
  let sum = Math.abs(initialOf(options));
  let upwards = true;
  for (const operation of operations) {
    if (operation.f === 'read') continue;
    const delta = deltaOf(operation);
    sum += Math.abs(delta);
    if (delta < 0) upwards = false;
    // Beyond, sums would round, and the verdict with them.
    if (!Number.isSafeInteger(sum)) throw malformed(operation, 'the sum of all additions is beyond 2^53');
  }
  return {
    initial: initialOf(options),
    step: (operation) => counterStep(operation, options),
    commutes: true,
    stateFollowsFromSteps: true,
    helps: (before, after, next) =>
      next.needs !== undefined && next.needs !== before && (!upwards || after <= next.needs),
    ...(upwards ? { outgrown: (state: State, needed: State) => state > needed } : {}),
    seenUntil: (required) => {
      const last = lastCompletion(required.filter((step) => step.observes));
      return () => last;
    },
    unsettled: undefined,
    show: String,
  };
}

function initialOf(options: ModelOptions): number {
  return typeof options.initial === 'number' ? options.initial : 0;
}

function deltaOf(operation: Operation): number {
  const delta = wholeNumber(operation, operation.input, 1);
  return operation.f === 'decrement' ? -delta : delta;
}

function counterStep(operation: Operation, options: ModelOptions): Step | undefined {
  if (operation.f === 'read') {
    if (operation.outcome !== 'ok') return undefined;
    if (operation.output === null && options.nilReads === 'unknown') return undefined;
    const shows = wholeNumber(operation, operation.output, 0);
    const apply = (state: State): State | undefined => (state === shows ? state : undefined);
    return { operation, observes: true, kind: `r${shows}`, needs: shows, apply };
  }
  if (operation.outcome === 'fail') return undefined;
  const delta = deltaOf(operation);
  return { operation, observes: false, kind: `a${delta}`, apply: (state) => (state as number) + delta };
}

/**
 * A lock: `acquire` where it is free, `release` by the process that holds it. State 0 is free, else the holder's number and 1.
 *
 * No operation is accepted both where the lock is free and where it is held, nor for two holders: so a pending one matters only
 * right before one that it makes possible.
 */
import type { Operation } from '../../history/history.js';
import { Numbering, showValue, type Model, type State, type Step } from './model.js';

const FREE = 0;

export const MUTEX_OPERATIONS = ['acquire', 'release'] as const;

export function mutexModel(): Model {
  const holders = new Numbering();
  return {
    initial: FREE,
    step: (operation) => mutexStep(operation, holders),
    commutes: false,
    stateFollowsFromSteps: false,
    helps: (before, after, next) => next.apply(before) === undefined && next.apply(after) !== undefined,
    seenUntil: () => () => Infinity,
    unsettled: undefined,
    show: (state) =>
      state === FREE ? 'free' : `held by process ${showValue(holders.value((state as number) - 1))}`,
  };
}

function mutexStep(operation: Operation, holders: Numbering): Step | undefined {
  if (operation.outcome === 'fail') return undefined;
  const holder = holders.of(operation.process) + 1;
  const [from, to] = operation.f === 'acquire' ? [FREE, holder] : [holder, FREE];
  const apply = (state: State): State | undefined => (state === from ? to : undefined);
  return { operation, observes: false, kind: `${operation.f} ${holder}`, needs: from, leaves: to, apply };
}

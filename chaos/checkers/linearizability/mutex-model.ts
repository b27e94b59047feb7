/**
 * A lock, as Knossos has it: `acquire` where it is free, `release` where it is held, whoever asks. Nobody is its owner: a lock
 * that a client's death leaves held may be released for it by another.
 *
 * No operation is accepted both where the lock is free and where it is held: so a pending one matters only right before one that it
 * makes possible.
 */
import type { Operation } from '../../history/history.js';
import type { Model, State, Step } from './model.js';

const FREE = 0;
const HELD = 1;

export const MUTEX_OPERATIONS = ['acquire', 'release'] as const;

export function mutexModel(): Model {
  return {
    initial: FREE,
    step: mutexStep,
    commutes: false,
    stateFollowsFromSteps: false,
    helps: (before, after, next) => next.apply(before) === undefined && next.apply(after) !== undefined,
    seenUntil: () => () => Infinity,
    unsettled: undefined,
    show: (state) => (state === FREE ? 'free' : 'held'),
  };
}

function mutexStep(operation: Operation): Step | undefined {
  if (operation.outcome === 'fail') return undefined;
  const [from, to] = operation.f === 'acquire' ? [FREE, HELD] : [HELD, FREE];
  const apply = (state: State): State | undefined => (state === from ? to : undefined);
  return { operation, observes: false, kind: operation.f, needs: from, leaves: to, apply };
}

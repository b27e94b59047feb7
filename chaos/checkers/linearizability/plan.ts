/**
 * What the search works on: the steps that must be placed, and those that may be (nobody knows whether they happened).
 *
 * Pending steps of one kind are interchangeable but for the time of their invocation, and they stay open for ever: an order that
 * uses a later one and not an earlier one can use the earlier one in its stead. So they form a class that is used up in the
 * order of invocation, and n pending writes of one value cost n + 1 possibilities instead of 2^n.
 */
import type { Operation } from '../../history/history.js';
import type { Model, Step } from './model.js';

export interface Plan {
  /** By invocation. */
  readonly required: readonly Step[];
  /** Classes of steps of one kind, each by invocation. */
  readonly pending: readonly (readonly Step[])[];
  /** Of the first of each class: the last completion of a required step that may see its effect. */
  readonly until: ReadonlyMap<Step, number>;
}

export function planOf(model: Model, operations: readonly Operation[]): Plan {
  const required: Step[] = [];
  const pending: Step[] = [];
  for (const operation of operations) {
    const step = model.step(operation);
    if (step === undefined) continue;
    (operation.outcome === 'info' ? pending : required).push(step);
  }
  const seenUntil = model.seenUntil(required, pending);
  const classes = new Map<string, Step[]>();
  const until = new Map<Step, number>();
  for (const step of byInvocation(pending)) {
    const last = seenUntil(step);
    if (last < step.operation.invokedAt) continue;
    const alike = classes.get(step.kind);
    if (alike !== undefined) alike.push(step);
    else {
      classes.set(step.kind, [step]);
      until.set(step, last);
    }
  }
  return { required: byInvocation(required), pending: [...classes.values()], until };
}

function byInvocation(steps: readonly Step[]): Step[] {
  return steps.slice().sort((a, b) => a.operation.invokedAt - b.operation.invokedAt);
}

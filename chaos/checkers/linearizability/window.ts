/**
 * From a history that is not linearizable, the smallest part found that still is not, and that proves the same of the whole.
 *
 * Only what keeps the proof is done to the history; each part is searched again before it is taken:
 * - Cut at the end: what was not completed by then is pending, what was not invoked is gone. As this only ever loosens, the
 *   earliest cut that is not linearizable is found by halving.
 * - Cut at the beginning, where the model can begin unsettled: what was completed by then is gone, a change that
 *   was under way is pending, an observation under way is gone, and nobody knows what the object held.
 * - Observations are left out, many at once and then fewer.
 * - In a register without cas, all writes and reads of one value are left out together.
 * Leaving out a single write would not do: a read of it would then be wrong for a reason that the history does not have.
 */
import type { Operation } from '../../history/history.js';
import { identityOf, type Model, type ModelName, type ModelOptions } from './model.js';
import { modelOf } from './models.js';
import { planOf } from './plan.js';
import { searchOrder, type SearchResult } from './search.js';

export interface Window {
  /** As the history has them, by invocation. */
  readonly operations: readonly Operation[];
  /** The search that failed on them. */
  readonly result: SearchResult;
  /** The search that failed on all operations up to the end of the window. */
  readonly upToEnd: SearchResult;
  /** Where the window begins not knowing what the object held; undefined where it begins with the history. */
  readonly begins: number | undefined;
}

/** A part of the history, some operations of it loosened. */
interface Part {
  readonly operations: readonly Operation[];
  readonly unsettled: boolean;
}

/** Bounds of shrinking: operations looked at and steps in all trials together, and steps of one. */
const LOOKED_AT_MAX = 3_000_000;
const STEPS_PER_TRIAL = 100_000;

export function smallestWindow(
  operations: readonly Operation[],
  result: SearchResult,
  options: ModelOptions & { readonly model: ModelName },
  bytesMax: number,
): Window {
  const trials = new Trials(options, bytesMax);
  const originals = new Map<Operation, Operation>();
  let part: Part = { operations, unsettled: false };
  let failed = result;
  const take = (next: Part): boolean => {
    const verdict = trials.failure(next);
    if (verdict === undefined) return false;
    part = next;
    failed = verdict;
    return true;
  };
  const loosen = (operation: Operation): Operation => {
    const pending: Operation = {
      ...operation,
      outcome: 'info',
      completedAt: Infinity,
      completedNs: Infinity,
    };
    originals.set(pending, originals.get(operation) ?? operation);
    return pending;
  };

  const ends = operations.filter((o) => o.completedAt !== Infinity).map((o) => o.completedAt);
  halve(
    ends.sort((a, b) => b - a),
    (end) => take({ operations: cutEnd(operations, end, loosen), unsettled: false }),
  );
  const upToEnd = failed;
  let begins: number | undefined;
  const settledPart = part.operations;
  if (trials.unsettled !== undefined) {
    const starts = settledPart.map((o) => o.invokedAt).sort((a, b) => a - b);
    halve(starts, (start) => {
      const taken = take({ operations: cutBeginning(settledPart, start, loosen), unsettled: true });
      if (taken) begins = start;
      return taken;
    });
  }
  leaveOut(
    () => part,
    (operation) => (trials.observes(operation) ? operation : undefined),
    take,
  );
  if (options.model === 'register' || options.model === 'cas-register') {
    const values = part.operations.every((o) => o.f !== 'cas') ? valueOf : undefined;
    if (values !== undefined) leaveOut(() => part, values, take);
  }
  const { required, pending } = trials.plan(part);
  const shown = [...required, ...pending.flat()].map(
    (step) => originals.get(step.operation) ?? step.operation,
  );
  return {
    operations: shown.sort((a, b) => a.invokedAt - b.invokedAt),
    result: restore(failed, originals),
    upToEnd: restore(upToEnd, originals),
    begins,
  };
}

class Trials {
  readonly unsettled: Model['unsettled'];
  private readonly options: ModelOptions & { readonly model: ModelName };
  private readonly bytesMax: number;
  private readonly observing = new Map<Operation, boolean>();
  private left = LOOKED_AT_MAX;

  constructor(options: ModelOptions & { readonly model: ModelName }, bytesMax: number) {
    this.options = options;
    this.bytesMax = bytesMax;
    this.unsettled = modelOf(options.model, [], options).unsettled;
  }

  /** The search that fails on a part; undefined where it does not, or nobody can tell within a small budget. */
  failure(part: Part): SearchResult | undefined {
    if (this.left <= 0) return undefined;
    const model = this.modelFor(part);
    const meter = { stepsLeft: STEPS_PER_TRIAL, bytesMax: this.bytesMax };
    const result = searchOrder(model, planOf(model, part.operations), meter);
    this.left -= part.operations.length + STEPS_PER_TRIAL - meter.stepsLeft;
    return result.outcome === 'not-linearizable' ? result : undefined;
  }

  plan(part: Part): ReturnType<typeof planOf> {
    return planOf(this.modelFor(part), part.operations);
  }

  observes(operation: Operation): boolean {
    let observes = this.observing.get(operation);
    if (observes === undefined) {
      observes = modelOf(this.options.model, [operation], this.options).step(operation)?.observes === true;
      this.observing.set(operation, observes);
    }
    return observes;
  }

  private modelFor(part: Part): Model {
    const model = modelOf(this.options.model, part.operations, this.options);
    return part.unsettled && model.unsettled !== undefined ? { ...model, initial: model.unsettled } : model;
  }
}

/** Takes the last of the candidates that can be taken, as if those that can be came first. */
function halve(candidates: readonly number[], take: (candidate: number) => boolean): void {
  let low = 0;
  let high = candidates.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (take(candidates[middle]!)) low = middle + 1;
    else high = middle;
  }
}

function cutEnd(
  operations: readonly Operation[],
  end: number,
  loosen: (operation: Operation) => Operation,
): Operation[] {
  const kept: Operation[] = [];
  for (const operation of operations) {
    if (operation.invokedAt > end || operation.outcome === 'info') {
      if (operation.invokedAt <= end) kept.push(operation);
    } else if (operation.completedAt <= end) kept.push(operation);
    else if (operation.outcome === 'ok') kept.push(loosen(operation));
  }
  return kept;
}

function cutBeginning(
  operations: readonly Operation[],
  start: number,
  loosen: (operation: Operation) => Operation,
): Operation[] {
  const kept: Operation[] = [];
  for (const operation of operations) {
    if (operation.invokedAt >= start || operation.outcome === 'info') kept.push(operation);
    else if (operation.completedAt >= start && operation.outcome === 'ok') kept.push(loosen(operation));
  }
  return kept;
}

/** Leaves out groups of operations, halves of all groups first, then quarters, down to one at a time. */
function leaveOut(
  current: () => Part,
  groupOf: (operation: Operation) => Operation | string | undefined,
  take: (part: Part) => boolean,
): void {
  let groups = [...new Set(current().operations.map(groupOf))].filter((group) => group !== undefined);
  for (let size = groups.length >> 1 || groups.length; size > 0; size >>= 1) {
    const kept: typeof groups = [];
    for (let at = 0; at < groups.length; at += size) {
      const without = new Set<ReturnType<typeof groupOf>>(groups.slice(at, at + size));
      const { operations, unsettled } = current();
      const rest = operations.filter((o) => !without.has(groupOf(o)));
      if (!take({ operations: rest, unsettled })) kept.push(...groups.slice(at, at + size));
    }
    groups = kept;
  }
}

/** What a register's operation wrote or read, as one key per value. */
function valueOf(operation: Operation): string {
  return `${typeof operation.output} ${identityOf(operation.f === 'read' ? operation.output : operation.input)}`;
}

function restore(result: SearchResult, originals: ReadonlyMap<Operation, Operation>): SearchResult {
  const placed = result.placed.map((step) => ({
    ...step,
    operation: originals.get(step.operation) ?? step.operation,
  }));
  return { ...result, placed };
}

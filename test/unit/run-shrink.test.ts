/** Shrinking, against predicates whose smallest failing plan is known. */
import { describe, expect, it } from 'vitest';
import type { Plan } from '../../chaos/run/plan.js';
import { shrinkPlan } from '../../chaos/run/shrink.js';
import type { Fault } from '../../chaos/faults/fault.js';
import type { PlannedOperation } from '../../chaos/workloads/workload.js';

const fault = (atMs: number): Fault => ({ fault: 'reset', node: 'n1', atMs, forMs: 0 });
const operation = (id: number): PlannedOperation => ({ id, atMs: id, client: 0, f: 'read', value: null });

const PLAN: Plan = {
  faults: Array.from({ length: 40 }, (_, i) => fault(i)),
  operations: Array.from({ length: 1_000 }, (_, i) => operation(i)),
};

/** Fails while it holds all of these. */
function holding(faults: readonly number[], operations: readonly number[]): (plan: Plan) => boolean {
  return (plan) =>
    faults.every((atMs) => plan.faults.some((one) => one.atMs === atMs)) &&
    operations.every((id) => plan.operations.some((one) => one.id === id));
}

async function shrunk(
  isFailing: (plan: Plan) => boolean,
  runsMax = 10_000,
): Promise<{ faults: number[]; operations: number[]; runs: number; asked: number }> {
  let asked = 0;
  const { plan, runs } = await shrinkPlan(PLAN, {
    runsMax,
    fails: (candidate) => {
      asked++;
      return Promise.resolve(isFailing(candidate));
    },
  });
  return {
    faults: plan.faults.map(({ atMs }) => atMs),
    operations: plan.operations.map(({ id }) => id),
    runs,
    asked,
  };
}

describe('shrinking', () => {
  it.each([
    ['one operation', [], [617]],
    ['one fault', [23], []],
    ['a pair', [39], [0]],
    ['two faults and three operations, far apart', [3, 30], [1, 500, 998]],
    ['neighbours', [10, 11, 12], [499, 500, 501]],
  ])('finds %s, and keeps the order', async (_what, faults, operations) => {
    const found = await shrunk(holding(faults, operations));
    expect(found.faults).toEqual(faults);
    expect(found.operations).toEqual(operations);
  });

  it('what fails always is left empty after a run of each kind', async () => {
    expect(await shrunk(() => true)).toEqual({ faults: [], operations: [], runs: 2, asked: 2 });
  });

  it('what no smaller plan shows is left as it was', async () => {
    const found = await shrunk(
      ({ faults, operations }) => faults.length === 40 && operations.length === 1_000,
      5_000,
    );
    expect([found.faults.length, found.operations.length]).toEqual([40, 1_000]);
  });

  it('an operation that needs a fault while another is there goes with it, in a second round', async () => {
    // Fault 5 is needed as long as operation 7 is there, and operation 7 is needed by nothing.
    const found = await shrunk(
      (plan) => holding([], [3])(plan) && (holding([5], [])(plan) || !holding([], [7])(plan)),
    );
    expect([found.faults, found.operations]).toEqual([[], [3]]);
  });

  it.each([0, 1, 17])('asks no more than %i times, and what it has still fails', async (runsMax) => {
    const isFailing = holding([3, 30], [1, 500, 998]);
    const { asked, runs, faults, operations } = await shrunk(isFailing, runsMax);
    expect(asked).toBe(runsMax);
    expect(runs).toBe(runsMax);
    expect(isFailing({ faults: faults.map(fault), operations: operations.map(operation) })).toBe(true);
  });

  it('takes far fewer runs than there are parts', async () => {
    expect((await shrunk(holding([20], [700]))).runs).toBeLessThan(100);
  });

  it('tells of each plan that is smaller and fails', async () => {
    const sizes: number[] = [];
    await shrinkPlan(PLAN, {
      runsMax: 1_000,
      fails: (plan) => Promise.resolve(holding([20], [700])(plan)),
      onProgress: ({ faults, operations }) => sizes.push(faults.length + operations.length),
    });
    expect(sizes.at(-1)).toBe(2);
    expect(sizes).toEqual(sizes.toSorted((a, b) => b - a));
  });
});

/**
 * Shrinks a failing plan to fewer faults and operations that still fail in the same check, by delta debugging (A. Zeller
 * and R. Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002): take away ever smaller parts, keep what
 * still fails. Faults first, since each that goes makes every later run shorter to understand.
 *
 * What is left is minimal only as far as the runs allowed; it is a smaller failure, not the smallest.
 */
import type { Plan } from './plan.js';

export interface ShrinkOptions {
  readonly runsMax: number;
  /** Whether this plan still fails in the same way. */
  readonly fails: (plan: Plan) => Promise<boolean>;
  readonly onProgress?: (plan: Plan, runs: number) => void;
}

export interface Shrunk {
  readonly plan: Plan;
  readonly runs: number;
}

export async function shrinkPlan(plan: Plan, options: ShrinkOptions): Promise<Shrunk> {
  let best = plan;
  let runs = 0;
  const tries = async (candidate: Plan): Promise<boolean> => {
    if (runs >= options.runsMax) return false;
    runs++;
    if (!(await options.fails(candidate))) return false;
    best = candidate;
    options.onProgress?.(candidate, runs);
    return true;
  };
  // Operations that go may make faults needless, and the other way round.
  for (let left = Infinity; sizeOf(best) < left && runs < options.runsMax;) {
    left = sizeOf(best);
    await reduce(best.faults, (faults) => tries({ ...best, faults }));
    await reduce(best.operations, (operations) => tries({ ...best, operations }));
  }
  return { plan: best, runs };
}

/** Takes away what it can: halves first, then quarters, down to single ones. */
async function reduce<T>(
  items: readonly T[],
  tries: (left: readonly T[]) => Promise<boolean>,
): Promise<void> {
  let kept = items;
  if (kept.length > 0 && (await tries([]))) return;
  for (let size = Math.ceil(kept.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < kept.length;) {
      const left = [...kept.slice(0, from), ...kept.slice(from + size)];
      if (left.length > 0 && left.length < kept.length && (await tries(left))) kept = left;
      else from += size;
    }
  }
}

function sizeOf(plan: Plan): number {
  return plan.faults.length + plan.operations.length;
}

/**
 * What every checker says. `unknown` is an honest answer: the budget ran out, or the history does not tell.
 * An `invalid` comes with a witness that a person can follow without the checker.
 */
import type { Operation } from '../history/history.js';

export type Validity = 'valid' | 'invalid' | 'unknown';

export interface Witness {
  /** The argument, a line each: operations as the history has them, and what contradicts what. */
  readonly lines: readonly string[];
  /** The operations that it is about, the fewest that the checker could name. */
  readonly operations: readonly Operation[];
  /** Of linearizability: the longest prefix that could be placed, in its order. */
  readonly placed?: readonly Operation[];
  /** Of a cycle: its steps, each beginning where the one before ended, the last ending where the first began. */
  readonly cycle?: readonly CycleStep[];
}

/** One operation that comes before another, and why. */
export interface CycleStep {
  readonly from: Operation;
  readonly to: Operation;
  /** In a word of the field: `ww`, `wr`, `rw`, `realtime` ... */
  readonly relation: string;
  readonly reason: string;
}

export interface Verdict {
  readonly validity: Validity;
  /** One line; starts in lower case and has no full stop. Of `valid`, what was found to hold and over how many operations. */
  readonly reason: string;
  readonly witness?: Witness;
}

/** Bounds of a search. Beyond either it answers `unknown`. */
export interface CheckBudget {
  /** Search steps: the bound that replays the same anywhere. */
  readonly stepsMax: number;
  /** Bytes of memory that the checker's own tables may take, as it estimates them. */
  readonly bytesMax: number;
}

/** About ten seconds of a hopeless search on a small machine; what can be decided at all seldom takes a tenth of it. */
export const CHECK_BUDGET_DEFAULT: CheckBudget = { stepsMax: 15_000_000, bytesMax: 512 * 1024 * 1024 };

const ORDER: readonly Validity[] = ['valid', 'unknown', 'invalid'];

/** The verdict over several: the first invalid, else the first unknown, else valid. */
export function worstOf(verdicts: readonly Verdict[], validReason: string): Verdict {
  let worst: Verdict = { validity: 'valid', reason: validReason };
  for (const verdict of verdicts) {
    if (ORDER.indexOf(verdict.validity) > ORDER.indexOf(worst.validity)) worst = verdict;
  }
  return worst;
}

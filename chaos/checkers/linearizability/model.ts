/**
 * What a sequential object is to the search: states that are primitives (so equality is `===` and a state is
 * a key of a map), and operations turned once into steps, so that nothing is parsed in the inner loop.
 *
 * A step is `state -> state | undefined`; undefined is a refusal: the operation cannot have had this outcome in
 * this state. Operations that tell nothing (a read that failed or may still be answered) make no step.
 *
 * The three claims below (`commutes`, `stateFollowsFromSteps`, `helps`) let the search leave out orders; each model
 * proves its own in a comment, and the tests hold all of them against a checker that leaves out nothing.
 * Rejected: mutable states with undo per model, faster for large sets, but each model would have to be trusted twice.
 */
import { TrefoilError } from '../../../src/core/errors.js';
import type { Operation, Value } from '../../history/history.js';

export type State = number | string | bigint;

export const MODEL_NAMES = ['register', 'cas-register', 'kv', 'counter', 'set', 'mutex', 'bank'] as const;
export type ModelName = (typeof MODEL_NAMES)[number];

export interface ModelOptions {
  /** What the object held before the history; each model has its own default. */
  readonly initial?: Value;
  /** A failed cas tells that the state was not `from` (Porcupine); else it tells nothing (Knossos). Default false. */
  readonly failedCasObserves?: boolean;
  /** A read of nil: nothing was there, or nobody knows what was there. Default `absent`. */
  readonly nilReads?: 'absent' | 'unknown';
  /** Of a set: judge this element alone (`set-element-model.ts`). */
  readonly element?: Value;
}

export interface Step {
  readonly operation: Operation;
  /** It changes nothing, but may settle a state that was not known. */
  readonly observes: boolean;
  /** Steps of equal kind do the same to every state. */
  readonly kind: string;
  /** The only state that accepts it, where there is one. */
  readonly needs?: State;
  /** The state it always leaves, where there is one. */
  readonly leaves?: State;
  readonly apply: (state: State) => State | undefined;
}

export interface Model {
  readonly initial: State;
  /** The step of an operation; undefined where it tells nothing. */
  readonly step: (operation: Operation) => Step | undefined;
  /** All steps that change the state commute: neither order matters to the state or to what is accepted, unless one `helps` the other. */
  readonly commutes: boolean;
  /** The state is a function of which steps were made, so a memo need not hold it. */
  readonly stateFollowsFromSteps: boolean;
  /**
   * Whether a step that leads from `before` to `after` may have to stand before `next`, which `before` refuses. Where it helps nothing
   * that could come next, it can be delayed, and so need not be tried yet, if it may stay out for ever or the model `commutes`.
   * Undefined where nothing is claimed: then every step is tried.
   */
  readonly helps?: (before: State, after: State, next: Step) => boolean;
  /** Whether no steps at all lead from `state` to one that accepts an observation that needs `needed`. Of objects that only grow. */
  readonly outgrown?: (state: State, needed: State) => boolean;
  /**
   * Of each pending step, when the last required step completes that may see its effect; -Infinity where none may. What holds of a history
   * holds of what is left of it: once all those steps are made, the pending one can be left out of any order of the rest. Equal for steps of one kind.
   */
  readonly seenUntil: (required: readonly Step[], pending: readonly Step[]) => (step: Step) => number;
  /** The same object with nothing known of what it held before; undefined where the model has no such state. */
  readonly unsettled: State | undefined;
  readonly show: (state: State) => string;
  /** How many steps of a budget one of its steps takes; 1 where absent. So that a budget is about the same time for all models. */
  readonly stepCost?: number;
  /** Estimated bytes of states that the model keeps itself. */
  readonly heldBytes?: () => number;
}

/** A primitive that is equal for equal values only: composites become text under a mark that no plain text keeps. */
export function identityOf(value: Value): null | boolean | number | string {
  if (typeof value === 'string') return value.startsWith('\u0000') ? `\u0000s${value}` : value;
  if (value === null || typeof value !== 'object') return value;
  return `\u0000c${canonical(value)}`;
}

function canonical(value: Value): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (value instanceof Map) {
    const entries = [...(value as ReadonlyMap<string, Value>)].map(
      ([key, held]) => `${JSON.stringify(key)}:${canonical(held)}`,
    );
    return `{${entries.sort().join(',')}}`;
  }
  return `[${(value as readonly Value[]).map(canonical).join(',')}]`;
}

/** Numbers values from 0 in the order met. */
export class Numbering {
  private readonly numbers = new Map<null | boolean | number | string, number>();
  private readonly values: Value[] = [];

  of(value: Value): number {
    const identity = identityOf(value);
    let number = this.numbers.get(identity);
    if (number === undefined) {
      number = this.values.length;
      this.numbers.set(identity, number);
      this.values.push(value);
    }
    return number;
  }

  value(number: number): Value {
    return this.values[number] ?? null;
  }

  get size(): number {
    return this.values.length;
  }
}

const SHOWN_CHARACTERS_MAX = 60;

export function showValue(value: Value): string {
  const text = value === null ? 'nil' : canonical(value);
  return text.length <= SHOWN_CHARACTERS_MAX ? text : `${text.slice(0, SHOWN_CHARACTERS_MAX - 3)}...`;
}

export function malformed(operation: Operation, what: string): TrefoilError {
  return new TrefoilError(
    'BadRequest',
    `Operation ${operation.f} at #${operation.invokedAt} (process ${operation.process}): ${what}.`,
  );
}

/** A whole number that sums exactly; a missing one is `missing`. */
export function wholeNumber(operation: Operation, value: Value | undefined, missing?: number): number {
  if ((value === null || value === undefined) && missing !== undefined) return missing;
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
  throw malformed(operation, `${showValue(value ?? null)} is not a whole number below 2^53`);
}

/** For `seenUntil`: the last completion of those. */
export function lastCompletion(steps: readonly Step[]): number {
  return steps.reduce((last, { operation }) => Math.max(last, operation.completedAt), -Infinity);
}

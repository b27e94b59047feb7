/**
 * One key of a store of texts: `put` and `write`, `append`, `get` and `read`. Absent is the empty text. States are the texts.
 *
 * Appends do not commute, so nothing is claimed of what a pending step must stand before. `seenUntil`: every read between a
 * pending put of v and the next put starts with v, and every read between a pending append of x and the next put contains x;
 * where no read does, there are no reads between, and the step can be left out.
 */
import type { Operation, Value } from '../../history/history.js';
import {
  identityOf,
  malformed,
  showValue,
  type Model,
  type ModelOptions,
  type State,
  type Step,
} from './model.js';

export const KV_OPERATIONS = ['get', 'put', 'append', 'read', 'write'] as const;

export function kvModel(operations: readonly Operation[], options: ModelOptions): Model {
  const grows = operations.every(({ f, outcome }) => outcome === 'fail' || (f !== 'put' && f !== 'write'));
  return {
    initial: textOf(options.initial ?? null),
    step: (operation) => kvStep(operation, options),
    commutes: false,
    stateFollowsFromSteps: false,
    ...(grows
      ? { outgrown: (state: State, needed: State) => !(needed as string).startsWith(state as string) }
      : {}),
    seenUntil,
    unsettled: undefined,
    show: (state) => showValue(state as string),
  };
}

function kvStep(operation: Operation, options: ModelOptions): Step | undefined {
  const { f, outcome } = operation;
  if (f === 'get' || f === 'read') {
    if (outcome !== 'ok') return undefined;
    if (operation.output === null && options.nilReads === 'unknown') return undefined;
    const shown = textOf(textIn(operation, operation.output));
    const apply = (state: State): State | undefined => (state === shown ? state : undefined);
    return { operation, observes: true, kind: `r${shown}`, needs: shown, apply };
  }
  if (outcome === 'fail') return undefined;
  const text = textOf(textIn(operation, operation.input));
  if (f === 'append') {
    return { operation, observes: false, kind: `a${text}`, apply: (state) => (state as string) + text };
  }
  return { operation, observes: false, kind: `w${text}`, leaves: text, apply: () => text };
}

/** Lists and maps are no texts: a history that has them is of something else. */
export function textIn(operation: Operation, value: Value): Value {
  if (value === null || typeof value !== 'object') return value;
  throw malformed(operation, `${showValue(value)} is no text`);
}

/** Numbers are their digits: a store of texts cannot tell them apart. */
export function textOf(value: Value): string {
  return value === null ? '' : String(identityOf(value));
}

function seenUntil(required: readonly Step[]): (step: Step) => number {
  const shown = new Map<string, number>();
  for (const { observes, kind, operation } of required) {
    if (!observes) continue;
    const text = kind.slice(1);
    shown.set(text, Math.max(shown.get(text) ?? -Infinity, operation.completedAt));
  }
  const until = new Map<string, number>();
  return ({ kind }) => {
    let last = until.get(kind);
    if (last !== undefined) return last;
    last = -Infinity;
    const text = kind.slice(1);
    for (const [read, at] of shown) {
      if (kind.startsWith('a') ? read.includes(text) : read.startsWith(text)) last = Math.max(last, at);
    }
    until.set(kind, last);
    return last;
  };
}

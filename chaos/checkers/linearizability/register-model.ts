/**
 * A register, with or without compare-and-set. States are numbers of values; -1 is "nobody knows", which the
 * first observation settles.
 *
 * What is proved here for the search:
 * - `helps`: let a pending write (or cas) p lead from s to s', and o come right after it. If s accepts o as well, o is a write,
 *   after which p is as if it had not been; or an observation that holds in both, before which p can as well not
 *   have been yet. So p need be tried only before an o that s refuses and s' accepts.
 * - `seenUntil`: between a pending write of v and the next change of state, all observations are of v. Where no read shows v and no
 *   cas starts from it there are none, and leaving the write out changes nothing for the others. Not so beside a failed
 *   cas that observes: any other value pleases it.
 */
import type { Operation, Value } from '../../history/history.js';
import {
  malformed,
  Numbering,
  showValue,
  type Model,
  type ModelOptions,
  type State,
  type Step,
} from './model.js';

const UNSETTLED = -1;

export const REGISTER_OPERATIONS = ['read', 'write'] as const;
export const CAS_REGISTER_OPERATIONS = ['read', 'write', 'cas'] as const;

export function registerModel(options: ModelOptions): Model {
  const values = new Numbering();
  return {
    initial: values.of(options.initial ?? null),
    step: (operation) => registerStep(operation, values, options),
    commutes: false,
    stateFollowsFromSteps: false,
    helps: (before, after, next) => next.apply(before) === undefined && next.apply(after) !== undefined,
    seenUntil,
    unsettled: UNSETTLED,
    show: (state) => (state === UNSETTLED ? 'an unknown value' : showValue(values.value(state as number))),
  };
}

function registerStep(operation: Operation, values: Numbering, options: ModelOptions): Step | undefined {
  const { f, outcome } = operation;
  if (f === 'read') {
    if (outcome !== 'ok') return undefined;
    if (operation.output === null && options.nilReads === 'unknown') return undefined;
    const shown = values.of(operation.output);
    const apply = (state: State): State | undefined =>
      state === shown || state === UNSETTLED ? shown : undefined;
    return { operation, observes: true, kind: `r${shown}`, needs: shown, apply };
  }
  if (f === 'write') {
    if (outcome === 'fail') return undefined;
    const written = values.of(operation.input);
    return { operation, observes: false, kind: `w${written}`, leaves: written, apply: () => written };
  }
  const [from, to] = fromTo(operation, values);
  if (outcome === 'fail') {
    if (options.failedCasObserves !== true) return undefined;
    const apply = (state: State): State | undefined => (state === from ? undefined : state);
    return { operation, observes: true, kind: `f${from}`, apply };
  }
  const apply = (state: State): State | undefined => (state === from || state === UNSETTLED ? to : undefined);
  return { operation, observes: false, kind: `c${from}:${to}`, needs: from, leaves: to, apply };
}

function fromTo(operation: Operation, values: Numbering): [number, number] {
  const pair = operation.input;
  if (!Array.isArray(pair) || pair.length !== 2) throw malformed(operation, 'a cas has a value [from to]');
  const [from, to] = pair as readonly Value[];
  return [values.of(from ?? null), values.of(to ?? null)];
}

function seenUntil(required: readonly Step[], pending: readonly Step[]): (step: Step) => number {
  if (required.some((step) => step.kind.startsWith('f'))) return () => Infinity;
  const looked = new Map<string, number>();
  const note = (kind: string, until: number): boolean => {
    const value = lookedFor(kind);
    if (value === undefined || until <= (looked.get(value) ?? -Infinity)) return false;
    looked.set(value, until);
    return true;
  };
  for (const { kind, operation } of required) note(kind, operation.completedAt);
  const until = (kind: string): number => looked.get(leftBehind(kind)) ?? -Infinity;
  // A pending cas looks for its `from` as long as somebody looks for what it leaves.
  const kinds = [...new Set(pending.map(({ kind }) => kind))];
  while (kinds.filter((kind) => note(kind, until(kind))).length > 0);
  return ({ kind }) => until(kind);
}

/** The value that a step of this kind needs to find. */
function lookedFor(kind: string): string | undefined {
  if (kind.startsWith('r')) return kind.slice(1);
  return kind.startsWith('c') ? kind.slice(1, kind.indexOf(':')) : undefined;
}

/** The value that a write or cas of this kind leaves. */
function leftBehind(kind: string): string {
  return kind.slice(kind.indexOf(':') + 1).replace(/^w/, '');
}

/**
 * Histories that an object has really given, to clients that are many at once and often get no answer: each operation takes
 * effect at one moment after its invocation, before its answer if there is one, or (of those without, a half) never.
 */
import type { Operation, Value } from '../../chaos/history/history.js';
import type { Random } from '../../src/runtime/runtime.js';
import { operation } from './operations.js';

/** One call: what it does to the state, and what it is told; a cas that finds another value is told that it failed. */
export interface Call<S> {
  readonly f: string;
  readonly input: Value;
  readonly take: (state: S) => { readonly state: S; readonly output?: Value; readonly failed?: true };
}

export interface Crowd<S> {
  readonly operations: number;
  readonly processes: number;
  /** Share of operations without an answer. */
  readonly info: number;
  readonly initial: S;
  readonly draw: (random: Random) => Call<S>;
}

interface Open<S> {
  readonly call: Call<S>;
  readonly process: number;
  readonly from: number;
  readonly lost: boolean;
  told?: { readonly output: Value; readonly failed: boolean };
}

export function crowdedHistory<S>(random: Random, crowd: Crowd<S>): Operation[] {
  const share = (part: number): boolean => random.integer(1_000) < 1_000 * part;
  const made: Operation[] = [];
  const open: Open<S>[] = [];
  /** Calls that nobody waits for any more, and that have not taken effect. */
  const late: Open<S>[] = [];
  let state = crowd.initial;
  let [begun, index] = [0, 0];
  const takeEffect = (one: Open<S>): void => {
    const { state: after, output = one.call.input, failed = false } = one.call.take(state);
    state = after;
    one.told = { output, failed };
  };
  while (begun < crowd.operations || open.length > 0) {
    if (late.length > 0 && share(0.05)) takeEffect(late.splice(random.integer(late.length), 1)[0]!);
    if (begun < crowd.operations && open.length < crowd.processes && share(0.6)) {
      const call = crowd.draw(random);
      open.push({ call, process: begun++, from: index++, lost: call.f !== 'read' && share(crowd.info) });
      continue;
    }
    if (open.length === 0) continue;
    const at = random.integer(open.length);
    const one = open[at]!;
    if (one.told === undefined && share(0.5)) {
      if (!one.lost || share(0.5)) takeEffect(one);
      continue;
    }
    open.splice(at, 1);
    const { call, process, from } = one;
    if (one.lost) {
      if (one.told === undefined && share(0.5)) late.push(one);
      made.push(operation(call.f, call.input, from, undefined, { process }));
      continue;
    }
    if (one.told === undefined) takeEffect(one);
    const { output, failed } = one.told!;
    made.push(
      operation(call.f, call.input, from, index++, { process, output, outcome: failed ? 'fail' : 'ok' }),
    );
  }
  return made;
}

/** A set of numbers as a sorted list, a third of the calls reads of the whole. */
export function setCall(elements: number): (random: Random) => Call<readonly number[]> {
  return (random) => {
    const element = random.integer(elements);
    switch (random.integer(3)) {
      case 0:
        return { f: 'read', input: null, take: (state) => ({ state, output: state }) };
      case 1:
        return {
          f: 'add',
          input: element,
          take: (state) => ({ state: [...new Set([...state, element])].sort((a, b) => a - b) }),
        };
      default:
        return {
          f: 'remove',
          input: element,
          take: (state) => ({ state: state.filter((e) => e !== element) }),
        };
    }
  };
}

/** A register of few values, a third of the calls each reads, writes and cas. */
export function casCall(values: number): (random: Random) => Call<number> {
  return (random) => {
    const [from, to] = [random.integer(values), random.integer(values)];
    switch (random.integer(3)) {
      case 0:
        return { f: 'read', input: null, take: (state) => ({ state, output: state }) };
      case 1:
        return { f: 'write', input: to, take: () => ({ state: to }) };
      default:
        return {
          f: 'cas',
          input: [from, to],
          take: (state) => (state === from ? { state: to } : { state, failed: true }),
        };
    }
  };
}

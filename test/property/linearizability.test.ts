/**
 * The checker of linearizability against one that tries every order (`support/operations.ts`), on small random histories of
 * every model. Both verdicts must come up often, or the comparison says little.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkLinearizable } from '../../chaos/checkers/linearizability/check-linearizable.js';
import type { ModelName } from '../../chaos/checkers/linearizability/model.js';
import type { Operation, Value } from '../../chaos/history/history.js';
import type { Validity } from '../../chaos/checkers/verdict.js';
import { naivelyLinearizable, operation, type Apply } from '../support/operations.js';

type Body = Pick<Operation, 'f' | 'input' | 'output'>;

interface Case<S> {
  readonly name: string;
  readonly model: ModelName;
  readonly body: fc.Arbitrary<Body>;
  readonly initials: readonly S[];
  readonly apply: Apply<S>;
  /** What a failed operation still tells; nothing where absent. */
  readonly failed?: Apply<S>;
  readonly options?: { readonly failedCasObserves?: boolean; readonly nilReads?: 'unknown' };
}

const small = fc.integer({ min: 0, max: 2 });
const body = (f: string, value: fc.Arbitrary<Value>): fc.Arbitrary<Body> =>
  value.map((input) => ({ f, input, output: input }));
const observation = (f: string, value: fc.Arbitrary<Value>): fc.Arbitrary<Body> =>
  value.map((output) => ({ f, input: null, output }));

const register: Apply<Value> = (state, { f, input, output }) => {
  if (f === 'read') return output === state ? state : undefined;
  if (f === 'write') return input;
  const [from, to] = input as readonly Value[];
  return from === state ? (to ?? null) : undefined;
};
const registerBodies = fc.oneof(
  { weight: 3, arbitrary: observation('read', fc.oneof({ weight: 8, arbitrary: small }, fc.constant(null))) },
  { weight: 3, arbitrary: body('write', small) },
);
const casBodies = fc.oneof(
  { weight: 2, arbitrary: registerBodies },
  { weight: 1, arbitrary: body('cas', fc.tuple(small, small)) },
);
const nilTellsNothing: Apply<Value> = (state, o) =>
  o.f === 'read' && o.output === null ? state : register(state, o);

const kv: Apply<string> = (state, { f, input, output }) => {
  if (f === 'get') return output === state ? state : undefined;
  return f === 'put' ? (input as string) : state + (input as string);
};
const letters = fc.constantFrom('a', 'b');
const kvBodies = fc.oneof(
  observation('get', fc.constantFrom('', 'a', 'b', 'ab', 'ba', 'aa')),
  body('put', letters),
  body('append', letters),
);

const counter: Apply<number> = (state, { f, input, output }) => {
  if (f === 'read') return output === state ? state : undefined;
  return state + (f === 'decrement' ? -(input as number) : (input as number));
};

const elements = fc.subarray([0, 1, 2]);
const set: Apply<string> = (state, { f, input, output }) => {
  const held = new Set(state.split('').map(Number));
  if (f === 'read') return (output as readonly number[]).join('') === state ? state : undefined;
  if (f === 'add') held.add(input as number);
  else held.delete(input as number);
  return [...held].sort().join('');
};

/** Whether it is held. */
const mutex: Apply<boolean> = (state, { f }) => (state === (f === 'release') ? !state : undefined);

const ACCOUNTS = ['x', 'y'] as const;
const bank: Apply<string> = (state, { f, input, output }) => {
  const held = state.split(',').map(Number);
  if (f === 'read') {
    const shown = ACCOUNTS.map((name) => (output as ReadonlyMap<string, number>).get(name));
    return shown.join() === state ? state : undefined;
  }
  const parts = input as ReadonlyMap<string, Value>;
  const from = ACCOUNTS.indexOf(parts.get('from') as 'x');
  const to = ACCOUNTS.indexOf(parts.get('to') as 'x');
  const amount = parts.get('amount') as number;
  if (held[from]! < amount) return undefined;
  held[from]! -= amount;
  held[to]! += amount;
  return held.join();
};
const account = fc.constantFrom<string>(...ACCOUNTS);
const balance = fc.integer({ min: 0, max: 3 });
const bankBodies = fc.oneof(
  observation(
    'read',
    balance.map(
      (x) =>
        new Map([
          ['x', x],
          ['y', 3 - x],
        ]),
    ),
  ),
  body(
    'transfer',
    fc.tuple(account, account, fc.integer({ min: 1, max: 2 })).map(
      ([from, to, amount]): Value =>
        new Map<string, Value>([
          ['from', from],
          ['to', to],
          ['amount', amount],
        ]),
    ),
  ),
);
/** Reads here add up to 3; where there is no read, the richest opening does. */
const openings = ['0,3', '1,2', '2,1', '3,0', '99,99'];

const some = <S>(it: Case<S>): Case<unknown> => it as unknown as Case<unknown>;
const CASES: readonly Case<unknown>[] = [
  some({ name: 'register', model: 'register', body: registerBodies, initials: [null], apply: register }),
  some({
    name: 'register, nil unknown',
    model: 'register',
    body: registerBodies,
    initials: [null],
    apply: nilTellsNothing,
    options: { nilReads: 'unknown' },
  }),
  some({ name: 'cas-register', model: 'cas-register', body: casBodies, initials: [null], apply: register }),
  some({
    name: 'cas-register, failed cas observes',
    model: 'cas-register',
    body: casBodies,
    initials: [null],
    apply: register,
    failed: (state, o) => (o.f === 'cas' && (o.input as readonly Value[])[0] === state ? undefined : state),
    options: { failedCasObserves: true },
  } satisfies Case<Value>),
  some({
    name: 'kv, appends only',
    model: 'kv',
    body: fc.oneof(
      observation('get', fc.constantFrom('', 'a', 'b', 'ab', 'ba', 'aa', 'aba')),
      body('append', letters),
    ),
    initials: [''],
    apply: kv,
  }),
  some({ name: 'kv', model: 'kv', body: kvBodies, initials: [''], apply: kv }),
  some({
    name: 'counter, upwards',
    model: 'counter',
    body: fc.oneof(observation('read', fc.integer({ min: 0, max: 4 })), body('add', small)),
    initials: [0],
    apply: counter,
  }),
  some({
    name: 'counter, both ways',
    model: 'counter',
    body: fc.oneof(
      observation('read', fc.integer({ min: -2, max: 2 })),
      body('increment', small),
      body('decrement', small),
    ),
    initials: [0],
    apply: counter,
  }),
  some({
    name: 'set, grow-only',
    model: 'set',
    body: fc.oneof(observation('read', elements), body('add', small)),
    initials: [''],
    apply: set,
  }),
  some({
    name: 'set',
    model: 'set',
    body: fc.oneof(observation('read', elements), body('add', small), body('remove', small)),
    initials: [''],
    apply: set,
  }),
  some({
    name: 'mutex',
    model: 'mutex',
    body: fc.oneof(body('acquire', fc.constant(null)), body('release', fc.constant(null))),
    initials: [false],
    apply: mutex,
  }),
  some({ name: 'bank', model: 'bank', body: bankBodies, initials: openings, apply: bank }),
];

/** Operations with random overlaps, outcomes as in real histories: mostly `ok`. */
function histories(bodies: fc.Arbitrary<Body>, countMax: number, infoWeight = 2): fc.Arbitrary<Operation[]> {
  const one = fc.record({
    body: bodies,
    from: fc.integer({ min: 0, max: 30 }),
    lasts: fc.integer({ min: 1, max: 14 }),
    outcome: fc.oneof(
      { weight: 8, arbitrary: fc.constant('ok' as const) },
      { weight: infoWeight, arbitrary: fc.constant('info' as const) },
      { weight: 1, arbitrary: fc.constant('fail' as const) },
    ),
  });
  return fc.array(one, { minLength: 1, maxLength: countMax }).map((all) =>
    all.map(({ body: { f, input, output }, from, lasts, outcome }, at) =>
      operation(f, input, from, outcome === 'info' ? undefined : from + lasts, {
        output,
        outcome,
        process: at % 2,
      }),
    ),
  );
}

function naive(it: Case<unknown>, operations: readonly Operation[]): Validity {
  const reads = new Set(['read', 'get']);
  const telling = operations.filter((o) => {
    if (o.outcome === 'fail') return it.failed !== undefined && o.f === 'cas';
    return o.outcome === 'ok' || !reads.has(o.f);
  });
  const apply: Apply<unknown> = (state, o) =>
    o.outcome === 'fail' && it.failed !== undefined ? it.failed(state, o) : it.apply(state, o);
  return naivelyLinearizable(telling, it.initials, apply) ? 'valid' : 'invalid';
}

const RUNS = 1500;

describe('every verdict is that of a checker that tries every order', () => {
  it.each(CASES)('$name', (it) => {
    const counts = { valid: 0, invalid: 0, unknown: 0 };
    fc.assert(
      fc.property(histories(it.body, 7), (operations) => {
        const verdict = checkLinearizable(operations, { model: it.model, ...it.options });
        counts[verdict.validity]++;
        expect(verdict.validity).toBe(naive(it, operations));
        if (verdict.validity === 'valid') return;
        // A witness is a proof on its own, unless it begins in the middle.
        expect(verdict.witness?.lines.length).toBeGreaterThan(1);
        expect(operations).toEqual(expect.arrayContaining([...(verdict.witness?.operations ?? [])]));
      }),
      { numRuns: RUNS, seed: 20 },
    );
    expect(counts.unknown).toBe(0);
    expect(Math.min(counts.valid, counts.invalid)).toBeGreaterThan(RUNS / 20);
  });

  // What was spent of them, and until when they matter, decides what the search leaves out.
  it.each(CASES)('$name, most changes without an answer', (it) => {
    const counts = { valid: 0, invalid: 0, unknown: 0 };
    fc.assert(
      fc.property(histories(it.body, 6, 8), (operations) => {
        const { validity } = checkLinearizable(operations, { model: it.model, ...it.options });
        counts[validity]++;
        expect(validity).toBe(naive(it, operations));
      }),
      { numRuns: RUNS / 3, seed: 21 },
    );
    expect(counts.unknown).toBe(0);
    expect(Math.min(counts.valid, counts.invalid)).toBeGreaterThan(RUNS / 100);
  });
});

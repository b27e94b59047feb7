/**
 * Stores of texts whose parts can be told apart, against a checker that tries every order. Histories are made by running a
 * store and stretching its operations over time; then some are damaged, by another text, another time or another outcome.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { checkLinearizable } from '../../chaos/checkers/linearizability/check-linearizable.js';
import { findTextContradiction } from '../../chaos/checkers/linearizability/texts.js';
import type { Operation } from '../../chaos/history/history.js';
import { naivelyLinearizable, operation, type Apply } from '../support/operations.js';

const APART = 10;
const NAMES = ['a', 'bc', 'd', 'ef', 'g', 'h', 'i', 'j'];

const drawn = fc.record({
  f: fc.oneof(
    { weight: 4, arbitrary: fc.constant('get') },
    { weight: 3, arbitrary: fc.constant('append') },
    { weight: 1, arbitrary: fc.constant('put') },
  ),
  early: fc.integer({ min: 0, max: 35 }),
  late: fc.integer({ min: 1, max: 35 }),
  info: fc.integer({ min: 0, max: 5 }).map((n) => n === 0),
  happens: fc.boolean(),
});
const damage = fc.record({
  at: fc.nat(6),
  how: fc.constantFrom('none', 'text', 'reversed', 'time', 'fail', 'empty'),
  other: fc.nat(6),
});

function made(
  steps: readonly (typeof drawn extends fc.Arbitrary<infer T> ? T : never)[],
  initial: string,
): Operation[] {
  let state = initial;
  return steps.map(({ f, early, late, info, happens }, at) => {
    const from = at * APART - early;
    const to = info ? undefined : at * APART + late;
    if (f === 'get') return operation(f, null, from, to, { output: state });
    const text = NAMES[at]!;
    if (!info || happens) state = f === 'put' ? text : state + text;
    return operation(f, text, from, to);
  });
}

const histories = fc
  .record({
    steps: fc.array(drawn, { minLength: 1, maxLength: 7 }),
    damages: fc.array(damage, { maxLength: 2 }),
    initial: fc.constantFrom('', 'z'),
  })
  .map(({ steps, damages, initial }) => {
    const operations = made(steps, initial);
    for (const { at, how, other } of damages) {
      const hurt = operations[at % operations.length]!;
      const beside = operations[other % operations.length]!;
      let now: Operation = hurt;
      if (how === 'time') now = { ...hurt, invokedAt: beside.invokedAt - 7 };
      if (how === 'time' && hurt.outcome === 'ok') now = { ...now, completedAt: now.invokedAt + 5 };
      if (how === 'fail') now = { ...hurt, outcome: 'fail' };
      if (hurt.f === 'get') {
        if (how === 'text') now = { ...hurt, output: beside.output };
        if (how === 'reversed')
          now = { ...hurt, output: [...((hurt.output ?? '') as string)].reverse().join('') };
        if (how === 'empty') now = { ...hurt, output: null };
      }
      operations[at % operations.length] = now;
    }
    return { operations, initial };
  });

const kv: Apply<string> = (state, { f, input, output }) => {
  if (f === 'get') return (output ?? '') === state ? state : undefined;
  return f === 'put' ? (input as string) : state + (input as string);
};

const RUNS = 4000;

it('gives the verdict of a checker that tries every order', () => {
  const counts = { valid: 0, invalid: 0, unknown: 0 };
  const kinds = new Set<string>();
  fc.assert(
    fc.property(histories, ({ operations, initial }) => {
      const found = findTextContradiction(operations, { initial });
      // The near-linear way must have been taken.
      if (found === undefined) throw new Error('the texts were not told apart');
      kinds.add(found === 'none' ? 'none' : found.kind);
      const verdict = checkLinearizable(operations, { model: 'kv', initial });
      const telling = operations.filter((o) => o.outcome === 'ok' || (o.outcome === 'info' && o.f !== 'get'));
      counts[verdict.validity]++;
      expect(verdict.validity).toBe(naivelyLinearizable(telling, [initial], kv) ? 'valid' : 'invalid');
      if (found === 'none') return;
      expect(verdict.witness?.lines.length).toBeGreaterThan(1);
      expect(operations).toEqual(expect.arrayContaining([...(verdict.witness?.operations ?? [])]));
    }),
    { numRuns: RUNS, seed: 20 },
  );
  expect(Math.min(counts.valid, counts.invalid)).toBeGreaterThan(RUNS / 10);
  // `twice` and `two-places` take texts that this damage does not make; they are said below.
  expect([...kinds].sort()).toEqual(['clash', 'fork', 'no-reading', 'none', 'out-of-time']);
});

it('leaves to the search what has more than one reading', () => {
  const append = (text: string, at: number): Operation => operation('append', text, at, at + 1);
  const put = (text: string, at: number): Operation => operation('put', text, at, at + 1);
  const said = (...operations: readonly Operation[]): unknown => findTextContradiction(operations, {});
  expect(said(append('a', 0), append('a', 2))).toBeUndefined();
  expect(said(append('a', 0), append('ab', 2))).toBeUndefined();
  expect(said(put('a', 0), append('a', 2))).toBeUndefined();
  expect(said(put('', 0))).toBeUndefined();
  expect(said(append('', 0), append('', 2), append('a', 4))).toBe('none');
});

it('names an append that a text shows twice', () => {
  const append = operation('append', 'a', 0, 1);
  const get = operation('get', null, 2, 3, { output: 'aa' });
  expect(findTextContradiction([append, get], {})).toEqual({ kind: 'twice', read: get, append });
  expect(checkLinearizable([append, get], { model: 'kv' }).validity).toBe('invalid');
});

it('names an append that is shown behind two puts', () => {
  const append = operation('append', 'a', 0, undefined);
  const get = (text: string, at: number): Operation => operation('get', null, at, at + 1, { output: text });
  const shows = [get('pa', 20), get('qa', 40)];
  const all = [append, operation('put', 'p', 10, 11), shows[0]!, operation('put', 'q', 30, 31), shows[1]!];
  expect(findTextContradiction(all, {})).toEqual({
    kind: 'two-places',
    append,
    one: shows[0],
    other: shows[1],
  });
  expect(checkLinearizable(all, { model: 'kv' }).validity).toBe('invalid');
});

it('refuses a text that ends within an append', () => {
  const get = (text: string, at: number): Operation => operation('get', null, at, at + 1, { output: text });
  const all = [
    operation('append', 'a', 0, 1),
    operation('append', 'bc', 2, undefined),
    get('ab', 4),
    get('abc', 6),
  ];
  expect(findTextContradiction(all, {})).toMatchObject({ kind: 'no-reading', at: 1, read: all[2] });
});

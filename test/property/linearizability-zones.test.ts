/**
 * The near-linear algorithm for unique values against the search, on histories too long to try every order; and what the
 * search leaves out against the whole: histories made by a real register stay valid, and a spoilt one is judged alike by both.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkLinearizable } from '../../chaos/checkers/linearizability/check-linearizable.js';
import { registerModel } from '../../chaos/checkers/linearizability/register-model.js';
import { planOf } from '../../chaos/checkers/linearizability/plan.js';
import { searchOrder } from '../../chaos/checkers/linearizability/search.js';
import { findContradiction } from '../../chaos/checkers/linearizability/zones.js';
import type { Operation, Value } from '../../chaos/history/history.js';
import { operation } from '../support/operations.js';

interface Making {
  readonly clients: number;
  readonly writes: 'unique' | 'few';
  readonly withCas: boolean;
}

/** A history that a register has really given: each operation takes effect at one point between its events, or never. */
function made({ clients, writes, withCas }: Making, draws: readonly number[]): Operation[] {
  const operations: Operation[] = [];
  let next = 0;
  const draw = (n: number): number => (draws[next++ % draws.length] ?? 0) % n;
  const open: {
    f: string;
    input: Value;
    from: number;
    process: number;
    result?: Pick<Operation, 'output' | 'outcome'>;
  }[] = [];
  let state: Value = null;
  let written = 0;
  let index = 0;
  let process = 0;
  const takeEffect = (one: (typeof open)[number]): void => {
    if (one.result !== undefined) return;
    if (one.f === 'read') one.result = { output: state, outcome: 'ok' };
    else if (one.f === 'write') {
      state = one.input;
      one.result = { output: one.input, outcome: 'ok' };
    } else {
      const [from, to] = one.input as readonly Value[];
      const done = from === state;
      if (done) state = to ?? null;
      one.result = { output: one.input, outcome: done ? 'ok' : 'fail' };
    }
  };
  while (next < draws.length) {
    if (open.length < clients && draw(2) === 0) {
      const f = draw(2) === 0 ? 'read' : withCas && draw(3) === 0 ? 'cas' : 'write';
      const value = (): number => (writes === 'unique' ? ++written : draw(3));
      const input: Value = f === 'read' ? null : f === 'cas' ? [value(), value()] : value();
      open.push({ f, input, from: index++, process: process++ });
      continue;
    }
    const at = draw(Math.max(1, open.length));
    const one = open[at];
    if (one === undefined) continue;
    if (one.result === undefined && draw(2) === 0) {
      takeEffect(one);
      continue;
    }
    open.splice(at, 1);
    const lost = draw(6) === 0;
    if (!lost) takeEffect(one);
    const { output, outcome } = one.result ?? { output: one.input, outcome: 'info' };
    const said = { process: one.process, output, outcome: lost ? 'info' : outcome } as const;
    operations.push(operation(one.f, one.input, one.from, index++, said));
  }
  // What is still open was never answered.
  for (const one of open)
    operations.push(operation(one.f, one.input, one.from, undefined, { process: one.process }));
  return operations;
}

/** Another operation's value in a read, or two completions exchanged. */
function spoilt(operations: readonly Operation[], where: number, how: number): Operation[] {
  const reads = operations.filter((o) => o.f === 'read' && o.outcome === 'ok');
  const one = reads[where % Math.max(1, reads.length)];
  const donor = operations[how % Math.max(1, operations.length)];
  if (one === undefined || donor === undefined) return [...operations];
  const output = donor.f === 'cas' ? one.output : donor.f === 'read' ? donor.output : donor.input;
  return operations.map((o) => (o === one ? { ...o, output } : o));
}

const draws = fc.array(fc.nat(1 << 16), { minLength: 20, maxLength: 160, size: 'max' });
const spoiling = fc.tuple(fc.nat(1 << 16), fc.nat(1 << 16));

function searched(operations: readonly Operation[]): string {
  const model = registerModel({});
  return searchOrder(model, planOf(model, operations), { stepsLeft: 1e6, bytesMax: 1e8 }).outcome;
}

describe('unique values', () => {
  it('zones and search agree', () => {
    let valid = 0;
    let invalid = 0;
    fc.assert(
      fc.property(draws, fc.integer({ min: 2, max: 6 }), spoiling, (drawn, clients, [where, how]) => {
        const whole = made({ clients, writes: 'unique', withCas: false }, drawn);
        expect(findContradiction(whole, {})).toBe('none');
        expect(searched(whole)).toBe('linearizable');
        const bad = spoilt(whole, where, how);
        const none = findContradiction(bad, {}) === 'none';
        expect(searched(bad)).toBe(none ? 'linearizable' : 'not-linearizable');
        if (none) valid++;
        else invalid++;
      }),
      { numRuns: 1500, seed: 31 },
    );
    expect(Math.min(valid, invalid)).toBeGreaterThan(100);
  });

  it('what the witness of the zones names contradicts itself, without the rest', () => {
    let clashes = 0;
    fc.assert(
      fc.property(draws, spoiling, (drawn, [where, how]) => {
        const bad = spoilt(made({ clients: 4, writes: 'unique', withCas: false }, drawn), where, how);
        const verdict = checkLinearizable(bad, { model: 'register' });
        if (verdict.validity === 'valid') return;
        clashes++;
        const named = verdict.witness?.operations ?? [];
        expect(named.length).toBeLessThanOrEqual(6);
        expect(checkLinearizable(named, { model: 'register' }).validity).toBe('invalid');
      }),
      { numRuns: 500, seed: 32 },
    );
    expect(clashes).toBeGreaterThan(50);
  });
});

describe('histories of a real register', () => {
  it.each([
    { withCas: false, failedCasObserves: false },
    { withCas: true, failedCasObserves: false },
    { withCas: true, failedCasObserves: true },
  ])(
    'are valid, with cas: $withCas, failed cas observes: $failedCasObserves',
    ({ withCas, failedCasObserves }) => {
      let invalid = 0;
      fc.assert(
        fc.property(draws, spoiling, (drawn, [where, how]) => {
          const whole = made({ clients: 5, writes: 'few', withCas }, drawn);
          const options = { model: 'cas-register', failedCasObserves } as const;
          expect(checkLinearizable(whole, options).validity).toBe('valid');
          const bad = checkLinearizable(spoilt(whole, where, how), options);
          if (bad.validity === 'invalid') invalid++;
        }),
        { numRuns: 400, seed: 33 },
      );
      expect(invalid).toBeGreaterThan(20);
    },
  );
});

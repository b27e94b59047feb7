/** The file of a failure: what goes in comes out, and what is none is refused with a reason. */
import { describe, expect, it } from 'vitest';
import { loadAllExperiments } from '../../chaos/experiments/library.js';
import { failedCheck } from '../../chaos/run/failed-check.js';
import { decodeFailure, encodeFailure, type Failure } from '../../chaos/run/failure-file.js';
import type { CheckResult } from '../../chaos/run/checks.js';
import { planRun } from '../../chaos/run/plan.js';
import { smallExperiment } from '../support/experiments.js';

const FAILURE: Failure = {
  trefoil: '0.1.0',
  node: 'v20.19.0',
  experiment: smallExperiment('faults: { draw: [{ fault: crash }] }\n'),
  seed: 42,
  bug: null,
  plan: {
    faults: [
      { fault: 'crash', node: 'n1', unsynced: 'torn', powerOff: true, atMs: 1.5, forMs: 20 },
      { fault: 'partition', shape: 'one', order: ['n2', 'n1', 'n3'], atMs: 2, forMs: 0 },
    ],
    operations: [
      { id: 3, atMs: 0.125, client: 1, f: 'read', key: 'k1', value: null },
      { id: 4, atMs: 1, client: 0, f: 'write', key: 'k1', value: 'v4', blind: true },
      { id: 9, atMs: 2, client: 3, f: 'delete', key: 'k2', value: null },
    ],
  },
  drawn: { faults: 12, operations: 1_000 },
  verdict: 'invalid',
  check: 'no-resurrection',
  reason: 'superseded value v218 of key k4 is back',
  witness: ['first line', 'second line'],
  traceHash: '0123456789abcdef',
};

type Json = Record<string, unknown>;

/** The file after an edit by hand. */
function edited(edit: (json: Json) => void): string {
  const json = JSON.parse(encodeFailure(FAILURE)) as Json;
  edit(json);
  return JSON.stringify(json);
}

const planOf = (json: Json): { faults: Json[]; operations: Json[] } =>
  json['plan'] as { faults: Json[]; operations: Json[] };

describe('a failure file', () => {
  it('brings back what was written', () => {
    expect(decodeFailure(encodeFailure(FAILURE), 'f.json')).toEqual(FAILURE);
  });

  it.each(loadAllExperiments().map((experiment) => [experiment.name, experiment] as const))(
    'brings back what a seed draws for %s, maps among the values too',
    (_name, experiment) => {
      const failure = { ...FAILURE, experiment, plan: planRun(experiment, 1) };
      expect(decodeFailure(encodeFailure(failure), 'f.json')).toEqual(failure);
    },
  );

  it('says first what people look for, and the long plan last', () => {
    const keys = Object.keys(JSON.parse(encodeFailure(FAILURE)) as Json);
    expect(keys[0]).toBe('format');
    expect(keys.at(-1)).toBe('plan');
    expect(encodeFailure(FAILURE).endsWith('}\n')).toBe(true);
  });

  it('keeps the name of a planted bug', () => {
    const planted = { ...FAILURE, bug: 'skip-read-repair' };
    expect(decodeFailure(encodeFailure(planted), 'f.json').bug).toBe('skip-read-repair');
  });

  it.each<[string, string, string]>([
    ['no JSON', 'name: x', 'f.json is not JSON: a failure file is what trefoil sim hunt writes'],
    ['JSON of something else', '[]', 'f.json is no failure file: '],
    [
      'another format',
      edited((json) => (json['format'] = 'trefoil-failure-9')),
      'f.json is no failure file: format: ',
    ],
    ['a missing seed', edited((json) => delete json['seed']), 'f.json is no failure file: seed: '],
    [
      'a fault of no kind',
      edited((json) => (planOf(json).faults[0] = { fault: 'crush', atMs: 1, forMs: 1 })),
      'f.json is no failure file: plan.faults.0.fault: ',
    ],
    [
      'a fault of a node that is none',
      edited((json) => (planOf(json).faults[0] = { fault: 'pause', node: 'n7', atMs: 1, forMs: 1 })),
      'f.json is no failure file: plan.faults.0: there is no node n7 (they are n1, n2, n3)',
    ],
    [
      'an operation of a client that is none',
      edited((json) => planOf(json).operations.forEach((one) => (one['client'] = 4))),
      'f.json is no failure file: plan.operations.0.client: there is no client beyond 3',
    ],
    [
      'an operation before the run',
      edited((json) => planOf(json).operations.forEach((one) => (one['atMs'] = -1))),
      'f.json is no failure file: plan.operations.0.atMs: ',
    ],
    [
      'an operation after the run',
      edited((json) => planOf(json).operations.forEach((one) => (one['atMs'] = 20_001))),
      'plan.operations.0.atMs: it begins at 20001, after durationMs 20000',
    ],
    [
      'an operation that its workload does not have',
      edited((json) => (planOf(json).operations[1]!['f'] = 'wriet')),
      'f.json is no failure file: plan.operations.1.f: "wriet" is none of read, write, delete, update (did you mean write?)',
    ],
    [
      'a write of what is no text',
      edited((json) => (planOf(json).operations[1]!['value'] = 7)),
      'f.json is no failure file: plan.operations.1.value: expected string, received number',
    ],
    [
      'an operation without a key',
      edited((json) => delete planOf(json).operations[0]!['key']),
      'f.json is no failure file: plan.operations.0.key: is missing',
    ],
    [
      'an operation on a key that nobody reads in the end',
      edited((json) => (planOf(json).operations[0]!['key'] = 'k5')),
      'plan.operations.0.key: there is no key k5 (they are k0, k1, k2, k3, k4 ...)',
    ],
    [
      'one operation twice',
      edited((json) => (planOf(json).operations[2]!['id'] = 4)),
      "plan.operations.2.id: 4 is another operation's too",
    ],
    [
      'operations that are not in the order of time',
      edited((json) => planOf(json).operations.reverse()),
      'plan.operations.1.atMs: 1 is earlier than the 2 of the one before it',
    ],
    [
      'faults that are not in the order of time',
      edited((json) => planOf(json).faults.reverse()),
      'plan.faults.1.atMs: 1.5 is earlier than the 2 of the one before it',
    ],
    [
      'a fault with a field that it does not have',
      edited((json) => (planOf(json).faults[0]!['rate'] = 0.5)),
      'f.json is no failure file: plan.faults.0.rate: there is no such field',
    ],
    [
      'a fault after the run',
      edited((json) => planOf(json).faults.forEach((one) => (one['atMs'] = 20_001))),
      'plan.faults.0: it begins at 20001, after durationMs 20000',
    ],
    [
      'a plan with a field of no meaning',
      edited((json) => ((planOf(json) as unknown as Json)['operation'] = [])),
      'f.json is no failure file: plan.operation: there is no such field',
    ],
    [
      'a seed that is a text',
      edited((json) => (json['seed'] = '42')),
      'f.json is no failure file: seed: expected number, received string',
    ],
    [
      'an experiment that is none',
      edited((json) => delete (json['experiment'] as Json)['workload']),
      'workload: is missing',
    ],
  ])('is not %s', (_what, text, said) => {
    expect(() => decodeFailure(text, 'f.json')).toThrow(said);
  });
});

describe('the check that failed', () => {
  const check = (
    name: CheckResult['name'],
    validity: 'valid' | 'invalid' | 'unknown',
    promised = true,
  ): CheckResult => ({
    name,
    promised,
    verdict: { validity, reason: '' },
  });

  it('is the first that was promised and is invalid', () => {
    const checks = [
      check('served', 'valid'),
      check('linearizable', 'unknown'),
      check('causal', 'invalid', false),
      check('freshness', 'invalid'),
      check('converged', 'invalid'),
    ];
    expect(failedCheck({ checks })?.name).toBe('freshness');
    expect(failedCheck({ checks: checks.slice(0, 3) })).toBeUndefined();
  });
});

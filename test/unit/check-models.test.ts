/** Which checker is asked for which model and level, and what is assumed that a file does not say. */
import { describe, expect, it } from 'vitest';
import { checkModel, levelOf, MODELS, type CheckRequest, type Model } from '../../chaos/checkers/models.js';
import { parseHistory } from '../../chaos/history/read-history.js';
import { parseValue } from '../../chaos/history/parse-value.js';

/** One operation a process, one after the other: `[f, asked, answered, type]`. */
type Step = readonly [f: string, asked: string, answered: string, type?: 'ok' | 'fail' | 'info'];
const inTurn = (...steps: readonly Step[]): string =>
  steps
    .map(
      ([f, asked, answered, type = 'ok'], process) =>
        `{:process ${process} :type :invoke :f :${f} :value ${asked}}{:process ${process} :type :${type} :f :${f} :value ${answered}}`,
    )
    .join('\n');

/** The verdict over a text; at the level that is meant where none is named. */
function judge(
  text: string,
  model: Model,
  options: Partial<CheckRequest> & { consistency?: string } = {},
): string {
  const { consistency, ...rest } = options;
  const { operations, format } = parseHistory(text, { source: 'h', format: 'auto' });
  return checkModel(operations, { model, format, level: levelOf(model, consistency), ...rest }).validity;
}

describe('levels', () => {
  it.each([
    ['register', 'linearizable'],
    ['cas-register', 'linearizable'],
    ['kv', 'linearizable'],
    ['mutex', 'linearizable'],
    ['counter', 'workload'],
    ['set', 'workload'],
    ['bank', 'workload'],
    ['long-fork', 'workload'],
    ['list-append', 'strict-serializable'],
    ['rw-register', 'strict-serializable'],
  ] as const)('%s means %s where none is named', (model, level) => {
    expect(levelOf(model, undefined)).toBe(level);
  });

  it('of transactions have their other names', () => {
    expect(levelOf('list-append', 'PL-SI')).toBe('snapshot-isolation');
  });

  it.each(MODELS)('%s refuses a level that it does not have, and lists those it has', (model) => {
    expect(() => levelOf(model, 'eventual')).toThrow(
      expect.objectContaining({
        code: 'BadRequest',
        message: expect.stringContaining(`it can to ${levelOf(model, undefined)}`) as unknown,
      }),
    );
  });
});

describe('a history without operations', () => {
  it.each(MODELS)('is no evidence for a %s', (model) => {
    expect(judge('[]', model)).toBe('unknown');
  });
});

describe('models and levels are judged by their own rules', () => {
  const stale = inTurn(['write', '1', '1'], ['write', '2', '2'], ['read', 'nil', '1']);
  const skew =
    '[{"process":0,"type":"invoke","f":"txn","value":[["r","x",null],["append","y",1]]},{"process":1,"type":"invoke","f":"txn","value":[["r","y",null],["append","x",1]]},{"process":0,"type":"ok","f":"txn","value":[["r","x",[]],["append","y",1]]},{"process":1,"type":"ok","f":"txn","value":[["r","y",[]],["append","x",1]]},{"process":2,"type":"invoke","f":"txn","value":[["r","x",null],["r","y",null]]},{"process":2,"type":"ok","f":"txn","value":[["r","x",[1]],["r","y",[1]]]}]';
  const registerSkew = skew.replaceAll('append', 'w').replaceAll('[]', 'null').replaceAll('[1]', '1');
  const twoWrites =
    '{:process 0 :type :invoke :f :write :value 1}{:process 0 :type :ok :f :write :value 1}{:process 0 :type :invoke :f :write :value 2}{:process 0 :type :ok :f :write :value 2}';
  const reads = (process: number, value: number): string =>
    `{:process ${process} :type :invoke :f :read}{:process ${process} :type :ok :f :read :value ${value}}`;
  const ownWrite = twoWrites + reads(0, 1);
  const backInTime = twoWrites + reads(5, 2) + reads(5, 1);
  const counted = inTurn(['add', '2', '2'], ['read', 'nil', '2']);
  const overlapping =
    '{:process 0 :type :invoke :f :add :value 2}{:process 1 :type :invoke :f :add :value 3}{:process 2 :type :invoke :f :read}{:process 2 :type :ok :f :read :value 1}{:process 0 :type :ok :f :add}{:process 1 :type :ok :f :add}';

  it.each<[string, string, Model, string | undefined, string]>([
    ['a stale read', stale, 'register', undefined, 'invalid'],
    ['a stale read', stale, 'register', 'sequential', 'valid'],
    ['a stale read', stale, 'register', 'causal', 'valid'],
    ['a stale read', stale, 'register', 'monotonic-reads', 'valid'],
    ['a read before an own write', ownWrite, 'register', 'read-your-writes', 'invalid'],
    ['a read before an own write', ownWrite, 'register', 'causal', 'invalid'],
    ['a read before an own write', ownWrite, 'cas-register', 'causal', 'invalid'],
    ['a read before an own write', ownWrite, 'register', 'sequential', 'invalid'],
    ['a read before an own write', ownWrite, 'register', 'monotonic-writes', 'valid'],
    ['a read before an own write', ownWrite, 'register', 'writes-follow-reads', 'valid'],
    ['a session that goes back in time', backInTime, 'register', 'monotonic-reads', 'invalid'],
    ['a session that goes back in time', backInTime, 'register', 'read-your-writes', 'valid'],
    [
      'a locked lock',
      inTurn(['acquire', 'nil', 'nil'], ['acquire', 'nil', 'nil']),
      'mutex',
      undefined,
      'invalid',
    ],
    [
      'an append',
      inTurn(['put', '"a"', '"a"'], ['append', '"b"', '"b"'], ['get', 'nil', '"ab"']),
      'kv',
      undefined,
      'valid',
    ],
    [
      'an append that is not there',
      inTurn(['append', '"b"', '"b"'], ['get', 'nil', 'nil']),
      'kv',
      undefined,
      'invalid',
    ],
    ['a count', counted, 'counter', undefined, 'valid'],
    ['a count within bounds that no order gives', overlapping, 'counter', undefined, 'valid'],
    ['a count within bounds that no order gives', overlapping, 'counter', 'linearizable', 'invalid'],
    ['a set', inTurn(['add', '1', '1'], ['read', 'nil', '#{}']), 'set', undefined, 'invalid'],
    ['a set', inTurn(['add', '1', '1'], ['read', 'nil', '#{1}']), 'set', 'linearizable', 'valid'],
    [
      'a bank',
      inTurn(['read', 'nil', '{0 5, 1 5}'], ['read', 'nil', '{0 4, 1 5}']),
      'bank',
      undefined,
      'invalid',
    ],
    [
      'a bank',
      inTurn(['transfer', '{:from 0 :to 1 :amount 5}', 'nil'], ['read', 'nil', '{0 0, 1 10}']),
      'bank',
      'linearizable',
      'valid',
    ],
    ['write skew', skew, 'list-append', undefined, 'invalid'],
    ['write skew', skew, 'list-append', 'serializable', 'invalid'],
    ['write skew', skew, 'list-append', 'snapshot-isolation', 'valid'],
    ['write skew', registerSkew, 'rw-register', undefined, 'invalid'],
    ['write skew', registerSkew, 'rw-register', 'snapshot-isolation', 'valid'],
  ])('%s: %#, %j as a %s at %s', (_name, text, model, consistency, verdict) => {
    expect(judge(text, model, consistency === undefined ? {} : { consistency })).toBe(verdict);
  });
});

describe('a history of another kind', () => {
  it.each([
    ['counter', 'the model counter has no operation txn (at #0); it has add, increment, decrement, read'],
    ['bank', 'the model bank has no operation txn (at #0); it has transfer, read'],
    ['register', 'The model register has no operation "txn"'],
  ] as const)('is none of a %s', (model, message) => {
    expect(() => judge(inTurn(['txn', '[]', '[]']), model)).toThrow(message);
  });

  it('is none of a register at another level', () => {
    expect(() => judge(inTurn(['txn', '[]', '[]']), 'register', { consistency: 'causal' })).toThrow(
      'the model register has no operation txn (at #0); it has read, write',
    );
  });

  it('of which no transaction is one, or no read of a group, tells nothing', () => {
    const counted = inTurn(['add', '2', '2'], ['read', 'nil', '2']);
    expect(judge(counted, 'list-append')).toBe('unknown');
    expect(judge(counted, 'rw-register')).toBe('unknown');
    expect(judge(counted, 'long-fork')).toBe('unknown');
  });

  it('that holds lists is none of texts', () => {
    const bank = inTurn(['read', 'nil', '{0 5, 1 5}']);
    expect(() => judge(bank, 'kv')).toThrow('is no text');
    expect(() => judge(inTurn(['append', '[1]', '[1]'], ['append', '1', '1']), 'kv')).toThrow('is no text');
  });

  it.each(['list-append', 'rw-register', 'set', 'long-fork'] as const)('tells nothing of a %s', (model) => {
    expect(judge(inTurn(['cas', '[1 2]', '[1 2]']), model)).toBe('unknown');
  });
});

describe('what a file does not say', () => {
  const failedCas = inTurn(['write', '1', '1'], ['cas', '[1 2]', '[1 2]', 'fail']);
  const nilRead = inTurn(['write', '1', '1'], ['read', 'nil', 'nil']);
  const asLog = (text: string): string =>
    text
      .split(/\}\n?/)
      .filter((event) => event !== '')
      .map((event) => event.replace(/\{:process (\S+) :type (\S+) :f (\S+) :value (.*)/, '$1\t$2\t$3\t$4'))
      .join('\n');

  it('is read as Knossos would in EDN and JSON: a failed cas and a nil tell nothing', () => {
    expect(judge(failedCas, 'cas-register')).toBe('valid');
    expect(judge(nilRead, 'cas-register')).toBe('valid');
  });

  it('is read as Porcupine would in logs: both tell', () => {
    expect(judge(asLog(failedCas), 'cas-register')).toBe('invalid');
    expect(judge(asLog(nilRead), 'cas-register')).toBe('invalid');
  });

  it('can be said otherwise', () => {
    expect(judge(failedCas, 'cas-register', { failedCas: 'observes' })).toBe('invalid');
    expect(judge(nilRead, 'register', { nilReads: 'absent' })).toBe('invalid');
    expect(judge(asLog(failedCas), 'cas-register', { failedCas: 'ignored' })).toBe('valid');
    expect(judge(asLog(nilRead), 'cas-register', { nilReads: 'unknown' })).toBe('valid');
  });

  it('is no nil of a session, unless it is said', () => {
    const lost =
      '{:process 0 :type :invoke :f :write :value 1}{:process 0 :type :ok :f :write :value 1}{:process 0 :type :invoke :f :read}{:process 0 :type :ok :f :read :value nil}';
    expect(judge(lost, 'register')).toBe('valid');
    expect(judge(lost, 'register', { consistency: 'read-your-writes' })).toBe('invalid');
    expect(judge(lost, 'register', { consistency: 'read-your-writes', nilReads: 'unknown' })).toBe('valid');
  });

  it('is whether a cas-register begins as nil or at 0: one is invalid if it is so from both', () => {
    const fromZero = inTurn(['cas', '[0 1]', '[0 1]']);
    const fromNil = inTurn(['cas', '[nil 1]', '[nil 1]']);
    const fromTwo = inTurn(['cas', '[2 1]', '[2 1]']);
    expect([fromZero, fromNil, fromTwo].map((text) => judge(text, 'cas-register'))).toEqual([
      'valid',
      'valid',
      'invalid',
    ]);
    expect([fromZero, fromNil].map((text) => judge(text, 'cas-register', { initial: null }))).toEqual([
      'invalid',
      'valid',
    ]);
    expect([fromZero, fromNil].map((text) => judge(asLog(text), 'cas-register'))).toEqual([
      'invalid',
      'valid',
    ]);
    expect(judge(fromTwo, 'cas-register', { initial: 2 })).toBe('valid');
    expect(judge(inTurn(['read', 'nil', '0']), 'register')).toBe('invalid');
  });

  it.each([
    ['0', 0],
    ['nil', null],
    ['null', null],
    ['""', ''],
    ['{"a": 1}', new Map([['a', 1]])],
    ['{:a 1}', new Map([['a', 1]])],
    ['[1 2]', [1, 2]],
    [' [1, 2] ', [1, 2]],
  ])('--initial %s', (text, value) => {
    expect(parseValue(text, '--initial')).toEqual(value);
  });

  it.each(['', '1 2', '[1'])('--initial %j is no value', (text) => {
    expect(() => parseValue(text, '--initial')).toThrow(/^--initial:1: expected/);
  });
});

/**
 * What `trefoil check` can be asked: which checker judges a model at a consistency level, and what a file leaves
 * unsaid.
 *
 *     register, cas-register              linearizable, sequential, causal, the four session guarantees
 *     kv, mutex                           linearizable
 *     counter, set, bank, long-fork       `workload`, Jepsen's own definition; the first three linearizable as well
 *     list-append, rw-register            the isolation levels; strict-serializable unless told, as elle-cli has it
 *
 * Two traps lie between the projects whose histories we read. To Porcupine, a failed cas saw another value than its
 * `from`, and a read of nil saw that nothing was there; to Knossos neither tells anything. The format says whose
 * history it is, and an option can say otherwise.
 */
import { TrefoilError } from '../../src/core/errors.js';
import { unreachable } from '../../src/core/invariant.js';
import type { HistoryFormat } from '../history/detect-format.js';
import type { Operation, Value } from '../history/history.js';
import { checkCausal } from './consistency/causal.js';
import { checkSequential } from './consistency/sequential.js';
import { checkSessionGuarantee } from './consistency/session-guarantees.js';
import { checkLinearizable } from './linearizability/check-linearizable.js';
import { checkBank } from './objects/bank.js';
import { checkCounter } from './objects/counter.js';
import { checkSet } from './objects/set.js';
import { CONSISTENCY_DEFAULT, CONSISTENCY_LEVELS, consistencyNamed } from './transactions/consistency.js';
import { checkListAppend } from './transactions/list-append.js';
import { checkLongFork } from './transactions/long-fork.js';
import { checkRwRegister } from './transactions/rw-register.js';
import type { CheckBudget, Verdict } from './verdict.js';

export const MODELS = [
  'register',
  'cas-register',
  'kv',
  'counter',
  'set',
  'mutex',
  'bank',
  'long-fork',
  'list-append',
  'rw-register',
] as const;
export type Model = (typeof MODELS)[number];

const REGISTER_LEVELS = [
  'linearizable',
  'sequential',
  'causal',
  'read-your-writes',
  'monotonic-reads',
  'monotonic-writes',
  'writes-follow-reads',
];

/** What each model can be held to; the first is meant where none is named. */
const LEVELS: Readonly<Record<Model, readonly string[]>> = {
  register: REGISTER_LEVELS,
  'cas-register': REGISTER_LEVELS,
  kv: ['linearizable'],
  counter: ['workload', 'linearizable'],
  set: ['workload', 'linearizable'],
  mutex: ['linearizable'],
  bank: ['workload', 'linearizable'],
  'long-fork': ['workload'],
  'list-append': [
    CONSISTENCY_DEFAULT,
    ...CONSISTENCY_LEVELS.filter((level) => level !== CONSISTENCY_DEFAULT),
  ],
  'rw-register': [
    CONSISTENCY_DEFAULT,
    ...CONSISTENCY_LEVELS.filter((level) => level !== CONSISTENCY_DEFAULT),
  ],
};

const isTransactional = (model: Model): boolean => model === 'list-append' || model === 'rw-register';

/** The level that is meant by a name, or by none. Throws `BadRequest` for one that the model cannot be held to. */
export function levelOf(model: Model, name: string | undefined): string {
  const levels = LEVELS[model];
  if (name === undefined) return levels[0] as string;
  const level = isTransactional(model) ? consistencyNamed(name) : name;
  if (level !== undefined && levels.includes(level)) return level;
  throw new TrefoilError(
    'BadRequest',
    `--model ${model} cannot be held to --consistency ${name}; it can to ${levels.join(', ')}`,
  );
}

export interface CheckRequest {
  readonly model: Model;
  /** One that `levelOf` gave. */
  readonly level: string;
  /** Whose habits the history follows. */
  readonly format: HistoryFormat;
  /** What each object held before the history. */
  readonly initial?: Value;
  readonly nilReads?: NilReads;
  readonly failedCas?: FailedCas;
  readonly budget?: CheckBudget;
  /** Of a bank's workload: what all balances sum to; by default what the first read's do. */
  readonly total?: number;
  /** Of a bank's workload: whether a balance may be below zero. Default false. */
  readonly negativeBalances?: boolean;
  /** Of long-fork: how many keys each read asks for; by default as many as the first does. */
  readonly groupSize?: number;
}

/** What a read of nil says: that nothing was there, or nothing at all. */
export const NIL_READS = ['absent', 'unknown'] as const;
export type NilReads = (typeof NIL_READS)[number];
/** What a failed cas says: that the value was not its `from`, or nothing at all. */
export const FAILED_CAS = ['observes', 'ignored'] as const;
export type FailedCas = (typeof FAILED_CAS)[number];

/** Judges a history. Throws `BadRequest` where it is none of the model's. */
export function checkModel(operations: readonly Operation[], request: CheckRequest): Verdict {
  // Nothing was recorded: that is no evidence, and more often an accident.
  if (operations.length === 0) return { validity: 'unknown', reason: 'the history holds no operations' };
  return request.level === 'linearizable' ? linearizable(operations, request) : other(operations, request);
}

function linearizable(operations: readonly Operation[], request: CheckRequest): Verdict {
  const { model } = request;
  if (model === 'long-fork' || model === 'list-append' || model === 'rw-register')
    throw new TrefoilError('BadRequest', `${model} has no linearizable form`);
  const porcupine = request.format === 'jepsen-log' || request.format === 'porcupine-kv';
  const failedCas = request.failedCas ?? (porcupine ? 'observes' : 'ignored');
  const nilReads = request.nilReads ?? (porcupine || model === 'kv' ? 'absent' : 'unknown');
  const options = {
    model,
    nilReads,
    failedCasObserves: failedCas === 'observes',
    ...initialOf(request),
    ...budgetOf(request),
  };
  const verdict = checkLinearizable(operations, options);
  const mayBeginAtZero = model === 'cas-register' && nilReads === 'unknown' && request.initial === undefined;
  return verdict.validity === 'valid' || !mayBeginAtZero
    ? verdict
    : beginningAtZero(verdict, checkLinearizable(operations, { ...options, initial: 0 }));
}

/**
 * Knossos's cas-registers begin at 0, other people's at nil, and where a read of nil tells nothing no history says which.
 * So one is invalid only if it is so from either.
 */
function beginningAtZero(fromNil: Verdict, fromZero: Verdict): Verdict {
  if (fromZero.validity === 'valid') return { ...fromZero, reason: `${fromZero.reason}, beginning at 0` };
  return fromNil.validity === 'invalid' && fromZero.validity === 'unknown' ? fromZero : fromNil;
}

/** Of checkers that pass over what they do not know: a history of another kind would be valid. */
const SPOKEN: Partial<Record<Model, readonly string[]>> = {
  register: ['read', 'write'],
  'cas-register': ['read', 'write', 'cas'],
  counter: ['add', 'increment', 'decrement', 'read'],
  bank: ['transfer', 'read'],
};

function assertSpoken(operations: readonly Operation[], model: Model): void {
  const known = SPOKEN[model];
  const foreign = known && operations.find(({ f }) => !known.includes(f));
  if (foreign !== undefined)
    throw new TrefoilError(
      'BadRequest',
      `the model ${model} has no operation ${foreign.f} (at #${foreign.invokedAt}); it has ${known?.join(', ')}`,
    );
}

function other(operations: readonly Operation[], request: CheckRequest): Verdict {
  const { model, level } = request;
  assertSpoken(operations, model);
  if (isTransactional(model) && !operations.some(({ input, output }) => isList(input) || isList(output)))
    return { validity: 'unknown', reason: 'the history holds no transactions' };
  switch (model) {
    case 'register':
    case 'cas-register':
      return registerAt(operations, request);
    case 'counter':
      return checkCounter(operations, initialNumberOf(request));
    case 'set':
      return checkSet(operations);
    case 'bank':
      return checkBank(operations, {
        ...(request.total === undefined ? {} : { total: request.total }),
        negativeAllowed: request.negativeBalances ?? false,
      });
    case 'long-fork':
      return checkLongFork(
        operations,
        request.groupSize === undefined ? {} : { groupSize: request.groupSize },
      );
    case 'list-append':
      return checkListAppend(operations, { consistency: consistencyNamed(level) ?? CONSISTENCY_DEFAULT });
    case 'rw-register':
      return checkRwRegister(operations, {
        consistency: consistencyNamed(level) ?? CONSISTENCY_DEFAULT,
        ...initialOf(request),
      });
    case 'kv':
    case 'mutex':
      throw new TrefoilError('BadRequest', `${model} is held to linearizable only`);
    default:
      return unreachable(model);
  }
}

/** Nobody's habit makes a nil here other than absent: unless told otherwise, a session that finds its write gone has lost it. */
function registerAt(all: readonly Operation[], request: CheckRequest): Verdict {
  const { level } = request;
  const operations = request.nilReads === 'unknown' ? all.filter((operation) => !isNilRead(operation)) : all;
  const options = { ...initialOf(request), ...budgetOf(request) };
  switch (level) {
    case 'sequential':
      return checkSequential(operations, options);
    case 'causal':
      return checkCausal(operations, options);
    case 'read-your-writes':
    case 'monotonic-reads':
    case 'monotonic-writes':
    case 'writes-follow-reads':
      return checkSessionGuarantee(operations, level, options);
    default:
      throw new TrefoilError('BadRequest', `${request.model} cannot be held to ${level}`);
  }
}

function isList(value: Value): boolean {
  return Array.isArray(value);
}

function isNilRead({ f, outcome, output }: Operation): boolean {
  return f === 'read' && outcome === 'ok' && output === null;
}

function initialOf({ initial }: CheckRequest): { readonly initial?: Value } {
  return initial === undefined ? {} : { initial };
}

function initialNumberOf({ initial }: CheckRequest): { readonly initial?: number } {
  if (initial === undefined) return {};
  if (typeof initial === 'number') return { initial };
  throw new TrefoilError('BadRequest', 'a counter begins at a number: correct --initial');
}

function budgetOf({ budget }: CheckRequest): { readonly budget?: CheckBudget } {
  return budget === undefined ? {} : { budget };
}

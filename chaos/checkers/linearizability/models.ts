/** The models by name, and the check that a history speaks the model's language before anything is judged. */
import { TrefoilError } from '../../../src/core/errors.js';
import { unreachable } from '../../../src/core/invariant.js';
import type { Operation } from '../../history/history.js';
import { BANK_OPERATIONS, bankModel } from './bank-model.js';
import { COUNTER_OPERATIONS, counterModel } from './counter-model.js';
import { KV_OPERATIONS, kvModel } from './kv-model.js';
import type { Model, ModelName, ModelOptions } from './model.js';
import { MUTEX_OPERATIONS, mutexModel } from './mutex-model.js';
import { CAS_REGISTER_OPERATIONS, REGISTER_OPERATIONS, registerModel } from './register-model.js';
import { setElementModel } from './set-element-model.js';
import { SET_OPERATIONS, setModel } from './set-model.js';

const OPERATIONS: Readonly<Record<ModelName, readonly string[]>> = {
  register: REGISTER_OPERATIONS,
  'cas-register': CAS_REGISTER_OPERATIONS,
  kv: KV_OPERATIONS,
  counter: COUNTER_OPERATIONS,
  set: SET_OPERATIONS,
  mutex: MUTEX_OPERATIONS,
  bank: BANK_OPERATIONS,
};

/** Throws BadRequest at the first operation that the model does not have. */
export function assertSpoken(name: ModelName, operations: readonly Operation[]): void {
  const known = new Set(OPERATIONS[name]);
  for (const { f, invokedAt } of operations) {
    if (known.has(f)) continue;
    const has = OPERATIONS[name].join(', ');
    throw new TrefoilError(
      'BadRequest',
      `The model ${name} has no operation ${JSON.stringify(f)} (at #${invokedAt}); it has ${has}.`,
    );
  }
}

/** The model of one object, for the operations of a history that concern it. */
export function modelOf(name: ModelName, operations: readonly Operation[], options: ModelOptions): Model {
  switch (name) {
    case 'register':
    case 'cas-register':
      return registerModel(options);
    case 'kv':
      return kvModel(operations, options);
    case 'counter':
      return counterModel(operations, options);
    case 'set':
      return options.element === undefined
        ? setModel(operations, options)
        : setElementModel(options.element, options);
    case 'mutex':
      return mutexModel();
    case 'bank':
      return bankModel(operations, options);
    default:
      return unreachable(name);
  }
}

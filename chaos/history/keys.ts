/**
 * Histories of several objects. An event names its object in one of two ways: by a field `:key`, as Porcupine's do,
 * or by a value `[key value]`, as Jepsen's `independent` writes all of a history.
 *
 * The second looks like a cas-register's `[from to]`, or a register that holds pairs. So values are taken for keyed
 * only where nothing contradicts it and something proves it:
 *
 *     every value      is a pair that begins with a number, a text or a boolean; an `ok` has its invocation's key
 *     every cas        is `[key [from to]]`                                                      and is a proof
 *     every txn        is `[key [[f k v] ...]]`                                                  and is a proof
 *     an invocation    whose value is `[key nil]`: a read that asks for that key                 is a proof
 *
 * One event that does not fit, and the values stand as they are. A history of writes alone proves nothing, and is
 * judged the same either way.
 */
import { keyOf } from './event-fields.js';
import type { Value } from './history.js';
import type { OpenOperation } from './pairing.js';

/** Moves the keys of values to `key`, in place, where the history is of that form. Says whether it was. */
export function splitKeys(operations: readonly OpenOperation[]): boolean {
  let proven = false;
  for (const operation of operations) {
    const { f, input, output } = operation;
    if (operation.key !== undefined || !isKeyed(input)) return false;
    const asked = input[1];
    if (f === 'cas' && !isPair(asked)) return false;
    if (f === 'txn' && !isTransaction(asked)) return false;
    if (output !== input && !(isKeyed(output) && output[0] === input[0])) return false;
    proven ||= asked === null || f === 'cas' || f === 'txn';
  }
  if (!proven) return false;
  for (const operation of operations) {
    const [key, input] = operation.input as Keyed;
    operation.output = operation.output === operation.input ? input : (operation.output as Keyed)[1];
    operation.input = input;
    operation.key = keyOf(key) ?? '';
  }
  return true;
}

type Keyed = readonly [Value, Value];

function isPair(value: Value): value is Keyed {
  return Array.isArray(value) && value.length === 2;
}

function isKeyed(value: Value): value is Keyed {
  return isPair(value) && value[0] !== null && typeof value[0] !== 'object';
}

function isTransaction(value: Value): boolean {
  return Array.isArray(value) && value.every((step) => Array.isArray(step));
}

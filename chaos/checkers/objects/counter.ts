/**
 * A counter, by Jepsen's definition: `add` changes it by a number (so do `increment` and `decrement`), `read` tells it. Every read must lie between
 * the least and the greatest value that the adds known then allow.
 *
 * An add counts for certain from its completion on, and possibly from its invocation on; one that failed never
 * counts, one that is `info` possibly for ever. So while a read is open, the lower bound is the least that the
 * value could be at any moment of it, and the upper bound the greatest. One pass over the events.
 */
import type { Operation, Value } from '../../history/history.js';
import { nameOf, textOf } from '../transactions/interned.js';
import type { Verdict } from '../verdict.js';
import { eventsOf, groupedByKey } from './events.js';

export interface CounterCheckOptions {
  readonly initial?: number;
}

interface Bounds {
  lower: number;
  upper: number;
}

export function checkCounter(operations: readonly Operation[], options: CounterCheckOptions = {}): Verdict {
  let reads = 0;
  const groups = groupedByKey(operations);
  for (const [key, group] of groups) {
    const verdict = checkOne(group, options.initial ?? 0, key === undefined ? '' : ` of ${nameOf(key)}`);
    if (typeof verdict !== 'number') return verdict;
    reads += verdict;
  }
  return { validity: 'valid', reason: `${operations.length} operations, ${reads} reads within their bounds` };
}

/** How many reads were found within their bounds, or what is wrong. */
function checkOne(operations: readonly Operation[], initial: number, name: string): Verdict | number {
  const now: Bounds = { lower: initial, upper: initial };
  const open = new Map<Operation, Bounds>();
  let reads = 0;
  for (const { operation, completes } of eventsOf(operations)) {
    if (operation.outcome === 'fail') continue;
    if (operation.f !== 'read') {
      const amount = amountOf(operation);
      if (!isWhole(amount)) {
        return unknown(
          `operation ${operation.index} adds ${textOf(amount)}, which is no whole number below 2^53`,
        );
      }
      // Begun, a positive add may show; completed, it must. A negative one lowers first what may be seen.
      if (amount > 0 === completes) now.lower += amount;
      else now.upper += amount;
      if (!isWhole(now.lower) || !isWhole(now.upper)) return unknown('the adds sum to more than 2^53');
      for (const bounds of open.values()) {
        bounds.lower = Math.min(bounds.lower, now.lower);
        bounds.upper = Math.max(bounds.upper, now.upper);
      }
    } else if (operation.outcome === 'ok') {
      if (!completes) {
        open.set(operation, { ...now });
        continue;
      }
      const { lower, upper } = open.get(operation) ?? now;
      open.delete(operation);
      const value = operation.output;
      if (!isWhole(value)) {
        return unknown(
          `operation ${operation.index} read ${textOf(value)}${name}, which is no whole number below 2^53`,
        );
      }
      if (value < lower || value > upper) return outOfBounds(operation, value, { lower, upper }, name);
      reads += 1;
    }
  }
  return reads;
}

/** What it adds; `increment` and `decrement` do by 1 where no value is given. */
function amountOf({ f, input }: Operation): Value {
  if (f === 'add') return input;
  const amount = input ?? 1;
  return f === 'decrement' && typeof amount === 'number' ? -amount : amount;
}

function outOfBounds(read: Operation, value: number, { lower, upper }: Bounds, name: string): Verdict {
  const between = lower === upper ? `${lower}` : `${lower} to ${upper}`;
  return {
    validity: 'invalid',
    reason: `operation ${read.index} read ${value}${name}, where ${between} was possible`,
    witness: {
      lines: [
        `process ${read.process} read ${value}${name} (operation ${read.index})`,
        `the adds that had completed, and those open or unknown then, leave ${between}`,
      ],
      operations: [read],
    },
  };
}

/** Others round when they are summed, and a rounded sum would make a verdict. */
function isWhole(value: Value): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value);
}

function unknown(reason: string): Verdict {
  return { validity: 'unknown', reason };
}

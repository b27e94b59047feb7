/**
 * A counter, by Jepsen's definition: `add` changes it by a number, `read` tells it. Every read must lie between
 * the least and the greatest value that the adds known then allow.
 *
 * An add counts for certain from its completion on, and possibly from its invocation on; one that failed never
 * counts, one that is `info` possibly for ever. So while a read is open, the lower bound is the least that the
 * value could be at any moment of it, and the upper bound the greatest. One pass over the events.
 */
import type { Operation } from '../../history/history.js';
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
    if (operation.f === 'add') {
      const amount = operation.input;
      if (typeof amount !== 'number') {
        return unknown(`operation ${operation.index} adds ${textOf(amount)}, which is no number`);
      }
      // Begun, a positive add may show; completed, it must. A negative one lowers first what may be seen.
      if (amount > 0 === completes) now.lower += amount;
      else now.upper += amount;
      for (const bounds of open.values()) {
        bounds.lower = Math.min(bounds.lower, now.lower);
        bounds.upper = Math.max(bounds.upper, now.upper);
      }
    } else if (operation.f === 'read' && operation.outcome === 'ok') {
      if (!completes) {
        open.set(operation, { ...now });
        continue;
      }
      const { lower, upper } = open.get(operation) ?? now;
      open.delete(operation);
      const value = operation.output;
      if (typeof value !== 'number') {
        return unknown(`operation ${operation.index} read ${textOf(value)}${name}, which is no number`);
      }
      if (value < lower || value > upper) return outOfBounds(operation, value, { lower, upper }, name);
      reads += 1;
    }
  }
  return reads;
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

function unknown(reason: string): Verdict {
  return { validity: 'unknown', reason };
}

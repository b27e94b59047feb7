/**
 * Counters: increments by small amounts, and reads of the total. What was acknowledged counts once, what is
 * unknown once or not at all.
 */
import { completeRead, completeWrite } from './completing.js';
import { levelsOf, sessionOf } from './namespaces.js';
import { keyNames, planOpenLoop, readEach, weighted, type Step } from './planning.js';
import type { Workload } from './workload.js';

export const counter: Workload = {
  name: 'counter',
  summary: 'counters of the policy `counter`: add and read',
  plan: (random, options) =>
    planOpenLoop(random, options, (_serial, key) =>
      weighted<Step>(random, [
        [2, { f: 'add', key, value: 1 + random.integer(3) }],
        [1, { f: 'read', key, value: null }],
      ]),
    ),
  client(database, options) {
    const counters = sessionOf(database.counter(options.namespace), database, options);
    const levels = levelsOf(options);
    return {
      perform(operation) {
        const key = operation.key as string;
        if (operation.f === 'read') {
          return completeRead(operation, async () => (await counters.get(key, levels)).value);
        }
        return completeWrite(operation, async () => {
          await counters.increment(key, operation.value as number, levels);
          return operation.value;
        });
      },
    };
  },
  finalReads: (options) => readEach(keyNames(options), (key) => ({ f: 'read', key, value: null })),
};

/**
 * Counters: increments by small amounts, and reads of the total. What was acknowledged counts once, what is
 * unknown once or not at all. With a leader a counter is a number that is updated by compare-and-set.
 */
import type { Database, Namespace } from '../../src/client/api.js';
import { completeRead, completeWrite } from './completing.js';
import { hasLeader, levelsOf, namespaceOf, sessionOf } from './namespaces.js';
import { keyNames, planOpenLoop, readEach, weighted, type Step } from './planning.js';
import type { Workload, WorkloadOptions } from './workload.js';

export const counter: Workload = {
  name: 'counter',
  summary: 'counters: add and read',
  plan: (random, options) =>
    planOpenLoop(random, options, (_serial, key) =>
      weighted<Step>(random, [
        [2, { f: 'add', key, value: 1 + random.integer(3) }],
        [1, { f: 'read', key, value: null }],
      ]),
    ),
  client(database, options) {
    const counters = countersOf(database, options);
    return {
      perform(operation) {
        const key = operation.key as string;
        if (operation.f === 'read') {
          return completeRead(operation, () => counters.read(key));
        }
        return completeWrite(operation, async () => {
          await counters.add(key, operation.value as number);
          return operation.value;
        });
      },
    };
  },
  finalReads: (options) => readEach(keyNames(options), (key) => ({ f: 'read', key, value: null })),
};

interface Counters {
  read(key: string): Promise<number>;
  add(key: string, by: number): Promise<unknown>;
}

function countersOf(database: Database, options: WorkloadOptions): Counters {
  const levels = levelsOf(database, options);
  if (hasLeader(database, options)) {
    const numbers: Namespace<number> = namespaceOf(database, options);
    return {
      read: async (key) => (await numbers.get(key, levels.reads)).value ?? 0,
      add: (key, by) => numbers.update(key, (current) => (current ?? 0) + by, levels.updates),
    };
  }
  const counters = sessionOf(database.counter(options.namespace), database, options);
  return {
    read: async (key) => (await counters.get(key, levels.reads)).value,
    add: (key, by) => counters.increment(key, by, levels.writes),
  };
}

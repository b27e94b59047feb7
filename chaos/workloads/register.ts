/**
 * Plain registers: read and write, each written value unique. For namespaces that show one value (`lww`, and
 * strategies that have but one); a read of an absent key is null. `cas-register.ts` has compare-and-set as well.
 */
import type { Namespace } from '../../src/client/api.js';
import { completeRead, completeWrite } from './completing.js';
import { levelsOf, namespaceOf } from './namespaces.js';
import { keyNames, planOpenLoop, readEach, weighted } from './planning.js';
import type { Workload } from './workload.js';

export const register: Workload = {
  name: 'register',
  summary: 'registers: read and write, values unique',
  plan: (random, options) =>
    planOpenLoop(random, options, (serial, key) => {
      const f = weighted(random, [
        [1, 'read'],
        [1, 'write'],
      ]);
      return { f, key, value: f === 'read' ? null : `v${String(serial)}` };
    }),
  client(database, options) {
    const namespace: Namespace<string> = namespaceOf(database, options);
    const levels = levelsOf(database, options);
    return {
      perform(operation) {
        const key = operation.key as string;
        if (operation.f === 'read') {
          return completeRead(operation, async () => (await namespace.get(key, levels.reads)).value ?? null);
        }
        return completeWrite(operation, async () => {
          await namespace.put(key, operation.value as string, levels.writes);
          return operation.value;
        });
      },
    };
  },
  finalReads: (options) => readEach(keyNames(options), (key) => ({ f: 'read', key, value: null })),
};

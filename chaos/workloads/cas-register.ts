/**
 * Registers with compare-and-set, each written value unique: `[old, new]` on the condition of the version that the client saw last,
 * as an application would that shows a value, lets somebody edit it and stores it. What it saw may be long out of date.
 */
import type { Entry, Namespace } from '../../src/client/api.js';
import type { Value } from '../history/history.js';
import { completeRead, completeWrite } from './completing.js';
import { levelsOf, namespaceOf } from './namespaces.js';
import { keyNames, planOpenLoop, readEach, weighted } from './planning.js';
import type { Workload } from './workload.js';

/** What a client saw of a key last; version 0 is absent. */
interface Seen {
  readonly value: string | null;
  readonly version: number;
}

const NEVER_SEEN: Seen = { value: null, version: 0 };

export const casRegister: Workload = {
  name: 'cas-register',
  summary: 'registers: read, write and compare-and-set, values unique',
  plan: (random, options) =>
    planOpenLoop(random, options, (serial, key) => {
      const f = weighted(random, [
        [2, 'read'],
        [1, 'write'],
        [2, 'cas'],
      ]);
      return { f, key, value: f === 'read' ? null : `v${String(serial)}` };
    }),
  client(database, options) {
    const namespace: Namespace<string> = namespaceOf(database, options);
    const levels = levelsOf(database, options);
    const seen = new Map<string, Seen>();
    const seenOf = (key: string): Seen => seen.get(key) ?? NEVER_SEEN;
    return {
      prepare: (operation) =>
        operation.f === 'cas'
          ? { ...operation, value: [seenOf(operation.key as string).value, operation.value] }
          : operation,
      perform(operation) {
        const key = operation.key as string;
        switch (operation.f) {
          case 'read':
            return completeRead(operation, async () => {
              const shown = shownBy(await namespace.get(key, levels.reads));
              seen.set(key, shown);
              return shown.value;
            });
          case 'write':
            return completeWrite(operation, async () => {
              const value = operation.value as string;
              const { version } = await namespace.put(key, value, levels.writes);
              seen.set(key, { value, version: version as number });
              return value;
            });
          default:
            return completeWrite(operation, async () => {
              const [, value] = operation.value as [Value, string];
              const { version } = seenOf(key);
              const written = await namespace.put(key, value, { ...levels.writes, ifVersion: version });
              seen.set(key, { value, version: written.version as number });
              return operation.value;
            });
        }
      },
    };
  },
  finalReads: (options) => readEach(keyNames(options), (key) => ({ f: 'read', key, value: null })),
};

function shownBy({ value, version }: Entry<string>): Seen {
  return { value: value ?? null, version: version as number };
}

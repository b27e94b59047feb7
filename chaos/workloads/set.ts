/**
 * Sets: elements are added and removed, each added once; a remove takes away what the client has seen of it. What was added
 * and acknowledged is there unless it was removed, and what was removed stays away.
 */
import { completeRead, completeWrite } from './completing.js';
import { levelsOf, sessionOf } from './namespaces.js';
import { keyNames, planOpenLoop, readEach, weighted, type Step } from './planning.js';
import type { Workload } from './workload.js';

/** How far back a remove reaches for an element of its key, in operations. */
const REACH = 40;

export const set: Workload = {
  name: 'set',
  summary: 'sets of the policy `set`: add, remove, read',
  plan: (random, options) => {
    const added = new Map<string, string[]>();
    return planOpenLoop(random, options, (serial, key) => {
      const elements = added.get(key) ?? [];
      added.set(key, elements);
      const f = weighted(random, [
        [3, 'add'],
        [1, 'remove'],
        [2, 'read'],
      ]);
      const step = (value: Step['value']): Step => ({ f, key, value });
      if (f === 'read') return step(null);
      if (f === 'remove' && elements.length > 0) {
        const recent = elements.slice(-REACH);
        return step(recent[random.integer(recent.length)] as string);
      }
      const element = `e${String(serial)}`;
      elements.push(element);
      return { f: 'add', key, value: element };
    });
  },
  client(database, options) {
    const sets = sessionOf(database.set<string>(options.namespace), database, options);
    const levels = levelsOf(database, options);
    return {
      perform(operation) {
        const key = operation.key as string;
        const element = operation.value as string;
        switch (operation.f) {
          case 'read':
            return completeRead(operation, async () => [...(await sets.get(key, levels.reads)).elements]);
          case 'add':
            return completeWrite(operation, async () => {
              await sets.add(key, [element], levels.writes);
              return element;
            });
          default:
            return completeWrite(operation, async () => {
              await sets.remove(key, [element], levels.updates);
              return element;
            });
        }
      },
    };
  },
  finalReads: (options) => readEach(keyNames(options), (key) => ({ f: 'read', key, value: null })),
};

/**
 * Lists that are appended to, as transactions of one micro-operation, the form that Elle reads:
 * `[["append", key, v]]` and `[["r", key, [1, 2]]]`. An append is a read-modify-write of the whole list; siblings
 * are merged as an application would that may not lose an element: one after the other, each element once.
 */
import type { Namespace } from '../../src/client/api.js';
import type { Value } from '../history/history.js';
import { completeRead, completeWrite } from './completing.js';
import { levelsOf, namespaceOf } from './namespaces.js';
import { keyNames, planOpenLoop, readEach, weighted } from './planning.js';
import type { Workload } from './workload.js';

export const listAppend: Workload = {
  name: 'list-append',
  summary: 'lists: append by read-modify-write, read; as transactions of one micro-operation',
  plan: (random, options) =>
    planOpenLoop(random, options, (serial, key) => {
      const append = weighted(random, [
        [1, true],
        [1, false],
      ]);
      return { f: 'txn', value: append ? [['append', key, serial]] : [['r', key, null]] };
    }),
  client(database, options) {
    const namespace: Namespace<number[]> = namespaceOf(database, options);
    const levels = levelsOf(database, options);
    return {
      perform(operation) {
        const [kind, key, element] = (operation.value as readonly Value[][])[0] as [string, string, number];
        if (kind === 'r') {
          return completeRead(operation, async () => {
            const { siblings } = await namespace.get(key, levels.reads);
            return [['r', key, merged(siblings)]];
          });
        }
        return completeWrite(operation, async () => {
          await namespace.update(
            key,
            (_current, siblings) => [...without(merged(siblings), element), element],
            levels.updates,
          );
          return operation.value;
        });
      },
    };
  },
  finalReads: (options) => readEach(keyNames(options), (key) => ({ f: 'txn', value: [['r', key, null]] })),
};

/** The longest first, so that lists of which one extends the other merge to the longer. */
function merged(siblings: readonly (readonly number[])[]): number[] {
  const lists = siblings.toSorted((a, b) => b.length - a.length || (a[0] ?? 0) - (b[0] ?? 0));
  return [...new Set(lists.flat())];
}

/** An attempt that was undone may have left the element behind. */
function without(list: readonly number[], element: number): number[] {
  return list.filter((one) => one !== element);
}

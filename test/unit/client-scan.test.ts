import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mergePartitions, type FetchScanPage } from '../../src/client/scan.js';
import { TrefoilError } from '../../src/core/errors.js';
import { compareKeys } from '../../src/core/text-order.js';
import type { ScanEntry } from '../../src/protocol/messages.js';

const entry = (key: string): ScanEntry => ({ key, values: [], context: new Uint8Array(), version: 0 });

interface Server {
  readonly fetch: FetchScanPage;
  /** Every request, as `partition after`. */
  readonly asked: string[];
  /** The most requests open at once for one partition. */
  openMax: number;
}

/** Pages of at most `pageMax` entries, however many were asked for, as a node's may be. */
function server(partitions: readonly (readonly string[])[], pageMax: number): Server {
  const open = new Map<number, number>();
  const made: Server = {
    asked: [],
    openMax: 0,
    fetch: async (partition, after, limit) => {
      made.asked.push(`${partition} ${after}`);
      open.set(partition, (open.get(partition) ?? 0) + 1);
      made.openMax = Math.max(made.openMax, ...open.values());
      await Promise.resolve();
      open.set(partition, (open.get(partition) ?? 0) - 1);
      const rest = (partitions[partition] ?? []).filter((key) => after === '' || compareKeys(key, after) > 0);
      const page = rest.slice(0, Math.min(limit, pageMax));
      const last = page.at(-1);
      return {
        type: 'scan-result',
        entries: page.map(entry),
        next: last === undefined || page.length === rest.length ? null : last,
        lag: null,
      };
    },
  };
  return made;
}

async function keysOf(entries: AsyncIterable<ScanEntry>): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of entries) keys.push(key);
  return keys;
}

const keys = fc.uniqueArray(fc.string({ unit: 'binary', minLength: 1, maxLength: 4 }), { maxLength: 60 });

describe('the merge of partitions', () => {
  test('gives every key once, in byte order, after `after` and up to `limit`', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(6), keys), { maxLength: 12 }),
        fc.string({ unit: 'binary', maxLength: 3 }),
        fc.option(fc.nat(40), { nil: Infinity }),
        fc.integer({ min: 1, max: 7 }),
        async (groups, after, limit, pageMax) => {
          const all = [...new Set(groups.flatMap(([, group]) => group))].sort(compareKeys);
          const homes = new Map(groups.flatMap(([home, group]) => group.map((key) => [key, home] as const)));
          const partitions = Array.from({ length: 7 }, (_, p) => all.filter((key) => homes.get(key) === p));
          const { fetch } = server(partitions, pageMax);
          const options = { partitions: [0, 1, 2, 3, 4, 5, 6], after, limit };
          const expected = all.filter((key) => after === '' || compareKeys(key, after) > 0);
          expect(await keysOf(mergePartitions(fetch, options))).toEqual(expected.slice(0, limit));
        },
      ),
      { numRuns: 300 },
    );
  });

  test('goes on over empty pages that are not the last', async () => {
    const pages: Record<string, { entries: ScanEntry[]; next: string | null }> = {
      '': { entries: [], next: 'b' },
      b: { entries: [], next: 'd' },
      d: { entries: [entry('e')], next: null },
    };
    const fetch: FetchScanPage = async (_, after) => ({
      type: 'scan-result',
      ...(pages[after] ?? { entries: [], next: null }),
      lag: null,
    });
    expect(await keysOf(mergePartitions(fetch, { partitions: [0], after: '', limit: Infinity }))).toEqual([
      'e',
    ]);
  });

  test('asks for one page of a partition at a time, and for no page ahead of the one in use', async () => {
    const made = server(
      [
        ['a', 'c', 'e', 'g'],
        ['b', 'd', 'f', 'h'],
      ],
      2,
    );
    const seen: [string, number][] = [];
    for await (const { key } of mergePartitions(made.fetch, {
      partitions: [0, 1],
      after: '',
      limit: Infinity,
    })) {
      seen.push([key, made.asked.length]);
    }
    expect(made.openMax).toBe(1);
    expect(seen.map(([key]) => key).join('')).toBe('abcdefgh');
    // The second pages are asked for when the last entries of the first pages leave, not before.
    expect(seen.map(([, asked]) => asked)).toEqual([2, 2, 3, 4, 4, 4, 4, 4]);
  });

  test('stops asking when the consumer stops', async () => {
    const made = server([Array.from({ length: 50 }, (_, i) => `a${String(i).padStart(2, '0')}`)], 10);
    for await (const { key } of mergePartitions(made.fetch, {
      partitions: [0],
      after: '',
      limit: Infinity,
    })) {
      if (key === 'a03') break;
    }
    await new Promise<void>((resolve) => queueMicrotask(resolve));
    expect(made.asked).toEqual(['0 ']);
  });

  test('asks for no page beyond the limit', async () => {
    const made = server([['a', 'b', 'c', 'd']], 2);
    expect(await keysOf(mergePartitions(made.fetch, { partitions: [0], after: '', limit: 2 }))).toEqual([
      'a',
      'b',
    ]);
    expect(made.asked).toEqual(['0 ']);
    expect(await keysOf(mergePartitions(made.fetch, { partitions: [0], after: '', limit: 0 }))).toEqual([]);
    expect(made.asked).toEqual(['0 ']);
  });

  test('ends with the error of a page', async () => {
    const fetch: FetchScanPage = async (_, after) => {
      if (after !== '') throw new TrefoilError('QuorumUnavailable', 'x');
      return { type: 'scan-result', entries: [entry('a')], next: 'a', lag: null };
    };
    const seen: string[] = [];
    const scan = async (): Promise<void> => {
      for await (const { key } of mergePartitions(fetch, { partitions: [0], after: '', limit: Infinity })) {
        seen.push(key);
      }
    };
    await expect(scan()).rejects.toMatchObject({ code: 'QuorumUnavailable' });
    expect(seen).toEqual(['a']);
  });
});

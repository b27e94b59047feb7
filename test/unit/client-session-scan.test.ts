/** A scan in a session: what the session knows and the scan left out is read in its place. */
import { expect, test } from 'vitest';
import { scanInSession } from '../../src/client/session-scan.js';
import type { ScanEntry } from '../../src/protocol/messages.js';

/** Scans `found`, where `live` are the keys that have a value, and gives what came and what was read. */
async function scan(
  found: readonly string[],
  known: readonly string[],
  { limit = Infinity, live = [...found, ...known] } = {},
): Promise<{ shown: string[]; read: string[] }> {
  const read: string[] = [];
  const shown: string[] = [];
  const pages = async function* (): AsyncGenerator<ScanEntry> {
    for (const key of found.slice(0, limit))
      yield await Promise.resolve({ key, values: [], context: new Uint8Array(), version: 0 });
  };
  const get = (key: string): Promise<string | undefined> => {
    read.push(key);
    return Promise.resolve(live.includes(key) ? key : undefined);
  };
  const take = ({ key }: ScanEntry): Promise<string | undefined> =>
    Promise.resolve(live.includes(key) ? key : undefined);
  for await (const key of scanInSession(pages(), { known, limit, take, read: get })) shown.push(key);
  return { shown, read };
}

test('without anything known it is the scan', async () => {
  expect(await scan(['a', 'b'], [])).toEqual({ shown: ['a', 'b'], read: [] });
});

test('what was left out comes in order: before, between, after', async () => {
  expect(await scan(['b', 'd'], ['a', 'b', 'c', 'e'])).toEqual({
    shown: ['a', 'b', 'c', 'd', 'e'],
    read: ['a', 'c', 'e'],
  });
});

test('what is read and gone is not shown, and takes no room', async () => {
  expect((await scan(['b', 'd'], ['a', 'c'], { limit: 2, live: ['b', 'd'] })).shown).toEqual(['b', 'd']);
});

test('the limit counts what is shown, and nothing is read beyond the last key that the scan came to', async () => {
  expect(await scan(['b', 'd', 'f'], ['a', 'c'], { limit: 3 })).toEqual({
    shown: ['a', 'b', 'c'],
    read: ['a', 'c'],
  });
  expect(await scan(['b', 'd'], ['z'], { limit: 2, live: ['d', 'z'] })).toEqual({ shown: ['d'], read: [] });
});

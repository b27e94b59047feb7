/**
 * What every Storage must do, whatever it stands on. An implementation runs it by one call of
 * `describeStorage`; the kinds differ only in how they open, and in how their time passes.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compareKeys } from '../../src/core/text-order.js';
import type { Storage, StorageView } from '../../src/runtime/runtime.js';

export interface StorageWorld {
  /** Opens the one folder of this world. */
  open(): Promise<Storage>;
  /** Settles a promise of the storage, running virtual time where there is such. */
  settle<T>(promise: Promise<T>): Promise<T>;
  dispose(): Promise<void>;
}

export interface StorageKind {
  readonly name: string;
  makeWorld(): Promise<StorageWorld>;
  /** Whether what was written is there again after closing and opening, and a second handle is refused. */
  readonly persistent: boolean;
  /** Whether bytes are copied on their way in and out. False only for a stand-in that shares its own. */
  readonly copies: boolean;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (value: Uint8Array | undefined): string | undefined =>
  value === undefined ? undefined : new TextDecoder().decode(value);

const ALL = { gte: '', lt: '\u{10ffff}' };
const NO_LIMIT = 1_000_000;

export function describeStorage(kind: StorageKind): void {
  describe(`${kind.name} storage`, () => {
    let world: StorageWorld;
    let storage: Storage;

    beforeEach(async () => {
      world = await kind.makeWorld();
      storage = await world.settle(world.open());
    });

    afterEach(async () => {
      await world.settle(storage.close()).catch(() => undefined);
      await world.dispose();
    });

    const put = async (entries: Record<string, string>, sync = true): Promise<void> => {
      const batch = storage.batch();
      for (const [key, value] of Object.entries(entries)) batch.put(key, bytes(value));
      await world.settle(batch.write({ sync }));
    };
    const scan = async (
      range: Parameters<Storage['scan']>[0],
      limit = NO_LIMIT,
      bytesMax = NO_LIMIT,
    ): Promise<string[]> => (await world.settle(storage.scan(range, limit, bytesMax))).map(([key]) => key);

    describe('reading and writing', () => {
      it('has nothing at first', async () => {
        expect(storage.get('a')).toBeUndefined();
        expect(await scan(ALL)).toEqual([]);
      });

      it.each([true, false])('shows a batch once its write has resolved (sync: %s)', async (sync) => {
        await put({ a: '1', b: '2' }, sync);
        expect(text(storage.get('a'))).toBe('1');
        expect(text(storage.get('b'))).toBe('2');
        expect(storage.get('c')).toBeUndefined();
      });

      it('overwrites and deletes, and the last of a batch stands', async () => {
        await put({ a: '1', b: '2', c: '3' });
        const batch = storage.batch();
        batch.put('a', bytes('one'));
        batch.delete('b');
        batch.delete('c');
        batch.put('c', bytes('again'));
        batch.delete('never was');
        expect(batch.length).toBe(5);
        await world.settle(batch.write({ sync: true }));
        expect(text(storage.get('a'))).toBe('one');
        expect(storage.get('b')).toBeUndefined();
        expect(text(storage.get('c'))).toBe('again');
      });

      it('keeps empty and large values byte for byte', async () => {
        const large = Uint8Array.from({ length: 1_000_000 }, (_, i) => (i * 31) & 255);
        const batch = storage.batch();
        batch.put('empty', new Uint8Array());
        batch.put('large', large);
        await world.settle(batch.write({ sync: true }));
        expect(storage.get('empty')?.length).toBe(0);
        expect(Buffer.compare(storage.get('large') ?? bytes(''), large)).toBe(0);
      });

      it('finds long keys of several bytes a character, after short ones', async () => {
        const keys = ['a', '€'.repeat(40), '😀'.repeat(200), `x${'é'.repeat(511)}`, 'ü'.repeat(3000), 'z'];
        await put(Object.fromEntries(keys.map((key, i) => [key, String(i)])));
        expect(keys.map((key) => text(storage.get(key)))).toEqual(['0', '1', '2', '3', '4', '5']);
      });

      it('shows a batch in flight whole or not at all', async () => {
        await put({ a: '0', b: '0' });
        const batch = storage.batch();
        batch.put('a', bytes('1'));
        batch.put('b', bytes('1'));
        const writing = batch.write({ sync: true });
        const seen = (await world.settle(storage.scan(ALL, 10, NO_LIMIT))).map(([, value]) => text(value));
        expect(['0,0', '1,1']).toContain(seen.join());
        await world.settle(writing);
        expect((await world.settle(storage.scan(ALL, 10, NO_LIMIT))).map(([, v]) => text(v))).toEqual([
          '1',
          '1',
        ]);
      });

      it('writes concurrent batches in the order of their calls', async () => {
        const writes = Array.from({ length: 20 }, (_, i) => {
          const batch = storage.batch();
          batch.put('last', bytes(String(i)));
          batch.put(`k${String(i)}`, bytes(''));
          return batch.write({ sync: i % 3 === 0 });
        });
        await world.settle(Promise.all(writes));
        expect(await scan({ gte: 'k', lt: 'l' })).toHaveLength(20);
        expect(text(storage.get('last'))).toBe('19');
      });

      it('forgets a discarded batch', async () => {
        const batch = storage.batch();
        batch.put('a', bytes('1'));
        await world.settle(batch.discard());
        await put({ b: '2' });
        expect(storage.get('a')).toBeUndefined();
      });

      it('takes an empty batch', async () => {
        await world.settle(storage.batch().write({ sync: true }));
        expect(await scan(ALL)).toEqual([]);
      });

      it.runIf(kind.copies)('hands out bytes that are the caller’s own', async () => {
        await put({ a: 'abc' });
        storage.get('a')?.fill(0);
        for (const [, value] of await world.settle(storage.scan(ALL, 10, NO_LIMIT))) value.fill(0);
        expect(text(storage.get('a'))).toBe('abc');
      });

      it.runIf(kind.copies)('copies what is put, so that the caller may reuse the bytes', async () => {
        const reused = bytes('abc');
        const batch = storage.batch();
        batch.put('a', reused);
        reused.fill(0);
        await world.settle(batch.write({ sync: true }));
        expect(text(storage.get('a'))).toBe('abc');
      });
    });

    describe('scanning', () => {
      // Where UTF-16 order differs from UTF-8: U+FF61 and U+E000 come before a surrogate pair in bytes.
      const KEYS = [
        '',
        'a',
        'a\u0000',
        'ab',
        'b',
        '\u007f',
        'é',
        '\ud7ff',
        '\ue000',
        '\uff61',
        '\u{10000}',
        '😀',
      ];

      it('goes by unsigned UTF-8 bytes, beyond the basic plane too', async () => {
        await put(
          Object.fromEntries(
            KEYS.filter((key) => key !== '')
              .toReversed()
              .map((key) => [key, key]),
          ),
        );
        const expected = KEYS.slice(1).toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
        expect(await scan(ALL)).toEqual(expected);
        expect(expected.toSorted(compareKeys)).toEqual(expected);
        expect(await scan({ gte: '\ue000', lt: '\u{10001}' })).toEqual(['\ue000', '\uff61', '\u{10000}']);
        expect(await scan({ gt: '\uff61', lt: '\u{10ffff}' })).toEqual(['\u{10000}', '😀']);
      });

      it('includes gte, excludes gt and lt', async () => {
        await put({ a: '', b: '', c: '', d: '' });
        expect(await scan({ gte: 'b', lt: 'd' })).toEqual(['b', 'c']);
        expect(await scan({ gt: 'b', lt: 'd' })).toEqual(['c']);
        expect(await scan({ gt: 'bb', lt: 'z' })).toEqual(['c', 'd']);
        expect(await scan({ lt: 'c' })).toEqual(['a', 'b']);
        expect(await scan({ gte: 'c', lt: 'c' })).toEqual([]);
        expect(await scan({ gte: 'd', lt: 'a' })).toEqual([]);
      });

      it('stops at the limit, and goes on behind it', async () => {
        const keys = Array.from({ length: 1000 }, (_, i) => `k${String(i).padStart(4, '0')}`);
        await put(Object.fromEntries(keys.map((key) => [key, key])));
        expect(await scan(ALL, 0)).toEqual([]);
        expect(await scan(ALL, 1)).toEqual(['k0000']);
        expect(await scan(ALL, 700)).toEqual(keys.slice(0, 700));
        expect(await scan({ gt: 'k0699', lt: 'l' }, 700)).toEqual(keys.slice(700));
      });

      it('is cut by bytes, but never empty', async () => {
        await put({ a: 'x'.repeat(1000), b: 'x'.repeat(1000), c: 'x'.repeat(1000) });
        expect(await scan(ALL, 10, 1)).toEqual(['a']);
        expect(await scan(ALL, 10, 1001)).toEqual(['a']);
        expect(await scan(ALL, 10, 1500)).toEqual(['a', 'b']);
        expect(await scan(ALL, 10, 10_000)).toEqual(['a', 'b', 'c']);
      });

      it('sees one state, no older than the call', async () => {
        await put(Object.fromEntries(Array.from({ length: 600 }, (_, i) => [`k${String(i)}`, 'old'])));
        const scanning = storage.scan(ALL, NO_LIMIT, NO_LIMIT);
        const batch = storage.batch();
        for (let i = 0; i < 600; i++) batch.put(`k${String(i)}`, bytes('new'));
        const writing = batch.write({ sync: false });
        const values = (await world.settle(scanning)).map(([, value]) => text(value));
        expect(values).toHaveLength(600);
        expect(new Set(values).size).toBe(1);
        await world.settle(writing);
      });
    });

    describe('a view', () => {
      const entries = async (
        view: StorageView,
        range: Parameters<Storage['scan']>[0] = ALL,
        limit = NO_LIMIT,
        bytesMax = NO_LIMIT,
      ): Promise<string[]> =>
        (await world.settle(view.scan(range, limit, bytesMax))).map(([k, v]) => `${k}=${text(v) ?? ''}`);
      const remove = async (...keys: string[]): Promise<void> => {
        const batch = storage.batch();
        for (const key of keys) batch.delete(key);
        await world.settle(batch.write({ sync: true }));
      };

      it('keeps what was overwritten, deleted and not yet there', async () => {
        await put({ b: '1', d: '1', f: '1', h: '1' });
        const view = storage.view();
        await put({ a: '2', d: '2', e: '2', z: '2' });
        await remove('b', 'h', 'z');
        await put({ b: '3' });
        await remove('d');
        expect(await entries(view)).toEqual(['b=1', 'd=1', 'f=1', 'h=1']);
        expect(await scan(ALL)).toEqual(['a', 'b', 'e', 'f']);
        await world.settle(view.close());
      });

      it('is scanned by ranges, limits and bytes like the store', async () => {
        await put({
          a: 'x'.repeat(1000),
          b: 'x'.repeat(1000),
          c: '1',
          d: '1',
          'e\u{10000}': '1',
          'e\uff61': '1',
        });
        const view = storage.view();
        await put({ a: '2', b: '2', d: '2', 'e\u{10000}': '2' });
        expect(await entries(view, { gte: 'c', lt: 'e' })).toEqual(['c=1', 'd=1']);
        expect(await entries(view, { gt: 'c', lt: 'd' })).toEqual([]);
        expect(await entries(view, { gt: 'd', lt: 'f' })).toEqual(['e\uff61=1', 'e\u{10000}=1']);
        expect(await entries(view, { gte: 'c', lt: 'f' }, 1)).toEqual(['c=1']);
        expect(await entries(view, ALL, 0)).toEqual([]);
        expect(await entries(view, ALL, 10, 1500)).toHaveLength(2);
        await world.settle(view.close());
      });

      it('is of one moment however many scans it takes, and one among others', async () => {
        const names = Array.from({ length: 600 }, (_, i) => `k${String(i).padStart(3, '0')}`);
        const all = (value: string): Promise<void> =>
          put(Object.fromEntries(names.map((name) => [name, value])));
        await all('1');
        const first = storage.view();
        await all('2');
        const second = storage.view();
        await all('3');
        for (const [view, value] of [
          [first, '1'],
          [second, '2'],
        ] as const) {
          const early = await entries(view, ALL, 300);
          await remove(...names.slice(0, 450));
          const late = await entries(view, { gt: 'k299', lt: 'l' });
          expect([...early, ...late]).toEqual(names.map((name) => `${name}=${value}`));
        }
        await world.settle(first.close());
        expect(await entries(second, ALL, 1)).toEqual(['k000=2']);
        await world.settle(second.close());
      });

      it('has each batch under way whole or not at all', async () => {
        await put({ a: '0', b: '0' });
        const batch = storage.batch();
        batch.put('a', bytes('1'));
        batch.put('b', bytes('1'));
        const writing = batch.write({ sync: true });
        const view = storage.view();
        await world.settle(writing);
        expect(['a=0,b=0', 'a=1,b=1']).toContain((await entries(view)).join());
        await world.settle(view.close());
      });

      it('answers what was asked before it closes, and then refuses', async () => {
        const names = Array.from({ length: 1000 }, (_, i) => `k${String(i)}`);
        await put(Object.fromEntries(names.map((name) => [name, 'x'.repeat(1000)])));
        const view = storage.view();
        const scanning = view.scan(ALL, NO_LIMIT, 10 * NO_LIMIT);
        const closing = Promise.all([view.close(), view.close()]);
        await expect(world.settle(view.scan(ALL, 1, 1))).rejects.toMatchObject({ code: 'StorageFailed' });
        expect(await world.settle(scanning)).toHaveLength(1000);
        await world.settle(closing);
        await world.settle(view.close());
        await expect(world.settle(view.scan(ALL, 1, 1))).rejects.toMatchObject({ code: 'StorageFailed' });
        expect(await scan(ALL, 1)).toEqual(['k0']);
      });

      it('closes with its store, which opens no further one', async () => {
        await put({ a: '1' });
        const view = storage.view();
        await world.settle(storage.close());
        await expect(world.settle(view.scan(ALL, 1, 1))).rejects.toMatchObject({ code: 'StorageFailed' });
        await world.settle(view.close());
        expect(() => storage.view()).toThrow(expect.objectContaining({ code: 'StorageFailed' }) as Error);
      });

      it.runIf(kind.copies)('hands out bytes that are the caller’s own', async () => {
        await put({ a: 'abc' });
        const view = storage.view();
        for (const [, value] of await world.settle(view.scan(ALL, 10, NO_LIMIT))) value.fill(0);
        expect(await entries(view)).toEqual(['a=abc']);
        await put({ a: 'new' });
        for (const [, value] of await world.settle(view.scan(ALL, 10, NO_LIMIT))) value.fill(0);
        expect(await entries(view)).toEqual(['a=abc']);
        await world.settle(view.close());
      });
    });

    describe('the handle', () => {
      it('names the data and measures the room', () => {
        expect(storage.identity).not.toBe('');
        expect(storage.freeBytes()).toBeGreaterThan(0);
      });

      it('refuses every call once it is closed, and closes twice', async () => {
        await put({ a: '1' });
        await world.settle(storage.close());
        await world.settle(storage.close());
        expect(() => storage.get('a')).toThrow(expect.objectContaining({ code: 'StorageFailed' }) as Error);
        await expect(world.settle(storage.scan(ALL, 1, 1))).rejects.toMatchObject({ code: 'StorageFailed' });
        const write = async (): Promise<void> => {
          const batch = storage.batch();
          batch.put('a', bytes('2'));
          await batch.write({ sync: true });
        };
        await expect(world.settle(write())).rejects.toMatchObject({ code: 'StorageFailed' });
      });

      it('finishes the writes that it was given before it closes', async () => {
        const batch = storage.batch();
        batch.put('a', bytes('1'));
        const writing = batch.write({ sync: true });
        const closing = storage.close();
        await world.settle(Promise.all([writing, closing]));
        if (!kind.persistent) return;
        storage = await world.settle(world.open());
        expect(text(storage.get('a'))).toBe('1');
      });

      it.runIf(kind.persistent)('is the only one', async () => {
        await expect(world.settle(world.open())).rejects.toMatchObject({ code: 'DataFolderInUse' });
        await put({ a: 'the first one goes on' });
        expect(storage.get('a')).toBeDefined();
      });

      it.runIf(kind.persistent)('finds everything again, under the same identity', async () => {
        await put({ a: '1' }, true);
        await put({ b: '2' }, false);
        const { identity } = storage;
        await world.settle(storage.close());
        storage = await world.settle(world.open());
        expect(text(storage.get('a'))).toBe('1');
        expect(text(storage.get('b'))).toBe('2');
        expect(storage.identity).toBe(identity);
      });
    });
  });
}

import { copyFile, cp, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openLevelStorage } from '../../src/adapters/level-storage.js';
import { TrefoilError } from '../../src/core/errors.js';
import type { Storage } from '../../src/runtime/runtime.js';

describe('LevelDB on a real disk', () => {
  let root: string;
  let folder: string;

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'trefoil-level-'));
    folder = join(root, 'data');
  });
  afterEach(() => rm(root, { recursive: true }));

  const key = (i: number): string => `k${String(i).padStart(5, '0')}`;
  const value = (i: number): Uint8Array => Buffer.from(`value ${String(i)} `.repeat(20));

  async function fill(storage: Storage, count: number): Promise<void> {
    for (let from = 0; from < count; from += 500) {
      const batch = storage.batch();
      for (let i = from; i < Math.min(count, from + 500); i++) batch.put(key(i), value(i));
      await batch.write({ sync: true });
    }
  }

  async function files(ending: RegExp): Promise<string[]> {
    const names = await readdir(join(folder, 'level'));
    return names.filter((name) => ending.test(name)).map((name) => join(folder, 'level', name));
  }

  async function flip(file: string, at: number): Promise<void> {
    const bytes = await readFile(file);
    bytes[at] = (bytes[at] as number) ^ 0x10;
    await writeFile(file, bytes);
  }

  async function identityOf(path: string): Promise<string> {
    const storage = await openLevelStorage(path);
    await storage.close();
    return storage.identity;
  }

  /** Reads every key both ways; each must be right, damaged, gone, or refused as damaged, but never end the process. */
  async function survey(storage: Storage, count: number): Promise<Record<string, number>> {
    const seen = { right: 0, damaged: 0, absent: 0, refused: 0 };
    for (let i = 0; i < count; i++) {
      try {
        const found = storage.get(key(i));
        if (found === undefined) seen.absent++;
        else if (Buffer.compare(found, value(i)) === 0) seen.right++;
        else seen.damaged++;
      } catch (error) {
        expect(error).toBeInstanceOf(TrefoilError);
        expect((error as TrefoilError).code).toBe('RecordCorrupt');
        seen.refused++;
      }
    }
    try {
      await storage.scan({ gte: '', lt: '~' }, count, Infinity);
    } catch (error) {
      expect(error).toMatchObject({ code: 'RecordCorrupt' });
    }
    return seen;
  }

  it('survives a flipped byte anywhere in a table file', async () => {
    const count = 3000;
    const storage = await openLevelStorage(folder);
    await fill(storage, count);
    await storage.close();
    // The first open after a write turns the log into a table.
    await (await openLevelStorage(folder)).close();
    const [table] = await files(/\.ldb$/);
    expect(table).toBeDefined();
    const pristine = join(root, 'pristine');
    await copyFile(table as string, pristine);
    const { length } = await readFile(pristine);
    const outcomes = { damaged: 0, refused: 0 };
    for (let step = 0; step < 25; step++) {
      await copyFile(pristine, table as string);
      await flip(table as string, Math.floor((length * step) / 25));
      const opened = await openLevelStorage(folder).catch((error: unknown) => {
        expect(error).toMatchObject({ code: 'StorageFailed' });
        return undefined;
      });
      if (opened === undefined) continue;
      const seen = await survey(opened, count);
      outcomes.damaged += Number(seen['damaged']);
      outcomes.refused += Number(seen['refused']);
      await opened.close();
    }
    expect(outcomes.damaged + outcomes.refused).toBeGreaterThan(0);
  });

  it('takes a new identity when LevelDB dropped damaged writes of its log, and keeps it after', async () => {
    const storage = await openLevelStorage(folder);
    await fill(storage, 1000);
    await storage.close();
    const logs = await files(/\.log$/);
    const [log] = logs;
    expect(logs).toHaveLength(1);
    await flip(log as string, 100_000);
    const damaged = await openLevelStorage(folder);
    const seen = await survey(damaged, 1000);
    await damaged.close();
    expect(Number(seen['absent'])).toBeGreaterThan(0);
    expect(damaged.identity).not.toBe(storage.identity);
    expect(await identityOf(folder)).toBe(damaged.identity);
  });

  it('keeps its identity when it is renamed, and takes another when it is copied or restored', async () => {
    const original = await identityOf(folder);
    expect(await identityOf(folder)).toBe(original);
    const copy = join(root, 'copy');
    await cp(folder, copy, { recursive: true, preserveTimestamps: true });
    expect(await identityOf(copy)).not.toBe(original);
    await rename(folder, join(root, 'renamed'));
    expect(await identityOf(join(root, 'renamed'))).toBe(original);
    await cp(copy, folder, { recursive: true, preserveTimestamps: true });
    expect(await identityOf(folder)).not.toBe(original);
  });

  it('says what is wrong with a folder that cannot be one', async () => {
    await writeFile(folder, 'a file');
    await expect(openLevelStorage(folder)).rejects.toMatchObject({ code: 'StorageFailed' });
    await expect(openLevelStorage(join(folder, 'below'))).rejects.toMatchObject({ code: 'StorageFailed' });
  });

  it('measures the free space of the disk it is on', async () => {
    const storage = await openLevelStorage(folder);
    expect(storage.freeBytes()).toBeGreaterThan(0);
    expect(storage.freeBytes()).toBeLessThan(Infinity);
    await storage.close();
  });
});

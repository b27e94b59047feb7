/** The import of a folder: goes on past what it cannot read, adds nothing twice, stops when the store does not answer. */
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CliContext } from '../../src/cli/context.js';
import { reportImport } from '../../src/cli/photos-import-command.js';
import { importPhotos, type ImportReport } from '../../src/cli/photos-import.js';
import { findSimilar } from '../../src/cli/photos-similar-command.js';
import { TrefoilError } from '../../src/index.js';
import { COLOUR_HISTOGRAM, PhotoStore, photoKey, type Photo } from '../../src/photos/index.js';
import { MemoryDatabase } from '../support/memory-database.js';

const SHARED = '../shared/photos';

let folder: string;
let db: MemoryDatabase;
let store: PhotoStore;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trefoil-import-'));
  db = new MemoryDatabase();
  store = new PhotoStore(db, {
    now: () => 1000,
    newFingerprint: () => {
      throw new Error('an import brings its own');
    },
  });
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function plainJpeg(name: string, background: string): Promise<void> {
  const path = join(folder, name);
  await mkdir(join(path, '..'), { recursive: true });
  await sharp({ create: { width: 40, height: 30, channels: 3, background } })
    .jpeg()
    .toFile(path);
}

const OPTIONS = { user: 'alice', concurrency: 3 } as const;

async function photosOf(user: string): Promise<Photo[]> {
  const photos: Photo[] = [];
  for await (const photo of store.list(user)) photos.push(photo);
  return photos;
}

describe('importPhotos', () => {
  beforeEach(async () => {
    await plainJpeg('red.jpg', '#f00');
    await plainJpeg('sub/blue.JPG', '#00f');
    await plainJpeg('sub/deep/green.jpeg', '#0f0');
    await writeFile(join(folder, 'empty.jpg'), '');
    await writeFile(join(folder, 'sub', 'text.jpg'), 'hello');
    await writeFile(join(folder, 'readme.txt'), 'hello');
  });

  it('stores what it can read, names what it cannot, and tells how far it is', async () => {
    const progress: string[] = [];
    const onProgress = (done: number, total: number): void => void progress.push(`${done}/${total}`);
    expect(await importPhotos(store, folder, { ...OPTIONS, onProgress })).toEqual({
      found: 5,
      imported: 3,
      alreadyThere: 0,
      withoutCamera: 3,
      unreadable: [
        { path: join(folder, 'empty.jpg'), reason: 'the file is empty' },
        { path: join(folder, 'sub', 'text.jpg'), reason: 'not a JPEG file' },
      ],
      warnings: [],
      ignored: 1,
      stopped: undefined,
    });
    expect(progress).toEqual(['0/5', '1/5', '2/5', '3/5', '4/5', '5/5']);
    const photos = await photosOf('alice');
    expect(photos.map(({ path }) => path).toSorted()).toEqual([
      'red.jpg',
      'sub/blue.JPG',
      'sub/deep/green.jpeg',
    ]);
    for (const { id } of photos) expect(await store.getFeature(id, 'colour', 1)).toHaveLength(64);
  });

  it('adds nothing the second time, nor for a copy, and everything for another user', async () => {
    await importPhotos(store, folder, OPTIONS);
    await copyFile(join(folder, 'red.jpg'), join(folder, 'copy.jpg'));
    expect(await importPhotos(store, folder, OPTIONS)).toMatchObject({ imported: 0, alreadyThere: 4 });
    expect(await photosOf('alice')).toHaveLength(3);
    expect(await importPhotos(store, folder, { ...OPTIONS, user: 'bob', concurrency: 64 })).toMatchObject({
      imported: 3,
      alreadyThere: 1,
    });
    for (const photo of await photosOf('bob')) expect(await store.conflicts(photo.id)).toEqual([]);
  });

  it('adds the feature that an import which was cut off had not stored', async () => {
    db.failPut = (namespace) =>
      namespace === 'features' ? new TrefoilError('Timeout', 'cut off') : undefined;
    await importPhotos(store, folder, { ...OPTIONS, concurrency: 1 });
    db.failPut = () => undefined;
    expect(await importPhotos(store, folder, OPTIONS)).toMatchObject({ imported: 2, alreadyThere: 1 });
    for (const { id } of await photosOf('alice'))
      expect(await store.getFeature(id, 'colour', 1)).toHaveLength(64);
  });

  it('stops when the store does not answer, and says what it had done', async () => {
    let puts = 0;
    db.failPut = (namespace) =>
      namespace === 'photos' && ++puts > 1 ? new TrefoilError('QuorumUnavailable', '1 of 2') : undefined;
    const report = await importPhotos(store, folder, { ...OPTIONS, concurrency: 1 });
    expect(report).toMatchObject({ found: 5, imported: 1, stopped: { code: 'QuorumUnavailable' } });
    expect(puts).toBe(2);
  });

  it('names a photo that the store refuses, and goes on', async () => {
    db.failPut = (namespace, key) =>
      namespace === 'photos' && key.endsWith(refused) ? new TrefoilError('BadRequest', 'no') : undefined;
    let refused = 'none';
    await importPhotos(store, join(folder, 'red.jpg'), OPTIONS);
    refused = (await photosOf('alice'))[0]?.id.slice(-10) ?? '';
    expect(await importPhotos(store, folder, { ...OPTIONS, user: 'bob' })).toMatchObject({
      imported: 2,
      unreadable: [{}, { path: join(folder, 'red.jpg'), reason: 'cannot be stored: no' }, {}],
    });
  });

  it('refuses a bad user before it reads anything', async () => {
    await expect(importPhotos(store, folder, { ...OPTIONS, user: 'a/b' })).rejects.toThrow(/user "a\/b"/);
    expect(db.requests.size).toBe(0);
  });

  it('finds photos of like colours afterwards', async () => {
    await plainJpeg('red-too.jpg', '#ee1010');
    await importPhotos(store, folder, OPTIONS);
    const red = (await photosOf('alice')).find(({ title }) => title === 'red');
    const found = await findSimilar(store, { id: red?.id ?? '', limit: 2 });
    expect(found?.compared).toBe(3);
    expect(found?.similar[0]?.photo.title).toBe('red-too');
    expect(await findSimilar(store, { id: 'alice.0000000000-abcdef01', limit: 2 })).toBeUndefined();
    await db.namespace('photos').update(photoKey(red?.id ?? ''), () => undefined);
    const others = await store.similar(found?.similar[0]?.photo.id ?? '', {
      feature: COLOUR_HISTOGRAM,
      limit: 9,
    });
    expect(others.neighbours).toHaveLength(3);
    const shown = await findSimilar(store, { id: found?.similar[0]?.photo.id ?? '', limit: 9 });
    expect(shown?.similar).toHaveLength(2);
  });
});

describe('reportImport', () => {
  const REPORT: ImportReport = {
    found: 1234,
    imported: 1200,
    alreadyThere: 32,
    unreadable: [{ path: 'a\u001b[2J.jpg', reason: 'the file is empty' }],
    warnings: [{ path: 'b.jpg', warning: 'Corrupt JPEG data' }],
    withoutCamera: 7,
    ignored: 2,
    stopped: undefined,
  };

  function spoken(report: ImportReport, json: boolean): { out: unknown[]; notes: string[] } {
    const out: unknown[] = [];
    const notes: string[] = [];
    const context: CliContext = {
      json,
      print: (text) => void out.push(text),
      printJson: (value) => void out.push(value),
      note: (text) => void notes.push(text),
    };
    reportImport(context, 'alice', report);
    return { out, notes };
  }

  it('has a line per file and a summary, safe for a terminal', () => {
    expect(spoken(REPORT, false)).toEqual({
      out: [
        'unreadable: "a\\u001b[2J.jpg": the file is empty',
        'damaged, stored all the same: b.jpg: Corrupt JPEG data',
        '1,234 photo files: 1,200 imported for alice, 32 already there, 1 unreadable, 2 other files ignored',
        '7 of the imported name no camera; photos show ID says why',
      ],
      notes: [],
    });
  });

  it('is one value for a machine', () => {
    const { stopped: _, ...counts } = REPORT;
    expect(spoken(REPORT, true)).toEqual({ out: [{ user: 'alice', ...counts }], notes: [] });
    const stopped = new TrefoilError('QuorumUnavailable', '1 of 2');
    expect(spoken({ ...REPORT, stopped }, true).out).toMatchObject([
      { stopped: { error: { code: 'QuorumUnavailable' } } },
    ]);
    expect(spoken({ ...REPORT, stopped }, false).notes).toEqual([
      'the import stopped early; run it again, it skips what is stored',
    ]);
  });
});

describe.skipIf(!existsSync(SHARED))('the real photographs beside the project', () => {
  it('are all imported, without a conflict, and again without a change', async () => {
    const report = await importPhotos(store, SHARED, OPTIONS);
    expect(report).toMatchObject({ unreadable: [], warnings: [], stopped: undefined, withoutCamera: 8 });
    expect(report.imported).toBe(report.found);
    const photos = await photosOf('alice');
    expect(photos).toHaveLength(report.found);
    const taken = photos.map(({ settings }) => settings.takenAtMs ?? Number.NEGATIVE_INFINITY);
    expect(taken).toEqual(taken.toSorted((a, b) => b - a));
    expect(await importPhotos(store, SHARED, OPTIONS)).toMatchObject({
      imported: 0,
      alreadyThere: report.found,
    });
  });
});

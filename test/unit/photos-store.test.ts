/** The photo store on an in-memory database of the SDK's shape: order, identity, edits, features, refusals. */
import { beforeEach, describe, expect, it } from 'vitest';
import { TrefoilError, bytesCodec, type Namespace } from '../../src/index.js';
import { PhotoStore, generateAlbum, photoKey, type NewPhoto, type Photo } from '../../src/photos/index.js';
import { MemoryDatabase } from '../support/memory-database.js';

const NEW: NewPhoto = {
  user: 'alice',
  path: '2008/a.jpg',
  bytes: 7958,
  width: 100,
  height: 68,
  camera: { make: 'Canon', model: 'Canon EOS 40D' },
  settings: {
    exposureTimeS: 1 / 160,
    fNumber: 7.1,
    iso: 100,
    focalLengthMm: 135,
    takenAtMs: Date.UTC(2008, 4, 30, 15, 56, 1),
    position: { latitude: 43.5, longitude: 11.9, altitudeM: null },
  },
  tags: ['sea', 'boat'],
  title: 'A boat',
  perceptualHash: '00ff00ff00ff00ff',
  note: null,
};

let db: MemoryDatabase;
let store: PhotoStore;
let nowMs: number;
let serial: number;
/** The namespace behind the store, for writers that know nothing of each other. */
let raw: Namespace<Photo>;

beforeEach(() => {
  db = new MemoryDatabase();
  nowMs = 1_000_000;
  serial = 0;
  store = new PhotoStore(db, {
    now: () => nowMs++,
    newFingerprint: () => (++serial).toString(16).padStart(20, '0'),
  });
  raw = db.namespace<Photo>('photos');
});

const taken = (takenAtMs: number | null, more: Partial<NewPhoto> = {}): NewPhoto => ({
  ...NEW,
  ...more,
  settings: { ...NEW.settings, takenAtMs },
});

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** The code of the `TrefoilError` that a call fails with. */
async function codeOf(call: Promise<unknown>): Promise<string> {
  const error: unknown = await call.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  return error instanceof TrefoilError ? `${error.code}: ${error.message}` : String(error);
}

describe('adding and reading', () => {
  it('reads back what was added, tags in order, by the id alone', async () => {
    const { photo, isNew } = await store.add(NEW);
    expect(isNew).toBe(true);
    expect(photo).toEqual({
      ...NEW,
      id: photo.id,
      tags: ['boat', 'sea'],
      uploadedAtMs: photo.uploadedAtMs,
      titleSetAtMs: photo.uploadedAtMs,
    });
    expect(await store.get(photo.id)).toEqual(photo);
    expect(photo.id).toMatch(/^alice\.[0-9a-z]{10}-[0-9a-f]{20}$/);
    expect(db.keys('photos')).toEqual([`p/{alice}/${photo.id.slice('alice.'.length)}`]);
  });

  it('gives undefined for a photo that is not there', async () => {
    const { photo } = await store.add(NEW);
    expect(await store.get(photo.id.replace('alice', 'bob'))).toBeUndefined();
    expect(await store.getAll([photo.id, photo.id.replace('alice', 'bob')])).toEqual([photo, undefined]);
  });

  it('keeps one photo, with its edits, when the same content is added again', async () => {
    const same = { ...NEW, fingerprint: 'abcdef0123456789' };
    const first = await store.add(same);
    await store.edit(first.photo.id, () => ({ title: 'Edited' }));
    const again = await store.add({ ...same, path: 'elsewhere.jpg' });
    expect(again).toMatchObject({
      isNew: false,
      photo: { id: first.photo.id, title: 'Edited', path: NEW.path },
    });
    expect(await collect(store.list('alice'))).toHaveLength(1);
    expect((await store.add({ ...same, user: 'bob' })).isNew).toBe(true);
  });

  it('writes a photo that stands twice in one batch once', async () => {
    const same = { ...NEW, fingerprint: 'abcdef0123456789' };
    const results = await store.addAll([same, same]);
    expect(results.map((result) => result.type === 'stored' && result.isNew)).toEqual([true, false]);
    expect(await store.conflicts('alice.' + (db.keys('photos')[0] ?? '').slice('p/{alice}/'.length))).toEqual(
      [],
    );
  });

  it('adds a photo again after it was deleted, without a conflict', async () => {
    const same = { ...NEW, fingerprint: 'abcdef0123456789' };
    const { photo } = await store.add(same);
    await raw.update(photoKey(photo.id), () => undefined);
    expect(await store.get(photo.id)).toBeUndefined();
    expect((await store.add(same)).isNew).toBe(true);
    expect(await store.conflicts(photo.id)).toEqual([]);
  });

  it('tells per photo what a batch could not store', async () => {
    const photos = [1, 2, 3].map((n) => taken(n, { fingerprint: `0000000${n}` }));
    db.failPut = (namespace, key) =>
      namespace === 'photos' && key.endsWith('00000002')
        ? new TrefoilError('QuorumUnavailable', '1 of 2')
        : undefined;
    const results = await store.addAll(photos);
    expect(results.map((result) => (result.type === 'error' ? result.error.code : result.isNew))).toEqual([
      true,
      'QuorumUnavailable',
      true,
    ]);
    expect(await codeOf(store.add(photos[1] ?? NEW))).toBe('QuorumUnavailable: 1 of 2');
  });

  it('stores a generated album in batches and finds every photo of it', async () => {
    const album = [...generateAlbum({ seed: 7, photos: 500, users: 8 })].map(({ photo }) => photo);
    const results = await store.addAll(album);
    const ids = results.map((result) =>
      result.type === 'stored' && result.isNew ? result.photo.id : 'none',
    );
    expect(new Set(ids).size).toBe(500);
    const users = (await collect(store.users())).map((user) => user.name);
    expect(users.toSorted()).toEqual([...new Set(album.map((photo) => photo.user))].toSorted());
    const listed = await Promise.all(users.map((user) => collect(store.list(user))));
    expect(new Set(listed.flat().map((photo) => photo.id))).toEqual(new Set(ids));
  });
});

describe('listing', () => {
  it('goes from the newest to the oldest, before 1970 too, undated ones last', async () => {
    const times = [5, null, -86_400_000, Date.UTC(9000, 0), 4, Date.UTC(2026, 1), -1, 0];
    await store.addAll(times.map((time) => taken(time)));
    const listed = await collect(store.list('alice'));
    expect(listed.map((photo) => photo.settings.takenAtMs)).toEqual([
      Date.UTC(9000, 0),
      Date.UTC(2026, 1),
      5,
      4,
      0,
      -1,
      -86_400_000,
      null,
    ]);
  });

  it('shows one user only, though another begins with the same name', async () => {
    for (const user of ['al', 'alice', 'alic']) await store.add({ ...NEW, user });
    expect((await collect(store.list('alic'))).map((photo) => photo.user)).toEqual(['alic']);
  });

  it('pages by limit and after', async () => {
    await store.addAll([1, 2, 3, 4, 5].map((time) => taken(time)));
    const first = await collect(store.list('alice', { limit: 2 }));
    const last = first.at(-1)?.id ?? '';
    const second = await collect(store.list('alice', { limit: 2, after: last }));
    expect([...first, ...second].map((photo) => photo.settings.takenAtMs)).toEqual([5, 4, 3, 2]);
    expect(await codeOf(collect(store.list('bob', { after: last })))).toMatch(
      /^BadRequest: .*not one of bob/,
    );
  });

  it('knows users and cameras, each once, and asks for each once', async () => {
    const nikon = { make: 'NIKON', model: 'E950 / {x}' };
    await store.add(NEW);
    await store.add({ ...NEW, camera: nikon });
    await store.add({ ...NEW, camera: nikon });
    await store.add({ ...NEW, user: 'bob', camera: null });
    expect((await collect(store.users())).map((user) => user.name)).toEqual(['alice', 'bob']);
    expect(await collect(store.cameras('alice'))).toEqual([NEW.camera, nikon]);
    expect(await collect(store.cameras('bob'))).toEqual([]);
    expect(db.requests.get('users put')).toBe(4);
    expect(db.requests.get('users get')).toBe(4);
  });
});

describe('editing', () => {
  it('changes what is given and keeps the rest', async () => {
    const { photo } = await store.add(NEW);
    const edited = await store.edit(photo.id, ({ tags }) => ({ tags: [...tags, 'summer', 'boat'] }));
    expect(edited).toEqual({ ...photo, tags: ['boat', 'sea', 'summer'] });
    expect(await store.edit(photo.id, () => ({ title: 'New' }))).toMatchObject({
      title: 'New',
      tags: edited.tags,
    });
  });

  it('merges edits made at the same time, and the next edit settles them', async () => {
    const { photo } = await store.add(NEW);
    const { context } = await raw.get(photoKey(photo.id));
    if (context === undefined) throw new Error('no context');
    const titled = { ...photo, title: 'Boats', titleSetAtMs: photo.titleSetAtMs + 10 };
    const tagged = { ...photo, tags: ['boat', 'harbour', 'sea'] };
    await raw.put(photoKey(photo.id), titled, { context });
    await raw.put(photoKey(photo.id), tagged, { context });

    expect(await store.conflicts(photo.id)).toEqual([titled, tagged]);
    const merged = { ...photo, title: 'Boats', titleSetAtMs: titled.titleSetAtMs, tags: tagged.tags };
    expect(await store.get(photo.id)).toEqual(merged);
    expect(await collect(store.list('alice'))).toEqual([merged]);
    expect(await store.conflicts(photo.id)).toHaveLength(2);

    expect(await store.resolve(photo.id)).toEqual(merged);
    expect(await store.conflicts(photo.id)).toEqual([]);
  });

  it('lets an edit win over the one it was made upon, even when the clock went back', async () => {
    const { photo } = await store.add(NEW);
    const first = await store.edit(photo.id, () => ({ title: 'Zebra' }));
    nowMs -= 3_600_000;
    const second = await store.edit(photo.id, () => ({ title: 'Ape' }));
    await raw.put(photoKey(photo.id), first);
    expect(second.titleSetAtMs).toBe(first.titleSetAtMs + 1);
    expect((await store.get(photo.id))?.title).toBe('Ape');
  });

  it('refuses to edit a photo that is not there, and leaves no trace of it', async () => {
    const id = 'alice.0000000000-abcdef01';
    expect(await codeOf(store.edit(id, () => ({ title: 'x' })))).toBe(`BadRequest: there is no photo ${id}`);
    expect(db.keys('photos')).toEqual([]);
  });

  it('refuses an edit that cannot be stored', async () => {
    const { photo } = await store.add(NEW);
    const tags = Array.from({ length: 65 }, (_, i) => `t${i}`);
    expect(await codeOf(store.edit(photo.id, () => ({ tags })))).toMatch(/^BadRequest: photo tags: 65/);
    expect(await store.get(photo.id)).toEqual(photo);
  });
});

describe('refusals, before anything is sent', () => {
  it.each(['', 'a b', '{alice}', 'al/ice', 'alice.x', '-alice', 'ünal', 'a'.repeat(65)])(
    'user %j',
    async (user) => {
      expect(await codeOf(store.add({ ...NEW, user }))).toMatch(/^BadRequest: user .*a user name is/);
      expect(await codeOf(collect(store.list(user)))).toMatch(/^BadRequest: user/);
      expect(db.requests.size).toBe(0);
    },
  );

  it.each<[string, Partial<NewPhoto>]>([
    ['photo title', { title: 'x'.repeat(201) }],
    ['photo path', { path: 'x'.repeat(4097) }],
    ['photo title', { title: 'half a pair \ud800' }],
    ['photo tag', { tags: [''] }],
    ['photo tag', { tags: [' sea'] }],
    ['photo tag', { tags: ['x'.repeat(65)] }],
    ['photo bytes', { bytes: -1 }],
    ['photo width', { width: 0 }],
    ['photo height', { height: Number.NaN }],
    ['photo camera.model', { camera: { make: 'x', model: 'x'.repeat(49) } }],
    ['photo perceptualHash', { perceptualHash: 'XYZ' }],
    ['photo settings.iso', { settings: { ...NEW.settings, iso: 0 } }],
    ['photo settings.fNumber', { settings: { ...NEW.settings, fNumber: Number.POSITIVE_INFINITY } }],
    ['takenAtMs', { settings: { ...NEW.settings, takenAtMs: 1.5 } }],
    ['takenAtMs', { settings: { ...NEW.settings, takenAtMs: 8.64e15 } }],
    [
      'photo settings.position.latitude',
      { settings: { ...NEW.settings, position: { latitude: 91, longitude: 0, altitudeM: null } } },
    ],
    ['fingerprint', { fingerprint: 'not hex!' }],
  ])('%s', async (field, change) => {
    const error = await codeOf(store.addAll([NEW, { ...NEW, ...change }]));
    expect(error).toContain(`BadRequest: ${field}`);
    expect(db.requests.size).toBe(0);
  });

  it.each(['', 'alice', 'alice.zz', 'p/{alice}/x', 'alice.0000000000-ABCDEF01', 'a/b.0000000000-abcdef01'])(
    'photo id %j',
    async (id) => {
      expect(await codeOf(store.get(id))).toMatch(/^BadRequest: .*no photo id/);
    },
  );
});

describe('features', () => {
  const plane = (features: readonly number[], more: Partial<NewPhoto> = {}): Promise<string> =>
    store.add({ ...NEW, ...more }).then(async ({ photo }) => {
      await store.putFeature(photo.id, 'plane', 1, Float32Array.from(features));
      return photo.id;
    });

  beforeEach(() => {
    store = new PhotoStore(db, {
      now: () => nowMs++,
      newFingerprint: () => (++serial).toString(16).padStart(20, '0'),
      features: [
        { name: 'plane', version: 1, dimensions: 2, distance: 'euclidean' },
        { name: 'plane', version: 2, dimensions: 3, distance: 'cosine' },
      ],
    });
  });

  it('gives back the very floats, stored as 4 bytes each, little-endian', async () => {
    const id = await plane([Math.fround(0.1), -0]);
    expect(await store.getFeature(id, 'plane', 1)).toEqual(Float32Array.from([0.1, -0]));
    const [key = ''] = db.keys('features');
    expect(key).toBe(`f/plane/1/{alice}/${id.slice('alice.'.length)}`);
    const bytes = db.namespace('features', { codec: bytesCodec });
    expect((await bytes.get(key)).value).toEqual(Uint8Array.from([0xcd, 0xcc, 0xcc, 0x3d, 0, 0, 0, 0x80]));
    expect(await store.getFeature(id, 'plane', 2)).toBeUndefined();
  });

  it('replaces a vector without a conflict', async () => {
    const id = await plane([1, 2]);
    await store.putFeature(id, 'plane', 1, Float32Array.from([3, 4]));
    expect(await store.getFeature(id, 'plane', 1)).toEqual(Float32Array.from([3, 4]));
    const [entry] = await collect(db.namespace('features', { codec: bytesCodec }).scan({ limit: 1 }));
    expect(entry?.siblings).toHaveLength(1);
  });

  it.each([
    ['another length', 'plane', 1, [1], /vector of 1 for feature plane version 1, which has 2/],
    ['NaN', 'plane', 1, [1, Number.NaN], /element 1 is NaN/],
    ['an infinity', 'plane', 1, [Number.NEGATIVE_INFINITY, 1], /element 0 is -Infinity/],
    [
      'an unknown name',
      'face',
      1,
      [1, 2],
      /knows no feature face version 1; it knows: feature plane version 1/,
    ],
    ['an unknown version', 'plane', 3, [1, 2], /knows no feature plane version 3/],
  ] as const)('refuses %s', async (_, name, version, vector, message) => {
    const { photo } = await store.add(NEW);
    const error = await codeOf(store.putFeature(photo.id, name, version, Float32Array.from(vector)));
    expect(error).toMatch(message);
    expect(error).toMatch(/^BadRequest/);
    expect(db.keys('features')).toEqual([]);
  });

  it.each([
    { name: 'a/b', version: 1, dimensions: 2, distance: 'cosine' },
    { name: 'a', version: 0, dimensions: 2, distance: 'cosine' },
    { name: 'a', version: 1, dimensions: 16_385, distance: 'cosine' },
  ] as const)('refuses the definition %j', (definition) => {
    const make = (): PhotoStore =>
      new PhotoStore(db, { now: () => 0, newFingerprint: () => '', features: [definition] });
    expect(make).toThrow(TrefoilError);
  });

  it('finds the nearest of all users, nearest first, and itself never', async () => {
    const origin = await plane([0, 0]);
    const far = await plane([10, 0]);
    const near = await plane([1, 0], { user: 'bob' });
    const middle = await plane([0, 5], { user: 'carol' });
    const options = { feature: { name: 'plane', version: 1 }, limit: 2 };
    expect(await store.similar(origin, options)).toEqual({
      neighbours: [
        { photoId: near, distance: 1 },
        { photoId: middle, distance: 5 },
      ],
      compared: 3,
      skipped: 0,
    });
    expect((await store.similar(origin, { ...options, user: 'alice' })).neighbours).toEqual([
      { photoId: far, distance: 10 },
    ]);
  });

  it('agrees with sorting everything, at every limit', async () => {
    const vectors = [...generateAlbum({ seed: 3, photos: 120, features: 120 })];
    const ids: string[] = [];
    for (const [i] of vectors.entries()) ids.push(await plane([i % 7, (i * i) % 11]));
    const [first = ''] = ids;
    const all = ids
      .map((photoId, i) => ({ photoId, distance: Math.hypot(i % 7, (i * i) % 11) }))
      .slice(1)
      .sort((a, b) => a.distance - b.distance || (a.photoId < b.photoId ? -1 : 1));
    for (const limit of [1, 2, 3, 10, 64, 119, 1000]) {
      const { neighbours } = await store.similar(first, { feature: { name: 'plane', version: 1 }, limit });
      expect(neighbours.map(({ photoId }) => photoId)).toEqual(
        all.slice(0, limit).map(({ photoId }) => photoId),
      );
    }
  });

  it('compares by angle where the feature says so; zeros are far from everything', async () => {
    const ids: string[] = [];
    for (const vector of [
      [1, 0, 0],
      [9, 1, 0],
      [0, 1, 0],
      [0, 0, 0],
      [-1, 0, 0],
    ]) {
      const { photo } = await store.add(NEW);
      await store.putFeature(photo.id, 'plane', 2, Float32Array.from(vector));
      ids.push(photo.id);
    }
    const { neighbours } = await store.similar(ids[0] ?? '', {
      feature: { name: 'plane', version: 2 },
      limit: 9,
    });
    expect(neighbours.map(({ photoId }) => ids.indexOf(photoId))).toEqual([1, 2, 3, 4]);
    expect(neighbours.map(({ distance }) => Math.round(distance * 1000))).toEqual([6, 1000, 1000, 2000]);
  });

  it('skips and counts what another program put among the vectors', async () => {
    const id = await plane([0, 0]);
    await plane([1, 1]);
    const vectors = db.namespace('features', { codec: bytesCodec });
    await vectors.put('f/plane/1/{alice}/odd', new Uint8Array(8));
    await vectors.put('f/plane/1/{alice}/0000000000-abcdef01', new Uint8Array(4));
    const found = await store.similar(id, { feature: { name: 'plane', version: 1 }, limit: 5 });
    expect(found).toMatchObject({ compared: 1, skipped: 2 });
  });

  it('refuses a search without a vector, and limits beyond reason', async () => {
    const { photo } = await store.add(NEW);
    const feature = { name: 'plane', version: 1 };
    expect(await codeOf(store.similar(photo.id, { feature, limit: 5 }))).toMatch(
      /^BadRequest: .*has no feature/,
    );
    for (const limit of [0, -1, 1.5, Number.NaN, 1001])
      expect(await codeOf(store.similar(photo.id, { feature, limit }))).toMatch(/^BadRequest: limit/);
  });
});

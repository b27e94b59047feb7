/** The photo store in leader-follower namespaces, as it is. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Database } from '../../src/client/api.js';
import type { ClusterMap } from '../../src/cluster/cluster-map.js';
import { namespaceName } from '../../src/core/ids.js';
import { PhotoStore, type NewPhoto } from '../../src/photos/index.js';
import { ledMap, LedStore } from '../support/led-store.js';
import { scriptedWorld, type ScriptedWorld } from '../support/scripted-world.js';

let world: ScriptedWorld;
let db: Database;

function photoMap(): ClusterMap {
  const map = ledMap();
  const [entry] = map.namespaces;
  const [placement] = map.placement;
  if (entry === undefined || placement === undefined) throw new Error('the map has a namespace');
  const names = ['features', 'photos', 'users'].map(namespaceName);
  return {
    ...map,
    namespaces: names.map((name) => ({ ...entry, name })),
    placement: names.map(() => placement),
  };
}

const storeOn = (database: Database): PhotoStore => {
  let fingerprints = 0;
  return new PhotoStore(database, { now: () => 1_000, newFingerprint: () => `f${fingerprints++}` });
};

const photo = (title: string): NewPhoto => ({
  user: 'ada',
  path: '2008/a.jpg',
  bytes: 7958,
  width: 100,
  height: 68,
  camera: { make: 'Canon', model: 'Canon EOS 40D' },
  settings: {
    exposureTimeS: null,
    fNumber: null,
    iso: 100,
    focalLengthMm: null,
    takenAtMs: Date.UTC(2008, 4, 30),
    position: null,
  },
  tags: ['sea'],
  title,
  perceptualHash: '00ff00ff00ff00ff',
  note: null,
  fingerprint: '0123abcd',
});

beforeEach(async () => {
  const map = photoMap();
  world = await scriptedWorld(map, 1, new LedStore(map));
  db = await world.connect();
});

afterEach(async () => {
  await world.settle(db.close());
});

describe('the photo store with leaders', () => {
  test('stores, lists, edits and finds photos', async () => {
    const store = storeOn(db);
    const { photo: added, isNew } = await world.settle(store.add(photo('Beach')));
    expect(isNew).toBe(true);
    expect(await world.settle(store.get(added.id))).toEqual(added);
    await world.settle(store.edit(added.id, () => ({ title: 'Dunes' })));
    expect((await world.settle(store.get(added.id)))?.title).toBe('Dunes');
    expect((await world.settle(store.add(photo('Again')))).isNew).toBe(false);
  });

  test('two that store one photo at once both learn of the one that is there', async () => {
    const other = await world.connect();
    const both = await world.settle(
      Promise.all([storeOn(db).add(photo('first')), storeOn(other).add(photo('second'))]),
    );
    expect(both.map(({ isNew }) => isNew).toSorted()).toEqual([false, true]);
    expect(both[0].photo).toEqual(both[1].photo);
    await world.settle(other.close());
  });

  test('edits of many at once are all kept', async () => {
    const store = storeOn(db);
    const { photo: added } = await world.settle(store.add(photo('Beach')));
    const other = await world.connect();
    const edits = [store, storeOn(other)].flatMap((one, i) =>
      [1, 2, 3].map((n) => one.edit(added.id, (p) => ({ tags: [...p.tags, `tag-${i}-${n}`] }))),
    );
    await world.settle(Promise.all(edits));
    const now = await world.settle(store.get(added.id));
    expect(now?.tags).toHaveLength(7);
    expect(await world.settle(store.conflicts(added.id))).toEqual([]);
    await world.settle(other.close());
  });
});

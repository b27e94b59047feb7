/**
 * The photo store itself, as its users have it: photos are added with a feature each, tagged and listed. Seen as
 * sets: a user's photos, and the tags of that user's cover photo. What was added and acknowledged must be there in
 * the end, with its feature, and nothing else.
 */
import { NO_SETTINGS, photoIdOf, PhotoStore, type NewPhoto } from '../../src/photos/index.js';
import type { Value } from '../history/history.js';
import { completeRead, completeWrite } from './completing.js';
import { planOpenLoop, readEach, weighted } from './planning.js';
import type { Workload, WorkloadOptions } from './workload.js';

const FEATURE = { name: 'embedding', version: 1, dimensions: 4, distance: 'euclidean' } as const;
const COVER = 'c0ffee00';

export const photos: Workload = {
  name: 'photos',
  summary: 'the photo store: add photos with features, tag covers, list albums',
  plan: (random, options) =>
    planOpenLoop(random, options, (serial, key) => {
      const user = userOf(key);
      return weighted(random, [
        [4, { f: 'add', key: `photos/${user}`, value: fingerprintOf(serial) }],
        [2, { f: 'add', key: `tags/${user}`, value: `t${String(serial)}` }],
        [2, { f: 'read', key: `photos/${user}`, value: null }],
        [1, { f: 'read', key: `tags/${user}`, value: null }],
      ]);
    }),
  client(database) {
    const store = new PhotoStore(database, {
      // Every photo here brings a fingerprint; the time is of no account to what is checked.
      now: () => 0,
      newFingerprint: () => COVER,
      features: [FEATURE],
    });
    const add = async (user: string, fingerprint: string): Promise<Value> => {
      const { photo } = await store.add(photoOf(user, fingerprint));
      await store.putFeature(photo.id, FEATURE.name, FEATURE.version, vectorOf(fingerprint));
      return fingerprint;
    };
    const tag = async (user: string, tagName: string): Promise<Value> => {
      await store.add(photoOf(user, COVER));
      await store.edit(photoIdOf(user, null, COVER), ({ tags }) => ({
        tags: [...new Set([...tags, tagName])],
      }));
      return tagName;
    };
    return {
      perform(operation) {
        const [what, user] = (operation.key as string).split('/') as [string, string];
        const value = operation.value as string;
        if (operation.f === 'add') {
          return completeWrite(operation, () => (what === 'photos' ? add(user, value) : tag(user, value)));
        }
        return completeRead(operation, () => (what === 'photos' ? album(store, user) : tagsOf(store, user)));
      },
    };
  },
  finalReads: (options) =>
    readEach(
      usersOf(options).flatMap((user) => [`photos/${user}`, `tags/${user}`]),
      (key) => ({ f: 'read', key, value: null }),
    ),
};

/** The fingerprints of a user's photos whose feature is there and is theirs. */
async function album(store: PhotoStore, user: string): Promise<Value> {
  const found: string[] = [];
  for await (const { id } of store.list(user)) {
    const fingerprint = id.slice(id.lastIndexOf('-') + 1);
    if (fingerprint === COVER) continue;
    const vector = await store.getFeature(id, FEATURE.name, FEATURE.version);
    if (vector?.join() === vectorOf(fingerprint).join()) found.push(fingerprint);
  }
  return found;
}

async function tagsOf(store: PhotoStore, user: string): Promise<Value> {
  return (await store.get(photoIdOf(user, null, COVER)))?.tags ?? [];
}

function photoOf(user: string, fingerprint: string): NewPhoto {
  return {
    user,
    path: `${fingerprint}.jpg`,
    bytes: 1,
    width: 1,
    height: 1,
    camera: null,
    settings: NO_SETTINGS,
    tags: [],
    title: fingerprint,
    perceptualHash: '0'.repeat(16),
    note: null,
    fingerprint,
  };
}

/** Follows from the fingerprint, so that a reader knows what it should be. */
function vectorOf(fingerprint: string): Float32Array {
  const serial = Number.parseInt(fingerprint, 16);
  return Float32Array.from({ length: FEATURE.dimensions }, (_, i) => (serial % 1_000) + i);
}

function fingerprintOf(serial: number): string {
  return serial.toString(16).padStart(8, '0');
}

function userOf(key: string): string {
  return `u${key.slice(1)}`;
}

function usersOf(options: WorkloadOptions): string[] {
  return Array.from({ length: options.keys }, (_, i) => `u${String(i)}`);
}

/** The generated album: the same from the same seed, storable, and alike where it should be. */
import { describe, expect, it } from 'vitest';
import { COLOUR_HISTOGRAM, PhotoStore, generateAlbum, hashDistance } from '../../src/photos/index.js';
import { MemoryDatabase } from '../support/memory-database.js';

describe('generateAlbum', () => {
  const album = [...generateAlbum({ seed: 42, photos: 10_000, users: 50, features: 1000 })];

  it('makes the same album from the same seed, and another from another', () => {
    const options = { photos: 300, features: 30 };
    expect([...generateAlbum({ seed: 1, ...options })]).toEqual([...generateAlbum({ seed: 1, ...options })]);
    expect([...generateAlbum({ seed: 1, ...options })]).not.toEqual([
      ...generateAlbum({ seed: 2, ...options }),
    ]);
    const shorter = [...generateAlbum({ seed: 42, photos: 100 })].map(({ photo }) => photo);
    expect(shorter).toEqual(album.slice(0, 100).map(({ photo }) => photo));
  });

  it('has as many photos, users and features as asked for, and no photo twice', () => {
    expect(album).toHaveLength(10_000);
    expect(new Set(album.map(({ photo }) => photo.user)).size).toBe(50);
    expect(album.filter(({ colour }) => colour !== undefined)).toHaveLength(1000);
    expect(new Set(album.map(({ photo }) => photo.fingerprint)).size).toBe(10_000);
  });

  it('passes every check of the store', async () => {
    const store = new PhotoStore(new MemoryDatabase(), { now: () => 0, newFingerprint: () => 'unused' });
    const results = await store.addAll(album.slice(0, 1000).map(({ photo }) => photo));
    expect(results.filter((result) => result.type === 'stored' && result.isNew)).toHaveLength(1000);
  });

  it('has features and hashes that are near within a scene and far between scenes', () => {
    const withColour = album.flatMap(({ photo, colour }) =>
      colour === undefined ? [] : [{ scene: photo.title.split(',')[0], colour, hash: photo.perceptualHash }],
    );
    const [first] = withColour;
    if (first === undefined) throw new Error('no features');
    const distance = (b: Float32Array): number => Math.hypot(...first.colour.map((x, i) => x - (b[i] ?? 0)));
    const same = withColour.slice(1).filter(({ scene }) => scene === first.scene);
    const other = withColour.filter(({ scene }) => scene !== first.scene);
    expect(first.colour).toHaveLength(COLOUR_HISTOGRAM.dimensions);
    expect(Math.max(...same.map(({ colour }) => distance(colour)))).toBeLessThan(
      Math.min(...other.map(({ colour }) => distance(colour))),
    );
    const next = album.find(({ photo }) => photo.title.endsWith('(2)'))?.photo;
    const outing = next?.title.replace(' (2)', '');
    const begin = album.find(({ photo }) => photo.title === outing && photo.user === next?.user)?.photo;
    expect(hashDistance(next?.perceptualHash ?? '0', begin?.perceptualHash ?? 'f')).toBeLessThanOrEqual(12);
  });
});

/** The merge of concurrent edits depends on the set of them only: the laws, over random edits of one photo. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NO_SETTINGS, mergePhotos, type Photo } from '../../src/photos/index.js';

/** Few values, so that ties and equal fields are common. */
const photo: fc.Arbitrary<Photo> = fc
  .record({
    title: fc.constantFrom('a', 'b', 'c'),
    titleSetAtMs: fc.nat(3),
    uploadedAtMs: fc.nat(2),
    path: fc.constantFrom('x.jpg', 'y.jpg'),
    tags: fc.uniqueArray(fc.constantFrom('p', 'q', 'r', 's')),
  })
  .map((edited) => ({
    id: 'alice.0000000000-abcdef01',
    user: 'alice',
    bytes: 1,
    width: 1,
    height: 1,
    camera: null,
    settings: NO_SETTINGS,
    perceptualHash: '0000000000000000',
    note: null,
    ...edited,
  }));

describe('mergePhotos', () => {
  it('does not depend on order, grouping or repetition', () => {
    fc.assert(
      fc.property(photo, photo, photo, (a, b, c) => {
        const all = mergePhotos(a, [b, c]);
        expect(mergePhotos(c, [a, b])).toEqual(all);
        expect(mergePhotos(b, [c, a])).toEqual(all);
        expect(mergePhotos(mergePhotos(a, [b]), [c])).toEqual(all);
        expect(mergePhotos(a, [mergePhotos(b, [c])])).toEqual(all);
        expect(mergePhotos(all, [a, all])).toEqual(all);
      }),
      { numRuns: 2000 },
    );
  });

  it('keeps every tag, and the title set last', () => {
    fc.assert(
      fc.property(photo, photo, (a, b) => {
        const merged = mergePhotos(a, [b]);
        expect(new Set(merged.tags)).toEqual(new Set([...a.tags, ...b.tags]));
        const last = a.titleSetAtMs > b.titleSetAtMs ? [a.title] : [b.title];
        const either = a.titleSetAtMs === b.titleSetAtMs ? [a.title, b.title] : last;
        expect(either).toContain(merged.title);
      }),
    );
  });
});

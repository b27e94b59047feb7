/** The demo's photos: a made-up album, or the JPEG files of a folder. */
import { TrefoilError } from '../../core/errors.js';
import { generateAlbum, type NewPhoto } from '../../photos/index.js';
import { findPhotos } from '../find-photos.js';
import { formatCount } from '../table.js';

export interface SourcePhoto {
  readonly photo: NewPhoto;
  readonly colour: Float32Array | undefined;
}

/** A file that is no photo after all, and why. */
export interface UnreadablePhoto {
  readonly unreadable: string;
}

export interface AlbumSource {
  /** What the demo says of it. */
  readonly title: string;
  readonly total: number;
  /** One photo after another. */
  photos(): AsyncIterable<SourcePhoto | UnreadablePhoto>;
}

const SEED = 2004;
/** One photo in so many brings a feature: 1,000 of 10,000. */
const FEATURE_ONE_IN = 10;
const DEMO_USER = 'demo';

export function generatedSource(count: number): AlbumSource {
  const features = Math.ceil(count / FEATURE_ONE_IN);
  return {
    title: `A made-up album of ${formatCount(count)} photos`,
    total: count,
    async *photos() {
      yield* generateAlbum({ seed: SEED, photos: count, features });
    },
  };
}

/** The photos in a folder and the folders in it. Rejects with `BadRequest` where there is none. */
export async function folderSource(folder: string, limit: number): Promise<AlbumSource> {
  const files = (await findPhotos(folder)).photos.slice(0, limit);
  if (files.length === 0) throw new TrefoilError('BadRequest', `${folder} holds no JPEG files`);
  const { readPhoto } = await import('../read-photo.js');
  return {
    title: `${formatCount(files.length)} photos of ${folder}`,
    total: files.length,
    async *photos() {
      for (const { path, relativePath } of files) {
        const reading = await readPhoto(path);
        if (reading.type === 'unreadable') yield { unreadable: `${relativePath}: ${reading.reason}` };
        else
          yield { photo: { ...reading.photo, user: DEMO_USER, path: relativePath }, colour: reading.colour };
      }
    },
  };
}

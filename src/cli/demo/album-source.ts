/** The demo's photos: a made-up album, or the JPEG files of a folder. */
import { readdirSync } from 'node:fs';
import { extname, join, relative } from 'node:path';
import { TrefoilError } from '../../core/errors.js';
import { generateAlbum, type NewPhoto } from '../../photos/index.js';
import { readPhoto } from '../read-photo.js';
import { formatCount } from '../table.js';

export interface SourcePhoto {
  readonly photo: NewPhoto;
  readonly colour: Float32Array | undefined;
}

export interface AlbumSource {
  /** What the demo says of it. */
  readonly title: string;
  readonly total: number;
  /** One photo after another; undefined for a file that cannot be read. */
  photos(): AsyncIterable<SourcePhoto | undefined>;
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

/** The JPEG files under a folder. Throws `BadRequest` where there is none. */
export function folderSource(folder: string, limit: number): AlbumSource {
  const files = jpegFiles(folder).slice(0, limit);
  if (files.length === 0) throw new TrefoilError('BadRequest', `${folder} holds no JPEG files`);
  return {
    title: `${formatCount(files.length)} photos of ${folder}`,
    total: files.length,
    async *photos() {
      for (const file of files) {
        const reading = await readPhoto(file);
        yield reading.type === 'unreadable'
          ? undefined
          : {
              photo: { ...reading.photo, user: DEMO_USER, path: relative(folder, file) },
              colour: reading.colour,
            };
      }
    },
  };
}

function jpegFiles(folder: string): string[] {
  let names: string[];
  try {
    names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  } catch (error) {
    throw new TrefoilError('BadRequest', `cannot read ${folder}: ${(error as Error).message}`);
  }
  return names
    .filter((name) => ['.jpg', '.jpeg'].includes(extname(name).toLowerCase()))
    .sort()
    .map((name) => join(folder, name));
}

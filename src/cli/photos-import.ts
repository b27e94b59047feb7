/**
 * Photo files into the photo store, several at a time.
 *
 * A file that cannot be read is named and the import goes on; a store that does not answer ends it, for every
 * further file would wait in vain. What is stored stays, and running the import again skips it: a photo's id
 * follows from its content.
 */
import { TrefoilError, asTrefoilError } from '../core/errors.js';
import { COLOUR_HISTOGRAM, checkUser, type PhotoStore } from '../photos/index.js';
import { findPhotos, type FoundFile, type UnreadableFile } from './find-photos.js';
import { readPhoto } from './read-photo.js';

export interface ImportOptions {
  readonly user: string;
  /** Files read and stored at once, from 1. */
  readonly concurrency: number;
  /** Called when the number of files is known, and after each. */
  readonly onProgress?: (done: number, total: number) => void;
}

export interface ImportReport {
  /** Photo files found. */
  readonly found: number;
  /** New in the store. */
  readonly imported: number;
  /** The same content was in the store, or came twice. */
  readonly alreadyThere: number;
  /** By path. */
  readonly unreadable: readonly UnreadableFile[];
  /** Photos that were read although the decoder found something wrong with them, by path. */
  readonly warnings: readonly FileWarning[];
  /** New photos whose file names no camera. */
  readonly withoutCamera: number;
  /** Files of other kinds. */
  readonly ignored: number;
  /** Why the import ended before its time, or undefined. */
  readonly stopped: TrefoilError | undefined;
}

interface FileWarning {
  readonly path: string;
  readonly warning: string;
}

/** Imports a folder or a file. Throws `BadRequest` for a bad user name or path; other failures are in the report. */
export async function importPhotos(
  store: PhotoStore,
  root: string,
  { user, concurrency, onProgress = () => {} }: ImportOptions,
): Promise<ImportReport> {
  checkUser(user);
  const { photos, unreadable: unreadableFolders, ignored } = await findPhotos(root);
  const tally = { imported: 0, alreadyThere: 0, withoutCamera: 0 };
  const unreadable = [...unreadableFolders];
  const warnings: FileWarning[] = [];
  const fingerprints = new Set<string>();
  let done = 0;
  onProgress(done, photos.length);

  const importOne = async (file: FoundFile): Promise<void> => {
    const result = await importFile(store, user, file, fingerprints);
    if (result.type === 'unreadable') unreadable.push({ path: file.path, reason: result.reason });
    else tally[result.type]++;
    if (result.type === 'imported') {
      if (!result.hasCamera) tally.withoutCamera++;
      if (result.warning !== null) warnings.push({ path: file.path, warning: result.warning });
    }
    done++;
    onProgress(done, photos.length);
  };

  const stopped = await severalAtATime(photos, concurrency, importOne);
  return {
    found: photos.length,
    ...tally,
    unreadable: sortByPath(unreadable),
    warnings: sortByPath(warnings),
    ignored,
    stopped,
  };
}

type FileResult =
  | { readonly type: 'imported'; readonly hasCamera: boolean; readonly warning: string | null }
  | { readonly type: 'alreadyThere' }
  | { readonly type: 'unreadable'; readonly reason: string };

async function importFile(
  store: PhotoStore,
  user: string,
  file: FoundFile,
  fingerprints: Set<string>,
): Promise<FileResult> {
  const reading = await readPhoto(file.path);
  if (reading.type === 'unreadable') return reading;
  const { photo, colour, warning } = reading;
  // A copy in the same import: two that look for it in the store at once would both find it absent.
  if (fingerprints.has(photo.fingerprint)) return { type: 'alreadyThere' };
  fingerprints.add(photo.fingerprint);
  try {
    const added = await store.add({ ...photo, user, path: file.relativePath });
    await putColour(store, added.photo.id, added.isNew, colour);
    if (!added.isNew) return { type: 'alreadyThere' };
    return { type: 'imported', hasCamera: photo.camera !== null, warning };
  } catch (error) {
    // The store refused this photo, by no fault of its own: a path that is too long, say.
    if (error instanceof TrefoilError && error.code === 'BadRequest')
      return { type: 'unreadable', reason: `cannot be stored: ${error.message}` };
    throw error;
  }
}

/** An earlier import may have been cut off between the photo and its feature. */
async function putColour(store: PhotoStore, id: string, isNew: boolean, colour: Float32Array): Promise<void> {
  const { name, version } = COLOUR_HISTOGRAM;
  if (!isNew && (await store.getFeature(id, name, version)) !== undefined) return;
  await store.putFeature(id, name, version, colour);
}

/** Works through the items, several at once. After a failure nothing new begins; resolves with it once all have ended. */
async function severalAtATime<T>(
  items: readonly T[],
  concurrency: number,
  work: (item: T) => Promise<void>,
): Promise<TrefoilError | undefined> {
  const queue = items.values();
  let failure: TrefoilError | undefined;
  const worker = async (): Promise<void> => {
    for (const item of queue) {
      try {
        await work(item);
      } catch (error) {
        failure ??= asTrefoilError(error);
      }
      if (failure !== undefined) return;
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, items.length) }, worker));
  return failure;
}

function sortByPath<T extends { readonly path: string }>(items: readonly T[]): T[] {
  return items.toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

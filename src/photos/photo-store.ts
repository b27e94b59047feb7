/**
 * A store of photo metadata and features on three namespaces, as a user of the SDK would write it.
 *
 *     photos     conflict policy `siblings`: concurrent edits are kept and merged (see `mergePhotos`)
 *     features   vectors; written once per photo, feature and version
 *     users      users, and the cameras each took photos with; written once
 *
 * Invariants: a photo's key follows from its id alone, so that nothing has to be looked up to find it (see
 * `photo-keys.ts`); storing the same photo twice leaves one photo; a read never resolves a conflict in the
 * store, only an edit does, and an edit covers exactly the siblings that it merged.
 *
 * No clock and no randomness of its own: both come in by the options.
 */
import { TrefoilError, type BatchResult, type Database, type Entry, type Namespace } from '../index.js';
import { FeatureStore, type SimilarOptions, type SimilarPhotos } from './feature-store.js';
import type { FeatureDefinition } from './feature.js';
import { COLOUR_HISTOGRAM } from './image-features.js';
import { OwnerStore } from './owner-store.js';
import { checkEdit, checkPhoto, sortedTags } from './photo-check.js';
import { checkUser, photoIdOf, photoKey, photosPrefix, userOfPhoto } from './photo-keys.js';
import { PHOTOS_PER_BATCH_MAX } from './photo-limits.js';
import { mergePhotos } from './photo-merge.js';
import type { Camera, NewPhoto, Photo, PhotoEdit, User } from './photo.js';

export interface PhotoStoreOptions {
  /** Wall time in milliseconds: when a photo was uploaded, when a title was set. */
  readonly now: () => number;
  /** 8 to 40 lower-case hexadecimal digits that were never given before; asked where a photo brings no fingerprint. */
  readonly newFingerprint: () => string;
  /** The features that this store deals with; the colour histogram alone where absent. */
  readonly features?: readonly FeatureDefinition[];
  /** Where the cluster config names the namespaces otherwise. */
  readonly namespaces?: { readonly photos?: string; readonly features?: string; readonly users?: string };
}

export interface Added {
  readonly photo: Photo;
  /** False: it was there already, and was left as it is. */
  readonly isNew: boolean;
}

/** What became of one photo of `addAll`. */
export type AddResult =
  ({ readonly type: 'stored' } & Added) | { readonly type: 'error'; readonly error: TrefoilError };

export interface ListOptions {
  /** Photos at most. */
  readonly limit?: number;
  /** Photos that come after this one. */
  readonly after?: string;
}

export class PhotoStore {
  readonly #photos: Namespace<Photo>;
  readonly #features: FeatureStore;
  readonly #owners: OwnerStore;
  readonly #now: () => number;
  readonly #newFingerprint: () => string;

  /** Uses `db`, which stays the caller's to close. Throws `BadRequest` for a feature that cannot be stored. */
  constructor(db: Database, options: PhotoStoreOptions) {
    const { now, newFingerprint, features = [COLOUR_HISTOGRAM], namespaces = {} } = options;
    this.#photos = db.namespace<Photo>(namespaces.photos ?? 'photos');
    this.#features = new FeatureStore(db, namespaces.features ?? 'features', features);
    this.#owners = new OwnerStore(db, namespaces.users ?? 'users', now);
    this.#now = now;
    this.#newFingerprint = newFingerprint;
  }

  /**
   * Stores a photo, its user and its camera. A photo that is there already (same user, fingerprint and time of
   * taking) stays as it is, with its edits. Throws `BadRequest` for what cannot be stored.
   */
  async add(photo: NewPhoto): Promise<Added> {
    const [result] = await this.addAll([photo]);
    if (result === undefined) throw new TrefoilError('Internal', 'a batch of one gave no result');
    if (result.type === 'error') throw result.error;
    return { photo: result.photo, isNew: result.isNew };
  }

  /**
   * Stores many photos, one result each, in order: not atomic, some may fail where others are stored. Throws
   * `BadRequest`, before anything is sent, where one of them cannot be stored at all.
   */
  async addAll(photos: readonly NewPhoto[]): Promise<AddResult[]> {
    const stored = photos.map((photo) => this.#prepare(photo));
    const results: AddResult[] = [];
    for (let from = 0; from < stored.length; from += PHOTOS_PER_BATCH_MAX) {
      const batch = stored.slice(from, from + PHOTOS_PER_BATCH_MAX);
      await this.#owners.remember(batch);
      results.push(...(await this.#addBatch(batch)));
    }
    return results;
  }

  /** The photo, its concurrent edits merged; undefined where there is none. Throws `BadRequest` for what is no photo id. */
  async get(photoId: string): Promise<Photo | undefined> {
    return mergedPhoto(await this.#photos.get(photoKey(photoId)));
  }

  /** The photos of ids, in their order; undefined where there is none. Rejects with the first that cannot be read. */
  async getAll(photoIds: readonly string[]): Promise<(Photo | undefined)[]> {
    if (photoIds.length === 0) return [];
    const results = await this.#photos.batch(
      photoIds.map((id) => ({ type: 'get', key: photoKey(id) }) as const),
    );
    return results.map((result) => mergedPhoto(entryOf(result)));
  }

  /** A user's photos, the one taken last first, undated ones at the end: one partition's scan. */
  async *list(user: string, options: ListOptions = {}): AsyncGenerator<Photo, void, undefined> {
    checkUser(user);
    if (options.after !== undefined && userOfPhoto(options.after) !== user)
      throw new TrefoilError('BadRequest', `photo ${options.after} is not one of ${user}'s`);
    const entries = this.#photos.scan({
      prefix: photosPrefix(user),
      ...(options.after === undefined ? {} : { after: photoKey(options.after) }),
      ...(options.limit === undefined ? {} : { limit: options.limit }),
    });
    for await (const entry of entries) {
      const photo = mergedPhoto(entry);
      if (photo !== undefined) yield photo;
    }
  }

  /**
   * Changes a photo's title or tags. `change` sees the photo with its concurrent edits merged, and may be called
   * more than once; what it leaves out stays. The write covers the edits that were merged, so that a
   * conflict ends with it. Throws `BadRequest` where there is no such photo, and for what cannot be stored.
   */
  async edit(photoId: string, change: (photo: Photo) => PhotoEdit): Promise<Photo> {
    const entry = await this.#photos.update(photoKey(photoId), (_, siblings) => {
      const photo = merged(siblings);
      // Thrown, not returned as undefined: that would write a tombstone for a photo that never was.
      if (photo === undefined) throw new TrefoilError('BadRequest', `there is no photo ${photoId}`);
      return this.#edited(photo, change(photo));
    });
    const photo = mergedPhoto(entry);
    if (photo === undefined) throw new TrefoilError('BadRequest', `photo ${photoId} was deleted meanwhile`);
    return photo;
  }

  /** Writes the merge of a photo's concurrent edits, so that there is one photo again. Throws as `edit` does. */
  async resolve(photoId: string): Promise<Photo> {
    return this.edit(photoId, () => ({}));
  }

  /** The concurrent edits of a photo as they were written, two or more; empty where there is no conflict. */
  async conflicts(photoId: string): Promise<readonly Photo[]> {
    const { siblings } = await this.#photos.get(photoKey(photoId));
    return siblings.length > 1 ? siblings : [];
  }

  /**
   * Stores one vector of a photo, in place of an earlier one of the same name and version. Throws `BadRequest` for
   * a feature the store does not know, another length, NaN or an infinity. The photo itself is not looked at.
   */
  async putFeature(photoId: string, name: string, version: number, vector: Float32Array): Promise<void> {
    await this.#features.put(photoId, { name, version }, vector);
  }

  /** The vector, or undefined where the photo has none of that name and version. */
  async getFeature(photoId: string, name: string, version: number): Promise<Float32Array | undefined> {
    return this.#features.get(photoId, { name, version });
  }

  /**
   * The photos nearest to one by a feature, nearest first, itself left out. Compares with every vector of the
   * same name and version, of one user or of all: time grows with their number, memory with `limit` only.
   * Throws `BadRequest` where the photo has no such vector.
   */
  async similar(photoId: string, options: SimilarOptions): Promise<SimilarPhotos> {
    return this.#features.similar(photoId, options);
  }

  /** Every user that a photo was ever stored for, by name as bytes. */
  users(): AsyncGenerator<User, void, undefined> {
    return this.#owners.users();
  }

  /** The cameras that a user's photos were taken with, by make and model. */
  cameras(user: string): AsyncGenerator<Camera, void, undefined> {
    checkUser(user);
    return this.#owners.cameras(user);
  }

  #prepare(photo: NewPhoto): Photo {
    const { fingerprint = this.#newFingerprint(), ...rest } = photo;
    checkPhoto(photo);
    const now = this.#now();
    return {
      ...rest,
      id: photoIdOf(photo.user, photo.settings.takenAtMs, fingerprint),
      tags: sortedTags(photo.tags),
      uploadedAtMs: now,
      titleSetAtMs: now,
    };
  }

  async #addBatch(batch: readonly Photo[]): Promise<AddResult[]> {
    const found = await this.#photos.batch(
      batch.map(({ id }) => ({ type: 'get', key: photoKey(id) }) as const),
    );
    const entries = found.map((result) => (result.type === 'get' ? result.entry : undefined));
    // A photo that stands twice in one batch is written once: two writes would not see each other.
    const isFirst = (photo: Photo, i: number): boolean => batch.findIndex(({ id }) => id === photo.id) === i;
    const absent = batch.flatMap((photo, i) => {
      const entry = entries[i];
      return entry?.siblings.length === 0 && isFirst(photo, i) ? [{ photo, entry }] : [];
    });
    const written = new Map(await this.#putAbsent(absent));
    const others = await this.#storedByOthers([...written].flatMap(([id, e]) => (isRefused(e) ? [id] : [])));
    return batch.map((photo, i): AddResult => {
      const result = found[i];
      if (result?.type === 'error') return { type: 'error', error: result.error };
      const there = mergedPhoto(entries[i]);
      if (there !== undefined) return { type: 'stored', photo: there, isNew: false };
      const other = others.get(photo.id);
      if (other !== undefined) return { type: 'stored', photo: other, isNew: false };
      const error = written.get(photo.id);
      return error === undefined
        ? { type: 'stored', photo, isNew: isFirst(photo, i) }
        : { type: 'error', error };
    });
  }

  /** What stands under photo ids that were absent a moment ago: with a leader, whoever comes second is refused. */
  async #storedByOthers(ids: readonly string[]): Promise<ReadonlyMap<string, Photo>> {
    const found = new Map<string, Photo>();
    if (ids.length === 0) return found;
    const results = await this.#photos.batch(ids.map((id) => ({ type: 'get', key: photoKey(id) }) as const));
    ids.forEach((id, i) => {
      const result = results[i];
      const photo = result?.type === 'get' ? mergedPhoto(result.entry) : undefined;
      if (photo !== undefined) found.set(id, photo);
    });
    return found;
  }

  /** Per photo id what went wrong, undefined where nothing did. */
  async #putAbsent(
    absent: readonly { readonly photo: Photo; readonly entry: Entry<Photo> }[],
  ): Promise<[string, TrefoilError | undefined][]> {
    if (absent.length === 0) return [];
    const results = await this.#photos.batch(
      absent.map(({ photo, entry }) => ({
        type: 'put' as const,
        key: entry.key,
        value: photo,
        ...(entry.context === undefined ? {} : { context: entry.context }),
      })),
    );
    return absent.map(({ photo }, i) => {
      const result = results[i];
      return [photo.id, result?.type === 'error' ? result.error : undefined];
    });
  }

  #edited(photo: Photo, edit: PhotoEdit): Photo {
    checkEdit(edit);
    const title = edit.title ?? photo.title;
    return {
      ...photo,
      title,
      // Later than what it saw even on a slow clock, so that an edit always wins over the one it was made upon.
      titleSetAtMs:
        title === photo.title ? photo.titleSetAtMs : Math.max(this.#now(), photo.titleSetAtMs + 1),
      tags: sortedTags(edit.tags ?? photo.tags),
    };
  }
}

function isRefused(error: TrefoilError | undefined): boolean {
  return error?.code === 'ConditionFailed';
}

function mergedPhoto(entry: Entry<Photo> | undefined): Photo | undefined {
  return entry === undefined ? undefined : merged(entry.siblings);
}

function merged([first, ...others]: readonly Photo[]): Photo | undefined {
  return first === undefined ? undefined : mergePhotos(first, others);
}

function entryOf(result: BatchResult<Photo>): Entry<Photo> | undefined {
  if (result.type === 'error') throw result.error;
  return result.type === 'get' ? result.entry : undefined;
}

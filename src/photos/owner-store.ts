/**
 * Users and their cameras: written when a photo of theirs is first stored, never changed after.
 *
 * No counts are kept here: a count beside the photos could not be kept in step with them.
 */
import type { Database, Namespace } from '../index.js';
import { USERS_PREFIX, cameraKey, camerasPrefix, userKey } from './photo-keys.js';
import { KNOWN_KEYS_MAX } from './photo-limits.js';
import type { Camera, Photo, User } from './photo.js';

export class OwnerStore {
  readonly #entries: Namespace<User | Camera>;
  readonly #now: () => number;
  /** Keys that are surely there. Emptied when full: then some are merely asked for again. */
  readonly #known = new Set<string>();

  constructor(db: Database, namespace: string, now: () => number) {
    this.#entries = db.namespace(namespace);
    this.#now = now;
  }

  /** Sees to it that the users and cameras of photos are there. Rejects with the first that cannot be written. */
  async remember(photos: readonly Photo[]): Promise<void> {
    const wanted = new Map<string, User | Camera>();
    for (const { user, camera } of photos) {
      wanted.set(userKey(user), { name: user, createdAtMs: this.#now() });
      if (camera !== null) wanted.set(cameraKey(user, camera.make, camera.model), camera);
    }
    for (const key of this.#known) wanted.delete(key);
    if (wanted.size === 0) return;
    await this.#writeAbsent(wanted);
    if (this.#known.size + wanted.size > KNOWN_KEYS_MAX) this.#known.clear();
    for (const key of wanted.keys()) this.#known.add(key);
  }

  async *users(): AsyncGenerator<User, void, undefined> {
    for await (const { siblings } of this.#entries.scan({ prefix: USERS_PREFIX })) {
      const users = siblings.filter((value): value is User => 'name' in value);
      const [first, ...others] = users;
      // Two writers may both have been the first: the earlier one was.
      if (first !== undefined) yield others.reduce((a, b) => (b.createdAtMs < a.createdAtMs ? b : a), first);
    }
  }

  async *cameras(user: string): AsyncGenerator<Camera, void, undefined> {
    for await (const { value } of this.#entries.scan({ prefix: camerasPrefix(user) }))
      if (value !== undefined && 'make' in value) yield value;
  }

  async #writeAbsent(wanted: ReadonlyMap<string, User | Camera>): Promise<void> {
    const keys = [...wanted.keys()];
    const found = await this.#entries.batch(keys.map((key) => ({ type: 'get', key }) as const));
    const puts = found.flatMap((result) => {
      if (result.type === 'error') throw result.error;
      if (result.type !== 'get' || result.entry.siblings.length > 0) return [];
      const { key, context } = result.entry;
      const value = wanted.get(key);
      if (value === undefined) return [];
      return [{ type: 'put' as const, key, value, ...(context === undefined ? {} : { context }) }];
    });
    if (puts.length === 0) return;
    for (const result of await this.#entries.batch(puts)) {
      // With a leader: someone else has written it since, and what is written never changes.
      if (result.type === 'error' && result.error.code !== 'ConditionFailed') throw result.error;
    }
  }
}

/**
 * The vectors of photos: put, get, and the search for the nearest.
 *
 * The search reads every vector of the feature and keeps the k nearest: exact, with no index to build, to keep
 * in step or to lose. 10,000 vectors of 64 floats are 2.5 MB. An index that answers approximately is for
 * collections where that scan is too slow.
 */
import { TrefoilError, type Database, type Namespace } from '../index.js';
import { checkDefinition, checkVector, distanceOf, vectorCodec, type FeatureDefinition } from './feature.js';
import { Nearest, type Neighbour } from './nearest.js';
import { checkUser, featureKey, featuresPrefix, photoIdOfFeatureKey } from './photo-keys.js';
import { SIMILAR_LIMIT_MAX } from './photo-limits.js';

export interface FeatureName {
  readonly name: string;
  readonly version: number;
}

export interface SimilarOptions {
  readonly feature: FeatureName;
  /** Neighbours at most, from 1. */
  readonly limit: number;
  /** Only this user's photos, which lie in one partition; everybody's where absent. */
  readonly user?: string;
}

export interface SimilarPhotos {
  /** Nearest first. */
  readonly neighbours: readonly Neighbour[];
  /** Vectors that were compared. */
  readonly compared: number;
  /** Vectors of another length, which another program put there. */
  readonly skipped: number;
}

export class FeatureStore {
  readonly #vectors: Namespace<Float32Array>;
  readonly #definitions: ReadonlyMap<string, FeatureDefinition>;

  constructor(db: Database, namespace: string, definitions: readonly FeatureDefinition[]) {
    definitions.forEach(checkDefinition);
    this.#vectors = db.namespace(namespace, { codec: vectorCodec });
    this.#definitions = new Map(definitions.map((definition) => [nameText(definition), definition]));
  }

  async put(photoId: string, feature: FeatureName, vector: Float32Array): Promise<void> {
    const definition = this.#definition(feature);
    checkVector(definition, vector);
    const key = featureKey(photoId, definition.name, definition.version);
    // By update, so that the write covers what is there whatever the namespace's conflict policy is.
    await this.#vectors.update(key, () => vector);
  }

  async get(photoId: string, feature: FeatureName): Promise<Float32Array | undefined> {
    const { name, version } = this.#definition(feature);
    return (await this.#vectors.get(featureKey(photoId, name, version))).value;
  }

  async similar(photoId: string, { feature, limit, user }: SimilarOptions): Promise<SimilarPhotos> {
    const definition = this.#definition(feature);
    if (user !== undefined) checkUser(user);
    if (!Number.isSafeInteger(limit) || limit < 1 || limit > SIMILAR_LIMIT_MAX)
      throw new TrefoilError('BadRequest', `limit ${limit}: it is from 1 to ${SIMILAR_LIMIT_MAX}`);
    const wanted = await this.get(photoId, definition);
    if (wanted === undefined)
      throw new TrefoilError('BadRequest', `photo ${photoId} has no ${nameText(definition)}`);
    checkVector(definition, wanted);
    return this.#search(photoId, wanted, definition, { limit, user });
  }

  async #search(
    photoId: string,
    wanted: Float32Array,
    definition: FeatureDefinition,
    { limit, user }: { readonly limit: number; readonly user: string | undefined },
  ): Promise<SimilarPhotos> {
    const nearest = new Nearest(limit);
    let compared = 0;
    let skipped = 0;
    const prefix = featuresPrefix(definition.name, definition.version, user);
    for await (const { key, value } of this.#vectors.scan({ prefix })) {
      if (value === undefined) continue;
      const other = photoIdOfFeatureKey(key);
      if (other === photoId) continue;
      if (other === undefined || value.length !== definition.dimensions) {
        skipped++;
        continue;
      }
      compared++;
      nearest.offer({ photoId: other, distance: distanceOf(definition.distance, wanted, value) });
    }
    return { neighbours: nearest.sorted(), compared, skipped };
  }

  #definition(feature: FeatureName): FeatureDefinition {
    const definition = this.#definitions.get(nameText(feature));
    if (definition !== undefined) return definition;
    const known = [...this.#definitions.keys()].join(', ');
    throw new TrefoilError('BadRequest', `this store knows no ${nameText(feature)}; it knows: ${known}`);
  }
}

function nameText({ name, version }: FeatureName): string {
  return `feature ${name} version ${version}`;
}

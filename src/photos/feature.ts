/**
 * Features: named, versioned vectors that are computed from a photo's pixels and compared with each other.
 *
 * A store knows the features it deals with by their definition; a vector of another length can therefore never
 * get in beside the others. A changed computation is a new version, under keys of its own: vectors of
 * different versions never meet in one comparison.
 *
 * A vector is stored as its 32-bit floats in little-endian order and nothing else: 64 of them are 256 bytes.
 */
import { TrefoilError, type ValueCodec } from '../index.js';
import { FEATURE_DIMENSIONS_MAX } from './photo-limits.js';

export interface FeatureDefinition {
  /** Lower-case letters, digits and dashes, at most 32. */
  readonly name: string;
  /** 1, 2, ... */
  readonly version: number;
  readonly dimensions: number;
  readonly distance: 'euclidean' | 'cosine';
}

/** Refuses, with `BadRequest`, a definition whose name could not stand in a key. */
export function checkDefinition({ name, version, dimensions }: FeatureDefinition): void {
  if (!/^[a-z0-9][a-z0-9-]{0,31}$/.test(name))
    refuse(`feature name ${JSON.stringify(name)}: it is lower-case letters, digits and dashes, at most 32`);
  if (!Number.isSafeInteger(version) || version < 1)
    refuse(`feature ${name} version ${version}: it is a whole number, at least 1`);
  if (!Number.isSafeInteger(dimensions) || dimensions < 1 || dimensions > FEATURE_DIMENSIONS_MAX)
    refuse(`feature ${name} dimensions ${dimensions}: from 1 to ${FEATURE_DIMENSIONS_MAX}`);
}

/** Refuses, with `BadRequest`, a vector of another length or with NaN or an infinity in it. */
export function checkVector(definition: FeatureDefinition, vector: Float32Array): void {
  const { name, version, dimensions } = definition;
  if (vector.length !== dimensions)
    refuse(`a vector of ${vector.length} for feature ${name} version ${version}, which has ${dimensions}`);
  const at = vector.findIndex((x) => !Number.isFinite(x));
  if (at >= 0) refuse(`feature ${name} version ${version}: element ${at} is ${vector[at]}`);
}

/** The distance of two vectors of one length: 0 is the same, more is farther. */
export function distanceOf(kind: FeatureDefinition['distance'], a: Float32Array, b: Float32Array): number {
  switch (kind) {
    case 'euclidean':
      return euclideanDistance(a, b);
    case 'cosine':
      return cosineDistance(a, b);
  }
}

function euclideanDistance(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    sum += difference * difference;
  }
  return Math.sqrt(sum);
}

/** 1 minus the cosine of the angle: 0 to 2. A vector of zeros has no direction and is 1 from every other. */
function cosineDistance(a: Float32Array, b: Float32Array): number {
  let product = 0;
  let squareA = 0;
  let squareB = 0;
  for (let i = 0; i < a.length; i++) {
    const x = a[i] ?? 0;
    const y = b[i] ?? 0;
    product += x * y;
    squareA += x * x;
    squareB += y * y;
  }
  const length = Math.sqrt(squareA) * Math.sqrt(squareB);
  return length === 0 ? 1 : Math.max(0, 1 - product / length);
}

const FLOAT_BYTES = 4;

/** Vectors as bytes. Decoding copies: the bytes may be part of a frame, and lie at any offset. */
export const vectorCodec: ValueCodec<Float32Array> = {
  encode: (vector) => {
    const bytes = new Uint8Array(vector.length * FLOAT_BYTES);
    const view = new DataView(bytes.buffer);
    vector.forEach((x, i) => view.setFloat32(i * FLOAT_BYTES, x, true));
    return bytes;
  },
  decode: (bytes) => {
    if (bytes.length % FLOAT_BYTES !== 0) refuse(`${bytes.length} bytes are no vector of 32-bit floats`);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    return Float32Array.from({ length: bytes.length / FLOAT_BYTES }, (_, i) =>
      view.getFloat32(i * FLOAT_BYTES, true),
    );
  },
};

function refuse(message: string): never {
  throw new TrefoilError('BadRequest', message);
}

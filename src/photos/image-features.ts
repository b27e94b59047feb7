/**
 * What is computed from a photo's pixels: a perceptual hash that stays nearly the same when a picture is scaled or
 * compressed again, and a colour histogram for "looks like".
 *
 * Both take the same small square picture, so that a photo is decoded once. Pure arithmetic on its pixels.
 */
import type { FeatureDefinition } from './feature.js';

/** Width and height of the picture that is looked at; scaled to this without regard to its proportions. */
export const SAMPLE_SIDE = 128;

/** Levels of each of red, green and blue. */
const LEVELS = 4;

/** Colours of a photo: how much of it falls in each of 4 x 4 x 4 boxes of RGB. */
export const COLOUR_HISTOGRAM: FeatureDefinition = {
  name: 'colour',
  version: 1,
  dimensions: LEVELS ** 3,
  distance: 'euclidean',
};

/**
 * The colour histogram of `SAMPLE_SIDE` x `SAMPLE_SIDE` RGB pixels, 3 bytes each, row by row.
 *
 * Each element is the square root of a box's share. The euclidean distance of two such vectors is, but for a
 * constant, the Hellinger distance of the histograms (Arandjelović and Zisserman, 2012, on SIFT): one large area of
 * sky then no longer drowns all other colours, as it does with the plain shares.
 */
export function colourHistogram(rgb: Uint8Array): Float32Array {
  const counts = new Float32Array(LEVELS ** 3);
  const level = (value: number | undefined): number => ((value ?? 0) * LEVELS) >> 8;
  const pixels = Math.floor(rgb.length / 3);
  for (let i = 0; i < pixels * 3; i += 3) {
    const box = (level(rgb[i]) * LEVELS + level(rgb[i + 1])) * LEVELS + level(rgb[i + 2]);
    counts[box] = (counts[box] ?? 0) + 1;
  }
  return counts.map((count) => Math.sqrt(count / Math.max(1, pixels)));
}

const GREY_SIDE = 32;
const HASH_SIDE = 8;

/**
 * A 64-bit perceptual hash of the same pixels, as 16 hexadecimal digits (Zauner, "Implementation and Benchmarking
 * of Perceptual Image Hash Functions", 2010, section 3.2.1): 32 x 32 grey values, their discrete cosine transform, of
 * which the 8 x 8 lowest frequencies without the constant ones; each bit says whether one exceeds their median.
 */
export function perceptualHash(rgb: Uint8Array): string {
  const low = lowFrequencies(greySquare(rgb));
  const sorted = low.toSorted((a, b) => a - b);
  const median = ((sorted[low.length / 2 - 1] ?? 0) + (sorted[low.length / 2] ?? 0)) / 2;
  let hash = 0n;
  for (const value of low) hash = (hash << 1n) | (value > median ? 1n : 0n);
  return hash.toString(16).padStart(16, '0');
}

/** In how many of 64 bits two perceptual hashes differ; up to about 10 it is likely the same picture. */
export function hashDistance(a: string, b: string): number {
  let difference = BigInt(`0x${a}`) ^ BigInt(`0x${b}`);
  let bits = 0;
  for (; difference > 0n; difference &= difference - 1n) bits++;
  return bits;
}

/** Luminance (Rec. 601), averaged over squares of pixels. */
function greySquare(rgb: Uint8Array): Float64Array {
  const grey = new Float64Array(GREY_SIDE * GREY_SIDE);
  const step = SAMPLE_SIDE / GREY_SIDE;
  for (let y = 0; y < SAMPLE_SIDE; y++) {
    for (let x = 0; x < SAMPLE_SIDE; x++) {
      const from = (y * SAMPLE_SIDE + x) * 3;
      const light = 299 * (rgb[from] ?? 0) + 587 * (rgb[from + 1] ?? 0) + 114 * (rgb[from + 2] ?? 0);
      const to = Math.floor(y / step) * GREY_SIDE + Math.floor(x / step);
      // Sums of whole numbers are exact; one division at the end would change no bit of the hash.
      grey[to] = (grey[to] ?? 0) + light;
    }
  }
  return grey;
}

/** `COSINES[u][x]`: the DCT-II basis. Rows 1 to 8 only: row 0 would hold the constant term, the brightness. */
const COSINES = Array.from({ length: HASH_SIDE }, (_, u) =>
  Array.from({ length: GREY_SIDE }, (__, x) => Math.cos(((2 * x + 1) * (u + 1) * Math.PI) / (2 * GREY_SIDE))),
);

function lowFrequencies(grey: Float64Array): Float64Array {
  const low = new Float64Array(HASH_SIDE * HASH_SIDE);
  COSINES.forEach((across, u) => {
    const columns = Array.from({ length: GREY_SIDE }, (_, y) =>
      across.reduce((sum, cosine, x) => sum + cosine * (grey[y * GREY_SIDE + x] ?? 0), 0),
    );
    COSINES.forEach((down, v) => {
      // Rounded, so that the noise of adding makes no bits where the picture has no such frequency at all.
      low[v * HASH_SIDE + u] = Math.round(
        down.reduce((sum, cosine, y) => sum + cosine * (columns[y] ?? 0), 0),
      );
    });
  });
  return low;
}

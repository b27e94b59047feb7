/** Perceptual hash and colour histogram on made-up pixels whose answer is known. */
import { describe, expect, it } from 'vitest';
import { SAMPLE_SIDE, colourHistogram, hashDistance, perceptualHash } from '../../src/photos/index.js';

type Pixel = readonly [number, number, number];

function picture(pixel: (x: number, y: number) => Pixel): Uint8Array {
  const rgb = new Uint8Array(SAMPLE_SIDE * SAMPLE_SIDE * 3);
  for (let y = 0; y < SAMPLE_SIDE; y++)
    for (let x = 0; x < SAMPLE_SIDE; x++) rgb.set(pixel(x, y), (y * SAMPLE_SIDE + x) * 3);
  return rgb;
}

const grey = (value: number): Pixel => [value, value, value];
/** Something with many frequencies. */
const waves = (x: number, y: number): number =>
  128 + 50 * Math.sin(x / 9) + 40 * Math.cos((x + 2 * y) / 17) + 20 * Math.sin(y / 5);

describe('perceptualHash', () => {
  const hash = perceptualHash(picture((x, y) => grey(waves(x, y))));

  it('is 16 hexadecimal digits with about half of the bits set', () => {
    expect(hash).toMatch(/^[0-9a-f]{16}$/);
    expect(hashDistance(hash, '0000000000000000')).toBeGreaterThanOrEqual(20);
    expect(hashDistance(hash, '0000000000000000')).toBeLessThanOrEqual(32);
  });

  it('hardly changes with brightness, contrast or fine noise', () => {
    const brighter = perceptualHash(picture((x, y) => grey(waves(x, y) * 0.7 + 60)));
    const noisy = perceptualHash(picture((x, y) => grey(waves(x, y) + ((x * 7 + y * 13) % 5) - 2)));
    expect(hashDistance(hash, brighter)).toBeLessThanOrEqual(6);
    expect(hashDistance(hash, noisy)).toBeLessThanOrEqual(6);
  });

  it('changes with the picture', () => {
    const mirrored = perceptualHash(picture((x, y) => grey(waves(SAMPLE_SIDE - x, y))));
    const inverted = perceptualHash(picture((x, y) => grey(255 - waves(x, y))));
    expect(hashDistance(hash, mirrored)).toBeGreaterThan(10);
    expect(hashDistance(hash, inverted)).toBeGreaterThan(50);
  });

  it('is zero for a plain area, whatever its colour: no rounding noise', () => {
    expect(perceptualHash(picture(() => [200, 30, 77]))).toBe('0000000000000000');
  });
});

describe('hashDistance', () => {
  it.each([
    ['0000000000000000', 'ffffffffffffffff', 64],
    ['8000000000000001', '0000000000000000', 2],
    ['deadbeefdeadbeef', 'deadbeefdeadbeef', 0],
  ])('%s to %s is %i', (a, b, bits) => {
    expect(hashDistance(a, b)).toBe(bits);
  });
});

describe('colourHistogram', () => {
  it('puts each pixel into its box and has length 1', () => {
    const histogram = colourHistogram(picture((x) => (x < SAMPLE_SIDE / 4 ? [255, 0, 0] : [0, 64, 128])));
    expect(histogram).toHaveLength(64);
    const filled = [...histogram.entries()].filter(([, share]) => share > 0);
    expect(filled).toEqual([
      [4 * 1 + 2, Math.fround(Math.sqrt(0.75))],
      [16 * 3, 0.5],
    ]);
    expect(Math.hypot(...histogram)).toBeCloseTo(1, 6);
  });
});

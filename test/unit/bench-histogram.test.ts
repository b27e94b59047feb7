import { describe, expect, it } from 'vitest';
import { Histogram } from '../../bench/histogram.js';
import { Choices } from '../../bench/workload.js';

function histogramOf(values: readonly number[]): Histogram {
  const histogram = new Histogram();
  for (const value of values) histogram.record(value);
  return histogram;
}

describe('Histogram', () => {
  it('is empty at first', () => {
    const histogram = new Histogram();
    expect([histogram.count, histogram.max, histogram.quantile(0.5)]).toEqual([0, 0, 0]);
  });

  it('is exact for small values', () => {
    const histogram = histogramOf(Array.from({ length: 100 }, (_, i) => i + 1));
    expect(histogram.quantile(0.5)).toBe(50);
    expect(histogram.quantile(0.99)).toBe(99);
    expect(histogram.quantile(1)).toBe(100);
  });

  it('is at most 0.8 % too high and never too low, whatever the size of the values', () => {
    const choices = new Choices(1);
    const values = Array.from({ length: 20_000 }, () => Math.floor(1.0009 ** choices.integer(20_000)));
    const histogram = histogramOf(values);
    const sorted = values.toSorted((a, b) => a - b);
    for (const q of [0.001, 0.1, 0.5, 0.9, 0.99, 0.999]) {
      const exact = sorted[Math.ceil(q * sorted.length) - 1] as number;
      expect(histogram.quantile(q)).toBeGreaterThanOrEqual(exact);
      expect(histogram.quantile(q)).toBeLessThanOrEqual(exact * 1.008 + 1);
    }
  });

  it('keeps the largest value exactly and reports no quantile beyond it', () => {
    const histogram = histogramOf([1_000_003]);
    expect(histogram.max).toBe(1_000_003);
    expect(histogram.quantile(0.5)).toBe(1_000_003);
  });

  it('counts what is out of range as the nearest that is in', () => {
    const histogram = histogramOf([-5, 2 ** 40]);
    expect(histogram.count).toBe(2);
    expect(histogram.quantile(0.5)).toBe(0);
    expect(histogram.max).toBe(2 ** 31 - 1);
  });
});

import { describe, expect, it } from 'vitest';
import * as limits from '../../src/core/limits.js';

const all = Object.entries(limits);

describe('limits', () => {
  it.each(all)('%s is a positive whole number', (name, value) => {
    expect(name).toMatch(/^[A-Z]+(_[A-Z]+)*$/);
    expect(Number.isSafeInteger(value) && value > 0).toBe(true);
  });

  it.each(all.filter(([name]) => name.endsWith('_MIN')))(
    '%s is below its maximum, where it has one',
    (name, min) => {
      const max = all.find(([other]) => other === name.replace(/_MIN$/, '_MAX'))?.[1] ?? Infinity;
      expect(min).toBeLessThan(max);
    },
  );

  it.each(all.filter(([name]) => name.endsWith('_DEFAULT')))('%s is not above its maximum', (name, value) => {
    const max = all.find(([other]) => other === name.replace(/_DEFAULT$/, '_MAX'))?.[1] ?? Infinity;
    expect(value).toBeLessThanOrEqual(max);
  });

  it('fit into one another', () => {
    const half = limits.FRAME_BYTES_MAX / 2;
    expect(limits.FRAME_BYTES_TARGET).toBeLessThan(limits.FRAME_BYTES_MAX);
    expect(limits.VALUE_BYTES_MAX + limits.KEY_BYTES_MAX, 'a value fits a frame').toBeLessThan(half);
    expect(limits.SCAN_PAGE_BYTES_MAX + limits.VALUE_BYTES_MAX, 'a scan page fits a frame').toBeLessThan(
      half,
    );
    expect(limits.FRAME_BYTES_MAX, 'a frame fits a buffer').toBeLessThan(limits.PEER_BUFFERED_BYTES_MAX);
    expect(limits.FRAME_BYTES_MAX, 'a frame fits a buffer').toBeLessThan(limits.CLIENT_BUFFERED_BYTES_MAX);
    expect(limits.SIBLINGS_WARNING, 'a warning comes before the refusal').toBeLessThan(limits.SIBLINGS_MAX);
    expect(limits.REQUESTS_PER_CONNECTION_MAX).toBeLessThanOrEqual(limits.REQUESTS_IN_FLIGHT_MAX);
    expect(limits.REQUESTS_IN_FLIGHT_MAX, 'admitted requests fit the queue').toBeLessThan(
      limits.QUEUE_EVENTS_MAX,
    );
    expect(limits.SCAN_PAGE_ENTRIES_DEFAULT).toBeLessThanOrEqual(limits.SCAN_PAGE_ENTRIES_MAX);
  });
});

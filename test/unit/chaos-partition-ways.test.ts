import { describe, expect, it } from 'vitest';
import { partitionWays } from '../../chaos/faults/partition-ways.js';
import type { PartitionShape } from '../../chaos/faults/fault.js';

const FIVE = ['a', 'b', 'c', 'd', 'e'];

/** Who hears whom, itself aside. */
function heard(shape: PartitionShape, order: readonly string[]): Record<string, string> {
  const cut = new Set(partitionWays(shape, order).map(([from, to]) => `${from}>${to}`));
  return Object.fromEntries(
    order.map((node) => [node, order.filter((o) => o !== node && !cut.has(`${o}>${node}`)).join('')]),
  );
}

describe('the shapes of partitions', () => {
  it.each<[PartitionShape, Record<string, string>]>([
    ['halves', { a: 'b', b: 'a', c: 'de', d: 'ce', e: 'cd' }],
    ['one', { a: '', b: 'cde', c: 'bde', d: 'bce', e: 'bcd' }],
    ['bridge', { a: 'bc', b: 'ac', c: 'abde', d: 'ce', e: 'cd' }],
    ['majorities-ring', { a: 'be', b: 'ac', c: 'bd', d: 'ce', e: 'ad' }],
    ['one-way', { a: 'bcde', b: 'acde', c: 'de', d: 'ce', e: 'cd' }],
  ])('%s of five', (shape, expected) => {
    expect(heard(shape, FIVE)).toEqual(expected);
  });

  it.each<[PartitionShape, Record<string, string>]>([
    ['halves', { a: '', b: 'c', c: 'b' }],
    ['bridge', { a: 'b', b: 'ac', c: 'b' }],
    ['majorities-ring', { a: 'c', b: 'a', c: 'b' }],
    ['one-way', { a: 'bc', b: 'c', c: 'b' }],
  ])('%s of three', (shape, expected) => {
    expect(heard(shape, ['a', 'b', 'c'])).toEqual(expected);
  });

  it.each([3, 4, 5, 6, 7, 9])('in a ring of %i every node hears a majority, and no two the same', (count) => {
    const order = Array.from({ length: count }, (_, i) => `n${i}`);
    const cut = new Set(partitionWays('majorities-ring', order).map(([from, to]) => `${from}>${to}`));
    const views = order.map((node) => order.filter((o) => !cut.has(`${o}>${node}`)).join(' '));
    expect(new Set(views).size).toBe(count);
    for (const view of views) expect(view.split(' ').length).toBe(Math.floor(count / 2) + 1);
  });
});

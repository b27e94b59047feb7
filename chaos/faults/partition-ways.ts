/**
 * Which ways a partition cuts, by its shape. The shapes are Jepsen's (`jepsen.nemesis`); the caller shuffles.
 *
 *   halves           the first half | the rest                     a b | c d e
 *   one              the first alone | the rest                    a | b c d e
 *   bridge           halves that both still see the node between   a b | c | d e   with c to both sides
 *   majorities-ring  every node hears a majority, and no two nodes the same one
 *   one-way          nothing gets from the first half to the rest; what comes back passes
 *
 * In the ring each node hears those next to it. Where a majority is even in number (of three nodes, or of
 * six) the ring is lopsided, as it is in Jepsen: b may hear a while a does not hear b, and a TCP connection
 * between the two is then dead both ways.
 */
import type { Way } from '../../src/simulation/conditions.js';
import type { PartitionShape } from './fault.js';

export function partitionWays(shape: PartitionShape, order: readonly string[]): Way[] {
  const half = Math.floor(order.length / 2);
  const first = order.slice(0, half);
  const rest = order.slice(half);
  switch (shape) {
    case 'halves':
      return bothWays(first, rest);
    case 'one':
      return bothWays(order.slice(0, 1), order.slice(1));
    case 'bridge':
      return bothWays(first, rest.slice(1));
    case 'majorities-ring':
      return majoritiesRing(order);
    case 'one-way':
      return oneWay(first, rest);
  }
}

function oneWay(these: readonly string[], those: readonly string[]): Way[] {
  return these.flatMap((from) => those.map((to): Way => [from, to]));
}

function bothWays(these: readonly string[], those: readonly string[]): Way[] {
  return [...oneWay(these, those), ...oneWay(those, these)];
}

/** Around the ring, the middle of each window of a majority hears that window and nobody else. */
function majoritiesRing(order: readonly string[]): Way[] {
  const size = Math.floor(order.length / 2) + 1;
  return order.flatMap((_, start) => {
    const window = Array.from({ length: size }, (__, i) => order[(start + i) % order.length] as string);
    const middle = window[Math.floor(size / 2)] as string;
    return oneWay(
      order.filter((node) => !window.includes(node)),
      [middle],
    );
  });
}

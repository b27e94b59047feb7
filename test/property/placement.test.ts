/**
 * The promises of placement. Clusters are random: up to 5 zones, hosts within a zone, nodes on a host,
 * weights from 0.5 to 4. As in the docs, a host lies in one zone unless a test says otherwise.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NodeEntry } from '../../src/cluster/cluster-map.js';
import { proposePlacement, type PlacedNamespace } from '../../src/cluster/placement.js';
import { namespaceName, nodeId, type NodeId } from '../../src/core/ids.js';

function node(id: string, zone: string, host: string, weight = 1): NodeEntry {
  return { id: nodeId(id), host, port: 1, zone, weight };
}

const weight = fc.constantFrom(0.5, 1, 2, 4);

/** Zones of hosts of nodes. */
const cluster = fc
  .array(fc.array(fc.array(weight, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 3 }), {
    minLength: 1,
    maxLength: 5,
  })
  .map((zones) =>
    zones.flatMap((hosts, z) =>
      hosts.flatMap((nodes, h) => nodes.map((w, i) => node(`z${z}h${h}n${i}`, `z${z}`, `z${z}h${h}`, w))),
    ),
  );

/** A cluster and a namespace that it can hold. */
const placed = fc
  .tuple(cluster, fc.integer({ min: 1, max: 5 }), fc.constantFrom(1, 4, 16))
  .map(([nodes, replicas, partitions]) => ({
    nodes,
    namespace: { name: namespaceName('photos'), partitions, replicas: Math.min(replicas, nodes.length) },
  }));

interface Placed {
  readonly nodes: readonly NodeEntry[];
  readonly namespace: PlacedNamespace;
}

function partitionsOf({ nodes, namespace }: Placed): readonly (readonly NodeId[])[] {
  return proposePlacement(nodes, [namespace])[0] ?? [];
}

/** How many of these nodes lie in each group. */
function counts(nodes: readonly NodeEntry[], groupOf: (node: NodeEntry) => string): Map<string, number> {
  const result = new Map<string, number>();
  for (const n of nodes) result.set(groupOf(n), (result.get(groupOf(n)) ?? 0) + 1);
  return result;
}

/** The most even way to put `items` into groups with these sizes: the counts, sorted. */
function evenest(items: number, sizes: readonly number[]): number[] {
  const filled = sizes.map(() => 0);
  for (let i = 0; i < items; i++) {
    const open = filled.map((count, g) => (count < (sizes[g] ?? 0) ? count : Infinity));
    const least = open.indexOf(Math.min(...open));
    filled[least] = (filled[least] ?? 0) + 1;
  }
  return filled.filter((count) => count > 0).sort((a, b) => a - b);
}

const sorted = (numbers: Iterable<number>): number[] => [...numbers].sort((a, b) => a - b);

function shuffled<T>(items: readonly T[], seed: number): T[] {
  return items
    .map((item, i) => ({ item, key: Math.imul(i + 1, seed | 1) >>> 0 }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}

describe('every partition', () => {
  it('has as many distinct replicas as asked for', () => {
    fc.assert(
      fc.property(placed, (cluster) => {
        const partitions = partitionsOf(cluster);
        expect(partitions).toHaveLength(cluster.namespace.partitions);
        for (const replicas of partitions) {
          expect(replicas).toHaveLength(cluster.namespace.replicas);
          expect(new Set(replicas).size).toBe(replicas.length);
        }
      }),
    );
  });

  it('is spread over zones as evenly as their sizes allow: all different where there are enough zones', () => {
    fc.assert(
      fc.property(placed, (cluster) => {
        const zones = counts(cluster.nodes, (n) => n.zone);
        for (const replicas of partitionsOf(cluster)) {
          const used = counts(
            cluster.nodes.filter((n) => replicas.includes(n.id)),
            (n) => n.zone,
          );
          expect(sorted(used.values())).toEqual(evenest(replicas.length, [...zones.values()]));
          if (zones.size >= replicas.length) expect(used.size).toBe(replicas.length);
        }
      }),
    );
  });

  it('is spread over the hosts of a zone as evenly as their sizes allow', () => {
    fc.assert(
      fc.property(placed, (cluster) => {
        for (const replicas of partitionsOf(cluster)) {
          for (const zone of counts(cluster.nodes, (n) => n.zone).keys()) {
            const inZone = cluster.nodes.filter((n) => n.zone === zone);
            const held = inZone.filter((n) => replicas.includes(n.id));
            const sizes = [...counts(inZone, (n) => n.host).values()];
            expect(sorted(counts(held, (n) => n.host).values())).toEqual(evenest(held.length, sizes));
          }
        }
      }),
    );
  });

  it('lies on different hosts where one zone has enough of them', () => {
    const nodes = ['a', 'b', 'c'].flatMap((host) => [1, 2, 3].map((i) => node(`${host}${i}`, 'z', host)));
    const namespace = { name: namespaceName('n'), partitions: 64, replicas: 3 };
    for (const replicas of proposePlacement(nodes, [namespace])[0] ?? []) {
      expect(new Set(replicas.map((id) => id.charAt(0))).size).toBe(3);
    }
  });
});

describe('the proposal is stable', () => {
  it('whatever the order of the nodes, and whatever other namespaces there are', () => {
    fc.assert(
      fc.property(placed, fc.integer(), (cluster, seed) => {
        const other = { name: namespaceName('other'), partitions: 8, replicas: 1 };
        const again = proposePlacement(shuffled(cluster.nodes, seed), [other, cluster.namespace]);
        expect(again[1]).toEqual(partitionsOf(cluster));
      }),
    );
  });

  it('and pinned: a cluster that is upgraded must find its partitions where they were', () => {
    const nodes = ['n1', 'n2', 'n3', 'n4'].map((id) => node(id, 'default', '127.0.0.1'));
    const namespace = { name: namespaceName('photos'), partitions: 4, replicas: 3 };
    expect(proposePlacement(nodes, [namespace])).toEqual([
      [
        ['n3', 'n1', 'n2'],
        ['n4', 'n1', 'n3'],
        ['n2', 'n4', 'n3'],
        ['n1', 'n4', 'n2'],
      ],
    ]);
  });
});

// The bound: exactly one replica of each partition that the node held, and nothing of any other.
describe('a node that goes moves no more than it held', () => {
  const withLoss = placed
    .filter((c) => c.nodes.length > c.namespace.replicas)
    .chain((cluster) =>
      fc.record({ cluster: fc.constant(cluster), lost: fc.constantFrom(...cluster.nodes) }),
    );

  it('partitions it did not hold keep their replicas; the others keep all but it', () => {
    fc.assert(
      fc.property(withLoss, ({ cluster, lost }) => {
        const after = partitionsOf({ ...cluster, nodes: cluster.nodes.filter((n) => n !== lost) });
        partitionsOf(cluster).forEach((before, partition) => {
          const kept = before.filter((id) => id !== lost.id);
          expect(after[partition]).toEqual(expect.arrayContaining(kept));
          expect(after[partition]).toHaveLength(before.length);
        });
      }),
      { numRuns: 400 },
    );
  });

  it('also where hosts span zones, as far as partitions it did not hold go', () => {
    const spanning = fc.record({
      hosts: fc.array(fc.tuple(fc.nat(3), fc.nat(3), weight), { minLength: 3, maxLength: 12 }),
      lost: fc.nat(),
    });
    fc.assert(
      fc.property(spanning, ({ hosts, lost }) => {
        const nodes = hosts.map(([zone, host, w], i) => node(`n${i}`, `z${zone}`, `h${host}`, w));
        const gone = nodes[lost % nodes.length];
        const namespace = { name: namespaceName('photos'), partitions: 16, replicas: 2 };
        const after = partitionsOf({ namespace, nodes: nodes.filter((n) => n !== gone) });
        partitionsOf({ namespace, nodes }).forEach((before, partition) => {
          if (gone !== undefined && before.includes(gone.id)) return;
          expect(after[partition]?.toSorted()).toEqual(before.toSorted());
        });
      }),
    );
  });

  it('a node that gets more weight keeps what it held', () => {
    fc.assert(
      fc.property(withLoss, ({ cluster, lost: grown }) => {
        const nodes = cluster.nodes.map((n) => (n === grown ? { ...n, weight: n.weight * 3 } : n));
        const after = partitionsOf({ ...cluster, nodes });
        partitionsOf(cluster).forEach((before, partition) => {
          if (before.includes(grown.id)) expect(after[partition]).toContain(grown.id);
        });
      }),
    );
  });
});

describe('weights', () => {
  // 4096 draws with probability p deviate by less than 5 standard deviations, sqrt(p (1 - p) / 4096) each.
  it('decide the share of partitions: within 5 standard deviations of weight over total weight', () => {
    const weights = [1, 1, 2, 4, 8];
    const total = 16;
    const nodes = weights.map((w, i) => node(`n${i}`, 'z', `h${i}`, w));
    const namespace = { name: namespaceName('n'), partitions: 4096, replicas: 1 };
    const partitions = proposePlacement(nodes, [namespace])[0] ?? [];
    weights.forEach((w, i) => {
      const p = w / total;
      const share = partitions.filter(([first]) => first === nodes[i]?.id).length / 4096;
      expect(Math.abs(share - p)).toBeLessThan(5 * Math.sqrt((p * (1 - p)) / 4096));
    });
  });

  it('decide between the nodes of a zone where each zone holds one replica', () => {
    const nodes = ['a', 'b', 'c'].flatMap((z) => [
      node(`${z}1`, z, `${z}1`, 1),
      node(`${z}2`, z, `${z}2`, 3),
    ]);
    const namespace = { name: namespaceName('n'), partitions: 2048, replicas: 3 };
    const partitions = proposePlacement(nodes, [namespace])[0] ?? [];
    for (const zone of ['a', 'b', 'c']) {
      const share = partitions.filter((ids) => ids.includes(nodeId(`${zone}2`))).length / 2048;
      expect(Math.abs(share - 0.75)).toBeLessThan(5 * Math.sqrt((0.75 * 0.25) / 2048));
    }
  });
});

describe('preferred coordinators', () => {
  it('are shared evenly, to one partition, where every node holds everything', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 7 }), fc.constantFrom(1, 8, 16, 64), (count, partitions) => {
        const nodes = Array.from({ length: count }, (_, i) => node(`n${i}`, 'z', `h${i}`));
        const namespace = { name: namespaceName('photos'), partitions, replicas: count };
        const led = nodes.map((n) => partitionsOf({ nodes, namespace }).filter(([id]) => id === n.id).length);
        expect(Math.max(...led) - Math.min(...led)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('are shared by weight there', () => {
    const nodes = [node('n1', 'z', 'h1', 1), node('n2', 'z', 'h2', 1), node('n3', 'z', 'h3', 2)];
    const namespace = { name: namespaceName('photos'), partitions: 64, replicas: 3 };
    const led = nodes.map((n) => partitionsOf({ nodes, namespace }).filter(([id]) => id === n.id).length);
    expect(led).toEqual([16, 16, 32]);
  });

  it('are shared to two partitions in three zones of two', () => {
    const nodes = ['a', 'b', 'c'].flatMap((z) => [node(`${z}1`, z, 'h'), node(`${z}2`, z, 'h')]);
    for (const name of ['photos', 'features', 'users', 'default', 'cache']) {
      const namespace = { name: namespaceName(name), partitions: 16, replicas: 3 };
      const led = nodes.map((n) => partitionsOf({ nodes, namespace }).filter(([id]) => id === n.id).length);
      expect(Math.max(...led) - Math.min(...led)).toBeLessThanOrEqual(2);
    }
  });
});

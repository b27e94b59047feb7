/** Who stands in: the same order for everybody, never a replica, and spread on from the replicas over zones and hosts. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildClusterMap } from '../../src/cluster/build-map.js';
import { replicasOf, type ClusterMap } from '../../src/cluster/cluster-map.js';
import type { ClusterConfig } from '../../src/cluster/config.js';
import { standInsOf } from '../../src/cluster/placement.js';
import { namespaceName, nodeId } from '../../src/core/ids.js';

const PARTITIONS = 8;

/** Up to four zones with up to three hosts of up to two nodes each; a host lies in one zone. */
const clusters = fc
  .array(
    fc.array(fc.array(fc.constantFrom(0.5, 1, 4), { minLength: 1, maxLength: 2 }), {
      minLength: 1,
      maxLength: 3,
    }),
    {
      minLength: 1,
      maxLength: 4,
    },
  )
  .map((zones) =>
    zones.flatMap((hosts, z) =>
      hosts.flatMap((weights, h) =>
        weights.map((weight, n) => ({
          id: nodeId(`z${z}h${h}n${n}`),
          host: `z${z}h${h}`,
          zone: `z${z}`,
          port: 1 + n,
          weight,
          dataDir: `z${z}h${h}n${n}`,
        })),
      ),
    ),
  );

const cases = fc
  .tuple(clusters, fc.integer({ min: 1, max: 4 }))
  .map(([nodes, replicas]) => ({ nodes, replicas: Math.min(replicas, nodes.length) }));

function mapOf(nodes: ClusterConfig['nodes'], replicas: number): ClusterMap {
  const namespace = {
    name: namespaceName('default'),
    strategy: 'leaderless' as const,
    replicas,
    partitions: PARTITIONS,
    read: 'one' as const,
    write: 'one' as const,
    conflict: 'siblings' as const,
    durability: 'sync' as const,
    sloppy: true,
    ttlMs: 0,
  };
  return buildClusterMap({ cluster: 'c', epoch: 1, credentials: '', nodes, namespaces: [namespace] });
}

function countsBy(map: ClusterMap, ids: readonly string[], field: 'zone' | 'host'): Map<string, number> {
  const counts = new Map<string, number>();
  for (const node of map.nodes) if (!counts.has(node[field])) counts.set(node[field], 0);
  for (const id of ids) {
    const place = map.nodes.find((node) => node.id === id)?.[field] as string;
    counts.set(place, (counts.get(place) ?? 0) + 1);
  }
  return counts;
}

describe('stand-ins', () => {
  it('are distinct, never replicas, and as many as replicas where there are nodes', () => {
    fc.assert(
      fc.property(cases, ({ nodes, replicas }) => {
        const map = mapOf(nodes, replicas);
        for (let p = 0; p < PARTITIONS; p++) {
          const homes = replicasOf(map, 0, p);
          const standIns = standInsOf(map, 0, p);
          expect(standIns).toHaveLength(Math.min(replicas, nodes.length - replicas));
          expect(new Set([...homes, ...standIns]).size).toBe(homes.length + standIns.length);
        }
      }),
    );
  });

  it('are the same whatever order the config lists the nodes in', () => {
    fc.assert(
      fc.property(cases, ({ nodes, replicas }) => {
        const [map, reversed] = [mapOf(nodes, replicas), mapOf(nodes.toReversed(), replicas)];
        for (let p = 0; p < PARTITIONS; p++)
          expect(standInsOf(map, 0, p)).toEqual(standInsOf(reversed, 0, p));
      }),
    );
  });

  it('go to the zone that has fewest, as long as it has a node left', () => {
    fc.assert(
      fc.property(cases, ({ nodes, replicas }) => {
        const map = mapOf(nodes, replicas);
        for (let p = 0; p < PARTITIONS; p++) {
          const taken: string[] = [...replicasOf(map, 0, p)];
          for (const standIn of standInsOf(map, 0, p)) {
            const zones = countsBy(map, taken, 'zone');
            const free = map.nodes
              .filter(({ id }) => !taken.includes(id))
              .map(({ zone }) => zones.get(zone) ?? 0);
            const zone = map.nodes.find(({ id }) => id === standIn)?.zone as string;
            expect(zones.get(zone)).toBe(Math.min(...free));
            taken.push(standIn);
          }
        }
      }),
    );
  });

  it('of a host that holds a replica come after those of one in the same zone that holds none', () => {
    const nodes = ['h1', 'h1', 'h2'].map((host, i) => ({
      id: nodeId(`n${i}`),
      host,
      zone: 'z',
      port: i + 1,
      weight: 1,
      dataDir: `n${i}`,
    }));
    const map = mapOf(nodes, 1);
    for (let p = 0; p < PARTITIONS; p++) {
      const [home] = replicasOf(map, 0, p);
      const [first] = standInsOf(map, 0, p);
      if (home !== 'n2') expect(first).toBe('n2');
    }
  });

  it('share the load: over many partitions every node stands in somewhere', () => {
    const nodes = Array.from({ length: 5 }, (_, i) => ({
      id: nodeId(`n${i}`),
      host: `h${i}`,
      zone: 'z',
      port: 1,
      weight: 1,
      dataDir: `n${i}`,
    }));
    const map = mapOf(nodes, 3);
    const firsts = new Set(Array.from({ length: PARTITIONS }, (_, p) => standInsOf(map, 0, p)[0]));
    expect(firsts.size).toBeGreaterThan(2);
  });
});

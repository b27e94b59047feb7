import { describe, expect, it } from 'vitest';
import { buildClusterMap, checkMapTransition, hashClusterMap, sameMap } from '../../src/cluster/build-map.js';
import {
  findNamespace,
  quorumSize,
  replicasOf,
  type ClusterMap,
  type NamespaceEntry,
} from '../../src/cluster/cluster-map.js';
import { parseClusterConfig } from '../../src/cluster/config.js';
import { TrefoilError } from '../../src/core/errors.js';

const CONFIG = `cluster: test
epoch: 3
credentials: hunter2
nodes:
  - { id: n2, port: 7102, dataDir: ./n2 }
  - { id: n10, port: 7110, dataDir: ./n10 }
  - { id: n1, port: 7101, dataDir: ./n1 }
namespaces:
  - { name: users, strategy: leaderless, conflict: lww, partitions: 4 }
  - { name: photos, strategy: leaderless, partitions: 4, ttl: 1h }
`;

/** The map of the config with some of its text replaced. */
function mapOf(...replacements: (readonly [from: string, to: string])[]): ClusterMap {
  let text = CONFIG;
  for (const [from, to] of replacements) {
    expect(text).toContain(from);
    text = text.replace(from, to);
  }
  return buildClusterMap(parseClusterConfig(text, 'c.yaml'));
}

/** The error of a transition from the config's map, or undefined where it is allowed. */
function refusal(proposed: ClusterMap, stored = mapOf()): TrefoilError | undefined {
  try {
    checkMapTransition(stored, proposed);
  } catch (error) {
    if (error instanceof TrefoilError) return error;
    throw error;
  }
  return undefined;
}

const EPOCH_4 = ['epoch: 3', 'epoch: 4'] as const;
const N4 = ['namespaces:', '  - { id: n4, port: 7104, dataDir: ./n4 }\nnamespaces:'] as const;

describe('the map of a config', () => {
  it('sorts nodes by id and namespaces by name, and places every partition', () => {
    const map = mapOf();
    expect(map.nodes.map((n) => n.id)).toEqual(['n1', 'n10', 'n2']);
    expect(map.namespaces.map((n) => n.name)).toEqual(['photos', 'users']);
    expect(map.placement.map((partitions) => partitions.length)).toEqual([4, 4]);
    expect(replicasOf(map, 1, 3).toSorted()).toEqual(['n1', 'n10', 'n2']);
    expect(replicasOf(map, 1, 4)).toEqual([]);
    expect(findNamespace(map, 'users')?.index).toBe(1);
    expect(findNamespace(map, 'nobody')).toBeUndefined();
  });

  it('holds neither the secret nor data folders', () => {
    expect(JSON.stringify(mapOf())).not.toMatch(/hunter2|dataDir|\.\/n1/);
  });

  it('does not depend on the order of the file', () => {
    const lines = CONFIG.split('\n');
    const swapped = [...lines.slice(0, 4), lines[6], lines[4], lines[5], lines[7], lines[9], lines[8]].join(
      '\n',
    );
    expect(buildClusterMap(parseClusterConfig(swapped, 'c'))).toEqual(mapOf());
  });

  it('a level stands for a number of replicas', () => {
    expect((['one', 'quorum', 'all', 2] as const).map((level) => quorumSize(level, 5))).toEqual([1, 3, 5, 2]);
  });
});

describe('the hash', () => {
  it('is pinned: nodes of different versions must agree on it', () => {
    expect(mapOf().hash).toBe('487635f9d84eeda0');
  });

  it('does not depend on the order of fields', () => {
    const map = mapOf();
    const reversed = Object.fromEntries(Object.entries(map).reverse()) as unknown as ClusterMap;
    const nodes = map.nodes.map(
      (n) => Object.fromEntries(Object.entries(n).reverse()) as unknown as typeof n,
    );
    expect(hashClusterMap({ ...reversed, nodes })).toBe(map.hash);
  });

  it.each<[string, string]>([
    ['cluster: test', 'cluster: other'],
    ['epoch: 3', 'epoch: 4'],
    ['port: 7101', 'port: 7103'],
    ['id: n1,', 'id: n3,'],
    ['id: n1,', 'id: n1, host: example.org,'],
    ['id: n1,', 'id: n1, zone: east,'],
    ['id: n1,', 'id: n1, weight: 2,'],
    ['name: users', 'name: people'],
    ['partitions: 4', 'partitions: 8'],
    ['conflict: lww', 'conflict: siblings'],
    ['ttl: 1h', 'ttl: 2h'],
    ['ttl: 1h', 'replicas: 2'],
    ['ttl: 1h', 'ttl: 1h, read: one'],
    ['ttl: 1h', 'ttl: 1h, write: all'],
    ['ttl: 1h', 'ttl: 1h, durability: buffered'],
  ])('changes when %s becomes %s', (from, to) => {
    const changed = mapOf([from, to]);
    expect(changed.hash).toMatch(/^[0-9a-f]{16}$/);
    expect(changed.hash).not.toBe(mapOf().hash);
    expect(sameMap(changed, mapOf())).toBe(false);
  });

  it('changes with the placement alone', () => {
    const map = mapOf();
    const placement = map.placement.map((partitions) => partitions.toReversed());
    expect(hashClusterMap({ ...map, placement })).not.toBe(map.hash);
  });

  it('does not change with the secret, the folders, or a default that is written out', () => {
    expect(mapOf(['hunter2', 'other']).hash).toBe(mapOf().hash);
    expect(mapOf(['./n1 ', '/elsewhere ']).hash).toBe(mapOf().hash);
    expect(mapOf(['ttl: 1h', 'ttl: 60m, read: quorum, replicas: 3']).hash).toBe(mapOf().hash);
    expect(sameMap(mapOf(), mapOf())).toBe(true);
  });
});

describe('a map may be followed', () => {
  it('by itself', () => {
    expect(refusal(mapOf())).toBeUndefined();
  });

  it.each<[string, readonly (readonly [string, string])[]]>([
    ['a new address', [['port: 7101', 'port: 7901']]],
    ['new quorum levels', [['ttl: 1h', 'read: one, write: all']]],
    ['a new policy, durability and ttl', [['ttl: 1h', 'conflict: lww, durability: buffered, ttl: 2h']]],
    ['a new namespace', [['namespaces:', 'namespaces:\n  - { name: a, strategy: leaderless }']]],
    ['new weights that only change who is asked first', [['id: n1,', 'id: n1, weight: 5,']]],
  ])('by one with %s, under a higher epoch only', (_what, replacements) => {
    expect(refusal(mapOf(EPOCH_4, ...replacements))).toBeUndefined();
    const sameEpoch = refusal(mapOf(...replacements));
    expect(sameEpoch?.code).toBe('MapConflict');
    expect(sameEpoch?.message).toContain('the same epoch 3: undo the change, or set epoch to 4');
  });
});

describe('a map may not be followed by one', () => {
  it('of another cluster', () => {
    const error = refusal(mapOf(EPOCH_4, ['cluster: test', 'cluster: other']));
    expect(error?.code).toBe('ConfigIncompatible');
    expect(error?.message).toContain('cluster test, the config is of cluster other');
  });

  it('with an older epoch', () => {
    const error = refusal(mapOf(['epoch: 3', 'epoch: 2']));
    expect(error?.code).toBe('ConfigIncompatible');
    expect(error?.message).toBe(
      "the config's epoch 2 is older than the stored map's 3: use the current config, or raise its epoch above 3",
    );
  });

  it.each<[string, readonly [string, string], string]>([
    ['more partitions', ['partitions: 4, ttl', 'partitions: 8, ttl'], 'partitions: 4, the config says 8'],
    ['fewer replicas', ['ttl: 1h', 'replicas: 2'], 'replicas: 3, the config says 2'],
  ])('with %s of a namespace that exists, whatever the epoch', (_what, replacement, reason) => {
    for (const epoch of [[], [EPOCH_4]]) {
      const error = refusal(mapOf(...epoch, replacement));
      expect(error?.code).toBe('ConfigIncompatible');
      expect(error?.message).toContain('namespace photos holds data stored with ');
      expect(error?.message).toContain(reason);
      expect(error?.message).toContain('set it back, or use a new namespace');
    }
  });

  it('with a typed policy that comes or goes, since its payloads mean nothing to others', () => {
    const lww = ['conflict: lww', 'conflict: lww'] as const;
    const counter = ['conflict: lww', 'conflict: counter'] as const;
    const plain = ['conflict: lww', 'conflict: siblings'] as const;
    for (const [before, after] of [
      [lww, counter],
      [counter, plain],
    ] as const) {
      const error = refusal(mapOf(EPOCH_4, after), mapOf(before));
      expect(error?.code).toBe('ConfigIncompatible');
      expect(error?.message).toContain('namespace users holds data stored with conflict: ');
    }
    expect(refusal(mapOf(EPOCH_4, plain), mapOf(lww))).toBeUndefined();
    expect(refusal(mapOf(EPOCH_4, counter), mapOf(counter))).toBeUndefined();
  });

  it('with another strategy', () => {
    const map = mapOf(EPOCH_4);
    const namespaces = map.namespaces.map((n) => ({ ...n, strategy: 'later' }) as unknown as NamespaceEntry);
    const error = refusal({ ...map, namespaces });
    expect(error?.code).toBe('ConfigIncompatible');
    expect(error?.message).toContain(
      'namespace photos holds data stored with strategy: leaderless, the config says later',
    );
    expect(error?.message).toContain('namespace users');
  });

  it('without a namespace that exists', () => {
    const error = refusal(mapOf(EPOCH_4, ['name: users', 'name: people']));
    expect(error?.code).toBe('ConfigIncompatible');
    expect(error?.message).toBe(
      'namespace users holds data and is missing from the config: put it back (strategy: leaderless, partitions: 4, replicas: 3)',
    );
  });

  it('whose nodes would move partitions, until membership is elastic', () => {
    const more = refusal(mapOf(EPOCH_4, N4));
    expect(more?.code).toBe('ConfigIncompatible');
    expect(more?.message).toMatch(
      /would move \d of 4 partitions of namespace photos, and moving partitions comes with elastic membership/,
    );
    const fewer = refusal(mapOf(EPOCH_4), mapOf(N4));
    expect(fewer?.code).toBe('ConfigIncompatible');
    const renamed = refusal(mapOf(EPOCH_4, ['id: n1,', 'id: n3,']));
    expect(renamed?.message).toContain('would move 4 of 4 partitions of namespace users');
  });

  it('of the same epoch whose nodes would move partitions; raising the epoch is then said not to be enough', () => {
    const error = refusal(mapOf(N4));
    expect(error?.code).toBe('MapConflict');
    expect(error?.message).toContain('set epoch to 4, which would not be enough here');
  });
});

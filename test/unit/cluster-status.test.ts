/** What `trefoil cluster status` makes of what the nodes say: tables, summary, JSON, and whether all is well. */
import { describe, expect, it } from 'vitest';
import { isWhole, statusJson } from '../../src/cli/cluster-status.js';
import { entriesBehind, groupLines, ledGroups, type LedGroup } from '../../src/cli/led-groups.js';
import { statusLines, summaryLines, type StatusRow } from '../../src/cli/status-text.js';
import { buildClusterMap } from '../../src/cluster/build-map.js';
import { parseClusterConfig } from '../../src/cluster/config.js';
import { TrefoilError } from '../../src/core/errors.js';
import type { NodeStatus } from '../../src/node/node-status.js';

type Gauges = Readonly<Record<string, number>>;

interface Said {
  readonly gauges?: Gauges;
  readonly groups?: Readonly<Record<string, Gauges>>;
  readonly epoch?: number;
  readonly writesRefused?: string;
}

/** What a node says; null: it is down. */
function row(node: string, said: Said | null): StatusRow {
  const place = { node, address: `${node}:1`, zone: 'z', memoryBytes: undefined };
  if (said === null)
    return { ...place, status: undefined, error: new TrefoilError('NoReachableNode', 'down') };
  const { gauges = {}, groups = {}, epoch = 1, writesRefused = null } = said;
  const status = {
    node,
    epoch,
    writesRefused,
    uptimeMs: 1_000,
    peers: [{ reachable: true }, { reachable: false }],
    counters: {},
    groups: Object.entries(groups).map(([group, own]) => {
      return { group, strategy: 'leader-follower', gauges: own };
    }),
    gauges,
  } as unknown as NodeStatus;
  return { ...place, status, error: undefined };
}

const nodes = [1, 2, 3].map((i) => `{ id: n${i}, port: ${i}, dataDir: n${i} }`).join(', ');
const map = buildClusterMap(
  parseClusterConfig(
    `cluster: c
nodes: [${nodes}]
namespaces:
  - { name: orders, strategy: leader-follower, partitions: 2 }
  - { name: album, strategy: leader-follower, partitions: 1 }
  - { name: plain, strategy: leaderless, partitions: 4 }
`,
    'c.yaml',
  ),
);

const leads = (term: number, commitIndex: number, appliedIndex = commitIndex): Gauges => {
  return { leads: 1, refilling: 0, term, commitIndex, appliedIndex };
};
const follows = (appliedIndex: number, term = 1): Gauges => {
  return { leads: 0, refilling: 0, term, commitIndex: appliedIndex, appliedIndex };
};

/** All is well, but n3 is 30 behind in one group and 2 in another. */
const behind = [
  row('n1', {
    gauges: { leads: 2 },
    groups: { 'album/0': leads(3, 50), 'orders/0': leads(4, 1_030), 'orders/1': follows(7) },
  }),
  row('n2', {
    gauges: { leads: 1 },
    groups: { 'album/0': follows(50), 'orders/0': follows(1_030), 'orders/1': leads(1, 7) },
  }),
  row('n3', {
    gauges: { leads: 0 },
    groups: { 'album/0': follows(48), 'orders/0': follows(1_000), 'orders/1': follows(7) },
  }),
];

/** A majority is down; the node that is left knows of no leader. */
const minority = [
  row('n1', {
    gauges: { leads: 0 },
    groups: { 'album/0': follows(50, 3), 'orders/0': follows(1_030, 5), 'orders/1': follows(7) },
  }),
  row('n2', null),
  row('n3', null),
];

const cells = (line: string | undefined): string[] => (line ?? '').trim().split(/ {2,}/);
const table = (states: readonly StatusRow[]): string[][] =>
  statusLines(states, ledGroups(map, states)).map(cells);
const summary = (states: readonly StatusRow[], groups: readonly LedGroup[] = ledGroups(map, states)) =>
  summaryLines({ cluster: 'c', epoch: 9 }, states, groups);

describe('the table of nodes', () => {
  it('says who leads how many partitions, and how far each node is behind', () => {
    const [head, ...rows] = table(behind);
    expect(head?.slice(3, 8)).toEqual(['STATE', 'PEERS', 'LEADS', 'BEHIND', 'HINTS']);
    expect(rows.map((row) => row.slice(3, 7))).toEqual([
      ['up', '1/2', '2', '0'],
      ['up', '1/2', '1', '0'],
      ['up', '1/2', '0', '32'],
    ]);
  });

  it('does not say how far behind a node is that is down, or whose groups have no leader', () => {
    const [n1, n2] = behind as [StatusRow, StatusRow];
    expect(table([n1, n2, row('n3', null)]).map((row) => row[6])).toEqual(['BEHIND', '0', '0', '-']);
    expect(table(minority).map((row) => row[6])).toEqual(['BEHIND', '-', '-', '-']);
  });

  it('counts what it can of a node that cannot say how far it is in one of its groups', () => {
    const [n1, n2] = behind as [StatusRow, StatusRow];
    const n3 = row('n3', { groups: { 'album/0': { refilling: 1 }, 'orders/0': follows(1_000) } });
    expect(entriesBehind(ledGroups(map, [n1, n2, n3]), 'n3')).toBe(30);
  });

  it('has a cell for every column, of a node that is down too', () => {
    for (const groups of [ledGroups(map, behind), []]) {
      const [head, ...rows] = statusLines([row('n1', {}), row('n2', null)], groups);
      for (const line of rows) expect(cells(line)).toHaveLength(cells(head).length);
    }
  });

  it('says nothing of leaders where no namespace has any', () => {
    expect(cells(statusLines([row('n1', { gauges: { hints: 3 } })], [])[0])).not.toContain('LEADS');
  });
});

describe('the table of groups', () => {
  it('has who leads each and how far the others are behind, by namespace and number', () => {
    expect(groupLines(ledGroups(map, behind)).map(cells)).toEqual([
      ['GROUP', 'LEADER', 'TERM', 'COMMIT', 'FOLLOWERS, ENTRIES BEHIND'],
      ['album/0', 'n1', '3', '50', expect.stringMatching(/^n[23] \d+, n[23] \d+$/)],
      ['orders/0', 'n1', '4', '1,030', expect.stringContaining('n3 30')],
      ['orders/1', 'n2', '1', '7', expect.not.stringContaining('n2')],
    ]);
  });

  it('says which followers are down, refilled, or unknown to their node', () => {
    const [n1] = behind as [StatusRow];
    const n2 = row('n2', { groups: { 'orders/0': { ...follows(0), refilling: 1 }, 'orders/1': follows(7) } });
    const lines = groupLines(ledGroups(map, [n1, n2, row('n3', null)]));
    expect(lines[1]).toMatch(/n2 absent/);
    expect(lines[2]).toMatch(/n2 refilling 1,030/);
    expect(lines[2]).toMatch(/n3 down/);
  });

  it('gives the latest term and index that a replica knows where none leads', () => {
    const [, first, second] = groupLines(ledGroups(map, minority)).map(cells);
    expect(first?.slice(0, 4)).toEqual(['album/0', '-', '3', '50']);
    expect(second?.slice(0, 4)).toEqual(['orders/0', '-', '5', '1,030']);
    expect(second?.[4]).toContain('n1 -');
  });

  it('is a sentence where no namespace has leaders', () => {
    expect(groupLines([])).toEqual(['no namespace has leaders']);
  });
});

describe('the summary', () => {
  it('is one line where all is well', () => {
    expect(summary(behind)).toEqual(['cluster c, epoch 1: 3 of 3 nodes up']);
  });

  it('counts the partitions that have no leader', () => {
    expect(summary(minority)).toEqual([
      'cluster c, epoch 1: 1 of 3 nodes up',
      '3 of 3 partitions have no leader among the nodes that answer',
    ]);
    const [, n2, n3] = behind as [StatusRow, StatusRow, StatusRow];
    const n1 = row('n1', { groups: { 'album/0': follows(50), 'orders/0': follows(9) } });
    expect(summary([n1, n2, n3])[1]).toBe('2 of 3 partitions have no leader');
  });

  it('says which node runs which epoch where they differ', () => {
    const states = [row('n1', { epoch: 1 }), row('n2', { epoch: 1 }), row('n3', { epoch: 2 })];
    expect(summary(states, [])).toEqual([
      'cluster c, epochs differ: 3 of 3 nodes up',
      'epoch 1 at n1, n2; epoch 2 at n3',
    ]);
  });

  it("goes by the map's epoch where no node answers, and says no more", () => {
    expect(summary([row('n1', null), row('n2', null)], ledGroups(map, [row('n1', null)]))).toEqual([
      'cluster c, epoch 9: 0 of 2 nodes up',
    ]);
  });
});

describe('the status for a machine', () => {
  const refilling = row('n2', { gauges: { refilling: 68 } });
  const readOnly = row('n3', { writesRefused: 'StorageFull', gauges: { refilling: 1 } });

  it('has the states of the table', () => {
    const rows = [row('n1', {}), refilling, readOnly, row('n4', null)];
    expect(statusJson(map, rows, [], false)).toMatchObject({
      nodes: ['up', 'refilling', 'read-only', 'down'].map((state) => ({ state })),
    });
    expect(
      statusLines(rows, [])
        .slice(1)
        .map((line) => cells(line)[3]),
    ).toEqual(['up', 'refilling', 'read-only (StorageFull)', 'down']);
  });

  it('names the partitions without a leader, and has the groups where they are asked for', () => {
    const groups = ledGroups(map, minority);
    const brief = statusJson(map, minority, groups, false);
    expect(brief).toMatchObject({ withoutLeader: ['album/0', 'orders/0', 'orders/1'] });
    expect(brief).not.toHaveProperty('groups');
    const full = statusJson(map, behind, ledGroups(map, behind), true);
    expect(full).toMatchObject({ withoutLeader: [], nodes: [{ behind: 0 }, { behind: 0 }, { behind: 32 }] });
    expect(full).toHaveProperty('groups.1', {
      group: 'orders/0',
      leader: 'n1',
      term: 4,
      commitIndex: 1_030,
      replicas: expect.arrayContaining([
        { node: 'n1', state: 'leads', appliedIndex: 1_030, behind: 0 },
        { node: 'n3', state: 'follows', appliedIndex: 1_000, behind: 30 },
      ]) as unknown,
    });
  });

  it('is whole only where every node is up and every partition is led', () => {
    const well = (states: readonly StatusRow[]) => isWhole(states, ledGroups(map, states));
    expect(well(behind)).toBe(true);
    expect(well(minority)).toBe(false);
    expect(isWhole([row('n1', {}), row('n2', {})], [])).toBe(true);
    for (const state of [refilling, readOnly, row('n4', null)])
      expect(isWhole([row('n1', {}), state], [])).toBe(false);
    // All up, one partition in an election.
    const [n1, , n3] = behind as [StatusRow, StatusRow, StatusRow];
    expect(well([n1, row('n2', { groups: { 'orders/1': follows(7) } }), n3])).toBe(false);
  });
});

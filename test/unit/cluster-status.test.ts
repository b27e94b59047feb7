/** The table of `trefoil cluster status`. */
import { describe, expect, it } from 'vitest';
import { statusLines, type StatusRow } from '../../src/cli/cluster-status.js';
import { TrefoilError } from '../../src/core/errors.js';
import type { NodeStatus } from '../../src/node/node-status.js';

function row(node: string, gauges: Record<string, number> | undefined): StatusRow {
  const status = {
    node,
    writesRefused: null,
    uptimeMs: 1_000,
    peers: [{ reachable: true }, { reachable: false }],
    counters: {},
    gauges,
  } as unknown as NodeStatus;
  const place = { node, address: `${node}:1`, zone: 'z', memoryBytes: undefined };
  return gauges === undefined
    ? { ...place, status: undefined, error: new TrefoilError('NoReachableNode', 'down') }
    : { ...place, status, error: undefined };
}

const cells = (line: string | undefined): string[] => (line ?? '').trim().split(/ {2,}/);

describe('the status of a cluster', () => {
  it('says who leads how many partitions, and how far each node is behind', () => {
    const lines = statusLines([
      row('n1', { leads: 12, lagEntries: 0 }),
      row('n2', { leads: 4, lagEntries: 7 }),
    ]);
    expect(cells(lines[0])).toEqual(expect.arrayContaining(['PEERS', 'LEADS', 'BEHIND', 'HINTS']));
    expect(cells(lines[1]).slice(0, 7)).toEqual(['n1', 'n1:1', 'z', 'up', '1/2', '12', '0']);
    expect(cells(lines[2]).slice(0, 7)).toEqual(['n2', 'n2:1', 'z', 'up', '1/2', '4', '7']);
  });

  it('has a cell for every column, of a node that is down too', () => {
    for (const gauges of [{ leads: 1 }, {}]) {
      const [head, ...rows] = statusLines([row('n1', gauges), row('n2', undefined)]);
      for (const line of rows) expect(cells(line)).toHaveLength(cells(head).length);
    }
  });

  it('says nothing of leaders where no namespace has any', () => {
    expect(cells(statusLines([row('n1', { hints: 3 })])[0])).not.toContain('LEADS');
  });
});

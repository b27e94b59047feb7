/** Who leads a replica group, by what the nodes say of themselves. */
import { describe, expect, it } from 'vitest';
import { groupGauges, leaderOf, type NodeState } from '../../src/cli/node-states.js';
import type { NodeStatus } from '../../src/node/node-status.js';

function state(node: string, gauges: Record<string, number> | undefined): NodeState {
  const groups = gauges === undefined ? [] : [{ group: 'orders/0', strategy: 'leader-follower', gauges }];
  return { node, address: '', zone: '', status: { groups } as unknown as NodeStatus, error: undefined };
}

describe('who leads', () => {
  it('is the one with the latest term of those that say so', () => {
    const deposed = state('n1', { leads: 1, term: 3 });
    const leader = state('n2', { leads: 1, term: 4 });
    const follower = state('n3', { leads: 0, term: 4 });
    expect(leaderOf([deposed, leader, follower], 'orders/0')).toEqual({ node: 'n2', term: 4 });
  });

  it('is nobody where nobody says so, or nobody can be asked', () => {
    const down: NodeState = { ...state('n1', undefined), status: undefined };
    expect(leaderOf([down, state('n2', { leads: 0, term: 4 }), state('n3', undefined)], 'orders/0')).toBe(
      undefined,
    );
    expect(leaderOf([state('n2', { leads: 1, term: 4 })], 'orders/1')).toBeUndefined();
    expect(groupGauges(down, 'orders/0')).toBeUndefined();
  });
});

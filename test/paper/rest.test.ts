/**
 * Groups that rest (docs/adr/0017): what the papers let heartbeats say must not be lost by going without them. F13 of the strategy's SPEC. That a
 * leader rests only where everyone in reach has everything is a property of `raft-checker.ts`.
 */
import { describe, expect, it } from 'vitest';
import { LoneCore, append, n } from '../support/lone-core.js';
import { RaftCluster } from '../support/raft-cluster.js';

describe('a group that rests', () => {
  const quiet = (voters = 3): RaftCluster => {
    const cluster = new RaftCluster({ voters });
    cluster.elect('n1');
    cluster.run(200);
    return cluster;
  };

  it('when everyone has everything nobody sends, and nobody wants to be called', () => {
    const cluster = quiet();
    expect(cluster.alive.map(({ raft }) => [raft?.quiet, raft?.dueMs])).toEqual(
      Array(3).fill([true, Infinity]),
    );
    cluster.run(100_000);
    expect([cluster.leader, cluster.pending]).toEqual(['n1', 0]);
  });

  it('a proposal, a round, a transfer and a call wake it', () => {
    const wakes: ((cluster: RaftCluster) => void)[] = [
      (cluster) => cluster.propose('n1', 'a'),
      (cluster) => cluster.askRound('n1'),
      (cluster) => cluster.transfer('n1', 'n2'),
      (cluster) => cluster.deliver(n(3), n(1), { type: 'wake', term: 1 }),
      (cluster) => cluster.deliver(n(3), n(1), { type: 'pre-vote', term: 2, lastIndex: 1, lastTerm: 1 }),
    ];
    for (const wake of wakes) {
      const cluster = quiet();
      wake(cluster);
      expect([cluster.raft('n1').quiet, cluster.pending > 0]).toEqual([false, true]);
      cluster.run(300);
      expect(cluster.pending).toBe(0);
    }
  });

  it('once awake asks until it is answered', () => {
    const cluster = quiet();
    cluster.loses = (from) => from === 'n1';
    const index = cluster.propose('n1', 'a');
    cluster.askRound('n1');
    cluster.run(45);
    cluster.loses = () => false;
    expect(cluster.runUntil(() => cluster.raft('n3').commit === index, 50)).toBe(true);
    cluster.run(50);
    expect(cluster.checker.counts.rounds).toBe(1);
  });

  it('gives up a transfer in time', () => {
    const cluster = quiet();
    cluster.loses = (_from, _to, { type }) => type === 'timeout-now';
    cluster.transfer('n1', 'n2');
    expect(cluster.propose('n1', 'refused')).toBeNull();
    cluster.run(150);
    expect(cluster.propose('n1', 'taken')).toBe(2);
  });

  it('tells one that is back who leads, until it has heard', () => {
    const cluster = quiet();
    cluster.crash('n3');
    cluster.run(100);
    cluster.loses = (from) => from === 'n1';
    cluster.restart('n3');
    cluster.run(15);
    cluster.loses = () => false;
    cluster.run(45);
    expect(cluster.raft('n3').leader).toBe('n1');
  });

  it('does not rest while a connected follower lacks something, and rests without one that is down', () => {
    const cluster = quiet();
    cluster.hold('n3');
    cluster.propose('n1', 'a');
    cluster.run(300);
    expect(cluster.raft('n1').quiet).toBe(false);
    cluster.crash('n3');
    cluster.run(200);
    expect(cluster.raft('n1').quiet).toBe(true);
    cluster.release('n3');
    cluster.restart('n3');
    cluster.run(200);
    expect([cluster.raft('n3').commit, cluster.raft('n1').quiet]).toEqual([2, true]);
  });

  it('a follower that loses the link to the leader campaigns soon; the others, who do not, refuse and ask the leader', () => {
    const cluster = quiet();
    cluster.cut('n1', 'n3');
    cluster.run(150);
    expect(cluster.raft('n2').leader).toBe('n1');
    expect([cluster.leader, cluster.raft('n1').term]).toEqual(['n1', 1]);
  });

  it('a leader that loses the links to a majority steps down', () => {
    const cluster = quiet(5);
    cluster.isolate(['n1', 'n2']);
    cluster.run(250);
    expect(cluster.raft('n1').role).not.toBe('leader');
  });

  it('does not wait for ever for one that leads no more: who is asked to vote asks it to be heard', () => {
    const core = new LoneCore();
    core.step('n2', append({ term: 1, quiet: true }));
    expect(core.raft.dueMs).toBe(Infinity);
    expect(core.step('n3', { type: 'pre-vote', term: 2, lastIndex: 0, lastTerm: 0 })).toMatchObject([
      { type: 'wake' },
      { type: 'pre-vote-result', granted: false },
    ]);
    core.nowMs = 100;
    expect(core.step('n3', { type: 'pre-vote', term: 2, lastIndex: 0, lastTerm: 0 })).toMatchObject([
      { granted: true },
    ]);
  });

  it('nor for one that calls for a leader itself', () => {
    const core = new LoneCore();
    core.step('n2', append({ term: 1, quiet: true }));
    core.step('n2', { type: 'wake', term: 0 });
    expect([core.raft.leader, core.raft.quiet]).toEqual([null, false]);
    expect(core.raft.dueMs).toBeLessThanOrEqual(200);
  });
});

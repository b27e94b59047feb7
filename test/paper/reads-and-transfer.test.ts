/**
 * What a leader may say and when: section 8 of the paper (extended version); of the thesis 6.4 (read index), 6.4.1 (leases) and
 * 3.10 (leadership transfer).
 */
import { describe, expect, it } from 'vitest';
import { LIFE, LoneCore, append, n, requestVote } from '../support/lone-core.js';
import { RaftCluster } from '../support/raft-cluster.js';

describe('a new leader (8)', () => {
  it('confirms no read before an entry of its term is committed', () => {
    const core = new LoneCore({ log: [1, 1], hard: { term: 1 } });
    core.lead();
    expect(core.leadership.established).toBe(false);
    const round = core.leadership.askRound(0);
    core.take();
    core.answer('n2', { index: 2, round: 9 });
    expect([core.raft.commit, core.leadership.takeConfirmed()]).toEqual([0, []]);
    core.answer('n2', { index: 3 });
    expect([core.raft.commit, core.leadership.established]).toEqual([3, true]);
    core.answer('n2', { index: 3, round });
    expect(core.leadership.takeConfirmed()).toMatchObject([{ number: round, commit: 3 }]);
  });

  it('an entry of its term tells it what is committed', () => {
    const cluster = new RaftCluster({ disks: { n1: { log: [1, 1] }, n2: { log: [1, 1] } } });
    cluster.elect('n1');
    expect(cluster.raft('n1').commit).toBe(3);
  });
});

describe('read index (thesis, 6.4)', () => {
  const led = (voters = 3): LoneCore => {
    const core = new LoneCore({ voters });
    core.lead();
    for (let at = 2; at <= voters; at++) core.answer(`n${at}`, { index: 1 });
    return core;
  };

  it('a round is confirmed by a majority that answers what was sent after it began', () => {
    const core = led(5);
    const round = core.leadership.askRound(0);
    const messages = core.take();
    expect(messages.map((m) => m.type === 'append-entries' && m.round)).toEqual([1, 1, 1, 1]);
    core.answer('n2', { round });
    core.answer('n3', { round: round - 1 });
    expect(core.leadership.takeConfirmed()).toEqual([]);
    core.answer('n2', { round });
    expect(core.leadership.takeConfirmed()).toEqual([]);
    core.answer('n3', { round });
    expect(core.leadership.takeConfirmed()).toMatchObject([{ number: round, commit: 1 }]);
  });

  it('all that ask before it begins share it; who asks later waits for the next', () => {
    const core = led();
    const first = core.leadership.askRound(0);
    expect(core.leadership.askRound(0)).toBe(first);
    core.take();
    const second = core.leadership.askRound(0);
    expect(second).toBe(first + 1);
    core.take();
    core.answer('n2', { round: first });
    expect(core.leadership.takeConfirmed().map(({ number }) => number)).toEqual([first]);
    core.answer('n2', { round: first });
    expect(core.leadership.takeConfirmed()).toEqual([]);
    core.answer('n2', { round: second });
    expect(core.leadership.takeConfirmed().map(({ number }) => number)).toEqual([second]);
  });

  it('a rejection in its term, and an answer that still waits for the disk, confirm as well', () => {
    for (const status of ['rejected', 'heard'] as const) {
      const core = led();
      const round = core.leadership.askRound(0);
      core.take();
      core.answer('n2', { round, status, index: 1 });
      expect(core.leadership.takeConfirmed()).toHaveLength(1);
    }
  });

  it('learners confirm nothing, and neither do answers of another term', () => {
    const core = new LoneCore({ learners: 1 });
    core.lead();
    core.answer('n2', { index: 1 });
    const round = core.leadership.askRound(0);
    core.take();
    core.answer('n4', { round });
    core.answer('n2', { round, term: 0 });
    expect(core.leadership.takeConfirmed()).toEqual([]);
  });

  it('a follower hands back the round of the leader it follows', () => {
    const core = new LoneCore();
    expect(core.step('n2', append({ term: 1, round: 4 }))).toMatchObject([{ round: 4, status: 'durable' }]);
    core.raft.step(n(2), append({ term: 1, round: 9 }), 0);
    core.raft.step(n(3), append({ term: 2, round: 1 }), 0);
    expect(core.take()).toMatchObject([{ term: 2, round: 1 }]);
  });

  it('a leader that was deposed confirms nothing', () => {
    const cluster = new RaftCluster();
    cluster.elect('n1');
    cluster.isolate(['n1'], { silent: true });
    cluster.askRound('n1');
    expect(cluster.runUntil(() => cluster.leader !== 'n1', 500)).toBe(true);
    cluster.propose(cluster.leader ?? '', 'newer');
    cluster.run(20);
    cluster.healAll();
    cluster.run(300);
    expect(cluster.checker.counts.rounds).toBe(0);
  });

  it('a round whose messages were lost is asked for again, and no group rests before', () => {
    const cluster = new RaftCluster({ clockBoundMs: 10 });
    cluster.elect('n1');
    cluster.run(15);
    cluster.loses = (from) => from === 'n1';
    cluster.askRound('n1');
    cluster.run(90);
    expect(cluster.raft('n1').quiet).toBe(false);
    cluster.loses = () => false;
    cluster.run(50);
    expect(cluster.checker.counts.rounds).toBe(1);
  });
});

describe('leases (thesis, 6.4.1)', () => {
  it('run from the begin of a confirmed round for an election timeout less the bound of the clocks', () => {
    const core = new LoneCore({ clockBoundMs: 30 });
    core.lead();
    core.answer('n2', { index: 1 });
    const beganMs = core.nowMs;
    core.leadership.askRound(beganMs);
    core.take();
    core.nowMs += 15;
    expect(core.leadership.leased(core.nowMs)).toBe(false);
    core.answer('n2', { round: 1 });
    expect([69, 70].map((ms) => core.leadership.leased(beganMs + ms))).toEqual([true, false]);
  });

  it('there are none without a bound', () => {
    const cluster = new RaftCluster();
    cluster.elect('n1');
    cluster.askRound('n1');
    cluster.run(10);
    expect(cluster.raft('n1').leadership?.leased(cluster.nowMs)).toBe(false);
  });

  it('who heard a leader votes for nobody in that time, though the link is lost, the term passed or the replica new', () => {
    const core = new LoneCore({ clockBoundMs: 10 });
    expect(core.step('n3', requestVote(1, { index: 0, term: 0 }))).toMatchObject([{ granted: false }]);
    core.nowMs = 100;
    core.step('n2', append({ term: 1 }));
    core.raft.peerDown(n(2), 110);
    expect(core.raft.dueMs).toBeGreaterThanOrEqual(200);
    core.nowMs = 199;
    expect(core.step('n3', requestVote(2, { index: 0, term: 0 }))).toMatchObject([{ granted: false }]);
    core.nowMs = 200;
    expect(core.step('n3', requestVote(2, { index: 0, term: 0 }))).toMatchObject([{ granted: true }]);
  });

  it('who heard a leader votes for nobody in that time, also where a refused pre-vote has told it the term before', () => {
    const core = new LoneCore({ voters: 5, clockBoundMs: 10 });
    core.nowMs = 100;
    core.step('n2', append({ term: 1 }));
    core.step('n5', { type: 'pre-vote-result', term: 2, granted: false });
    expect(core.raft.term).toBe(2);
    core.nowMs = 199;
    expect(core.step('n3', requestVote(2, { index: 0, term: 0 }))).toMatchObject([{ granted: false }]);
    core.nowMs = 200;
    expect(core.step('n3', requestVote(2, { index: 0, term: 0 }))).toMatchObject([{ granted: true }]);
  });

  it('end when leadership is handed over, and come back no more in that term', () => {
    const core = new LoneCore({ clockBoundMs: 10 });
    core.lead();
    core.answer('n2', { index: 1 });
    core.leadership.askRound(core.nowMs);
    core.take();
    core.answer('n2', { index: 1, round: 1 });
    expect(core.leadership.leased(core.nowMs)).toBe(true);
    core.raft.transfer(n(2), core.nowMs);
    expect(core.leadership.leased(core.nowMs)).toBe(false);
    // The transfer is given up; what was told to campaign may still do so.
    core.nowMs += 99;
    core.answer('n3', { index: 1 });
    core.answer('n2', { index: 1 });
    core.pass(2);
    expect(core.leadership.transferring).toBe(false);
    core.leadership.askRound(core.nowMs);
    core.take();
    core.answer('n2', { index: 1, round: 9 });
    expect([core.leadership.takeConfirmed().length > 0, core.leadership.leased(core.nowMs)]).toEqual([
      true,
      false,
    ]);
  });
});

describe('leadership transfer (thesis, 3.10)', () => {
  it('the target is brought level first, no proposals are taken meanwhile, and it campaigns at once', () => {
    const cluster = new RaftCluster();
    cluster.elect('n1');
    cluster.hold('n2');
    cluster.propose('n1', 'a');
    cluster.run(10);
    cluster.transfer('n1', 'n2');
    cluster.run(5);
    expect([cluster.leader, cluster.propose('n1', 'refused')]).toEqual(['n1', null]);
    cluster.release('n2');
    expect(cluster.runUntil(() => cluster.leader === 'n2', 20)).toBe(true);
    cluster.run(50);
    expect(cluster.raft('n1')).toMatchObject({ role: 'follower', leader: 'n2' });
  });

  it('the target asks for votes without asking before, past those that hear the leader', () => {
    const core = new LoneCore();
    core.step('n2', append({ term: 1 }));
    expect(core.step('n2', { type: 'timeout-now', term: 1 })).toMatchObject(
      [2, 3].map(() => ({ type: 'request-vote', term: 2, transfer: true, life: LIFE })),
    );
    expect(core.step('n2', { type: 'timeout-now', term: 1 })).toEqual([]);
  });

  it('that fails is given up after an election timeout, and the leader leads on', () => {
    const cluster = new RaftCluster();
    cluster.elect('n1');
    cluster.loses = (_from, _to, { type }) => type === 'timeout-now';
    cluster.transfer('n1', 'n2');
    cluster.run(60);
    expect(cluster.propose('n1', 'refused')).toBeNull();
    cluster.run(61);
    expect(cluster.propose('n1', 'taken')).toBe(2);
  });

  it('is not begun to one that is down, does not vote, or while another is under way', () => {
    const core = new LoneCore({ learners: 1 });
    core.lead();
    core.raft.peerDown(n(3), 0);
    expect([n(3), n(4), n(1), n(2), n(2)].map((to) => core.raft.transfer(to, 0))).toEqual([
      false,
      false,
      false,
      true,
      false,
    ]);
  });
});

/**
 * Terms and elections: sections 5.1, 5.2 and 5.4.1 of the paper (extended version); of the thesis 9.6 (pre-vote), 6.2 (check quorum) and
 * 4.2.3 (a replica that was cut off does not disturb).
 */
import { describe, expect, it } from 'vitest';
import { ELECTION_MS, LIFE, LoneCore, append, n, requestVote, termsOf } from '../support/lone-core.js';
import { RaftCluster } from '../support/raft-cluster.js';

const START = { index: 0, term: 0 };
const yes = (term: number) => ({ type: 'request-vote-result', term, life: LIFE, granted: true }) as const;
const mayCampaign = (term: number) => ({ type: 'pre-vote-result', term, granted: true }) as const;

describe('terms (5.1)', () => {
  it('whoever sees a higher term takes it and follows: a follower, a candidate, a leader', () => {
    const follower = new LoneCore();
    follower.step('n2', append({ term: 4 }));
    expect([follower.raft.term, follower.raft.leader]).toEqual([4, 'n2']);

    const candidate = new LoneCore();
    candidate.pass(200);
    candidate.step('n2', mayCampaign(1));
    expect(candidate.raft.role).toBe('candidate');
    candidate.step('n3', { type: 'request-vote-result', term: 3, life: LIFE, granted: false });
    expect([candidate.raft.role, candidate.raft.term]).toEqual(['follower', 3]);

    const leader = new LoneCore();
    leader.lead();
    leader.answer('n2', { term: 7, status: 'rejected' });
    expect([leader.raft.role, leader.raft.term, leader.raft.leader]).toEqual(['follower', 7, null]);
  });

  it('a request of an old term is rejected, and the sender is told the term', () => {
    const core = new LoneCore({ hard: { term: 5 } });
    const [answer] = core.step('n2', append({ term: 4 }, 4));
    expect(answer).toMatchObject({ status: 'rejected', term: 5 });
    expect(core.raft.log.last.index).toBe(0);
    expect(core.step('n2', requestVote(4, START))).toMatchObject([{ term: 5, granted: false }]);
    const leader = new LoneCore({ hard: { term: 4 } });
    leader.lead();
    leader.answer('n2', { term: 4, index: 1 });
    expect(leader.raft.commit).toBe(0);
  });

  it('term and vote are on disk before anything of the new term leaves', () => {
    const core = new LoneCore();
    core.raft.step(n(2), requestVote(1, START), 0);
    core.take({ written: false });
    expect(core.ready).toMatchObject({
      hard: { term: 1, votedFor: 'n2' },
      messages: [{ early: false, message: { granted: true } }],
    });
    const cluster = new RaftCluster();
    cluster.hold('n2');
    cluster.hold('n3');
    cluster.campaign('n1');
    expect(cluster.runUntil(() => cluster.leader !== undefined, 90)).toBe(false);
    cluster.release('n2');
    expect(cluster.runUntil(() => cluster.leader === 'n1', 10)).toBe(true);
  });

  it('nobody leads before its own vote is on disk', () => {
    const cluster = new RaftCluster();
    cluster.hold('n1');
    cluster.campaign('n1');
    expect(cluster.runUntil(() => cluster.leader !== undefined, 90)).toBe(false);
    cluster.release('n1');
    expect(cluster.runUntil(() => cluster.leader === 'n1', 10)).toBe(true);
  });
});

describe('elections (5.2)', () => {
  it('replicas start as followers, and stay so while they hear a leader', () => {
    const cluster = new RaftCluster();
    expect(cluster.alive.map(({ raft }) => raft?.role)).toEqual(['follower', 'follower', 'follower']);
    const { term } = cluster.elect('n1');
    for (let round = 0; round < 20; round++) {
      cluster.propose('n1', `${round}`);
      cluster.run(50);
    }
    expect([cluster.leader, cluster.raft('n3').term]).toEqual(['n1', term]);
  });

  it('a follower that hears nobody for an election timeout campaigns: its term and one, its own vote, and asks all others', () => {
    const core = new LoneCore({ log: [1, 1] });
    expect(core.pass(99)).toEqual([]);
    expect(core.raft.dueMs).toBeGreaterThanOrEqual(100);
    core.pass(101);
    expect(core.step('n2', mayCampaign(2))).toEqual(
      [2, 3].map(() => ({ ...requestVote(2, { index: 2, term: 1 }), life: LIFE })),
    );
    expect(core.ready?.messages.map(({ to }) => to)).toEqual(['n2', 'n3']);
    expect(core.raft.hard).toEqual({ term: 2, votedFor: 'n1', standing: 'member' });
  });

  it('a majority of votes in the same term makes a leader, and it says so at once', () => {
    const core = new LoneCore({ voters: 5 });
    core.pass(200);
    core.step('n2', mayCampaign(1));
    core.step('n3', mayCampaign(1));
    core.step('n2', yes(1));
    core.step('n2', yes(1));
    expect(core.raft.role).toBe('candidate');
    const messages = core.step('n3', yes(1));
    expect(core.raft.role).toBe('leader');
    expect(messages.map(({ type }) => type)).toEqual(Array(4).fill('append-entries'));
  });

  it('votes of another term, of strangers and of those who only listen do not count', () => {
    const core = new LoneCore({ learners: 1, hard: { term: 1 } });
    core.pass(200);
    core.step('n4', mayCampaign(2));
    core.step('n9', mayCampaign(2));
    expect(core.raft.role).toBe('pre-candidate');
    core.step('n2', mayCampaign(2));
    core.step('n4', yes(2));
    core.step('n9', yes(2));
    core.step('n2', yes(1));
    expect(core.raft.role).toBe('candidate');
  });

  it('each replica votes once in a term, for the first that asks; again for the same one', () => {
    const core = new LoneCore();
    expect(core.step('n2', requestVote(1, START))).toMatchObject([{ granted: true }]);
    expect(core.step('n3', requestVote(1, START))).toMatchObject([{ granted: false }]);
    expect(core.step('n2', requestVote(1, START))).toMatchObject([{ granted: true }]);
    expect(core.step('n3', requestVote(2, START))).toMatchObject([{ granted: true }]);
    const started = new LoneCore({ hard: { term: 2, votedFor: n(3) } });
    expect(started.step('n2', requestVote(2, START))).toMatchObject([{ granted: false }]);
  });

  it('a candidate that hears the leader of its term follows it, one that hears an older leader goes on', () => {
    const core = new LoneCore({ hard: { term: 1 } });
    core.pass(200);
    core.step('n2', mayCampaign(2));
    core.step('n3', append({ term: 1 }));
    expect(core.raft.role).toBe('candidate');
    core.step('n3', append({ term: 2 }));
    expect([core.raft.role, core.raft.leader]).toEqual(['follower', 'n3']);
    core.step('n2', yes(2));
    expect(core.raft.role).toBe('follower');
  });

  it('a candidate without a majority tries again in a later term, after a random time', () => {
    const core = new LoneCore();
    core.pass(200);
    core.step('n2', mayCampaign(1));
    const wait = core.raft.dueMs - core.nowMs;
    expect(wait).toBeGreaterThanOrEqual(100);
    core.pass(wait);
    core.step('n2', mayCampaign(2));
    expect([core.raft.role, core.raft.term]).toEqual(['candidate', 2]);
    expect(core.raft.dueMs - core.nowMs).not.toBe(wait);
  });

  it('split votes resolve: of many groups that start together, each has a leader within a few timeouts', () => {
    for (let seed = 0; seed < 30; seed++) {
      const cluster = new RaftCluster({ voters: 5, seed });
      expect(cluster.runUntil(() => cluster.leader !== undefined, 800)).toBe(true);
    }
  });

  it('a group of one elects itself and commits alone', () => {
    const cluster = new RaftCluster({ voters: 1 });
    expect(cluster.runUntil(() => cluster.raft('n1').commit === 1, 300)).toBe(true);
  });
});

describe('who may be elected (5.4.1)', () => {
  const voter = (): LoneCore => new LoneCore({ log: [1, 2, 2], hard: { term: 2 } });

  it.each([
    ['a later last term wins over a longer log', { index: 1, term: 3 }, true],
    ['an earlier last term loses, however long', { index: 9, term: 1 }, false],
    ['with the same last term the longer log wins', { index: 4, term: 2 }, true],
    ['an equal log will do', { index: 3, term: 2 }, true],
    ['a shorter one will not', { index: 2, term: 2 }, false],
  ])('%s', (_, log, granted) => {
    expect(voter().step('n2', requestVote(5, log))).toMatchObject([{ granted }]);
    const preVote = { type: 'pre-vote', term: 5, lastIndex: log.index, lastTerm: log.term } as const;
    expect(voter().step('n2', preVote)).toMatchObject([{ granted }]);
  });

  it('the leader of a new term has every committed entry', () => {
    const cluster = new RaftCluster({ voters: 5 });
    cluster.elect('n1');
    cluster.isolate(['n4', 'n5'], { silent: true });
    cluster.propose('n1', 'committed without n4 and n5');
    cluster.run(50);
    cluster.healAll();
    cluster.crash('n1');
    cluster.campaign('n4');
    expect(cluster.runUntil(() => cluster.leader !== undefined, 1000)).toBe(true);
    expect(['n2', 'n3']).toContain(cluster.leader);
  });
});

describe('pre-vote (thesis, 9.6)', () => {
  it('asking changes no term and no vote, at either end', () => {
    const core = new LoneCore({ hard: { term: 3 } });
    core.step('n2', { type: 'pre-vote', term: 9, lastIndex: 0, lastTerm: 0 });
    core.pass(200);
    expect(core.raft.hard).toEqual({ term: 3, votedFor: null, standing: 'member' });
    expect(core.raft.role).toBe('pre-candidate');
  });

  it('who may not win does not campaign', () => {
    const core = new LoneCore();
    core.pass(200);
    core.step('n2', { type: 'pre-vote-result', term: 0, granted: false });
    core.step('n3', { type: 'pre-vote-result', term: 0, granted: false });
    expect([core.raft.role, core.raft.term]).toEqual(['follower', 0]);
  });

  it('a replica that was cut off comes back in the term that it left, and deposes nobody', () => {
    const cluster = new RaftCluster();
    const { term } = cluster.elect('n1');
    cluster.isolate(['n3'], { silent: true });
    for (let beat = 0; beat < 30; beat++) {
      cluster.propose('n1', `${beat}`);
      cluster.run(50);
    }
    expect(cluster.raft('n3').term).toBe(term);
    cluster.healAll();
    cluster.run(300);
    expect([cluster.leader, cluster.raft('n1').term]).toEqual(['n1', term]);
    expect(cluster.raft('n3').commit).toBe(cluster.raft('n1').commit);
  });
});

describe('stickiness (thesis, 4.2.3)', () => {
  it('who hears a leader votes for nobody else, and does not take the term', () => {
    const core = new LoneCore();
    core.step('n2', append({ term: 1 }));
    core.nowMs = 99;
    expect(core.step('n3', requestVote(7, START))).toMatchObject([{ granted: false, term: 1 }]);
    expect(core.step('n3', { type: 'pre-vote', term: 7, lastIndex: 0, lastTerm: 0 })).toMatchObject([
      { granted: false },
    ]);
    expect(core.raft.leader).toBe('n2');
    core.nowMs = 101;
    expect(core.step('n3', requestVote(7, START))).toMatchObject([{ granted: true, term: 7 }]);
  });

  it('a leader that hears a majority stays; a transfer goes past it all', () => {
    const core = new LoneCore();
    core.lead();
    core.step('n3', requestVote(7, { index: 9, term: 6 }));
    expect(core.raft.role).toBe('leader');
    expect(core.step('n3', requestVote(7, { index: 9, term: 6 }, true))).toMatchObject([{ granted: true }]);
  });

  it('a lost link to the leader ends it, and so does the leader itself by asking', () => {
    const core = new LoneCore();
    core.step('n2', append({ term: 1 }));
    core.raft.peerDown(n(2), 10);
    expect(core.raft.dueMs).toBeLessThanOrEqual(35);
    expect(core.step('n3', requestVote(2, START))).toMatchObject([{ granted: true }]);
    const other = new LoneCore();
    other.step('n2', append({ term: 1 }));
    expect(other.step('n2', requestVote(2, START))).toMatchObject([{ granted: true }]);
  });
});

describe('check quorum (thesis, 6.2)', () => {
  it('a leader that hears no majority steps down, so that its clients look elsewhere', () => {
    const cluster = new RaftCluster({ voters: 5 });
    cluster.elect('n1');
    cluster.isolate(['n1', 'n2'], { silent: true });
    cluster.propose('n1', 'goes nowhere');
    cluster.run(220);
    expect(cluster.raft('n1').role).not.toBe('leader');
    expect(termsOf(cluster.raft('n1')).length).toBe(2);
  });

  it('one that hears a bare majority leads on', () => {
    const cluster = new RaftCluster({ voters: 5 });
    cluster.elect('n1');
    cluster.isolate(['n4', 'n5'], { silent: true });
    cluster.propose('n1', 'x');
    cluster.run(1000);
    expect([cluster.leader, cluster.raft('n1').commit]).toEqual(['n1', 2]);
  });

  it('one that stood still asks before it judges, since its silence is its own', () => {
    const core = new LoneCore();
    core.lead();
    for (let at = 2; at <= 3; at++) core.answer(`n${at}`, { index: 1 });
    // Nothing came, for it has asked nobody.
    const asked = core.pass(3 * ELECTION_MS);
    expect(core.raft.role).toBe('leader');
    expect(asked).toMatchObject([{ type: 'append-entries' }, { type: 'append-entries' }]);
    // Now it has, and nobody answers.
    for (let beat = 1; beat <= 4; beat++) core.pass(20);
    expect(core.raft.role).toBe('follower');
  });
});

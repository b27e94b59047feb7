/** Replicas that have forgotten what they promised: docs/adr/0017. */
import { describe, expect, it } from 'vitest';
import type { JoinAnswer } from '../../src/protocol/leader-follower-messages.js';
import type { GroupFacts } from '../../src/replication/leader-follower/group-facts.js';
import { joinAnswer, Joining } from '../../src/replication/leader-follower/joining.js';
import type { Effects, Turn } from '../../src/replication/strategy.js';
import { LoneCore, append, n, requestVote } from '../support/lone-core.js';
import { RaftCluster } from '../support/raft-cluster.js';

const START = { index: 0, term: 0 };

describe('a joining replica', () => {
  const joiner = (): LoneCore => new LoneCore({ hard: { standing: 'joining' } });

  it('neither votes nor campaigns, whatever it is asked', () => {
    const core = joiner();
    expect(core.step('n2', requestVote(1, START))).toMatchObject([{ granted: false }]);
    expect(core.step('n2', { type: 'pre-vote', term: 2, lastIndex: 9, lastTerm: 9 })).toMatchObject([
      { granted: false },
    ]);
    expect(core.step('n2', { type: 'timeout-now', term: 1 })).toEqual([]);
    expect(core.pass(1000).map(({ type }) => type)).toEqual(['wake', 'wake']);
    expect(core.became).toEqual([]);
  });

  it('takes entries, and says that it is joining', () => {
    const core = joiner();
    expect(core.step('n2', append({ term: 1 }, 1))).toMatchObject([
      { status: 'durable', index: 1, joining: true },
    ]);
  });

  it('is admitted in its term and life, with what it must have on disk; then it says so, once that is on disk', () => {
    const core = joiner();
    core.raft.step(n(2), append({ term: 1 }, 1, 1), 0);
    core.take({ written: false });
    const { through } = core.ready as NonNullable<typeof core.ready>;
    const admit = { type: 'admit', term: 1, life: 1, index: 2 } as const;
    core.step('n2', admit);
    expect(core.raft.standing).toBe('joining');
    core.raft.persisted(through);
    for (const wrong of [{ term: 0 }, { term: 2 }, { life: 9 }, { index: 3 }])
      core.step('n2', { ...admit, ...wrong });
    expect(core.raft.standing).toBe('joining');
    expect(core.step('n2', admit)).toMatchObject([{ joining: false, status: 'durable', index: 2 }]);
    expect(core.ready?.hard).toMatchObject({ standing: 'member' });
    expect(core.step('n3', requestVote(2, { index: 2, term: 1 }, true))).toMatchObject([{ granted: true }]);
  });
});

describe('a group that is being formed', () => {
  const facts = { self: n(1), peers: [n(2), n(3)] } as unknown as GroupFacts;
  const fresh = { type: 'join-answer', asked: 1, state: 'fresh', formed: [], commit: 0 } as const;

  /** A fresh replica, and the numbers of the rounds of questions that it has begun. */
  function forming(isFed = false) {
    const asked: number[] = [];
    const effects = {
      setTimer: () => undefined,
      send: (_to: string, { life }: { life: number }) => asked.at(-1) === life || asked.push(life),
    } as unknown as Effects;
    let drawn = 100;
    const turn = { reachable: () => true, random: { integer: () => drawn++ } } as unknown as Turn;
    const joining = new Joining(facts, 1, () => isFed);
    joining.ask(turn, effects);
    const answer = (from: number, asked: number, rest: Partial<JoinAnswer>) =>
      joining.answered(n(from), { ...fresh, life: from, ...rest, asked }, turn, effects);
    return { answer, asked };
  }

  it('is formed by replicas that are all fresh and have nothing, and say so twice', () => {
    const { answer, asked } = forming();
    expect(answer(2, 1, {})).toBeUndefined();
    expect(answer(3, 1, {})).toBeUndefined();
    expect(asked).toEqual([1, 100]);
    // Late, of the first round.
    expect(answer(2, 1, {})).toBeUndefined();
    expect(answer(3, 100, {})).toBeUndefined();
    const lives = [
      ['n1', 1],
      ['n2', 2],
      ['n3', 3],
    ];
    expect(answer(2, 100, {})).toEqual({ type: 'member', formed: expect.arrayContaining(lives) as unknown });
  });

  it('is not formed with one that has come back fresh in another life, by a word that another gave before', () => {
    const { answer, asked } = forming();
    // n2 and n3 form the group after this, and n3 loses its disk.
    answer(2, 1, {});
    answer(3, 1, { life: 33 });
    expect(answer(3, 100, { life: 33 })).toBeUndefined();
    expect(answer(2, 100, { state: 'member', formed: [[n(1), 1]] })).toMatchObject({ type: 'member' });
    expect(asked).toEqual([1, 100]);
  });

  it('is asked for once more where one began another life between', () => {
    const { answer, asked } = forming();
    answer(2, 1, {});
    answer(3, 1, {});
    answer(2, 100, {});
    expect(answer(3, 100, { life: 33 })).toBeUndefined();
    expect(asked).toEqual([1, 100, 101]);
    answer(2, 101, {});
    expect(answer(3, 101, { life: 33 })).toMatchObject({ type: 'member' });
  });

  it('is not formed where one has entries: it was formed before, and the others have lost it', () => {
    const { answer, asked } = forming(true);
    answer(2, 1, {});
    expect(answer(3, 1, {})).toBeUndefined();
    expect(asked).toEqual([1]);
    const hard = { term: 3, votedFor: null, standing: 'fresh', life: 1, store: 's', formed: [] } as const;
    const states = [1, 0].map(
      (last) => joinAnswer(hard, { type: 'join-query', life: 9 }, { last, commit: 0 }).state,
    );
    expect(states).toEqual(['joining', 'fresh']);
  });
});

describe('the leader of a joining replica', () => {
  /** Leads with n2's answer, of an entry that n3 does not have. */
  const led = (voters = 3): LoneCore => {
    const core = new LoneCore({ voters });
    core.lead();
    for (let at = 2; at <= voters; at++) core.answer(`n${at}`, { index: 1 });
    return core;
  };
  const back = { life: 33, joining: true } as const;

  it('counts neither its disk nor its answers to rounds, even where they would make the majority', () => {
    const core = led();
    core.propose('a');
    core.answer('n3', { ...back, index: 2 });
    expect(core.raft.commit).toBe(1);
    core.take();
    core.answer('n3', { ...back, index: 2, round: 1 });
    expect(core.leadership.takeConfirmed()).toEqual([]);
    // Heartbeat by heartbeat: whoever stands still for longer does not judge others.
    for (let beat = 1; beat <= 10 && core.raft.role === 'leader'; beat++) {
      core.pass(20);
      core.answer('n3', { ...back, index: 2, round: 1 });
    }
    expect(core.raft.role).toBe('follower');
  });

  it('admits it after a round that began since, without it, and with all that was committed by then', () => {
    const core = led();
    // A round that began before it was known does not do.
    core.leadership.askRound(0);
    core.take();
    const admits = (): unknown[] => core.take().filter(({ type }) => type === 'admit');
    core.answer('n3', { ...back, index: 1 });
    core.answer('n2', { index: 1, round: 1 });
    expect(core.answer('n3', { ...back, index: 1, round: 1 }).map(({ type }) => type)).not.toContain('admit');
    core.propose('a');
    core.answer('n2', { index: 2, round: 1 });
    core.answer('n2', { index: 2, round: 2 });
    expect(core.raft.commit).toBe(2);
    expect(core.answer('n3', { ...back, index: 1, round: 2 })).toEqual([]);
    expect(core.answer('n3', { ...back, index: 2, round: 2 })).toEqual([
      { type: 'admit', term: 1, life: 33, index: 2 },
    ]);
    // Until it says that it is back, it is told again.
    expect(core.answer('n3', { ...back, index: 2, round: 2 })).toHaveLength(1);
    core.answer('n3', { life: 33, index: 2 });
    core.propose('b');
    core.answer('n3', { life: 33, index: 3 });
    expect([core.raft.commit, admits()]).toEqual([3, []]);
  });

  it('takes a late answer of the life before for none, and one of the life after it for what it is', () => {
    const core = led();
    const lifeOf = (life: number, index: number, round: number): void =>
      void core.answer('n3', { life, joining: true, index, round });
    lifeOf(34, 0, 0);
    lifeOf(33, 1, 0);
    core.answer('n2', { index: 1, round: 1 });
    lifeOf(34, 1, 1);
    const follower = core.leadership.follower(n(3));
    expect(follower).toMatchObject({ life: 34, match: 1, admitIndex: 1 });
    lifeOf(35, 0, 1);
    expect(follower).toMatchObject({ life: 35, match: 0 });
    lifeOf(34, 1, 1);
    expect(follower).toMatchObject({ life: 35 });
  });

  it('has a write on every disk that can be reached once a joiner has it on its own', () => {
    const core = led(5);
    core.raft.peerDown(n(5), core.nowMs);
    core.answer('n4', { life: 44, joining: true });
    core.propose('a');
    for (const other of ['n2', 'n3']) core.answer(other, { index: 2 });
    expect([core.raft.commit, core.leadership.voters.heldByReachable(2)]).toEqual([2, false]);
    core.answer('n4', { life: 44, joining: true, index: 2 });
    expect([core.leadership.voters.holders(2), core.leadership.voters.heldByReachable(2)]).toEqual([3, true]);
  });

  it('waits for every other voter: the one missing from a majority may lead with the vote that was forgotten', () => {
    const core = led(5);
    core.answer('n5', { ...back, index: 1, life: 55 });
    for (const other of ['n2', 'n3']) core.answer(other, { index: 1, round: 1 });
    expect(core.answer('n5', { life: 55, joining: true, index: 1 })).toEqual([]);
    // One that has lost its disk as well, and hears this leader, leads nowhere either.
    core.answer('n4', { life: 44, joining: true, index: 0, round: 1 });
    expect(core.answer('n5', { life: 55, joining: true, index: 1 })).toMatchObject([
      { type: 'admit', life: 55 },
    ]);
  });

  it('in a group of five, a vote that was forgotten cannot make two leaders of what is committed', () => {
    const cluster = new RaftCluster({ voters: 5 });
    cluster.elect('n1');
    cluster.isolate(['n4', 'n5']);
    // n5 votes for n4 in a term of which n1 hears nothing, and forgets it.
    cluster.heal('n4', 'n2');
    cluster.step('n4', (raft) => raft.step(n(1), { type: 'timeout-now', term: raft.term }, cluster.nowMs));
    cluster.run(3);
    expect(cluster.raft('n5').hard).toMatchObject({ term: 2, votedFor: 'n4' });
    cluster.crash('n5');
    for (const other of ['n1', 'n2', 'n3']) cluster.heal('n5', other);
    cluster.restart('n5', { lostDisk: true });
    cluster.cut('n4', 'n2');
    cluster.run(60);
    expect(cluster.raft('n5').standing).toBe('joining');
    cluster.healAll();
    expect(cluster.runUntil(() => cluster.raft('n5').standing === 'member', 1000)).toBe(true);
  });

  it('ignores answers of lives that have ended, also where the new one was heard first', () => {
    const core = led();
    core.propose('a');
    core.answer('n3', { ...back, index: 0 });
    core.answer('n3', { index: 2 });
    expect([core.raft.commit, core.leadership.follower(n(3))?.life]).toEqual([1, 33]);
    core.answer('n3', { ...back, life: 34, round: 1 });
    core.answer('n3', { ...back, index: 2 });
    expect(core.leadership.follower(n(3))).toMatchObject({ life: 34, match: 0 });
    const fresh = new LoneCore();
    fresh.lead();
    fresh.answer('n3', { ...back, index: 0 });
    fresh.answer('n3', { index: 1 });
    expect(fresh.raft.commit).toBe(0);
  });
});

describe('votes and lives', () => {
  it('a vote for a log that was lost does not count for the one there is', () => {
    const core = new LoneCore();
    core.pass(200);
    core.step('n2', { type: 'pre-vote-result', term: 1, granted: true });
    core.step('n2', { type: 'request-vote-result', term: 1, life: 99, granted: true });
    expect(core.raft.role).toBe('candidate');
    core.step('n2', { type: 'request-vote-result', term: 1, life: 1, granted: true });
    expect(core.raft.role).toBe('leader');
  });

  it('a group of three gets a replica back that lost its disk', () => {
    const cluster = new RaftCluster();
    cluster.elect('n1');
    cluster.propose('n1', 'a');
    cluster.run(20);
    cluster.crash('n3');
    cluster.restart('n3', { lostDisk: true });
    expect(cluster.runUntil(() => cluster.raft('n3').standing === 'member', 300)).toBe(true);
    cluster.crash('n2');
    expect(cluster.propose('n1', 'b')).toBe(3);
    expect(cluster.runUntil(() => cluster.raft('n1').commit === 3, 50)).toBe(true);
  });

  it('one that lost its disk is not counted before, so that what was committed is not lost with it', () => {
    const cluster = new RaftCluster();
    cluster.elect('n1');
    cluster.isolate(['n2']);
    cluster.propose('n1', 'on n1 and n3');
    cluster.run(10);
    cluster.crash('n1');
    cluster.crash('n3');
    cluster.healAll();
    cluster.restart('n3', { lostDisk: true });
    expect(cluster.runUntil(() => cluster.leader !== undefined, 2000)).toBe(false);
    cluster.restart('n1');
    expect(cluster.runUntil(() => cluster.leader === 'n1', 500)).toBe(true);
  });
});

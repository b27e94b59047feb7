/** The log: sections 5.3 (replication), 5.4.2 (commitment, figure 8) and 7 (compaction) of the paper (extended version). */
import { describe, expect, it } from 'vitest';
import { LIFE, LoneCore, append, entries, n, termsOf } from '../support/lone-core.js';
import { RaftCluster } from '../support/raft-cluster.js';
import { entriesOf, segmentOf } from '../support/text-segments.js';

describe('log replication (5.3)', () => {
  it('an entry is committed when a majority has it on disk, the leader included', () => {
    const core = new LoneCore({ voters: 5 });
    core.lead();
    core.propose('a');
    core.answer('n2', { index: 2 });
    expect(core.raft.commit).toBe(0);
    core.answer('n3', { index: 1 });
    expect(core.raft.commit).toBe(1);
    core.answer('n3', { index: 2 });
    expect(core.raft.commit).toBe(2);
  });

  it('the leader counts its own disk only when the entry is on it', () => {
    const core = new LoneCore();
    core.lead();
    core.raft.propose(segmentOf([{ index: 2, term: 1, text: 'a' }]), 0);
    core.take({ written: false });
    core.raft.step(n(2), { ...durable(2), life: 2 }, 0);
    expect(core.raft.commit).toBe(1);
    core.raft.persisted((core.ready as { through: typeof core.raft.log.mark }).through);
    expect(core.raft.commit).toBe(2);
  });

  it('an entry leaves before the leader has written it, and an answer after the follower has', () => {
    const core = new LoneCore();
    core.lead();
    core.answer('n2', { index: 1 });
    core.raft.propose(segmentOf([{ index: 2, term: 1, text: 'a' }]), 0);
    core.take({ written: false });
    expect(core.ready?.messages.map(({ to, early }) => [to, early])).toContainEqual(['n2', true]);
    const follower = new LoneCore();
    follower.step('n2', append({ term: 1, round: 1 }));
    follower.raft.step(n(2), append({ term: 1, round: 2 }, 1), 0);
    follower.take({ written: false });
    expect(follower.ready?.messages).toMatchObject([
      { early: true, message: { status: 'heard', round: 2 } },
      { early: false, message: { status: 'durable', index: 1 } },
    ]);
  });

  it('a follower that has slow writes under way says only what is on its disk', () => {
    const follower = new LoneCore();
    follower.raft.step(n(2), append({ term: 1 }, 1, 1), 0);
    follower.take({ written: false });
    const { through } = follower.ready as { through: typeof follower.raft.log.mark };
    expect(follower.step('n2', append({ term: 1, prevIndex: 2, prevTerm: 1 }))).toMatchObject([{ index: 0 }]);
    follower.raft.persisted(through);
    expect(follower.step('n2', append({ term: 1, prevIndex: 2, prevTerm: 1 }))).toMatchObject([{ index: 2 }]);
  });

  it('followers learn what is committed with the next message, as far as they agree', () => {
    const core = new LoneCore({ log: [1, 1, 1, 1], hard: { term: 2 } });
    core.step('n2', append({ term: 2, prevIndex: 2, prevTerm: 1, commit: 4 }));
    expect(core.raft.commit).toBe(2);
    core.step('n2', append({ term: 2, prevIndex: 2, prevTerm: 1, commit: 4 }, 1));
    expect(core.raft.commit).toBe(3);
    core.step('n2', append({ term: 2, prevIndex: 3, prevTerm: 1, commit: 2 }));
    expect(core.raft.commit).toBe(3);
  });

  it('consistency check: entries are taken only after one that agrees', () => {
    const core = new LoneCore({ log: [1, 1], hard: { term: 3 } });
    expect(core.step('n2', append({ term: 3, prevIndex: 3, prevTerm: 2 }, 3))).toMatchObject([
      { status: 'rejected', index: 3, hintIndex: 2, hintTerm: 1 },
    ]);
    expect(core.step('n2', append({ term: 3, prevIndex: 2, prevTerm: 2 }, 3))).toMatchObject([
      { status: 'rejected', index: 2, hintIndex: 2, hintTerm: 1 },
    ]);
    expect(core.step('n2', append({ term: 3, prevIndex: 2, prevTerm: 1 }, 3))).toMatchObject([
      { status: 'durable', index: 3 },
    ]);
  });

  it('entries that conflict are taken away with all that follow, those that agree never are', () => {
    const core = new LoneCore({ log: [1, 1, 2, 2], hard: { term: 3 } });
    core.step('n2', append({ term: 3, prevIndex: 1, prevTerm: 1 }, 1, 2));
    expect(termsOf(core.raft)).toEqual([1, 1, 2, 2]);
    expect(core.ready?.changes).toEqual([]);
    core.step('n2', append({ term: 3, prevIndex: 1, prevTerm: 1 }, 1, 3));
    expect(termsOf(core.raft)).toEqual([1, 1, 3]);
  });

  it('the same message twice, or an older one after a newer, changes nothing', () => {
    const core = new LoneCore();
    const first = append({ term: 1 }, 1);
    const both = append({ term: 1 }, 1, 1);
    core.step('n2', both);
    for (const message of [first, both, first]) {
      const answer = core.step('n2', message);
      expect(answer).toMatchObject([{ status: 'durable' }]);
      expect([core.ready?.changes, termsOf(core.raft)]).toEqual([[], [1, 1]]);
    }
  });

  it('a leader never takes from its own log', () => {
    const core = new LoneCore({ log: [1, 1], hard: { term: 1 } });
    core.lead();
    core.answer('n2', { status: 'rejected', index: 2, hintIndex: 0 });
    expect(termsOf(core.raft)).toEqual([1, 1, 2]);
  });

  /** The logs of figure 7, under a leader of term 8. */
  const LEADER = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
  it.each([
    ['a', [1, 1, 1, 4, 4, 5, 5, 6, 6]],
    ['b', [1, 1, 1, 4]],
    ['c', [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6]],
    ['d', [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7]],
    ['e', [1, 1, 1, 4, 4, 4, 4]],
    ['f', [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3]],
  ])('figure 7, follower %s is brought level, with few rejections', (_, log) => {
    const cluster = new RaftCluster({
      disks: { n1: { log: LEADER, term: 7 }, n2: { log: LEADER, term: 7 }, n3: { log } },
    });
    let rejections = 0;
    cluster.loses = (_from, _to, message) => {
      if (message.type === 'append-entries-result' && message.status === 'rejected') rejections++;
      return false;
    };
    cluster.elect('n1');
    expect(cluster.terms('n3')).toEqual([...LEADER, 8]);
    expect(rejections).toBeLessThanOrEqual(3);
  });

  it('a rejection of an earlier guess sends nothing twice', () => {
    const core = new LoneCore({ log: [1, 1, 1], hard: { term: 1 } });
    core.lead();
    const rejected = { status: 'rejected', hintIndex: 0 } as const;
    expect(core.answer('n2', { ...rejected, index: 3 })).toMatchObject([{ prevIndex: 0 }]);
    expect(core.answer('n2', { ...rejected, index: 3 })).toEqual([]);
    expect(core.answer('n2', { ...rejected, index: 4 })).toEqual([]);
  });

  it('lost messages are sent again, for ever', () => {
    const cluster = new RaftCluster();
    cluster.elect('n1');
    cluster.loses = (from) => from === 'n1';
    cluster.propose('n1', 'a');
    cluster.run(90);
    cluster.loses = () => false;
    cluster.run(50);
    expect(cluster.raft('n3').log.last.index).toBe(2);
  });

  it('a slow follower does not hold up the others', () => {
    const cluster = new RaftCluster();
    cluster.elect('n1');
    cluster.hold('n3');
    cluster.propose('n1', 'a');
    expect(cluster.runUntil(() => cluster.raft('n1').commit === 2, 10)).toBe(true);
  });
});

const durable = (index: number) =>
  ({
    type: 'append-entries-result',
    term: 1,
    life: LIFE,
    joining: false,
    round: 0,
    status: 'durable',
    index,
    hintIndex: 0,
    hintTerm: 0,
  }) as const;

describe('entries of earlier terms (5.4.2)', () => {
  it('figure 8: one that a majority holds is not committed by counting, only with one of the own term', () => {
    // (c): n1 leads again, in term 4; its entry of term 2 is on n2 and n3.
    const core = new LoneCore({ voters: 5, log: [1, 2], hard: { term: 3 } });
    core.lead({ noop: false });
    core.answer('n2', { index: 2 });
    core.answer('n3', { index: 2 });
    expect(core.raft.commit).toBe(0);
    // (e): one of term 4 on a majority commits both.
    core.propose('noop');
    core.answer('n2', { index: 3 });
    core.answer('n3', { index: 3 });
    expect(core.raft.commit).toBe(3);
  });

  it('figure 8 (d): until then another leader may take it away', () => {
    const cluster = new RaftCluster({
      voters: 5,
      disks: {
        n1: { log: [1, 2], term: 3 },
        n2: { log: [1, 2], term: 3 },
        n3: { log: [1, 2], term: 3 },
        n4: { log: [1] },
        n5: { log: [1, 3] },
      },
    });
    cluster.elect('n5');
    expect(cluster.terms('n1')).toEqual([1, 3, 4]);
  });
});

describe('log compaction (7)', () => {
  it('a follower behind the begin of the log is to get the state, once, and hears its leader meanwhile', () => {
    const core = new LoneCore({ base: { index: 5, term: 2 }, log: [2, 2] });
    core.lead();
    core.answer('n2', { status: 'rejected', index: 7, hintIndex: 3, hintTerm: 1 });
    core.answer('n2', { status: 'rejected', index: 5, hintIndex: 3, hintTerm: 1 });
    expect(core.ready?.snapshots).toEqual(['n2']);
    const beats = core.pass(20).filter((m) => m.type === 'append-entries' && m.prevIndex === 0);
    expect([beats.length, core.ready?.snapshots]).toEqual([1, []]);
  });

  it('it goes on after the state, or is to get it again where that failed', () => {
    const core = new LoneCore({ base: { index: 5, term: 2 }, log: [2, 2] });
    core.lead();
    core.answer('n2', { status: 'rejected', index: 7, hintIndex: 3, hintTerm: 1 });
    core.answer('n2', { status: 'rejected', index: 5, hintIndex: 3, hintTerm: 1 });
    core.raft.snapshotEnded(n(2), null, 0);
    core.take();
    // Not at once: what could not be read will not be read in the same moment.
    expect(core.ready?.snapshots).toEqual([]);
    core.pass(20);
    expect(core.ready?.snapshots).toEqual(['n2']);
    core.raft.snapshotEnded(n(2), 6, 0);
    const [message] = core.take();
    expect(message).toMatchObject({ type: 'append-entries', prevIndex: 6 });
    expect(core.leadership.follower(n(2))).toMatchObject({ match: 6, state: 'replicate' });
  });

  it('the log begins anew after the state that replaced it', () => {
    const core = new LoneCore({ log: [1, 1, 1], hard: { term: 4 } });
    expect(core.raft.installed({ index: 7, term: 3 })).toEqual([1, 2, 3]);
    expect([core.raft.commit, core.raft.log.last]).toEqual([7, { index: 7, term: 3 }]);
    core.take();
    expect(core.step('n2', append({ term: 4, prevIndex: 7, prevTerm: 3 }, 4))).toMatchObject([{ index: 8 }]);
  });

  it('a state that comes late takes away nothing that follows it and was acknowledged', () => {
    const core = new LoneCore({ log: [1, 1, 1, 1], hard: { term: 1 } });
    core.step('n2', append({ term: 1, prevIndex: 4, prevTerm: 1, commit: 1 }));
    expect(core.raft.installed({ index: 2, term: 1 })).toEqual([1, 2]);
    expect(core.raft.log.last.index).toBe(4);
    expect(core.raft.commit).toBe(2);
  });

  it('nobody is told of a state before it is on disk', () => {
    const core = new LoneCore({ hard: { term: 1 } });
    core.raft.installed({ index: 7, term: 1 });
    core.raft.step(n(2), append({ term: 1, prevIndex: 7, prevTerm: 1 }), 0);
    core.take({ written: false });
    const { through, hard } = core.ready as NonNullable<typeof core.ready>;
    // What leaves early waits for the hard state.
    expect(hard).not.toBeNull();
    expect(core.step('n2', append({ term: 1, prevIndex: 7, prevTerm: 1 }))).toMatchObject([{ index: 0 }]);
    core.raft.persisted(through);
    expect(core.step('n2', append({ term: 1, prevIndex: 7, prevTerm: 1 }))).toMatchObject([{ index: 7 }]);
  });

  it('what is committed agrees, also where the log is compacted', () => {
    const core = new LoneCore({ base: { index: 5, term: 2 }, log: [2, 2], commit: 6 });
    expect(core.step('n2', append({ term: 2, prevIndex: 3, prevTerm: 1 }, 1, 2, 2))).toMatchObject([
      { status: 'durable', index: 6 },
    ]);
    expect(termsOf(core.raft)).toEqual([2, 2]);
  });

  it('entries that left the memory are read from the disk, and sent if the log still holds them', () => {
    const core = new LoneCore({ log: [1, 1, 1] });
    core.raft.log.forget(3, 0);
    core.lead();
    core.answer('n2', { status: 'rejected', index: 3, hintIndex: 0 });
    expect(core.ready?.fetches).toEqual([{ peer: 'n2', from: 1 }]);
    const found = (first: number, ...terms: number[]) =>
      entries(first, ...terms).map((entry) => segmentOf([entry]));
    // Of a log that was truncated since, or compacted, they are not.
    for (const segments of [found(1, 1, 1, 9), found(2, 1, 1), null]) {
      core.raft.fetched(n(2), 1, segments);
      expect(core.take().filter(({ type }) => type === 'append-entries')).toEqual([]);
      expect(core.ready?.fetches).toEqual([{ peer: 'n2', from: 1 }]);
    }
    core.raft.fetched(n(2), 1, found(1, 1, 1, 1));
    const [message] = core.take();
    if (message?.type !== 'append-entries') throw new RangeError('no entries');
    expect(message.segments.flatMap((bytes) => entriesOf({ bytes }))).toEqual(entries(1, 1, 1, 1));
  });

  it('where they are damaged there the follower gets the state instead', () => {
    const core = new LoneCore({ log: [1, 1, 1] });
    core.raft.log.forget(3, 0);
    core.lead();
    core.answer('n2', { status: 'rejected', index: 3, hintIndex: 0 });
    expect(core.ready).toMatchObject({ fetches: [{ peer: 'n2', from: 1 }], snapshots: [] });
    core.raft.fetched(n(2), 1, 'damaged');
    core.take();
    expect(core.ready).toMatchObject({ fetches: [], snapshots: ['n2'] });
    core.take();
    expect(core.ready).toMatchObject({ fetches: [], snapshots: [] });
  });

  it('a group whose logs are compacted brings a replica level that missed it all', () => {
    const cluster = new RaftCluster();
    cluster.elect('n1');
    cluster.isolate(['n3']);
    for (let at = 0; at < 10; at++) cluster.propose('n1', `${at}`);
    cluster.run(50);
    cluster.compact('n1');
    cluster.healAll();
    cluster.propose('n1', 'after');
    expect(cluster.runUntil(() => cluster.raft('n3').commit === 12, 300)).toBe(true);
    expect(cluster.raft('n3').log.base.index).toBe(11);
  });
});

describe('entries that no leader can have', () => {
  it.each([
    ['of a term before that of the entry that they follow', 6, [3]],
    ['of a term that falls between two segments', 6, [5, 6, 5]],
    ['of a term beyond their leader', 6, [7]],
  ])('%s are refused, and the log stays as it was', (_name, term, terms) => {
    const core = new LoneCore();
    core.step('n2', append({ term: 5 }, 5));
    const message = append({ term, prevIndex: 1, prevTerm: 5 }, ...terms);
    expect(() => core.raft.step(n(2), message, core.nowMs)).toThrow(
      expect.objectContaining({ code: 'MalformedFrame' }) as Error,
    );
    core.take();
    expect(core.raft.log.last.term).toBeLessThanOrEqual(6);
    expect(core.raft.log.termAt(1)).toBe(5);
  });
});

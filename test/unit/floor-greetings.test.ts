/** What a replica takes from greetings that come late, twice, or in another order than they were sent. */
import { describe, expect, it } from 'vitest';
import { incarnationId, nodeId } from '../../src/core/ids.js';
import type { VersionVector } from '../../src/core/version-vector.js';
import type { CompareLeaves } from '../../src/protocol/leaderless-messages.js';
import { LocalRecords } from '../../src/replication/leaderless/local-records.js';
import type { PeerCalls } from '../../src/replication/leaderless/peer-calls.js';
import { PullRounds } from '../../src/replication/leaderless/pull-rounds.js';
import type { RecordRepair } from '../../src/replication/leaderless/record-repair.js';
import { HashTree, LEAVES_PER_BRANCH } from '../../src/replication/shared/hash-tree.js';
import { floorRig } from '../support/floor-rig.js';

const [A, B] = [nodeId('n1'), nodeId('n2')];

const root = new Uint8Array(8);

describe('a greeting that comes a second time', () => {
  it('opens no round once its peer has told more: its root is older than what is known by now', () => {
    const a = floorRig(A, [B]);
    const b = floorRig(B, [A]);
    const greet = () => {
      a.floor.stepped(a.turn, a.effects);
      return a.floor.greeting(B, root, a.turn);
    };
    const take = (message: ReturnType<typeof greet>): VersionVector | undefined =>
      b.floor.hear(A, message, b.turn, b.effects)?.absorbed;
    a.state.minted = 1;
    expect(take(greet())).toEqual([[a.own, 1]]);
    a.floor.hear(B, b.floor.greeting(A, root, b.turn), a.turn, a.effects);
    const short = greet();
    expect(short.absorbed).toBeNull();
    expect(take(short)).toEqual([[a.own, 1]]);
    a.state.minted = 2;
    expect(take(greet())).toEqual([[a.own, 2]]);
    expect(take(short)).toBeUndefined();
    expect(b.floor.toldBy(A).absorbed).toEqual([[a.own, 2]]);
  });
});

describe('an offer that comes a second time', () => {
  it('says nothing of leaves that were asked for after it', () => {
    const b = floorRig(B, [A]);
    b.floor.completed(
      A,
      { life: 'a', absorbed: [], refilling: false, known: true, remembers: false, lives: 0 },
      b.turn,
      b.effects,
    );
    const records = new LocalRecords(b.floor);
    records.tree.startRecount();
    records.tree.countChunk([], null, () => null);
    const repair = { pending: false } as RecordRepair;
    const rounds = new PullRounds(records, {} as PeerCalls, repair, b.floor, 1, () => undefined);
    const minted: VersionVector = [[incarnationId('n1.x'), 5]];
    rounds.begin(
      A,
      { life: 'a', absorbed: minted, refilling: false, known: true, remembers: false, lives: 0 },
      b.turn,
      b.effects,
    );
    const round = b.sent.at(-1);
    if (round?.type !== 'compare-branches') throw new Error('a round begins with the branches');
    /** The peer's leaves differ in the given ones of the first branch. Asked twice: a difference must last. */
    const differ = (...leaves: number[]) => {
      const hashes = new HashTree().leavesOf(0).slice();
      for (const leaf of leaves) hashes[leaf * (hashes.length / LEAVES_PER_BRANCH)] = 1;
      const message: CompareLeaves = { type: 'compare-leaves', round: round.round, branches: [[0, hashes]] };
      for (let i = 0; i < 2; i++) {
        b.state.nowMs += 1_000;
        rounds.leaves(A, message, b.turn, b.effects);
      }
      const asked = b.sent.at(-1);
      if (asked?.type !== 'differing-leaves') throw new Error('leaves are asked for');
      return asked;
    };
    const first = differ(0, 1);
    expect(first.leaves.length).toBeGreaterThan(0);
    const broken = { type: 'offer-keys' as const, round: first.round, after: 'm', end: null, entries: [] };
    rounds.offered(A, broken, b.turn, b.effects);
    const second = differ(0, 1);
    rounds.offered(A, { ...broken, after: '' }, b.turn, b.effects);
    expect(b.floor.absorbed(b.turn)).toEqual([]);
    rounds.offered(A, { ...broken, after: '', round: second.round }, b.turn, b.effects);
    expect(b.floor.absorbed(b.turn)).toEqual(minted);
  });
});

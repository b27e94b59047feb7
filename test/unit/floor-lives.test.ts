/** What a replica makes of lives that end around it, and of its own. */
import { describe, expect, it } from 'vitest';
import { incarnationId, nodeId, type NodeId } from '../../src/core/ids.js';
import { ALL_COUNTERS, counterOf, type VersionVector } from '../../src/core/version-vector.js';
import type { CompareRoot } from '../../src/protocol/leaderless-messages.js';
import type { LocalRecords } from '../../src/replication/leaderless/local-records.js';
import { PRUNE, Pruning } from '../../src/replication/leaderless/pruning.js';
import type { RecordRepair } from '../../src/replication/leaderless/record-repair.js';
import { NEW_CLUSTER_WAIT_MS, ORPHANS_AFTER_MS } from '../../src/replication/leaderless/tuning.js';
import { floorRig } from '../support/floor-rig.js';

const [A, B, C] = [nodeId('n1'), nodeId('n2'), nodeId('n3')];

type Rig = ReturnType<typeof floorRig>;

function hear(
  rig: Rig,
  peer: NodeId,
  life: string,
  absorbed: VersionVector,
  more: Partial<CompareRoot> = {},
) {
  const stamp = Buffer.from(JSON.stringify(absorbed).padEnd(8)).subarray(0, 8);
  const message: CompareRoot = {
    type: 'compare-root',
    root: new Uint8Array(8),
    life,
    stamp,
    heardLife: rig.floor.life,
    heardStamp: new Uint8Array(8),
    refilling: false,
    remembers: true,
    absorbed,
    ...more,
  };
  return rig.floor.hear(peer, message, rig.turn, rig.effects);
}

/** A round with a peer that is over as soon as it begins. */
function pull(
  rig: Rig,
  peer: NodeId,
  life: string,
  absorbed: VersionVector,
  more: Partial<CompareRoot> = {},
) {
  const terms = hear(rig, peer, life, absorbed, more);
  if (terms !== undefined) rig.floor.completed(peer, terms, rig.turn, rig.effects);
}

describe('an incarnation of a life that was lost', () => {
  const old = incarnationId('n1.old');
  const claimed = (rig: Rig): boolean => counterOf(rig.floor.absorbed(rig.turn), old) === ALL_COUNTERS;

  it('is spoken for when all others have been pulled from, after a while', () => {
    const rig = floorRig(A, [B, C]);
    hear(rig, C, 'c', []);
    pull(rig, B, 'b', []);
    rig.floor.noteContext([[old, 7]], rig.turn);
    pull(rig, C, 'c', []);
    expect(claimed(rig)).toBe(false);
    rig.state.nowMs += ORPHANS_AFTER_MS;
    pull(rig, B, 'b', []);
    expect(claimed(rig)).toBe(true);
  });

  /*
   * n3 holds a dot of it that n2 lacks. n2 is pulled from; n3 hands the dot on to n2, and loses its disk before it is pulled from. Who
   * speaks for the incarnation now says that the dot is superseded, while n2 holds it: they never agree again, and n3 drops it.
   */
  it.each([
    ['that was known', 'c'],
    ['that was never heard of', undefined],
  ])('is not while one of the others may have got something from a life %s and is over', (_name, lost) => {
    const rig = floorRig(A, [B, C]);
    if (lost !== undefined) hear(rig, C, lost, []);
    pull(rig, B, 'b', []);
    rig.floor.noteContext([[old, 7]], rig.turn);
    rig.state.nowMs += ORPHANS_AFTER_MS;
    pull(rig, C, 'anew', []);
    expect(claimed(rig)).toBe(false);
    pull(rig, B, 'b', []);
    expect(claimed(rig)).toBe(true);
  });
});

describe('a replica with an empty store', () => {
  const empty = { refilling: true, remembers: false };

  // The other one lost its disk as well and remembers nothing; the third holds the only copy, and its word comes later.
  it('does not take another one for a new cluster while a third can be reached', () => {
    const rig = floorRig(A, [B, C]);
    pull(rig, B, 'b', [], empty);
    rig.state.nowMs += NEW_CLUSTER_WAIT_MS;
    pull(rig, B, 'b', [], empty);
    expect(rig.floor.refilling).toBe(true);
    hear(rig, C, 'c', [], { remembers: true });
    rig.state.away.push(C);
    pull(rig, B, 'b', [], empty);
    expect(rig.floor.refilling).toBe(true);
  });

  it('waits a moment for a third that cannot be reached, and then does without', () => {
    const rig = floorRig(A, [B, C]);
    rig.state.away.push(C);
    pull(rig, B, 'b', [], empty);
    expect(rig.floor.refilling).toBe(true);
    rig.state.nowMs += NEW_CLUSTER_WAIT_MS;
    pull(rig, B, 'b', [], empty);
    expect(rig.floor.refilling).toBe(false);
  });
});

describe('pruning', () => {
  it('begins its looks anew when a life begins: what was noted before may never be absorbed', () => {
    const rig = floorRig(A, [B], true);
    const theirs = incarnationId('n2.x');
    const records = { mixed: false, tree: { counts: { tombstones: 0 } } } as unknown as LocalRecords;
    const pace = { pruneMs: 1_000, retryAgeMs: 1_000 };
    const pruning = new Pruning(records, { pending: false } as RecordRepair, rig.floor, pace);
    const look = (): void => {
      rig.state.nowMs += 1_000;
      pruning.timer(PRUNE, rig.turn, rig.effects);
    };
    const seen: VersionVector = [[theirs, 5]];
    pull(rig, B, 'b', seen);
    look();
    // Minted, told, and lost with the disk before anyone has pulled it.
    rig.state.nowMs += 900;
    hear(rig, B, 'b', [[theirs, 9]]);
    look();
    pull(rig, B, 'anew', seen);
    expect(rig.floor.prunable).toEqual([]);
    for (let i = 0; i < 4; i++) {
      look();
      hear(rig, B, 'anew', seen);
    }
    expect(rig.floor.prunable).toEqual(seen);
  });
});

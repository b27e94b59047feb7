import { describe, expect, it, vi } from 'vitest';
import { hlcFromWallMs } from '../../src/core/hlc.js';
import { encodeVersioned } from '../../src/protocol/versioned-record-codec.js';
import type { GroupFacts } from '../../src/replication/leader-follower/group-facts.js';
import type { Scanned } from '../../src/replication/leader-follower/opening.js';
import type { Raft } from '../../src/replication/leader-follower/raft/raft.js';
import { Scrub, SCRUB } from '../../src/replication/leader-follower/scrub.js';
import { SnapshotReceiver } from '../../src/replication/leader-follower/snapshot-receiver.js';
import { StateMachine } from '../../src/replication/leader-follower/state-machine.js';
import { EXPIRE, Upkeep } from '../../src/replication/leader-follower/upkeep.js';
import type { Effects, Turn } from '../../src/replication/strategy.js';

const FACTS = { namespace: { ttlMs: 1 }, peers: [], replicas: [] } as unknown as GroupFacts;

function effects() {
  return { scan: vi.fn(), setTimer: vi.fn(), count: vi.fn(), put: vi.fn() };
}

function page(scan: string, entries: Scanned['entries'], more: boolean): Scanned {
  return { type: 'scanned', scan, entries, more, damaged: false };
}

function value(expiresAt: number): Uint8Array {
  return encodeVersioned({ version: 1, hlc: hlcFromWallMs(1), expiresAt, value: new Uint8Array(1) });
}

describe('the search for values whose time has come', () => {
  const turn = { wallMs: 1_000 } as Turn;
  const state = new StateMachine();

  it('comes to its end before another begins, however long it takes', () => {
    const upkeep = new Upkeep(FACTS);
    const made = effects();
    const search = (): void => upkeep.search(state, true, made as unknown as Effects);
    const scanned = (more: boolean) =>
      upkeep.scanned(page(EXPIRE, [['d/0/k', value(5_000)]], more), state, turn, made as unknown as Effects);
    search();
    search();
    expect(made.scan).toHaveBeenCalledTimes(1);
    scanned(true);
    expect(made.scan.mock.lastCall?.[1]).toMatchObject({ gt: 'd/0/k' });
    search();
    expect(made.scan).toHaveBeenCalledTimes(2);
    scanned(false);
    search();
    expect(made.scan).toHaveBeenCalledTimes(3);
  });

  it("moves the group's clock where a value is due by the node's, and nothing else does", () => {
    const upkeep = new Upkeep(FACTS);
    const made = effects() as unknown as Effects;
    upkeep.search(state, true, made);
    expect(upkeep.scanned(page(EXPIRE, [['d/0/k', value(1_001)]], true), state, turn, made)).toEqual([]);
    expect(upkeep.scanned(page(EXPIRE, [['d/0/l', value(1_000)]], false), state, turn, made)).toEqual([
      { type: 'tick' },
    ]);
  });
});

describe('the search for values that have rotted', () => {
  it('takes nothing from a page of a state that was replaced meanwhile', () => {
    const scrub = new Scrub(FACTS);
    const made = effects();
    const rotten = page(SCRUB, [['d/0/k', new Uint8Array(9)]], false);
    scrub.go(0, {} as never, {} as Turn, made as unknown as Effects);
    scrub.scanned(rotten, 1, made as unknown as Effects);
    expect(made.count).not.toHaveBeenCalled();
    scrub.scanned(rotten, 0, made as unknown as Effects);
    expect(made.count).toHaveBeenCalledWith('values_rotten');
  });
});

describe('a leader with a value that has rotted', () => {
  it('hands over to one of those that have most, whichever, and to none that does not count or while one is away', () => {
    const scrub = new Scrub({ ...FACTS, peers: ['n2', 'n3', 'n4', 'n5'] } as unknown as GroupFacts);
    const made = effects() as unknown as Effects;
    scrub.found('a value', made);
    const heirs: string[] = [];
    const raft = {
      leader: 'n1',
      leadership: {
        followers: [
          { node: 'n2', counts: true, match: 9 },
          { node: 'n3', counts: true, match: 8 },
          { node: 'n4', counts: true, match: 9 },
          { node: 'n5', counts: false, match: 10 },
        ],
      },
      transfer: (to: string) => heirs.push(to),
    } as unknown as Raft;
    for (const at of [0, 1]) {
      for (const reachable of [true, false]) {
        const now = {
          reachable: (peer: string) => reachable || peer !== 'n3',
          random: { integer: () => at },
        };
        expect(scrub.go(0, raft, now as unknown as Turn, made)).toBeNull();
      }
    }
    expect(heirs).toEqual(['n2', 'n4']);
  });
});

describe('a piece of a snapshot', () => {
  it('is written so that its answer waits for it', () => {
    const made = effects();
    const piece = { snapshot: 1, index: 9, indexTerm: 1, after: '', last: false, term: 1 } as const;
    const turn = { random: { integer: () => 7 } } as unknown as Turn;
    new SnapshotReceiver().take(
      'n2' as never,
      { type: 'install-snapshot', ...piece, entries: [['d/k', value(0)]] },
      new StateMachine(),
      turn,
      made as unknown as Effects,
    );
    expect(made.put).toHaveBeenCalledWith('d/7/k', expect.anything());
  });
});

import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { hlcFromWallMs } from '../../src/core/hlc.js';
import { SESSION_IDLE_MS_MAX } from '../../src/core/limits.js';
import { decideRetry } from '../../src/client/retry.js';
import { TrefoilError } from '../../src/core/errors.js';
import { encodeAppliedState } from '../../src/protocol/applied-state-codec.js';
import { encodeLeaderContext } from '../../src/protocol/leader-context-codec.js';
import type { InstallSnapshot, JoinQuery } from '../../src/protocol/leader-follower-messages.js';
import { encodeSegment, type LogEntry, type PutCommand } from '../../src/protocol/log-codec.js';
import type { GetResult, PutOperation } from '../../src/protocol/messages.js';
import type { RequestHandle } from '../../src/replication/strategy.js';
import { encodeVersioned } from '../../src/protocol/versioned-record-codec.js';
import { SeededRandom } from '../../src/simulation/random.js';
import { appended, getOf, LoneReplica, N1, N2, N3, putOf } from '../support/lone-replica.js';

const TEXT = new TextEncoder();
const WALL = 1_700_000_000_000;

function put(index: number, term: number, own: Partial<PutCommand['put']> = {}, session = 1): LogEntry {
  const what = { key: 'k', value: TEXT.encode('theirs'), ifVersion: null, ttlMs: 0, ...own };
  return {
    index,
    term,
    hlc: hlcFromWallMs(WALL) + index,
    command: { type: 'put', session, sequence: index, lowestOpen: index, put: what },
  };
}

const opens: LogEntry = { index: 1, term: 1, hlc: hlcFromWallMs(WALL), command: { type: 'open-session' } };

describe('ack: leader', () => {
  it('is not given for a write whose session has ended', () => {
    const lone = LoneReplica.member();
    lone.lead();
    lone.turn(lone.acknowledged(N2, 1));
    lone.settle();
    const opened = lone.request({ type: 'open-session', partition: 0 });
    lone.turn(opened);
    lone.settle();
    lone.turn(lone.acknowledged(N2, 2));
    lone.settle();
    lone.wallMs += SESSION_IDLE_MS_MAX + 1_000;
    const write = lone.request(putOf('2', { write: 'leader' }));
    lone.turn(write);
    lone.settle();
    lone.turn(lone.acknowledged(N2, 3));
    lone.settle();
    expect(lone.gauges).toMatchObject({ appliedIndex: 3 });
    expect(lone.store.has('d/0/k')).toBe(false);
    expect(lone.replies.get(write.request)).toMatchObject({ code: 'SessionExpired' });
  });
});

describe('a replica that was stopped', () => {
  it('does not say after its start that it is up to date', () => {
    const lone = LoneReplica.member();
    lone.turn(lone.message(N2, appended(1, { index: 0, term: 0 }, [opens, put(2, 1)], 2)));
    lone.settle();
    lone.wallMs += 3_600_000;
    lone.monotonicMs += 3_600_000;
    lone.open();
    lone.settle();
    const read = lone.request(getOf({ read: 'follower', maxStalenessMs: 5_000 }));
    lone.turn(read);
    lone.settle();
    expect(lone.replies.get(read.request)).toBeUndefined();
  });
});

describe('a page that finds nothing', () => {
  it('says how far into the log it has looked', () => {
    const lone = LoneReplica.member();
    lone.turn(lone.message(N2, appended(1, { index: 0, term: 0 }, [opens, put(2, 1)], 2)));
    lone.settle();
    const scan = lone.request({
      type: 'scan',
      partition: 0,
      prefix: 'other',
      after: '',
      limit: 10,
      read: 'follower',
      atLeast: null,
      maxStalenessMs: 0,
    });
    lone.turn(scan);
    lone.settle();
    expect(lone.replies.get(scan.request)).toMatchObject({
      type: 'scan-result',
      entries: [],
      next: null,
      index: 2,
    });
  });
});

describe('the store fails', () => {
  it('under the leader of a quiet group: the others hear that it leads no more', () => {
    const lone = LoneReplica.member();
    lone.writesRefused = 'NodeReadOnly';
    lone.sent.length = 0;
    lone.open();
    expect(lone.sent.map(({ message }) => message.type)).toContain('wake');
  });
});

describe('a replica that is being refilled', () => {
  it('names the leader to a linearizable read', () => {
    const lone = new LoneReplica();
    lone.storeHard({ standing: 'joining' });
    lone.open();
    lone.settle();
    lone.turn(lone.message(N2, appended(1, { index: 0, term: 0 }, [], 0)));
    const read = lone.request(getOf());
    lone.turn(read);
    lone.settle();
    expect(lone.replies.get(read.request)).toMatchObject({ code: 'NotLeader', leader: 'n2' });
  });

  it('is left for another one by a client', () => {
    const error = new TrefoilError('ReplicasRefilling', 'x');
    expect(decideRetry(error, 0, 1_000, new SeededRandom(1))).toMatchObject({ elsewhere: true });
  });
});

describe('values with a time to live', () => {
  it('from before a restart are searched for again until they are due, and taken away though nobody writes', () => {
    const lone = LoneReplica.member();
    lone.turn(
      lone.message(N2, appended(1, { index: 0, term: 0 }, [opens, put(2, 1, { ttlMs: 600_000 })], 2)),
    );
    lone.settle();
    lone.open();
    lone.settle();
    lone.lead();
    const heard = (index: number): void => {
      for (let beats = 0; beats < 10; beats++) {
        lone.pass(100);
        lone.turn(lone.acknowledged(N2, index), lone.acknowledged(N3, index));
        lone.settle();
      }
    };
    heard(3);
    expect(lone.gauges).toMatchObject({ leads: 1, quiet: 1 });
    for (let searches = 0; searches < 19; searches++) {
      lone.pass(30_000);
      lone.settle();
    }
    expect(lone.gauges).toMatchObject({ leads: 1, quiet: 1 });
    // One search finds it due by the node's clock, and moves the group's; the next one takes it away.
    for (const index of [4, 5]) {
      expect(lone.store.has('d/0/k')).toBe(true);
      lone.pass(30_000);
      lone.settle();
      heard(index);
    }
    expect(lone.gauges).toMatchObject({ leads: 1, appliedIndex: 5 });
    expect(lone.store.has('d/0/k')).toBe(false);
  });
});

describe('a leader', () => {
  it('that has applied nothing of its own term is as far behind as it was when it followed', () => {
    const lone = LoneReplica.member();
    lone.turn(lone.message(N2, appended(2, { index: 0, term: 0 }, [{ ...opens, term: 2 }], 1)));
    lone.settle();
    lone.lead();
    const ask = (): unknown => {
      const get = lone.request(getOf({ read: 'follower' }));
      lone.turn(get);
      lone.settle();
      return lone.replies.get(get.request);
    };
    expect((ask() as GetResult).lag?.ms).toBeGreaterThan(500);
    lone.turn(lone.acknowledged(N2, 2));
    lone.settle();
    expect(ask()).toMatchObject({ lag: { entries: 0, ms: 0 } });
  });

  it('tells a follower that asks what is committed, at once', () => {
    const lone = LoneReplica.member();
    lone.lead();
    lone.turn(lone.acknowledged(N2, 1));
    lone.settle();
    lone.sent.length = 0;
    lone.turn(lone.message(N3, { type: 'wake', term: 2 }));
    expect(lone.sent).toMatchObject([{ to: N3, message: { type: 'append-entries', commit: 1 } }]);
  });

  it('tells how long ago a majority has confirmed it', () => {
    const lone = LoneReplica.member();
    lone.lead();
    lone.turn(lone.acknowledged(N2, 1));
    lone.settle();
    lone.monotonicMs += 250;
    const get = lone.request(getOf({ read: 'follower' }));
    lone.turn(get);
    lone.settle();
    expect(lone.replies.get(get.request)).toMatchObject({ lag: { entries: 0, ms: 250 } });
  });

  /** What it asks for is heard by both others, which have everything up to `index`. */
  function leads(lone: LoneReplica, ms: number, index: number): void {
    for (let passed = 0; passed < ms; passed += 100) {
      lone.pass(100);
      lone.turn(lone.acknowledged(N2, index), lone.acknowledged(N3, index));
      lone.settle();
    }
  }

  function withSession(): LoneReplica {
    const lone = LoneReplica.member();
    lone.lead();
    leads(lone, 100, 1);
    lone.turn(lone.request({ type: 'open-session', partition: 0 }));
    lone.settle();
    leads(lone, 100, 2);
    return lone;
  }

  it('takes no more than so much that is not committed, also when those who wrote it have given up', () => {
    const lone = withSession();
    const value = new Uint8Array(1024 * 1024);
    const write = (sequence: number): RequestHandle => {
      const operation = { session: '2', sequence } as PutOperation['operation'];
      const asked = lone.request(putOf('2', { value, operation, lowestOpen: sequence }));
      lone.turn(asked);
      lone.settle();
      return asked.request;
    };
    let sequence = 0;
    while (!lone.replies.has(write(++sequence))) expect(sequence).toBeLessThan(40);
    // Their disks are full: they answer and take nothing.
    leads(lone, 61_000, 2);
    expect(lone.gauges).toMatchObject({ leads: 1, openWrites: 0 });
    expect(lone.replies.get(write(++sequence))).toMatchObject({ code: 'Overloaded' });
    leads(lone, 200, sequence);
    expect(lone.replies.get(write(sequence + 1))).toBeUndefined();
  });

  it('that is full asks one after the other to lead', () => {
    const lone = withSession();
    lone.writesRefused = 'StorageFull';
    leads(lone, 60_000, 2);
    const asked = lone.sent.filter(({ message }) => message.type === 'timeout-now').map(({ to }) => to);
    expect(new Set(asked)).toEqual(new Set([N2, N3]));
  });

  it('reads for a session that has seen what no log holds any more', () => {
    const lone = withSession();
    const atLeast = encodeLeaderContext({ version: 900, index: 900 });
    const read = lone.request(getOf({ read: 'linearizable', atLeast }));
    lone.turn(read);
    lone.settle();
    lone.turn(lone.acknowledged(N2, 2));
    lone.settle();
    expect(lone.replies.get(read.request)).toMatchObject({ type: 'get-result', values: [] });
  });
});

describe('a replica that cannot rely on what it has stored', () => {
  it('tells a leader of an earlier term that it cannot follow it', () => {
    const lone = new LoneReplica();
    lone.storeHard({ term: 9, store: 'another' });
    lone.open();
    lone.settle();
    lone.turn(lone.message(N2, appended(8, { index: 0, term: 0 }, [], 0)));
    lone.settle();
    expect(lone.sent).toMatchObject([
      { to: N2, message: { type: 'append-entries-result', term: 9, joining: true } },
    ]);
    // It empties its store for the first, and answers the next.
    for (let heard = 0; heard < 2; heard++) {
      lone.turn(lone.message(N2, appended(10, { index: 0, term: 0 }, [], 0)));
      lone.settle();
    }
    expect(lone.sent.at(-1)?.message).toMatchObject({
      type: 'append-entries-result',
      term: 10,
      status: 'durable',
    });
  });
});

describe('a group that was never formed', () => {
  it('says for whom it waits', () => {
    const lone = new LoneReplica();
    lone.open();
    lone.settle();
    const asked = lone.sent.find(({ message }) => message.type === 'join-query')?.message as JoinQuery;
    const fresh = {
      type: 'join-answer',
      asked: asked.life,
      life: 2,
      state: 'fresh',
      formed: [],
      commit: 0,
    } as const;
    lone.turn(lone.message(N2, fresh));
    const put = lone.request(putOf('1'));
    lone.turn(put);
    lone.settle();
    expect(lone.replies.get(put.request)).toMatchObject({
      code: 'NoLeader',
      message: expect.stringMatching(/never formed .* waits for n3:/) as string,
    });
  });
});

describe('a follower that lacks what a session has seen', () => {
  it('asks its leader at once, and not at every turn', () => {
    const lone = LoneReplica.member();
    lone.turn(lone.message(N2, appended(2, { index: 0, term: 0 }, [{ ...opens, term: 2 }], 0)));
    lone.settle();
    lone.sent.length = 0;
    const atLeast = encodeLeaderContext({ version: 0, index: 1 });
    const get = lone.request(getOf({ read: 'session', atLeast }));
    lone.turn(get);
    for (let turn = 0; turn < 5; turn++)
      lone.turn(lone.message(N2, appended(2, { index: 1, term: 2 }, [], 0)));
    expect(lone.sent.filter(({ message }) => message.type === 'wake')).toHaveLength(1);
    lone.turn(lone.message(N2, appended(2, { index: 1, term: 2 }, [], 1)));
    lone.settle();
    expect(lone.replies.get(get.request)).toMatchObject({ type: 'get-result' });
  });
});

describe('a segment with an entry that cannot be read, under a checksum that holds', () => {
  it('is refused as it comes, and not met when it is committed', () => {
    const lone = LoneReplica.member();
    const noop = { index: 1, term: 2, hlc: hlcFromWallMs(WALL), command: { type: 'noop' } } as const;
    const bytes = Buffer.from(encodeSegment([noop]));
    bytes[bytes.length - 1] = 77;
    bytes.writeUInt32BE(crc32(bytes.subarray(4)), 0);
    const bad = { ...appended(2, { index: 0, term: 0 }, [], 1), segments: [new Uint8Array(bytes)] };
    expect(() => lone.turn(lone.message(N2, bad))).toThrow(/command of type 77/);
    lone.turn(lone.message(N2, appended(2, { index: 0, term: 0 }, [noop], 1)));
    lone.settle();
    expect(lone.gauges).toMatchObject({ appliedIndex: 1 });
  });
});

describe('snapshots', () => {
  it('replace the log only once what was to be written to it is written', () => {
    const lone = LoneReplica.member();
    const append = lone.message(N2, appended(1, { index: 0, term: 0 }, [opens, put(2, 1), put(3, 1)], 0));
    const piece = lone.message(N2, {
      type: 'install-snapshot',
      term: 1,
      snapshot: 1,
      index: 2,
      indexTerm: 1,
      after: '',
      entries: [['a', encodeAppliedState({ generation: 0, index: 2, term: 1, clock: 0 })]],
      last: true,
    });
    lone.turn(append, piece);
    lone.settle();
    expect(lone.gauges).toMatchObject({ appliedIndex: 0 });
    lone.turn(piece);
    lone.settle();
    expect(lone.gauges).toMatchObject({ appliedIndex: 2 });
    lone.open();
    lone.settle();
    expect(lone.gauges).toMatchObject({ appliedIndex: 2, refilling: 0 });
  });

  it('that stopped leave nothing once another one has begun', () => {
    const lone = LoneReplica.member();
    const value = encodeVersioned({ version: 1, hlc: 1, expiresAt: 0, value: TEXT.encode('v') });
    const piece = (snapshot: number): InstallSnapshot => ({
      type: 'install-snapshot',
      term: 1,
      snapshot,
      index: 10,
      indexTerm: 1,
      after: '',
      entries: [['d/k', value]],
      last: false,
    });
    for (let n = 0; n < 5; n++) {
      lone.turn(lone.message(N2, piece(n)));
      lone.settle();
    }
    expect([...lone.store.keys()].filter((key) => key.startsWith('d/'))).toHaveLength(1);
  });
});

describe('a store that is being emptied', () => {
  it('is emptied to the end after a crash', () => {
    const lone = LoneReplica.member();
    const many = Array.from({ length: 1_500 }, (_, at) => put(at + 2, 1, { key: `k${at}` }));
    lone.turn(lone.message(N2, appended(1, { index: 0, term: 0 }, [opens, ...many], 1_501)));
    lone.settle();
    expect(lone.store.has('d/0/k1400')).toBe(true);
    // The store is another one than that in which the life began: the replica begins a new one.
    lone.storeHard({ store: 'another' });
    lone.open();
    // It is trusted no more after another start, and kept until a leader is heard.
    lone.open();
    lone.settle();
    expect(lone.gauges).not.toHaveProperty('term');
    expect(lone.store.has('d/0/k1400')).toBe(true);
    const heartbeat = lone.message(N2, appended(1, { index: 0, term: 0 }, [], 0));
    lone.turn(heartbeat);
    // One page of the old state is gone, and the process with it.
    lone.turn(...lone.scanned());
    lone.open();
    lone.turn(heartbeat);
    lone.settle();
    expect(lone.gauges).toHaveProperty('term');
    expect([...lone.store.keys()].filter((key) => /^[dls]\//.test(key))).toEqual([]);
  });
});

describe('handing over', () => {
  it('to a preferred leader that does not take it stops writes more and more rarely', () => {
    const lone = LoneReplica.member();
    lone.replicas = [N2, N1, N3];
    lone.open();
    lone.settle();
    lone.lead();
    let refused = 0;
    for (let beats = 0; beats < 600; beats++) {
      lone.pass(100);
      lone.turn(lone.acknowledged(N2, 0), lone.acknowledged(N3, 1));
      const write = lone.request(putOf('1', { write: 'quorum' }));
      if (beats > 20) lone.turn(write);
      if ((lone.replies.get(write.request) as { code?: string } | undefined)?.code === 'NoLeader') refused++;
      lone.settle();
    }
    expect(lone.gauges).toMatchObject({ leads: 1 });
    expect(refused).toBeGreaterThan(0);
    expect(refused).toBeLessThan(50);
  });

  it('is not taken by one whose disk is full', () => {
    const lone = LoneReplica.member();
    lone.turn(lone.message(N2, appended(1, { index: 0, term: 0 }, [opens], 1)));
    lone.settle();
    lone.writesRefused = 'StorageFull';
    lone.turn(lone.message(N2, { type: 'timeout-now', term: 1 }));
    lone.settle();
    expect(lone.gauges['term']).toBe(1);
  });
});

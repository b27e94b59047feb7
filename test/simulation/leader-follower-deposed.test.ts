/** What is around the core, where one turn brings more than one thing. */
import { describe, expect, it } from 'vitest';
import { hlcFromWallMs } from '../../src/core/hlc.js';
import type { LogEntry, PutCommand } from '../../src/protocol/log-codec.js';
import { appended, getOf, LoneReplica, N2, putOf } from '../support/lone-replica.js';

const TEXT = new TextEncoder();

function put(index: number, term: number, own: Partial<PutCommand['put']> = {}, session = 2): LogEntry {
  const hlc = hlcFromWallMs(1_700_000_000_000) + index;
  const what = { key: 'k', value: TEXT.encode('theirs'), ifVersion: null, ttlMs: 0, ...own };
  return { index, term, hlc, command: { type: 'put', session, sequence: index, lowestOpen: 1, put: what } };
}

/** A leader whose first entry is committed, and the session that a client has opened. */
function established(own: ConstructorParameters<typeof LoneReplica>[0] = {}): {
  lone: LoneReplica;
  session: string;
} {
  const lone = LoneReplica.member(own);
  lone.lead();
  lone.turn(lone.acknowledged(N2, 1));
  lone.settle();
  const opened = lone.request({ type: 'open-session', partition: 0 });
  lone.turn(opened);
  lone.settle();
  lone.turn(lone.acknowledged(N2, 2));
  lone.settle();
  expect(lone.replies.get(opened.request)).toMatchObject({ type: 'session-result' });
  return { lone, session: (lone.replies.get(opened.request) as { session: string }).session };
}

describe('a leader that learns in one turn that it is replaced, and what was committed since', () => {
  it('does not take the entry of another for its own', () => {
    const { lone, session } = established();
    const term = lone.gauges['term'] as number;
    const write = lone.request(putOf(session));
    lone.turn(write);
    lone.settle();
    expect(lone.replies.has(write.request)).toBe(false);
    const theirs = put(3, term + 1);
    lone.turn(lone.message(N2, appended(term + 1, { index: 2, term }, [theirs], 3)));
    lone.settle();
    expect(lone.gauges).toMatchObject({ leads: 0, appliedIndex: 3 });
    expect(lone.replies.get(write.request)).toMatchObject({ code: 'NotLeader', outcome: 'unknown' });
  });

  it('does not go on for ever over a scan that finds a value whose time has come', () => {
    const { lone, session } = established();
    const term = lone.gauges['term'] as number;
    const write = lone.request(putOf(session, { ttlMs: 1_000 }));
    lone.turn(write);
    lone.settle();
    lone.turn(lone.acknowledged(N2, 3));
    lone.settle();
    const scan = lone.request({
      type: 'scan',
      partition: 0,
      prefix: '',
      after: '',
      limit: 10,
      read: null,
      atLeast: null,
      maxStalenessMs: 0,
    });
    lone.turn(scan);
    lone.turn(lone.acknowledged(N2, 3));
    lone.rest();
    expect(lone.scansAsked).toHaveLength(1);
    lone.wallMs += 2_000;
    lone.turn(lone.message(N2, appended(term + 1, { index: 3, term }, [], 3)));
    lone.settle();
    expect(lone.replies.get(scan.request)).toMatchObject({ code: 'NotLeader' });
  });
});

describe('a leader with a lease', () => {
  it('does not read before it has applied what the leader before it acknowledged', () => {
    const lone = LoneReplica.member({ clockBoundMs: 50 });
    const command = { type: 'open-session' } as const;
    const hlc = hlcFromWallMs(1_700_000_000_000);
    const tick = (index: number): LogEntry => ({
      index,
      term: 1,
      hlc: hlc + index,
      command: { type: 'tick' },
    });
    // More than is applied in one turn, committed and acknowledged by the leader of term 1, which has told nobody yet.
    const first = [
      { index: 1, term: 1, hlc, command },
      ...Array.from({ length: 4_999 }, (_, at) => tick(at + 2)),
    ];
    lone.turn(lone.message(N2, appended(1, { index: 0, term: 0 }, first, 0)));
    lone.turn(lone.message(N2, appended(1, { index: 5_000, term: 1 }, [put(5_001, 1, {}, 1)], 0)));
    lone.settle();
    lone.lead();
    expect(lone.gauges).toMatchObject({ leads: 1, appliedIndex: 0 });
    lone.pass(120);
    lone.turn(lone.acknowledged(N2, 5_002));
    const read = lone.request(getOf());
    lone.turn(lone.acknowledged(N2, 5_002), read);
    lone.settle();
    lone.turn(lone.acknowledged(N2, 5_002));
    lone.settle();
    expect(lone.replies.get(read.request)).toMatchObject({ type: 'get-result', version: 5_001 });
  });
});

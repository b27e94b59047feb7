/** What a group remembers of its sessions, in which order it forgets them, and that stored sessions act as those in memory. */
import { describe, expect, it } from 'vitest';
import { hlcFromWallMs } from '../../src/core/hlc.js';
import { SESSION_IDLE_MS_MAX, SESSION_RESULTS_MAX, SESSIONS_MAX } from '../../src/core/limits.js';
import { compareKeys } from '../../src/core/text-order.js';
import {
  decodeSession,
  encodeSession,
  type StoredResult,
  type StoredSession,
} from '../../src/protocol/applied-state-codec.js';
import {
  sessionIndex,
  sessionName,
  SessionTable,
} from '../../src/replication/leader-follower/session-table.js';

const at = (wallMs: number): number => hlcFromWallMs(1_763_706_000_000 + wallMs);

/** A table and what it has stored, driven entry by entry. */
class Table {
  sessions = new SessionTable();
  index = 0;
  readonly stored = new Map<number, string>();

  begin(wallMs = 0): number {
    this.sessions.begin(++this.index, at(wallMs));
    return this.index;
  }

  /** An entry with an operation of the session; what the table knew of it. */
  operate(session: number, sequence: number, lowestOpen = 0, wallMs = 0): unknown {
    this.sessions.touch(session, ++this.index, at(wallMs), lowestOpen);
    const known = this.sessions.lookup(session, sequence);
    if (known === 'new') this.sessions.record(session, sequence, this.index);
    return known;
  }

  store(): void {
    for (const [session, bytes] of this.sessions.takeChanged()) {
      if (bytes === null) this.stored.delete(session);
      else this.stored.set(session, Buffer.from(bytes).toString('hex'));
    }
  }

  /** Forgets all but what is stored. */
  reload(): void {
    this.store();
    const stored = [...this.stored].sort(([a], [b]) => compareKeys(sessionName(a), sessionName(b)));
    this.sessions = new SessionTable(stored.map(([, hex]) => decodeSession(Buffer.from(hex, 'hex'))));
  }

  lives(session: number): boolean {
    return this.sessions.lookup(session, 1_000_000) !== 'unknown-session';
  }
}

describe('the name of a session', () => {
  it.each([1, 35, 36, 123_456, Number.MAX_SAFE_INTEGER])('of index %d names that index', (index) => {
    expect(sessionIndex(sessionName(index))).toBe(index);
  });

  it.each([
    '',
    '0',
    '01',
    'A',
    'a-b',
    '1.5',
    ' 1',
    '1 ',
    '-1',
    'größe',
    'zzzzzzzzzzz',
    '2gosa7pa2gw',
    '1'.repeat(12),
  ])('is not %j', (text) => {
    expect(sessionIndex(text)).toBeNull();
  });
});

describe('an operation', () => {
  it('is new once, and has its result after that', () => {
    const table = new Table();
    const session = table.begin();
    expect(table.operate(session, 7)).toBe('new');
    const done = table.index;
    expect(table.operate(session, 7)).toBe(done);
    table.reload();
    expect(table.operate(session, 7)).toBe(done);
  });

  it('keeps the version that its condition found', () => {
    const table = new Table();
    const session = table.begin();
    table.sessions.touch(session, ++table.index, at(0), 0);
    const refused = { index: table.index, actual: 0, place: 3 };
    table.sessions.record(session, 1, refused);
    table.reload();
    expect(table.sessions.lookup(session, 1)).toEqual(refused);
  });

  it('of no session is not known', () => {
    const table = new Table();
    const session = table.begin();
    expect(table.operate(session + 1, 1)).toBe('unknown-session');
    table.store();
    expect([...table.stored.keys()]).toEqual([session]);
  });

  it.each([
    ['a step', 3],
    ['more than there are results', 100],
  ])('below the lowest open is over, whichever way they are forgotten: %s', (_how, lowestOpen) => {
    const table = new Table();
    const session = table.begin();
    for (let sequence = 0; sequence < 6; sequence++) table.operate(session, sequence);
    expect(table.operate(session, 200, lowestOpen)).toBe('new');
    for (let sequence = 0; sequence < lowestOpen; sequence++) {
      expect(table.operate(session, sequence)).toBe('forgotten');
    }
    if (lowestOpen < 6) expect(table.operate(session, lowestOpen)).toBe(2 + lowestOpen);
    table.reload();
    expect(table.operate(session, lowestOpen - 1)).toBe('forgotten');
    const held = decodeSession(Buffer.from(table.stored.get(session) as string, 'hex')).results;
    expect([...held.keys()]).toEqual(lowestOpen < 6 ? [3, 4, 5, 200] : [200]);
  });

  it('does not bring back what an earlier one has closed', () => {
    const table = new Table();
    const session = table.begin();
    table.operate(session, 9, 9);
    expect(table.operate(session, 4, 4)).toBe('forgotten');
  });

  it('beyond the most that a session may have open is refused until one is over', () => {
    const table = new Table();
    const session = table.begin();
    for (let sequence = 0; sequence < SESSION_RESULTS_MAX; sequence++) table.operate(session, sequence);
    expect(table.operate(session, 5000)).toBe('too-many-open');
    expect(table.operate(session, 0), 'one that is known').toBe(2);
    expect(table.operate(session, 5000, 1)).toBe('new');
    expect(table.operate(session, 5001, 1)).toBe('too-many-open');
  });
});

describe('a session', () => {
  it('ends when it was unused for longer than it may, and not before', () => {
    const table = new Table();
    const [first, second, third] = [table.begin(0), table.begin(0), table.begin(5)];
    table.operate(first, 1, 0, 10);
    expect(table.sessions.expire(at(SESSION_IDLE_MS_MAX))).toBe(0);
    expect(table.sessions.expire(at(SESSION_IDLE_MS_MAX) + 1)).toBe(1);
    expect([first, second, third].map((s) => table.lives(s))).toEqual([true, false, true]);
    expect(table.sessions.expire(at(SESSION_IDLE_MS_MAX + 6))).toBe(1);
    expect([first, second, third].map((s) => table.lives(s))).toEqual([true, false, false]);
    expect(table.sessions.expire(at(SESSION_IDLE_MS_MAX + 11))).toBe(1);
    expect(table.sessions.expire(at(10 * SESSION_IDLE_MS_MAX))).toBe(0);
    const later = table.begin(10 * SESSION_IDLE_MS_MAX);
    expect(table.sessions.expire(at(11 * SESSION_IDLE_MS_MAX))).toBe(0);
    expect(table.lives(later)).toBe(true);
  });

  it('makes room for a new one when it was unused longest, also where they were used at one time and loaded since', () => {
    const table = new Table();
    const sessions = Array.from({ length: SESSIONS_MAX }, () => table.begin());
    const [first, second, third] = sessions as [number, number, number];
    table.operate(second, 1);
    table.operate(first, 1);
    table.reload();
    expect(table.sessions.begin(++table.index, at(0))).toBe(1);
    expect(table.lives(third)).toBe(false);
    for (let i = 3; i < SESSIONS_MAX; i++) table.begin();
    expect([first, second].map((s) => table.lives(s))).toEqual([true, true]);
    table.begin();
    expect([first, second].map((s) => table.lives(s))).toEqual([true, false]);
    expect(table.sessions.size).toBe(SESSIONS_MAX);
    table.store();
    expect(table.stored.size).toBe(SESSIONS_MAX);
  });
});

describe('what changed', () => {
  it('is told once, with null for what ended', () => {
    const table = new Table();
    const [first, second] = [table.begin(), table.begin(1)];
    expect(table.sessions.takeChanged().map(([session]) => session)).toEqual([first, second]);
    expect(table.sessions.takeChanged()).toEqual([]);
    table.operate(second, 1, 0, 2);
    expect(table.sessions.takeChanged().map(([session]) => session)).toEqual([second]);
    table.sessions.expire(at(SESSION_IDLE_MS_MAX + 1));
    expect(table.sessions.takeChanged()).toEqual([[first, null]]);
  });

  it('has the same bytes after a restart', () => {
    const [steady, restarted] = [new Table(), new Table()];
    for (const table of [steady, restarted]) {
      for (let i = 0; i < 5; i++) table.begin(i);
    }
    for (let i = 0; i < 60; i++) {
      for (const table of [steady, restarted]) table.operate(1 + (i % 5), (i * 7) % 23, Math.floor(i / 9), i);
      restarted.reload();
    }
    steady.store();
    expect(restarted.stored).toEqual(steady.stored);
  });
});

describe('a stored session', () => {
  const sample: StoredSession = {
    index: 200,
    usedAt: at(0),
    usedBy: 320,
    lowestOpen: 7,
    results: new Map<number, StoredResult>([
      [7, 201],
      [9, { index: 300, actual: 150, place: 2 }],
      [8, 320],
    ]),
  };

  it('comes back as it was', () => {
    expect(decodeSession(encodeSession(sample))).toEqual(sample);
  });

  it('has the bytes that are on the disks of older nodes', () => {
    expect(Buffer.from(encodeSession(sample)).toString('hex')).toBe(
      '860fe76501c8018080a8bac4d29a03c00207030001000263970102011400',
    );
  });

  it('is known to be damaged, whichever byte it is and wherever it is cut', () => {
    const bytes = encodeSession(sample);
    for (let place = 0; place < bytes.length; place++) {
      const damaged = Buffer.from(bytes);
      damaged[place] = (damaged[place] as number) ^ 4;
      expect(() => decodeSession(damaged)).toThrow('cannot be read');
      expect(() => decodeSession(bytes.subarray(0, place))).toThrow('cannot be read');
    }
  });
});

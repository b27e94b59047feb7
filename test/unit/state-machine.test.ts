/** What each command does to the state, what the group's clock decides, and what damage stops. */
import { beforeEach, describe, expect, it } from 'vitest';
import { HLC_TIME_MAX, hlcFromWallMs } from '../../src/core/hlc.js';
import { SESSION_IDLE_MS_MAX, SESSION_RESULTS_MAX, TTL_MS_MAX } from '../../src/core/limits.js';
import { decodeAppliedState, encodeAppliedState } from '../../src/protocol/applied-state-codec.js';
import type { Command } from '../../src/protocol/log-codec.js';
import { encodeVersioned } from '../../src/protocol/versioned-record-codec.js';
import {
  dataPrefix,
  findDue,
  sessionPrefix,
  StateMachine,
  type ApplyResult,
} from '../../src/replication/leader-follower/state-machine.js';
import { AppliedLog, loggedPut, put } from '../support/applied-log.js';

const START = 1_763_706_000_000;
const value = new Uint8Array([7, 8]);

describe('the state machine', () => {
  let log: AppliedLog;
  let wallMs: number;

  beforeEach(() => {
    log = new AppliedLog();
    wallMs = START;
  });

  function apply(command: Command, term = 1): ApplyResult {
    const index = log.machine.appliedIndex + 1;
    return log.apply({ index, term, hlc: hlcFromWallMs(wallMs), command });
  }

  function openSession(): number {
    expect(apply({ type: 'open-session' }).type).toBe('session');
    return log.machine.appliedIndex;
  }

  const versionOf = (key = 'k'): number | undefined | 'damaged' => {
    const record = log.machine.get(key, log);
    return record === 'damaged' ? record : record?.version;
  };

  const dueAt = (key = 'k'): number | undefined => {
    const record = log.machine.get(key, log);
    return record === null || record === 'damaged' ? undefined : record.expiresAt;
  };

  it('begins with nothing applied', () => {
    const { appliedIndex, appliedTerm, clock, generation, damaged } = log.machine;
    expect({ appliedIndex, appliedTerm, clock, generation, damaged }).toEqual({
      appliedIndex: 0,
      appliedTerm: 0,
      clock: 0,
      generation: 0,
      damaged: false,
    });
    log.flush();
    expect(log.content()).toEqual([]);
  });

  it('applies entries in order, and only so', () => {
    expect(apply({ type: 'noop' }, 4)).toEqual({ type: 'none' });
    expect([log.machine.appliedIndex, log.machine.appliedTerm]).toEqual([1, 4]);
    expect(() => log.apply({ index: 3, term: 4, hlc: 1, command: { type: 'noop' } })).toThrow(
      'order of the log',
    );
    expect(() => log.apply({ index: 1, term: 4, hlc: 1, command: { type: 'noop' } })).toThrow(
      'order of the log',
    );
  });

  it('has a clock that never goes back', () => {
    apply({ type: 'tick' });
    wallMs -= 1000;
    apply({ type: 'tick' });
    expect(log.machine.clock).toBe(hlcFromWallMs(START));
  });

  it('writes how far it is once in a turn, and only after something was applied', () => {
    apply({ type: 'noop' }, 2);
    apply({ type: 'tick' }, 3);
    expect(log.stored.has('a')).toBe(false);
    log.flush();
    expect(decodeAppliedState(log.stored.get('a') as Uint8Array)).toEqual({
      generation: 0,
      index: 2,
      term: 3,
      clock: hlcFromWallMs(START),
    });
    log.stored.delete('a');
    log.flush();
    expect(log.stored.has('a')).toBe(false);
  });

  it('names a session by the index of its entry in base 36', () => {
    for (let i = 1; i < 36; i++) apply({ type: 'tick' });
    expect(apply({ type: 'open-session' })).toEqual({ type: 'session', session: '10' });
    log.flush();
    expect([...log.stored.keys()].sort()).toEqual(['a', 's/0/10']);
  });

  describe('a put', () => {
    it('stores the value under the version of its entry', () => {
      const session = openSession();
      expect(apply(put(session, 1, { value }))).toEqual({ type: 'ok', version: 2 });
      expect(log.machine.get('k', log)).toMatchObject({
        version: 2,
        hlc: hlcFromWallMs(START),
        expiresAt: 0,
      });
      expect([...log.stored.keys()]).toEqual(['d/0/k']);
    });

    it('that deletes leaves nothing behind', () => {
      const session = openSession();
      apply(put(session, 1));
      expect(apply(put(session, 2, { value: null }))).toEqual({ type: 'ok', version: 3 });
      expect(log.machine.get('k', log)).toBeNull();
      expect([...log.stored.keys()]).toEqual([]);
    });

    it('is done once, however often it is asked for, and answers the same', () => {
      const session = openSession();
      apply(put(session, 1));
      apply(put(session, 2, { value: null }));
      expect(apply(put(session, 1))).toEqual({ type: 'ok', version: 2 });
      expect(log.machine.get('k', log)).toBeNull();
      expect(log.counters.get('operations_repeated')).toBe(1);
    });

    it.each<[string, (session: number) => Command, ApplyResult]>([
      ['of a session that never was', (s) => put(s + 1, 2), { type: 'session-expired' }],
      ['of an operation that is over', (s) => put(s, 2, {}, 3), { type: 'forgotten' }],
    ])('%s is refused', (_what, command, result) => {
      const session = openSession();
      apply(put(session, 1, {}));
      expect(apply(command(session))).toEqual(result);
      expect(versionOf()).toBe(2);
    });

    it('of a session with too many open is refused, and may be done later', () => {
      const session = openSession();
      for (let sequence = 0; sequence < SESSION_RESULTS_MAX; sequence++) apply(put(session, sequence));
      const before = versionOf();
      expect(apply(put(session, 5000))).toEqual({ type: 'too-many-open' });
      expect(versionOf()).toBe(before);
      expect(apply(put(session, 5000, {}, 1)).type).toBe('ok');
    });

    it('of a session that has ended is refused', () => {
      const session = openSession();
      apply(put(session, 1));
      wallMs += SESSION_IDLE_MS_MAX + 1;
      expect(apply(put(session, 1))).toEqual({ type: 'session-expired' });
      expect(log.counters.get('sessions_ended')).toBe(1);
      log.flush();
      expect([...log.stored.keys()].sort()).toEqual(['a', 'd/0/k']);
    });
  });

  describe('a condition', () => {
    it.each([
      ['absent', 0, 0, 'ok'],
      ['absent', 2, 0, 'condition-failed'],
      ['present', 2, 2, 'ok'],
      ['present', 1, 2, 'condition-failed'],
      ['present', 0, 2, 'condition-failed'],
    ])('on a key that is %s, of version %d', (state, ifVersion, actual, outcome) => {
      const session = openSession();
      if (state === 'present') apply(put(session, 1));
      const result = apply(put(session, 2, { value, ifVersion }));
      const version = log.machine.appliedIndex;
      expect(result).toEqual(
        outcome === 'ok' ? { type: 'ok', version } : { type: 'condition-failed', actual, place: 0 },
      );
      expect(versionOf() ?? 0).toBe(outcome === 'ok' ? version : actual);
    });

    it('that failed once fails again for the same operation', () => {
      const session = openSession();
      const demanding = put(session, 1, { ifVersion: 9 });
      expect(apply(demanding)).toEqual({ type: 'condition-failed', actual: 0, place: 0 });
      apply(put(session, 2));
      log.restart();
      expect(apply(demanding)).toEqual({ type: 'condition-failed', actual: 0, place: 0 });
    });

    it('takes a value that is due for absent', () => {
      const session = openSession();
      apply(put(session, 1, { ttlMs: 1000 }));
      wallMs += 999;
      expect(apply(put(session, 2, { ifVersion: 0 })).type).toBe('condition-failed');
      wallMs += 1;
      expect(apply(put(session, 3, { ifVersion: 0 })).type).toBe('ok');
    });
  });

  describe('a put-all', () => {
    const all = (session: number, sequence: number, ...puts: ReturnType<typeof loggedPut>[]): Command => ({
      type: 'put-all',
      session,
      sequence,
      lowestOpen: 0,
      puts,
    });

    it('does all of it under one version', () => {
      const session = openSession();
      apply(put(session, 1, { key: 'b' }));
      const result = apply(
        all(
          session,
          2,
          loggedPut({ key: 'a', ifVersion: 0 }),
          loggedPut({ key: 'b', value: null, ifVersion: 2 }),
          loggedPut({ key: 'c', ttlMs: 5 }),
        ),
      );
      expect(result).toEqual({ type: 'ok', version: 3 });
      expect(['a', 'b', 'c'].map((key) => versionOf(key))).toEqual([3, undefined, 3]);
      expect(dueAt('c')).toBe(START + 5);
    });

    it('does none of it where a condition fails, and says which', () => {
      const session = openSession();
      apply(put(session, 1, { key: 'b' }));
      const command = all(
        session,
        2,
        loggedPut({ key: 'a', ifVersion: 0 }),
        loggedPut({ key: 'b', ifVersion: 1 }),
      );
      const refusal = { type: 'condition-failed', actual: 2, place: 1 };
      expect(apply(command)).toEqual(refusal);
      expect(['a', 'b'].map((key) => versionOf(key))).toEqual([undefined, 2]);
      log.restart();
      expect(apply(command)).toEqual(refusal);
    });

    it('of nothing is done', () => {
      expect(apply(all(openSession(), 1))).toEqual({ type: 'ok', version: 2 });
    });
  });

  describe('a time to live', () => {
    it('ends by the clock of the group, on the millisecond', () => {
      const session = openSession();
      apply(put(session, 1, { ttlMs: 1000 }));
      expect(dueAt()).toBe(START + 1000);
      wallMs += 999;
      apply({ type: 'tick' });
      expect(versionOf()).toBe(2);
      wallMs += 1;
      apply({ type: 'tick' });
      expect(log.machine.get('k', log)).toBeNull();
      log.flush();
      expect(log.stored.has('d/0/k'), 'it waits for an expire').toBe(true);
    });

    it('is 0 where there is none', () => {
      const session = openSession();
      apply(put(session, 1));
      expect(dueAt()).toBe(0);
    });

    it('may be the longest at the end of time', () => {
      const session = openSession();
      const index = log.machine.appliedIndex + 1;
      log.apply({ index, term: 1, hlc: HLC_TIME_MAX, command: { type: 'tick' } });
      wallMs = Math.floor(HLC_TIME_MAX / 1024);
      const last = openSession();
      expect(apply(put(last, 1, { ttlMs: TTL_MS_MAX })).type).toBe('ok');
      expect(session).toBe(1);
    });

    it('is found on a page of a scan', () => {
      const session = openSession();
      for (const [i, key] of ['a', 'b/', 'c', 'd'].entries()) {
        apply(put(session, i, { key, ttlMs: i === 0 ? 0 : 1000 * i }));
      }
      const page = log.entries();
      log.stored.forEach((bytes, key) => key.endsWith('d') && log.stored.set(key, bytes.slice(1)));
      expect(findDue(0, page, START + 999)).toEqual([]);
      expect(findDue(0, page, START + 2000)).toEqual(['b/', 'c']);
      expect(findDue(0, log.entries(), START + 5000)).toEqual(['b/', 'c']);
    });
  });

  describe('an expire', () => {
    it('removes what is due and nothing else', () => {
      const session = openSession();
      for (const key of ['due', 'anew', 'stays']) apply(put(session, key.length, { key, ttlMs: 1000 }));
      apply(put(session, 20, { key: 'never' }));
      wallMs += 1000;
      apply(put(session, 21, { key: 'anew', ttlMs: 1000 }));
      apply(put(session, 22, { key: 'stays', ttlMs: 0 }));
      const result = apply({ type: 'expire', keys: ['due', 'anew', 'stays', 'never', 'absent'] });
      expect(result).toEqual({ type: 'none' });
      expect([...log.stored.keys()].sort()).toEqual(['d/0/anew', 'd/0/never', 'd/0/stays']);
      expect(log.counters.get('values_expired')).toBe(1);
    });

    it('that comes before the clock is there does nothing', () => {
      const session = openSession();
      apply(put(session, 1, { ttlMs: 1000 }));
      wallMs += 999;
      apply({ type: 'expire', keys: ['k'] });
      expect(versionOf()).toBe(2);
    });
  });

  describe('damage', () => {
    let session: number;

    beforeEach(() => {
      session = openSession();
      apply(put(session, 1));
      log.flush();
      const bytes = Buffer.from(log.stored.get('d/0/k') as Uint8Array);
      bytes[6] = (bytes[6] as number) ^ 1;
      log.stored.set('d/0/k', bytes);
    });

    it('is unknown, not absent', () => {
      expect(log.machine.get('k', log)).toBe('damaged');
      log.unreadable.add('d/0/x');
      expect(log.machine.get('x', log)).toBe('damaged');
      expect(log.machine.damaged).toBe(false);
    });

    it('is what a record is that was made wrong', () => {
      log.stored.set('d/0/k', encodeVersioned({ version: 0, hlc: 1, expiresAt: 0, value }));
      expect(log.machine.get('k', log)).toBe('damaged');
    });

    it.each<[string, () => Command]>([
      ['a condition', () => put(session, 2, { ifVersion: 0 })],
      [
        'a condition of a put-all',
        () => ({
          type: 'put-all',
          session,
          sequence: 2,
          lowestOpen: 0,
          puts: [loggedPut({ key: 'a' }), loggedPut({ ifVersion: 0 })],
        }),
      ],
      ['an expire', () => ({ type: 'expire', keys: ['a', 'k'] })],
    ])('stops everything where %s depends on it, also after a restart', (_what, command) => {
      const damaged = { type: 'damaged', key: 'd/0/k' };
      for (let i = 0; i < 2; i++) {
        expect(apply(command())).toEqual(damaged);
        expect(log.machine.damaged).toBe(true);
        expect(log.machine.appliedIndex).toBe(2);
        expect(apply({ type: 'noop' })).toEqual(damaged);
        expect([...log.stored.keys()].filter((key) => key.startsWith('d/'))).toEqual(['d/0/k']);
        log.restart();
        expect(log.machine.damaged).toBe(false);
      }
    });

    it.each([value, null])('is healed by a put that asks for nothing', (written) => {
      expect(apply(put(session, 2, { value: written }))).toEqual({ type: 'ok', version: 3 });
      expect(versionOf()).toBe(written === null ? undefined : 3);
    });
  });

  describe('is loaded', () => {
    const state = encodeAppliedState({ generation: 4, index: 9, term: 2, clock: 77 });

    it('with the generation that it was stored for, and its sessions', () => {
      openSession();
      log.flush();
      const session = log.stored.get('s/0/1') as Uint8Array;
      const machine = StateMachine.load(state, [
        ['s/3/zz', new Uint8Array(3)],
        [`${sessionPrefix(4)}1`, session],
      ]);
      expect([machine.generation, machine.appliedIndex, machine.appliedTerm, machine.clock]).toEqual([
        4, 9, 2, 77,
      ]);
      expect([machine.damaged, machine.sessions]).toEqual([false, 1]);
      const entry = { index: 10, term: 2, hlc: 78, command: put(1, 1) };
      expect(machine.apply(entry, log, log)).toEqual({ type: 'ok', version: 10 });
      expect(log.stored.has(`${dataPrefix(4)}k`)).toBe(true);
    });

    it('as damaged where something cannot be read', () => {
      openSession();
      log.flush();
      const session = log.stored.get('s/0/1') as Uint8Array;
      const whole = StateMachine.load(state, [['s/4/1', session]]);
      expect(whole.damaged).toBe(false);
      for (const machine of [
        StateMachine.load('damaged', []),
        StateMachine.load(state.subarray(1), []),
        StateMachine.load(state, 'damaged'),
        StateMachine.load(state, [['s/4/1', session.subarray(0, 8)]]),
        StateMachine.load(state, [['s/4/2', session]]),
      ]) {
        expect(machine.damaged).toBe(true);
        expect(machine.apply({ index: 10, term: 1, hlc: 1, command: { type: 'noop' } }, log, log).type).toBe(
          'damaged',
        );
      }
    });

    it('knows damage of every byte of how far it was', () => {
      for (let at = 0; at < state.length; at++) {
        const damaged = Buffer.from(state);
        damaged[at] = (damaged[at] as number) ^ 2;
        expect(StateMachine.load(damaged, []).damaged).toBe(true);
      }
    });
  });
});

/** Any log gives what its history says, the same bytes on every replica, and one effect for each operation. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hlcFromWallMs } from '../../src/core/hlc.js';
import { SESSION_IDLE_MS_MAX } from '../../src/core/limits.js';
import {
  decodeSegment,
  encodeSegment,
  type Command,
  type LogEntry,
  type LoggedPut,
} from '../../src/protocol/log-codec.js';
import { findDue } from '../../src/replication/leader-follower/state-machine.js';
import { AppliedLog } from '../support/applied-log.js';
import { plain } from '../support/plain.js';
import { StateModel } from './state-machine-model.js';

const KEYS = ['a', 'b', 'c/d', 'größe'];
const START = hlcFromWallMs(1_763_706_000_000);

interface DrawnPut {
  readonly key: string;
  readonly value: Uint8Array | null;
  readonly condition: 'none' | 'absent' | 'current' | 'other';
  readonly ttlMs: number;
}

/** A command whose sessions and versions are found when its turn comes. */
interface Step {
  readonly type: Command['type'];
  /** Which of the sessions opened so far, the latest being 0; the next one never was. */
  readonly session: number;
  readonly sequence: number;
  readonly lowestOpen: number;
  readonly puts: readonly DrawnPut[];
  readonly elapsed: number;
  readonly newTerm: boolean;
}

const drawnPut: fc.Arbitrary<DrawnPut> = fc.record({
  key: fc.constantFrom(...KEYS),
  value: fc.oneof(
    { weight: 3, arbitrary: fc.uint8Array({ maxLength: 4 }) },
    { weight: 1, arbitrary: fc.constant(null) },
  ),
  condition: fc.constantFrom('none', 'none', 'absent', 'current', 'current', 'other'),
  ttlMs: fc.constantFrom(0, 0, 1, 1000, SESSION_IDLE_MS_MAX),
});

const step: fc.Arbitrary<Step> = fc.record({
  type: fc.oneof(
    { weight: 12, arbitrary: fc.constant<Command['type']>('put') },
    { weight: 4, arbitrary: fc.constant<Command['type']>('put-all') },
    { weight: 2, arbitrary: fc.constantFrom<Command['type']>('open-session', 'expire') },
    { weight: 1, arbitrary: fc.constantFrom<Command['type']>('noop', 'tick') },
  ),
  session: fc.oneof({ weight: 9, arbitrary: fc.nat(2) }, { weight: 1, arbitrary: fc.nat(9) }),
  sequence: fc.nat(6),
  lowestOpen: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(7) }),
  puts: fc.uniqueArray(drawnPut, { minLength: 1, maxLength: 3, selector: ({ key }) => key }),
  elapsed: fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(0, 1, 1024) },
    { weight: 4, arbitrary: fc.constantFrom(999 * 1024, 1000 * 1024) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(-1, 0, 1, -1024).map((more) => hlcFromWallMs(SESSION_IDLE_MS_MAX) + more),
    },
  ),
  newTerm: fc.nat(9).map((n) => n === 0),
});

const steps = fc
  .array(step, { minLength: 1, maxLength: 60 })
  .map((drawn) => [{ ...(drawn[0] as Step), type: 'open-session' as const }, ...drawn]);

function commandOf(drawn: Step, model: StateModel): Command {
  const sessions = [...model.sessions.keys()].reverse();
  const { sequence, lowestOpen } = drawn;
  const session = sessions[drawn.session] ?? 5000;
  const puts = drawn.puts.map(({ key, value, condition, ttlMs }): LoggedPut => {
    const version = model.live(key)?.version ?? 0;
    const ifVersion = { none: null, absent: 0, current: version, other: version + 1 }[condition];
    return { key, value, ifVersion, ttlMs };
  });
  switch (drawn.type) {
    case 'put':
      return { type: 'put', session, sequence, lowestOpen, put: puts[0] as LoggedPut };
    case 'put-all':
      return { type: 'put-all', session, sequence, lowestOpen, puts };
    case 'expire':
      return { type: 'expire', keys: KEYS };
    default:
      return { type: drawn.type };
  }
}

/** Applies the steps to a replica and to the model, compares them after each, and tells the log. */
function follow(drawn: readonly Step[]): {
  readonly log: LogEntry[];
  readonly replica: AppliedLog;
  readonly model: StateModel;
} {
  const [log, replica, model] = [[] as LogEntry[], new AppliedLog(), new StateModel()];
  let [hlc, term] = [START, 1];
  for (const one of drawn) {
    hlc += one.elapsed;
    if (one.newTerm) term++;
    const entry = { index: log.length + 1, term, hlc, command: commandOf(one, model) };
    log.push(entry);
    expect(replica.apply(entry)).toEqual(model.apply(entry));
    for (const key of KEYS) {
      const record = replica.machine.get(key, replica);
      const shown = record === null || record === 'damaged' ? undefined : record;
      const { version, expiresAt, value } = shown ?? {};
      expect(plain({ version, expiresAt, value })).toEqual(
        plain({ version: undefined, expiresAt: undefined, value: undefined, ...model.live(key) }),
      );
    }
  }
  replica.flush();
  return { log, replica, model };
}

/** Where a replica ends a turn, and what comes over it then. A crash takes it back to the end of some turn before. */
const interruption = fc.record({
  entries: fc.integer({ min: 1, max: 8 }),
  then: fc.constantFrom('nothing', 'nothing', 'restart', 'crash'),
  back: fc.nat(3),
});

type Interruption = typeof interruption extends fc.Arbitrary<infer I> ? I : never;

/** The same log, as its bytes bring it, in other turns and with restarts and crashes between them. */
function replay(log: readonly LogEntry[], interruptions: readonly Interruption[]): AppliedLog {
  let replica = new AppliedLog();
  const ends: (readonly [string, Uint8Array])[][] = [[]];
  const drawn = [...interruptions];
  while (replica.machine.appliedIndex < log.length) {
    const { entries, then, back } = drawn.shift() ?? { entries: log.length, then: 'nothing', back: 0 };
    const from = replica.machine.appliedIndex;
    const turn = decodeSegment(encodeSegment(log.slice(from, from + entries)));
    for (const entry of turn) replica.apply(entry);
    replica.flush();
    ends.push([...replica.stored]);
    if (then === 'restart') replica.restart();
    if (then === 'crash') {
      replica = new AppliedLog();
      for (const [key, bytes] of ends.at(-1 - back) ?? []) replica.stored.set(key, bytes);
      replica.restart();
    }
  }
  return replica;
}

describe('the state machine', () => {
  it('does what the history says, and has one effect for each operation', () => {
    fc.assert(
      fc.property(steps, (drawn) => {
        expect(follow(drawn).model.effectsMax()).toBeLessThanOrEqual(1);
      }),
      { numRuns: 300 },
    );
  });

  it('has the same bytes on every replica, whatever turns, restarts and crashes lay between', () => {
    fc.assert(
      fc.property(steps, fc.array(interruption, { maxLength: 20 }), (drawn, interruptions) => {
        const { log, replica } = follow(drawn);
        expect(replay(log, interruptions).content()).toEqual(replica.content());
      }),
      { numRuns: 300 },
    );
  });

  it('holds nothing that is due once it was expired', () => {
    fc.assert(
      fc.property(steps, (drawn) => {
        const { log, replica, model } = follow(drawn);
        const last = log.at(-1) as LogEntry;
        const page = (): [string, Uint8Array][] => replica.entries().filter(([key]) => key.startsWith('d/'));
        const due = findDue(0, page(), Math.floor(last.hlc / 1024));
        expect(model.due(KEYS)).toEqual(expect.arrayContaining(due));
        replica.apply({ ...last, index: last.index + 1, command: { type: 'expire', keys: due } });
        expect(page().map(([key]) => key.slice('d/0/'.length))).toEqual(
          KEYS.filter((key) => model.live(key) !== undefined),
        );
      }),
      { numRuns: 200 },
    );
  });
});

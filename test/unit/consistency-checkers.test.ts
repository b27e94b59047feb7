/** Sequential and causal consistency and the session guarantees, shown the histories that textbooks tell them apart by. */
import { describe, expect, it } from 'vitest';
import { checkCausal } from '../../chaos/checkers/consistency/causal.js';
import { checkSequential } from '../../chaos/checkers/consistency/sequential.js';
import {
  checkSessionGuarantee,
  SESSION_GUARANTEES,
  type SessionGuarantee,
} from '../../chaos/checkers/consistency/session-guarantees.js';
import type { Operation, Value } from '../../chaos/history/history.js';
import { step } from '../support/told-history.js';

/**
 * `p1 w x 1`, `p2 r x 1`, `p2 r x -` (the initial value), `p1 w? x 1` (outcome unknown), `p1 c x 1 2` (a swap), one after the
 * other in time, as none of these checkers minds.
 */
function history(...lines: readonly string[]): Operation[] {
  return lines.map((line, i) => {
    const [process = '', verb = '', key = '', first = '-', second = '-'] = line.split(' ');
    const value = (text: string): Value => (text === '-' ? null : Number(text));
    const f = { w: 'write', r: 'read', c: 'cas' }[verb.charAt(0)] ?? verb;
    const input = f === 'cas' ? [value(first), value(second)] : f === 'read' ? null : value(first);
    const outcome = verb.endsWith('?') ? 'info' : verb.endsWith('!') ? 'fail' : 'ok';
    return step(f, [2 * i, 2 * i + 1], input, f === 'read' ? value(first) : input, { process, key, outcome })(
      i,
    );
  });
}

interface Story {
  readonly lines: readonly string[];
  readonly sequential: 'valid' | 'invalid';
  readonly causal: 'valid' | 'invalid';
  readonly pattern?: string;
}

const STORIES: Readonly<Record<string, Story>> = {
  'one after the other': {
    lines: ['a w x 1', 'b r x 1', 'b w x 2', 'a r x 2', 'a c x 2 3', 'b r x 3'],
    sequential: 'valid',
    causal: 'valid',
  },
  'stale, but in an order': {
    lines: ['a w x 1', 'a w x 2', 'b r x 1', 'b r x 2', 'c r x -'],
    sequential: 'valid',
    causal: 'valid',
  },
  'two disagree about concurrent writes for good': {
    lines: ['a w x 1', 'b w x 2', 'c r x 1', 'c r x 2', 'd r x 2', 'd r x 1'],
    sequential: 'invalid',
    causal: 'invalid',
    pattern: 'CyclicCF',
  },
  'independent reads of independent writes': {
    lines: ['a w x 1', 'b w y 1', 'c r x 1', 'c r y -', 'd r y 1', 'd r x -'],
    sequential: 'invalid',
    causal: 'valid',
  },
  'both write and miss the other': {
    lines: ['a w x 1', 'a r y -', 'b w y 1', 'b r x -'],
    sequential: 'invalid',
    causal: 'valid',
  },
  'an answer is seen before its question': {
    lines: ['a w x 1', 'b r x 1', 'b w y 2', 'c r y 2', 'c r x -'],
    sequential: 'invalid',
    causal: 'invalid',
    pattern: 'WriteCOInitRead',
  },
  'overwritten in its past': {
    lines: ['a w x 1', 'b r x 1', 'b w x 2', 'b w y 3', 'c r y 3', 'c r x 1'],
    sequential: 'invalid',
    causal: 'invalid',
    pattern: 'WriteCORead',
  },
  'each reads what the other writes next': {
    lines: ['a r x 1', 'a w y 2', 'b r y 2', 'b w x 1'],
    sequential: 'invalid',
    causal: 'invalid',
    pattern: 'CyclicCO',
  },
  'out of thin air': { lines: ['a r x 7'], sequential: 'invalid', causal: 'invalid', pattern: 'ThinAirRead' },
  'of a failed write': {
    lines: ['a w! x 7', 'a r x 7'],
    sequential: 'invalid',
    causal: 'invalid',
    pattern: 'ThinAirRead',
  },
  'an unknown write happens late': {
    lines: ['a w? x 1', 'a r x -', 'b w x 2', 'b r x 2', 'b r x 1'],
    sequential: 'valid',
    causal: 'valid',
  },
  'an unknown write that nobody read': {
    lines: ['a w? x 1', 'b r x -'],
    sequential: 'valid',
    causal: 'valid',
  },
  'an unknown write after what its process did': {
    lines: ['a w y 1', 'a w? x 1', 'b r x 1', 'b r y -'],
    sequential: 'invalid',
    causal: 'invalid',
    pattern: 'WriteCOInitRead',
  },
  'two swaps of one value': {
    lines: ['a w x 1', 'b c x 1 2', 'c c x 1 3'],
    sequential: 'invalid',
    causal: 'valid',
  },
};

describe.each(Object.entries(STORIES))('%s', (_name, story) => {
  it(`is ${story.sequential} sequentially, ${story.causal} causally`, () => {
    const operations = history(...story.lines);
    expect(checkSequential(operations).validity).toBe(story.sequential);
    const causal = checkCausal(operations);
    expect(causal.validity).toBe(story.causal);
    if (story.pattern !== undefined) expect(causal.reason).toContain(`${story.pattern}:`);
    if (causal.validity === 'invalid') expect(causal.witness?.operations.length).toBeGreaterThan(0);
  });
});

describe('witnesses', () => {
  it('tell a cycle step by step', () => {
    const verdict = checkSequential(history('a w x 1', 'a r y -', 'b w y 1', 'b r x -'));
    expect(verdict.reason).toBe('not sequentially consistent, a cycle of 4 steps');
    expect(verdict.witness?.lines).toHaveLength(5);
    expect(verdict.witness?.lines).toContain(
      '[process a: write x = 1] comes before [process a: read y = null]: the same process did them in this order',
    );
    expect(verdict.witness?.lines).toContain(
      '[process a: read y = null] comes before [process b: write y = 1]: the first was shown an older value than the second wrote',
    );
    expect(verdict.witness?.operations).toHaveLength(4);
  });
});

describe('what cannot be decided is unknown', () => {
  it.each([
    ['a value written twice', history('a w x 1', 'b w x 1')],
    ['the initial value written', history('a w x -')],
    ['a delete', history('a delete x')],
  ])('%s', (_name, operations) => {
    expect(checkSequential(operations).validity).toBe('unknown');
    expect(checkCausal(operations).validity).toBe('unknown');
    expect(checkSessionGuarantee(operations, 'monotonic-reads').validity).toBe('unknown');
  });

  it('more memory or more steps than allowed', () => {
    const operations = history('a w x 1', 'b w x 2', 'c r x 1', 'd r x 2');
    const tight = { stepsMax: 1, bytesMax: 1_000 };
    expect(checkSequential(operations, { budget: tight }).validity).toBe('unknown');
    expect(checkSessionGuarantee(operations, 'monotonic-reads', { budget: tight }).validity).toBe('unknown');
    expect(checkCausal(operations, { budget: { stepsMax: 1, bytesMax: 1 } }).validity).toBe('unknown');
  });

  it('the initial value may be another', () => {
    expect(checkCausal(history('a r x 0'), { initial: 0 }).validity).toBe('valid');
    expect(checkSequential(history('a r x 0')).validity).toBe('invalid');
  });
});

describe('session guarantees, each on its own', () => {
  const broken = (...lines: readonly string[]): SessionGuarantee[] =>
    SESSION_GUARANTEES.filter((g) => checkSessionGuarantee(history(...lines), g).validity === 'invalid');

  it.each<[string, string[], SessionGuarantee[]]>([
    ['all are kept', ['a w x 1', 'a r x 1', 'b r x -', 'b r x 1', 'b w y 2', 'a r y 2'], []],
    ['the own write is not read', ['a w x 1', 'a r x -'], ['read-your-writes']],
    ['an older own write is read', ['a w x 1', 'a w x 2', 'a r x 1'], ['read-your-writes']],
    ['reads go back', ['a w x 1', 'a w x 2', 'b r x 2', 'b r x 1'], ['monotonic-reads']],
    [
      'reads go back from a write that timed out',
      ['a w x 1', 'a w? x 2', 'b r x 2', 'b r x 1'],
      ['monotonic-reads'],
    ],
    ['reads go back to nothing', ['a w x 1', 'b r x 1', 'b r x -'], ['monotonic-reads']],
    ['the first of two writes is missed', ['a w x 1', 'a w y 2', 'b r y 2', 'b r x -'], ['monotonic-writes']],
    [
      'what a write followed is missed',
      ['a w x 1', 'b r x 1', 'b w y 2', 'c r y 2', 'c r x -'],
      ['writes-follow-reads'],
    ],
  ])('%s', (_name, lines, expected) => {
    expect(broken(...lines)).toEqual(expected);
  });

  it.each<[string, string[]]>([
    ['what nobody wrote', ['a w x 1', 'b r x 7']],
    ['what was written to another key', ['a w y 7', 'b r x 7']],
  ])('a read shows %s: none is kept, and the read is named', (_name, lines) => {
    expect(broken(...lines)).toEqual(SESSION_GUARANTEES);
    const operations = history(...lines);
    const verdict = checkSessionGuarantee(operations, 'monotonic-writes');
    expect(verdict.reason).toBe('ThinAirRead: a read shows what no write that may have happened wrote');
    expect(verdict.witness?.operations).toEqual([operations[1]]);
    expect(verdict.witness?.lines).toEqual(['process b read key x and was shown 7']);
  });

  it('a read shows what a failed write wrote: none is kept', () => {
    const operations = [
      step('write', [0, 1], 7, 7, { process: 1, key: 'x', outcome: 'fail' })(0),
      step('read', [2, 3], null, 7, { process: 2, key: 'x' })(1),
    ];
    for (const guarantee of SESSION_GUARANTEES)
      expect(checkSessionGuarantee(operations, guarantee).validity).toBe('invalid');
  });

  it('a read of the initial value that was given is no read of what nobody wrote', () => {
    for (const guarantee of SESSION_GUARANTEES)
      expect(checkSessionGuarantee(history('a r x 0'), guarantee, { initial: 0 }).validity).toBe('valid');
  });

  it('lists of siblings are judged by what writes had seen', () => {
    const operations = [
      step('write', [0, 1], 'a', 'a', { process: 1 })(0),
      step('read', [2, 3], null, [], { process: 1 })(1),
    ];
    expect(checkSessionGuarantee(operations, 'read-your-writes').validity).toBe('invalid');
    expect(checkSessionGuarantee(operations, 'monotonic-writes').validity).toBe('unknown');
  });
});

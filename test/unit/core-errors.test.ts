import { describe, expect, it } from 'vitest';
import { asTrefoilError, ERRORS, TrefoilError, type ErrorCode } from '../../src/core/errors.js';
import { invariant, InvariantViolation, unreachable } from '../../src/core/invariant.js';

const codes = Object.keys(ERRORS) as ErrorCode[];

describe('the registry of errors', () => {
  it.each(codes)('%s is a name, says how it ends, and helps with a sentence', (code) => {
    const { outcome, retryable, help } = ERRORS[code];
    expect(code).toMatch(/^[A-Z][A-Za-z]+$/);
    expect(['failed', 'unknown']).toContain(outcome);
    expect(typeof retryable).toBe('boolean');
    expect(help).toMatch(/^[A-Z].*\.$/);
    expect(help).not.toContain('\n');
  });

  it('calls a timeout unknown, and only what certainly had no effect failed', () => {
    for (const code of ['Timeout', 'QuorumNotReached', 'ConnectionLost', 'Internal'] as const) {
      expect(ERRORS[code].outcome, code).toBe('unknown');
    }
    for (const code of ['DeadlineExceeded', 'Overloaded', 'QuorumUnavailable', 'StorageFull'] as const) {
      expect(ERRORS[code].outcome, code).toBe('failed');
      expect(ERRORS[code].retryable, code).toBe(true);
    }
  });
});

describe('TrefoilError', () => {
  it('carries what the registry says of its code', () => {
    const error = new TrefoilError('Overloaded', 'too much at once', { retryAfterMs: 20 });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({
      name: 'TrefoilError',
      code: 'Overloaded',
      outcome: 'failed',
      retryable: true,
      retryAfterMs: 20,
      help: ERRORS.Overloaded.help,
      message: 'too much at once',
    });
    expect('cause' in error).toBe(false);
  });

  it('may be less certain than its code', () => {
    expect(new TrefoilError('ShuttingDown', 'on the way', { outcome: 'unknown' }).outcome).toBe('unknown');
  });

  it('wraps whatever else is thrown, and keeps it as the cause', () => {
    const own = new TrefoilError('Timeout', 'late');
    expect(asTrefoilError(own)).toBe(own);
    const cause = new RangeError('off by one');
    expect(asTrefoilError(cause)).toMatchObject({ code: 'Internal', message: 'off by one', cause });
    expect(asTrefoilError('a text')).toMatchObject({ code: 'Internal', message: 'a text' });
    expect(asTrefoilError(undefined).code).toBe('Internal');
  });
});

describe('invariant', () => {
  it('throws what should have been true, which is no TrefoilError', () => {
    expect(() => invariant(true, 'holds')).not.toThrow();
    expect(() => invariant(false, 'a counter never goes back')).toThrow(InvariantViolation);
    expect(() => invariant(false, 'a counter never goes back')).toThrow('a counter never goes back');
    expect(() => unreachable('odd' as never)).toThrow('unexpected "odd"');
  });
});

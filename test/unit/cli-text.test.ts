/** What the program prints, as pure functions: tables, figures, durations, values, failures. */
import { describe, expect, it } from 'vitest';
import { formatDuration, parseDurationMs } from '../../src/cli/duration.js';
import { exitCodeOf } from '../../src/cli/exit-codes.js';
import { explanationLines } from '../../src/cli/explanation-text.js';
import { describeFailure, parseFailure } from '../../src/cli/failure.js';
import { shellWord } from '../../src/cli/get-command.js';
import { scanLine } from '../../src/cli/scan-command.js';
import { formatBytes, formatCount, tableLines } from '../../src/cli/table.js';
import { jsonValue, valueLine } from '../../src/cli/value-text.js';
import { ERRORS, TrefoilError, type ErrorCode } from '../../src/core/errors.js';
import { nodeId } from '../../src/core/ids.js';

describe('tables and figures', () => {
  it('pads every column to its widest cell and figures to the right', () => {
    const lines = tableLines(
      [{ title: 'NODE' }, { title: 'KEYS', align: 'right' }],
      [
        ['n1', '7'],
        ['node-two', '12,345'],
      ],
    );
    expect(lines).toEqual(['NODE        KEYS', 'n1             7', 'node-two  12,345']);
  });

  it('parts thousands', () => {
    expect([0, 999, 1000, 1234567].map(formatCount)).toEqual(['0', '999', '1,000', '1,234,567']);
  });

  it('scales bytes', () => {
    expect([512, 1536, 100 * 1024 * 1024, 3 * 1024 ** 3].map(formatBytes)).toEqual([
      '512 B',
      '1.5 KiB',
      '100.0 MiB',
      '3.0 GiB',
    ]);
  });
});

describe('durations', () => {
  it.each([
    ['500ms', 500],
    ['1.5s', 1500],
    ['2m', 120_000],
    ['1h', 3_600_000],
    ['7d', 604_800_000],
  ])('reads %s', (text, ms) => {
    expect(parseDurationMs(text, '--ttl')).toBe(ms);
  });

  it.each(['', '0', '250', '1.5', '0s', '-5s', '5 weeks', 's', '1e3', '99999999999999999999d'])(
    'refuses "%s"',
    (text) => {
      expect(() => parseDurationMs(text, '--ttl')).toThrow(/--ttl must be a duration with its unit/);
    },
  );

  it('writes the unit that fits', () => {
    expect([12, 1500, 120_000, 7_200_000].map(formatDuration)).toEqual(['12 ms', '1.5 s', '2 min', '2.0 h']);
  });
});

describe('values', () => {
  it('prints text as it is, unless it would break the line', () => {
    expect(valueLine('plain text')).toBe('plain text');
    expect(valueLine('two\nlines')).toBe('"two\\nlines"');
    expect(valueLine('\u001b[31mred')).toBe('"\\u001b[31mred"');
  });

  it('prints bytes by their number and everything else as JSON', () => {
    expect(valueLine(new Uint8Array(3))).toBe('<3 bytes>');
    expect(valueLine({ a: [1, null, new Uint8Array([255])] })).toBe('{"a":[1,null,{"$base64":"/w=="}]}');
    expect(valueLine(7)).toBe('7');
  });

  it('says in JSON what JSON has no word for', () => {
    expect(jsonValue(new Date(0))).toBe('1970-01-01T00:00:00.000Z');
    expect(jsonValue(new Float32Array([1, 0.5]))).toEqual([1, 0.5]);
    expect(jsonValue(new Set([1n]))).toEqual(['1']);
    expect(jsonValue(new Map([['k', new Uint8Array([1])]]))).toEqual({ k: { $base64: 'AQ==' } });
  });

  it('prints one entry of a scan on one line, siblings with their index', () => {
    const entry = { key: 'k', value: 'a', context: undefined };
    expect(scanLine({ ...entry, siblings: ['a'] })).toBe('k\ta');
    expect(scanLine({ ...entry, siblings: ['a', 2] })).toBe('k\t[0] a | [1] 2');
  });

  it('quotes keys for a shell where they need it', () => {
    expect(shellWord('photos/p-1.jpg')).toBe('photos/p-1.jpg');
    expect(shellWord("it's {me}")).toBe("'it'\\''s {me}'");
  });
});

describe('failures', () => {
  it('are two lines, the second with what helps', () => {
    const error = new TrefoilError('PortInUse', '127.0.0.1:7101 is taken');
    expect(describeFailure(error)).toBe(
      `error: PortInUse: 127.0.0.1:7101 is taken\n  next: ${ERRORS.PortInUse.help}`,
    );
  });

  it('keep every problem of a config', () => {
    const text = describeFailure(new TrefoilError('ConfigInvalid', 'a.yaml:3: one\na.yaml:9: two'));
    expect(text.split('\n').slice(0, 2)).toEqual(['error: ConfigInvalid: a.yaml:3: one', '  a.yaml:9: two']);
  });

  it('are read back from the log of another process, the last one counting', () => {
    const log = '{"level":30}\nerror: StorageFailed: first\n  next: x\nerror: PortInUse: taken\n  next: y\n';
    const error = parseFailure(log);
    expect([error?.code, error?.message]).toEqual(['PortInUse', 'taken']);
    expect(parseFailure('error: NotACode: x')).toBeUndefined();
    expect(parseFailure('no failure here')).toBeUndefined();
  });

  it('tell their outcome by the exit code', () => {
    const code = (name: ErrorCode, outcome?: 'failed' | 'unknown'): number =>
      exitCodeOf(new TrefoilError(name, '', outcome === undefined ? {} : { outcome }));
    expect(code('QuorumUnavailable')).toBe(1);
    expect(code('ConfigInvalid')).toBe(2);
    // Configs that are sound by themselves and cannot be used with what is stored.
    expect(code('ConfigIncompatible')).toBe(2);
    expect(code('MapConflict')).toBe(2);
    expect(code('UnknownNamespace')).toBe(2);
    expect(code('QuorumNotReached')).toBe(4);
    expect(code('Timeout', 'failed')).toBe(1);
  });
});

describe('explanations', () => {
  it('name the coordinator, every replica and the guarantee', () => {
    const lines = explanationLines({
      coordinator: nodeId('n1'),
      strategy: 'leaderless',
      required: 'R=2 of N=3',
      replicas: [
        { node: nodeId('n1'), answer: 'current' },
        { node: nodeId('node-2'), answer: 'stale' },
      ],
      repaired: [nodeId('node-2')],
      guarantee: 'sees every acknowledged write',
    });
    expect(lines).toEqual([
      'coordinator  n1 (leaderless, R=2 of N=3)',
      '  n1      current',
      '  node-2  stale',
      'repaired     node-2',
      'guarantee    sees every acknowledged write',
    ]);
  });

  it('give the version that a condition may name, of a key that is led', () => {
    const explain = {
      coordinator: nodeId('n1'),
      strategy: 'leader-follower',
      required: 'lease',
      replicas: [{ node: nodeId('n1'), answer: 'leads' }],
      repaired: [],
      guarantee: 'linearizable',
    } as const;
    const after = (version: number): string[] => explanationLines(explain, version).slice(2);
    expect(after(12)).toEqual(['version      12', 'guarantee    linearizable']);
    expect(after(0)).toEqual(['version      0, absent', 'guarantee    linearizable']);
  });
});

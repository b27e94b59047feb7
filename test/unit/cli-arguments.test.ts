/** What the program makes of its arguments. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { callOptions, contextText, parseContext, parseLevel } from '../../src/cli/data-options.js';
import { markPlainWords, unmarkPlainWords } from '../../src/cli/plain-words.js';
import { readInput } from '../../src/cli/read-input.js';
import { batchOperations } from '../../src/cli/batch-command.js';
import { applyChange, mergePatch } from '../../src/cli/update-change.js';
import { changeOf } from '../../src/cli/update-command.js';
import { VALUE_BYTES_MAX } from '../../src/core/limits.js';

describe('levels', () => {
  it('are words or numbers', () => {
    expect(['one', 'quorum', 'all', '2', undefined].map((text) => parseLevel(text, '--read'))).toEqual([
      'one',
      'quorum',
      'all',
      2,
      undefined,
    ]);
  });

  it.each(['', '0', '-1', '1.5', 'most', 'QUORUM'])('refuses "%s"', (text) => {
    expect(() => parseLevel(text, '--read')).toThrow(/--read must be/);
  });
});

describe('contexts', () => {
  it('survive as text', () => {
    const context = { key: 'k', token: new Uint8Array([0, 250, 251, 252]) };
    expect(parseContext('k', contextText(context) ?? '')).toEqual(context);
    expect(contextText(undefined)).toBeNull();
  });

  it('are refused where they cannot be one', () => {
    expect(() => parseContext('k', 'not base64url!')).toThrow(/base64url/);
  });

  it('reach the call beside what else was given, and nothing that was not', () => {
    expect(callOptions('k', { read: 'all', explain: true, ttl: 5 })).toEqual({
      read: 'all',
      explain: true,
      ttlMs: 5,
    });
    expect(callOptions('k', { explain: false, read: undefined })).toEqual({});
    expect(callOptions('k', { read: 'follower', maxStaleness: 500 })).toEqual({
      read: 'follower',
      maxStalenessMs: 500,
    });
    expect(callOptions('k', { ack: 'all', ifVersion: 0, ifAbsent: false })).toEqual({
      ack: 'all',
      ifVersion: 0,
    });
    expect(callOptions('k', { ifAbsent: true })).toEqual({ ifAbsent: true });
  });
});

describe('a batch', () => {
  it('is one JSON object a line', () => {
    const text =
      '{"put":"{a}/1","value":{"n":1},"ttlMs":5,"ifAbsent":true}\n\n{"put":"{a}/2","value":null}\n{"delete":"{a}/3","ifVersion":7}\n';
    expect(batchOperations(text)).toEqual([
      { type: 'put', key: '{a}/1', value: { n: 1 }, ttlMs: 5, ifAbsent: true },
      { type: 'put', key: '{a}/2', value: null },
      { type: 'delete', key: '{a}/3', ifVersion: 7 },
    ]);
  });

  it.each([
    ['', 'holds no operation'],
    ['\n \n', 'holds no operation'],
    ['nothing', 'line 1 is not JSON'],
    ['{"delete":"a"}\n[]', 'line 2 must be'],
    ['null', 'line 1 must be'],
    ['{"put":"a"}', 'line 1 must be'],
    ['{"put":7,"value":1}', 'line 1 must be'],
    ['{"delete":"a","value":1}', 'line 1 must be'],
    ['{"put":"a","value":1,"ttl":5}', 'line 1 has "ttl"; known are put, value, ttlMs, ifVersion, ifAbsent'],
    ['{"put":"a","value":1,"ttlMs":"5s"}', 'line 1 has a ttlMs that is no number: "5s"'],
    ['{"delete":"a","ifVersion":"7"}', 'line 1 has an ifVersion that is no number: "7"'],
    ['{"delete":"a","ifAbsent":1}', 'line 1 has an ifAbsent that is neither true nor false: 1'],
  ])('refuses %j', (text, why) => {
    expect(() => batchOperations(text)).toThrow(why);
  });
});

describe('the value of a put', () => {
  const folder = mkdtempSync(join(tmpdir(), 'trefoil-input-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const input = { value: undefined, file: undefined, valueJson: false };

  it('is text as it stands, also where it looks like a number', async () => {
    expect(await readInput({ ...input, value: '007' })).toBe('007');
  });

  it('is JSON where that is said', async () => {
    expect(await readInput({ ...input, value: '{"a":[1]}', valueJson: true })).toEqual({ a: [1] });
    await expect(readInput({ ...input, value: '{a', valueJson: true })).rejects.toThrow(/VALUE is not JSON/);
  });

  it('is the bytes of a file', async () => {
    const file = join(folder, 'value.bin');
    writeFileSync(file, new Uint8Array([0, 255, 10]));
    expect(await readInput({ ...input, file })).toEqual(new Uint8Array([0, 255, 10]));
  });

  it('is refused above the limit, when missing, and when given twice', async () => {
    const file = join(folder, 'large.bin');
    writeFileSync(file, new Uint8Array(VALUE_BYTES_MAX + 1));
    await expect(readInput({ ...input, file })).rejects.toMatchObject({ code: 'ValueTooLarge' });
    await expect(readInput(input)).rejects.toMatchObject({ code: 'BadRequest' });
    await expect(readInput({ ...input, value: 'a', file })).rejects.toMatchObject({ code: 'BadRequest' });
    await expect(readInput({ ...input, file: join(folder, 'none') })).rejects.toThrow(/cannot read/);
  });
});

describe('updates', () => {
  it('are exactly one change', () => {
    const none = { append: undefined, increment: undefined, merge: undefined, resolve: undefined };
    expect(changeOf({ ...none, increment: '-2.5' })).toEqual({ type: 'increment', by: -2.5 });
    expect(changeOf({ ...none, resolve: '1' })).toEqual({ type: 'resolve', index: 1 });
    expect(() => changeOf(none)).toThrow(/give one of/);
    expect(() => changeOf({ ...none, append: 'a', increment: '1' })).toThrow(/give one of/);
    expect(() => changeOf({ ...none, increment: 'x' })).toThrow(/must be a number/);
    expect(() => changeOf({ ...none, resolve: '-1' })).toThrow(/must be an index/);
    expect(() => changeOf({ ...none, merge: '{' })).toThrow(/--merge is not JSON/);
  });

  it('append and add, from nothing too', () => {
    expect(applyChange({ type: 'append', text: 'b' }, 'a', ['a'])).toBe('ab');
    expect(applyChange({ type: 'append', text: 'b' }, undefined, [])).toBe('b');
    expect(applyChange({ type: 'increment', by: 2 }, 40, [40])).toBe(42);
    expect(applyChange({ type: 'increment', by: 2 }, undefined, [])).toBe(2);
  });

  // Nobody has come between, so the code is not that of a lost race.
  it.each([
    ['x', 'a text'],
    [{ n: 1 }, 'an object'],
    [[1], 'an array'],
    [true, 'a boolean'],
    [null, 'null'],
    [new Uint8Array(2), 'bytes'],
  ])('of another type than %j are refused as wrong arguments', (value, kind) => {
    const refusal = thrownBy(() => applyChange({ type: 'increment', by: 2 }, value, [value]));
    expect(refusal).toMatchObject({
      code: 'BadRequest',
      message: `--increment needs a number, the key holds ${kind}`,
    });
    expect(thrownBy(() => applyChange({ type: 'append', text: 'b' }, 1, [1]))).toMatchObject({
      code: 'BadRequest',
      message: '--append needs a text, the key holds a number',
    });
  });

  it('never drop siblings unasked', () => {
    expect(() => applyChange({ type: 'append', text: 'x' }, 'a', ['a', 'b'])).toThrow(/2 siblings/);
    expect(applyChange({ type: 'resolve', index: 1 }, 'a', ['a', 'b'])).toBe('b');
    expect(() => applyChange({ type: 'resolve', index: 2 }, 'a', ['a', 'b'])).toThrow(/no sibling 2/);
    expect(() => applyChange({ type: 'resolve', index: 0 }, undefined, [])).toThrow(/absent/);
  });

  // The examples of RFC 7396, appendix A.
  it.each([
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ a: 'b' }, ['c'], ['c']],
    [{ a: 'foo' }, null, null],
    [{ a: 'foo' }, 'bar', 'bar'],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ])('merge %j with %j', (target, patch, expected) => {
    expect(mergePatch(target, patch)).toEqual(expected);
  });
});

function thrownBy(change: () => unknown): unknown {
  try {
    return change();
  } catch (error) {
    return error;
  }
}

describe('plain words', () => {
  it('that begin with a dash come through unchanged, without the --', () => {
    const words = ['put', '-', '--json', '--', '-k', '--', 'v'];
    const marked = markPlainWords(words);
    expect(marked.filter((word) => word.startsWith('-'))).toEqual(['--json']);
    const parsed = { _: marked, value: marked[1], json: true };
    unmarkPlainWords(parsed);
    expect(parsed).toEqual({ _: ['put', '-', '--json', '-k', '--', 'v'], value: '-', json: true });
  });
});

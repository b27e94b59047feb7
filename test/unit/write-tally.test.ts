/** The tally of a write: W disks, each counted once; L21, no stand-in in a strict namespace. */
import { describe, expect, it } from 'vitest';
import { nodeId } from '../../src/core/ids.js';
import { WriteTally } from '../../src/replication/leaderless/write-tally.js';

const [a, b, c, s, t] = [nodeId('a'), nodeId('b'), nodeId('c'), nodeId('s'), nodeId('t')];

function tally(required: number, sloppy: boolean, asked: readonly string[]): WriteTally {
  return new WriteTally({ required, homes: [a, b, c], sloppy }, (home) => asked.includes(home));
}

describe('a tally', () => {
  it('is stored at W, and impossible when too few are left', () => {
    const write = tally(2, false, ['a', 'b']);
    expect(write.verdict()).toBe('waiting');
    write.answer(a, 'stored');
    write.answer(a, 'stored');
    expect(write.stored).toBe(1);
    expect(write.verdict()).toBe('waiting');
    write.answer(b, 'hinted');
    expect(write.verdict()).toBe('impossible');
    expect(write.missed).toEqual([b, c]);
  });

  it('keeps the first answer of a node', () => {
    const write = tally(2, false, ['a', 'b']);
    write.answer(b, 'hinted');
    write.answer(b, 'stored');
    write.answer(c, 'stored');
    expect(write.stored).toBe(0);
  });

  it('never lets a stand-in into a strict namespace', () => {
    const write = tally(2, false, ['a']);
    expect(() => write.addStandIn(s)).toThrow('sloppy namespaces only');
    write.answer(s, 'held');
    expect(write.stored).toBe(0);
    expect(write.verdict()).toBe('impossible');
  });

  it('counts a stand-in in a sloppy one, once, and asks for no more than it lacks', () => {
    const write = tally(2, true, ['a']);
    expect(write.shortfall).toBe(1);
    write.addStandIn(s);
    expect(write.shortfall).toBe(0);
    expect(() => write.addStandIn(s)).toThrow('counts once');
    expect(() => write.addStandIn(b)).toThrow('counts once');
    expect(write.verdict()).toBe('waiting');
    write.answer(s, 'unreachable');
    expect(write.verdict()).toBe('impossible');
    write.addStandIn(t);
    write.answer(a, 'stored');
    write.answer(t, 'held');
    expect(write.verdict()).toBe('stored');
    expect(write.answers).toEqual([
      [a, 'stored'],
      [b, 'hinted'],
      [c, 'hinted'],
      [s, 'unreachable'],
      [t, 'held'],
    ]);
  });
});

/** What the answers of one read add up to. */
import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { incarnationId, nodeId, sessionId } from '../../src/core/ids.js';
import { mergeRecords, type KeyRecord } from '../../src/core/record.js';
import { checkRecord, decodeRecord, encodeRecord } from '../../src/protocol/record-codec.js';
import { ReadAnswers } from '../../src/replication/leaderless/read-answers.js';

const [A, B, C] = ['a', 'b', 'c'].map((name) => nodeId(name)) as [
  ReturnType<typeof nodeId>,
  ReturnType<typeof nodeId>,
  ReturnType<typeof nodeId>,
];

/** One value, written by the given incarnation as its first. */
function record(incarnation: string): KeyRecord {
  const dot = { incarnation: incarnationId(incarnation), counter: 1 };
  const operation = { session: sessionId('s'), sequence: 1 };
  return {
    context: [[dot.incarnation, 1]],
    siblings: [{ dot, value: Buffer.from(incarnation), hlc: 1, expiresAt: 0, operation }],
    recentOperations: [],
  };
}

/** Bytes that pass the checksum and are no record. */
function undecodable(): Uint8Array {
  const bytes = Uint8Array.from(encodeRecord(record('x')).subarray(0, -1));
  new DataView(bytes.buffer).setUint32(0, crc32(bytes.subarray(4)));
  return bytes;
}

describe('answers', () => {
  it('that are equal are not merged, and nobody is stale', () => {
    const answers = new ReadAnswers();
    const first = encodeRecord(record('x'));
    answers.add(A, first);
    answers.add(B, Uint8Array.from(first));
    const merged = answers.merge();
    expect(merged.bytes).toBe(first);
    expect(answers.stale(merged)).toEqual([]);
    expect(answers.count).toBe(2);
  });

  it('of which one has seen all others: it is the merge, the others are stale', () => {
    const answers = new ReadAnswers();
    const both = encodeRecord(mergeRecords(record('x'), record('y')));
    answers.add(A, encodeRecord(record('x')));
    answers.add(B, both);
    answers.add(C, null);
    const merged = answers.merge();
    expect(merged.bytes).toBe(both);
    expect(answers.stale(merged)).toEqual([A, C]);
  });

  it('that stand beside each other are merged, and every replica lacks something', () => {
    const answers = new ReadAnswers();
    answers.add(A, encodeRecord(record('x')));
    answers.add(B, encodeRecord(record('y')));
    const merged = answers.merge();
    expect(decodeRecord(merged.bytes as Uint8Array)).toEqual(mergeRecords(record('x'), record('y')));
    expect(answers.stale(merged)).toEqual([A, B]);
    answers.brought(A, merged.record, merged.bytes as Uint8Array);
    expect(answers.stale(answers.merge())).toEqual([B]);
  });

  it('that pass their checksum and cannot be decoded are damaged', () => {
    const bytes = undecodable();
    expect(checkRecord(bytes)).toBe(true);
    const answers = new ReadAnswers();
    expect(answers.add(A, bytes)).toBe(false);
    expect(answers.add(B, null)).toBe(true);
    expect(answers.count).toBe(1);
    expect(answers.merge().bytes).toBeNull();
    expect(answers.explain([A], answers.merge())).toEqual([{ node: A, answer: 'corrupt' }]);
  });
});

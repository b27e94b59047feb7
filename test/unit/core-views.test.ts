import { describe, expect, it } from 'vitest';
import { hlcFromWallMs } from '../../src/core/hlc.js';
import { incarnationId, sessionId } from '../../src/core/ids.js';
import {
  applyWrite,
  contextBound,
  dotsOfOperation,
  EMPTY_CONTEXT,
  EMPTY_RECORD,
  expireSiblings,
  forgetsOperations,
  mergeRecords,
  siblingsBeside,
  type KeyRecord,
  type Sibling,
} from '../../src/core/record.js';
import { supersededDots, viewRecord } from '../../src/core/views.js';

const NOW_MS = 1_000;
const names = (list: readonly Sibling[]): string[] => list.map((s) => `${s.dot.incarnation}${s.dot.counter}`);

interface Written {
  readonly hlc?: number;
  readonly operation?: number;
  readonly expiresAt?: number;
  readonly removes?: boolean;
}

/** `a3` is counter 3 of incarnation a. Each write is an operation of its own unless it says otherwise. */
function write(name: string, written: Written = {}): Sibling {
  const counter = Number(name.slice(1));
  return {
    dot: { incarnation: incarnationId(name.slice(0, 1)), counter },
    hlc: written.hlc ?? counter,
    operation: {
      session: sessionId(written.operation === undefined ? name : 's'),
      sequence: written.operation ?? 0,
    },
    expiresAt: written.expiresAt ?? 0,
    value: written.removes === true ? null : Buffer.from(name),
  };
}

/** Writes that know nothing of each other. */
function concurrent(...writes: readonly Sibling[]): KeyRecord {
  return writes.reduce((record, w) => applyWrite(record, EMPTY_CONTEXT, w), EMPTY_RECORD);
}

/** A write by somebody who had read the whole of `record`. */
function over(record: KeyRecord, written: Sibling): KeyRecord {
  return applyWrite(record, { ...EMPTY_CONTEXT, vector: record.context }, written);
}

describe('policy siblings', () => {
  it('shows every live value, sorted by dot, and nothing is lost', () => {
    const view = viewRecord(concurrent(write('b1'), write('a1'), write('c1')), 'siblings', NOW_MS);
    expect(names(view.values)).toEqual(['a1', 'b1', 'c1']);
    expect(view.lost).toEqual([]);
  });

  it('leaves out tombstones and what is due, and shows what is not', () => {
    const record = concurrent(
      write('a1', { removes: true }),
      write('b1', { expiresAt: NOW_MS }),
      write('c1', { expiresAt: NOW_MS + 1 }),
    );
    expect(names(viewRecord(record, 'siblings', NOW_MS).values)).toEqual(['c1']);
    expect(names(viewRecord(record, 'siblings', NOW_MS - 1).values)).toEqual(['b1', 'c1']);
  });

  it('shows nothing of a key never written', () => {
    expect(viewRecord(EMPTY_RECORD, 'siblings', NOW_MS)).toEqual({ values: [], lost: [] });
    expect(viewRecord(EMPTY_RECORD, 'lww', NOW_MS)).toEqual({ values: [], lost: [] });
  });
});

describe('policy lww', () => {
  it('shows the highest time, and names what lost', () => {
    const record = concurrent(write('a1', { hlc: 5 }), write('b1', { hlc: 9 }), write('c1', { hlc: 7 }));
    const view = viewRecord(record, 'lww', NOW_MS);
    expect(names(view.values)).toEqual(['b1']);
    expect(names(view.lost)).toEqual(['a1', 'c1']);
  });

  it('breaks ties by the higher dot', () => {
    const record = concurrent(write('a2', { hlc: 5 }), write('b1', { hlc: 5 }), write('b2', { hlc: 5 }));
    expect(names(viewRecord(record, 'lww', NOW_MS).values)).toEqual(['b2']);
  });

  it('a deletion that wins deletes, one that loses is listed as lost', () => {
    const won = concurrent(write('a1', { hlc: 5 }), write('b1', { hlc: 9, removes: true }));
    expect(viewRecord(won, 'lww', NOW_MS).values).toEqual([]);
    expect(names(viewRecord(won, 'lww', NOW_MS).lost)).toEqual(['a1']);
    const lost = concurrent(write('a1', { hlc: 9 }), write('b1', { hlc: 5, removes: true }));
    expect(names(viewRecord(lost, 'lww', NOW_MS).values)).toEqual(['a1']);
    expect(names(viewRecord(lost, 'lww', NOW_MS).lost)).toEqual(['b1']);
  });

  it('a winner that has expired does not bring back an older value', () => {
    const record = concurrent(write('a1', { hlc: 5 }), write('b1', { hlc: 9, expiresAt: NOW_MS }));
    expect(viewRecord(record, 'lww', NOW_MS).values).toEqual([]);
    expect(viewRecord(expireSiblings(record, NOW_MS), 'lww', NOW_MS).values).toEqual([]);
  });
});

describe('an operation that was applied twice', () => {
  const first = concurrent(write('a1', { operation: 1 }));
  const retried = concurrent(write('b1', { operation: 1, hlc: 2 }));

  it('shows once, under its lowest dot', () => {
    const view = viewRecord(mergeRecords(first, retried), 'siblings', NOW_MS);
    expect(names(view.values)).toEqual(['a1']);
    expect(viewRecord(mergeRecords(first, retried), 'lww', NOW_MS).lost).toEqual([]);
  });

  it('is hidden once its lowest dot has been read and overwritten', () => {
    const record = mergeRecords(over(first, write('a2')), retried);
    expect(names(record.siblings)).toEqual(['a2', 'b1']);
    expect(names(viewRecord(record, 'siblings', NOW_MS).values)).toEqual(['a2']);
  });

  // Found by test/property/record-merge.test.ts: going by the lowest dot alone showed a1 beside its own successor.
  it('is hidden once its higher dot has been read and overwritten', () => {
    const record = mergeRecords(first, over(retried, write('b2')));
    expect(names(record.siblings)).toEqual(['a1', 'b2']);
    expect(names(viewRecord(record, 'siblings', NOW_MS).values)).toEqual(['b2']);
  });

  it('does not come back through lww, though a fast clock stamped its first attempt', () => {
    const fast = concurrent(write('a1', { operation: 1, hlc: 900 }));
    const record = mergeRecords(fast, over(retried, write('b2', { hlc: 3 })));
    expect(names(viewRecord(record, 'lww', NOW_MS).values)).toEqual(['b2']);
  });

  // Seed 110442 of leaderless-last-writer-wins: the key showed nothing, though both writes had been acknowledged and nobody had deleted.
  it('shows under lww where two superseded each other, each at one coordinator', () => {
    const here = over(
      concurrent(write('a1', { operation: 1, hlc: 1 })),
      write('a2', { operation: 2, hlc: 2 }),
    );
    const there = over(
      concurrent(write('b1', { operation: 2, hlc: 11 })),
      write('b2', { operation: 1, hlc: 12 }),
    );
    const both = mergeRecords(here, there);
    expect(names(both.siblings)).toEqual(['a2', 'b2']);
    // The operation that began last: it cannot have been seen by the other.
    expect(names(viewRecord(both, 'lww', NOW_MS).values)).toEqual(['a2']);
    expect(names(viewRecord(both, 'lww', NOW_MS).lost)).toEqual([]);
    // What is older than all of them does not win for it; what is later does.
    const older = mergeRecords(both, concurrent(write('c1', { hlc: 0 })));
    expect(names(viewRecord(older, 'lww', NOW_MS).values)).toEqual(['a2']);
    const later = over(both, write('c1', { hlc: 13, removes: true }));
    expect(viewRecord(later, 'lww', NOW_MS).values).toEqual([]);
  });

  it('stays hidden under lww by one that only its own lower dot hides', () => {
    const early = concurrent(write('a1', { operation: 2, hlc: 1 }));
    const there = over(
      concurrent(write('b1', { operation: 1, hlc: 5 })),
      write('b2', { operation: 2, hlc: 9 }),
    );
    const again = concurrent(write('c1', { operation: 1, hlc: 6 }));
    const all = [early, there, again].reduce((x, y) => mergeRecords(x, y));
    expect(names(viewRecord(all, 'lww', NOW_MS).values)).toEqual(['a1']);
  });

  it('is removed by no merge: the record still holds both', () => {
    expect(names(mergeRecords(first, retried).siblings)).toEqual(['a1', 'b1']);
    expect(
      dotsOfOperation(mergeRecords(retried, first), { session: sessionId('s'), sequence: 1 }),
    ).toHaveLength(2);
  });
});

describe('exact dots of a writer', () => {
  const record = concurrent(write('a1'), write('a2'));
  const own = { ...EMPTY_CONTEXT, dots: [write('a2').dot] };

  it('supersede their own write and leave the sibling that the writer never saw', () => {
    expect(names(siblingsBeside(record, own))).toEqual(['a1']);
    expect(names(applyWrite(record, own, write('b1')).siblings)).toEqual(['a1', 'b1']);
  });

  it('claim nothing where they are not known, so that no elder sibling is erased later', () => {
    const elsewhere = applyWrite(EMPTY_RECORD, own, write('b1'));
    expect(elsewhere.context).toEqual([['b', 1]]);
    expect(names(mergeRecords(elsewhere, record).siblings)).toEqual(['a1', 'a2', 'b1']);
  });

  it('bound what a session must have seen', () => {
    expect(contextBound({ ...own, vector: [[incarnationId('b'), 4]] })).toEqual([
      ['a', 2],
      ['b', 4],
    ]);
  });
});

describe('expiry and memory', () => {
  it('turns what is due into a tombstone under its own dot, and leaves the record alone where nothing is', () => {
    const record = concurrent(write('a1', { expiresAt: 10 }), write('b1'));
    expect(expireSiblings(record, 9)).toBe(record);
    const expired = expireSiblings(record, 10);
    expect(expired.siblings.map((s) => s.value === null)).toEqual([true, false]);
    expect(expired.context).toEqual(record.context);
    expect(expireSiblings(expired, 11)).toBe(expired);
    expect(mergeRecords(record, expired)).toEqual(expired);
    expect(mergeRecords(expired, record)).toEqual(expired);
  });

  it('says that it forgets from the moment it may have', () => {
    let record = EMPTY_RECORD;
    for (let n = 1; n <= 7; n++) record = over(record, write(`a${n}`));
    expect(forgetsOperations(record, 0)).toBe(false);
    record = over(record, write('a8'));
    expect(forgetsOperations(record, 0)).toBe(true);
    expect(dotsOfOperation(record, write('a1').operation)).toHaveLength(1);
    expect(dotsOfOperation(over(record, write('a9')), write('a1').operation)).toHaveLength(0);
  });

  it('has forgotten nothing of a time that its window still reaches', () => {
    let record = EMPTY_RECORD;
    for (let n = 1; n <= 8; n++) record = over(record, write(`a${n}`, { hlc: hlcFromWallMs(1_000 * n) }));
    expect(forgetsOperations(record, 1_000)).toBe(true);
    expect(forgetsOperations(record, 1_001)).toBe(false);
  });

  it('is not reassured by a sibling or a retried operation older than the latest', () => {
    const young = (n: number): Sibling => write(`a${n}`, { hlc: hlcFromWallMs(10_000 + n) });
    let beside = concurrent(write('b1', { hlc: 1 }));
    let retried = over(EMPTY_RECORD, { ...write('b1', { hlc: 1 }), retried: true });
    for (let n = 1; n <= 8; n++) {
      const seen = { ...EMPTY_CONTEXT, dots: n === 1 ? [] : [young(n - 1).dot] };
      beside = applyWrite(beside, seen, young(n));
      retried = over(retried, young(n));
    }
    for (const record of [beside, retried]) {
      expect([...record.siblings, ...record.recentOperations]).toHaveLength(9);
      expect(forgetsOperations(record, 10_001)).toBe(true);
      expect(forgetsOperations(record, 10_002)).toBe(false);
    }
  });

  it('remembers as many operations beside retried ones as without them, and so forgets none of their time', () => {
    const first = write('a1', { hlc: hlcFromWallMs(1) });
    let record = over(EMPTY_RECORD, first);
    for (let n = 2; n <= 7; n++) record = over(record, write(`a${n}`, { hlc: hlcFromWallMs(n) }));
    let retried = EMPTY_RECORD;
    for (let n = 1; n <= 8; n++) {
      const mark = { ...write(`b${n}`, { hlc: hlcFromWallMs(10 + n) }), retried: true as const };
      retried = over(retried, n === 8 ? { ...mark, operation: first.operation } : mark);
    }
    const merged = mergeRecords(record, retried);
    expect(dotsOfOperation(merged, first.operation)).toHaveLength(2);
    expect(names(viewRecord(merged, 'siblings', NOW_MS).values)).toEqual(['a7']);
    expect(forgetsOperations(merged, 0)).toBe(false);
    expect(forgetsOperations(over(merged, write('a8', { hlc: hlcFromWallMs(30) })), 0)).toBe(true);
  });

  it('names no sibling that is hidden by its own lower dot: the operation still shows', () => {
    const x = write('a1');
    const twice = mergeRecords(
      over(EMPTY_RECORD, x),
      over(EMPTY_RECORD, { ...write('b1'), operation: x.operation }),
    );
    expect(viewRecord(twice, 'siblings', 0).values.map((s) => s.dot.incarnation)).toEqual(['a']);
    expect(supersededDots(twice)).toEqual([]);
  });

  it('names the siblings that a new write must cover although no view shows them', () => {
    // x landed as a1, its retry as b1; y read b1 and replaced it.
    const x = write('a1');
    const retry = { ...write('b1'), operation: x.operation };
    const elsewhere = over(over(EMPTY_RECORD, retry), write('b2'));
    const merged = mergeRecords(over(EMPTY_RECORD, x), elsewhere);
    expect(viewRecord(merged, 'siblings', 0).values.map((s) => s.dot.incarnation)).toEqual(['b']);
    expect(supersededDots(merged)).toEqual([x.dot]);
    expect(supersededDots(elsewhere)).toEqual([]);
  });
});

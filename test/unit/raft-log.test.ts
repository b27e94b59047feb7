/** The log of a replica against the simplest one there is: a list of terms, a list of what is on disk. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RaftLog, type LogMark, type Segment } from '../../src/replication/leader-follower/raft/raft-log.js';
import { applyChange } from '../support/raft-replica.js';
import { entriesOf, segmentOf, TEXT_SEGMENTS } from '../support/text-segments.js';

type Act =
  | { readonly type: 'append'; readonly count: number; readonly newer: number }
  | { readonly type: 'truncate' | 'compact' | 'forget' | 'reset'; readonly at: number }
  | { readonly type: 'write' | 'persist' };

const acts = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        type: fc.constant('append' as const),
        count: fc.integer({ min: 1, max: 4 }),
        newer: fc.integer({ min: 0, max: 2 }),
      }),
    },
    fc.record({
      type: fc.constantFrom('truncate', 'compact', 'forget', 'reset'),
      at: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
    { weight: 3, arbitrary: fc.record({ type: fc.constantFrom('write', 'persist') }) },
  ),
  { maxLength: 60 },
);

interface Writing {
  readonly mark: LogMark;
  readonly run: () => void;
}

/** Does what it is told to a log, to a list and to a disk. */
class Twins {
  readonly log = new RaftLog(TEXT_SEGMENTS, { index: 0, term: 0 });
  /** `terms[i]` is the term of index i; what is compacted stays in it. */
  terms = [0];
  /** Nothing at or below it is truncated: what is applied, and what is not in memory. */
  floor = 0;
  readonly disk = new Map<number, Segment>();
  readonly writing: Writing[] = [];
  /** Segments that go from the disk with the next write. */
  deleted: number[] = [];
  texts = 0;

  do(act: Act): void {
    const last = this.terms.length - 1;
    switch (act.type) {
      case 'append': {
        const term = (this.terms.at(-1) as number) + act.newer + (last === 0 ? 1 : 0);
        const entries = Array.from({ length: act.count }, (_, at) => ({
          index: last + 1 + at,
          // The last entry of a segment may be of a later term.
          term: at === act.count - 1 ? term : Math.max(term - act.newer, 1),
          text: `${++this.texts}`,
        }));
        this.log.append(segmentOf(entries));
        this.terms.push(...entries.map((entry) => entry.term));
        return;
      }
      case 'truncate': {
        const from = this.floor + 1 + Math.floor(act.at * (last - this.floor));
        if (from > last) return;
        this.log.truncate(from);
        this.terms = this.terms.slice(0, from);
        return;
      }
      case 'compact':
      case 'forget': {
        const index = Math.min(Math.floor(act.at * last), this.log.stable);
        this.floor = Math.max(this.floor, index);
        if (act.type === 'forget') this.log.forget(index, 8);
        else this.deleted.push(...this.log.compact(index));
        return;
      }
      case 'reset': {
        const index = last + Math.floor(act.at * 3);
        const term = (this.terms.at(-1) as number) + 1;
        this.deleted.push(...this.log.reset({ index, term }));
        this.terms = [...Array.from({ length: index }, () => 0), term];
        this.floor = index;
        return;
      }
      case 'write': {
        const { deleted } = this;
        this.deleted = [];
        const changes = this.log.takeChanges();
        const run = (): void => {
          for (const first of deleted) this.disk.delete(first);
          for (const change of changes) applyChange(this.disk, change);
        };
        this.writing.push({ mark: this.log.mark, run });
        return;
      }
      case 'persist': {
        const write = this.writing.shift();
        if (write === undefined) return;
        write.run();
        this.log.stabilized(write.mark);
      }
    }
  }

  check(): void {
    const { log, terms } = this;
    const last = terms.length - 1;
    expect(log.last).toEqual({ index: last, term: terms.at(-1) });
    for (let index = log.base.index; index <= last; index++) expect(log.termAt(index)).toBe(terms[index]);
    expect(log.termAt(last + 1)).toBeUndefined();
    if (log.base.index > 0) expect(log.termAt(log.base.index - 1)).toBeUndefined();
    this.#checkBackOff();
    this.#checkSegments();
    this.#checkDisk();
  }

  #checkBackOff(): void {
    const { log, terms } = this;
    for (const [index, term] of [
      [terms.length, 3],
      [Math.ceil(terms.length / 2), 2],
      [terms.length, 99],
    ] as const) {
      let naive = Math.min(index, terms.length - 1);
      while (naive > log.base.index && (terms[naive] as number) > term) naive--;
      naive = Math.max(naive, log.base.index);
      expect(log.lastAtMost(index, term)).toEqual({ index: naive, term: terms[naive] });
    }
  }

  #checkSegments(): void {
    const { log, terms } = this;
    expect(log.segmentsFrom(log.base.index, 100)).toBe('compacted');
    for (let from = log.base.index + 1; from < terms.length; from++) {
      const found = log.segmentsFrom(from, 10);
      if (found === 'compacted') throw new RangeError(`${from} is not compacted`);
      if (found === 'disk') {
        expect(from).toBeLessThanOrEqual(this.floor);
        continue;
      }
      const entries = found.flatMap(entriesOf);
      expect(entries[0]?.index).toBeLessThanOrEqual(from);
      expect(found[0]?.last).toBeGreaterThanOrEqual(from);
      for (const { index, term } of entries) expect(term).toBe(terms[index]);
    }
  }

  /** What is said to be on disk is there, before what is being written is and after. */
  #checkDisk(): void {
    const { log, terms } = this;
    const onDisk = new Map([...this.disk.values()].flatMap(entriesOf).map((e) => [e.index, e.term]));
    for (let index = log.base.index + 1; index <= log.stable; index++)
      expect(onDisk.get(index)).toBe(terms[index]);
    const unwritten = log.stable < log.last.index ? log.segmentsFrom(log.stable + 1, Infinity) : [];
    if (typeof unwritten !== 'string')
      expect(log.unwrittenBytes).toBe(unwritten.reduce((sum, { bytes }) => sum + bytes.length, 0));
  }

  /** Everything reaches the disk: a log that is read from there is this one. */
  settle(): void {
    this.do({ type: 'write' });
    while (this.writing.length > 0) this.do({ type: 'persist' });
    const { log } = this;
    expect(log.stable).toBe(log.last.index);
    const read = new RaftLog(TEXT_SEGMENTS, log.base);
    for (const segment of [...this.disk.values()].sort((a, b) => a.first - b.first)) read.restore(segment);
    expect([read.last, read.segments, read.bytes]).toEqual([log.last, log.segments, log.bytes]);
    for (let index = log.base.index; index <= log.last.index; index++)
      expect(read.termAt(index)).toBe(log.termAt(index));
  }
}

describe('the log of a replica', () => {
  it('is a list of terms with a disk', () => {
    fc.assert(
      fc.property(acts, (list) => {
        const twins = new Twins();
        for (const act of list) {
          twins.do(act);
          twins.check();
        }
        twins.settle();
      }),
      { numRuns: 100 },
    );
  });

  const entry = (index: number, term: number): Segment => segmentOf([{ index, term, text: 'x' }]);
  const logOf = (...terms: number[]): RaftLog => {
    const log = new RaftLog(TEXT_SEGMENTS, { index: 0, term: 0 });
    terms.forEach((term, at) => log.append(entry(at + 1, term)));
    return log;
  };

  it('does not take an entry for written that was cut off and came back', () => {
    const log = logOf(1, 1);
    log.takeChanges();
    const first = log.mark;
    log.truncate(2);
    log.append(entry(2, 2));
    log.truncate(2);
    log.append(entry(2, 1));
    log.takeChanges();
    log.stabilized(first);
    expect(log.stable).toBe(0);
    log.stabilized(log.mark);
    expect(log.stable).toBe(2);
  });

  it('names segments that were to go when it is begun anew', () => {
    const log = logOf(1, 1, 1);
    log.takeChanges();
    log.truncate(3);
    expect(log.reset({ index: 9, term: 2 }).sort()).toEqual([1, 2, 3]);
  });

  it('has nothing on disk after it was begun anew, until told', () => {
    const log = logOf(1, 1);
    const before = log.mark;
    log.reset({ index: 9, term: 2 });
    log.stabilized(before);
    expect(log.stable).toBe(0);
    log.stabilized(log.mark);
    expect(log.stable).toBe(9);
  });

  it('keeps what is not on disk yet when it is compacted', () => {
    const log = logOf(1, 1, 1);
    log.takeChanges();
    expect(log.compact(3)).toEqual([]);
    log.stabilized(log.mark);
    expect(log.compact(3)).toEqual([1, 2]);
  });
});

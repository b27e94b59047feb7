/**
 * The laws of the merge, and the merge itself against whole causal histories (see `causal-model.ts`).
 * The last block breaks the implementation on purpose: a check that cannot fail proves nothing.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RECENT_OPERATIONS_MAX, RETRIED_OPERATIONS_MAX } from '../../src/core/limits.js';
import {
  applyWrite,
  EMPTY_CONTEXT,
  mergeRecords,
  type KeyRecord,
  type Sibling,
} from '../../src/core/record.js';
import {
  compareDots,
  covers,
  dominates,
  join,
  sameDot,
  withDot,
  type VersionVector,
} from '../../src/core/version-vector.js';
import { modelMerge, union } from './causal-model.js';
import { compareCopy, openRecordText, recordText, WINDOWS } from './record-comparison.js';
import { histories, runHistory, type History, type Reached, type Subject } from './replica-history.js';

const REAL: Subject = { merge: mergeRecords, write: applyWrite };
const HISTORIES = Number(process.env['HISTORIES'] ?? 10_000);

/** Runs a history against the model and tries the laws on some of the records that it reached. */
function checkHistory(subject: Subject, history: History): Reached {
  const reached = runHistory(subject, history);
  const [i = 0, j = 0, k = 0, l = 0, m = 0, n = 0] = history.picks;
  const pick = (index: number): KeyRecord =>
    reached.copies[index % reached.copies.length]?.record as KeyRecord;
  const text = textOf(reached);
  checkLaws(subject, text, pick(i), pick(j), pick(k));
  checkLaws(subject, text, pick(l), pick(m), pick(n));
  checkConvergence(subject, text, reached, i);
  return reached;
}

/**
 * When a window of operations may have been full, the order of merges decides whether a question still met the memory that closes it. A closed
 * one stays so, hence replicas agree in the end; the laws then hold of everything else.
 */
function textOf(reached: Reached): Text {
  const told = union(...reached.copies.map(({ model }) => model.told));
  return told.size > RECENT_OPERATIONS_MAX ? openRecordText : recordText;
}

type Text = (record: KeyRecord) => string;

function checkLaws(subject: Subject, text: Text, a: KeyRecord, b: KeyRecord, c: KeyRecord): void {
  const merge = subject.merge;
  const ab = merge(a, b);
  same('commutative', recordText, ab, merge(b, a));
  same('associative', text, merge(ab, c), merge(a, merge(b, c)));
  same('idempotent', recordText, merge(a, structuredClone(a)), a);
  same('absorbing', recordText, merge(ab, a), ab);
  holds('the context only grows', dominates(ab.context, a.context) && dominates(ab.context, b.context));
  for (const record of [a, ab]) checkWellFormed(record);
}

/** Every copy ever made, merged in two orders and two groupings, gives one record, and it is the model's. */
function checkConvergence(subject: Subject, text: Text, reached: Reached, cut: number): void {
  const all = reached.copies;
  const fold = (copies: readonly (typeof all)[number][]): KeyRecord =>
    copies.map((c) => c.record).reduce(subject.merge);
  const at = cut % all.length;
  const rotated = [...all.slice(at), ...all.slice(0, at)];
  const forwards = fold(all);
  same('any order', text, forwards, fold(rotated.reverse()));
  same('any grouping', text, forwards, subject.merge(fold(all.slice(at)), fold(all.slice(0, at + 1))));
  const model = all.map((c) => c.model).reduce((a, b) => modelMerge(a, b, WINDOWS));
  compareCopy({ record: forwards, model });
}

function checkWellFormed(record: KeyRecord): void {
  const dots = record.siblings.map((s) => s.dot);
  holds(
    'siblings are sorted, each once',
    dots.every((d, i) => i === 0 || compareDots(dots[i - 1] ?? d, d) < 0),
  );
  holds(
    'the context covers every sibling',
    dots.every((d) => covers(record.context, d)),
  );
  holds(
    'it covers every operation',
    record.recentOperations.every((o) => covers(record.context, o.dot)),
  );
  holds(
    'it covers every question',
    (record.questions ?? []).every((q) => covers(record.context, q.dot)),
  );
  holds(
    'what was superseded is not held',
    !record.recentOperations.some((o) => dots.some((d) => sameDot(d, o.dot))),
  );
  const retried = record.recentOperations.filter((o) => o.retried === true).length;
  holds(
    'operations are bounded',
    retried <= RETRIED_OPERATIONS_MAX && record.recentOperations.length - retried <= RECENT_OPERATIONS_MAX,
  );
}

function same(law: string, text: Text, a: KeyRecord, b: KeyRecord): void {
  const [x, y] = [text(a), text(b)];
  if (x !== y) throw new Error(`${law}: not the same\n${x}\n${y}`);
}

function holds(law: string, condition: boolean): void {
  if (!condition) throw new Error(`does not hold: ${law}`);
}

describe('records against full causal histories', () => {
  it(`holds over ${HISTORIES} random histories, none of them dull`, () => {
    const seen = {
      siblings: 0,
      hidden: 0,
      repeated: 0,
      redelivered: 0,
      lostMemory: 0,
      expired: 0,
      forgot: 0,
      keptRetried: 0,
      closed: 0,
    };
    const property = fc.property(histories, (history) => {
      const reached = checkHistory(REAL, history);
      if (reached.siblingsMost >= 3) seen.siblings++;
      if (reached.hidden > 0) seen.hidden++;
      if (reached.repeatedOperations > 0) seen.repeated++;
      if (reached.redelivered > 0) seen.redelivered++;
      if (reached.lostMemory > 0) seen.lostMemory++;
      if (reached.expired > 0) seen.expired++;
      if (reached.forgotOperations > 0) seen.forgot++;
      if (reached.keptRetried > 0) seen.keptRetried++;
      if (reached.closedQuestions > 0) seen.closed++;
    });
    fc.assert(property, { numRuns: HISTORIES });
    for (const [what, count] of Object.entries(seen)) {
      expect(count, `histories with ${what}`).toBeGreaterThan(HISTORIES / 200);
    }
  });

  it('a write over any reachable record supersedes what its writer had seen and nothing else', () => {
    const property = fc.property(histories, fc.nat(), fc.nat(), (history, first, second) => {
      const { copies } = runHistory(REAL, history);
      const local = copies[first % copies.length]?.record as KeyRecord;
      const elsewhere = copies[second % copies.length]?.record as KeyRecord;
      const written = sibling('zz', 1, 1_000);
      const result = applyWrite(local, { ...EMPTY_CONTEXT, vector: elsewhere.context }, written);
      expect(result.context).toEqual(withDot(join(local.context, elsewhere.context), written.dot));
      expect(result.siblings).toContainEqual(written);
      for (const s of local.siblings) {
        expect(result.siblings.some((r) => sameDot(r.dot, s.dot))).toBe(!covers(elsewhere.context, s.dot));
      }
      expect(recordText(mergeRecords(local, result))).toBe(recordText(result));
      checkWellFormed(result);
    });
    fc.assert(property, { numRuns: 500 });
  });

  it('remembers the latest operations of the union, whichever way the records meet', () => {
    const write = (record: KeyRecord, name: string, counter: number, hlc: number): KeyRecord =>
      applyWrite(record, { ...EMPTY_CONTEXT, vector: record.context }, sibling(name, counter, hlc));
    let a: KeyRecord = { context: [], siblings: [], recentOperations: [] };
    let b = a;
    for (let n = 1; n <= 12; n++) a = write(a, 'a', n, 2 * n);
    for (let n = 1; n <= 12; n++) b = write(b, 'b', n, 2 * n + 1);
    const merged = mergeRecords(a, b);
    const remembered = [...merged.siblings, ...merged.recentOperations]
      .map((o) => o.hlc)
      .sort((x, y) => y - x);
    expect(remembered).toEqual([25, 24, 23, 22, 21, 20, 19, 18]);
    expect(remembered).toHaveLength(RECENT_OPERATIONS_MAX);
  });

  it('and the latest retried ones beside them, up to their own limit', () => {
    const write = (record: KeyRecord, written: Sibling): KeyRecord =>
      applyWrite(record, { ...EMPTY_CONTEXT, vector: record.context }, written);
    const start: KeyRecord = { context: [], siblings: [], recentOperations: [] };
    const records = ['a', 'b', 'c'].map((name, offset) => {
      let record = start;
      for (let n = 1; n <= 20; n++) {
        record = write(record, { ...sibling(name, n, 3 * n + offset), retried: true });
      }
      for (let n = 21; n <= 30; n++) record = write(record, sibling(name, n, 3 * n + offset));
      return record;
    });
    const [a, b, c] = records as [KeyRecord, KeyRecord, KeyRecord];
    const merged = mergeRecords(mergeRecords(a, b), c);
    for (const [x, y, z] of [
      [b, c, a],
      [c, a, b],
      [c, b, a],
    ] as const) {
      expect(recordText(mergeRecords(x, mergeRecords(y, z)))).toBe(recordText(merged));
    }
    const known = [...merged.siblings, ...merged.recentOperations].sort((x, y) => y.hlc - x.hlc);
    expect(known.filter((o) => o.retried !== true).map((o) => o.hlc)).toEqual([
      92, 91, 90, 89, 88, 87, 86, 85,
    ]);
    const retried = known.filter((o) => o.retried === true).map((o) => o.hlc);
    expect(retried).toEqual(Array.from({ length: RETRIED_OPERATIONS_MAX }, (_, i) => 62 - i));
  });
});

function sibling(name: string, counter: number, hlc: number): Sibling {
  return {
    dot: { incarnation: name as Sibling['dot']['incarnation'], counter },
    hlc,
    operation: { session: name as Sibling['operation']['session'], sequence: counter },
    expiresAt: 0,
    value: Uint8Array.of(counter),
  };
}

// --- The check can fail --------------------------------------------------------------------------------

const byDot = (x: Sibling, y: Sibling): number => compareDots(x.dot, y.dot);

/** Changes the outcome of the real merge. */
const after =
  (change: (merged: KeyRecord, a: KeyRecord, b: KeyRecord) => KeyRecord): Subject['merge'] =>
  (a, b) =>
    change(mergeRecords(a, b), a, b);

const held = (record: KeyRecord, s: Sibling): Sibling | undefined =>
  record.siblings.find((other) => sameDot(other.dot, s.dot));

const BROKEN: Readonly<Record<string, Partial<Subject>>> = {
  'merge keeps what the other side has superseded': {
    merge: after((merged, a, b) => ({
      ...merged,
      siblings: [...a.siblings, ...b.siblings.filter((s) => held(a, s) === undefined)].sort(byDot),
    })),
  },
  'merge drops what only one side holds': {
    merge: after((merged, a, b) => ({
      ...merged,
      siblings:
        a.context.length === 0 || b.context.length === 0
          ? merged.siblings
          : merged.siblings.filter((s) => held(a, s) !== undefined && held(b, s) !== undefined),
    })),
  },
  'merge resolves by last writer wins': {
    merge: after((merged) => ({
      ...merged,
      siblings: [...merged.siblings].sort((x, y) => y.hlc - x.hlc || byDot(y, x)).slice(0, 1),
    })),
  },
  'merge enforces a limit on siblings': {
    merge: after((merged) => ({ ...merged, siblings: merged.siblings.slice(0, 3) })),
  },
  'merge prefers the value to the tombstone that it expired into': {
    merge: after((merged, a, b) => ({
      ...merged,
      siblings: merged.siblings.map((s) =>
        held(a, s)?.value != null ? (held(a, s) as Sibling) : (held(b, s) ?? s),
      ),
    })),
  },
  'merge takes the left side of a shared dot': {
    merge: after((merged, a) => ({ ...merged, siblings: merged.siblings.map((s) => held(a, s) ?? s) })),
  },
  'merge forgets to join the contexts': { merge: after((merged, a) => ({ ...merged, context: a.context })) },
  'merge makes the context from the survivors alone': {
    merge: after((merged) => ({
      ...merged,
      context: merged.siblings.reduce<VersionVector>((v, s) => withDot(v, s.dot), []),
    })),
  },
  'merge leaves the siblings unsorted': {
    merge: after((merged, _a, b) => ({
      ...merged,
      siblings: [...merged.siblings].sort(
        (x, y) => Number(held(b, x) === undefined) - Number(held(b, y) === undefined),
      ),
    })),
  },
  "merge keeps only one side's operations": {
    merge: after((merged, a) => ({
      ...merged,
      recentOperations: merged.recentOperations.filter((o) =>
        [...a.siblings, ...a.recentOperations].some((mine) => sameDot(mine.dot, o.dot)),
      ),
    })),
  },
  'merge keeps one operation too few': {
    merge: after((merged) => ({
      ...merged,
      recentOperations: merged.recentOperations.slice(0, RECENT_OPERATIONS_MAX - 1 - merged.siblings.length),
    })),
  },
  'merge forgets a retried operation like any other': {
    merge: after((merged) => ({
      ...merged,
      recentOperations: merged.recentOperations.slice(
        0,
        Math.max(0, RECENT_OPERATIONS_MAX - merged.siblings.length),
      ),
    })),
  },
  'merge lets retried operations take the places of others': {
    merge: after((merged) => {
      const known = [...merged.siblings, ...merged.recentOperations];
      const latest = known.sort((x, y) => y.hlc - x.hlc || compareDots(x.dot, y.dot));
      const kept = latest.slice(0, RECENT_OPERATIONS_MAX);
      return {
        ...merged,
        recentOperations: merged.recentOperations.filter(
          (o) => o.retried === true || kept.some((k) => sameDot(k.dot, o.dot)),
        ),
      };
    }),
  },
  'merge forgets that an operation was retried': {
    merge: after((merged) => ({
      ...merged,
      recentOperations: merged.recentOperations.map(({ hlc, operation, dot }) => ({ hlc, operation, dot })),
    })),
  },
  'merge opens a question anew': {
    merge: after((merged) => {
      const opened = merged.questions?.map(({ hlc, operation, dot }) => ({ hlc, operation, dot }));
      return opened === undefined ? merged : { ...merged, questions: opened };
    }),
  },
  'merge forgets the questions': {
    merge: after(({ context, siblings, recentOperations }) => ({ context, siblings, recentOperations })),
  },
  'a write supersedes what its writer never saw': {
    write: (local, seen, written) =>
      applyWrite(local, { ...seen, vector: join(seen.vector, local.context) }, written),
  },
  'a write forgets what its writer had read elsewhere': {
    write: (local, seen, written) => {
      const result = applyWrite(local, seen, written);
      return { ...result, context: withDot(local.context, written.dot) };
    },
  },
  'a write supersedes nothing': {
    write: (local, _seen, written) => applyWrite(local, EMPTY_CONTEXT, written),
  },
  'a write claims everything up to the exact dots of its writer': {
    write: (local, seen, written) =>
      applyWrite(local, { ...seen, vector: seen.dots.reduce(withDot, seen.vector) }, written),
  },
  'an incarnation mints on after it lost its memory': { keepsIncarnation: true },
};

describe('the check finds planted faults', () => {
  it.each(Object.entries(BROKEN))('%s', (_fault, broken) => {
    const property = fc.property(histories, (history) => {
      checkHistory({ ...REAL, ...broken }, history);
    });
    const verdict = fc.check(property, { numRuns: 2_000, seed: 7, endOnFailure: true });
    expect(verdict.failed).toBe(true);
    expect(verdict.numRuns).toBeLessThan(2_000);
  });

  it('and passes the real one on the same histories', () => {
    const property = fc.property(histories, (history) => {
      checkHistory(REAL, history);
    });
    expect(fc.check(property, { numRuns: 200, seed: 7 }).failed).toBe(false);
  });
});

/** The page of a judged history: what it draws and numbers, what it leaves out and says so, and that no value becomes markup. */
import { describe, expect, it } from 'vitest';
import { checkModel, type CheckRequest } from '../../chaos/checkers/models.js';
import type { Verdict } from '../../chaos/checkers/verdict.js';
import type { EventType, HistoryEvent, Operation, Value } from '../../chaos/history/history.js';
import { operationsOf } from '../../chaos/history/pairing.js';
import { historyPage } from '../../chaos/report/history-page.js';
import { historyView } from '../../chaos/report/history-view.js';

const EVIL = '<img src=x onerror=alert(1)>&"\'';

type Step = readonly [process: number, type: EventType, f: string, value: Value, key?: string];

function history(steps: readonly Step[]): Operation[] {
  return operationsOf(
    steps.map(([process, type, f, value, key], index): HistoryEvent => ({
      index,
      process,
      type,
      f,
      value,
      ...(key === undefined ? {} : { key }),
    })),
  );
}

const done = (process: number, f: string, value: Value, answer: Value = value, key = 'x'): Step[] => [
  [process, 'invoke', f, value, key],
  [process, 'ok', f, answer, key],
];

function judged(operations: readonly Operation[], request: Partial<CheckRequest> = {}): Verdict {
  return checkModel(operations, { model: 'register', level: 'linearizable', format: 'edn', ...request });
}

function pageOf(operations: readonly Operation[], verdict: Verdict, operationsMax?: number): string {
  const input = { file: `some ${EVIL}`, model: 'register', level: 'linearizable', operations, verdict };
  return historyPage({ ...input, ...(operationsMax === undefined ? {} : { operationsMax }) });
}

const count = (html: string, pattern: RegExp): number => html.match(pattern)?.length ?? 0;

/** A write, its overwrite, and a read of the first: nothing orders these. */
const STALE = history([
  ...done(0, 'write', 'a', 'a', 'x'),
  ...done(0, 'write', EVIL, EVIL, 'x'),
  ...done(1, 'read', null, 'a', 'x'),
  ...done(2, 'write', 'other', 'other', 'y'),
]);

describe('the page of a history that is not linearizable', () => {
  const verdict = judged(STALE);
  const html = pageOf(STALE, verdict);

  it('draws the operations of the key that failed, and no others', () => {
    expect(verdict.validity).toBe('invalid');
    expect(count(html, /<g class="o /g)).toBe(3);
    expect(html).toContain('Operations on x (one of 2 keys): all 3');
    expect(html).not.toContain('other"');
  });

  it('numbers the longest order found, and marks what has no place in it', () => {
    const { bars } = historyView(STALE, verdict);
    const placed = verdict.witness?.placed?.map(({ invokedAt }) => invokedAt) ?? [];
    expect(placed).toHaveLength(2);
    for (const { operation, place } of bars) expect(place).toBe(placed.indexOf(operation.invokedAt) + 1);
    expect(bars.filter(({ blocked }) => blocked).map(({ operation }) => operation.f)).toEqual(['read']);
    expect(count(html, /class="o [a-z ]*blocked"/g)).toBe(1);
    expect(html).toContain('<summary>The longest order found, 2 operations</summary>');
  });

  it('leads from the witness to its operations', () => {
    const witness = verdict.witness?.operations ?? [];
    expect(witness.length).toBeGreaterThan(1);
    for (const { invokedAt } of witness) {
      expect(html).toContain(`<a href="#op-${invokedAt}">W`);
      expect(html).toContain(`id="op-${invokedAt}"`);
    }
  });

  it('lets no value become markup, needs no network and no script', () => {
    expect(html).not.toContain('<img');
    expect(html).toContain('&#60;img');
    expect(html).not.toContain('<script');
    expect(html).not.toMatch(/https?:|@import|url\((?!#)|<[a-z]+[^>]*\s(src|href)="(?!#)/);
    expect(pageOf(STALE, verdict)).toBe(html);
  });
});

describe('the page of any history', () => {
  it('says that a valid one is, and draws the first key', () => {
    const operations = history([...done(0, 'write', 1, 1, 'x'), ...done(1, 'read', null, 1, 'x')]);
    const html = pageOf(operations, judged(operations));
    expect(html).toContain('badge valid');
    expect(count(html, /<g class="o ok"/g)).toBe(2);
    expect(html).not.toMatch(/class="o [a-z ]*(blocked|witness)/);
  });

  it('says so where there is nothing to draw', () => {
    expect(pageOf([], judged([]))).toContain('There is nothing to draw.');
  });

  it('leaves an operation without an answer open, and its sign is no tick', () => {
    const operations = history([[0, 'invoke', 'write', 1], ...done(1, 'read', null, null)]);
    const html = pageOf(operations, judged(operations));
    expect(count(html, /<g class="o info"/g)).toBe(1);
    expect(count(html, /class="open"/g)).toBe(1);
    expect(html).toMatch(/<text class="place"[^>]*>\?</);
  });

  it('draws at most so many, those next to the witness, and says how many are left out where', () => {
    const early = Array.from({ length: 50 }, (_, i) => done(0, 'write', `w${i}`, `w${i}`, 'x')).flat();
    const late = Array.from({ length: 30 }, (_, i) => done(0, 'write', `z${i}`, `z${i}`, 'x')).flat();
    const operations = history([...early, ...done(1, 'read', null, 'nobody', 'x'), ...late]);
    const verdict = judged(operations);
    const { bars, rows } = historyView(operations, verdict, 9);
    expect(bars.map(({ operation }) => operation.index)).toEqual([46, 47, 48, 49, 50, 51, 52, 53, 54]);
    expect(rows.flatMap(({ leftOut }) => leftOut ?? [])).toEqual([46, 26]);
    const html = pageOf(operations, verdict, 9);
    expect(html).toContain('9 of 81, the others are left out');
    expect(html).toContain('>46 operations left out<');
  });

  it('gives each event a row of its own, and lets many processes share columns without overlap', () => {
    const operations = history(Array.from({ length: 40 }, (_, i) => done(i, 'write', i)).flat());
    const { bars, columns, rows } = historyView(operations, judged(operations));
    expect(rows).toHaveLength(80);
    expect(columns).toEqual(['']);
    const inColumn = bars.map(({ top, bottom }) => [top, bottom]);
    for (const [i, [top]] of inColumn.entries()) expect(top).toBeGreaterThan(inColumn[i - 1]?.[1] ?? -1);
  });
});

describe('the page of a cycle', () => {
  const skew = history([
    [
      0,
      'invoke',
      'txn',
      [
        ['r', 'x', null],
        ['append', 'y', 1],
      ],
    ],
    [
      1,
      'invoke',
      'txn',
      [
        ['r', 'y', null],
        ['append', 'x', 1],
      ],
    ],
    [
      0,
      'ok',
      'txn',
      [
        ['r', 'x', []],
        ['append', 'y', 1],
      ],
    ],
    [
      1,
      'ok',
      'txn',
      [
        ['r', 'y', []],
        ['append', 'x', 1],
      ],
    ],
    [
      2,
      'invoke',
      'txn',
      [
        ['r', 'x', null],
        ['r', 'y', null],
      ],
    ],
    [
      2,
      'ok',
      'txn',
      [
        ['r', 'x', [1]],
        ['r', 'y', [1]],
      ],
    ],
  ]);

  it('has its transactions and an arrow for each step, with the reason', () => {
    const verdict = judged(skew, { model: 'list-append', level: 'strict-serializable' });
    expect(verdict.witness?.cycle?.map(({ from, to, relation }) => [from.index, to.index, relation])).toEqual(
      [
        [0, 1, 'rw'],
        [1, 0, 'rw'],
      ],
    );
    const html = pageOf(skew, verdict);
    expect(count(html, /<path class="arrow"/g)).toBe(2);
    expect(html).toContain(
      '<li><b>T1 → T2</b> <code>rw</code> T1 read x without 1, which T2 appended (rw)</li>',
    );
    expect(count(html, /<circle /g)).toBe(2);
  });

  it('of a sequential order too', () => {
    const operations = history([
      ...done(0, 'write', 1, 1, 'x'),
      ...done(0, 'write', 2, 2, 'x'),
      ...done(1, 'read', null, 2, 'x'),
      ...done(1, 'read', null, 1, 'x'),
    ]);
    const verdict = judged(operations, { level: 'sequential' });
    expect(verdict.validity).toBe('invalid');
    const cycle = verdict.witness?.cycle ?? [];
    expect(cycle.length).toBeGreaterThan(0);
    for (const [i, { to }] of cycle.entries()) expect(to).toBe(cycle[(i + 1) % cycle.length]?.from);
  });
});

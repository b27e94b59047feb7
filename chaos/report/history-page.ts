/**
 * The page of a judged history: the verdict and its witness in words, and the operations of the object it is about as bars, those of
 * the longest order found numbered in that order. Plain markup, no script: it can be mailed, printed and read with scripts off.
 */
import type { Verdict } from '../checkers/verdict.js';
import type { Operation } from '../history/history.js';
import { cycleMarkup } from './cycle-drawing.js';
import { historyDrawing } from './history-drawing.js';
import { historyView, type HistoryView } from './history-view.js';
import { HISTORY_STYLE } from './history-style.js';
import { badge, clip, counted, escapeHtml, page } from './html.js';
import { callText } from './value-text.js';

export interface HistoryPageInput {
  /** Name of the history, for people. */
  readonly file: string;
  readonly model: string;
  readonly level: string;
  readonly operations: readonly Operation[];
  readonly verdict: Verdict;
  /** Operations drawn at most. */
  readonly operationsMax?: number;
}

const LINES_MAX = 200;
const PLACED_LISTED_MAX = 500;

export function historyPage(input: HistoryPageInput): string {
  const { file, model, level, operations, verdict, operationsMax } = input;
  const view = historyView(operations, verdict, operationsMax);
  const { cycle, placed } = verdict.witness ?? {};
  const drawn = new Set(view.bars.map(({ operation }) => operation.invokedAt));
  const body = `<header class="top">
<h1>${escapeHtml(file)}</h1>
<p class="reason">${badge(verdict.validity)} ${escapeHtml(verdict.reason)}</p>
<p class="quiet">judged as ${escapeHtml(model)}, ${escapeHtml(level)}; ${counted(operations.length, 'operation')}${
    view.keysInAll > 1 ? ` on ${counted(view.keysInAll, 'key')}` : ''
  }</p>
${linesMarkup(verdict, drawn)}
${witnessLinks(view)}
${cycle === undefined || cycle.length === 0 ? '' : cycleMarkup(cycle)}
<h2>${escapeHtml(headline(view))}</h2>
<p class="quiet">${legend(view, placed !== undefined)}</p>
</header>
<main>${view.bars.length === 0 ? '<p class="none">There is nothing to draw.</p>' : historyDrawing(view)}</main>
${placed === undefined || placed.length === 0 ? '' : placedMarkup(placed, drawn)}`;
  return page({ title: `Trefoil check: ${clip(file, 80)}`, style: HISTORY_STYLE, body });
}

function headline({ keys, keysInAll, bars, operations }: HistoryView): string {
  const named = keys.filter((key) => key !== undefined);
  const what = named.length === 0 ? 'The operations' : `Operations on ${clip(named.join(', '), 80)}`;
  const which = named.length > 0 && keysInAll > keys.length ? ` (one of ${keysInAll} keys)` : '';
  const left = operations - bars.length;
  return `${what}${named.length === 1 ? which : ''}: ${
    left === 0 ? `all ${operations}` : `${bars.length} of ${operations}, the others are left out`
  }`;
}

function legend({ columns }: HistoryView, isPlaced: boolean): string {
  return [
    'Time runs down, a row for each event, not to scale. ✓ ok, ✗ failed, ? nobody knows (its bar has no end).',
    ...(isPlaced
      ? [
          'Numbers: the longest order found that the object could have given; framed in red, the first to complete that has no place in it.',
        ]
      : []),
    ...(columns.some((title) => title === '') ? ['Columns are shared; p is the process.'] : []),
  ].join(' ');
}

function linesMarkup({ witness }: Verdict, drawn: ReadonlySet<number>): string {
  if (witness === undefined || witness.lines.length === 0) return '';
  const more = witness.lines.length - LINES_MAX;
  const lines = witness.lines.slice(0, LINES_MAX).map((line) => `<li>${linked(line, drawn)}</li>`);
  return `<ul class="witness">${lines.join('')}${more > 0 ? `<li class="quiet">and ${counted(more, 'more line')}</li>` : ''}</ul>`;
}

/** `#12` in a line leads to the operation that was invoked at that event. */
function linked(line: string, drawn: ReadonlySet<number>): string {
  return escapeHtml(line).replace(/(^|[\s(])#(\d+)\b/g, (whole, before: string, digits: string) =>
    drawn.has(Number(digits)) ? `${before}<a href="#op-${digits}">#${digits}</a>` : whole,
  );
}

function witnessLinks({ bars }: HistoryView): string {
  const about = bars.filter(({ witness }) => witness > 0).toSorted((a, b) => a.witness - b.witness);
  if (about.length === 0) return '';
  const links = about.map(
    ({ operation, witness }) =>
      `<a href="#op-${operation.invokedAt}">W${witness} process ${escapeHtml(String(operation.process))} ${escapeHtml(clip(callText(operation), 60))}</a>`,
  );
  return `<nav class="jump" aria-label="operations of the witness">${links.join('')}</nav>`;
}

function placedMarkup(placed: readonly Operation[], drawn: ReadonlySet<number>): string {
  const from = Math.max(0, placed.length - PLACED_LISTED_MAX);
  const items = placed.slice(from).map((operation) => {
    const { process, invokedAt } = operation;
    const event = drawn.has(invokedAt) ? `<a href="#op-${invokedAt}">#${invokedAt}</a>` : `#${invokedAt}`;
    return `<li>process ${escapeHtml(String(process))} <span class="mono">${escapeHtml(clip(callText(operation), 120))}</span> ${event}</li>`;
  });
  return `<section class="placed"><details><summary>The longest order found, ${counted(placed.length, 'operation')}${
    from > 0 ? ` (its last ${PLACED_LISTED_MAX})` : ''
  }</summary><ol start="${from + 1}">${items.join('')}</ol></details></section>`;
}

/** The drawing of a history's operations, as SVG. Outcomes differ by sign and stroke as well as by colour. */
import { clip, counted, escapeHtml } from './html.js';
import type { HistoryBar, HistoryRow, HistoryView } from './history-view.js';
import { callText, valueText } from './value-text.js';

const ROW = 18;
const GUTTER = 130;
const COLUMN_WIDTH = 176;
/** Transactions have more to say. */
const COLUMN_WIDTH_WIDE = 300;
const BAR = 26;
const HEAD = 30;
const CHARACTER = 6.7;

export function historyDrawing(view: HistoryView): string {
  const isWide = view.bars.some(({ operation }) => operation.f === 'txn');
  const columnWidth = isWide ? COLUMN_WIDTH_WIDE : COLUMN_WIDTH;
  const width = GUTTER + view.columns.length * columnWidth;
  const height = HEAD + view.rows.length * ROW + 16;
  const left = (column: number): number => GUTTER + column * columnWidth;
  const heads = view.columns.map((title, i) =>
    title === '' ? '' : `<text class="head" x="${left(i) + 4}" y="18">${escapeHtml(clip(title, 24))}</text>`,
  );
  const lines = view.columns.map(
    (_, i) =>
      `<line class="life" x1="${left(i) + BAR / 2 + 4}" x2="${left(i) + BAR / 2 + 4}" y1="${HEAD - 4}" y2="${height - 8}"/>`,
  );
  const named = view.columns.some((title) => title === '');
  return `<svg class="history" role="img" aria-label="${escapeHtml(`${view.bars.length} operations, time downwards`)}" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">
${view.rows.map((row, i) => rowMarkup(row, i, width)).join('')}
${lines.join('')}${heads.join('')}
${view.bars.map((bar) => barMarkup(bar, left(bar.column), columnWidth, named)).join('\n')}
</svg>`;
}

function rowMarkup({ event, ns, leftOut }: HistoryRow, row: number, width: number): string {
  const y = HEAD + row * ROW;
  if (leftOut !== undefined) {
    return `<rect class="gap" x="0" y="${y + 1}" width="${width}" height="${ROW - 2}"/><text class="gaptext" x="8" y="${y + 13}">${counted(leftOut, 'operation')} left out</text>`;
  }
  const time = ns === undefined || !Number.isFinite(ns) ? '' : `  ${(ns / 1e6).toFixed(2)} ms`;
  return `<line class="row" x1="${GUTTER - 6}" x2="${width}" y1="${y + ROW / 2}" y2="${y + ROW / 2}"/><text class="event" x="8" y="${y + 13}">#${String(event)}${time}</text>`;
}

const SIGNS = { ok: '✓', fail: '✗', info: '?' } as const;

function barMarkup(bar: HistoryBar, left: number, columnWidth: number, named: boolean): string {
  const { operation, top, bottom, place, witness, blocked } = bar;
  const { outcome, process } = operation;
  const y = HEAD + top * ROW + ROW / 2;
  const height = Math.max(ROW - 4, (bottom - top) * ROW);
  const words = [
    ...(witness > 0 ? [`W${witness}`] : []),
    ...(named ? [`p${process}`] : []),
    callText(operation),
    ...(blocked ? ['— no place'] : []),
  ].join(' ');
  const room = Math.floor((columnWidth - BAR - 14) / CHARACTER);
  const [first, second] = twoLines(words, room);
  const x = left + 4;
  const mark = place > 0 ? String(place) : SIGNS[outcome];
  const classes = ['o', outcome, ...(witness > 0 ? ['witness'] : []), ...(blocked ? ['blocked'] : [])].join(
    ' ',
  );
  const open = Number.isFinite(operation.completedAt)
    ? ''
    : `<path class="open" d="M${x + 4} ${y + height}l${BAR / 2 - 4} 7l${BAR / 2 - 4} -7"/>`;
  const line = (text: string, offset: number): string =>
    text === ''
      ? ''
      : `<text class="label" x="${x + BAR + 5}" y="${y + 4 + offset}">${escapeHtml(text)}</text>`;
  return `<g class="${classes}" id="op-${operation.invokedAt}"><title>${escapeHtml(detail(bar))}</title><rect x="${x}" y="${y}" width="${BAR}" height="${height}" rx="3"/>${open}<text class="place" x="${x + BAR / 2}" y="${y + height / 2 + 4}">${mark}</text>${line(first, 0)}${line(second, 13)}</g>`;
}

function twoLines(words: string, room: number): readonly [string, string] {
  if (words.length <= room) return [words, ''];
  const space = words.lastIndexOf(' ', room);
  const at = space > room * 0.4 ? space : room;
  return [words.slice(0, at), clip(words.slice(at).trim(), room)];
}

function detail({ operation, place, blocked }: HistoryBar): string {
  const { process, f, key, input, output, outcome, invokedAt, completedAt } = operation;
  return [
    `process ${process}: ${f}${key === undefined ? '' : ` of ${key}`}, ${outcome}`,
    `asked ${valueText(input)}`,
    ...(outcome === 'ok' ? [`answered ${valueText(output)}`] : []),
    Number.isFinite(completedAt) ? `events #${invokedAt} to #${completedAt}` : `from event #${invokedAt} on`,
    ...(place > 0 ? [`number ${place} of the longest order found`] : []),
    ...(blocked ? ['the first to complete of those without a place in it'] : []),
  ].join('\n');
}

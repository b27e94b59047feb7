/** A cycle of operations as a ring, with its relations on the arrows; beside it the same as a list, with the reasons. */
import type { CycleStep } from '../checkers/verdict.js';
import type { Operation } from '../history/history.js';
import { clip, escapeHtml } from './html.js';
import { callText } from './value-text.js';

/** Longer cycles are only listed: a ring of more cannot be read. */
const RING_MAX = 10;
const STEPS_LISTED_MAX = 100;

/** Names in the order of the cycle: T1 is where it begins. */
export function cycleNames(cycle: readonly CycleStep[]): ReadonlyMap<Operation, string> {
  const names = new Map<Operation, string>();
  for (const { from } of cycle) if (!names.has(from)) names.set(from, `T${names.size + 1}`);
  return names;
}

export function cycleMarkup(cycle: readonly CycleStep[]): string {
  const names = cycleNames(cycle);
  const called = (operation: Operation): string => names.get(operation) ?? '?';
  const members = [...names].map(
    ([operation, name]) =>
      `<tr><th scope="row">${name}</th><td>process ${escapeHtml(String(operation.process))}</td><td><a href="#op-${operation.invokedAt}">#${operation.invokedAt}</a></td><td class="mono">${escapeHtml(callText(operation))}</td></tr>`,
  );
  const steps = cycle
    .slice(0, STEPS_LISTED_MAX)
    .map(
      ({ from, to, relation, reason }) =>
        `<li><b>${called(from)} → ${called(to)}</b> <code>${escapeHtml(relation)}</code> ${escapeHtml(reason)}</li>`,
    );
  const more = cycle.length - steps.length;
  return `<h2>The cycle</h2><div class="cycle">${names.size <= RING_MAX ? ring(cycle, names) : ''}<div>
<table>${members.slice(0, STEPS_LISTED_MAX).join('')}</table>
<ol>${steps.join('')}</ol>${more > 0 ? `<p class="quiet">and ${more} more steps</p>` : ''}</div></div>`;
}

const SIZE = 360;
const RADIUS = 116;
const NODE = 21;

function ring(cycle: readonly CycleStep[], names: ReadonlyMap<Operation, string>): string {
  const count = names.size;
  const centre = SIZE / 2;
  const at = new Map(
    [...names.keys()].map((operation, i) => {
      const angle = -Math.PI / 2 + (2 * Math.PI * i) / count;
      return [operation, { x: centre + RADIUS * Math.cos(angle), y: centre + RADIUS * Math.sin(angle) }];
    }),
  );
  const arrows = cycle.map(({ from, to, relation }) => {
    const a = at.get(from) ?? { x: centre, y: centre };
    const b = at.get(to) ?? { x: centre, y: centre };
    // Bent to the outside, so that the two arrows of a pair stay apart.
    const length = Math.hypot(b.x - a.x, b.y - a.y) || 1;
    const bend = count === 2 ? 56 : 22;
    const [nx, ny] = [(b.y - a.y) / length, -(b.x - a.x) / length];
    const control = { x: (a.x + b.x) / 2 + 2 * bend * nx, y: (a.y + b.y) / 2 + 2 * bend * ny };
    const start = towards(a, control, NODE);
    const end = towards(b, control, NODE + 7);
    const label = { x: (a.x + b.x) / 2 + (bend + 18) * nx, y: (a.y + b.y) / 2 + (bend + 18) * ny + 4 };
    return `<path class="arrow" d="M${point(start)}Q${point(control)} ${point(end)}" marker-end="url(#tip)"/><text class="relation" x="${label.x.toFixed(1)}" y="${label.y.toFixed(1)}">${escapeHtml(clip(relation, 12))}</text>`;
  });
  const nodes = [...names].map(([operation, name]) => {
    const { x, y } = at.get(operation) ?? { x: centre, y: centre };
    return `<g><title>${escapeHtml(callText(operation))}</title><circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="${NODE}"/><text class="name" x="${x.toFixed(1)}" y="${(y + 5).toFixed(1)}">${name}</text></g>`;
  });
  return `<svg class="ring" role="img" aria-label="the cycle as a ring; the list beside it says the same" width="${SIZE}" height="${SIZE}" viewBox="0 0 ${SIZE} ${SIZE}"><defs><marker id="tip" viewBox="0 0 8 8" refX="2" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path class="head" d="M0 0L8 4L0 8z"/></marker></defs>${arrows.join('')}${nodes.join('')}</svg>`;
}

interface Point {
  readonly x: number;
  readonly y: number;
}

function towards(from: Point, to: Point, by: number): Point {
  const length = Math.hypot(to.x - from.x, to.y - from.y) || 1;
  return { x: from.x + ((to.x - from.x) / length) * by, y: from.y + ((to.y - from.y) / length) * by };
}

function point({ x, y }: Point): string {
  return `${x.toFixed(1)} ${y.toFixed(1)}`;
}

/**
 * The page of one simulated run: time downwards, a column for each client and node, messages as arrows, operations as bars, faults as
 * bands. Above it the verdict, with links into the picture; these and the lists are plain markup, the picture is drawn
 * by the script from the scene.
 */
import type { CheckResult } from '../run/checks.js';
import type { RunResult } from '../run/simulate.js';
import type { Trace } from '../../src/simulation/trace.js';
import { badge, clip, counted, escapeHtml, page } from './html.js';
import {
  MESSAGE_KINDS,
  subjectOf,
  traceScene,
  type MessageKind,
  type SceneLimits,
  type SceneOperation,
  type TraceScene,
} from './trace-scene.js';
import { TRACE_SCRIPT } from './trace-script.js';
import { TRACE_STYLE } from './trace-style.js';

export interface TracePageInput {
  readonly run: RunResult;
  readonly trace: Trace;
  readonly nodes: readonly string[];
  readonly clients: number;
  /** The planted bug that was in the code. */
  readonly bug: string | null;
  readonly limits?: Partial<SceneLimits>;
}

const LINKS_MAX = 60;
const WITNESS_LINES_MAX = 200;

const KIND_WORDS: Readonly<Record<MessageKind, string>> = {
  client: 'requests and answers',
  replication: 'replication',
  'anti-entropy': 'anti-entropy comparisons',
  connection: 'heartbeats and handshakes',
};

/** Shown until asked otherwise. */
const KINDS_SHOWN: ReadonlySet<MessageKind> = new Set(['client', 'replication']);

export function tracePage(input: TracePageInput): string {
  const { run, trace, nodes, clients, bug, limits } = input;
  const scene = traceScene(run, trace, nodes, clients, limits);
  const title = `${run.experiment}, seed ${String(run.seed)}`;
  const planted = bug === null ? '' : `, with the planted bug ${bug}`;
  const body = `<header class="top">
<h1>${escapeHtml(title + planted)}</h1>
${verdictMarkup(run, scene)}
<p class="quiet">${counted(scene.operations.length, 'operation')}, ${counted(scene.messages.length, 'message')}, ${counted(
    scene.faults.length,
    'fault',
  )} in ${(run.virtualMs / 1_000).toFixed(1)} virtual s; trace <code>${escapeHtml(run.traceHash)}</code>.${
    scene.leftOut.length === 0 ? '' : ` Left out: ${escapeHtml(scene.leftOut.join('; '))}.`
  }</p>
${checksMarkup(run.checks)}
${faultsMarkup(scene)}
${HELP}
<noscript><p><strong>The picture below is drawn by a script, and scripts are off.</strong></p></noscript>
</header>
<div class="bars">
${toolsMarkup(scene)}
<div id="heads" aria-hidden="true"></div>
</div>
<main class="work"><div id="stage" tabindex="0" role="application" aria-label="The run, time downwards. Arrow keys go from one message or operation to the next."><svg id="diagram" xmlns="http://www.w3.org/2000/svg" aria-hidden="true"></svg></div>
<canvas id="minimap" aria-hidden="true" title="the whole run: click to go there"></canvas></main>
<div id="details" role="status" aria-live="polite" hidden></div>`;
  return page({
    title: `Trefoil trace: ${title}`,
    style: TRACE_STYLE,
    body,
    data: scene,
    script: TRACE_SCRIPT,
  });
}

function verdictMarkup(run: RunResult, scene: TraceScene): string {
  const subject = subjectOf(run);
  if (subject === undefined) {
    return `<p class="reason">${badge(run.verdict)} ${run.checks.length === 0 ? 'nothing was checked' : 'every promise held'}</p>`;
  }
  const { verdict, name, promised } = subject;
  const witness = scene.operations
    .filter((operation) => operation.witness > 0)
    .toSorted((a, b) => a.witness - b.witness);
  const lines = verdict.witness?.lines ?? [];
  const more = lines.length - WITNESS_LINES_MAX;
  const known = new Set(scene.operations.map(({ id }) => id));
  return `<p class="reason">${badge(verdict.validity)} ${escapeHtml(name)}${promised ? '' : ' (reported, not promised)'}: ${escapeHtml(verdict.reason)}</p>
${
  lines.length === 0
    ? ''
    : `<ul class="witness">${lines
        .slice(0, WITNESS_LINES_MAX)
        .map((line) => `<li>${linked(line, known)}</li>`)
        .join('')}${more > 0 ? `<li class="quiet">and ${counted(more, 'more line')}</li>` : ''}</ul>`
}${
    witness.length === 0
      ? ''
      : `<nav class="jump" aria-label="operations of the witness">${witness
          .slice(0, LINKS_MAX)
          .map((o) => operationLink(o, scene))
          .join('')}</nav>`
  }`;
}

/** `#12` in a line leads to the operation that was invoked at that event. */
function linked(line: string, known: ReadonlySet<number>): string {
  return escapeHtml(line).replace(/(^|[\s(])#(\d+)\b/g, (whole, before: string, digits: string) =>
    known.has(Number(digits)) ? `${before}<a href="#op-${digits}">#${digits}</a>` : whole,
  );
}

function operationLink(operation: SceneOperation, scene: TraceScene): string {
  const { id, witness, label, invokedMs, column } = operation;
  const words = `W${String(witness)} ${scene.columns[column]?.name ?? ''} ${label}`;
  return `<a class="w" href="#op-${String(id)}" title="${escapeHtml(words)}">${escapeHtml(clip(words, 60))}, ${(invokedMs / 1_000).toFixed(3)} s</a>`;
}

function checksMarkup(checks: readonly CheckResult[]): string {
  const rows = checks.map(
    ({ name, promised, verdict }) =>
      `<tr><td>${escapeHtml(name)}</td><td>${promised ? 'promised' : 'reported'}</td><td>${badge(verdict.validity)}</td><td>${escapeHtml(verdict.reason)}</td></tr>`,
  );
  return `<details><summary>All ${counted(checks.length, 'check')}</summary><table>${rows.join('')}</table></details>`;
}

function faultsMarkup({ faults }: TraceScene): string {
  if (faults.length === 0) return '';
  const links = faults
    .slice(0, LINKS_MAX)
    .map(
      ({ detail, beganMs }) =>
        `<a href="#ms-${String(beganMs)}" title="${escapeHtml(detail)}">${(beganMs / 1_000).toFixed(3)} s ${escapeHtml(clip(detail, 60))}</a>`,
    );
  const more = faults.length - links.length;
  return `<details><summary>Go to one of ${counted(faults.length, 'fault')}</summary><nav class="jump" aria-label="faults">${links.join('')}${
    more > 0 ? `<span class="quiet">and ${String(more)} more in the picture</span>` : ''
  }</nav></details>`;
}

function toolsMarkup(scene: TraceScene): string {
  const count = (kind: MessageKind): string =>
    scene.messages.filter((message) => message.kind === kind).length.toLocaleString('en-US');
  const kinds = MESSAGE_KINDS.map(
    (kind) =>
      `<label><input type="checkbox" name="kind" value="${kind}"${KINDS_SHOWN.has(kind) ? ' checked' : ''}> ${KIND_WORDS[kind]} (${count(kind)})</label>`,
  );
  const witnessNames = scene.witnessKeys.map((key) => scene.keys[key] ?? '').join(', ');
  const keys = scene.keys
    .map((name, i) => ({ name, i }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, i }) => `<option value="${String(i)}">${escapeHtml(clip(name, 40))}</option>`);
  const nodes = scene.columns.map(
    ({ name }, i) => `<option value="${String(i)}">${escapeHtml(clip(name, 40))}</option>`,
  );
  return `<form class="tools" onsubmit="return false">
<fieldset aria-label="messages shown">${kinds.join('')}<label><input type="checkbox" id="hurt"> only lost or damaged</label></fieldset>
<label>key <select id="key" autocomplete="off"><option value="">all</option>${
    witnessNames === ''
      ? ''
      : `<option value="witness" selected>of the witness: ${escapeHtml(clip(witnessNames, 40))}</option>`
  }${keys.join('')}</select></label>
<label>touching <select id="node" autocomplete="off"><option value="">all</option>${nodes.join('')}</select></label>
<label>zoom <button type="button" id="farther" aria-label="show more time">−</button> <input type="range" id="zoom" min="-2" max="2.3" step="0.05" aria-label="zoom of time"> <button type="button" id="nearer" aria-label="show less time">+</button> <span id="scale"></span></label>
<label><input type="checkbox" id="fold" checked autocomplete="off"> fold quiet time</label>
<button type="button" id="witness"${scene.operations.some((o) => o.witness > 0) ? '' : ' disabled'}>next of the witness</button>
<span id="shown" class="quiet" role="status"></span> <span id="thinned" role="status"></span>
</form>`;
}

const HELP = `<details><summary>How to read it, and keys</summary>
<p>Time runs down. Each column is a process; its line is solid while the process lives, hatched while it is paused, marked where it starts, crashes or ends. An arrow goes from when a message was sent to when it was taken. A cross: it vanished there. Dashed: corrupted; dotted: a second copy; dash and dot: overtaken by later ones. Blue arrows are requests and answers of clients.</p>
<p>Bars left of a client's line are its operations, from invocation to completion: ✓ ok, ✗ failed (certainly had no effect), ? unknown (may have); those of the witness are framed and numbered W1, W2. Faults stand at the left with their time, and as bands over the nodes that they name. Times count from the start of the fault phase.</p>
<p>Keys: <kbd>j</kbd> <kbd>k</kbd> next and previous message or operation (also the arrow keys when the picture has the focus), <kbd>w</kbd> next of the witness, <kbd>+</kbd> <kbd>−</kbd> zoom, <kbd>Esc</kbd> deselects. Hover or click shows details.</p></details>`;

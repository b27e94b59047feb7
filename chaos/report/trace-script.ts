/**
 * The script of the trace page: lays the scene out, draws what is in view, filters, zooms, tells details. It runs in a browser only, so
 * it is text here. Only the part of the page in view is in the document: that is what keeps a run of thousands of messages usable.
 *
 *     time (ms) ── segments ──▶ y (pixels)      quiet stretches are folded into a strip of constant height
 *
 * Everything from the scene goes through `esc` before it is markup.
 */
export const TRACE_SCRIPT = `
'use strict';
(() => {
const scene = JSON.parse(document.getElementById('data').textContent);
scene.messages.forEach((m, i) => { m.i = i; });
scene.operations.forEach((o, i) => { o.i = i; });
const $ = (id) => document.getElementById(id);
const esc = (text) => String(text).replace(/[&<>"']/g, (c) => '&#' + c.charCodeAt(0) + ';');
const clip = (text, max) => (text.length <= max ? text : text.slice(0, Math.max(1, max - 1)) + '\\u2026');
const GUTTER = 226, AXIS = 74, LANE = 8, NODE = 146, PAD = 24, FOLD_PX = 40, FOLD_FROM_PX = 170, FOLD_KEEP_PX = 26;
const DRAWN_MAX = 2500, PRINTED_MAX = 6000, CHAR = 6.3;
const SIGN = { ok: '\\u2713', fail: '\\u2717', info: '?' };
const MEANS = { whole: '', corrupted: 'corrupted on the way', lost: 'lost, and its connection with it', dropped: 'lost alone', late: 'overtaken by later ones', duplicate: 'a second copy' };
const state = { pxPerMs: 1, fold: true, kinds: new Set(), key: '', node: '', hurt: false, selected: null };
const stage = $('stage'), svg = $('diagram'), heads = $('heads'), map = $('minimap');
let columns = [], width = 0, height = 0, segments = [], items = [], messages = [], operations = [], laneOf = [], laneCount = 0;

const seconds = (ms) => (ms / 1000).toFixed(3) + ' s';
const endOf = (m) => (m.arrivedMs === null ? m.sentMs : m.arrivedMs);
const isHurt = (m) => m.fate !== 'whole' || m.arrivedMs === null;

// --- Filters ---------------------------------------------------------------------------------------
const keyWanted = () => state.key === '' ? null : state.key === 'witness' ? new Set(scene.witnessKeys) : new Set([Number(state.key)]);
function filter() {
  const wanted = keyWanted(), node = state.node === '' ? -1 : Number(state.node);
  messages = scene.messages.filter((m) => state.kinds.has(m.kind)
    && (wanted === null || m.keys.length === 0 || m.keys.some((k) => wanted.has(k)))
    && (node < 0 || m.from === node || m.to === node) && (!state.hurt || isHurt(m)));
  operations = scene.operations.filter((o) => wanted === null || o.key === null || wanted.has(o.key) || o.witness > 0);
  items = [...messages.map((m) => ({ is: 'm', at: m.sentMs, one: m })), ...operations.map((o) => ({ is: 'o', at: o.invokedMs, one: o }))].sort((a, b) => a.at - b.at);
  $('shown').textContent = messages.length.toLocaleString('en-US') + ' of ' + scene.messages.length.toLocaleString('en-US')
    + ' messages, ' + operations.length.toLocaleString('en-US') + ' of ' + scene.operations.length.toLocaleString('en-US') + ' operations';
}

// --- Layout ----------------------------------------------------------------------------------------
function layoutColumns() {
  const clients = scene.columns.filter((c) => c.is === 'client').length, nodes = scene.columns.length - clients;
  const room = document.documentElement.clientWidth - 150 - GUTTER - nodes * NODE;
  const client = Math.min(190, Math.max(104, room / Math.max(1, clients)));
  let x = GUTTER;
  columns = scene.columns.map((c) => {
    const wide = c.is === 'client' ? client : NODE;
    const column = { name: c.name, is: c.is, left: x, wide, x: c.is === 'client' ? x + wide - 12 : x + wide * 0.62 };
    x += wide;
    return column;
  });
  width = x + 30;
  heads.innerHTML = '<span class="head" style="left:0;width:' + AXIS + 'px">time</span><span class="head" style="left:' + AXIS + 'px;width:' + (GUTTER - AXIS - 8) + 'px">faults</span>'
    + columns.map((c) => '<span class="head ' + c.is + '" style="' + (c.is === 'node' ? 'left:' + (c.x - 60) + 'px;width:120px' : 'left:' + c.left + 'px;width:' + c.wide + 'px') + '" title="' + esc(c.name) + '"><b>' + esc(c.name) + '</b></span>').join('');
  heads.style.width = width + 'px';
}
function layoutLanes() {
  const free = [];
  laneOf = scene.faults.map((f) => {
    let lane = free.findIndex((at) => at <= f.beganMs);
    if (lane < 0) lane = free.length;
    free[lane] = Math.max(f.endedMs, f.beganMs + 1);
    return lane;
  });
  laneCount = Math.min(6, free.length);
}
function layoutTime() {
  const times = new Set([scene.beginMs, scene.endMs]);
  for (const m of messages) { times.add(m.sentMs); times.add(endOf(m)); }
  for (const o of operations) { times.add(o.invokedMs); if (o.endedMs !== null) times.add(o.endedMs); }
  for (const f of scene.faults) { times.add(f.beganMs); times.add(f.endedMs); }
  for (const e of scene.events) times.add(e.atMs);
  const sorted = [...times].sort((a, b) => a - b);
  const keep = FOLD_KEEP_PX / state.pxPerMs;
  segments = [];
  let from = sorted[0], y = PAD;
  const linear = (to) => { const h = (to - from) * state.pxPerMs; segments.push({ t0: from, t1: to, y0: y, y1: y + h, fold: false }); y += h; from = to; };
  for (let i = 1; i < sorted.length; i++) {
    const gap = sorted[i] - sorted[i - 1];
    if (!state.fold || gap * state.pxPerMs <= FOLD_FROM_PX) continue;
    linear(sorted[i - 1] + keep);
    segments.push({ t0: from, t1: sorted[i] - keep, y0: y, y1: y + FOLD_PX, fold: true });
    y += FOLD_PX; from = sorted[i] - keep;
  }
  linear(sorted[sorted.length - 1]);
  height = y + 80;
  picture = null;
  stage.style.height = height + 'px';
  stage.style.width = width + 'px';
}
function segmentBy(begin, value) {
  let low = 0, high = segments.length - 1;
  while (low < high) { const mid = (low + high + 1) >> 1; if (segments[mid][begin] <= value) low = mid; else high = mid - 1; }
  return segments[low];
}
function yOf(t) {
  const s = segmentBy('t0', t);
  return s.t1 === s.t0 ? s.y0 : s.y0 + (t - s.t0) / (s.t1 - s.t0) * (s.y1 - s.y0);
}
function tOf(y) {
  const s = segmentBy('y0', y);
  return s.y1 === s.y0 ? s.t0 : s.t0 + Math.min(1, Math.max(0, (y - s.y0) / (s.y1 - s.y0))) * (s.t1 - s.t0);
}

// --- Drawing ---------------------------------------------------------------------------------------
const line = (cls, x1, y1, x2, y2) => '<line class="' + cls + '" x1="' + x1.toFixed(1) + '" y1="' + y1.toFixed(1) + '" x2="' + x2.toFixed(1) + '" y2="' + y2.toFixed(1) + '"/>';
const rect = (cls, x, y, w, h) => '<rect class="' + cls + '" x="' + x.toFixed(1) + '" y="' + y.toFixed(1) + '" width="' + w.toFixed(1) + '" height="' + Math.max(0, h).toFixed(1) + '"/>';
/** As one or two lines of at most so many characters. */
function wrap(words, max) {
  if (words.length <= max) return [words];
  const space = words.lastIndexOf(' ', max), at = space > max * 0.4 ? space : max;
  return [words.slice(0, at), clip(words.slice(at).trim(), max)];
}
const text = (cls, x, y, words) => '<text class="' + cls + '" x="' + x.toFixed(1) + '" y="' + y.toFixed(1) + '">' + esc(words) + '</text>';
/** Rows of text already taken, by place: a label that would cover another is left out, or moved down. */
class Rows {
  constructor() { this.taken = new Map(); }
  take(place, y, tries) {
    const rows = this.taken.get(place) ?? [];
    this.taken.set(place, rows);
    for (let i = 0; i < tries; i++) {
      const at = y + i * 13;
      if (rows.every((r) => Math.abs(r - at) >= 12.5)) { rows.push(at); return at; }
    }
    return null;
  }
}
/** While it is printed all of it is drawn, also when the paper's width redraws it. */
let all = false;
function draw() {
  const top = stage.getBoundingClientRect().top;
  const y0 = all ? 0 : Math.max(0, -top - 400), y1 = all ? height : Math.min(height, -top + innerHeight + 400);
  if (y1 <= y0) return;
  svg.setAttribute('viewBox', '0 ' + y0 + ' ' + width + ' ' + (y1 - y0));
  svg.style.top = y0 + 'px'; svg.style.width = width + 'px'; svg.style.height = (y1 - y0) + 'px';
  const t0 = tOf(y0), t1 = tOf(y1), rows = new Rows(), out = [];
  drawTime(out, y0, y1);
  drawFaults(out, rows, t0, t1);
  drawLifelines(out, rows, t0, t1);
  const seen = messages.filter((m) => m.sentMs <= t1 && endOf(m) >= t0 - 20);
  const max = all ? PRINTED_MAX : DRAWN_MAX;
  for (const m of seen.slice(0, max)) drawMessage(out, rows, m, seen.length <= 1200 || all);
  for (const o of operations) if (o.invokedMs <= t1 && (o.endedMs ?? o.invokedMs + 1e3) >= t0) drawOperation(out, rows, o);
  svg.innerHTML = out.join('');
  $('thinned').textContent = seen.length > max ? (seen.length - max).toLocaleString('en-US') + ' of the messages in view are not drawn: zoom in or filter' : '';
  drawMap();
}
function drawTime(out, y0, y1) {
  for (const s of segments) {
    if (s.y1 < y0 || s.y0 > y1) continue;
    if (s.fold) {
      out.push(rect('fold', 0, s.y0, width, FOLD_PX));
      const gap = s.t1 - s.t0;
      out.push(text('foldtext', AXIS + laneCount * LANE + 4, s.y0 + FOLD_PX / 2 + 4, (gap < 1000 ? gap.toFixed(0) + ' ms' : (gap / 1000).toFixed(2) + ' s') + ', nothing shown'));
      continue;
    }
    const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 6e4, 6e5].find((one) => one * state.pxPerMs >= 52) ?? 36e5;
    const from = Math.max(s.t0, tOf(y0)), to = Math.min(s.t1, tOf(y1));
    const ticks = [];
    for (let i = Math.ceil(from / step); i * step <= to; i++) {
      const y = yOf(i * step);
      if (y > s.y0 + 9 && y < s.y1 - 9) ticks.push(i * step);
    }
    if (ticks.length === 0 && s.y1 > s.y0) ticks.push(s.t0 + Math.min(FOLD_KEEP_PX / state.pxPerMs, (s.t1 - s.t0) / 2));
    for (const t of ticks) {
      const y = yOf(t);
      out.push(line('grid', AXIS - 6, y, width, y), text('tick', AXIS - 10, y + 4, (t / 1000).toFixed(step < 1 ? 4 : 3) + ' s'));
    }
  }
}
function drawFaults(out, rows, t0, t1) {
  scene.faults.forEach((f, i) => {
    if (f.beganMs > t1 || f.endedMs < t0) return;
    const y = yOf(f.beganMs), h = Math.max(3, yOf(f.endedMs) - y), lane = laneOf[i] % 6;
    const body = [];
    for (const c of f.columns) if (columns[c]) body.push(rect('band', columns[c].x - 15, y, 30, h));
    body.push(rect('fault', AXIS + lane * LANE, y, LANE - 3, h));
    const x = AXIS + laneCount * LANE + 4, room = Math.floor((GUTTER - x - 10) / CHAR);
    const parts = wrap(f.detail, room);
    const at = rows.take('faults', Math.max(y, yOf(t0) < y ? y : yOf(t0)) + 10, 8);
    if (at !== null) body.push(line('leader', AXIS + lane * LANE + LANE - 3, y, x, at - 4), text('faulttext', x, at, parts[0]));
    if (at !== null && parts.length > 1) { rows.take('faults', at + 13, 1); body.push(text('faulttext', x, at + 13, parts[1])); }
    if (h > 30) { const end = rows.take('faults', y + h, 1); if (end !== null) body.push(text('faultend', x, end, clip('end of ' + f.name, room))); }
    out.push('<g class="f" data-is="f" data-i="' + i + '">' + body.join('') + '<title>' + esc(f.detail) + '</title></g>');
  });
}
function drawLifelines(out, rows, t0, t1) {
  columns.forEach((c, number) => {
    out.push(line('life off', c.x, yOf(t0), c.x, yOf(t1)));
    let up = null, paused = null;
    const marks = scene.events.filter((e) => e.column === number);
    for (const e of [...marks, { what: 'end', atMs: Infinity }]) {
      const at = Math.min(e.atMs, scene.endMs);
      if (up !== null && e.what !== 'start' && e.what !== 'pause' && e.what !== 'resume' && at >= t0 && up <= t1) {
        out.push(line('life', c.x, yOf(Math.max(up, t0)), c.x, yOf(Math.min(at, t1))));
      }
      if (paused !== null && e.what !== 'pause' && at >= t0 && paused <= t1) out.push(rect('paused', c.x - 5, yOf(paused), 10, yOf(at) - yOf(paused)));
      if (e.what === 'start') up = e.atMs;
      else if (e.what === 'pause') paused = e.atMs;
      else if (e.what === 'resume') paused = null;
      else { up = null; paused = null; }
    }
    for (const e of marks) {
      if (e.atMs < t0 || e.atMs > t1) continue;
      const y = yOf(e.atMs), sign = { start: '\\u25b6', crash: '\\u2716', 'power-off': '\\u2716', exit: '\\u25a0', pause: '\\u2016', resume: '\\u25b6' }[e.what];
      out.push('<g class="mark ' + e.what + '"><circle cx="' + c.x.toFixed(1) + '" cy="' + y.toFixed(1) + '" r="7"/>' + text('sign', c.x, y + 3.5, sign));
      const at = rows.take('marks ' + number, y + 4, 3);
      if (at !== null) out.push(c.is === 'node' ? text('marktext', c.x + 10, at, e.what) : text('marktext left', c.x - 10, at, e.what));
      out.push('</g>');
    }
  });
}
function drawMessage(out, rows, m, labelled) {
  const a = columns[m.from], b = columns[m.to], right = b.x > a.x ? 1 : -1;
  const gone = m.arrivedMs === null, x1 = a.x + right * (a.is === 'client' ? 5 : 2), y1 = yOf(m.sentMs);
  const aim = b.x - right * (b.is === 'client' && right < 0 ? 6 : 3);
  const x2 = gone ? x1 + (aim - x1) * 0.6 : aim, y2 = gone ? y1 + 12 : yOf(m.arrivedMs);
  const length = Math.hypot(x2 - x1, y2 - y1) || 1, ux = (x2 - x1) / length, uy = (y2 - y1) / length;
  const chosen = state.selected !== null && state.selected.one === m;
  const body = [line('hit', x1, y1, x2, y2), line('wire', x1, y1, x2, y2)];
  if (gone) body.push('<path class="cross" d="M' + (x2 - 5).toFixed(1) + ' ' + (y2 - 5).toFixed(1) + 'l10 10m0 -10l-10 10"/>');
  else body.push('<path class="tip" d="M' + x2.toFixed(1) + ' ' + y2.toFixed(1) + 'L' + (x2 - 8 * ux - 3.5 * uy).toFixed(1) + ' ' + (y2 - 8 * uy + 3.5 * ux).toFixed(1) + 'L' + (x2 - 8 * ux + 3.5 * uy).toFixed(1) + ' ' + (y2 - 8 * uy - 3.5 * ux).toFixed(1) + 'z"/>');
  if (labelled || chosen) {
    const note = { corrupted: '! corrupted ', lost: 'lost ', dropped: 'lost ', late: 'late ', duplicate: 'copy ' }[m.fate] ?? (gone ? 'not taken ' : '');
    const room = (b.is === 'client' ? 170 : NODE - 20) / CHAR, words = clip(note + m.label, Math.max(8, Math.floor(Math.min(room, (Math.abs(x2 - x1) - 12) / CHAR))));
    const half = words.length * CHAR / 2 + 11, y = y2 - uy / (Math.abs(ux) || 1) * half - 3, row = rows.take('m' + m.to + (right > 0 ? '>' : '<'), y, chosen ? 4 : 1);
    if (row !== null) body.push(text('label', x2 - right * half, row, words));
  }
  out.push('<g class="m ' + m.kind + ' ' + m.fate + (gone ? ' gone' : '') + (chosen ? ' chosen' : '') + '" data-is="m" data-i="' + m.i + '">' + body.join('') + '</g>');
}
function drawOperation(out, rows, o) {
  const c = columns[o.column], y = yOf(o.invokedMs), open = o.endedMs === null;
  const h = Math.max(5, (open ? y + 30 : yOf(o.endedMs)) - y), chosen = state.selected !== null && state.selected.one === o;
  const row = rows.take('o' + o.column, y + 10, o.witness > 0 || chosen ? 4 : 2);
  const room = Math.floor((c.wide - 26) / CHAR);
  const words = (o.witness > 0 ? 'W' + o.witness + ' ' : '') + SIGN[o.outcome] + ' ' + o.label;
  let label = '';
  if (row !== null) {
    const parts = wrap(words, room), second = parts.length > 1 && rows.take('o' + o.column, row + 13, 1) !== null;
    label = second ? text('label', c.x - 9, row, parts[0]) + text('label', c.x - 9, row + 13, parts[1]) : text('label', c.x - 9, row, clip(words, room));
  }
  out.push('<g class="o ' + o.outcome + (o.witness > 0 ? ' witness' : '') + (chosen ? ' chosen' : '') + '" data-is="o" data-i="' + o.i + '">'
    + rect('hit', c.left + 4, y - 2, c.wide - 6, Math.max(12, h)) + rect('bar', c.x - 5, y, 10, h)
    + label + '</g>');
}

// --- The map of the whole run ----------------------------------------------------------------------
/** The picture of the map, made again when the layout changes; a scroll only moves the frame on it. */
let picture = null;
function mapPicture(w, h, dense) {
  const canvas = document.createElement('canvas');
  canvas.width = w * dense; canvas.height = h * dense;
  const g = canvas.getContext('2d'), style = getComputedStyle(document.body), color = (name) => style.getPropertyValue(name).trim();
  const colors = { ok: color('--ok'), fail: color('--fail'), info: color('--info') };
  g.scale(dense, dense);
  const at = (y) => y / height * h, x = (column) => 14 + column / columns.length * (w - 16), wide = (w - 16) / columns.length;
  g.fillStyle = color('--line');
  for (const m of messages) g.fillRect(x(Math.min(m.from, m.to)) + wide / 2, at(yOf(m.sentMs)), Math.abs(m.from - m.to) * wide, 0.35);
  g.fillStyle = color('--bad');
  scene.faults.forEach((f, i) => g.fillRect(1 + laneOf[i] % 6 * 2, at(yOf(f.beganMs)), 1.5, Math.max(1, at(yOf(f.endedMs)) - at(yOf(f.beganMs)))));
  for (const o of operations) {
    g.fillStyle = colors[o.outcome];
    g.fillRect(x(o.column) + 1, at(yOf(o.invokedMs)), wide - 2, Math.max(1, at(yOf(o.endedMs ?? o.invokedMs)) - at(yOf(o.invokedMs))));
  }
  g.fillStyle = color('--witness');
  for (const o of operations) if (o.witness > 0) g.fillRect(0, at(yOf(o.invokedMs)) - 1, w, 2.5);
  return { canvas, frame: color('--accent') };
}
function drawMap() {
  const h = map.clientHeight, w = map.clientWidth, dense = devicePixelRatio || 1;
  if (h === 0) return;
  if (map.width !== w * dense || map.height !== h * dense) { map.width = w * dense; map.height = h * dense; picture = null; }
  picture ??= mapPicture(w, h, dense);
  const g = map.getContext('2d'), top = -stage.getBoundingClientRect().top;
  g.setTransform(1, 0, 0, 1, 0, 0);
  g.clearRect(0, 0, map.width, map.height);
  g.drawImage(picture.canvas, 0, 0);
  g.scale(dense, dense);
  g.strokeStyle = picture.frame; g.lineWidth = 2;
  g.strokeRect(1, Math.max(0, top) / height * h, w - 2, Math.max(6, innerHeight / height * h));
}
function toMapPoint(event) {
  if (event.buttons === 0) return;
  const box = map.getBoundingClientRect();
  goTo((event.clientY - box.top) / box.height * height, 'instant');
}

// --- Moving about ----------------------------------------------------------------------------------
function goTo(y, behavior) {
  scrollTo({ top: stage.getBoundingClientRect().top + scrollY + y - innerHeight * 0.4, behavior: behavior ?? 'instant' });
}
function middle() {
  return tOf(Math.min(height, Math.max(0, innerHeight * 0.4 - stage.getBoundingClientRect().top)));
}
function redo(change) {
  const inView = stage.getBoundingClientRect().top < innerHeight * 0.4, held = state.selected !== null ? state.selected.at : middle();
  change();
  filter(); layoutTime();
  if (inView) goTo(yOf(held));
  draw();
}
function zoom(px) {
  redo(() => { state.pxPerMs = Math.min(200, Math.max(0.01, px)); });
  $('zoom').value = String(Math.log10(state.pxPerMs));
  $('scale').textContent = state.pxPerMs >= 1 ? state.pxPerMs.toPrecision(2) + ' px a ms' : (1 / state.pxPerMs).toPrecision(2) + ' ms a px';
}
function select(item, go) {
  state.selected = item;
  tell(item);
  if (item !== null && go) goTo(yOf(item.at));
  draw();
}
const find = (is, i) => is === 'm' ? { is, at: scene.messages[i].sentMs, one: scene.messages[i] } : is === 'o' ? { is, at: scene.operations[i].invokedMs, one: scene.operations[i] } : { is, at: scene.faults[i].beganMs, one: scene.faults[i] };
function step(by) {
  if (items.length === 0) return;
  const now = state.selected === null ? -1 : items.findIndex((item) => item.one === state.selected.one);
  const from = now >= 0 ? now + by : items.findIndex((item) => item.at >= middle());
  select(items[Math.min(items.length - 1, Math.max(0, from))], true);
}
function stepWitness() {
  const all = scene.operations.filter((o) => o.witness > 0).sort((a, b) => a.witness - b.witness);
  if (all.length === 0) return;
  const now = state.selected === null ? -1 : all.indexOf(state.selected.one);
  const next = all[(now + 1) % all.length];
  select({ is: 'o', at: next.invokedMs, one: next }, true);
}
function lines(item) {
  const { is, one } = item, name = (i) => scene.columns[i].name;
  if (is === 'f') return [one.name, one.detail, seconds(one.beganMs) + ' to ' + seconds(one.endedMs)];
  if (is === 'o') return [(one.witness > 0 ? 'witness ' + one.witness + ': ' : '') + one.label, 'process ' + one.process + ' (' + name(one.column) + '), ' + one.outcome + ' ' + SIGN[one.outcome],
    seconds(one.invokedMs) + (one.endedMs === null ? ', never ended' : ' to ' + seconds(one.endedMs) + ' (' + (one.endedMs - one.invokedMs).toFixed(3) + ' ms)'), ...one.detail.split('\\n')];
  const fate = one.arrivedMs === null ? (MEANS[one.fate] || 'whole') + '; never taken' : MEANS[one.fate];
  return [name(one.from) + ' \\u2192 ' + name(one.to) + '  ' + one.kind, ...one.detail.split('\\n'),
    'sent ' + seconds(one.sentMs) + (one.arrivedMs === null ? '' : ', taken ' + seconds(one.arrivedMs) + ' (' + (one.arrivedMs - one.sentMs).toFixed(3) + ' ms)') + ', ' + one.bytes + ' bytes', ...(fate === '' ? [] : [fate])];
}
function tell(item) {
  const panel = $('details');
  panel.hidden = item === null;
  if (item !== null) panel.innerHTML = lines(item).map((l, i) => (i === 0 ? '<b>' + esc(l) + '</b>' : '<div>' + esc(l) + '</div>')).join('');
}
function fromHash() {
  const hash = decodeURIComponent(location.hash.slice(1));
  if (hash.startsWith('op-')) {
    const i = scene.operations.findIndex((o) => o.id === Number(hash.slice(3)));
    if (i < 0) return;
    if (!operations.includes(scene.operations[i])) { state.key = ''; $('key').value = ''; redo(() => {}); }
    select(find('o', i), true);
  } else if (hash.startsWith('ms-')) { const ms = Number(hash.slice(3)); if (ms >= scene.beginMs && ms <= scene.endMs) { select(null, false); goTo(yOf(ms)); draw(); } }
}

// --- Wiring ----------------------------------------------------------------------------------------
for (const box of document.querySelectorAll('input[name=kind]')) {
  if (box.checked) state.kinds.add(box.value);
  box.addEventListener('change', () => redo(() => { if (box.checked) state.kinds.add(box.value); else state.kinds.delete(box.value); }));
}
for (const id of ['key', 'node']) { state[id] = $(id).value; $(id).addEventListener('change', () => redo(() => { state[id] = $(id).value; })); }
for (const id of ['fold', 'hurt']) { state[id] = $(id).checked; $(id).addEventListener('change', () => redo(() => { state[id] = $(id).checked; })); }
$('zoom').addEventListener('input', () => zoom(10 ** Number($('zoom').value)));
$('nearer').addEventListener('click', () => zoom(state.pxPerMs * 1.6));
$('farther').addEventListener('click', () => zoom(state.pxPerMs / 1.6));
$('witness').addEventListener('click', stepWitness);
let waiting = false;
addEventListener('scroll', () => { if (!waiting) { waiting = true; requestAnimationFrame(() => { waiting = false; draw(); }); } }, { passive: true });
addEventListener('resize', () => { layoutColumns(); redo(() => {}); });
addEventListener('hashchange', fromHash);
document.addEventListener('click', (event) => { if (event.target.closest('a[href="' + location.hash + '"]')) fromHash(); });
addEventListener('beforeprint', () => { all = true; draw(); });
addEventListener('afterprint', () => { all = false; draw(); });
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { picture = null; draw(); });
const under = (event) => { const g = event.target.closest('[data-is]'); return g === null ? null : find(g.dataset.is, Number(g.dataset.i)); };
svg.addEventListener('pointerover', (event) => tell(under(event) ?? state.selected));
svg.addEventListener('click', (event) => select(under(event), false));
map.addEventListener('pointerdown', (event) => { map.setPointerCapture(event.pointerId); toMapPoint(event); });
map.addEventListener('pointermove', toMapPoint);
document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT)$/.test(event.target.tagName)) return;
  const inDiagram = event.target === stage;
  if (event.key === 'j' || (inDiagram && event.key === 'ArrowDown')) step(1);
  else if (event.key === 'k' || (inDiagram && event.key === 'ArrowUp')) step(-1);
  else if (event.key === 'w') stepWitness();
  else if (event.key === '+' || event.key === '=') zoom(state.pxPerMs * 1.6);
  else if (event.key === '-') zoom(state.pxPerMs / 1.6);
  else if (event.key === 'Escape') select(null, false);
  else return;
  event.preventDefault();
});
layoutColumns(); layoutLanes(); filter(); layoutTime();
{
  // An arrow of usual length falls by a few lines, so that cause and effect can be told apart.
  const taken = messages.filter((m) => m.arrivedMs !== null).map((m) => m.arrivedMs - m.sentMs).sort((a, b) => a - b);
  zoom(Math.min(40, Math.max(0.05, 16 / (taken[taken.length >> 1] || 1))));
}
fromHash();
})();
`;

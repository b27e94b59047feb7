/**
 * What the page of a trace draws, as plain data: columns, messages, operations, faults, what became of processes. Times are
 * milliseconds since the fault phase began, as in histories and witnesses.
 *
 * Bounded: of more than it can draw it keeps what lies nearest to the witness, messages about data before heartbeats
 * and comparisons, and says how much it left out.
 */
import { failedCheck } from '../run/failed-check.js';
import type { CheckResult } from '../run/checks.js';
import type { RunResult } from '../run/simulate.js';
import type { Trace, TraceMessage, TraceProcess } from '../../src/simulation/trace.js';
import { operationsOf } from '../history/pairing.js';
import type { HistoryEvent, Operation } from '../history/history.js';
import { exchangeKeys } from './exchange-keys.js';
import { clip } from './html.js';
import { callText, valueText } from './value-text.js';

export const MESSAGE_KINDS = ['client', 'replication', 'anti-entropy', 'connection'] as const;
export type MessageKind = (typeof MESSAGE_KINDS)[number];

export interface SceneLimits {
  readonly messagesMax: number;
  readonly operationsMax: number;
  /** Of faults and of events of processes each. */
  readonly othersMax: number;
  readonly keysMax: number;
}

const LIMITS_DEFAULT: SceneLimits = {
  messagesMax: 20_000,
  operationsMax: 5_000,
  othersMax: 1_000,
  keysMax: 500,
};

const LABEL_MAX = 80;
const DETAIL_MAX = 600;

export interface SceneColumn {
  readonly name: string;
  readonly is: 'client' | 'node';
}

export interface SceneMessage {
  readonly from: number;
  readonly to: number;
  readonly sentMs: number;
  readonly arrivedMs: number | null;
  readonly fate: TraceMessage['fate'];
  readonly kind: MessageKind;
  readonly label: string;
  readonly detail: string;
  /** Keys that it is about, as indexes; of an answer those of its question. */
  readonly keys: readonly number[];
  readonly bytes: number;
}

export interface SceneOperation {
  /** Event index of its invocation, by which checks and links name it. */
  readonly id: number;
  readonly column: number;
  readonly process: string;
  readonly f: string;
  readonly label: string;
  readonly detail: string;
  readonly outcome: Operation['outcome'];
  readonly invokedMs: number;
  /** Of `info` when its client gave up; null where nobody said. */
  readonly endedMs: number | null;
  readonly key: number | null;
  /** Place among the operations of the witness, from 1; 0 for none. */
  readonly witness: number;
}

export interface SceneFault {
  readonly name: string;
  readonly detail: string;
  /** Columns that it is about; empty for all. */
  readonly columns: readonly number[];
  readonly beganMs: number;
  readonly endedMs: number;
}

export interface SceneProcessEvent {
  readonly column: number;
  readonly atMs: number;
  readonly what: TraceProcess['what'];
}

export interface TraceScene {
  readonly beginMs: number;
  readonly endMs: number;
  readonly columns: readonly SceneColumn[];
  readonly keys: readonly string[];
  readonly witnessKeys: readonly number[];
  readonly messages: readonly SceneMessage[];
  readonly operations: readonly SceneOperation[];
  readonly faults: readonly SceneFault[];
  readonly events: readonly SceneProcessEvent[];
  /** What is not in here, in words. */
  readonly leftOut: readonly string[];
}

/** What the page is about: the check that failed, else what else was found wrong though not promised. */
export function subjectOf(result: Pick<RunResult, 'checks'>): CheckResult | undefined {
  return failedCheck(result) ?? result.checks.find(({ verdict }) => verdict.validity !== 'valid');
}

export function traceScene(
  run: RunResult,
  trace: Trace,
  nodes: readonly string[],
  clients: number,
  limits: Partial<SceneLimits> = {},
): TraceScene {
  const bounds = { ...LIMITS_DEFAULT, ...limits };
  const { beganMs } = run;
  const since = (ms: number): number => Math.round((ms - beganMs) * 1_000) / 1_000;
  const columns = columnsOf(trace, run.history, nodes, clients);
  const columnAt = new Map(columns.map(({ name }, i) => [name, i]));
  const column = (name: string): number => columnAt.get(name) ?? 0;

  const operations = operationsOf(run.history);
  const concerned = subjectOf(run)?.verdict.witness?.operations ?? [];
  const rank = new Map(concerned.map((operation, i) => [operation.invokedAt, i + 1]));
  const keys = new Keys(bounds.keysMax);
  const witnessKeys = [...new Set(concerned.flatMap(({ key }) => (key === undefined ? [] : [key])))].map(
    (key) => keys.of(key),
  );
  const around = interestOf(concerned);
  const gaveUp = gaveUpAt(run.history);

  const drawnOperations = nearest(operations, bounds.operationsMax, (o) => {
    return (rank.has(o.invokedAt) ? -1e12 : 0) + distance(around, ms(o.invokedNs), ms(o.invokedNs));
  });
  const messageKeys = exchangeKeys(trace.messages);
  const drawnMessages = nearest(
    trace.messages.map((message, i) => ({ message, i, kind: kindOf(message) })),
    bounds.messagesMax,
    ({ message, kind }) => {
      const background = kind === 'client' || kind === 'replication' ? 0 : 1e9;
      return background + distance(around, message.sentMs - beganMs, message.sentMs - beganMs);
    },
  );
  const drawnFaults = trace.faults.slice(0, bounds.othersMax);
  const drawnEvents = trace.processes.slice(0, bounds.othersMax);
  const scene: Omit<TraceScene, 'keys'> = {
    beginMs: since(
      Math.min(beganMs, trace.processes[0]?.atMs ?? beganMs, trace.messages[0]?.sentMs ?? beganMs),
    ),
    endMs: since(run.virtualMs),
    columns,
    witnessKeys: witnessKeys.filter((key) => key >= 0),
    operations: drawnOperations.map((operation) => ({
      id: operation.invokedAt,
      column: column(clientOf(operation.process, clients)),
      process: String(operation.process),
      f: operation.f,
      label: clip(labelOf(operation), LABEL_MAX),
      detail: clip(detailOf(operation), DETAIL_MAX),
      outcome: operation.outcome,
      invokedMs: ms(operation.invokedNs),
      endedMs:
        operation.outcome === 'info' ? (gaveUp.get(operation.invokedAt) ?? null) : ms(operation.completedNs),
      key: operation.key === undefined ? null : keys.of(operation.key),
      witness: rank.get(operation.invokedAt) ?? 0,
    })),
    messages: drawnMessages.map(({ message, i, kind }) => ({
      from: column(message.from),
      to: column(message.to),
      sentMs: since(message.sentMs),
      arrivedMs: message.arrivedMs === null ? null : since(message.arrivedMs),
      fate: message.fate,
      kind,
      label: clip(carriedText(message), LABEL_MAX),
      detail: clip(carriedDetail(message), DETAIL_MAX),
      keys: [...(messageKeys[i] ?? [])].map((key) => keys.of(key)),
      bytes: message.sizeBytes,
    })),
    faults: drawnFaults.map(({ name, detail, nodes: about, beganMs: from, endedMs }) => ({
      name,
      detail: clip(detail, DETAIL_MAX),
      columns: about.map(column),
      beganMs: since(from),
      endedMs: since(endedMs ?? run.virtualMs),
    })),
    events: drawnEvents.map(({ atMs, name, what }) => ({ column: column(name), atMs: since(atMs), what })),
    leftOut: leftOutOf([
      [operations.length - drawnOperations.length, 'operations far from the witness'],
      [
        trace.messages.length - drawnMessages.length,
        'messages (heartbeats and comparisons first, then those far from the witness)',
      ],
      [trace.dropped.messages, 'messages before the earliest that the recorder kept'],
      [trace.faults.length - drawnFaults.length + trace.dropped.faults, 'later faults'],
      [trace.processes.length - drawnEvents.length + trace.dropped.processes, 'later starts and stops'],
    ]),
  };
  return { ...scene, keys: keys.names };
}

/** As many as leave room for the nodes on a screen. */
const CLIENTS_BESIDE_MAX = 8;

/** Clients first, then the nodes, so that requests run to the right; of many clients half stand on the other side. */
function columnsOf(
  trace: Trace,
  history: readonly HistoryEvent[],
  nodes: readonly string[],
  clients: number,
): SceneColumn[] {
  const planned = Array.from({ length: clients }, (_, i) => `c${String(i)}`);
  const named = history.map(({ process }) => clientOf(process, clients));
  const met = trace.messages.flatMap(({ from, to }) => [from, to]);
  const known = new Set(nodes);
  const others = [...named, ...met, ...trace.processes.map(({ name }) => name)].filter((n) => !known.has(n));
  const left = [...new Set([...planned, ...others])];
  const right = left.length > CLIENTS_BESIDE_MAX ? left.splice(Math.ceil(left.length / 2)) : [];
  return [
    ...left.map((name) => ({ name, is: 'client' as const })),
    ...nodes.map((name) => ({ name, is: 'node' as const })),
    ...right.map((name) => ({ name, is: 'client' as const })),
  ];
}

/** After an unknown outcome a client goes on as a new process: its number and a multiple of the clients. */
function clientOf(process: number | string, clients: number): string {
  return typeof process === 'number' ? `c${String(process % clients)}` : process;
}

const ANTI_ENTROPY = /^(compare-|differing-|offer-)/;

/** By its messages; a frame with several is the first kind of the list that any of them is. */
function kindOf({ carried = [] }: TraceMessage): MessageKind {
  const kinds = new Set(
    carried.map(({ name, exchange }): MessageKind => {
      if (exchange?.startsWith('request ') === true) return 'client';
      if (ANTI_ENTROPY.test(name)) return 'anti-entropy';
      return CONNECTION.has(name) ? 'connection' : 'replication';
    }),
  );
  return MESSAGE_KINDS.find((kind) => kinds.has(kind)) ?? 'connection';
}

const CONNECTION: ReadonlySet<string> = new Set([
  'hello',
  'welcome',
  'refused',
  'ping',
  'pong',
  'goodbye',
  'unreadable',
]);

const LABELLED_MAX = 2;

function carriedText({ carried = [] }: TraceMessage): string {
  const texts = carried.map(({ name, key, detail }) =>
    [name, key ?? '', detail].filter((t) => t !== '').join(' '),
  );
  const more = texts.length - LABELLED_MAX;
  return [...texts.slice(0, LABELLED_MAX), ...(more > 0 ? [`and ${String(more)} more`] : [])].join('; ');
}

function carriedDetail({ carried = [] }: TraceMessage): string {
  return carried
    .map(({ name, key, exchange, detail }) =>
      [name, key === null ? '' : `key ${key}`, detail, exchange === null ? '' : `(${exchange})`]
        .filter((text) => text !== '')
        .join(' '),
    )
    .join('\n');
}

function labelOf(operation: Operation): string {
  const key = operation.key === undefined ? '' : ` ${operation.key}`;
  return callText(operation).replace(operation.f, () => `${operation.f}${key}`);
}

function detailOf({ input, output, outcome, seen, invokedAt, completedAt }: Operation): string {
  return [
    `asked ${valueText(input)}`,
    ...(outcome === 'ok' ? [`answered ${valueText(output)}`] : []),
    ...(seen === undefined ? [] : [`had seen ${valueText(seen)}`]),
    `events #${String(invokedAt)}${Number.isFinite(completedAt) ? ` and #${String(completedAt)}` : ''}`,
  ].join('\n');
}

/** When each operation that nobody knows the outcome of was given up, by its invocation. */
function gaveUpAt(history: readonly HistoryEvent[]): Map<number, number> {
  const open = new Map<number | string, number>();
  const ended = new Map<number, number>();
  for (const { index, process, type, time } of history) {
    const invoked = open.get(process);
    if (type === 'invoke') open.set(process, index);
    else if (type === 'info' && invoked !== undefined && time !== undefined) ended.set(invoked, time / 1e6);
  }
  return ended;
}

interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** The time that the witness is about; the end of the run where there is none, for a failure shows at the end. */
function interestOf(concerned: readonly Operation[]): Span {
  if (concerned.length === 0) return { fromMs: Infinity, toMs: Infinity };
  const ends = concerned.map(({ invokedNs, completedNs }) =>
    Number.isFinite(completedNs) ? completedNs : invokedNs,
  );
  return { fromMs: ms(Math.min(...concerned.map((o) => o.invokedNs))), toMs: ms(Math.max(...ends)) };
}

function distance({ fromMs, toMs }: Span, beginMs: number, endMs: number): number {
  if (fromMs === Infinity) return -endMs;
  return Math.max(0, fromMs - endMs, beginMs - toMs);
}

/** At most so many, those of the least `far`, in the order they came in. */
function nearest<T>(all: readonly T[], max: number, far: (one: T) => number): readonly T[] {
  if (all.length <= max) return all;
  return all
    .map((one, i) => ({ one, i, far: far(one) }))
    .toSorted((a, b) => a.far - b.far || a.i - b.i)
    .slice(0, max)
    .toSorted((a, b) => a.i - b.i)
    .map(({ one }) => one);
}

function leftOutOf(counts: readonly (readonly [number, string])[]): string[] {
  return counts.flatMap(([count, what]) => (count > 0 ? [`${what}: ${count.toLocaleString('en-US')}`] : []));
}

function ms(ns: number): number {
  return Math.round(ns / 1_000) / 1_000;
}

/** Keys by number, in the order met; those beyond the bound are -1, which no filter names. */
class Keys {
  readonly names: string[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  of(key: string): number {
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const number = this.names.length < this.#max ? this.names.push(key) - 1 : -1;
    if (number >= 0) this.#numbers.set(key, number);
    return number;
  }
}

/**
 * What was measured, as a table for people and as an object for machines. Each cell is the median over the
 * runs; a ratio is the subject's median throughput over the yardstick's in the same scenario. It says what
 * is, and judges nothing: the aims stand in the documentation.
 */
import type { Sample } from './experiment.js';
import type { Scenario } from './load-messages.js';

export interface ScenarioResult {
  readonly scenario: Scenario;
  readonly subject: string;
  /** Medians over the runs; null where it could not be measured. */
  readonly operationsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly serverCpuSeconds: number | null;
  readonly clientCpuSeconds: number | null;
  /** Servers and client together. */
  readonly cpuUsPerOperation: number | null;
  readonly serverPeakBytes: number | null;
  /** Failed requests of all runs together, by error code. */
  readonly errors: Readonly<Record<string, number>>;
  /** Throughput over the yardstick's; null for the yardstick itself. */
  readonly ratio: number | null;
  /** The lowest and highest ratio of a single run: how far to trust the one above. */
  readonly ratioRange: readonly [number, number] | null;
}

/** One result for each scenario and subject, scenarios in the order in which they were first measured. */
export function summarize(samples: readonly Sample[], yardstick: string): ScenarioResult[] {
  return distinct(samples.map((s) => scenarioName(s.scenario))).flatMap((name) => {
    const here = samples.filter((s) => scenarioName(s.scenario) === name);
    const base = here.filter((s) => s.subject === yardstick);
    return distinct(here.map((s) => s.subject)).map((subject) =>
      result(
        here.filter((s) => s.subject === subject),
        subject === yardstick ? [] : base,
      ),
    );
  });
}

function result(samples: readonly Sample[], base: readonly Sample[]): ScenarioResult {
  const [first] = samples as readonly [Sample, ...Sample[]];
  const of = (value: (sample: Sample) => number | undefined): number | null => median(samples.map(value));
  const known = (value: (sample: Sample) => number): number => of(value) ?? 0;
  const runRatios = samples.flatMap((sample) => {
    const other = base.find((b) => b.run === sample.run);
    return other === undefined ? [] : [throughput(sample) / throughput(other)];
  });
  const baseThroughput = median(base.map(throughput));
  return {
    scenario: first.scenario,
    subject: first.subject,
    operationsPerSecond: known(throughput),
    p50Ms: known((s) => s.load.p50Ms),
    p99Ms: known((s) => s.load.p99Ms),
    maxMs: known((s) => s.load.maxMs),
    serverCpuSeconds: of((s) => s.serverCpuSeconds),
    clientCpuSeconds: of((s) => s.clientCpuSeconds),
    cpuUsPerOperation: of(cpuUsPerOperation),
    serverPeakBytes: of((s) => s.serverPeakBytes),
    errors: addUp(samples.map((s) => s.load.errors)),
    ratio: baseThroughput === null ? null : known(throughput) / baseThroughput,
    ratioRange: runRatios.length === 0 ? null : [Math.min(...runRatios), Math.max(...runRatios)],
  };
}

function throughput(sample: Sample): number {
  return sample.load.operations / sample.load.seconds;
}

function cpuUsPerOperation({ serverCpuSeconds, clientCpuSeconds, load }: Sample): number | undefined {
  if (serverCpuSeconds === undefined || clientCpuSeconds === undefined || load.operations === 0)
    return undefined;
  return ((serverCpuSeconds + clientCpuSeconds) * 1e6) / load.operations;
}

/** The table, one line a row. */
export function table(results: readonly ScenarioResult[]): string {
  const header = [
    'scenario',
    'subject',
    'ops/s',
    'ratio',
    '(runs)',
    'p50 ms',
    'p99 ms',
    'max ms',
    'server CPU s',
    'client CPU s',
    'CPU us/op',
    'peak MB/node',
    'errors',
  ];
  const rows = results.map((r) => [
    scenarioName(r.scenario),
    r.subject,
    Math.round(r.operationsPerSecond).toString(),
    r.ratio === null ? '' : r.ratio.toFixed(2),
    r.ratioRange === null ? '' : r.ratioRange.map((ratio) => ratio.toFixed(2)).join('-'),
    r.p50Ms.toFixed(2),
    r.p99Ms.toFixed(2),
    r.maxMs.toFixed(1),
    fixed(r.serverCpuSeconds, 2),
    fixed(r.clientCpuSeconds, 2),
    fixed(r.cpuUsPerOperation, 1),
    fixed(r.serverPeakBytes === null ? null : r.serverPeakBytes / 2 ** 20, 0),
    Object.entries(r.errors)
      .map(([code, count]) => `${code}: ${count}`)
      .join(', ') || '0',
  ]);
  return alignColumns([header, ...rows]);
}

/** As `write, 64 clients`. */
export function scenarioName({ workload, clients }: Scenario): string {
  return `${workload}, ${clients} clients`;
}

/** The middle value; of an even number of values the mean of the middle two. Null where a value is missing or there is none. */
export function median(values: readonly (number | undefined)[]): number | null {
  const known = values.filter((value) => value !== undefined).toSorted((a, b) => a - b);
  if (known.length === 0 || known.length < values.length) return null;
  const upper = known[known.length >> 1] as number;
  return known.length % 2 === 1 ? upper : ((known[(known.length >> 1) - 1] as number) + upper) / 2;
}

function fixed(value: number | null, digits: number): string {
  return value === null ? '-' : value.toFixed(digits);
}

function addUp(counts: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const total: Record<string, number> = {};
  for (const one of counts)
    for (const [code, count] of Object.entries(one)) total[code] = (total[code] ?? 0) + count;
  return total;
}

function distinct(values: readonly string[]): string[] {
  return [...new Set(values)];
}

/** Texts to the left in the first two columns and the last, numbers to the right. */
function alignColumns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  const last = widths.length - 1;
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column < 2 || column === last
            ? cell.padEnd(widths[column] ?? 0)
            : cell.padStart(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

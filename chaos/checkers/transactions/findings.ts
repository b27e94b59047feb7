/**
 * What a checker of transactions found, turned into a verdict: which anomalies the level forbids, and the
 * witness of the worst of them, transactions first and then the argument.
 */
import type { Operation } from '../../history/history.js';
import type { CycleStep, Verdict } from '../verdict.js';
import { ANOMALIES, ANOMALY_MEANS, type Anomaly, type Requirements, type TimeOrder } from './consistency.js';
import type { Cycle } from './cycle-search.js';
import { PROCESS, REALTIME, RW, WR, WW, type Dependency } from './dependency-graph.js';
import { nameOf, textOf } from './interned.js';
import type { Transaction } from './transaction.js';

/** How transactions are called in a witness: T1, T2 in the order in which they are first named. */
export type Names = (transaction: Transaction) => string;

interface Finding {
  readonly anomaly: Anomaly;
  readonly time: TimeOrder;
  readonly transactions: readonly Transaction[];
  readonly argue: (names: Names) => readonly string[];
  /** Of a cycle. */
  readonly steps?: () => readonly CycleStep[];
}

const RELATIONS: ReadonlyMap<number, string> = new Map([
  [WW, 'ww'],
  [WR, 'wr'],
  [RW, 'rw'],
  [PROCESS, 'process'],
  [REALTIME, 'realtime'],
]);

const ARGUMENTS_MAX = 6;
const LIST_SHOWN_MAX = 12;

export class Findings {
  private readonly found = new Map<string, { finding: Finding; count: number }>();

  /** The first of each anomaly is its witness; of the others only the number is kept. */
  add(
    anomaly: Anomaly,
    transactions: readonly Transaction[],
    argue: Finding['argue'],
    time: TimeOrder = 'none',
    steps?: Finding['steps'],
  ): void {
    const name = nameWithTime(anomaly, time);
    const known = this.found.get(name);
    if (known === undefined) {
      const finding = { anomaly, time, transactions, argue, ...(steps === undefined ? {} : { steps }) };
      this.found.set(name, { finding, count: 1 });
    } else known.count += 1;
  }

  addCycle(
    cycle: Cycle,
    transactions: readonly Transaction[],
    describe: (d: Dependency, names: Names) => string,
  ): void {
    const of = (id: number): Transaction => transactions[id]!;
    const why = (d: Dependency, names: Names): string => describeTimed(d, of, names) ?? describe(d, names);
    // T1, T2 ... in the order of the cycle.
    const namePath = (names: Names): void => cycle.path.forEach((d) => names(of(d.from)));
    const argue = (names: Names): string[] => {
      namePath(names);
      return [
        ...cycle.path.map((d) => why(d, names)),
        `so ${cycle.path.map((d) => names(of(d.from))).join(' < ')} < ${names(of(cycle.path[0]!.from))}: a cycle`,
      ];
    };
    this.add(
      cycle.anomaly,
      cycle.path.map((d) => of(d.from)),
      argue,
      cycle.time,
      () => {
        const names = namesInOrder();
        namePath(names);
        return cycle.path.map((d) => ({
          from: of(d.from).operation,
          to: of(d.to).operation,
          relation: RELATIONS.get(d.kind) ?? 'before',
          reason: why(d, names),
        }));
      },
    );
  }

  verdict(requirements: Requirements, transactions: number, undecided?: string): Verdict {
    const all = [...this.found.entries()].sort(([, a], [, b]) => rank(a.finding) - rank(b.finding));
    const forbidden = all.filter(([, { finding }]) => requirements.forbids.has(finding.anomaly));
    const allowed = all.filter(([, { finding }]) => !requirements.forbids.has(finding.anomaly));
    if (forbidden.length === 0) {
      if (undecided !== undefined) return { validity: 'unknown', reason: undecided };
      const also = allowed.length === 0 ? '' : `, which allows ${allowed.map(([name]) => name).join(', ')}`;
      return {
        validity: 'valid',
        reason: `${transactions} transactions, nothing against ${requirements.level}${also}`,
      };
    }
    const names = forbidden.map(([name, { count }]) => (count > 1 ? `${name} (${count})` : name));
    const worst = forbidden[0]![1].finding;
    return {
      validity: 'invalid',
      reason: `not ${requirements.level}: ${names.join(', ')}`,
      witness: {
        lines: witnessLines(forbidden.slice(0, ARGUMENTS_MAX).map(([name, { finding }]) => [name, finding])),
        operations: [...new Set(worst.transactions.map((t) => t.operation))],
        ...(worst.steps === undefined ? {} : { cycle: worst.steps() }),
      },
    };
  }
}

export function nameWithTime(anomaly: Anomaly, time: TimeOrder): string {
  return time === 'none' ? anomaly : `${anomaly}-${time}`;
}

function rank(finding: Finding): number {
  const time = { none: 0, process: 1, realtime: 2 }[finding.time];
  return time * ANOMALIES.length + ANOMALIES.indexOf(finding.anomaly);
}

function namesInOrder(): Names {
  const called = new Map<Transaction, string>();
  return (t) => {
    if (!called.has(t)) called.set(t, `T${called.size + 1}`);
    return called.get(t)!;
  };
}

function witnessLines(findings: readonly (readonly [string, Finding])[]): string[] {
  const names = namesInOrder();
  const lines: string[] = [];
  const shown = new Set<Transaction>();
  for (const [name, finding] of findings) {
    lines.push(`${name}: ${ANOMALY_MEANS[finding.anomaly]}`);
    const argument = finding.argue(names);
    for (const t of new Set(finding.transactions)) {
      if (!shown.has(t)) lines.push(`  ${names(t)} = ${transactionText(t)}`);
      shown.add(t);
    }
    lines.push(...argument.map((line) => `  ${line}`));
  }
  return lines;
}

function transactionText({ operation, outcome }: Transaction): string {
  const value = Array.isArray(operation.output) ? operation.output : operation.input;
  const steps = Array.isArray(value)
    ? (value as readonly Operation['output'][]).map(stepText).join(', ')
    : '';
  const ending = outcome === 'ok' ? '' : ` (${outcome})`;
  return `${steps}${ending}, process ${operation.process}, operation ${operation.index}`;
}

function stepText(step: Operation['output']): string {
  if (!Array.isArray(step)) return textOf(step);
  const [kind, key, value] = step as readonly Operation['output'][];
  const name = nameOf(key ?? null);
  if (kind === 'append') return `append ${textOf(value ?? null)} to ${name}`;
  if (kind === 'w' || kind === 'write') return `write ${name} = ${textOf(value ?? null)}`;
  return `read ${name} = ${listText(value ?? null)}`;
}

/** A long list by its end, which is what tells versions apart. */
export function listText(value: Operation['output']): string {
  if (!Array.isArray(value) || value.length <= LIST_SHOWN_MAX) return textOf(value);
  const list = value as readonly Operation['output'][];
  return `[${list.length - LIST_SHOWN_MAX} more, ${list.slice(-LIST_SHOWN_MAX).map(textOf).join(' ')}]`;
}

function describeTimed(d: Dependency, of: (id: number) => Transaction, names: Names): string | undefined {
  const a = names(of(d.from));
  const b = names(of(d.to));
  if (d.kind === PROCESS) return `${a} came before ${b} in process ${of(d.to).operation.process} (process)`;
  if (d.kind === REALTIME) return `${a} had completed before ${b} began (realtime)`;
  return undefined;
}

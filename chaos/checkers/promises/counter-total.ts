/**
 * A counter's total: what was acknowledged counts once, what is unknown counts once or not at all. A read must lie between the
 * sums that these leave possible; the final read besides must differ from the acknowledged sum by a multiple of what all unknown
 * amounts have in common, which tells a doubled 2 from a lost 1. Which subset of the unknown ones
 * it was is not asked: that is the subset-sum problem, and workloads mostly add ones.
 */
import type { Operation } from '../../history/history.js';
import type { Verdict } from '../verdict.js';
import { JUDGE_DEFAULT, shownBy, type ReadPromiseOptions } from './key-ledger.js';
import { began, count, ended, fate, nameOf, Violations, type Violation } from './witness-lines.js';

export interface CounterOptions extends ReadPromiseOptions {
  readonly initial?: number;
}

export function checkCounterTotal(operations: readonly Operation[], options: CounterOptions = {}): Verdict {
  const judge = options.judge ?? JUDGE_DEFAULT;
  const violations = new Violations();
  const counters = countersOf(operations);
  let unread: string | undefined;
  let reads = 0;
  for (const [key, counter] of counters) {
    const sums = new CounterSums(counter.adds, options.initial ?? 0);
    const final = counter.reads.findLast((read) => read.process === judge);
    if (final === undefined && counter.adds.some((add) => add.outcome === 'ok')) unread ??= key;
    for (const read of counter.reads) {
      reads++;
      const quorum = read === final || options.isQuorumRead?.(read) !== false;
      const total = totalOf(read, options.initial ?? 0);
      const bounds = sums.bounds(read, quorum);
      if (total === undefined) violations.add(() => notOneNumber(key, read));
      else if (total < bounds.least || total > bounds.most || (read === final && !sums.divides(total)))
        violations.add(() => outside(key, read, total, bounds, counter.adds));
    }
  }
  if (unread !== undefined && violations.count === 0)
    return { validity: 'unknown', reason: `${nameOf(unread)} has acknowledged additions and no final read` };
  return violations.verdict({
    validity: 'valid',
    reason: `${count(reads, 'read')} of ${count(counters.size, 'counter')} within the sums that are possible`,
  });
}

interface Counter {
  /** Those that did not fail. */
  readonly adds: Operation[];
  /** Those that were answered. */
  readonly reads: Operation[];
}

function countersOf(operations: readonly Operation[]): Map<string, Counter> {
  const counters = new Map<string, Counter>();
  for (const operation of operations) {
    const key = operation.key ?? '';
    let counter = counters.get(key);
    if (counter === undefined) counters.set(key, (counter = { adds: [], reads: [] }));
    if (operation.f === 'read') {
      if (operation.outcome === 'ok') counter.reads.push(operation);
    } else if (amountOf(operation) !== 0 && operation.outcome !== 'fail') counter.adds.push(operation);
  }
  return counters;
}

/** What an operation adds: `add` and `increment` their number, `decrement` its opposite, 1 where none is given. */
function amountOf({ f, input }: Operation): number {
  if (f !== 'add' && f !== 'increment' && f !== 'decrement') return 0;
  const amount = typeof input === 'number' ? input : input === null ? 1 : 0;
  return f === 'decrement' ? -amount : amount;
}

/** A counter that was never written reads as its initial number. Siblings would be a counter nobody resolved. */
function totalOf(read: Operation, initial: number): number | undefined {
  const shown = shownBy(read);
  if (shown.length === 0) return initial;
  return shown.length === 1 && typeof shown[0] === 'number' ? shown[0] : undefined;
}

interface Bounds {
  readonly least: number;
  readonly most: number;
}

class CounterSums {
  readonly #initial: number;
  /** Of the acknowledged, by completion; of all, by invocation. */
  readonly #certain: RunningSums;
  readonly #possible: RunningSums;
  readonly #acknowledgedSum: number;
  /** The greatest common divisor of the unknown amounts; 0 where there are none. */
  readonly #step: number;

  constructor(adds: readonly Operation[], initial: number) {
    this.#initial = initial;
    const acknowledged = adds.filter((add) => add.outcome === 'ok');
    this.#certain = new RunningSums(acknowledged, (add) => add.completedAt);
    this.#possible = new RunningSums(adds, (add) => add.invokedAt);
    this.#acknowledgedSum = acknowledged.reduce((sum, add) => sum + amountOf(add), initial);
    this.#step = adds
      .filter((add) => add.outcome !== 'ok')
      .reduce((divisor, add) => greatestCommonDivisor(divisor, Math.abs(amountOf(add))), 0);
  }

  /** A read of quorum level holds all that was acknowledged before; any read holds only what was begun. */
  bounds(read: Operation, quorum: boolean): Bounds {
    const possible = this.#possible.before(read.completedAt);
    const certain = quorum ? this.#certain.before(read.invokedAt) : { positive: 0, negative: 0 };
    return {
      least: this.#initial + certain.positive + possible.negative,
      most: this.#initial + possible.positive + certain.negative,
    };
  }

  divides(total: number): boolean {
    const rest = total - this.#acknowledgedSum;
    return this.#step === 0 ? rest === 0 : rest % this.#step === 0;
  }
}

interface SignedSums {
  readonly positive: number;
  readonly negative: number;
}

class RunningSums {
  readonly #points: readonly number[];
  readonly #sums: readonly SignedSums[];

  constructor(adds: readonly Operation[], point: (add: Operation) => number) {
    const sorted = [...adds].sort((a, b) => point(a) - point(b));
    const sums: SignedSums[] = [{ positive: 0, negative: 0 }];
    let positive = 0;
    let negative = 0;
    for (const add of sorted) {
      const amount = amountOf(add);
      if (amount > 0) positive += amount;
      else negative += amount;
      sums.push({ positive, negative });
    }
    this.#points = sorted.map(point);
    this.#sums = sums;
  }

  before(event: number): SignedSums {
    let low = 0;
    let high = this.#points.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#points[middle] as number) < event) low = middle + 1;
      else high = middle;
    }
    return this.#sums[low] as SignedSums;
  }
}

function greatestCommonDivisor(a: number, b: number): number {
  while (b > 0) [a, b] = [b, a % b];
  return a;
}

function notOneNumber(key: string, read: Operation): Violation {
  return {
    reason: `a read of ${nameOf(key)} shows something else than one number`,
    witness: { lines: [`${tellRead(key, read)} ${JSON.stringify(read.output)}`], operations: [read] },
  };
}

const ADDS_TOLD_MAX = 10;

function outside(
  key: string,
  read: Operation,
  total: number,
  bounds: Bounds,
  adds: readonly Operation[],
): Violation {
  const begun = adds.filter((add) => add.invokedAt < read.completedAt);
  const before = begun.filter((add) => add.outcome === 'ok' && add.completedAt < read.invokedAt);
  const counted = new Set(before);
  const doubtful = begun.filter((add) => !counted.has(add));
  const sum = before.reduce((total, add) => total + amountOf(add), 0);
  const possible =
    bounds.least === bounds.most ? `${bounds.least}` : `between ${bounds.least} and ${bounds.most}`;
  const told = doubtful
    .slice(0, ADDS_TOLD_MAX)
    .map((add) => `  process ${add.process} added ${amountOf(add)} (begun at ${began(add)}, ${fate(add)})`);
  const more = doubtful.length - told.length;
  return {
    reason: `counter ${nameOf(key)} reads ${total}, but only ${possible} is possible`,
    witness: {
      lines: [
        `${count(before.length, 'addition')} acknowledged before the read, ${sum} together`,
        `${count(doubtful.length, 'addition')} of unknown outcome or under way${doubtful.length > 0 ? ':' : ''}`,
        ...told,
        ...(more > 0 ? [`  and ${more} more`] : []),
        `${tellRead(key, read)} ${total}`,
      ],
      operations: [...doubtful.slice(0, ADDS_TOLD_MAX), read],
    },
  };
}

function tellRead(key: string, read: Operation): string {
  return `process ${read.process} read ${nameOf(key)} from ${began(read)} to ${ended(read)} and was shown`;
}

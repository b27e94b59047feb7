/**
 * Sets of elements that are added once, and read whole; by Jepsen's `set` and `set-full` definitions.
 *
 * An element is known from the moment its add completed, or a completed read showed it. Of the reads that began
 * after that: a known element is *lost* if the last of them misses it, *stale* if one misses it and a later
 * one shows it, *never read* if there is none. An element that nobody tried to add, or whose add failed, is
 * *unexpected* in a read; one whose add is unknown, and which was read, is *recovered*. Stricter than Jepsen in
 * one point: there, a failed add may show.
 *
 * Lost and unexpected elements, and one that a read holds twice, make a history invalid; stale ones only where
 * `linearizable` is asked for. If no element was ever read where it counts, the verdict is `unknown`.
 *
 * The work is adds plus the elements of all reads: an element keeps the positions of the reads that show it,
 * so a read that misses it costs nothing.
 */
import type { Operation, Value } from '../../history/history.js';
import { Interned, isPlain, nameOf, textOf } from '../transactions/interned.js';
import type { Verdict } from '../verdict.js';
import { groupedByKey } from './events.js';

export interface SetCheckOptions {
  /** Whether a read may not miss what was known before it began, even if a later one shows it. */
  readonly linearizable?: boolean;
}

const SHOWN_MAX = 8;

/** Checks `add` of an element and `read` of a list; also `[key element]` and `[key list]`, each key apart. */
export function checkSet(operations: readonly Operation[], options: SetCheckOptions = {}): Verdict {
  const odd = operations.find((o) => o.f !== 'add' && o.f !== 'read');
  if (odd !== undefined) {
    return {
      validity: 'unknown',
      reason: `operation ${odd.index} is neither an add nor a read but ${odd.f}`,
    };
  }
  const totals = emptyTally();
  const wrong: Problem[] = [];
  for (const [key, group] of groupedByKey(unpaired(operations))) {
    const found = tally(group, key === undefined ? '' : ` of ${nameOf(key)}`);
    if ('validity' in found) return found;
    for (const [name, elements] of Object.entries(found.elements)) {
      totals.elements[name as Fate].push(...elements);
    }
    totals.reads += found.reads;
    wrong.push(...found.problems.filter((p) => p.fate !== 'stale' || options.linearizable === true));
  }
  if (totals.reads === 0) return { validity: 'unknown', reason: 'the set was never read' };
  const reason = summaryOf(totals);
  if (wrong.length > 0) {
    return {
      validity: 'invalid',
      reason,
      witness: {
        lines: wrong.slice(0, SHOWN_MAX).map((p) => p.line),
        operations: [...new Set(wrong[0]!.operations)],
      },
    };
  }
  if (totals.elements.stable.length === 0 && totals.elements['never-read'].length > 0) {
    return { validity: 'unknown', reason: `no read tells about any element: ${reason}` };
  }
  return { validity: 'valid', reason };
}

const FATES = ['lost', 'unexpected', 'duplicated', 'stale', 'never-read', 'recovered', 'stable'] as const;
type Fate = (typeof FATES)[number];

interface Problem {
  readonly fate: Fate;
  readonly line: string;
  readonly operations: readonly Operation[];
}

interface Tally {
  readonly elements: Record<Fate, Value[]>;
  readonly problems: Problem[];
  reads: number;
}

function emptyTally(): Tally {
  return {
    elements: {
      lost: [],
      unexpected: [],
      duplicated: [],
      stale: [],
      'never-read': [],
      recovered: [],
      stable: [],
    },
    problems: [],
    reads: 0,
  };
}

function summaryOf({ elements, reads }: Tally): string {
  const parts = FATES.filter((fate) => elements[fate].length > 0).map((fate) => {
    const shown = elements[fate].slice(0, SHOWN_MAX).map(textOf).join(' ');
    const dots = elements[fate].length > SHOWN_MAX ? ' ...' : '';
    return fate === 'stable'
      ? `${elements[fate].length} stable`
      : `${elements[fate].length} ${fate}: ${shown}${dots}`;
  });
  return `${reads} reads; ${parts.length > 0 ? parts.join('; ') : 'no elements'}`;
}

/** What is known of one element. */
interface Element {
  readonly value: Value;
  add: Operation | undefined;
  attempted: boolean;
  acknowledged: boolean;
  knownAt: number;
  /** Positions of the reads that show it, ascending. */
  readonly shownBy: number[];
}

function tally(operations: readonly Operation[], name: string): Tally | Verdict {
  const found = emptyTally();
  const ids = new Interned();
  const elements: Element[] = [];
  const elementOf = (value: Value): Element => {
    const id = ids.idOf(value);
    return (elements[id] ??= {
      value,
      add: undefined,
      attempted: false,
      acknowledged: false,
      knownAt: Infinity,
      shownBy: [],
    });
  };
  for (const add of operations.filter((o) => o.f === 'add')) {
    const element = elementOf(add.input);
    element.add = add;
    element.attempted ||= add.outcome !== 'fail';
    element.acknowledged ||= add.outcome === 'ok';
    if (add.outcome === 'ok') element.knownAt = Math.min(element.knownAt, add.completedAt);
  }
  const reads = operations
    .filter((o) => o.f === 'read' && o.outcome === 'ok')
    .sort((a, b) => a.invokedAt - b.invokedAt);
  found.reads = reads.length;
  for (const [position, read] of reads.entries()) {
    const { output } = read;
    if (output !== null && !Array.isArray(output)) {
      return {
        validity: 'unknown',
        reason: `operation ${read.index} read ${textOf(output)}, which is no list`,
      };
    }
    for (const value of (output ?? []) as readonly Value[]) {
      const element = elementOf(value);
      if (element.shownBy.at(-1) === position)
        report(found, 'duplicated', element, `operation ${read.index} read ${textOf(value)}${name} twice`, [
          read,
        ]);
      else element.shownBy.push(position);
      element.knownAt = Math.min(element.knownAt, read.completedAt);
    }
  }
  for (const element of elements) judge(element, reads, name, found);
  return found;
}

function report(
  found: Tally,
  fate: Fate,
  element: Element,
  line: string,
  operations: readonly Operation[],
): void {
  found.elements[fate].push(element.value);
  found.problems.push({ fate, line, operations });
}

function judge(element: Element, reads: readonly Operation[], name: string, found: Tally): void {
  const { value, add, shownBy } = element;
  const what = `${textOf(value)}${name}`;
  const lastShown = shownBy.at(-1) ?? -1;
  if (!element.attempted && lastShown >= 0) {
    const read = reads[shownBy[0]!]!;
    const why = add === undefined ? 'which nobody added' : `whose add (operation ${add.index}) failed`;
    report(
      found,
      'unexpected',
      element,
      `operation ${read.index} read ${what}, ${why}`,
      add ? [add, read] : [read],
    );
    return;
  }
  if (element.attempted && !element.acknowledged && lastShown >= 0) found.elements.recovered.push(value);
  const firstAfter = firstBegunAfter(reads, element.knownAt);
  const missed = lastMissing(shownBy, reads.length);
  const known = add?.outcome === 'ok' ? [add] : lastShown >= 0 ? [reads[shownBy[0]!]!] : [];
  if (missed >= firstAfter && missed > lastShown) {
    const read = reads[missed]!;
    const since = known[0] === undefined ? '' : ` since operation ${known[0].index}`;
    report(found, 'lost', element, `${what} was known${since}, and operation ${read.index} misses it`, [
      ...known,
      read,
    ]);
    return;
  }
  if (lastShown < 0) {
    if (element.acknowledged) found.elements['never-read'].push(value);
    return;
  }
  found.elements.stable.push(value);
  const shownAfter = shownBy.length - firstAtLeast(shownBy, firstAfter);
  if (lastShown >= firstAfter && lastShown - firstAfter + 1 > shownAfter) {
    const read = reads[firstMissing(shownBy, firstAfter)]!;
    report(found, 'stale', element, `${what} was known when operation ${read.index} began, which misses it`, [
      ...known,
      read,
    ]);
  }
}

/** Position of the first read that began after an event; the number of reads where there is none. */
function firstBegunAfter(reads: readonly Operation[], at: number): number {
  return firstWhere(reads.length, (i) => reads[i]!.invokedAt > at);
}

function firstAtLeast(positions: readonly number[], least: number): number {
  return firstWhere(positions.length, (i) => positions[i]! >= least);
}

function firstWhere(length: number, holds: (i: number) => boolean): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The last read that is not among those that show it; -1 where all do. */
function lastMissing(shownBy: readonly number[], reads: number): number {
  let position = reads - 1;
  for (let i = shownBy.length - 1; i >= 0 && shownBy[i] === position; i -= 1) position -= 1;
  return position;
}

function firstMissing(shownBy: readonly number[], from: number): number {
  let position = from;
  for (let i = firstAtLeast(shownBy, from); shownBy[i] === position; i += 1) position += 1;
  return position;
}

/**
 * `[key element]` adds with `[key list]` reads, as Jepsen's `independent` writes them, become operations on
 * keys; but only if all of them have that form, since elements may be pairs themselves.
 */
function unpaired(operations: readonly Operation[]): readonly Operation[] {
  const pair = (value: Value): readonly Value[] | undefined =>
    Array.isArray(value) && value.length === 2 && isPlain(value[0] as Value)
      ? (value as readonly Value[])
      : undefined;
  const keyed = operations.every((o) => {
    if (o.f === 'add') return pair(o.input) !== undefined;
    return o.outcome !== 'ok' || Array.isArray(pair(o.output)?.[1]);
  });
  if (!keyed || !operations.some((o) => o.f === 'read' && o.outcome === 'ok')) return operations;
  return operations.map((o) => {
    const input = pair(o.input);
    const output = pair(o.output);
    const key = nameOf((output ?? input)?.[0] ?? null);
    return { ...o, key, input: input?.[1] ?? null, output: output?.[1] ?? null };
  });
}

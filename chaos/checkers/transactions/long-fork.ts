/**
 * Long fork, after Jepsen: two reads of the same group of keys, each of which sees a write that the other does
 * not. Parallel snapshot isolation allows it, snapshot isolation does not.
 *
 * Every key is written once, so what a read sees is the set of keys that have a value, and in one timeline
 * these sets are nested. Sorted by size, each must hold the one before: linear, where Jepsen compares all
 * pairs. A fork is then shown by the two neighbours that are not nested.
 */
import type { Operation, Value } from '../../history/history.js';
import type { Verdict } from '../verdict.js';
import { nameOf, sameValue, textOf } from './interned.js';

export interface LongForkCheckOptions {
  /** How many keys every read must ask for; by default, as many as the reads ask for, which must agree. */
  readonly groupSize?: number;
}

interface GroupRead {
  readonly operation: Operation;
  /** What it saw of the keys of its group, in their order; null: nothing yet. */
  readonly values: readonly Value[];
  readonly present: number;
}

interface Group {
  readonly keys: readonly string[];
  readonly reads: GroupRead[];
}

/** Checks transactions that write one key, or read all keys of a group. */
export function checkLongFork(operations: readonly Operation[], options: LongForkCheckOptions = {}): Verdict {
  const writers = new Map<string, Operation>();
  const groups = new Map<string, Group>();
  let size = options.groupSize;
  let reads = 0;
  for (const operation of operations) {
    const steps = stepsOf(operation);
    if (steps === undefined)
      return unknown(`operation ${operation.index} is neither a write of one key nor reads`);
    if (steps.length === 0) continue;
    if (steps[0]!.kind === 'write') {
      const { key, name } = steps[0]!;
      const before = writers.get(key);
      if (before !== undefined && operation.outcome !== 'fail') {
        return unknown(`key ${name} is written twice, by operations ${before.index} and ${operation.index}`);
      }
      if (operation.outcome !== 'fail') writers.set(key, operation);
      continue;
    }
    if (operation.outcome !== 'ok') continue;
    size ??= steps.length;
    if (steps.length !== size) {
      return unknown(`operation ${operation.index} reads ${steps.length} keys, where groups have ${size}`);
    }
    addRead(groups, operation, steps);
    reads += 1;
  }
  for (const group of groups.values()) {
    const verdict = checkGroup(group);
    if (verdict !== undefined) return verdict;
  }
  if (reads === 0) return unknown('no group of keys was read');
  return { validity: 'valid', reason: `${reads} reads of ${groups.size} groups, none of them forked` };
}

interface Step {
  readonly kind: 'read' | 'write';
  readonly key: string;
  readonly name: string;
  readonly value: Value;
}

/** Nothing for an operation that is no transaction; undefined for one of the wrong form. */
function stepsOf(operation: Operation): readonly Step[] | undefined {
  const value = operation.outcome === 'ok' ? operation.output : operation.input;
  if (!Array.isArray(value)) return operation.f === 'txn' && value !== null ? undefined : [];
  const steps: Step[] = [];
  for (const item of value as readonly Value[]) {
    if (!Array.isArray(item) || item.length < 2) return undefined;
    const [f, key, of] = item as readonly Value[];
    const kind = f === 'r' || f === 'read' ? 'read' : f === 'w' || f === 'write' ? 'write' : undefined;
    if (kind === undefined) return undefined;
    steps.push({ kind, key: textOf(key ?? null), name: nameOf(key ?? null), value: of ?? null });
  }
  if (steps.some((s) => s.kind === 'write') && steps.length !== 1) return undefined;
  return steps;
}

function addRead(groups: Map<string, Group>, operation: Operation, steps: readonly Step[]): void {
  const sorted = [...steps].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  const id = JSON.stringify(sorted.map((s) => s.key));
  let group = groups.get(id);
  if (group === undefined) groups.set(id, (group = { keys: sorted.map((s) => s.name), reads: [] }));
  const values = sorted.map((s) => s.value);
  group.reads.push({ operation, values, present: values.filter((v) => v !== null).length });
}

function checkGroup({ keys, reads }: Group): Verdict | undefined {
  const bySize = [...reads].sort((a, b) => a.present - b.present);
  const seen: (Value | undefined)[] = keys.map(() => undefined);
  for (const [i, read] of bySize.entries()) {
    for (const [k, value] of read.values.entries()) {
      if (value === null) continue;
      const known = seen[k];
      if (known !== undefined && !sameValue(known, value)) {
        return unknown(
          `key ${keys[k]} was read as ${textOf(known)} and as ${textOf(value)}: keys must be written once`,
        );
      }
      seen[k] = value;
    }
    const smaller = bySize[i - 1];
    const missing = smaller?.values.findIndex((v, k) => v !== null && read.values[k] === null) ?? -1;
    if (smaller !== undefined && missing >= 0) return forked(keys, smaller, read, missing);
  }
  return undefined;
}

function forked(keys: readonly string[], a: GroupRead, b: GroupRead, onlyInA: number): Verdict {
  const onlyInB = b.values.findIndex((v, k) => v !== null && a.values[k] === null);
  const sees = (read: GroupRead, sawKey: number, missedKey: number): string =>
    `operation ${read.operation.index} of process ${read.operation.process} saw the write of ${keys[sawKey]} and not that of ${keys[missedKey]}`;
  return {
    validity: 'invalid',
    reason: `long fork: operations ${a.operation.index} and ${b.operation.index} saw the writes of ${keys[onlyInA]} and ${keys[onlyInB]} in opposite orders`,
    witness: {
      lines: [sees(a, onlyInA, onlyInB), sees(b, onlyInB, onlyInA)],
      operations: [a.operation, b.operation],
    },
  };
}

function unknown(reason: string): Verdict {
  return { validity: 'unknown', reason };
}

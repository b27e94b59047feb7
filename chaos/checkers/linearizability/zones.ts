/**
 * Registers whose written values are all different, in time n log n: Gibbons & Korach, "Testing shared memories"
 * (1997), section 4.
 *
 * A write and the reads of its value are a *cluster*: in any linear order they stand together, the write first. Let f be the first
 * completion in a cluster and s the last invocation. A cluster X must be before Y if f(X) < s(Y). So an order exists exactly if no
 * read is before its write, and no two clusters must each be before the other: f(X) < s(Y) and f(Y) < s(X).
 *
 *     forward zone   f < s   the register held this value all through [f, s]     f |---------| s
 *     backward zone  s <= f  there is room for the whole cluster within [s, f]
 *
 * Two forward zones must not overlap, and no backward zone may lie inside a forward one; two backward zones never clash. What the register held at
 * first is a write before everything. A pending write that was read has happened, and its completion bounds nothing; one that was not
 * read stays out. Longer cycles of "must be before" contain one of two clusters, as f and s are numbers.
 */
import type { Operation } from '../../history/history.js';
import { identityOf, type ModelOptions } from './model.js';

export type Contradiction =
  | { readonly kind: 'never-written'; readonly read: Operation; readonly failed?: Operation }
  | { readonly kind: 'read-before-write'; readonly read: Operation; readonly write: Operation }
  | { readonly kind: 'clash'; readonly one: Cluster; readonly other: Cluster };

/** A value with its write and reads; what bounds its zone. */
export interface Cluster {
  /** Undefined where it is what the register held at first. */
  write: Operation | undefined;
  /** The operation that completed first; undefined for the write before everything, or if there is none yet. */
  firstCompleted: Operation | undefined;
  f: number;
  /** The operation invoked last. */
  lastInvoked: Operation | undefined;
  s: number;
  reads: number;
}

/** What contradicts linearizability; `none`; or undefined where two writes are of one value, or there is a cas. */
export function findContradiction(
  operations: readonly Operation[],
  options: ModelOptions,
): Contradiction | 'none' | undefined {
  const clusters = clustersOf(operations, options);
  if (clusters === undefined) return undefined;
  const early = addReads(operations, clusters, options);
  if (early !== undefined) return early;
  const clash = findClash([...clusters.values()]);
  return clash === undefined ? 'none' : { kind: 'clash', ...clash };
}

type Identity = ReturnType<typeof identityOf>;

function clustersOf(
  operations: readonly Operation[],
  options: ModelOptions,
): Map<Identity, Cluster> | undefined {
  const clusters = new Map<Identity, Cluster>();
  const initial: Cluster = {
    write: undefined,
    firstCompleted: undefined,
    f: -Infinity,
    lastInvoked: undefined,
    s: -Infinity,
    reads: 0,
  };
  clusters.set(identityOf(options.initial ?? null), initial);
  for (const operation of operations) {
    if (operation.f === 'read') continue;
    if (operation.f !== 'write') return undefined;
    if (operation.outcome === 'fail') continue;
    const value = identityOf(operation.input);
    if (clusters.has(value)) return undefined;
    clusters.set(value, {
      write: operation,
      firstCompleted: operation.outcome === 'ok' ? operation : undefined,
      f: operation.outcome === 'ok' ? operation.completedAt : Infinity,
      lastInvoked: operation,
      s: operation.invokedAt,
      reads: 0,
    });
  }
  return clusters;
}

function addReads(
  operations: readonly Operation[],
  clusters: ReadonlyMap<Identity, Cluster>,
  options: ModelOptions,
): Contradiction | undefined {
  for (const read of operations) {
    if (read.f !== 'read' || read.outcome !== 'ok') continue;
    if (read.output === null && options.nilReads === 'unknown') continue;
    const value = identityOf(read.output);
    const cluster = clusters.get(value);
    if (cluster === undefined) {
      const failed = operations.find((other) => other.f === 'write' && identityOf(other.input) === value);
      return { kind: 'never-written', read, ...(failed === undefined ? {} : { failed }) };
    }
    if (cluster.write !== undefined && read.completedAt < cluster.write.invokedAt) {
      return { kind: 'read-before-write', read, write: cluster.write };
    }
    cluster.reads++;
    if (read.completedAt < cluster.f) {
      cluster.f = read.completedAt;
      cluster.firstCompleted = read;
    }
    if (read.invokedAt > cluster.s) {
      cluster.s = read.invokedAt;
      cluster.lastInvoked = read;
    }
  }
  return undefined;
}

/** Two clusters that must each be before the other. */
export function findClash<C extends Cluster>(
  clusters: readonly C[],
): { readonly one: C; readonly other: C } | undefined {
  // A pending write that nobody read has f = Infinity: it need not have happened.
  const placed = clusters.filter((cluster) => cluster.f !== Infinity);
  const forward = placed.filter((cluster) => cluster.f < cluster.s).sort((a, b) => a.f - b.f);
  for (let at = 1; at < forward.length; at++) {
    const one = forward[at - 1]!;
    const other = forward[at]!;
    // By f: so other's s is beyond one's f, and they clash if one's s is beyond other's f.
    if (other.f < one.s) return { one, other };
  }
  const backward = placed.filter((cluster) => cluster.f >= cluster.s).sort((a, b) => a.s - b.s);
  let reached = 0;
  for (const other of backward) {
    // The forward zones do not overlap: only the last that began before `other` can still be open after it.
    while (reached < forward.length && forward[reached]!.f < other.s) reached++;
    const one = forward[reached - 1];
    if (one !== undefined && other.f < one.s) return { one, other };
  }
  return undefined;
}

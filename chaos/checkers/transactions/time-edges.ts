/**
 * Order that is not in the data: what a process did one after the other, and what had completed before
 * something else began.
 *
 * Real time relates nearly everything to everything. Instead of those n² edges, moments: between a run of
 * completions and the next invocation lies a helper node; who completed leads into it, each helper leads to the
 * next, and whoever begins is led to by the last one. That is O(n) edges with exactly the same reachability, at
 * any concurrency, and every pair stays one step apart. (A frontier of the latest completed transactions, the
 * usual transitive reduction, has as many edges as transactions times clients, and makes cycles longer.)
 */
import { PASS, PROCESS, REALTIME, type GraphBuilder } from './dependency-graph.js';
import type { Transaction } from './transaction.js';

export function addProcessEdges(builder: GraphBuilder, transactions: readonly Transaction[]): void {
  const latest = new Map<number | string, Transaction>();
  for (const transaction of byInvocation(transactions)) {
    const { process } = transaction.operation;
    const before = latest.get(process);
    if (before !== undefined) builder.add(before.id, transaction.id, PROCESS);
    latest.set(process, transaction);
  }
}

export function addRealtimeEdges(builder: GraphBuilder, transactions: readonly Transaction[]): void {
  const begun = byInvocation(transactions);
  const ended = transactions
    .filter((t) => Number.isFinite(t.operation.completedAt))
    .sort((a, b) => a.operation.completedAt - b.operation.completedAt);
  let moment = -1;
  let next = 0;
  for (const transaction of begun) {
    const before = next;
    while (next < ended.length && ended[next]!.operation.completedAt < transaction.operation.invokedAt)
      next += 1;
    if (next > before) {
      const helper = builder.addHelper();
      if (moment >= 0) builder.add(moment, helper, PASS);
      for (let i = before; i < next; i += 1) builder.add(ended[i]!.id, helper, REALTIME);
      moment = helper;
    }
    if (moment >= 0) builder.add(moment, transaction.id, PASS);
  }
}

function byInvocation(transactions: readonly Transaction[]): Transaction[] {
  return [...transactions].sort((a, b) => a.operation.invokedAt - b.operation.invokedAt);
}

/** Operations as the events they came from, in order; and apart by the object they concern. */
import type { Operation } from '../../history/history.js';

export interface OperationEvent {
  readonly operation: Operation;
  /** False: this is its invocation. */
  readonly completes: boolean;
}

/** Invocations, and completions where there are any, by event index. */
export function eventsOf(operations: readonly Operation[]): OperationEvent[] {
  const events: { readonly at: number; readonly event: OperationEvent }[] = [];
  for (const operation of operations) {
    events.push({ at: operation.invokedAt, event: { operation, completes: false } });
    if (Number.isFinite(operation.completedAt)) {
      events.push({ at: operation.completedAt, event: { operation, completes: true } });
    }
  }
  return events.sort((a, b) => a.at - b.at).map(({ event }) => event);
}

export function groupedByKey(operations: readonly Operation[]): Map<string | undefined, Operation[]> {
  const groups = new Map<string | undefined, Operation[]>();
  for (const operation of operations) {
    const group = groups.get(operation.key);
    if (group === undefined) groups.set(operation.key, [operation]);
    else group.push(operation);
  }
  return groups;
}

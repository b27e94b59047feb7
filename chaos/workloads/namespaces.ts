/** How workloads reach their namespace: bound to a session where the experiment asks for one, with its levels. */
import type { Database, Namespace, Session } from '../../src/client/api.js';
import type { AckLevel, QuorumLevel, ReadMode } from '../../src/cluster/cluster-map.js';
import type { WorkloadOptions } from './workload.js';

export function namespaceOf<T>(database: Database, options: WorkloadOptions): Namespace<T> {
  const namespace = database.namespace<T>(options.namespace);
  return options.session ? namespace.in(database.session()) : namespace;
}

/** The options of single requests. */
export interface CallLevels {
  readonly reads: { readonly timeoutMs: number; readonly read?: QuorumLevel | ReadMode };
  readonly writes: { readonly timeoutMs: number; readonly write?: QuorumLevel; readonly ack?: AckLevel };
  readonly updates: CallLevels['reads'] & CallLevels['writes'];
}

/** The levels of single requests, where they differ from the namespace's own, and the time budget. */
export function levelsOf(database: Database, options: WorkloadOptions): CallLevels {
  const { read, write, ack, timeoutMs } = options;
  const reads = { timeoutMs, ...(read === undefined ? {} : { read }) };
  const writes = {
    timeoutMs,
    ...(write === undefined ? {} : { write }),
    ...(ack === undefined ? {} : { ack }),
  };
  // With a leader, an update reads the latest, and refuses to be told how.
  return { reads, writes, updates: hasLeader(database, options) ? writes : { ...reads, ...writes } };
}

/** Of a counter's or a set's namespace: bound to a session where the experiment asks for one. */
export function sessionOf<T extends { in(session: Session): T }>(
  typed: T,
  database: Database,
  options: WorkloadOptions,
): T {
  return options.session ? typed.in(database.session()) : typed;
}

/** Whether the namespace has a leader: then a value is one value, and an update is a compare-and-set. */
export function hasLeader(database: Database, { namespace }: WorkloadOptions): boolean {
  return database.map.namespaces.some(
    ({ name, strategy }) => name === namespace && strategy === 'leader-follower',
  );
}

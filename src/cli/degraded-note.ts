/**
 * Word of writes at `ack: all` that not every replica has.
 *
 * That level goes on without replicas that are away, as long as `minReplicas` have the write. Whoever asked for all must be told, and
 * told by whom it is missing: so these writes ask the leader to explain, also where the explanation itself is not printed.
 */
import type { Written } from '../client/api.js';
import type { AckLevel, ClusterMap } from '../cluster/cluster-map.js';

/** What is to be told of a write beside that it was done. */
export interface Telling {
  /** Replicas that it was meant for at `ack: all`. */
  readonly wanted: number | undefined;
  /** Whether the explanation is to be printed as well. */
  readonly explain: boolean;
}

/** How many replicas a write of the namespace is meant for at `ack: all`; undefined at every other level. */
export function replicasWanted(
  map: Pick<ClusterMap, 'namespaces'>,
  { namespace, ack }: { readonly namespace: string; readonly ack: AckLevel | undefined },
): number | undefined {
  const entry = map.namespaces.find(({ name }) => name === namespace);
  if (entry?.strategy !== 'leader-follower') return undefined;
  return (ack ?? entry.ack) === 'all' ? entry.replicas : undefined;
}

/** For the call's options: asks for an explanation where a note may need it. With `--json` the count alone is printed. */
export function explainForNote(wanted: number | undefined, json: boolean): { explain?: true } {
  return wanted === undefined || json ? {} : { explain: true };
}

/** The note for these writes of one command; undefined where all replicas have them. */
export function degradedNote(
  wanted: number | undefined,
  writes: readonly Pick<Written, 'replicas' | 'explain'>[],
): string | undefined {
  if (wanted === undefined) return undefined;
  const degraded = writes.filter(({ replicas }) => replicas !== undefined && replicas < wanted);
  const [first] = degraded;
  if (first === undefined) return undefined;
  const where =
    writes.length === 1
      ? `on ${first.replicas} of ${wanted} replicas`
      : `${degraded.length} of ${writes.length} writes are on fewer than ${wanted} replicas`;
  const away = new Set(degraded.flatMap(({ explain }) => explain?.replicas ?? []).flatMap(unreachable));
  return `note: ${where}${away.size === 0 ? '' : `; ${[...away].sort().join(' and ')} cannot be reached`}`;
}

function unreachable({ node, answer }: { readonly node: string; readonly answer: string }): string[] {
  return answer === 'unreachable' ? [node] : [];
}

/** What a replica answers to requests that it cannot take. */
import { TrefoilError } from '../../core/errors.js';
import type { NodeId } from '../../core/ids.js';
import type { ClientOperation } from '../../protocol/messages.js';
import type { GroupFacts } from './group-facts.js';

/** What a replica that does not lead answers to whoever needs the leader. */
export function notLeader(
  { self, group }: GroupFacts,
  leader: NodeId | null,
  unheard: readonly NodeId[],
): TrefoilError {
  if (leader !== null)
    return new TrefoilError('NotLeader', `node ${leader} leads ${group}, not ${self}`, { leader });
  const why =
    unheard.length === 0
      ? `${group} has no leader that node ${self} knows of`
      : `${group} was never formed as far as node ${self} knows, and waits for ${unheard.join(', ')}: the first time all its replicas are needed`;
  return new TrefoilError('NoLeader', why);
}

/** A replica without its memory cannot answer reads of its own. */
export function refilling({ self, group }: GroupFacts): TrefoilError {
  return new TrefoilError(
    'ReplicasRefilling',
    `node ${self} is being refilled and cannot answer for ${group}`,
  );
}

/** What only leaderless namespaces have. */
export function unsupported({ type }: ClientOperation, { namespace }: GroupFacts): TrefoilError {
  return new TrefoilError(
    'Unsupported',
    `${type} needs conflict: counter or set, and ${namespace.name} is leader-follower: use update, which is atomic there`,
  );
}

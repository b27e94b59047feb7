/** How an answer came about, in the words of `explain`. Built only when asked for. */
import type { NodeId } from '../../core/ids.js';
import type { Explanation, ReplicaAnswer } from '../../protocol/messages.js';
import type { GroupMembers } from './group-members.js';
import type { WriteTally } from './write-tally.js';

export function explainWrite(members: GroupMembers, required: number, tally: WriteTally): Explanation {
  const { namespace } = members;
  const where =
    namespace.durability === 'sync' ? 'on the disks of' : 'in the memory of the operating systems of';
  return {
    coordinator: members.self,
    strategy: 'leaderless',
    required: `W=${required} of N=${namespace.replicas}${namespace.sloppy ? ', sloppy' : ''}`,
    replicas: tally.answers.map(([node, answer]) => ({ node, answer })),
    repaired: [],
    guarantee: tally.answers.some(([, answer]) => answer === 'held')
      ? `the write is ${where} ${required} nodes, stand-ins among them; reads with R < ${namespace.replicas} may miss it until these have handed it over`
      : `the write is ${where} ${required} of ${namespace.replicas} replicas; reads with R > ${namespace.replicas - required} see it`,
  };
}

export function explainRead(
  members: GroupMembers,
  required: number,
  answers: readonly ReplicaAnswer[],
  repaired: readonly NodeId[],
  speculateMs: number,
): Explanation {
  const n = members.namespace.replicas;
  // An explained read asks all. What others do is said beside it, where there is a spare replica to ask.
  const speculation =
    required > 1 && required < n ? `, one more asked after ${Math.ceil(speculateMs)} ms` : '';
  const sloppy = members.namespace.sloppy ? '; one that stand-ins acknowledged may be missed' : '';
  return {
    coordinator: members.self,
    strategy: 'leaderless',
    required: `R=${required} of N=${n}${speculation}`,
    replicas: answers,
    repaired,
    guarantee:
      required === n
        ? 'every write acknowledged before this read is seen'
        : `every write acknowledged by W > ${n - required} replicas before this read is seen${sloppy}`,
  };
}

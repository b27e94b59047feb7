/** What happens in a group of Raft cores, in lines that a person can read. Positions are index@term. */
import { unreachable } from '../../src/core/invariant.js';
import type {
  AppendEntries,
  AppendEntriesResult,
  LeaderFollowerMessage,
} from '../../src/protocol/leader-follower-messages.js';
import type { HardState } from '../../src/replication/leader-follower/raft/raft-types.js';
import type { LogChange } from '../../src/replication/leader-follower/raft/raft-log.js';
import { entriesOf, type TextEntry } from './text-segments.js';

export function hardText({ term, votedFor, standing }: HardState): string {
  return `term ${term}, vote ${votedFor ?? '-'}${standing === 'joining' ? ', joining' : ''}`;
}

export function changeText(change: LogChange): string {
  return change.type === 'put'
    ? entriesText(entriesOf(change.segment))
    : `away the segment at ${change.first}`;
}

export function messageText(message: LeaderFollowerMessage): string {
  switch (message.type) {
    case 'pre-vote':
    case 'request-vote': {
      const { type, term, lastIndex, lastTerm } = message;
      const asked = type === 'request-vote' && message.transfer ? ' (transfer)' : '';
      return `${type} term ${term}, log ends at ${lastIndex}@${lastTerm}${asked}`;
    }
    case 'pre-vote-result':
    case 'request-vote-result':
      return `${message.type} term ${message.term}: ${message.granted ? 'yes' : 'no'}`;
    case 'append-entries':
      return appendText(message);
    case 'append-entries-result':
      return answerText(message);
    case 'install-snapshot':
      return `install-snapshot term ${message.term}, state as of ${message.index}@${message.indexTerm}`;
    case 'install-snapshot-result':
      return `install-snapshot-result term ${message.term}: ${message.status}`;
    case 'timeout-now':
    case 'wake':
      return `${message.type} term ${message.term}`;
    case 'admit':
      return `admit term ${message.term}, life ${message.life}, up to ${message.index}`;
    case 'join-query':
    case 'join-answer':
      return message.type;
    default:
      return unreachable(message);
  }
}

function appendText(message: AppendEntries): string {
  const { term, prevIndex, prevTerm, commit, round, quiet, segments } = message;
  const entries = segments.flatMap((bytes) => entriesOf({ bytes }));
  const what = entries.length === 0 ? '' : ` + ${entriesText(entries)}`;
  const tail = `${round > 0 ? `, round ${round}` : ''}${quiet ? ', quiet' : ''}`;
  return `append-entries term ${term}, after ${prevIndex}@${prevTerm}${what}, commit ${commit}${tail}`;
}

function answerText(message: AppendEntriesResult): string {
  const { term, joining, round, status, index, hintIndex, hintTerm } = message;
  const what =
    status === 'rejected'
      ? `rejected at ${index}, try ${hintIndex}@${hintTerm}`
      : status === 'durable'
        ? `durable up to ${index}`
        : 'heard';
  return `append-entries-result term ${term}: ${what}${round > 0 ? `, round ${round}` : ''}${joining ? ', joining' : ''}`;
}

function entriesText(entries: readonly TextEntry[]): string {
  return entries.map(({ index, term, text }) => `${index}@${term} ${text}`).join(' | ');
}

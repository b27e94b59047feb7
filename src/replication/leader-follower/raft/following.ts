/**
 * What a follower does with its leader's entries (paper, 5.3): takes what is new of them, and answers once a turn what agrees and is, or
 * is about to be, on disk.
 *
 * Invariant: what agrees with the leader is never truncated, and nothing at or below the commit index ever is.
 */
import { TrefoilError } from '../../../core/errors.js';
import type { NodeId } from '../../../core/ids.js';
import type { AppendEntries } from '../../../protocol/leader-follower-messages.js';
import type { LogPosition, RaftLog, Segment, SegmentCodec, TermRun } from './raft-log.js';

/** The hint of an answer that needs none. */
export const NOWHERE: LogPosition = { index: 0, term: 0 };

/** An `append-entries-result`, less what does not depend on the message that it answers. */
export interface Answer {
  readonly to: NodeId;
  readonly round: number;
  readonly status: 'durable' | 'rejected' | 'heard';
  readonly index: number;
  readonly early: boolean;
}

export class Following {
  readonly #log: RaftLog;
  readonly #codec: SegmentCodec;
  /** What the follower owes its leader: word of the entries that agree, and of the round. */
  #owed: { readonly leader: NodeId; index: number; round: number; answered: boolean } | undefined;
  #roundAnswered = 0;

  constructor(log: RaftLog, codec: SegmentCodec) {
    this.#log = log;
    this.#codec = codec;
  }

  /** Takes a leader's entries. Returns the last index that agrees; null where the logs do not agree before them, which is the answer. */
  append(
    from: NodeId,
    { term, prevIndex, prevTerm, round, segments }: AppendEntries,
    commit: number,
  ): number | null {
    // What is committed agrees with every leader's log, also where it is compacted.
    if (prevIndex > commit && this.#log.termAt(prevIndex) !== prevTerm) {
      this.#roundAnswered = round;
      return null;
    }
    const last = this.#take(segments, prevIndex, term, commit);
    const owed = this.#owed;
    if (owed?.leader === from) {
      owed.index = Math.max(owed.index, last);
      owed.round = Math.max(owed.round, round);
      owed.answered = false;
    } else {
      this.#owed = { leader: from, index: last, round, answered: false };
    }
    return last;
  }

  /**
   * The answers of a turn. Where the one that counts has to wait for the disk, which is so where the turn `writes` to the log, and a
   * round is new, the round is answered at once.
   */
  answers(writes: boolean): Answer[] {
    const owed = this.#owed;
    if (owed === undefined || owed.answered) return [];
    owed.answered = true;
    const { leader: to, index, round } = owed;
    if (!writes) {
      const stable = Math.min(index, this.#log.stable);
      return [{ to, round, status: 'durable', index: stable, early: true }];
    }
    const heard = round > this.#roundAnswered;
    this.#roundAnswered = round;
    const durable = { to, round, status: 'durable', index, early: false } as const;
    return heard ? [{ to, round, status: 'heard', index: 0, early: true }, durable] : [durable];
  }

  /** The last answer is to be given once more: something else in it has changed. */
  answerAgain(): void {
    if (this.#owed !== undefined) this.#owed.answered = false;
  }

  /** There is another leader, or none, or another log. */
  reset(): void {
    this.#owed = undefined;
    this.#roundAnswered = 0;
  }

  /** Appends what is new of the segments that follow `prevIndex`. Returns the last index that agrees. */
  #take(segments: readonly Uint8Array[], prevIndex: number, term: number, commit: number): number {
    let last = prevIndex;
    for (const bytes of segments) {
      const segment = this.#codec.parse(bytes);
      // The first may begin before what was asked for.
      if (segment.first > last + 1)
        throw new TrefoilError('MalformedFrame', 'segments must follow one another');
      // What is before it agrees.
      const [, firstTerm] = segment.runs[0] as TermRun;
      const [, lastTerm] = segment.runs.at(-1) as TermRun;
      if (firstTerm < (this.#log.termAt(segment.first - 1) ?? 0) || lastTerm > term)
        throw new TrefoilError(
          'MalformedFrame',
          'the terms of a log never fall, nor are they beyond its leader',
        );
      const fresh = this.#firstNew(segment, commit);
      last = Math.max(last, segment.last);
      if (fresh > segment.last) continue;
      if (fresh <= this.#log.last.index) this.#log.truncate(fresh);
      this.#log.append(fresh === segment.first ? segment : this.#codec.slice(segment, fresh, segment.last));
    }
    return last;
  }

  /** The first index of a segment that the log does not have in that term; beyond its end where it has all. */
  #firstNew(segment: Segment, commit: number): number {
    for (const [at, [first, term]] of segment.runs.entries()) {
      const last = (segment.runs[at + 1]?.[0] ?? segment.last + 1) - 1;
      for (let index = Math.max(first, commit + 1); index <= last; index++) {
        if (this.#log.termAt(index) !== term) return index;
      }
    }
    return segment.last + 1;
  }
}

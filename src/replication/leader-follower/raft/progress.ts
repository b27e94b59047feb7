/**
 * What a leader knows of one follower, and how much it may send it.
 *
 *   probe      one message at a time: where the logs agree is not known yet
 *   replicate  many messages under way: `next` runs ahead of `match`
 *   snapshot   the log does not reach back far enough; the state is being sent instead
 *
 * Invariant: `match` < `next`; everything up to `match` is on the follower's disk and agrees with this leader's log, in the
 * follower's present life. (Names as in etcd's raft; `match` and `next` as in the paper.)
 */
import type { NodeId } from '../../../core/ids.js';
import { APPEND_MESSAGES_IN_FLIGHT_MAX, APPEND_BYTES_IN_FLIGHT_MAX } from '../../../core/limits.js';

interface Sent {
  readonly last: number;
  readonly bytes: number;
}

export class Progress {
  readonly node: NodeId;
  readonly votes: boolean;
  state: 'probe' | 'replicate' | 'snapshot' = 'probe';
  match = 0;
  next: number;
  /** The life in which the follower last answered; undefined before it has. */
  life: number | undefined;
  /** It has no vote and does not count: see docs/adr/0017. */
  joining = false;
  /** A round that was begun after this life was known: an answer to an earlier one says nothing of a life that came after it. */
  knownSince = 0;
  /** While joining: the round that every other voter must have confirmed before it is admitted; undefined until one was asked for. */
  admitRound: number | undefined;
  /** While joining: what it must have on disk to be admitted; undefined until the round is confirmed. */
  admitIndex: number | undefined;
  /** When it last answered, on the monotonic clock. */
  heardMs: number;
  /** The latest round that it has confirmed, and the latest that it was sent. */
  confirmedRound = 0;
  sentRound = 0;
  /** Whether it is due a message whatever there is to send. */
  beat = true;
  /** A probe is under way. */
  probing = false;
  /** What the last message to it followed. */
  probedAt = 0;
  /** Entries for it are being read from the disk. */
  fetching = false;
  readonly #endedLives = new Set<number>();
  #inFlight: Sent[] = [];
  #bytesInFlight = 0;

  constructor(node: NodeId, votes: boolean, next: number, nowMs: number) {
    this.node = node;
    this.votes = votes;
    this.next = next;
    this.heardMs = nowMs;
  }

  /** Whether its disk and its voice count in majorities. */
  get counts(): boolean {
    return this.votes && !this.joining;
  }

  get mayReceive(): boolean {
    return (
      this.#inFlight.length < APPEND_MESSAGES_IN_FLIGHT_MAX &&
      this.#bytesInFlight < APPEND_BYTES_IN_FLIGHT_MAX
    );
  }

  /** Takes note of the life that an answer comes from. False: of one that has ended; the answer says nothing. */
  answersIn(life: number, joining: boolean, round: number): boolean {
    if (this.#endedLives.has(life)) return false;
    // Nothing was taken from it before it is known.
    if (this.life === undefined) this.life = life;
    if (this.life !== life) {
      // A life begins with joining, and this leader alone can end that in its term: one that was a member before is an earlier one.
      if (!joining || round < this.knownSince) return false;
      this.#endedLives.add(this.life);
      this.life = life;
      this.match = 0;
      this.confirmedRound = 0;
      this.#stopJoining();
      this.becomeProbe(this.next);
    }
    if (!joining) this.#stopJoining();
    this.joining = joining;
    return true;
  }

  sent(last: number, bytes: number): void {
    this.#inFlight.push({ last, bytes });
    this.#bytesInFlight += bytes;
    this.next = last + 1;
  }

  /** The follower has everything up to `index`. Returns whether that is news. */
  acknowledged(index: number): boolean {
    const news = index > this.match;
    if (news) this.match = index;
    this.next = Math.max(this.next, this.match + 1);
    while (this.#inFlight.length > 0 && (this.#inFlight[0] as Sent).last <= index) {
      this.#bytesInFlight -= (this.#inFlight.shift() as Sent).bytes;
    }
    this.probing = false;
    if (this.state === 'probe') this.state = 'replicate';
    return news;
  }

  /** The logs do not agree at `next - 1`, but may at `next` from here. */
  becomeProbe(next: number): void {
    this.state = 'probe';
    this.next = Math.max(this.match + 1, next);
    this.probing = false;
    this.#inFlight = [];
    this.#bytesInFlight = 0;
  }

  becomeSnapshot(): void {
    this.becomeProbe(this.next);
    this.state = 'snapshot';
  }

  #stopJoining(): void {
    this.admitRound = undefined;
    this.admitIndex = undefined;
  }
}

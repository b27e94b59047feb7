/**
 * Watches a group of Raft cores and says what must never be: the properties of the paper's figure 3, and those that the core adds.
 *
 *   election safety      one leader a term, and its own vote was on disk before
 *   leader append-only   a leader's log only grows
 *   log matching         an index and a term name one entry, and one entry before it
 *   leader completeness  what a leader of a term committed is in the log of every leader of a later term
 *   state machine safety what is committed at an index never changes, and no commit index falls
 *   rounds and leases    whoever confirms has committed all that anybody had committed when it was asked
 *   rest                 a leader rests only where everyone whom it can reach has everything, and nobody waits for it
 *   durable              an answer that says so is true of the disk; a vote is on disk before it leaves
 */
import type { NodeId } from '../../src/core/ids.js';
import type { LeaderFollowerMessage } from '../../src/protocol/leader-follower-messages.js';
import type { Raft } from '../../src/replication/leader-follower/raft/raft.js';
import type { Ready } from '../../src/replication/leader-follower/raft/raft-types.js';
import { entriesOnDisk, type Replica } from './raft-replica.js';
import { entriesOf } from './text-segments.js';

/** What the checker must know of the group. */
interface Watched {
  readonly voters: readonly NodeId[];
  readonly nowMs: number;
}

interface Led {
  readonly leader: NodeId;
  /** The terms of its entries by index, as far as they were in its log when it was elected, and since. */
  readonly terms: number[];
  /** How many of them it had when it was elected. */
  readonly elected: number;
}

interface Committed {
  readonly term: number;
  /** The lowest term whose leader committed it. */
  by: number;
}

export class RaftChecker {
  readonly #cluster: Watched;
  readonly #led = new Map<number, Led>();
  readonly #entries = new Map<string, { readonly text: string; readonly before: number }>();
  readonly #committed: (Committed | undefined)[] = [];
  readonly #commits = new Map<NodeId, number>();
  readonly #asked: { readonly raft: Raft; readonly round: number; readonly committed: number }[] = [];
  /** How often each kind of thing was checked. */
  readonly counts = {
    elections: 0,
    commits: 0,
    rounds: 0,
    leases: 0,
    rests: 0,
    durable: 0,
    votes: 0,
    admitted: 0,
  };

  constructor(cluster: Watched) {
    this.#cluster = cluster;
  }

  /** The highest index that any replica knew to be committed. */
  get committed(): number {
    return Math.max(0, this.#committed.length - 1);
  }

  /** Names are of the properties above. */
  fail(what: string): never {
    throw new RangeError(`${what}, at ${this.#cluster.nowMs} ms`);
  }

  started(replica: Replica): void {
    this.#commits.set(replica.id, replica.raft?.commit ?? 0);
  }

  elected({ id, raft, disk }: Replica, term: number): void {
    this.counts.elections++;
    const other = this.#led.get(term);
    if (other !== undefined) this.fail(`election safety: ${other.leader} and ${id} lead in term ${term}`);
    if (raft === undefined) return;
    const alone = this.#cluster.voters.length === 1;
    if (!alone && (disk.hard.term !== term || disk.hard.votedFor !== id))
      this.fail(`${id} leads in term ${term} before its vote is on disk`);
    const terms = [0];
    for (let index = 1; index <= raft.log.last.index; index++)
      terms.push(raft.log.termAt(index) ?? this.#committed[index]?.term ?? 0);
    const led = { leader: id, terms, elected: terms.length };
    this.#led.set(term, led);
    this.#committed.forEach((entry, index) => {
      if (entry !== undefined && entry.by < term) this.#complete(led, term, index, entry);
    });
  }

  #complete({ leader, terms }: Led, term: number, index: number, entry: Committed): void {
    if (terms[index] !== entry.term)
      this.fail(
        `leader completeness: ${leader} leads in term ${term} without ${index}@${entry.term}, committed in term ${entry.by}`,
      );
  }

  /** A round was asked for. */
  asked(raft: Raft, round: number): void {
    this.#asked.push({ raft, round, committed: this.committed });
  }

  turned(replica: Replica, raft: Raft, ready: Ready): void {
    this.#entriesMatch(replica, raft, ready);
    this.#leads(replica, raft);
    this.#commitsOnly(replica, raft);
    this.#confirms(raft);
    this.#rests(raft);
    if (ready.hard?.standing === 'member' && replica.disk.hard.standing === 'joining') this.counts.admitted++;
  }

  #entriesMatch({ id }: Replica, { log }: Raft, { changes }: Ready): void {
    for (const change of changes) {
      if (change.type !== 'put' || log.termAt(change.segment.first) !== change.segment.runs[0]?.[1]) continue;
      let before = log.termAt(change.segment.first - 1);
      for (const { index, term, text } of entriesOf(change.segment)) {
        const name = `${index}@${term}`;
        const known = this.#entries.get(name);
        if (before !== undefined) {
          if (known !== undefined && (known.text !== text || known.before !== before))
            this.fail(
              `log matching: ${id} has ${name} ${text} after term ${before}, another has ${known.text} after term ${known.before}`,
            );
          this.#entries.set(name, { text, before });
        }
        before = term;
      }
    }
  }

  #leads({ id }: Replica, { role, term, log }: Raft): void {
    if (role !== 'leader') return;
    const led = this.#led.get(term);
    if (led?.leader !== id) this.fail(`${id} leads in term ${term} and was not elected`);
    const { terms } = led;
    if (log.last.index < terms.length - 1 || log.termAt(terms.length - 1) !== terms.at(-1))
      this.fail(`leader append-only: ${id} has lost entries in term ${term}`);
    for (let index = terms.length; index <= log.last.index; index++) terms.push(log.termAt(index) ?? 0);
  }

  #commitsOnly({ id }: Replica, raft: Raft): void {
    const before = this.#commits.get(id) ?? 0;
    if (raft.commit < before) this.fail(`the commit index of ${id} fell from ${before} to ${raft.commit}`);
    if (raft.commit > raft.log.last.index) this.fail(`${id} has committed what it does not have`);
    this.#commits.set(id, raft.commit);
    for (let index = before + 1; index <= raft.commit; index++) {
      const term = raft.log.termAt(index);
      if (term === undefined) continue;
      const known = this.#committed[index];
      if (known !== undefined && known.term !== term)
        this.fail(`state machine safety: ${index} is committed with terms ${known.term} and ${term} (${id})`);
      if (known === undefined) this.counts.commits++;
      if (known !== undefined && known.by <= raft.term) continue;
      // A follower may hear of it in a later term than it was committed in: that only makes the check weaker.
      const entry = { term, by: raft.term };
      this.#committed[index] = entry;
      for (const [later, led] of this.#led) {
        if (later > raft.term && led.elected > 0) this.#complete(led, later, index, entry);
      }
    }
  }

  #confirms(raft: Raft): void {
    const { leadership } = raft;
    if (leadership === undefined) return;
    for (const round of leadership.takeConfirmed()) {
      for (const asked of this.#asked) {
        if (asked.raft !== raft || asked.round !== round.number) continue;
        this.counts.rounds++;
        if (round.commit < asked.committed)
          this.fail(
            `a round of ${raft.config.self} confirms ${round.commit}; ${asked.committed} was committed`,
          );
      }
    }
    if (!leadership.leased(this.#cluster.nowMs)) return;
    this.counts.leases++;
    if (raft.commit < this.committed)
      this.fail(
        `${raft.config.self} has a lease with commit ${raft.commit}; ${this.committed} was committed`,
      );
  }

  #rests({ config, leadership, log, commit }: Raft): void {
    if (leadership?.quiet !== true) return;
    this.counts.rests++;
    const { index } = log.last;
    if (commit !== index || !leadership.voters.heldByReachable(index) || leadership.transferring)
      this.fail(`${config.self} rests at ${index}, and is not done`);
  }

  /** A message leaves now: what it says of the disk must be so. */
  leaves({ id, disk }: Replica, to: NodeId, message: LeaderFollowerMessage): void {
    switch (message.type) {
      case 'request-vote':
        if (disk.hard.term < message.term) this.fail(`${id} asks for votes before its own is on disk`);
        return;
      case 'request-vote-result': {
        this.counts.votes++;
        const { term, votedFor } = disk.hard;
        if (message.granted && (term < message.term || (term === message.term && votedFor !== to)))
          this.fail(`${id} votes for ${to} in term ${message.term} before that is on disk`);
        return;
      }
      case 'append-entries-result':
        if (disk.hard.term < message.term)
          this.fail(`${id} answers in term ${message.term} before that is on disk`);
        if (message.status === 'durable') this.#durable(id, disk, message.term, message.index);
        return;
      default:
        return;
    }
  }

  #durable(id: NodeId, disk: Replica['disk'], term: number, index: number): void {
    this.counts.durable++;
    const terms = this.#led.get(term)?.terms;
    const onDisk = new Map(entriesOnDisk(disk).map((entry) => [entry.index, entry.term]));
    for (let at = disk.base.index + 1; at <= index; at++) {
      if (onDisk.get(at) !== terms?.[at])
        this.fail(`durable: ${id} says it has ${index} in term ${term}, and not ${at} of it is on disk`);
    }
    if (disk.base.index > index || terms === undefined) return;
    if (disk.base.index > 0 && terms[disk.base.index] !== disk.base.term)
      this.fail(`durable: the log of ${id} begins elsewhere than its leader's`);
  }
}

/**
 * Looks for values that have rotted on this replica's disk: a follower reads most of what it holds only when it leads, and by then the other
 * copies may be rotten too. A page at a time, from when the replica opens, and again after `SCRUB_AGAIN_MS`.
 *
 * What it finds is only a finding. A replica whose memory is damaged begins a new life and is refilled, which is safe only while others have all of it:
 * it waits for that, and meanwhile the damaged value is refused and every other one is served. One at a time: it asks all others whether
 * they are members and hold what it knows to be committed, and of two that ask each other the first in the map's order goes first.
 */
import { SCAN_PAGE_ENTRIES_MAX } from '../../core/limits.js';
import { checkVersioned } from '../../protocol/versioned-record-codec.js';
import type { NodeId } from '../../core/ids.js';
import type { JoinAnswer } from '../../protocol/leader-follower-messages.js';
import type { Effects, Turn } from '../strategy.js';
import type { GroupFacts } from './group-facts.js';
import type { Scanned } from './opening.js';
import type { Raft } from './raft/raft.js';
import { dataPrefix } from './state-machine.js';
import { SCRUB_AGAIN_MS, SCRUB_PAGE_MS } from './tuning.js';

/** The timer, and the scans. */
export const SCRUB = 'scrub';

const NUMBER_BOUND = 2 ** 32;

export class Scrub {
  readonly #facts: GroupFacts;
  #generation: number | undefined;
  #after = '';
  /** The first damaged value that was found; null for none. */
  #found: string | null = null;
  /** The question whether the others are members that hold all up to `commit`, by its number, and who has said so. */
  #asking: { readonly number: number; readonly commit: number; readonly holders: Set<NodeId> } | undefined;

  constructor(facts: GroupFacts) {
    this.#facts = facts;
  }

  begin(effects: Effects): void {
    effects.setTimer(SCRUB, SCRUB_PAGE_MS);
  }

  /** The timer has gone off. Returns what is rotten once the replica may begin anew for it, else null. */
  go(generation: number, raft: Raft, turn: Turn, effects: Effects): string | null {
    if (this.#found !== null) return this.#mayBeginAnew(raft, turn, effects) ? this.#found : null;
    this.#read(generation, effects);
    return null;
  }

  /** All others are there, and one of them leads. A replica that leads hands over first. */
  #mayBeginAnew(raft: Raft, turn: Turn, effects: Effects): boolean {
    const { peers } = this.#facts;
    const refillable = peers.length > 1 && peers.every((peer) => turn.reachable(peer));
    const { leader, leadership } = raft;
    if (refillable && leadership === undefined && leader !== null) {
      if (this.#asking?.holders.size === peers.length) return true;
      this.#ask(raft.commit, turn, effects);
      return false;
    }
    this.#asking = undefined;
    const followers = leadership?.followers.filter(({ counts }) => counts) ?? [];
    const best = Math.max(...followers.map(({ match }) => match));
    const heirs = refillable ? followers.filter(({ match }) => match === best) : [];
    // Any of them: one whose disk is full does not take it.
    const heir = heirs[turn.random.integer(Math.max(1, heirs.length))];
    if (heir !== undefined) raft.transfer(heir.node, turn.monotonicMs);
    this.begin(effects);
    return false;
  }

  #ask(commit: number, turn: Turn, effects: Effects): void {
    const number = turn.random.integer(NUMBER_BOUND);
    this.#asking = { number, commit, holders: new Set() };
    for (const peer of this.#facts.peers) effects.send(peer, { type: 'join-query', life: number });
    this.begin(effects);
  }

  answered(from: NodeId, { asked, state, commit }: JoinAnswer): void {
    if (this.#asking?.number !== asked) return;
    if (state === 'member' && commit >= this.#asking.commit) this.#asking.holders.add(from);
    else this.#asking = undefined;
  }

  /** Another replica asks. Whether it has to wait for this one, which asks as well; else this one asks anew later. */
  goesBefore(asker: NodeId): boolean {
    if (this.#asking === undefined) return false;
    const { replicas, self } = this.#facts;
    if (replicas.indexOf(self) < replicas.indexOf(asker)) return true;
    this.#asking = undefined;
    return false;
  }

  /** The state was replaced. */
  forget(): void {
    this.#found = null;
    this.#asking = undefined;
  }

  /** Reads the next page; from the beginning where a snapshot has replaced the state. */
  #read(generation: number, effects: Effects): void {
    if (generation !== this.#generation) this.#after = '';
    this.#generation = generation;
    const prefix = dataPrefix(generation);
    // A prefix ends in a slash, and `0` follows it.
    const lt = `${prefix.slice(0, -1)}0`;
    const range = this.#after === '' ? { gte: prefix, lt } : { gt: this.#after, lt };
    effects.scan(SCRUB, range, SCAN_PAGE_ENTRIES_MAX);
  }

  /** A damaged value was met elsewhere. */
  found(what: string, effects: Effects): void {
    if (this.#found !== null) return;
    this.#found = what;
    effects.count('values_rotten');
    this.begin(effects);
  }

  scanned(event: Scanned, generation: number, effects: Effects): void {
    // What a snapshot has replaced is nobody's any more.
    if (generation !== this.#generation) return this.begin(effects);
    const rotten = event.damaged || event.entries.find(([, bytes]) => !checkVersioned(bytes)) !== undefined;
    if (rotten) this.found('a value that nobody had read', effects);
    const [last] = event.entries.at(-1) ?? [];
    this.#after = event.more && last !== undefined ? last : '';
    effects.setTimer(SCRUB, this.#found === null && this.#after === '' ? SCRUB_AGAIN_MS : SCRUB_PAGE_MS);
  }
}

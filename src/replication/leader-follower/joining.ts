/**
 * How a group is formed, and how a replica finds out whether it was (docs/adr/0017).
 *
 *     fresh ──all others are fresh too, and nobody has entries, twice──> member, who notes the life of each
 *     fresh ──a member noted this very life──> member
 *     fresh ──a member did not──> joining: this store has lost what the group had given it
 *
 * Twice: the others are asked again once all have answered, and must be in the same lives. So there was a moment at which all were fresh
 * together. Of one round of answers an early one may be old: its sender may have formed the group since with one that has lost its disk after
 * that and is fresh again, and what those two had committed would be gone.
 *
 * A joining replica is made a member by the leader (`admit`), never by itself, and so is a fresh one that hears its leader before it has
 * found out. Such a member does not know whose lives were noted: what it answers tells a fresh replica nothing.
 */
import type { NodeId } from '../../core/ids.js';
import type { JoinAnswer, JoinQuery } from '../../protocol/leader-follower-messages.js';
import type { StoredHardState } from '../../protocol/hard-state-codec.js';
import type { Effects, Turn } from '../strategy.js';
import type { GroupFacts } from './group-facts.js';
import { JOIN_MS } from './tuning.js';

export const JOIN = 'join';

/** Of the numbers of rounds but the first, which is the life. */
const ROUND_BOUND = 2 ** 32;

type Formed = StoredHardState['formed'];

/** What a fresh replica has found out: a member, with what was noted; or one that has lost its data. */
export type Joined =
  { readonly type: 'member'; readonly formed: Formed } | { readonly type: 'joining' } | undefined;

export class Joining {
  readonly #facts: GroupFacts;
  readonly #life: number;
  /** It has been given entries: somebody leads, so the group was formed already. */
  readonly #isFed: () => boolean;
  /** The lives of those that said that they are fresh in this round of questions, which has this number. */
  #fresh = new Map<NodeId, number>();
  #round: number;
  /** Of the round before, in which all were. */
  #freshBefore: ReadonlyMap<NodeId, number> | undefined;

  constructor(facts: GroupFacts, life: number, isFed: () => boolean) {
    this.#facts = facts;
    this.#life = life;
    this.#isFed = isFed;
    this.#round = life;
  }

  /** Asks the others; again every `JOIN_MS` until it is known. */
  ask(turn: Turn, effects: Effects): Joined {
    effects.setTimer(JOIN, JOIN_MS);
    this.#query(turn, effects);
    return this.#formedByAll(turn, effects);
  }

  answered(from: NodeId, answer: JoinAnswer, turn: Turn, effects: Effects): Joined {
    if (answer.asked !== this.#round) return undefined;
    switch (answer.state) {
      case 'fresh':
        this.#fresh.set(from, answer.life);
        return this.#formedByAll(turn, effects);
      case 'joining':
        this.#fresh.delete(from);
        return undefined;
      case 'member': {
        this.#fresh.delete(from);
        if (answer.formed.length === 0) return undefined;
        const noted = answer.formed.some(([node, life]) => node === this.#facts.self && life === this.#life);
        return noted ? { type: 'member', formed: answer.formed } : { type: 'joining' };
      }
    }
  }

  /** A peer that went away may come back without its memory. */
  peerDown(peer: NodeId): void {
    this.#fresh.delete(peer);
  }

  /** Those that have not said yet that they are fresh. */
  get missing(): NodeId[] {
    return this.#facts.peers.filter(
      (peer) => !this.#fresh.has(peer) && this.#freshBefore?.has(peer) !== true,
    );
  }

  #query(turn: Turn, effects: Effects): void {
    const query: JoinQuery = { type: 'join-query', life: this.#round };
    for (const peer of this.#facts.peers) if (turn.reachable(peer)) effects.send(peer, query);
  }

  #formedByAll(turn: Turn, effects: Effects): Joined {
    const { peers, self } = this.#facts;
    if (this.#isFed() || peers.some((peer) => !this.#fresh.has(peer))) return undefined;
    const before = this.#freshBefore;
    if (peers.every((peer) => before?.get(peer) === this.#fresh.get(peer)))
      return { type: 'member', formed: [[self, this.#life], ...this.#fresh] };
    this.#freshBefore = this.#fresh;
    this.#fresh = new Map();
    this.#round = turn.random.integer(ROUND_BOUND);
    this.#query(turn, effects);
    return undefined;
  }
}

/**
 * What a replica whose log ends at `last` says. One that is fresh and has entries is part of a group that was formed, and no group is
 * formed with it.
 */
export function joinAnswer(
  { life, standing, formed }: StoredHardState,
  { life: asked }: JoinQuery,
  { last, commit }: { readonly last: number; readonly commit: number },
): JoinAnswer {
  const state = standing === 'fresh' && last > 0 ? 'joining' : standing;
  return { type: 'join-answer', asked, life, state, formed, commit };
}

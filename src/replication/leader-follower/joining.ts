/**
 * How a group is formed, and how a replica finds out whether it was (docs/adr/0017).
 *
 *     fresh ──all others are fresh too, and nobody has entries──> member, who notes the life of each
 *     fresh ──a member noted this very life──> member
 *     fresh ──a member did not──> joining: this store has lost what the group had given it
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

type Formed = StoredHardState['formed'];

/** What a fresh replica has found out: a member, with what was noted; or one that has lost its data. */
export type Joined =
  { readonly type: 'member'; readonly formed: Formed } | { readonly type: 'joining' } | undefined;

export class Joining {
  readonly #facts: GroupFacts;
  readonly #life: number;
  /** It has been given entries: somebody leads, so the group was formed already. */
  readonly #isFed: () => boolean;
  /** The lives of those that said that they are fresh. */
  readonly #fresh = new Map<NodeId, number>();

  constructor(facts: GroupFacts, life: number, isFed: () => boolean) {
    this.#facts = facts;
    this.#life = life;
    this.#isFed = isFed;
  }

  /** Asks the others; again every `JOIN_MS` until it is known. */
  ask(turn: Turn, effects: Effects): Joined {
    effects.setTimer(JOIN, JOIN_MS);
    const query: JoinQuery = { type: 'join-query', life: this.#life };
    for (const peer of this.#facts.peers) if (turn.reachable(peer)) effects.send(peer, query);
    return this.#formedByAll();
  }

  answered(from: NodeId, answer: JoinAnswer): Joined {
    if (answer.asked !== this.#life) return undefined;
    switch (answer.state) {
      case 'fresh':
        this.#fresh.set(from, answer.life);
        return this.#formedByAll();
      case 'joining':
        this.#fresh.delete(from);
        return undefined;
      case 'member': {
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

  #formedByAll(): Joined {
    const { peers, self } = this.#facts;
    if (this.#isFed() || peers.some((peer) => !this.#fresh.has(peer))) return undefined;
    return { type: 'member', formed: [[self, this.#life], ...this.#fresh] };
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

/**
 * The tally of one write: who has it on disk, who may still confirm, and what that decides. Pure, apart from
 * the coordinator's input and output (as riak_kv separates its get core from its state machine).
 */
import type { NodeId } from '../../core/ids.js';

export type WriteAnswer = 'stored' | 'hinted' | 'waiting';

export class WriteTally {
  readonly #answers: Map<NodeId, WriteAnswer>;
  readonly #required: number;

  /** `replicas` are all N of the group; those that were not even asked are `hinted` from the start. */
  constructor(required: number, replicas: readonly NodeId[], asked: (replica: NodeId) => boolean) {
    this.#required = required;
    this.#answers = new Map(replicas.map((id) => [id, asked(id) ? 'waiting' : 'hinted']));
  }

  answer(replica: NodeId, answer: 'stored' | 'hinted'): void {
    this.#answers.set(replica, answer);
  }

  get answers(): ReadonlyMap<NodeId, WriteAnswer> {
    return this.#answers;
  }

  /** `stored`: W replicas have it. `impossible`: too few are left that could. */
  verdict(): 'stored' | 'impossible' | 'waiting' {
    let stored = 0;
    let waiting = 0;
    for (const answer of this.#answers.values()) {
      if (answer === 'stored') stored++;
      else if (answer === 'waiting') waiting++;
    }
    if (stored >= this.#required) return 'stored';
    return stored + waiting < this.#required ? 'impossible' : 'waiting';
  }
}

/**
 * The tally of one write: who has it on disk, who may still confirm, and what that decides. Pure, apart from
 * the coordinator's input and output (as riak_kv separates its get core from its state machine).
 */
import type { NodeId } from '../../core/ids.js';

export type WriteAnswer = 'stored' | 'hinted' | 'waiting';

export class WriteTally {
  readonly #replicas: readonly NodeId[];
  readonly #answers: WriteAnswer[];
  readonly #required: number;
  #stored = 0;
  #waiting = 0;

  /** `replicas` are all N of the group; those that were not even asked are `hinted` from the start. */
  constructor(required: number, replicas: readonly NodeId[], asked: (replica: NodeId) => boolean) {
    this.#required = required;
    this.#replicas = replicas;
    this.#answers = replicas.map((replica) => {
      if (!asked(replica)) return 'hinted';
      this.#waiting++;
      return 'waiting';
    });
  }

  /** Each replica answers once; what it says later changes nothing. */
  answer(replica: NodeId, answer: 'stored' | 'hinted'): void {
    const place = this.#replicas.indexOf(replica);
    if (this.#answers[place] !== 'waiting') return;
    this.#answers[place] = answer;
    this.#waiting--;
    if (answer === 'stored') this.#stored++;
  }

  /** How many replicas have the write on disk. */
  get stored(): number {
    return this.#stored;
  }

  get answers(): readonly (readonly [NodeId, WriteAnswer])[] {
    return this.#replicas.map((replica, i) => [replica, this.#answers[i] ?? 'waiting']);
  }

  /** `stored`: W replicas have it. `impossible`: too few are left that could. */
  verdict(): 'stored' | 'impossible' | 'waiting' {
    if (this.#stored >= this.#required) return 'stored';
    return this.#stored + this.#waiting < this.#required ? 'impossible' : 'waiting';
  }
}

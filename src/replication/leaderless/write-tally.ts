/**
 * The tally of one write: who has it on disk, who may still confirm, and what that decides. Pure, apart from
 * the coordinator's input and output (as riak_kv separates its get core from its state machine).
 *
 * Stand-ins are added to it as they are asked, in a sloppy namespace and in no other.
 */
import type { NodeId } from '../../core/ids.js';
import { invariant } from '../../core/invariant.js';

/** `held`: a stand-in has it for a home. `hinted`, `unreachable`: a home, a stand-in that will not confirm. */
export type WriteAnswer = 'stored' | 'hinted' | 'waiting' | 'held' | 'unreachable';

export interface TallySetup {
  readonly required: number;
  /** All N of the group. */
  readonly homes: readonly NodeId[];
  readonly sloppy: boolean;
}

export class WriteTally {
  readonly #setup: TallySetup;
  readonly #nodes: NodeId[];
  readonly #answers: WriteAnswer[];
  #stored = 0;
  #waiting = 0;

  /** Homes that were not even asked are `hinted` from the start. */
  constructor(setup: TallySetup, asked: (replica: NodeId) => boolean) {
    this.#setup = setup;
    this.#nodes = [...setup.homes];
    this.#answers = setup.homes.map((replica) => {
      if (!asked(replica)) return 'hinted';
      this.#waiting++;
      return 'waiting';
    });
  }

  /** A stand-in has been asked. L21: never for a strict namespace, whose W are homes. */
  addStandIn(node: NodeId): void {
    invariant(this.#setup.sloppy, 'stand-ins count in sloppy namespaces only');
    invariant(!this.#nodes.includes(node), 'one disk counts once');
    this.#nodes.push(node);
    this.#answers.push('waiting');
    this.#waiting++;
  }

  /** Each node answers once; what it says later changes nothing. */
  answer(node: NodeId, answer: Exclude<WriteAnswer, 'waiting'>): void {
    const place = this.#nodes.indexOf(node);
    if (this.#answers[place] !== 'waiting') return;
    this.#answers[place] = answer;
    this.#waiting--;
    if (answer === 'stored' || answer === 'held') this.#stored++;
  }

  /** How many nodes have the write on disk. */
  get stored(): number {
    return this.#stored;
  }

  /** How many more must be asked so that W can still be met. */
  get shortfall(): number {
    return Math.max(0, this.#setup.required - this.#stored - this.#waiting);
  }

  /** The homes that will not confirm. */
  get missed(): readonly NodeId[] {
    return this.#setup.homes.filter((_, i) => this.#answers[i] === 'hinted');
  }

  /** Whether this stand-in has been asked. */
  hasStandIn(node: NodeId): boolean {
    return this.#nodes.includes(node);
  }

  get answers(): readonly (readonly [NodeId, WriteAnswer])[] {
    return this.#nodes.map((node, i) => [node, this.#answers[i] ?? 'waiting']);
  }

  /** `stored`: W nodes have it. `impossible`: too few are left that could. */
  verdict(): 'stored' | 'impossible' | 'waiting' {
    if (this.#stored >= this.#setup.required) return 'stored';
    return this.shortfall > 0 ? 'impossible' : 'waiting';
  }
}

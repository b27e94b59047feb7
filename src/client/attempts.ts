/**
 * What the attempts of one call have met, and which of it tells the caller most.
 *
 * Where a majority is gone, the replicas that are left say why they cannot serve, and the others refuse the connection: whichever came
 * last is chance. So a replica's own word outranks that one could not be heard, and of the same rank the latest counts.
 */
import type { ErrorCode, TrefoilError } from '../core/errors.js';
import { lossReason } from './connection.js';

/** Rank 0: nothing was heard. */
const UNHEARD: ReadonlySet<ErrorCode> = new Set(['ConnectionLost', 'DeadlineExceeded']);

/** Rank 1: nothing was heard of any replica. */
const NONE_HEARD: ReadonlySet<ErrorCode> = new Set(['NoReachableNode', 'Timeout']);

/** Rank 2: a word about where to go, or when. All others have rank 3: they say why it cannot be. */
const DIRECTIONS: ReadonlySet<ErrorCode> = new Set([
  'StaleMap',
  'NotReplica',
  'NotLeader',
  'ShuttingDown',
  'Overloaded',
]);

export class Attempts {
  #best: TrefoilError;
  /** By address. */
  readonly #said = new Map<string, TrefoilError>();

  constructor(first: TrefoilError, address: string | undefined) {
    this.#best = first;
    this.note(first, address);
  }

  /** `address`: of the node that was asked, undefined where none could be. */
  note(error: TrefoilError, address: string | undefined): void {
    const rank = rankOf(error);
    if (rank >= rankOf(this.#best)) this.#best = error;
    if (address === undefined) return;
    const before = this.#said.get(address);
    if (before === undefined || rank >= rankOf(before)) this.#said.set(address, error);
  }

  /** What tells most of all that was met. */
  get best(): TrefoilError {
    return this.#best;
  }

  /** What the node at an address said, in a few words, or why it was not heard; undefined where it was not asked. */
  saidBy(address: string): string | undefined {
    const error = this.#said.get(address);
    if (error?.code === 'ConnectionLost') return lossReason(error, address);
    return error?.code === 'Timeout' ? 'no answer in time' : error?.code;
  }
}

function rankOf({ code }: TrefoilError): number {
  if (UNHEARD.has(code)) return 0;
  if (NONE_HEARD.has(code)) return 1;
  return DIRECTIONS.has(code) ? 2 : 3;
}

/**
 * Operation ids: one session for each database handle, one sequence for each write.
 *
 * Every attempt of a write carries the same id, which is how a node recognises a retry. With it goes the
 * lowest sequence that is still open, so that a node knows which retries can no longer come.
 */
import { sessionId, type SessionId } from '../core/ids.js';
import { invariant } from '../core/invariant.js';
import type { OperationId } from '../core/record.js';

export class Operations {
  readonly session: SessionId;
  #next = 1;
  #lowestOpen = 1;
  /** Closed, but above `#lowestOpen`: at most as many as there are calls open at once. */
  readonly #closedAbove = new Set<number>();

  /** `session` is unique among all clients there ever were. */
  constructor(session: string) {
    this.session = sessionId(session);
  }

  /** A new operation, open until `close`. */
  open(): OperationId {
    return { session: this.session, sequence: this.#next++ };
  }

  /** The operation will not be sent again. */
  close(operation: OperationId): void {
    invariant(operation.sequence >= this.#lowestOpen && operation.sequence < this.#next, 'it was open');
    this.#closedAbove.add(operation.sequence);
    while (this.#closedAbove.delete(this.#lowestOpen)) this.#lowestOpen++;
  }

  /** How many there are from the lowest that is open to the latest: as many results a node may have to remember. */
  get span(): number {
    return this.#next - this.#lowestOpen;
  }

  /** No operation below it will be sent again. */
  get lowestOpen(): number {
    return this.#lowestOpen;
  }
}

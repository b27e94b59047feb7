/**
 * Rounds of confirmation: proof that this leader was still the leader after a moment (thesis, 6.4).
 *
 * Whoever needs it asks for a round; all who ask before it begins share it, and one is under way at a time. A round begins with
 * the commit index of its moment and is confirmed when a majority has answered a message that was sent after it began.
 */
export interface Round {
  readonly number: number;
  /** The commit index when it began: what a read that waits for it must see applied. */
  readonly commit: number;
  readonly beganMs: number;
  /** Somebody waits for it; otherwise it only renews a lease. */
  readonly awaited: boolean;
}

export class Rounds {
  #last = 0;
  #open: Round | undefined;
  #wanted = false;
  #asked = false;

  /** The number of the round under way, or of the last one. */
  get current(): number {
    return this.#last;
  }

  get open(): Round | undefined {
    return this.#open;
  }

  /** Whether somebody waits for a round, begun or not. */
  get awaited(): boolean {
    return this.#asked || this.#open?.awaited === true;
  }

  /** Asks for a round that begins from now on; returns its number. */
  ask(): number {
    this.#wanted = true;
    this.#asked = true;
    return this.#last + 1;
  }

  /** Wants a round that nobody waits for. */
  renew(): void {
    this.#wanted = true;
  }

  /** Begins the next round if one is wanted and none is under way. Returns whether it did. */
  begin(commit: number, nowMs: number): boolean {
    if (!this.#wanted || this.#open !== undefined) return false;
    this.#open = { number: ++this.#last, commit, beganMs: nowMs, awaited: this.#asked };
    this.#wanted = false;
    this.#asked = false;
    return true;
  }

  /** The open round is confirmed. */
  end(): void {
    this.#open = undefined;
  }
}

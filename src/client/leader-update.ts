/**
 * Read-modify-write with a leader: a compare-and-set loop.
 *
 *     read the latest ──> change ──> write on the condition of that version ──> done
 *       ▲                                        │ ConditionFailed
 *       └──────────── pause, full jitter ────────┘
 *
 * A refused write had no effect and never will, so the loop may go on; any other error ends it, with the outcome that the error has. No
 * count of rounds ends it: whenever a writer is refused another one has got on, so only the deadline can be the measure.
 */
import { TrefoilError } from '../core/errors.js';
import type { GetResult, PutResult, ValueView } from '../protocol/messages.js';

/** One update, as the loop sees it: values are bytes, null deletes. */
export interface LeaderUpdateSteps {
  /** The latest. */
  read(): Promise<GetResult>;
  /** `current` is null where the key is absent. */
  change(current: ValueView | null): Uint8Array | null;
  write(value: Uint8Array | null, ifVersion: number): Promise<PutResult>;
  /** Before a further round; rejects with the error that ends the update where there is no time for one. */
  pause(round: number, error: TrefoilError): Promise<void>;
}

/** How an update ended: by its write, or with nothing to delete. */
export type LeaderUpdateEnd =
  | { readonly type: 'written'; readonly result: PutResult }
  | { readonly type: 'found'; readonly result: GetResult };

/** Runs an update to its end. Throws whatever a step throws. */
export async function runLeaderUpdate(steps: LeaderUpdateSteps): Promise<LeaderUpdateEnd> {
  for (let round = 0; ; round++) {
    const found = await steps.read();
    const [current = null] = found.values;
    const value = steps.change(current);
    if (value === null && current === null) return { type: 'found', result: found };
    try {
      return { type: 'written', result: await steps.write(value, found.version) };
    } catch (error) {
      const refused = error instanceof TrefoilError && error.code === 'ConditionFailed';
      if (!refused || error.outcome !== 'failed') throw error;
      await steps.pause(round, error);
    }
  }
}

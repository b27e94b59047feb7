/**
 * Read-modify-write without consensus: what can be promised, and how it is kept.
 *
 * A leaderless store cannot refuse a write because another came first. Under the policy `siblings` it can
 * show that one did: both writes then stand, and where the later one's coordinator held the other, its answer counts
 * more than one sibling.
 * So a round is: read, change, write with the context of that read. If siblings remain after the write,
 * read again (an answer that has seen our write) and look for our own value:
 *
 *   gone             a writer that had read ours superseded it: our change is in what that writer was shown. Done.
 *   alone            nothing stands beside it any more. Done.
 *   beside others    our attempt is undone and made again: `change` gets the others and what our attempt had
 *                    replaced, and its result supersedes all of them and the attempt.
 *
 * Invariant: a write of `update` supersedes nothing but values that were shown to the call of `change` that
 * made it, and the update's own earlier attempts. So no concurrent update is ever lost unseen. What is not promised:
 *
 *   that rivals meet   the count is the coordinator's own view at the write. Two updates through different
 *                      coordinators may both count one and both end; their values stay siblings, and a later
 *                      `change` that looks only at `current` then drops one of them, though it was shown both.
 *   exactly once       two updates that find each other at the same moment may both make way and both repeat.
 *                      Full-jitter pauses make that rare, not impossible.
 *
 * Rejected: handing our own attempt to `change` as if it were another's value; a change that looks only at
 * `current`, which is how most are written, would then apply twice and lose the other writer's.
 *
 * Under `lww` the store shows one winner and the siblings are not ours to see: one round, and the loser of
 * two concurrent updates is lost.
 */
import { TrefoilError } from '../core/errors.js';
import { UPDATE_ROUNDS_MAX } from '../core/limits.js';
import type { GetResult, PutResult, ValueView } from '../protocol/messages.js';
import { withOutcome } from './wire-error.js';

/** One update, as the loop sees it: values are bytes, null deletes. */
export interface UpdateSteps {
  readonly key: string;
  readonly repeats: boolean;
  /** `atLeast`: the answer must have seen this context. */
  read(atLeast: Uint8Array | null): Promise<GetResult>;
  /** `values` are what is live, `current` the one written last; null where absent. */
  change(current: ValueView | null, values: readonly ValueView[]): Uint8Array | null;
  write(value: Uint8Array | null, context: Uint8Array | null): Promise<PutResult>;
  /** Before a further round. */
  pause(round: number): Promise<void>;
}

/** How an update ended: by a write of its own, or by finding that another's has taken it in. */
export type UpdateEnd =
  | { readonly type: 'written'; readonly value: Uint8Array | null; readonly result: PutResult }
  | { readonly type: 'found'; readonly result: GetResult };

/** What the update has written so far and not been done with. */
interface Attempt {
  readonly value: Uint8Array | null;
  /** The values that it was made from. */
  readonly replaced: readonly ValueView[];
  readonly context: Uint8Array;
}

/**
 * Runs an update to its end. Throws `UpdateConflict` when other writers came between in every round, and
 * whatever a step throws. Once an attempt is written, every error's outcome is unknown: the attempt stands.
 */
export async function runUpdate(steps: UpdateSteps): Promise<UpdateEnd> {
  let attempt: Attempt | undefined;
  try {
    for (let round = 0; round < UPDATE_ROUNDS_MAX; round++) {
      if (round > 0) await steps.pause(round);
      const ended = await runRound(steps, attempt);
      if ('type' in ended) return ended;
      attempt = ended;
    }
  } catch (error) {
    if (attempt === undefined || !(error instanceof TrefoilError)) throw error;
    throw withOutcome(error, 'unknown');
  }
  throw new TrefoilError(
    'UpdateConflict',
    `update of ${JSON.stringify(steps.key.slice(0, 80))}: other writers came between ${UPDATE_ROUNDS_MAX} times`,
    { outcome: 'unknown' },
  );
}

/** One round: ends the update, or gives the attempt that stands beside others. */
async function runRound(steps: UpdateSteps, before: Attempt | undefined): Promise<UpdateEnd | Attempt> {
  const read = await steps.read(before?.context ?? null);
  const others = before === undefined ? read.values : othersThan(read.values, before.value);
  const settled = before !== undefined && (others === undefined || others.length === 0);
  if (settled || others === undefined) return { type: 'found', result: read };
  const shown = [...(before?.replaced ?? []), ...others];
  const value = steps.change(latest(others), shown);
  if (value === null && shown.length === 0) return { type: 'found', result: read };
  const result = await steps.write(value, read.context);
  if (result.siblings <= 1 || !steps.repeats) return { type: 'written', value, result };
  return { value, replaced: shown, context: result.context };
}

/**
 * The values without one that equals ours; undefined where ours is gone. Equal values are the same to
 * `change`, whoever wrote them. A deletion of ours shows in no value: it counts as still there.
 */
function othersThan(values: readonly ValueView[], ours: Uint8Array | null): readonly ValueView[] | undefined {
  if (ours === null) return values;
  const at = values.findIndex((view) => sameBytes(view.value, ours));
  return at < 0 ? undefined : values.filter((_, index) => index !== at);
}

/** The value written last, by its HLC time; null of none. */
export function latest(values: readonly ValueView[]): ValueView | null {
  let last: ValueView | null = null;
  for (const view of values) if (last === null || view.hlc >= last.hlc) last = view;
  return last;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

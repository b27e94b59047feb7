/**
 * A broken invariant is a programmer's fault, never a user's: it stays on in production and stops the
 * node, because going on would risk acknowledged data. A fault of the world is a `TrefoilError` instead.
 */
export class InvariantViolation extends Error {
  override readonly name = 'InvariantViolation';
}

/** Throws {@link InvariantViolation} unless `condition` holds. `what` states what should have been true. */
export function invariant(condition: boolean, what: string): asserts condition {
  if (!condition) throw new InvariantViolation(what);
}

/** For the `default` of an exhaustive switch: the compiler proves it unreachable, the run time checks. */
export function unreachable(value: never): never {
  throw new InvariantViolation(`unexpected ${JSON.stringify(value)}`);
}

/** Errors between their form on the wire and the one that callers catch. */
import { TrefoilError, type Outcome } from '../core/errors.js';
import type { WireError } from '../protocol/messages.js';

/** The error that a node sent; `before` says where it comes from. */
export function errorFromWire(wire: WireError, before = ''): TrefoilError {
  return new TrefoilError(wire.code, before + wire.message, {
    outcome: wire.outcome,
    ...(wire.retryAfterMs > 0 ? { retryAfterMs: wire.retryAfterMs } : {}),
    ...(wire.leader === null ? {} : { leader: wire.leader }),
  });
}

/** The same error with what may be concluded from it in this place. */
export function withOutcome(error: TrefoilError, outcome: Outcome): TrefoilError {
  return error.outcome === outcome ? error : remade(error, error.message, outcome);
}

/** The same error with more words. */
export function withMessage(error: TrefoilError, message: string): TrefoilError {
  return remade(error, message, error.outcome);
}

function remade(error: TrefoilError, message: string, outcome: Outcome): TrefoilError {
  return new TrefoilError(error.code, message, {
    outcome,
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
    ...(error.leader === undefined ? {} : { leader: error.leader }),
    cause: error,
  });
}

/**
 * What the process's exit code says. Scripts match on these, so they never change meaning; `docs/cli.md`
 * and the `--help` epilogue list them.
 */
import type { TrefoilError } from '../core/errors.js';

export const EXIT = {
  ok: 0,
  /** It certainly had no effect. */
  failed: 1,
  /** Wrong arguments, or a config file that cannot be used. */
  usage: 2,
  /** Part of it was done or found; the output says which. */
  partial: 3,
  /** A write that may have had an effect. */
  unknown: 4,
  /** `get` of a key that is absent or deleted. */
  notFound: 5,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** `check` answers with its code, as `diff` and `grep` do. The worst of several files counts, `invalid` before `unknown`. */
export const CHECK_EXIT = { valid: 0, invalid: 1, unknown: 2 } as const;

/** The exit code that tells an error's outcome to a script. */
export function exitCodeOf(error: TrefoilError): ExitCode {
  switch (error.code) {
    case 'ConfigInvalid':
    case 'ConfigIncompatible':
    case 'MapConflict':
    case 'BadRequest':
    case 'BadContext':
    case 'InvalidKey':
    case 'KeyTooLarge':
    case 'ValueTooLarge':
    case 'UnknownNamespace':
    case 'Unsupported':
      return EXIT.usage;
    case 'Internal':
      return EXIT.failed;
    default:
      return error.outcome === 'unknown' ? EXIT.unknown : EXIT.failed;
  }
}

/** Makes the process end with `code` once it is done, unless a worse one was set before. */
export function endWith(code: ExitCode): void {
  if (process.exitCode === undefined || process.exitCode === 0) process.exitCode = code;
}

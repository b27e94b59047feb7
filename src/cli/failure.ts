/**
 * How a command fails, as a person reads it: two lines, never a stack trace.
 *
 *     error: QuorumUnavailable: 1 of 2 replicas can be reached
 *       next: Bring replicas back, or ask for fewer (read or write).
 *
 * With `--json` the same facts are one JSON line. Both go to stderr. `TREFOIL_DEBUG=1` adds the stack for
 * whoever works on Trefoil itself.
 */
import { ERRORS, TrefoilError, asTrefoilError, type ErrorCode } from '../core/errors.js';
import { exitCodeOf } from './exit-codes.js';

/** The lines that tell a person of the failure. A message of several lines keeps them, indented. */
export function describeFailure(error: TrefoilError): string {
  const [first = '', ...rest] = error.message.split('\n');
  return [`error: ${error.code}: ${first}`, ...rest.map((line) => `  ${line}`), `  next: ${error.help}`].join(
    '\n',
  );
}

/** The same for a machine. */
export function failureJson(error: TrefoilError): { readonly error: object } {
  const { code, message, outcome, retryable, help } = error;
  return { error: { code, message, outcome, retryable, help } };
}

/** Reads a failure back from what another `trefoil` process wrote to stderr, or undefined where there is none. */
export function parseFailure(stderr: string): TrefoilError | undefined {
  const matches = [...stderr.matchAll(/^error: (\w+): (.*)$/gm)];
  const last = matches.at(-1);
  const code = last?.[1];
  if (last?.[2] === undefined || code === undefined || !Object.hasOwn(ERRORS, code)) return undefined;
  return new TrefoilError(code as ErrorCode, last[2]);
}

/** Writes the failure to stderr and sets the exit code that tells its outcome. */
export function reportFailure(cause: unknown, options: { readonly json: boolean }): void {
  const error = asTrefoilError(cause);
  const text = options.json ? JSON.stringify(failureJson(error)) : describeFailure(error);
  process.stderr.write(`${text}\n`);
  if (process.env['TREFOIL_DEBUG'] === '1') process.stderr.write(`${stackOf(error)}\n`);
  process.exitCode = exitCodeOf(error);
}

function stackOf(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by ${stackOf(error.cause)}` : '';
  return `${error.stack ?? error.message}${cause}`;
}

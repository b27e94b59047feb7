/**
 * Words on the command line that begin with a dash and are no options: `-` alone, and all that follows `--`.
 *
 * yargs takes the first for an empty text and keeps the others from a command's positional arguments. So they
 * are marked before it sees them and unmarked before a handler does. The mark is NUL, which no argument of a
 * process can hold.
 */

const MARK = '\u0000';

/** The arguments as yargs may see them, without the `--`. */
export function markPlainWords(argv: readonly string[]): string[] {
  const end = argv.indexOf('--');
  const before = end < 0 ? argv : argv.slice(0, end);
  const after = end < 0 ? [] : argv.slice(end + 1);
  return [...before.map((word) => (word === '-' ? `${MARK}-` : word)), ...after.map((word) => MARK + word)];
}

/** Takes the marks off again, in place: yargs wants its own object back. */
export function unmarkPlainWords(parsed: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(parsed)) {
    if (Array.isArray(value)) parsed[name] = value.map(unmarked);
    else parsed[name] = unmarked(value);
  }
}

function unmarked(value: unknown): unknown {
  return typeof value === 'string' && value.startsWith(MARK) ? value.slice(MARK.length) : value;
}

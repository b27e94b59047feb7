/**
 * Where a command writes. Results go to stdout, for people or (`--json`) for machines; everything that is
 * not the result goes to stderr, so that `trefoil get k > file` holds the value and nothing else.
 */

export interface CliContext {
  /** Whether stdout is read by a machine: then only `printJson` may write to it. */
  readonly json: boolean;
  /** One line for a person, on stdout. */
  print(text: string): void;
  /** One JSON value on one line, on stdout. */
  printJson(value: unknown): void;
  /** A remark on stderr; it is no part of the result. */
  note(text: string): void;
}

/** The context of one command: `argv.json` chooses who reads stdout. */
export function cliContext(argv: { readonly json?: boolean | undefined }): CliContext {
  return {
    json: argv.json === true,
    print: (text) => void process.stdout.write(`${text}\n`),
    printJson: (value) => void process.stdout.write(`${JSON.stringify(value)}\n`),
    note: (text) => void process.stderr.write(`${text}\n`),
  };
}

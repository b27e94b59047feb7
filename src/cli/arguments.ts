/** Where the types of yargs end. */
import type { Argv } from 'yargs';

/**
 * The same builder, typed by what the handler gets: yargs gives `--value-json` as `valueJson` and applies
 * `coerce`, and its types know neither. `A` is what the options above the call make of the arguments.
 */
export function argumentsAs<A>(yargs: Argv<never> | Argv<object>): Argv<A> {
  return yargs as unknown as Argv<A>;
}

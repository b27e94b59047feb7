/** `trefoil increment`, `add` and `remove`: the changes of counters and sets. */
import type { CommandModule } from 'yargs';
import type { Changed, ChangeOptions, Database } from '../client/api.js';
import { TrefoilError } from '../core/errors.js';
import { argumentsAs } from './arguments.js';
import { withDatabase } from './connect.js';
import { cliContext } from './context.js';
import {
  callOptions,
  contextOption,
  contextText,
  dataOptions,
  explainOption,
  readOption,
  writeOption,
  type DataArguments,
  type ReadArguments,
  type WriteArguments,
} from './data-options.js';
import { explanationLines } from './explanation-text.js';

type ChangeArguments = DataArguments & Omit<WriteArguments, 'context'> & { readonly key: string };
type IncrementArguments = ChangeArguments & { readonly by: string | undefined };
type ElementArguments = ChangeArguments & { readonly elements: readonly string[] };
type RemoveArguments = ElementArguments & Pick<WriteArguments, 'context'> & Pick<ReadArguments, 'read'>;

/** Else yargs keeps only the last of several elements. */
const MANY = { 'duplicate-arguments-array': true } as const;

const KEY = { describe: 'the key', type: 'string', demandOption: true } as const;
const ELEMENTS = { describe: 'texts', type: 'string', array: true, demandOption: true } as const;

export const incrementCommand: CommandModule<object, IncrementArguments> = {
  command: 'increment <key> [by]',
  describe: 'count, in a namespace with conflict: counter',
  builder: (yargs) =>
    argumentsAs<IncrementArguments>(
      explainOption(writeOption(dataOptions(yargs)))
        .positional('key', KEY)
        .positional('by', { describe: 'a whole number; 1 where absent', type: 'string' }),
    ),
  handler: (argv) => {
    const by = wholeNumber(argv.by ?? '1');
    return change(argv, 'incremented', (db, options) =>
      db.counter(argv.namespace).increment(argv.key, by, options),
    );
  },
};

export const addCommand: CommandModule<object, ElementArguments> = {
  command: 'add <key> <elements..>',
  describe: 'add elements, in a namespace with conflict: set',
  builder: (yargs) =>
    argumentsAs<ElementArguments>(
      explainOption(writeOption(dataOptions(yargs.parserConfiguration(MANY))))
        .positional('key', KEY)
        .positional('elements', ELEMENTS),
    ),
  handler: (argv) =>
    change(argv, 'added to', (db, options) =>
      db.set<string>(argv.namespace).add(argv.key, argv.elements, options),
    ),
};

export const removeCommand: CommandModule<object, RemoveArguments> = {
  command: 'remove <key> <elements..>',
  describe: 'remove elements, in a namespace with conflict: set',
  builder: (yargs) =>
    argumentsAs<RemoveArguments>(
      contextOption(
        readOption(explainOption(writeOption(dataOptions(yargs.parserConfiguration(MANY)))), true),
      )
        .positional('key', KEY)
        .positional('elements', ELEMENTS),
    ),
  handler: (argv) =>
    change(argv, 'removed from', (db, options) =>
      db.set<string>(argv.namespace).remove(argv.key, argv.elements, options),
    ),
};

async function change(
  argv: ChangeArguments,
  verb: string,
  run: (db: Database, options: ChangeOptions) => Promise<Changed>,
): Promise<void> {
  const context = cliContext(argv);
  const changed = await withDatabase(argv, (db) => run(db, callOptions(argv.key, argv)));
  if (context.json) {
    context.printJson({
      key: changed.key,
      context: contextText(changed.context),
      ...(changed.explain === undefined ? {} : { explain: changed.explain }),
    });
    return;
  }
  context.print(`${verb} ${changed.key}`);
  if (changed.explain !== undefined) explanationLines(changed.explain).forEach((line) => context.note(line));
}

function wholeNumber(text: string): number {
  const by = Number(text);
  if (/^[+-]?\d+$/.test(text) && Number.isSafeInteger(by)) return by;
  throw new TrefoilError('BadRequest', `BY must be a whole number within 2^53 - 1, not "${text}"`);
}

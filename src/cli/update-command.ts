/** `trefoil update KEY`: read, change, write with the context of the read; retried when another writer came between. */
import type { Argv, CommandModule } from 'yargs';
import type { Updated } from '../client/api.js';
import { TrefoilError } from '../core/errors.js';
import { withDatabase } from './connect.js';
import { cliContext, type CliContext } from './context.js';
import {
  callOptions,
  dataOptions,
  explainOption,
  readOption,
  writeOption,
  type DataArguments,
  type ReadArguments,
  type WriteArguments,
} from './data-options.js';
import { degradedNote, explainForNote, replicasWanted, type Telling } from './degraded-note.js';
import { explanationLines } from './explanation-text.js';
import { entryJson } from './get-command.js';
import { parseJson } from './read-input.js';
import { applyChange, type UpdateChange } from './update-change.js';
import { valueLine } from './value-text.js';

interface ChangeArguments {
  readonly append: string | undefined;
  readonly increment: string | undefined;
  readonly merge: string | undefined;
  readonly resolve: string | undefined;
}

type UpdateArguments = DataArguments &
  ReadArguments &
  Omit<WriteArguments, 'context'> &
  ChangeArguments & { readonly key: string };

export const updateCommand: CommandModule<object, UpdateArguments> = {
  command: 'update <key>',
  describe: 'read a key, change its value or resolve its siblings, and write it',
  builder: (yargs) =>
    changeOptions(explainOption(writeOption(readOption(dataOptions(yargs), true)))).positional('key', {
      describe: 'the key',
      type: 'string',
      demandOption: true,
    }),
  handler: async (argv) => {
    const context = cliContext(argv);
    const change = changeOf(argv);
    await withDatabase(argv, async (db) => {
      const wanted = replicasWanted(db.map, argv);
      const options = { ...explainForNote(wanted, argv.json), ...callOptions(argv.key, argv) };
      const entry = await db
        .namespace(argv.namespace)
        .update(argv.key, (current, siblings) => applyChange(change, current, siblings), options);
      if (context.json) context.printJson(entryJson(entry));
      else printUpdated(context, entry, { wanted, explain: argv.explain });
    });
  },
};

function printUpdated(context: CliContext, entry: Updated<unknown>, { wanted, explain }: Telling): void {
  context.print(valueLine(entry.value));
  const degraded = degradedNote(wanted, [entry]);
  if (degraded !== undefined) context.note(degraded);
  if (explain && entry.explain !== undefined)
    explanationLines(entry.explain, entry.version).forEach((line) => context.note(line));
}

function changeOptions<T>(yargs: Argv<T>): Argv<T & ChangeArguments> {
  const text = { type: 'string', requiresArg: true } as const;
  return yargs
    .option('append', { ...text, describe: 'append this text; to nothing where the key is absent' })
    .option('increment', { ...text, describe: 'add this number; to 0 where the key is absent' })
    .option('merge', { ...text, describe: 'merge this JSON object; null removes a member' })
    .option('resolve', {
      ...text,
      describe: 'leaderless: keep the sibling of this index, as get shows it, and drop the others',
    });
}

/** The one change that the arguments ask for. Throws `BadRequest` for none, several, or one that cannot be read. */
export function changeOf(argv: ChangeArguments): UpdateChange {
  const given = (['append', 'increment', 'merge', 'resolve'] as const).filter(
    (name) => argv[name] !== undefined,
  );
  if (given.length !== 1)
    throw new TrefoilError('BadRequest', 'give one of --append, --increment, --merge or --resolve');
  if (argv.append !== undefined) return { type: 'append', text: argv.append };
  if (argv.merge !== undefined) return { type: 'merge', patch: parseJson(argv.merge, '--merge') };
  if (argv.increment !== undefined) {
    const by = Number(argv.increment);
    if (argv.increment.trim() === '' || !Number.isFinite(by))
      throw new TrefoilError('BadRequest', `--increment must be a number, not "${argv.increment}"`);
    return { type: 'increment', by };
  }
  if (!/^\d+$/.test(argv.resolve ?? ''))
    throw new TrefoilError('BadRequest', `--resolve must be an index from 0, not "${argv.resolve}"`);
  return { type: 'resolve', index: Number(argv.resolve) };
}

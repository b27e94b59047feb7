/** `trefoil delete KEY`: deleting what is absent is no error. */
import type { CommandModule } from 'yargs';
import type { Database, Written } from '../client/api.js';
import { withDatabase } from './connect.js';
import { cliContext } from './context.js';
import {
  callOptions,
  conditionOptions,
  contextOption,
  dataOptions,
  explainOption,
  writeOption,
  type ConditionArguments,
  type DataArguments,
  type WriteArguments,
} from './data-options.js';
import { explainForNote, replicasWanted } from './degraded-note.js';
import { printWritten } from './put-command.js';

type DeleteArguments = DataArguments & WriteArguments & ConditionArguments & { readonly key: string };

export const deleteCommand: CommandModule<object, DeleteArguments> = {
  command: 'delete <key>',
  describe: 'delete a key: what it holds now, or what --context had read',
  builder: (yargs) =>
    conditionOptions(contextOption(explainOption(writeOption(dataOptions(yargs))))).positional('key', {
      describe: 'the key',
      type: 'string',
      demandOption: true,
    }),
  handler: async (argv) => {
    const context = cliContext(argv);
    await withDatabase(argv, async (db) => {
      const wanted = replicasWanted(db.map, argv);
      const written = await deleteKey(db, argv, explainForNote(wanted, argv.json));
      printWritten(context, 'deleted', written, { wanted, explain: argv.explain });
    });
  },
};

async function deleteKey(db: Database, argv: DeleteArguments, more: { explain?: true }): Promise<Written> {
  const namespace = db.namespace(argv.namespace);
  const options = { ...more, ...callOptions(argv.key, argv) };
  const entry = db.map.namespaces.find(({ name }) => name === argv.namespace);
  // With a leader a delete takes what is there, unless it has a condition.
  if (options.context !== undefined || entry?.strategy === 'leader-follower') {
    return namespace.delete(argv.key, options);
  }
  // A blind delete would only stand beside what is there: delete what the key holds now.
  const { context: seen } = await namespace.get(argv.key);
  return namespace.delete(argv.key, seen === undefined ? options : { ...options, context: seen });
}

/** `trefoil delete KEY`: deleting what is absent is no error. */
import type { CommandModule } from 'yargs';
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
import { printWritten } from './put-command.js';

type DeleteArguments = DataArguments & WriteArguments & ConditionArguments & { readonly key: string };

export const deleteCommand: CommandModule<object, DeleteArguments> = {
  command: 'delete <key>',
  describe: 'delete a key',
  builder: (yargs) =>
    conditionOptions(contextOption(explainOption(writeOption(dataOptions(yargs))))).positional('key', {
      describe: 'the key',
      type: 'string',
      demandOption: true,
    }),
  handler: async (argv) => {
    const context = cliContext(argv);
    const written = await withDatabase(argv, async (db) => {
      const namespace = db.namespace(argv.namespace);
      const options = callOptions(argv.key, argv);
      const entry = db.map.namespaces.find(({ name }) => name === argv.namespace);
      // With a leader a delete takes what is there, unless it has a condition.
      if (options.context !== undefined || entry?.strategy === 'leader-follower') {
        return namespace.delete(argv.key, options);
      }
      // A blind delete would only stand beside what is there: delete what the key holds now.
      const { context: seen } = await namespace.get(argv.key);
      return namespace.delete(argv.key, seen === undefined ? options : { ...options, context: seen });
    });
    printWritten(context, 'deleted', written);
  },
};

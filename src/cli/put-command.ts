/** `trefoil put KEY VALUE`: stores a text, JSON, or the bytes of a file or of standard input. */
import type { CommandModule } from 'yargs';
import type { Written } from '../client/api.js';
import { SIBLINGS_WARNING } from '../core/limits.js';
import { argumentsAs } from './arguments.js';
import { withDatabase } from './connect.js';
import { cliContext, type CliContext } from './context.js';
import {
  callOptions,
  conditionOptions,
  contextOption,
  contextText,
  dataOptions,
  explainOption,
  ttlOption,
  writeOption,
  type ConditionArguments,
  type DataArguments,
  type WriteArguments,
} from './data-options.js';
import { explanationLines } from './explanation-text.js';
import { readInput } from './read-input.js';

type PutArguments = DataArguments &
  WriteArguments &
  ConditionArguments & {
    readonly key: string;
    readonly value: string | undefined;
    readonly file: string | undefined;
    readonly valueJson: boolean;
    readonly ttl: number | undefined;
  };

export const putCommand: CommandModule<object, PutArguments> = {
  command: 'put <key> [value]',
  describe: 'store a value under a key',
  builder: (yargs) =>
    argumentsAs<PutArguments>(
      conditionOptions(contextOption(ttlOption(explainOption(writeOption(dataOptions(yargs))))))
        .positional('key', { describe: 'the key', type: 'string', demandOption: true })
        .positional('value', { describe: 'text to store, or - for the bytes of stdin', type: 'string' })
        .option('file', { describe: 'store the bytes of this file', type: 'string', requiresArg: true })
        .option('value-json', {
          describe: 'the value is JSON: store what it says',
          type: 'boolean',
          default: false,
        }),
    ),
  handler: async (argv) => {
    const context = cliContext(argv);
    const value = await readInput(argv);
    const written = await withDatabase(argv, (db) =>
      db.namespace(argv.namespace).put(argv.key, value, callOptions(argv.key, argv)),
    );
    printWritten(context, 'stored', written);
  },
};

/** Tells of a write, here and in `delete`. */
export function printWritten(context: CliContext, verb: 'stored' | 'deleted', written: Written): void {
  if (context.json) {
    context.printJson({
      key: written.key,
      context: contextText(written.context),
      siblings: written.siblings,
      ...(written.version === undefined ? {} : { version: written.version }),
      ...(written.replicas === undefined ? {} : { replicas: written.replicas }),
      ...(written.explain === undefined ? {} : { explain: written.explain }),
    });
    return;
  }
  context.print(`${verb} ${written.key}`);
  if (written.siblings > 1) {
    const urgency = written.siblings >= SIBLINGS_WARNING ? 'warning: ' : '';
    context.note(
      `${urgency}the key has ${written.siblings} siblings now; pass --context to replace what you have read`,
    );
  }
  if (written.explain !== undefined) explanationLines(written.explain).forEach((line) => context.note(line));
}

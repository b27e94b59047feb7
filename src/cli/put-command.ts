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
import { degradedNote, explainForNote, replicasWanted, type Telling } from './degraded-note.js';
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
    await withDatabase(argv, async (db) => {
      const wanted = replicasWanted(db.map, argv);
      const options = { ...explainForNote(wanted, argv.json), ...callOptions(argv.key, argv) };
      const written = await db.namespace(argv.namespace).put(argv.key, value, options);
      printWritten(context, 'stored', written, { wanted, explain: argv.explain });
    });
  },
};

/** A write as `--json` prints it, here and in `delete`. */
export function writtenJson(written: Written): Record<string, unknown> {
  return {
    key: written.key,
    context: contextText(written.context),
    siblings: written.siblings,
    ...(written.version === undefined ? {} : { version: written.version }),
    ...(written.replicas === undefined ? {} : { replicas: written.replicas }),
    ...(written.explain === undefined ? {} : { explain: written.explain }),
  };
}

/** A write on one line, here, in `delete` and in `batch`. A delete leaves no version behind that a condition could name. */
export function writtenLine(verb: 'stored' | 'deleted', { key, version }: Written): string {
  return verb === 'stored' && version !== undefined ? `stored ${key}, version ${version}` : `${verb} ${key}`;
}

/** Tells of a write, here and in `delete`. */
export function printWritten(
  context: CliContext,
  verb: 'stored' | 'deleted',
  written: Written,
  { wanted, explain }: Telling,
): void {
  if (context.json) {
    context.printJson(writtenJson(written));
    return;
  }
  context.print(writtenLine(verb, written));
  const degraded = degradedNote(wanted, [written]);
  if (degraded !== undefined) context.note(degraded);
  if (written.siblings > 1) {
    const urgency = written.siblings >= SIBLINGS_WARNING ? 'warning: ' : '';
    context.note(
      `${urgency}the key has ${written.siblings} siblings now; pass --context to replace what you have read`,
    );
  }
  if (explain && written.explain !== undefined)
    explanationLines(written.explain).forEach((line) => context.note(line));
}

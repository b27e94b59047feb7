/** `trefoil get KEY`: the value on stdout and nothing else, so that it can be redirected. */
import type { CommandModule } from 'yargs';
import type { Database, Entry, Updated } from '../client/api.js';
import type { ConflictPolicy } from '../core/views.js';
import { withDatabase } from './connect.js';
import { cliContext, type CliContext } from './context.js';
import {
  callOptions,
  contextText,
  dataOptions,
  explainOption,
  readOption,
  stalenessOption,
  type DataArguments,
  type ReadArguments,
  type StalenessArguments,
} from './data-options.js';
import { EXIT, endWith } from './exit-codes.js';
import { explanationLines } from './explanation-text.js';
import { jsonValue, valueLine } from './value-text.js';

type GetArguments = DataArguments & ReadArguments & StalenessArguments & { readonly key: string };

export const getCommand: CommandModule<object, GetArguments> = {
  command: 'get <key>',
  describe: 'print the value of a key',
  builder: (yargs) =>
    explainOption(stalenessOption(readOption(dataOptions(yargs)))).positional('key', {
      describe: 'the key',
      type: 'string',
      demandOption: true,
    }),
  handler: async (argv) => {
    const context = cliContext(argv);
    const { entry, conflict } = await withDatabase(argv, async (db) => ({
      entry: await db.namespace(argv.namespace).get(argv.key, callOptions(argv.key, argv)),
      conflict: conflictOf(db, argv.namespace),
    }));
    if (entry.siblings.length === 0) endWith(EXIT.notFound);
    if (context.json) context.printJson(entryJson(entry, conflict));
    else printEntry(context, argv.namespace, entry, conflict);
  },
};

/** The conflict policy of a namespace, which says what its entries are. */
export function conflictOf(db: Database, namespace: string): ConflictPolicy {
  const entry = db.map.namespaces.find(({ name }) => name === namespace);
  return entry?.strategy === 'leaderless' ? entry.conflict : 'siblings';
}

/** An entry as `--json` prints it, here and in `scan` and `update`. Plain reads show a set's elements as siblings. */
export function entryJson(
  entry: Updated<unknown>,
  conflict: ConflictPolicy = 'siblings',
): Record<string, unknown> {
  const siblings = entry.siblings.map(jsonValue);
  const value = entry.value === undefined ? null : jsonValue(entry.value);
  return {
    key: entry.key,
    ...(conflict === 'set'
      ? { elements: siblings }
      : conflict === 'counter'
        ? { value }
        : { value, siblings }),
    context: contextText(entry.context),
    ...(entry.version === undefined ? {} : { version: entry.version }),
    ...(entry.lag === undefined ? {} : { lag: entry.lag }),
    ...(entry.replicas === undefined ? {} : { replicas: entry.replicas }),
    ...(entry.explain === undefined ? {} : { explain: entry.explain }),
  };
}

function printEntry(
  context: CliContext,
  namespace: string,
  entry: Entry<unknown>,
  conflict: ConflictPolicy,
): void {
  const [only] = entry.siblings;
  if (entry.siblings.length === 0) context.note(`absent: ${entry.key}`);
  else if (conflict === 'set') entry.siblings.forEach((element) => context.print(valueLine(element)));
  else if (entry.siblings.length > 1) printSiblings(context, namespace, entry);
  else if (only instanceof Uint8Array) process.stdout.write(only);
  else context.print(typeof only === 'string' ? only : valueLine(only));
  if (entry.lag !== undefined && entry.lag.entries > 0) {
    context.note(`from a follower that was ${entry.lag.entries} entries behind`);
  }
  if (entry.explain !== undefined)
    explanationLines(entry.explain, entry.version).forEach((line) => context.note(line));
}

function printSiblings(context: CliContext, namespace: string, entry: Entry<unknown>): void {
  entry.siblings.forEach((value, index) => context.print(`[${index}] ${valueLine(value)}`));
  context.note(`${entry.siblings.length} siblings: concurrent writes, none of which saw the other`);
  context.note(
    `  next: keep one with: trefoil update ${shellWord(entry.key)} -n ${namespace} --resolve INDEX`,
  );
}

/** The text as one word of a POSIX shell. */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9_./:@%+,=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** `trefoil scan`: entries in key order as they arrive, one line each; a slow reader slows the scan down. */
import { once } from 'node:events';
import type { CommandModule } from 'yargs';
import type { Entry } from '../client/api.js';
import { TrefoilError } from '../core/errors.js';
import type { ConflictPolicy } from '../core/views.js';
import { withDatabase } from './connect.js';
import { cliContext } from './context.js';
import {
  dataOptions,
  readOption,
  stalenessOption,
  type DataArguments,
  type ReadArguments,
  type StalenessArguments,
} from './data-options.js';
import { conflictOf, entryJson } from './get-command.js';
import { valueLine } from './value-text.js';

type ScanArguments = DataArguments &
  StalenessArguments &
  Pick<ReadArguments, 'read'> & {
    readonly prefix: string | undefined;
    readonly after: string | undefined;
    readonly limit: number | undefined;
    readonly keys: boolean;
  };

export const scanCommand: CommandModule<object, ScanArguments> = {
  command: 'scan',
  describe: 'print keys and values in key order',
  builder: (yargs) =>
    stalenessOption(readOption(dataOptions(yargs)))
      .option('prefix', { describe: 'only keys that start so', type: 'string', requiresArg: true })
      .option('after', { describe: 'only keys after this one', type: 'string', requiresArg: true })
      .option('limit', {
        describe: 'entries at most',
        type: 'string',
        requiresArg: true,
        coerce: (text: string | undefined) => parseLimit(text),
      })
      .option('keys', { describe: 'print keys only', type: 'boolean', default: false }),
  handler: async (argv) => {
    const context = cliContext(argv);
    await withDatabase(argv, async (db) => {
      const entries = db.namespace(argv.namespace).scan({
        ...(argv.prefix === undefined ? {} : { prefix: argv.prefix }),
        ...(argv.after === undefined ? {} : { after: argv.after }),
        ...(argv.limit === undefined ? {} : { limit: argv.limit }),
        ...(argv.read === undefined ? {} : { read: argv.read }),
        ...(argv.maxStaleness === undefined ? {} : { maxStalenessMs: argv.maxStaleness }),
      });
      const conflict = conflictOf(db, argv.namespace);
      for await (const entry of entries) {
        if (context.json) context.printJson(argv.keys ? { key: entry.key } : entryJson(entry, conflict));
        else context.print(argv.keys ? valueLine(entry.key) : scanLine(entry, conflict));
        if (process.stdout.writableNeedDrain) await once(process.stdout, 'drain');
      }
    });
  },
};

/** Key and value on one line, parted by a tab; siblings, and elements of a set, parted by ` | `. */
export function scanLine(entry: Entry<unknown>, conflict: ConflictPolicy = 'siblings'): string {
  const values = entry.siblings.map((value, index) =>
    entry.siblings.length > 1 && conflict !== 'set' ? `[${index}] ${valueLine(value)}` : valueLine(value),
  );
  return `${valueLine(entry.key)}\t${values.join(' | ')}`;
}

function parseLimit(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const limit = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(limit)) return limit;
  throw new TrefoilError('BadRequest', `--limit must be a whole number, not "${text}"`);
}

#!/usr/bin/env node
/**
 * The `trefoil` program: registers the commands and is the one place where a failure becomes lines on
 * stderr and an exit code. Nothing below it prints an error or ends the process, but for `node`, which
 * ends on a second signal.
 */
import { readFileSync } from 'node:fs';
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { TrefoilError } from '../core/errors.js';
import { checkCommand } from './check-command.js';
import { clusterCommand } from './cluster-command.js';
import { configCommand } from './config-command.js';
import { deleteCommand } from './delete-command.js';
import { demoCommand } from './demo/demo-command.js';
import { reportFailure } from './failure.js';
import { getCommand } from './get-command.js';
import { nodeCommand } from './node-command.js';
import { photosCommand } from './photos-command.js';
import { markPlainWords, unmarkPlainWords } from './plain-words.js';
import { putCommand } from './put-command.js';
import { scanCommand } from './scan-command.js';
import { updateCommand } from './update-command.js';

const EPILOGUE = `Exit codes: 0 ok, 1 failed without effect, 2 wrong usage or config, 3 partly done,
            4 unknown (a write may have had an effect), 5 key absent
            of check: 0 valid, 1 invalid, 2 unknown
Environment: TREFOIL_SEEDS = host:port,...   TREFOIL_DEBUG=1 shows stack traces   NO_COLOR`;

async function main(argv: readonly string[]): Promise<void> {
  quietWhenReaderLeaves();
  try {
    await yargs(markPlainWords(argv))
      .scriptName('trefoil')
      .usage('$0 <command>\n\nA replicated key-value datastore.')
      // Keys and values are text: `put 007 1e3` stores what it says.
      .parserConfiguration({
        'parse-numbers': false,
        'parse-positional-numbers': false,
        'dot-notation': false,
        'duplicate-arguments-array': false,
      })
      .command(nodeCommand)
      .command(clusterCommand)
      .command(getCommand)
      .command(putCommand)
      .command(deleteCommand)
      .command(updateCommand)
      .command(scanCommand)
      .command(photosCommand)
      .command(configCommand)
      .command(checkCommand)
      .command(demoCommand)
      .completion('completion', 'print a script for shell completion: trefoil completion >> ~/.bashrc')
      .demandCommand(1, 'name a command')
      .strict()
      .recommendCommands()
      .wrap(Math.min(100, process.stdout.columns ?? 100))
      .version(packageVersion())
      .epilogue(EPILOGUE)
      .exitProcess(false)
      .middleware(unmarkPlainWords, true)
      .fail((message, error: Error | undefined) => {
        // Its own complaints, and what it makes of those of `coerce`, are about arguments.
        if (error !== undefined && error.name !== 'YError') throw error;
        const what = (message || error?.message || '').split('\n').join('; ');
        throw new TrefoilError('BadRequest', `${what} (see trefoil --help)`);
      })
      .parseAsync();
  } catch (error) {
    reportFailure(error, { json: argv.includes('--json') });
  }
}

/** `trefoil scan | head`: when the reader has left, the rest is not wanted, and that is no failure. */
function quietWhenReaderLeaves(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit();
      throw error;
    });
  }
}

function packageVersion(): string {
  const file = new URL('../../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

await main(hideBin(process.argv));

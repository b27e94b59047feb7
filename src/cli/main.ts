#!/usr/bin/env node
/**
 * The `trefoil` program: registers the commands and is the one place where a failure becomes lines on
 * stderr and an exit code. Nothing below it prints an error or ends the process, but for `node`, which
 * ends on a second signal.
 */
import { readFileSync } from 'node:fs';
import yargs, { type CommandModule } from 'yargs';
import { hideBin } from 'yargs/helpers';
import { TrefoilError } from '../core/errors.js';
import { reportFailure } from './failure.js';
import { markPlainWords, unmarkPlainWords } from './plain-words.js';

/** In the order of `--help`. What a command needs is loaded when it is used: that is most of the time of a short one. */
const COMMANDS: Readonly<Record<string, () => Promise<unknown>>> = {
  node: async () => (await import('./node-command.js')).nodeCommand,
  cluster: async () => (await import('./cluster-command.js')).clusterCommand,
  get: async () => (await import('./get-command.js')).getCommand,
  put: async () => (await import('./put-command.js')).putCommand,
  delete: async () => (await import('./delete-command.js')).deleteCommand,
  update: async () => (await import('./update-command.js')).updateCommand,
  increment: async () => (await import('./change-commands.js')).incrementCommand,
  add: async () => (await import('./change-commands.js')).addCommand,
  remove: async () => (await import('./change-commands.js')).removeCommand,
  scan: async () => (await import('./scan-command.js')).scanCommand,
  batch: async () => (await import('./batch-command.js')).batchCommand,
  photos: async () => (await import('./photos-command.js')).photosCommand,
  config: async () => (await import('./config-command.js')).configCommand,
  check: async () => (await import('./check-command.js')).checkCommand,
  sim: async () => (await import('./sim/sim-command.js')).simCommand,
  demo: async () => (await import('./demo/demo-command.js')).demoCommand,
};

const EPILOGUE = `Exit codes: 0 ok, 1 failed without effect, 2 wrong usage or config, 3 partly done,
            4 unknown (a write may have had an effect), 5 key absent
            of check: 0 valid, 1 invalid, 2 unknown
Environment: TREFOIL_SEEDS = host:port,...   TREFOIL_DEBUG=1 shows stack traces   NO_COLOR`;

async function main(argv: readonly string[]): Promise<void> {
  quietWhenReaderLeaves();
  try {
    const commands = await commandsFor(argv);
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
      .command(commands)
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

/** The command that the first word names; all of them for help, completion, and words that name none; none for the version. */
async function commandsFor([word = '']: readonly string[]): Promise<CommandModule[]> {
  if (word === '--version') return [];
  const named = Object.hasOwn(COMMANDS, word) ? COMMANDS[word] : undefined;
  const load = named === undefined ? Object.values(COMMANDS) : [named];
  return (await Promise.all(load.map((command) => command()))) as CommandModule[];
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

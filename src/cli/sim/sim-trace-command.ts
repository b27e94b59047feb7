/**
 * `trefoil sim trace WHAT`: runs a failure again, or a seed of an experiment, with a recorder on, and draws it as one HTML page. The
 * run is the same as without: its trace hash says so. Exit code 0 whatever the run's verdict, for what was asked is the page.
 */
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { CommandModule } from 'yargs';
import { bugNamed } from '../../../chaos/bugs/bugs.js';
import { loadExperiment } from '../../../chaos/experiments/library.js';
import { TrefoilError } from '../../core/errors.js';
import { cliContext } from '../context.js';
import { lasting, minutesOption, seedOption } from './sim-options.js';
import { writeTrace } from './write-trace.js';

interface TraceArguments {
  readonly what: string;
  readonly seed: number;
  readonly minutes: number | undefined;
  readonly bug: string | undefined;
  readonly out: string | undefined;
  readonly json: boolean;
}

export const simTraceCommand: CommandModule<object, TraceArguments> = {
  command: 'trace <what>',
  describe: 'draw a run as one HTML page: messages, faults, operations, the verdict',
  builder: (yargs) =>
    yargs
      .positional('what', {
        describe: 'a failure file; or an experiment, by name or YAML file, with --seed',
        type: 'string',
        demandOption: true,
      })
      .option('seed', seedOption)
      .option('minutes', minutesOption)
      .option('bug', {
        describe: 'with this planted bug in the code; a failure file brings its own',
        type: 'string',
        requiresArg: true,
      })
      .option('out', {
        describe: 'the page; by default beside the failure file, or in this folder',
        type: 'string',
        requiresArg: true,
      })
      .option('json', { describe: 'one JSON document', type: 'boolean', default: false }),
  handler: async (argv) => {
    const context = cliContext(argv);
    const { what, seed, bug = null } = argv;
    if (bug !== null) bugNamed(bug);
    if (what.endsWith('.json')) {
      const failure = readText(what);
      const { decodeFailure } = await import('../../../chaos/run/failure-file.js');
      const found = decodeFailure(failure, what);
      const out = argv.out ?? join(dirname(what), `${basename(what, '.json')}.html`);
      await writeTrace(context, { type: 'trace', failure }, { bug: found.bug, out });
      return;
    }
    const experiment = lasting(loadExperiment(what), argv.minutes);
    const name = [experiment.name, String(seed), ...(bug === null ? [] : [bug])].join('-');
    const out = argv.out ?? `${name}.trace.html`;
    await writeTrace(context, { type: 'trace', experiment, seed, bug }, { bug, out });
  },
};

function readText(file: string): string {
  if (!existsSync(file)) throw new TrefoilError('BadRequest', `there is no file ${file}`);
  return readFileSync(file, 'utf8');
}

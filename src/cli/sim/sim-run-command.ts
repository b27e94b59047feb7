/**
 * `trefoil sim run EXPERIMENT`: one run of one seed, told in full. Exit code 0 when every promise held, 1 when one did
 * not (then a failure file is written), 2 when a check could not tell.
 */
import type { CommandModule } from 'yargs';
import { loadExperiment } from '../../../chaos/experiments/library.js';
import { bugNamed } from '../../../chaos/bugs/bugs.js';
import { failedCheck } from '../../../chaos/run/failed-check.js';
import { shrinkToFile } from '../../../chaos/run/hunt.js';
import { writeText } from '../../../chaos/run/result-files.js';
import { WorkerPool } from '../../../chaos/run/worker-pool.js';
import { TrefoilError } from '../../core/errors.js';
import { cliContext } from '../context.js';
import { EXIT, endWith } from '../exit-codes.js';
import { lasting, minutesOption, runLines, seedOption } from './sim-options.js';
import { tracedBy } from './write-trace.js';

/** What `trefoil sim run` runs where nothing is named: one with a bit of everything. */
const EXPERIMENT_DEFAULT = 'leaderless-everything';

interface RunArguments {
  readonly experiment: string;
  readonly seed: number;
  readonly minutes: number | undefined;
  readonly twice: boolean;
  readonly bug: string | undefined;
  readonly history: string | undefined;
  readonly trace: string | undefined;
  readonly out: string;
  readonly json: boolean;
}

export const simRunCommand: CommandModule<object, RunArguments> = {
  command: 'run [experiment]',
  describe: 'run one seed of an experiment and check what was promised',
  builder: (yargs) =>
    yargs
      .positional('experiment', {
        describe: 'a name of `trefoil sim list`, or a YAML file',
        type: 'string',
        default: EXPERIMENT_DEFAULT,
      })
      .option('seed', seedOption)
      .option('minutes', minutesOption)
      .option('twice', {
        describe: 'run it again and compare the trace hashes',
        type: 'boolean',
        default: false,
      })
      .option('bug', { describe: 'with this planted bug in the code', type: 'string', requiresArg: true })
      .option('history', {
        describe: 'write the history to this file: Jepsen EDN, or JSON lines where it ends in .jsonl',
        type: 'string',
        requiresArg: true,
      })
      .option('trace', { describe: 'draw the run as this HTML page', type: 'string', requiresArg: true })
      .option('out', {
        describe: 'folder for the failure file',
        type: 'string',
        requiresArg: true,
        default: '.',
      })
      .option('json', { describe: 'one JSON document', type: 'boolean', default: false })
      .epilogue('Exit code 1: a promise was broken; 2: a check could not tell.'),
  handler: async (argv) => {
    const context = cliContext(argv);
    const { seed, twice, bug = null, history, trace } = argv;
    if (bug !== null) bugNamed(bug);
    const experiment = lasting(loadExperiment(argv.experiment), argv.minutes);
    const pool = new WorkerPool(1, bug);
    try {
      const form = history === undefined ? null : history.endsWith('.jsonl') ? 'json' : 'edn';
      const answer = await pool.do({ type: 'run', experiment, seed, twice, history: form });
      if (answer.type !== 'ran') {
        throw new TrefoilError('Internal', answer.type === 'error' ? answer.message : 'no answer');
      }
      const { summary } = answer;
      if (history !== undefined && answer.history !== null) writeText(history, answer.history);
      // Recorded in a run of its own: that it is the same one, its hash says.
      if (trace !== undefined) {
        const { page } = await tracedBy({ type: 'trace', experiment, seed, bug }, bug);
        writeText(trace, page);
      }
      const failed = failedCheck(summary);
      const file =
        failed === undefined
          ? null
          : await shrinkToFile(pool, { experiment, seed, bug, check: failed.name, folder: argv.out });
      if (context.json) context.printJson({ ...summary, failure: file });
      else runLines(summary).forEach((line) => context.print(line));
      if (trace !== undefined) context.note(`drawn as ${trace}`);
      if (file !== null) context.note(`shrunk into ${file}; replay it: trefoil sim replay ${file}`);
      if (summary.verdict !== 'valid') endWith(summary.verdict === 'invalid' ? EXIT.failed : EXIT.usage);
    } finally {
      pool.close();
    }
  },
};

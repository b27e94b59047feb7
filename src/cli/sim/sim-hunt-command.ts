/**
 * `trefoil sim hunt [EXPERIMENT...]`: many seeds, until one breaks a promise. A progress bar on stderr where that
 * is a terminal. Exit code 1 when something was found.
 */
import cliProgress from 'cli-progress';
import { mkdirSync } from 'node:fs';
import type { CommandModule } from 'yargs';
import { bugNamed } from '../../../chaos/bugs/bugs.js';
import { loadAllExperiments, loadExperiment } from '../../../chaos/experiments/library.js';
import { hunt, type HuntReport } from '../../../chaos/run/hunt.js';
import { cliContext, type CliContext } from '../context.js';
import { EXIT, endWith } from '../exit-codes.js';
import { wholeNumberOption } from '../photos-options.js';
import { formatCount } from '../table.js';
import { failureLines, jobsOption, lasting, minutesOption, seedOption, speedText } from './sim-options.js';

interface HuntArguments {
  readonly experiments: readonly string[];
  readonly runs: number;
  readonly seed: number;
  readonly minutes: number | undefined;
  readonly jobs: number;
  readonly bug: string | undefined;
  readonly 'keep-going': boolean;
  readonly twice: boolean;
  readonly out: string;
  readonly json: boolean;
}

export const simHuntCommand: CommandModule<object, HuntArguments> = {
  command: 'hunt [experiments..]',
  describe: 'run many seeds, stop at the first that breaks a promise',
  builder: (yargs) =>
    yargs
      // Else yargs keeps only the last of several names.
      .parserConfiguration({ 'duplicate-arguments-array': true })
      .positional('experiments', {
        describe: 'names or YAML files; all that come along where none is named',
        type: 'string',
        array: true,
        default: [],
      })
      .option('runs', wholeNumberOption('runs', 'seeds of each experiment', [1, 100_000_000, 100]))
      .option('seed', { ...seedOption, describe: 'the first seed' })
      .option('minutes', minutesOption)
      .option('jobs', jobsOption)
      .option('bug', { describe: 'with this planted bug in the code', type: 'string', requiresArg: true })
      .option('keep-going', { describe: 'go on after a failure', type: 'boolean', default: false })
      .option('twice', { describe: 'run each seed twice and compare', type: 'boolean', default: false })
      .option('out', {
        describe: 'folder for failure files',
        type: 'string',
        requiresArg: true,
        default: '.',
      })
      .option('json', { describe: 'one JSON document', type: 'boolean', default: false })
      .epilogue('Exit code 1: a seed broke a promise; its failure file replays it.'),
  handler: async (argv) => {
    const context = cliContext(argv);
    const { runs, seed, minutes, jobs, bug = null, 'keep-going': keepGoing, twice, out } = argv;
    const named =
      bug !== null && argv.experiments.length === 0 ? bugNamed(bug).experiments : argv.experiments;
    const experiments = (named.length > 0 ? named.map(loadExperiment) : loadAllExperiments()).map((one) =>
      lasting(one, minutes),
    );
    mkdirSync(out, { recursive: true });
    const bar = progressBar(context, runs * experiments.length);
    const options = { experiments, runs, fromSeed: seed, jobs, bug, keepGoing, twice, folder: out };
    let report: HuntReport;
    try {
      report = await hunt({ ...options, onRun: (_, done) => bar.update(done) });
    } finally {
      bar.stop();
    }
    if (context.json) context.printJson(report);
    else reportLines(report, experiments.length, seed).forEach((line) => context.print(line));
    if (report.failures.length > 0) endWith(EXIT.failed);
    else if (report.unknown.length > 0) endWith(EXIT.usage);
  },
};

function reportLines(report: HuntReport, experiments: number, fromSeed: number): string[] {
  const { runs, operations, virtualMs, runMs, failures, unknown } = report;
  return [
    ...failures.flatMap(failureLines),
    ...unknown.map((where) => `${where}: a check could not tell`),
    `${formatCount(runs)} runs of ${String(experiments)} experiments from seed ${String(fromSeed)}, ` +
      `${formatCount(operations)} operations, ${speedText(virtualMs, runMs)} in each process`,
    failures.length === 0 ? 'every promise held' : `${formatCount(failures.length)} of them broke a promise`,
  ];
}

function progressBar(context: CliContext, total: number): { update(done: number): void; stop(): void } {
  if (context.json || !process.stderr.isTTY) return { update: () => {}, stop: () => {} };
  const bar = new cliProgress.SingleBar(
    { format: 'hunting {bar} {value}/{total} runs, {eta_formatted} left', stream: process.stderr },
    cliProgress.Presets.shades_classic,
  );
  bar.start(total, 0);
  return bar;
}

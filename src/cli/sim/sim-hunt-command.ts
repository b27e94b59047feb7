/**
 * `trefoil sim hunt [EXPERIMENT...]`: many seeds, until one breaks a promise. A progress bar on stderr where that
 * is a terminal. Exit code 1 when something was found; 130 where it was interrupted, with what was found until then.
 */
import cliProgress from 'cli-progress';
import type { CommandModule } from 'yargs';
import { bugNamed } from '../../../chaos/bugs/bugs.js';
import { experimentNames, loadExperiment } from '../../../chaos/experiments/library.js';
import { hunt, type FoundFailure, type HuntReport } from '../../../chaos/run/hunt.js';
import { makeFolder } from '../../../chaos/run/result-files.js';
import { TrefoilError } from '../../core/errors.js';
import { cliContext, type CliContext } from '../context.js';
import { EXIT, endWith } from '../exit-codes.js';
import { counted, formatCount } from '../table.js';
import { wholeNumberOption } from '../whole-number-option.js';
import { listenForInterruption } from './interruption.js';
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
    const ofBug = bug === null ? [] : bugNamed(bug).experiments;
    const asked = argv.experiments.length > 0 ? argv.experiments : ofBug;
    const named = asked.length > 0 ? asked : experimentNames();
    const experiments = named.map((name) => lasting(loadExperiment(name), minutes));
    assertApart(experiments.map(({ name }) => name));
    makeFolder(out);
    const total = runs * experiments.length;
    const bar = progressBar(context, total);
    const interruption = listenForInterruption();
    const options = { experiments, runs, fromSeed: seed, jobs, bug, keepGoing, twice, folder: out };
    let report: HuntReport;
    try {
      report = await hunt({
        ...options,
        signal: interruption.signal,
        onProgress: (progress) => bar.update(progress),
      });
    } finally {
      bar.stop();
      interruption.over();
    }
    const runAgain = ({ experiment, seed: failed }: FoundFailure): string =>
      [
        `trefoil sim run ${named[experiments.findIndex(({ name }) => name === experiment)] ?? experiment}`,
        `--seed ${String(failed)}`,
        ...(minutes === undefined ? [] : [`--minutes ${String(minutes)}`]),
        ...(bug === null ? [] : [`--bug ${bug}`]),
        ...(twice ? ['--twice'] : []),
      ].join(' ');
    if (context.json) context.printJson(report);
    else {
      report.failures
        .flatMap((failure) => failureLines(failure, runAgain))
        .forEach((line) => context.print(line));
      summaryLines(report, { experiments: experiments.length, fromSeed: seed, total }).forEach((line) =>
        context.print(line),
      );
    }
    const code = interruption.exitCode();
    if (code !== undefined) process.exitCode = code;
    else if (report.failures.length > 0) endWith(EXIT.failed);
    else if (report.unknown.length > 0) endWith(EXIT.usage);
  },
};

/** Failures and their files are told by name and seed: two experiments of one name could not be told apart. */
function assertApart(names: readonly string[]): void {
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined)
    throw new TrefoilError('BadRequest', `two experiments are called ${twice}: hunt each name once`);
}

function summaryLines(
  { runs, operations, virtualMs, runMs, failures, unknown, interrupted }: HuntReport,
  asked: { readonly experiments: number; readonly fromSeed: number; readonly total: number },
): string[] {
  const { experiments, fromSeed, total } = asked;
  return [
    ...unknown.map((where) => `${where}: a check could not tell`),
    ...(interrupted ? [`interrupted after ${formatCount(runs)} of ${formatCount(total)} runs`] : []),
    `${counted(runs, 'run')} of ${counted(experiments, 'experiment')} from seed ${String(fromSeed)}, ` +
      `${formatCount(operations)} operations, ${speedText(virtualMs, runMs)} in each process`,
    failures.length > 0
      ? `${formatCount(failures.length)} of them broke a promise`
      : runs === 0
        ? 'nothing was run'
        : 'every promise held',
  ];
}

interface Bar {
  update(progress: { readonly runs: number; readonly failures: number }): void;
  stop(): void;
}

function progressBar(context: CliContext, total: number): Bar {
  if (context.json || !process.stderr.isTTY) return { update: () => {}, stop: () => {} };
  const bar = new cliProgress.SingleBar(
    { format: 'hunting {bar} {value}/{total} runs, {found}, {eta_formatted} left', stream: process.stderr },
    cliProgress.Presets.shades_classic,
  );
  const found = (failures: number): string =>
    failures === 0 ? 'no failure' : failures === 1 ? '1 failure' : `${formatCount(failures)} failures`;
  bar.start(total, 0, { found: found(0) });
  return {
    update: ({ runs, failures }) => {
      bar.update(runs, { found: found(failures) });
    },
    stop: () => {
      bar.stop();
    },
  };
}

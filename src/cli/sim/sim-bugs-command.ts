/**
 * `trefoil sim bugs`: hunts every planted bug, to see that the experiments can find what they are for. Exit code 1
 * when one is not caught within its seeds.
 */
import { readFileSync } from 'node:fs';
import type { CommandModule } from 'yargs';
import { PLANTED_BUGS, bugNamed } from '../../../chaos/bugs/bugs.js';
import { compiledUrl } from '../../../chaos/bugs/plant-bug.js';
import { plant, type PlantedBug } from '../../../chaos/bugs/planted-bug.js';
import { loadExperiment } from '../../../chaos/experiments/library.js';
import { hunt } from '../../../chaos/run/hunt.js';
import { cliContext } from '../context.js';
import { EXIT, endWith } from '../exit-codes.js';
import { formatCount } from '../table.js';
import { jobsOption, seedOption } from './sim-options.js';

interface BugsArguments {
  readonly bugs: readonly string[];
  readonly seed: number;
  readonly jobs: number;
  readonly json: boolean;
}

export const simBugsCommand: CommandModule<object, BugsArguments> = {
  command: 'bugs [bugs..]',
  describe: 'plant each known bug and see that the experiments catch it',
  builder: (yargs) =>
    yargs
      // Else yargs keeps only the last of several names.
      .parserConfiguration({ 'duplicate-arguments-array': true })
      .positional('bugs', {
        describe: 'names of `trefoil sim list --bugs`; all where none is named',
        type: 'string',
        array: true,
        default: [],
      })
      .option('seed', { ...seedOption, describe: 'the first seed' })
      .option('jobs', jobsOption)
      .option('json', { describe: 'one JSON document', type: 'boolean', default: false })
      .epilogue('Exit code 1: a bug was not caught within its seeds.'),
  handler: async (argv) => {
    const context = cliContext(argv);
    const bugs = argv.bugs.length > 0 ? argv.bugs.map(bugNamed) : PLANTED_BUGS;
    const results = [];
    const width = Math.max(...bugs.map(({ name }) => name.length));
    for (const bug of bugs) {
      const result = await catchBug(bug, argv);
      results.push(result);
      if (!context.json) resultLines(bug, result, width).forEach((line) => context.print(line));
    }
    const missed = results.filter(({ caughtBy }) => caughtBy === null);
    if (context.json) context.printJson(results);
    else
      context.print(
        `${String(results.length - missed.length)} of ${String(results.length)} planted bugs caught, ` +
          `in ${formatCount(results.reduce((sum, { runs }) => sum + runs, 0))} runs`,
      );
    if (missed.length > 0) endWith(EXIT.failed);
  },
};

interface BugResult {
  readonly bug: string;
  readonly runs: number;
  readonly caughtBy: { readonly experiment: string; readonly seed: number; readonly check: string } | null;
}

async function catchBug(bug: PlantedBug, { seed, jobs }: BugsArguments): Promise<BugResult> {
  // One that does not fit the code ends its worker, which a hunt would take for a failure of the run.
  plant(bug, readFileSync(compiledUrl(bug), 'utf8'));
  const { failures, runs } = await hunt({
    experiments: bug.experiments.map(loadExperiment),
    runs: bug.seedsMax,
    fromSeed: seed,
    jobs,
    bug: bug.name,
    keepGoing: false,
    twice: false,
    folder: null,
  });
  const [found] = failures;
  const caughtBy =
    found === undefined ? null : { experiment: found.experiment, seed: found.seed, check: found.check };
  return { bug: bug.name, runs, caughtBy };
}

/** One line where it was caught; where it was not, also what it was that nobody saw. */
function resultLines(
  { seedsMax, summary }: PlantedBug,
  { bug, runs, caughtBy }: BugResult,
  width: number,
): string[] {
  const name = bug.padEnd(width);
  if (caughtBy === null) return [`${name}  NOT CAUGHT in ${formatCount(runs)} runs`, `  ${summary}`];
  const { experiment, seed, check } = caughtBy;
  return [
    `${name}  run ${String(runs)} of ${String(seedsMax)}: ${check}, in ${experiment} with seed ${String(seed)}`,
  ];
}

/**
 * `trefoil sim replay FILE`: makes a failure happen again, and says whether it did, event by event. Exit code 1
 * when it fails again, 0 when it no longer does.
 */
import { readFileSync } from 'node:fs';
import type { CommandModule } from 'yargs';
import { bugNamed } from '../../../chaos/bugs/bugs.js';
import { WorkerPool } from '../../../chaos/run/worker-pool.js';
import { TREFOIL_VERSION } from '../../../chaos/run/version.js';
import { TrefoilError } from '../../core/errors.js';
import { cliContext } from '../context.js';
import { EXIT, endWith } from '../exit-codes.js';
import { faultText } from '../../../chaos/faults/fault-text.js';
import { runLines } from './sim-options.js';

interface ReplayArguments {
  readonly file: string;
  readonly json: boolean;
}

export const simReplayCommand: CommandModule<object, ReplayArguments> = {
  command: 'replay <file>',
  describe: 'run a failure again from its file',
  builder: (yargs) =>
    yargs
      .positional('file', { describe: 'a failure file', type: 'string', demandOption: true })
      .option('json', { describe: 'one JSON document', type: 'boolean', default: false })
      .epilogue('Exit code 1: it fails again; 0: it does not.'),
  handler: async (argv) => {
    const context = cliContext(argv);
    const text = readText(argv.file);
    const { decodeFailure } = await import('../../../chaos/run/failure-file.js');
    const failure = decodeFailure(text, argv.file);
    if (failure.bug !== null) bugNamed(failure.bug);
    const pool = new WorkerPool(1, failure.bug);
    try {
      const answer = await pool.do({ type: 'replay', failure: text });
      if (answer.type !== 'ran') {
        throw new TrefoilError('Internal', answer.type === 'error' ? answer.message : 'no answer');
      }
      const { summary } = answer;
      const isSame = summary.traceHash === failure.traceHash;
      if (context.json) {
        context.printJson({ ...summary, sameTrace: isSame });
      } else {
        const { faults, operations } = failure.plan;
        context.print(
          `left of ${String(failure.drawn.faults)} faults and ${String(failure.drawn.operations)} operations: ` +
            `${String(faults.length)} and ${String(operations.length)}` +
            (failure.bug === null ? '' : `, with the planted bug ${failure.bug}`),
        );
        for (const fault of faults) context.print(`  ${faultText(fault)}`);
        runLines(summary).forEach((line) => context.print(line));
        context.print(isSame ? 'the same trace, event by event' : differsBecause(failure));
      }
      if (summary.verdict === 'invalid') endWith(EXIT.failed);
    } finally {
      pool.close();
    }
  },
};

function differsBecause(failure: { readonly trefoil: string; readonly traceHash: string }): string {
  const why =
    failure.trefoil === TREFOIL_VERSION
      ? 'the code has changed since'
      : `it was found with Trefoil ${failure.trefoil}`;
  return `not the trace of the file (${failure.traceHash}): ${why}`;
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new TrefoilError('BadRequest', `cannot read ${file}: ${(error as Error).message}`);
  }
}

/**
 * `trefoil check FILE...`: judges recorded histories, of any database. One line a file, so that it can stand where
 * elle-cli or Porcupine stands:
 *
 *     FILE: valid|invalid|unknown  reason
 *
 * A file that cannot be read is `unknown`, and the others are judged all the same. Only wrong arguments end the
 * command as errors do elsewhere.
 */
import { createReadStream } from 'node:fs';
import { stat, writeFile } from 'node:fs/promises';
import type { CommandModule } from 'yargs';
import {
  checkModel,
  FAILED_CAS,
  levelOf,
  MODELS,
  NIL_READS,
  type CheckRequest,
  type FailedCas,
  type Model,
  type NilReads,
} from '../../chaos/checkers/models.js';
import { CHECK_BUDGET_DEFAULT, type Verdict } from '../../chaos/checkers/verdict.js';
import { historyPage } from '../../chaos/report/history-page.js';
import { HISTORY_FORMATS, type HistoryFormat } from '../../chaos/history/detect-format.js';
import type { Value } from '../../chaos/history/history.js';
import { parseValue } from '../../chaos/history/parse-value.js';
import { readHistory, type History } from '../../chaos/history/read-history.js';
import { asTrefoilError, TrefoilError } from '../core/errors.js';
import { argumentsAs } from './arguments.js';
import { checkJson, checkLines, type CheckedFile } from './check-report.js';
import { cliContext } from './context.js';
import { CHECK_EXIT, endWith } from './exit-codes.js';

interface CheckArguments {
  readonly files: readonly string[];
  readonly model: Model;
  readonly format: HistoryFormat | 'auto';
  readonly initial: Value | undefined;
  readonly consistency: string | undefined;
  readonly nilReads: NilReads | undefined;
  readonly failedCas: FailedCas | undefined;
  readonly html: string | undefined;
  readonly total: number | undefined;
  readonly negativeBalances: boolean;
  readonly groupSize: number | undefined;
  readonly budget: number | undefined;
  readonly json: boolean;
}

/** How much of a file is asked for at a time. */
const PIECE_BYTES = 1 << 20;

export const checkCommand: CommandModule<object, CheckArguments> = {
  command: 'check <files..>',
  describe: 'judge recorded histories of a database: are they linearizable, serializable ...',
  builder: (yargs) =>
    argumentsAs<CheckArguments>(
      yargs
        // Else yargs keeps only the last of several files.
        .parserConfiguration({ 'duplicate-arguments-array': true })
        .positional('files', {
          describe: 'histories; - is standard input',
          type: 'string',
          demandOption: true,
        })
        .option('model', {
          describe: 'what the database is said to be',
          choices: MODELS,
          demandOption: true,
          requiresArg: true,
          coerce: once,
        })
        .option('format', {
          describe: 'what the files are written in; auto tells by their content',
          choices: ['auto', ...HISTORY_FORMATS] as const,
          default: 'auto',
          requiresArg: true,
          coerce: once,
        })
        .option('consistency', {
          describe: 'what is promised, such as linearizable, causal, serializable',
          type: 'string',
          requiresArg: true,
          coerce: once,
        })
        .option('initial', {
          describe: 'what each object holds at first, as JSON or EDN',
          type: 'string',
          requiresArg: true,
          coerce: (text: string | string[] | undefined) =>
            text === undefined ? undefined : parseValue(once(text), '--initial'),
        })
        .option('nil-reads', {
          describe:
            'what a read of nil says; by default unknown for linearizable in EDN and JSON, else absent',
          choices: NIL_READS,
          requiresArg: true,
          coerce: once,
        })
        .option('failed-cas', {
          describe:
            'what a failed cas says of the value; by default observes in logs of Jepsen, else ignored',
          choices: FAILED_CAS,
          requiresArg: true,
          coerce: once,
        })
        .option('html', {
          describe: 'draw the history and its verdict as this HTML page; of one file',
          type: 'string',
          requiresArg: true,
          coerce: once,
        })
        .option('total', {
          describe: 'of a bank: what all balances sum to; by default what those of the first read do',
          type: 'string',
          requiresArg: true,
          coerce: whole('--total', Number.MIN_SAFE_INTEGER),
        })
        .option('negative-balances', {
          describe: 'of a bank: balances may be below zero',
          type: 'boolean',
          default: false,
        })
        .option('group-size', {
          describe: 'of long-fork: how many keys each read asks for; by default as many as the first does',
          type: 'string',
          requiresArg: true,
          coerce: whole('--group-size', 1),
        })
        .option('budget', {
          describe: `how many steps a search may take before the verdict is unknown; by default ${CHECK_BUDGET_DEFAULT.stepsMax}`,
          type: 'string',
          requiresArg: true,
          coerce: whole('--budget', 1),
        })
        .option('json', { describe: 'print JSON for machines', type: 'boolean', default: false })
        .epilogue(
          'Exit codes: 0 all valid, 1 one is invalid, 2 one is unknown or cannot be read. See docs/checking.md',
        ),
    ),
  handler: async (argv) => {
    const context = cliContext(argv);
    const level = levelOf(argv.model, argv.consistency);
    assertAboutModel(argv, level);
    if (argv.html !== undefined && argv.files.length > 1)
      throw new TrefoilError('BadRequest', `--html draws one history, and ${argv.files.length} are named`);
    const codes: number[] = [];
    for (const file of argv.files) {
      const checked = await checkFile(file, level, argv);
      if (context.json) context.printJson(checkJson(checked));
      else checkLines(checked).forEach((line) => context.print(line));
      if (argv.html !== undefined) await draw(checked, argv.html);
      codes.push(CHECK_EXIT[checked.verdict.validity]);
    }
    // One invalid history is the answer, whatever the others are.
    if (codes.includes(CHECK_EXIT.invalid)) endWith(CHECK_EXIT.invalid);
    else if (codes.includes(CHECK_EXIT.unknown)) endWith(CHECK_EXIT.unknown);
  },
};

/** Throws `BadRequest` where there is nothing to draw, or the page cannot be written. */
async function draw({ file, model, level, history, verdict }: CheckedFile, page: string): Promise<void> {
  if (history === undefined)
    throw new TrefoilError('BadRequest', `${page} is not drawn: the history could not be read`);
  const html = historyPage({ file, model, level, operations: history.operations, verdict });
  try {
    await writeFile(page, html);
  } catch (error) {
    throw new TrefoilError('BadRequest', `cannot write ${page}: ${(error as Error).message}`);
  }
}

/** The value of an option that was given once. */
function once<T>(value: T | readonly T[]): T {
  if (!Array.isArray(value)) return value as T;
  throw new TrefoilError('BadRequest', `an option stands twice: ${value.join(' and ')}`);
}

/** Reads an option that is a whole number. */
function whole(name: string, least: number): (text: string | string[] | undefined) => number | undefined {
  return (text) => {
    if (text === undefined) return undefined;
    const number = /^[+-]?\d+$/.test(once(text)) ? Number(text) : NaN;
    if (Number.isSafeInteger(number) && number >= least) return number;
    const range = least > 0 ? ` from ${least} on` : '';
    throw new TrefoilError('BadRequest', `${name} is a whole number${range}, not ${once(text)}`);
  };
}

/** An option that would have no effect is a mistake: the verdict would not be on what was meant. */
function assertAboutModel(argv: CheckArguments, level: string): void {
  const { model, total, negativeBalances, groupSize } = argv;
  if ((total !== undefined || negativeBalances) && (model !== 'bank' || level !== 'workload'))
    throw new TrefoilError(
      'BadRequest',
      '--total and --negative-balances are about --model bank --consistency workload',
    );
  if (groupSize !== undefined && model !== 'long-fork')
    throw new TrefoilError('BadRequest', '--group-size is about --model long-fork');
}

async function checkFile(file: string, level: string, argv: CheckArguments): Promise<CheckedFile> {
  const start = performance.now();
  let history: History | undefined;
  let verdict: Verdict;
  try {
    history = await readFile(file, argv.format);
    verdict = checkModel(history.operations, requestOf(history.format, level, argv));
  } catch (cause) {
    const error = asTrefoilError(cause);
    if (error.code === 'Internal') throw error;
    verdict = { validity: 'unknown', reason: error.message };
  }
  return { file, model: argv.model, level, history, verdict, ms: performance.now() - start };
}

function requestOf(format: HistoryFormat, level: string, argv: CheckArguments): CheckRequest {
  const { model, initial, nilReads, failedCas, total, negativeBalances, groupSize, budget } = argv;
  return {
    model,
    level,
    format,
    ...(initial === undefined ? {} : { initial }),
    ...(nilReads === undefined ? {} : { nilReads }),
    ...(failedCas === undefined ? {} : { failedCas }),
    negativeBalances,
    ...(total === undefined ? {} : { total }),
    ...(groupSize === undefined ? {} : { groupSize }),
    ...(budget === undefined ? {} : { budget: { ...CHECK_BUDGET_DEFAULT, stepsMax: budget } }),
  };
}

async function readFile(file: string, format: HistoryFormat | 'auto'): Promise<History> {
  if (file === '-') return await readHistory(process.stdin, { source: 'standard input', format });
  try {
    if ((await stat(file)).isDirectory())
      throw new TrefoilError(
        'BadRequest',
        `is a folder; name the files in it, such as ${file.replace(/\/*$/, '')}/*`,
      );
    return await readHistory(createReadStream(file, { highWaterMark: PIECE_BYTES }), {
      source: file,
      format,
    });
  } catch (error) {
    if (error instanceof TrefoilError) throw error;
    throw new TrefoilError('BadRequest', `cannot be read: ${(error as Error).message}`);
  }
}

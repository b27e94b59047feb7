/** What the `sim` commands share: options, and a run told in words. */
import { availableParallelism } from 'node:os';
import { checkExperiment, type Experiment } from '../../../chaos/experiments/experiment.js';
import type { FoundFailure } from '../../../chaos/run/hunt.js';
import type { RunSummary } from '../../../chaos/run/worker-messages.js';
import { TrefoilError } from '../../core/errors.js';
import { counted, formatCount } from '../table.js';
import { wholeNumberOption } from '../whole-number-option.js';

export const seedOption = wholeNumberOption(
  'seed',
  'what decides everything that happens',
  [0, 999_999_999, 1],
);

export const jobsOption = wholeNumberOption('jobs', 'processes that run at once', [
  1,
  64,
  availableParallelism(),
]);

export const minutesOption = {
  describe: 'virtual minutes of faults, in place of what the experiment says',
  type: 'string',
  requiresArg: true,
  coerce: (text: string | number | undefined) => {
    if (text === undefined) return undefined;
    const minutes = Number(text);
    if (!(minutes > 0 && minutes <= 1_440))
      throw new TrefoilError('BadRequest', `--minutes must be above 0 and at most 1440, not "${text}"`);
    return minutes;
  },
} as const;

/** The experiment with another length of its fault phase, if one is asked for. Throws `ConfigInvalid` where that is too short. */
export function lasting(experiment: Experiment, minutes: number | undefined): Experiment {
  if (minutes === undefined) return experiment;
  return checkExperiment(
    { ...experiment, durationMs: minutes * 60_000 },
    `${experiment.name} of ${String(minutes)} minutes`,
  );
}

/** A run, told line by line. */
export function runLines(run: RunSummary): string[] {
  const { ok, fail, info } = run.outcomes;
  const promised = run.checks.filter((check) => check.promised);
  const reported = run.checks.filter((check) => !check.promised);
  return [
    `${run.experiment}, seed ${String(run.seed)}: ${counted(run.faults, 'fault')}, ${counted(run.operations, 'operation')} ` +
      `(${formatCount(ok)} ok, ${formatCount(fail)} failed, ${formatCount(info)} unknown` +
      `${run.notBegun > 0 ? `; ${formatCount(run.notBegun)} not begun` : ''})`,
    ...checkLines('promised', promised),
    ...(reported.length > 0 ? checkLines('reported, not promised', reported) : []),
    `${run.verdict}  trace ${run.traceHash}  ${speedText(run.virtualMs, run.realMs)}`,
  ];
}

/** `31.2 virtual s in 0.18 s: 173 times faster`. */
export function speedText(virtualMs: number, realMs: number): string {
  const times = Math.floor(virtualMs / Math.max(1, realMs));
  return `${(virtualMs / 1_000).toFixed(1)} virtual s in ${(realMs / 1_000).toFixed(2)} s: ${formatCount(times)} times faster`;
}

/** What a failure is, and the one command that shows it again: `runAgain` says it where there is no failure file. */
export function failureLines(failure: FoundFailure, runAgain: (failure: FoundFailure) => string): string[] {
  const command = failure.file === null ? runAgain(failure) : `trefoil sim replay ${failure.file}`;
  return [
    `${failure.experiment}, seed ${String(failure.seed)}: ${failure.check}: ${failure.reason}`,
    `  replay it: ${command}`,
  ];
}

function checkLines(title: string, checks: RunSummary['checks']): string[] {
  const width = Math.max(...checks.map(({ name }) => name.length));
  return [
    `  ${title}`,
    ...checks.flatMap(({ name, verdict }) => [
      `    ${name.padEnd(width)}  ${verdict.validity.padEnd(7)}  ${verdict.reason}`,
      ...(verdict.validity === 'invalid'
        ? (verdict.witness?.lines ?? []).map((line) => `      ${line}`)
        : []),
    ]),
  ];
}

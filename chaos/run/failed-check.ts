/** What a run failed by. */
import type { RunResult } from './simulate.js';

/** The first promised check that failed. */
export function failedCheck(result: Pick<RunResult, 'checks'>): RunResult['checks'][number] | undefined {
  return result.checks.find((check) => check.promised && check.verdict.validity === 'invalid');
}

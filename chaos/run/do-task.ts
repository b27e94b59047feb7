/** What a worker does with a task: a run, the shrinking of one that failed, or the replay of what is left of it. */
import { TraceRecorder } from '../../src/simulation/trace.js';
import { checkExperiment, nodeNames, type Experiment } from '../experiments/experiment.js';
import type { HistoryEvent } from '../history/history.js';
import { ednLine, jsonLine } from '../history/write-history.js';
import { describeFrame } from '../report/frame-contents.js';
import { tracePage } from '../report/trace-page.js';
import { failedCheck } from './failed-check.js';
import { decodeFailure, encodeFailure } from './failure-file.js';
import { planRun, type Plan } from './plan.js';
import { shrinkPlan } from './shrink.js';
import { simulate, type RunResult } from './simulate.js';
import { TREFOIL_VERSION } from './version.js';
import type { WorkerAnswer, WorkerTask } from './worker-messages.js';

type TaskOf<Type extends WorkerTask['type']> = Extract<WorkerTask, { readonly type: Type }>;

export async function doTask(task: WorkerTask): Promise<WorkerAnswer> {
  switch (task.type) {
    case 'run': {
      const experiment = checkExperiment(task.experiment, 'the experiment');
      const { seed, twice } = task;
      return ran(
        task.id,
        await run({ experiment, seed, plan: planRun(experiment, seed) }, twice),
        task.history,
      );
    }
    case 'shrink':
      return shrink(task);
    case 'replay': {
      const failure = decodeFailure(task.failure, 'the failure file');
      return ran(task.id, await run(failure, failure.check === 'deterministic'), null);
    }
    case 'trace':
      return trace(task);
  }
}

/** The history is most of the bytes: it is sent only where it is asked for. */
function ran(id: number, { history, ...summary }: RunResult, form: TaskOf<'run'>['history']): WorkerAnswer {
  return { id, type: 'ran', summary, history: form === null ? null : historyText(history, form) };
}

function historyText(events: readonly HistoryEvent[], form: 'edn' | 'json'): string {
  const lineOf = form === 'edn' ? ednLine : jsonLine;
  return events.map((event) => `${lineOf(event)}\n`).join('');
}

interface WhatToRun {
  readonly experiment: Experiment;
  readonly seed: number;
  readonly plan: Plan;
}

/** With `twice`, a seed that does not replay is a failure of its own. */
async function run(what: WhatToRun, twice: boolean): Promise<RunResult> {
  const result = await simulate(what);
  if (!twice) return result;
  const again = await simulate(what);
  if (again.traceHash === result.traceHash) return result;
  const reason = `two runs of one seed differ: ${result.traceHash} and ${again.traceHash}`;
  const check = {
    name: 'deterministic',
    promised: true,
    verdict: { validity: 'invalid', reason },
  } as const;
  return { ...result, verdict: 'invalid', checks: [check, ...result.checks] };
}

/** Keeps what still fails in the same check. Answers with an error where the seed does not fail again as it is. */
async function shrink(task: TaskOf<'shrink'>): Promise<WorkerAnswer> {
  const { id, seed, bug, runsMax, check: name } = task;
  const experiment = checkExperiment(task.experiment, 'the experiment');
  const drawn = planRun(experiment, seed);
  let smallest: { readonly plan: Plan; readonly result: RunResult } | undefined;
  const fails = async (plan: Plan): Promise<boolean> => {
    const result = await run({ experiment, seed, plan }, name === 'deterministic');
    if (failedCheck(result)?.name !== name) return false;
    smallest = { plan, result };
    return true;
  };
  const failsAsDrawn = await fails(drawn);
  const { runs } = failsAsDrawn ? await shrinkPlan(drawn, { runsMax, fails }) : { runs: 0 };
  if (smallest === undefined) {
    const message = `seed ${String(seed)} of ${experiment.name} did not fail again in ${name}: it is not deterministic`;
    return { id, type: 'error', message };
  }
  const { plan, result } = smallest;
  const check = failedCheck(result);
  const failure = encodeFailure({
    trefoil: TREFOIL_VERSION,
    node: process.version,
    experiment,
    seed,
    bug,
    plan,
    drawn: { faults: drawn.faults.length, operations: drawn.operations.length },
    verdict: 'invalid',
    check: name,
    reason: check?.verdict.reason ?? '',
    witness: check?.verdict.witness?.lines ?? [],
    traceHash: result.traceHash,
  });
  return { id, type: 'shrunk', failure, runs: runs + 1 };
}

/** More than the recorder keeps by default: a witness may lie early in a run, and the page chooses what it draws. */
const TRACE_MESSAGES_MAX = 200_000;

async function trace(task: TaskOf<'trace'>): Promise<WorkerAnswer> {
  const { experiment, seed, bug, plan } =
    'failure' in task
      ? decodeFailure(task.failure, 'the failure file')
      : { ...task, experiment: checkExperiment(task.experiment, 'the experiment'), plan: undefined };
  const recorder = new TraceRecorder({ describe: describeFrame, messagesMax: TRACE_MESSAGES_MAX });
  const run = await simulate({ experiment, seed, trace: recorder, ...(plan === undefined ? {} : { plan }) });
  const { history: _history, ...summary } = run;
  const page = tracePage({
    run,
    trace: recorder.trace(),
    nodes: nodeNames(experiment),
    clients: experiment.workload.clients,
    bug,
  });
  return { id: task.id, type: 'traced', summary, page };
}

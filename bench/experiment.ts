/**
 * Runs every scenario on every subject, several times, and gathers what was measured.
 *
 *     run 1   A: start, preload, scenario 1, 2, ..., stop     B: the same
 *     run 2   B                                               A
 *     run 3   A                                               B
 *
 * Subjects take turns within one run of the program, and which goes first changes, so that a machine that
 * grows slower or busier treats them alike. Only one subject is up at a time: the other's background work
 * would be measured as if it were this one's. Each run starts from empty folders and fresh processes; the
 * preload and a discarded warm-up before each window let the JIT settle.
 */
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { LoadMeasure, Scenario } from './load-messages.js';
import { LoadGroup } from './load-group.js';
import { cpuSecondsOf, forgetPeak, peakBytesOf } from './process-usage.js';
import { emptyFolder, type RunningSubject, type Subject } from './subjects.js';

export interface ExperimentPlan {
  readonly subjects: readonly Subject[];
  readonly scenarios: readonly Scenario[];
  readonly runs: number;
  readonly warmUpMs: number;
  readonly measuredMs: number;
  /** Processes that share the logical clients. */
  readonly loadProcesses: number;
  /** Photos stored before anything is measured. */
  readonly records: number;
  readonly durability: 'sync' | 'buffered';
  /** A folder for the data is made in here, and removed afterwards. */
  readonly dataParent: string;
  readonly cpuProfileDir?: string | undefined;
}

/** One scenario on one subject in one run. Undefined where the system does not tell. */
export interface Sample {
  readonly subject: string;
  readonly scenario: Scenario;
  readonly run: number;
  readonly load: LoadMeasure;
  /** All servers together, within the measured window. */
  readonly serverCpuSeconds: number | undefined;
  readonly clientCpuSeconds: number | undefined;
  /** The largest server's. */
  readonly serverPeakBytes: number | undefined;
}

/** Runs the plan; `onProgress` is told what begins. Leaves no process and no folder behind, also where it rejects. */
export async function runExperiment(
  plan: ExperimentPlan,
  onProgress: (what: string) => void,
): Promise<Sample[]> {
  const folder = await mkdtemp(join(plan.dataParent, 'trefoil-bench-'));
  // Also where a signal ends the program; processes that were just killed may still hold it for a moment.
  const onExit = (): void => rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  process.once('exit', onExit);
  try {
    const samples: Sample[] = [];
    for (let run = 1; run <= plan.runs; run++) {
      const order = run % 2 === 1 ? plan.subjects : plan.subjects.toReversed();
      for (const subject of order) {
        const own = await emptyFolder(folder, `${run}-${subject.name.replaceAll(/[^a-z0-9]+/g, '-')}`);
        samples.push(...(await runSubject(plan, subject, run, own, onProgress)));
        await rm(own, { recursive: true, force: true });
      }
    }
    return samples;
  } finally {
    await rm(folder, { recursive: true, force: true });
    process.off('exit', onExit);
  }
}

async function runSubject(
  plan: ExperimentPlan,
  subject: Subject,
  run: number,
  folder: string,
  onProgress: (what: string) => void,
): Promise<Sample[]> {
  const where = `run ${run}/${plan.runs}, ${subject.name}`;
  const { durability, cpuProfileDir } = plan;
  onProgress(`${where}: starting, storing ${plan.records} photos`);
  const running = await subject.start({ folder, durability, cpuProfileDir });
  const load = new LoadGroup(plan.loadProcesses, cpuProfileDir);
  try {
    await load.open(running.target, plan.records);
    const samples: Sample[] = [];
    for (const scenario of plan.scenarios) {
      onProgress(`${where}: ${scenario.workload}, ${scenario.clients} clients`);
      samples.push(await measure(plan, subject, run, running, load, scenario));
    }
    return samples;
  } finally {
    await load.close();
    await Promise.all(running.servers.map((server) => server.stop()));
  }
}

async function measure(
  plan: ExperimentPlan,
  subject: Subject,
  run: number,
  { servers }: RunningSubject,
  load: LoadGroup,
  scenario: Scenario,
): Promise<Sample> {
  const pids = servers.map((server) => server.pid);
  const cpuSeconds = (): (number | undefined)[] => [...pids, ...load.pids].map(cpuSecondsOf);
  const readings: (number | undefined)[][] = [];
  pids.forEach(forgetPeak);
  const timing = { warmUpMs: plan.warmUpMs, measuredMs: plan.measuredMs, seed: run };
  const measured = await load.run(scenario, timing, () => readings.push(cpuSeconds()));
  const [before = [], after = []] = readings;
  const used = after.map((seconds, i) => difference(seconds, before[i]));
  return {
    subject: subject.name,
    scenario,
    run,
    load: measured,
    serverCpuSeconds: sum(used.slice(0, pids.length)),
    clientCpuSeconds: sum(used.slice(pids.length)),
    serverPeakBytes: largest(pids.map(peakBytesOf)),
  };
}

function difference(after: number | undefined, before: number | undefined): number | undefined {
  return after === undefined || before === undefined ? undefined : after - before;
}

function sum(values: readonly (number | undefined)[]): number | undefined {
  return values.reduce<number | undefined>(
    (total, value) => (total === undefined || value === undefined ? undefined : total + value),
    0,
  );
}

function largest(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}

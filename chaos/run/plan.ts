/**
 * What a run will do, as data: the faults and the operations that a seed draws, ahead of the run. The shrinker
 * takes some of them away, a failure file keeps what is left, and a replay does just that.
 */
import { SeededRandom } from '../../src/simulation/random.js';
import { nodeNames, type Experiment } from '../experiments/experiment.js';
import { drawFaults } from '../faults/draw-faults.js';
import type { Fault } from '../faults/fault.js';
import type { PlannedOperation, WorkloadOptions } from '../workloads/workload.js';
import { WORKLOADS } from '../workloads/workloads.js';

export interface Plan {
  /** By `atMs`. */
  readonly faults: readonly Fault[];
  /** By `atMs`. */
  readonly operations: readonly PlannedOperation[];
}

/** The plan of a seed: the same for the same experiment and seed, on any machine. */
export function planRun(experiment: Experiment, seed: number): Plan {
  const random = new SeededRandom(seed);
  const { faults, durationMs } = experiment;
  const drawn = drawFaults(random.fork('faults'), {
    nodes: nodeNames(experiment),
    durationMs,
    pauseMs: faults.pauseMs,
    kinds: faults.draw,
  });
  const workload = WORKLOADS[experiment.workload.name];
  return {
    faults: [...faults.schedule, ...drawn].toSorted((a, b) => a.atMs - b.atMs),
    operations: workload.plan(random.fork('workload'), workloadOptions(experiment)),
  };
}

export function workloadOptions(experiment: Experiment): WorkloadOptions {
  const { read, write, ack, name: _name, ...rest } = experiment.workload;
  return {
    ...rest,
    durationMs: experiment.durationMs,
    ...(read === undefined ? {} : { read }),
    ...(write === undefined ? {} : { write }),
    ...(ack === undefined ? {} : { ack }),
  };
}

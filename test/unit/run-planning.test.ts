/** What a seed plans for the clients: open loop, ids unique, keys as they are asked for. */
import { describe, expect, it } from 'vitest';
import { planRun, workloadOptions } from '../../chaos/run/plan.js';
import { WORKLOAD_NAMES } from '../../chaos/workloads/workload-names.js';
import { WORKLOADS } from '../../chaos/workloads/workloads.js';
import type { PlannedOperation, WorkloadOptions } from '../../chaos/workloads/workload.js';
import { SeededRandom } from '../../src/simulation/random.js';
import { smallExperiment } from '../support/experiments.js';

const OPTIONS: WorkloadOptions = {
  namespace: 'data',
  clients: 4,
  rate: 50,
  durationMs: 100_000,
  keys: 10,
  keyChoice: 'uniform',
  session: false,
  timeoutMs: 1_000,
};

const register = (options: Partial<WorkloadOptions> = {}, seed = 1): PlannedOperation[] =>
  WORKLOADS.register.plan(new SeededRandom(seed), { ...OPTIONS, ...options });

/** How often each key is planned, the k-th at index k. */
function keyCounts(plan: readonly PlannedOperation[], keys: number): number[] {
  const counts = Array.from({ length: keys }, () => 0);
  for (const { key = '' } of plan) counts[Number(key.slice(1))] = (counts[Number(key.slice(1))] ?? 0) + 1;
  return counts;
}

describe.each(WORKLOAD_NAMES)('the plan of workload %s', (name) => {
  const plan = WORKLOADS[name].plan(new SeededRandom(1), OPTIONS);

  it('follows from the seed alone', () => {
    expect(WORKLOADS[name].plan(new SeededRandom(1), OPTIONS)).toEqual(plan);
    expect(WORKLOADS[name].plan(new SeededRandom(2), OPTIONS)).not.toEqual(plan);
  });

  it('comes at its rate, by time, within the phase, with ids of its own, to every client', () => {
    expect(Math.abs(plan.length / 5_000 - 1)).toBeLessThan(0.05);
    const times = plan.map(({ atMs }) => atMs);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(times.every((atMs) => atMs >= 0 && atMs <= OPTIONS.durationMs)).toBe(true);
    expect(new Set(plan.map(({ id }) => id)).size).toBe(plan.length);
    expect(new Set(plan.map(({ client }) => client))).toEqual(new Set([0, 1, 2, 3]));
  });

  it('ends with reads of what it wrote', () => {
    const reads = WORKLOADS[name].finalReads(OPTIONS);
    expect(reads.length).toBeGreaterThan(0);
    const read = new Set(reads.map(({ key }) => key));
    const planned = new Set(plan.map(({ key }) => key));
    expect([...planned].filter((key) => key !== undefined && !read.has(key))).toEqual([]);
  });
});

describe('planning', () => {
  it.each([10, 50, 400])('at %i operations a second over all clients', (rate) => {
    const gaps = register({ rate }).map(({ atMs }, i, all) => atMs - (all[i - 1]?.atMs ?? 0));
    const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
    expect(Math.abs(mean / (1_000 / rate) - 1)).toBeLessThan(0.06);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(2_000 / rate + 0.002);
  });

  it('writes no value twice', () => {
    const written = register().flatMap(({ f, value }) => (f === 'write' ? [value] : []));
    expect(written.length).toBeGreaterThan(2_000);
    expect(new Set(written).size).toBe(written.length);
  });

  it('uniform keys are equally often, zipfian ones as one over their rank', () => {
    const uniform = keyCounts(register(), 10);
    for (const count of uniform) expect(Math.abs(count / 500 - 1)).toBeLessThan(0.2);
    const plan = register({ keyChoice: 'zipfian' });
    const zipfian = keyCounts(plan, 10);
    const harmonic = zipfian.reduce((sum, _, i) => sum + 1 / (i + 1), 0);
    zipfian.forEach((count, i) => {
      const expected = plan.length / (i + 1) / harmonic;
      expect(Math.abs(count / expected - 1), `key ${String(i)}`).toBeLessThan(0.2);
    });
  });

  it('a thousand zipfian keys: the first is chosen, and so is the last', () => {
    const counts = keyCounts(register({ keyChoice: 'zipfian', keys: 1_000, rate: 5_000 }), 1_000);
    expect(counts.at(0)).toBeGreaterThan(40 * (counts.at(99) ?? 0));
    expect(counts.at(-1)).toBeGreaterThan(0);
  });

  it('what is drawn as faults changes no operation, and the other way round', () => {
    const calm = planRun(smallExperiment(), 4);
    const rough = planRun(smallExperiment('faults: { draw: [{ fault: crash }] }\n'), 4);
    expect(calm.faults).toEqual([]);
    expect(rough.faults.length).toBeGreaterThan(5);
    expect(rough.operations).toEqual(calm.operations);
    const busy = planRun(
      smallExperiment('faults: { draw: [{ fault: crash }] }\n', [
        ' namespace: data }',
        ' namespace: data, rate: 70 }',
      ]),
      4,
    );
    expect(busy.faults).toEqual(rough.faults);
    expect(busy.operations).not.toEqual(rough.operations);
  });

  it('faults that are given and faults that are drawn are in one order', () => {
    const { faults } = planRun(
      smallExperiment(
        'faults:\n  draw: [{ fault: crash }]\n  schedule: [{ fault: reset, node: n1, atMs: 9000 }, { fault: reset, node: n2, atMs: 10 }]\n',
      ),
      4,
    );
    const times = faults.map(({ atMs }) => atMs);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(faults.filter(({ fault }) => fault === 'reset')).toHaveLength(2);
  });

  it('levels of the experiment reach the workload, absent ones do not', () => {
    const { read, write } = workloadOptions(
      smallExperiment('', [' namespace: data }', ' namespace: data, read: one, write: 2 }']),
    );
    expect([read, write]).toEqual(['one', 2]);
    expect(Object.keys(workloadOptions(smallExperiment()))).not.toContain('read');
  });
});

/** A run that is recorded is the run that is not: the same events, the same history, and a page that shows them. */
import { describe, expect, it } from 'vitest';
import { parseExperiment } from '../../chaos/experiments/experiment.js';
import { describeFrame } from '../../chaos/report/frame-contents.js';
import { traceScene } from '../../chaos/report/trace-scene.js';
import { simulate } from '../../chaos/run/simulate.js';
import { TraceRecorder } from '../../src/simulation/trace.js';

const EXPERIMENT = parseExperiment(
  `
name: some
summary: a crash, a pause and losses
cluster:
  nodes: 3
  namespaces:
    - { name: data, strategy: leaderless, partitions: 2 }
workload: { name: siblings, namespace: data, clients: 2, rate: 20, keys: 2 }
durationMs: 2000
faults:
  schedule:
    - { fault: crash, node: n2, unsynced: seeded, powerOff: false, atMs: 300, forMs: 500 }
    - { fault: pause, node: n1, atMs: 1000, forMs: 200 }
    - { fault: lossy, rate: 0.05, atMs: 1300, forMs: 600 }
checks: { promised: [converged] }
`,
  'some.yaml',
);

describe('a recorded run', () => {
  it('has the trace hash and the history of one that is not recorded', async () => {
    const trace = new TraceRecorder({ describe: describeFrame });
    const plain = await simulate({ experiment: EXPERIMENT, seed: 5 });
    const recorded = await simulate({ experiment: EXPERIMENT, seed: 5, trace });
    expect(recorded.traceHash).toBe(plain.traceHash);
    expect(recorded.history).toEqual(plain.history);

    const scene = traceScene(recorded, trace.trace(), ['n1', 'n2', 'n3'], 2);
    expect(scene.operations).toHaveLength(recorded.operations);
    expect(scene.faults.map(({ name, beganMs }) => [name, beganMs])).toEqual([
      ['crash', 300],
      ['pause', 1_000],
      ['lossy', 1_300],
    ]);
    const n2 = scene.columns.findIndex(({ name }) => name === 'n2');
    expect(scene.events.filter(({ column }) => column === n2).map(({ what }) => what)).toEqual([
      'start',
      'crash',
      'start',
    ]);
    // The recorder could read every frame, and knew the key of each message about one.
    expect(scene.messages.filter(({ label }) => label === 'unreadable')).toEqual([]);
    expect(scene.messages.filter(({ kind, keys }) => kind === 'client' && keys.length === 0)).toEqual([]);
    expect(scene.messages.filter(({ arrivedMs }) => arrivedMs === null).length).toBeGreaterThan(0);
    expect(scene.leftOut).toEqual([]);
  });
});

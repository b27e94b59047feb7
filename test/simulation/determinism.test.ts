/** One seed, one run: with every kind of fault on, with and without a recorder, however promises are let run. */
import { describe, expect, it } from 'vitest';
import { beginFault } from '../../chaos/faults/apply-fault.js';
import { eventLoopTurns } from '../../chaos/event-loop.js';
import type { FaultKind } from '../../chaos/faults/fault.js';
import { SimulatedCluster } from '../../src/simulation/cluster.js';
import { SeededRandom } from '../../src/simulation/random.js';
import { TraceRecorder, type TraceMessage } from '../../src/simulation/trace.js';
import type { Turns } from '../../src/simulation/scheduler.js';

const CONFIG = `
cluster: three
nodes:
${[1, 2, 3].map((n) => `  - { id: n${n}, host: n${n}.test, port: 7000, dataDir: ./n${n} }`).join('\n')}
namespaces:
  - { name: default, strategy: leaderless, partitions: 2 }
`;

const FAULTS: readonly FaultKind[] = [
  { fault: 'lossy', rate: 0.02 },
  { fault: 'duplicating', rate: 0.05 },
  { fault: 'reordering', rate: 0.05 },
  { fault: 'corrupting', rate: 0.02 },
  { fault: 'slow-link', from: 'n1', latencyMs: [5, 20] },
  { fault: 'narrow', from: 'n2', bytesPerMs: 50 },
  { fault: 'clog', from: 'n1', to: 'n3' },
  { fault: 'partition', shape: 'one-way', order: ['n3', 'n2'] },
  { fault: 'reset', node: 'n2' },
  { fault: 'slow-cpu', node: 'n1', eventMs: 2 },
  { fault: 'slow-disk', node: 'n1', fsyncMs: [5, 50] },
  { fault: 'flipping-reads', node: 'n2', rate: 0.2 },
  { fault: 'rotten-record', node: 'n2', pick: 0.5 },
  { fault: 'clock-offset', node: 'n1', offsetMs: 5_000 },
  { fault: 'clock-drift', node: 'n2', msPerSecond: -30 },
  { fault: 'clock-jumps', node: 'n3', byMs: 2_000, everyMs: 300 },
  { fault: 'pause', node: 'n3' },
  { fault: 'full-disk', node: 'n2' },
  { fault: 'failing-disk', node: 'n3' },
  { fault: 'restart', node: 'n1' },
  { fault: 'crash', node: 'n3', unsynced: 'torn', powerOff: false },
  { fault: 'power-cut' },
  { fault: 'lost-disk', node: 'n2' },
  { fault: 'restored-disk', node: 'n2' },
];

/** The plain way: once around the event loop for each step. */
const oncePerLoop: Turns = async (step) => {
  do {
    await new Promise((resolve) => setImmediate(resolve));
  } while (step());
};

interface Options {
  readonly seed?: number;
  readonly trace?: TraceRecorder;
  readonly turns?: Turns;
}

/** All faults begin one after the other, overlap for a while, and end. */
async function run({
  seed = 1,
  trace,
  turns = eventLoopTurns,
}: Options): Promise<{ hash: string; stored: string[] }> {
  const cluster = new SimulatedCluster({
    seed,
    config: CONFIG,
    turns,
    ...(trace === undefined ? {} : { trace }),
  });
  const { simulation } = cluster;
  await cluster.start();
  const db = await cluster.settle(cluster.connect('c', { timeoutMs: 1_000 }));
  const ns = db.namespace<string>('default');
  const random = simulation.random.fork('workload');
  const write = (): void => {
    simulation.schedule(random.between([0, 40]), 'write', write);
    ns.put(`k${random.integer(10)}`, random.text(8)).catch(() => undefined);
  };
  write();
  const ends: Promise<void>[] = [];
  for (const fault of FAULTS) {
    const end = beginFault(cluster, fault);
    simulation.schedule(900, 'end', () => void ends.push(end()));
    await simulation.runFor(400);
  }
  await simulation.runFor(1_000);
  await cluster.settle(Promise.all(ends));
  return {
    hash: simulation.traceHash(),
    stored: cluster.copies().map((copies) => JSON.stringify([...copies.replicas])),
  };
}

describe('a run with all faults', () => {
  it('is the same again, recorded or not, however promises are let run; and another with another seed', async () => {
    const first = await run({});
    expect(await run({})).toEqual(first);
    expect(await run({ trace: new TraceRecorder({ messagesMax: 10 }) })).toEqual(first);
    expect(await run({ turns: oncePerLoop })).toEqual(first);
    expect((await run({ seed: 2 })).hash).not.toBe(first.hash);
  });
});

describe('the generators of a world', () => {
  it('do not know of each other: more draws of one leave the rest as they were', async () => {
    const draws = (busy: string | undefined): Record<string, number[]> => {
      const root = new SeededRandom(3);
      const forks = [
        'network/a>b',
        'network/a>b/faults',
        'disk/n1',
        'disk/n1/reads',
        'workload',
        'nodes',
        'clock',
      ];
      const found: Record<string, number[]> = {};
      for (const name of forks) {
        const fork = root.fork(name);
        if (name === busy) for (let i = 0; i < 100; i++) fork.float();
        found[name] = [fork.float(), fork.float()];
      }
      return found;
    };
    const quiet = draws(undefined);
    for (const busy of Object.keys(quiet)) {
      const { [busy]: own, ...others } = draws(busy);
      const { [busy]: before, ...rest } = quiet;
      expect(others).toEqual(rest);
      expect(own).not.toEqual(before);
    }
  });
});

describe('a recorder', () => {
  const message = (sentMs: number): Omit<TraceMessage, 'carried'> => ({
    from: 'a',
    to: 'b',
    connection: 1,
    sentMs,
    arrivedMs: null,
    sizeBytes: 0,
    fate: 'whole',
  });

  it('keeps the latest messages and the first of all else, and counts what it dropped', () => {
    const trace = new TraceRecorder({ messagesMax: 5, othersMax: 2 });
    for (let i = 0; i < 104; i++) trace.message(message(i), new Uint8Array());
    for (let i = 0; i < 4; i++) {
      trace.process({ atMs: i, name: 'a', what: 'start' });
      trace.fault({ name: 'crash', nodes: [], detail: '', beganMs: i, endedMs: null }).endedMs = i;
      trace.operation({
        client: 'c',
        f: 'read',
        key: null,
        input: '',
        output: null,
        invokedMs: i,
        completedMs: null,
        outcome: null,
      }).outcome = 'ok';
    }
    const { messages, processes, faults, operations, dropped } = trace.trace();
    expect(messages.map((m) => m.sentMs)).toEqual([99, 100, 101, 102, 103]);
    expect(processes.map((p) => p.atMs)).toEqual([0, 1]);
    expect(faults.map((f) => f.endedMs)).toEqual([0, 1]);
    expect(operations.map((o) => o.outcome)).toEqual(['ok', 'ok']);
    expect(dropped).toEqual({ messages: 99, processes: 2, faults: 2, operations: 2 });
  });
});

describe('turns on the event loop', () => {
  it('run everything that is pending between two steps, and hand on what a step throws', async () => {
    const seen: number[] = [];
    let steps = 0;
    await eventLoopTurns(() => {
      const step = steps++;
      let chain = Promise.resolve();
      for (let i = 0; i < 50; i++) chain = chain.then(() => undefined);
      void chain.then(() => seen.push(step));
      expect(seen).toEqual(Array.from({ length: step }, (_, i) => i));
      return step < 200;
    });
    expect(steps).toBe(201);
    await expect(
      eventLoopTurns(() => {
        throw new RangeError('broken');
      }),
    ).rejects.toThrow('broken');
  });
});

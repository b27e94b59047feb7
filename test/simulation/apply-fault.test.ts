/** Every fault that an experiment can name, on a cluster of real nodes: it shows, and it ends. */
import { describe, expect, it } from 'vitest';
import { describeFrame } from '../../chaos/report/frame-contents.js';
import { beginFault, describeFault, isInstant } from '../../chaos/faults/apply-fault.js';
import type { FaultKind, FaultName } from '../../chaos/faults/fault.js';
import type { Database } from '../../src/client/api.js';
import { SimulatedCluster } from '../../src/simulation/cluster.js';
import { TraceRecorder } from '../../src/simulation/trace.js';
import { eventLoopTurns } from '../../chaos/event-loop.js';

const CONFIG = `
cluster: three
nodes:
${[1, 2, 3].map((n) => `  - { id: n${n}, host: n${n}.test, port: 7000, dataDir: ./n${n} }`).join('\n')}
namespaces:
  - { name: default, strategy: leaderless, partitions: 2 }
`;

interface Run {
  readonly cluster: SimulatedCluster;
  readonly db: Database;
  readonly trace: TraceRecorder;
}

async function started(seed = 1): Promise<Run> {
  const trace = new TraceRecorder();
  const cluster = new SimulatedCluster({ seed, turns: eventLoopTurns, config: CONFIG, trace });
  await cluster.start();
  const db = await cluster.settle(cluster.connect('c', { timeoutMs: 2_000 }));
  return { cluster, db, trace };
}

const put = ({ cluster, db }: Run, key = 'k', write: 'quorum' | 'all' = 'quorum'): Promise<unknown> =>
  cluster.settle(db.namespace<string>('default').put(key, `value of ${key}`, { write }));
const get = async ({ cluster, db }: Run, key = 'k'): Promise<unknown> =>
  (await cluster.settle(db.namespace<string>('default').get(key, { read: 'all' }))).siblings;
const sees = ({ cluster }: Run, from: string, to: string): boolean =>
  cluster
    .node(from)
    .status()
    .peers.some((peer) => peer.node === to && peer.reachable);

interface Case {
  readonly fault: FaultKind;
  /** Something happens meanwhile, and shows. */
  readonly during: (run: Run) => Promise<void>;
  /** It is over. All cases: every node sees the others, a write to all and a read of all work, replicas agree. */
  readonly after?: (run: Run) => Promise<void>;
}

const counted = ({ cluster }: Run, counter: string): number =>
  cluster.names.reduce(
    (sum, name) => sum + (cluster.running(name) ? (cluster.node(name).status().counters[counter] ?? 0) : 0),
    0,
  );
const fates = (run: Run, fate: string): number =>
  run.trace.trace().messages.filter((message) => message.fate === fate).length;
/** Some writes, whatever becomes of them. */
const busy = async (run: Run, count = 40): Promise<void> => {
  for (let i = 0; i < count; i++) await put(run, `b${i}`).catch(() => undefined);
};
const slowest = (run: Run, from: string): number =>
  Math.max(
    0,
    ...run.trace
      .trace()
      .messages.filter((m) => m.from === from && m.to.startsWith('n') && m.arrivedMs !== null)
      .map((m) => (m.arrivedMs ?? 0) - m.sentMs),
  );
const tookMs = async ({ cluster }: Run, act: () => Promise<unknown>): Promise<number> => {
  const beganMs = cluster.simulation.nowMs();
  await act();
  return cluster.simulation.nowMs() - beganMs;
};

const CASES: { readonly [name in FaultName]: Case } = {
  partition: {
    fault: { fault: 'partition', shape: 'one', order: ['n2', 'n1', 'n3'] },
    during: async (run) => {
      await run.cluster.simulation.runUntil(() => !sees(run, 'n1', 'n2') && !sees(run, 'n2', 'n3'));
      expect(sees(run, 'n1', 'n3')).toBe(true);
    },
  },
  'slow-link': {
    fault: { fault: 'slow-link', from: 'n1', latencyMs: [80, 90] },
    during: async (run) => {
      await busy(run, 3);
      expect(slowest(run, 'n1')).toBeGreaterThanOrEqual(80);
      expect(slowest(run, 'n2')).toBeLessThan(5);
    },
  },
  lossy: {
    fault: { fault: 'lossy', rate: 0.1 },
    during: async (run) => {
      await busy(run);
      expect(fates(run, 'lost')).toBeGreaterThan(0);
      expect(fates(run, 'dropped')).toBeGreaterThan(0);
    },
  },
  duplicating: {
    fault: { fault: 'duplicating', rate: 0.2 },
    during: async (run) => {
      await busy(run);
      expect(fates(run, 'duplicate')).toBeGreaterThan(10);
    },
  },
  reordering: {
    fault: { fault: 'reordering', rate: 0.2 },
    during: async (run) => {
      await busy(run);
      expect(fates(run, 'late')).toBeGreaterThan(10);
    },
  },
  corrupting: {
    fault: { fault: 'corrupting', rate: 0.1 },
    during: async (run) => {
      await busy(run);
      expect(fates(run, 'corrupted')).toBeGreaterThan(3);
      expect(counted(run, 'frames_malformed')).toBeGreaterThan(0);
    },
  },
  narrow: {
    fault: { fault: 'narrow', from: 'n1', to: 'n2', bytesPerMs: 1 },
    during: async (run) => {
      await busy(run, 30);
      expect(slowest(run, 'n1')).toBeGreaterThan(20);
      expect(slowest(run, 'n2')).toBeLessThan(5);
    },
  },
  clog: {
    fault: { fault: 'clog', from: 'n1', to: 'n2' },
    during: async (run) => {
      await run.cluster.simulation.runFor(1_500);
      const stuck = run.trace
        .trace()
        .messages.filter((m) => m.from === 'n1' && m.to === 'n2' && m.arrivedMs === null);
      expect(stuck.length).toBeGreaterThan(0);
    },
    after: async (run) => {
      const arrived = run.trace
        .trace()
        .messages.filter((m) => m.to === 'n2' && m.arrivedMs !== null && m.arrivedMs - m.sentMs > 100);
      expect(arrived.length).toBeGreaterThan(0);
    },
  },
  reset: {
    fault: { fault: 'reset', node: 'n3' },
    during: async (run) => {
      await run.cluster.simulation.runFor(1);
      expect([sees(run, 'n3', 'n1'), sees(run, 'n3', 'n2'), sees(run, 'n1', 'n2')]).toEqual([
        false,
        false,
        true,
      ]);
    },
  },
  crash: {
    fault: { fault: 'crash', node: 'n1', unsynced: 'torn', powerOff: true },
    during: async (run) => {
      expect(run.cluster.down('n1')).toBe(true);
      await run.cluster.settle(run.cluster.restart('n1'));
      expect(run.cluster.down('n1')).toBe(true);
      await put(run);
    },
  },
  'power-cut': {
    fault: { fault: 'power-cut' },
    during: async ({ cluster }) => {
      expect(cluster.names.map((name) => cluster.down(name))).toEqual([true, true, true]);
      await cluster.simulation.runFor(1_000);
    },
  },
  restart: {
    fault: { fault: 'restart', node: 'n2' },
    during: async ({ cluster, trace }) => {
      await cluster.simulation.runUntil(() => cluster.down('n2'));
      expect(trace.trace().processes.at(-1)).toMatchObject({ name: 'n2', what: 'exit' });
    },
  },
  pause: {
    fault: { fault: 'pause', node: 'n2' },
    during: async (run) => {
      await run.cluster.simulation.runUntil(() => !sees(run, 'n1', 'n2'));
      expect(run.cluster.running('n2')).toBe(true);
      expect(run.trace.trace().processes.at(-1)).toMatchObject({ name: 'n2', what: 'pause' });
    },
  },
  'slow-cpu': {
    fault: { fault: 'slow-cpu', node: 'n2', eventMs: 15 },
    during: async (run) => {
      expect(await tookMs(run, () => put(run, 'k', 'all'))).toBeGreaterThan(25);
    },
  },
  'slow-disk': {
    fault: { fault: 'slow-disk', node: 'n2', fsyncMs: [300, 400] },
    during: async (run) => {
      expect(await tookMs(run, () => put(run, 'k', 'all'))).toBeGreaterThan(300);
    },
  },
  'full-disk': {
    fault: { fault: 'full-disk', node: 'n2' },
    during: async (run) => {
      await expect(put(run, 'k', 'all')).rejects.toThrow();
      expect(run.cluster.node('n2').status().freeBytes).toBe(0);
    },
  },
  'failing-disk': {
    fault: { fault: 'failing-disk', node: 'n2' },
    during: async (run) => {
      await expect(put(run, 'k', 'all')).rejects.toThrow();
      expect(counted(run, 'batches_failed')).toBeGreaterThan(0);
    },
  },
  'flipping-reads': {
    fault: { fault: 'flipping-reads', node: 'n2', rate: 1 },
    during: async (run) => {
      await busy(run, 5);
      for (let i = 0; i < 5; i++)
        await run.cluster.settle(run.db.namespace('default').get(`b${i}`)).catch(() => 0);
      expect(counted(run, 'records_corrupt') + counted(run, 'read_repairs')).toBeGreaterThan(0);
    },
  },
  'rotten-record': {
    fault: { fault: 'rotten-record', node: 'n2', pick: 0.99 },
    during: async ({ cluster }) => {
      expect(cluster.disagreements()).toHaveLength(1);
    },
  },
  'lost-disk': {
    fault: { fault: 'lost-disk', node: 'n2' },
    during: async ({ cluster }) => {
      expect([cluster.down('n2'), cluster.world.disk('n2').keys({ gte: '', lt: '~' })]).toEqual([true, []]);
    },
  },
  'restored-disk': {
    fault: { fault: 'restored-disk', node: 'n2' },
    during: async (run) => {
      expect(run.cluster.running('n2')).toBe(true);
      await put(run, 'since', 'all');
    },
    // One generation more than its first: the node knows that it is on a copy.
    after: async ({ cluster }) => {
      expect(cluster.world.disk('n2').identity).toMatch(/-2$/);
    },
  },
  'clock-offset': {
    fault: { fault: 'clock-offset', node: 'n2', offsetMs: -90_000 },
    during: async ({ cluster }) => {
      expect(cluster.world.clockErrorMs('n2')).toBe(-90_000);
    },
  },
  'clock-drift': {
    fault: { fault: 'clock-drift', node: 'n2', msPerSecond: 50 },
    during: async ({ cluster }) => {
      await cluster.simulation.runFor(10_000);
      expect(cluster.world.clockErrorMs('n2')).toBeCloseTo(500, 6);
    },
  },
  'clock-jumps': {
    fault: { fault: 'clock-jumps', node: 'n2', byMs: 3_000, everyMs: 1_000 },
    during: async ({ cluster }) => {
      const seen: number[] = [];
      for (let i = 0; i < 5; i++) {
        seen.push(cluster.world.clockErrorMs('n2'));
        await cluster.simulation.runFor(1_000);
      }
      expect(seen).toEqual([3_000, 0, -3_000, 0, 3_000]);
    },
  },
};

describe('beginFault', () => {
  it.each(Object.entries(CASES))('%s', async (_name, { fault, during, after }) => {
    const run = await started();
    const { cluster, trace } = run;
    for (let i = 0; i < 5; i++) await put(run, `p${i}`, 'all');
    await cluster.converge(1_000);
    const end = beginFault(cluster, fault);
    await during(run);
    const beforeMs = cluster.simulation.nowMs();
    await cluster.settle(end());
    await cluster.settle(end());
    if (fault.fault === 'rotten-record') await repair(run);
    await cluster.simulation.runFor(2_500);
    await cluster.allReachable();
    await after?.(run);
    await cluster.converge(60_000);
    cluster.disconnect('c');
    const again = { ...run, db: await cluster.settle(cluster.connect('c2', { timeoutMs: 10_000 })) };
    expect(await get(again, 'p1')).toEqual(['value of p1']);
    await put(again, 'after', 'all');
    expect(await get(again, 'after')).toEqual(['value of after']);
    for (const name of cluster.names) expect(cluster.world.clockErrorMs(name)).toBe(0);
    expect(trace.trace().faults).toHaveLength(1);
    const [entry] = trace.trace().faults;
    expect(entry).toMatchObject({ name: fault.fault, detail: describeFault(fault) });
    if (isInstant(fault)) expect(entry?.endedMs).toBe(entry?.beganMs);
    else expect(entry?.endedMs).toBe(beforeMs);
  });

  it('a node that two faults keep down starts when both have ended', async () => {
    const { cluster } = await started();
    const first = beginFault(cluster, { fault: 'crash', node: 'n1', unsynced: 'lost', powerOff: false });
    const second = beginFault(cluster, { fault: 'lost-disk', node: 'n1' });
    await cluster.settle(first());
    await cluster.simulation.runFor(5_000);
    expect(cluster.down('n1')).toBe(true);
    await cluster.settle(second());
    await cluster.allReachable();
  });

  it('a disk that is restored has what was on it when the fault began, and nothing since', async () => {
    const run = await started();
    const { cluster } = run;
    const disk = cluster.world.disk('n1');
    const records = (): number =>
      [0, 1].flatMap((partition) => {
        const place = `g/default/${String(partition)}/r/`;
        return disk.keys({ gte: place, lt: `${place.slice(0, -1)}0` });
      }).length;
    await put(run, 'before', 'all');
    const end = beginFault(cluster, { fault: 'restored-disk', node: 'n1' });
    await put(run, 'since', 'all');
    expect(records()).toBe(2);
    const ended = end();
    expect([cluster.running('n1'), records()]).toEqual([false, 1]);
    await cluster.settle(ended);
    await cluster.converge(60_000);
    expect(records()).toBe(2);
  });

  it('a crash in the middle of a restart, and a restart in the middle of a pause, end', async () => {
    const { cluster } = await started();
    const pause = beginFault(cluster, { fault: 'pause', node: 'n1' });
    const restart = beginFault(cluster, { fault: 'restart', node: 'n1' });
    await cluster.simulation.runFor(3_000);
    expect([cluster.running('n1'), cluster.down('n1')]).toEqual([false, false]);
    const crash = beginFault(cluster, { fault: 'crash', node: 'n1', unsynced: 'seeded', powerOff: false });
    await cluster.settle(Promise.all([restart(), pause(), crash()]));
    await cluster.allReachable();
  });
});

/** Damage that nobody reads is found by the next recount, which a start begins. */
async function repair({ cluster }: Run): Promise<void> {
  await cluster.settle(cluster.stop('n2'));
  await cluster.settle(cluster.restart('n2'));
}

describe('the trace of a run', () => {
  it('names what frames carry, and who started', async () => {
    const trace = new TraceRecorder({
      describe: describeFrame,
    });
    const cluster = new SimulatedCluster({ seed: 1, turns: eventLoopTurns, config: CONFIG, trace });
    await cluster.start();
    const { messages, processes } = trace.trace();
    expect(processes.map(({ name, what }) => `${name} ${what}`)).toEqual([
      'n1 start',
      'n2 start',
      'n3 start',
    ]);
    expect(messages[0]?.carried?.map(({ name }) => name)).toEqual(['hello']);
    expect(messages.every((m) => m.arrivedMs === null || m.arrivedMs > m.sentMs)).toBe(true);
    expect(JSON.parse(JSON.stringify(trace.trace()))).toEqual(trace.trace());
  });
});

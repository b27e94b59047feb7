/** More than a node takes at once, clients that hang up, and partitions without a replica. */
import { describe, expect, it } from 'vitest';
import { TrefoilError } from '../../src/core/errors.js';
import { OVERLOADED_RETRY_AFTER_MS, REQUESTS_PER_CONNECTION_MAX } from '../../src/core/limits.js';
import { RawClient } from '../support/raw-client.js';
import { SimCluster } from '../support/sim-cluster.js';
import { watch } from '../support/watched.js';

const ONE_PARTITION = `
  - { name: default, strategy: leaderless, partitions: 1 }
`;

async function start(seed: number, requestsInFlightMax?: number): Promise<SimCluster> {
  return SimCluster.start({
    seed,
    namespaces: ONE_PARTITION,
    ...(requestsInFlightMax === undefined ? {} : { limits: { requestsInFlightMax } }),
  });
}

function openThings(cluster: SimCluster, name: string): number {
  const { gauges, requestsInFlight } = cluster.node(name).status();
  const open = ['openWrites', 'openReads', 'openScans', 'openPeerCalls'].map((gauge) => gauges[gauge] ?? NaN);
  return open.reduce((sum, value) => sum + value, requestsInFlight);
}

describe('more requests in flight than the limit', () => {
  it('are refused at once with a time to wait, and the rest is served', async () => {
    const cluster = await start(1, 8);
    const n1 = await RawClient.open(cluster, 'n1');
    cluster.world.disk('n1').holdSync();
    const puts = Array.from({ length: 12 }, (_, i) => watch(n1.put(`k${i}`, 'v', { budgetMs: 30_000 })));
    await cluster.simulation.runUntil(() => puts.filter(({ settled }) => settled).length === 4);
    await cluster.simulation.runFor(1_000);
    const refused = puts.filter(({ settled }) => settled);
    expect(refused).toHaveLength(4);
    for (const { error } of refused) {
      expect(error).toMatchObject({ code: 'Overloaded', outcome: 'failed' });
      expect((error as TrefoilError).retryAfterMs).toBe(OVERLOADED_RETRY_AFTER_MS);
    }
    expect(cluster.node('n1').status().requestsInFlight).toBe(8);
    expect(cluster.counter('n1', 'requests_overloaded')).toBe(4);
    cluster.world.disk('n1').releaseSync();
    await cluster.simulation.runUntil(() => puts.every(({ settled }) => settled));
    expect(puts.filter(({ error }) => error === undefined)).toHaveLength(8);
    // What was refused left nothing behind, and is served now.
    await cluster.settle(n1.put('k11', 'v'));
    expect(cluster.stored('n1', 'k11')).toEqual(['v']);
    await cluster.simulation.runFor(5_000);
    expect(openThings(cluster, 'n1')).toBe(0);
  });

  it('the SDK waits and succeeds', async () => {
    const cluster = await start(2, 4);
    const db = await cluster.connect('app', { timeoutMs: 30_000 });
    const ns = db.namespace<number>('default');
    for (const name of cluster.names) cluster.world.disk(name).setTimes({ fsyncMs: [20, 30] });
    const puts = Array.from({ length: 60 }, (_, i) => ns.put(`k${i}`, i));
    await cluster.settle(Promise.all(puts));
    const overloaded = cluster.names.reduce(
      (sum, name) => sum + cluster.counter(name, 'requests_overloaded'),
      0,
    );
    expect(overloaded).toBeGreaterThan(0);
    for (let i = 0; i < 60; i++) expect((await cluster.settle(ns.get(`k${i}`))).siblings).toEqual([i]);
  });

  it('one connection cannot take it all', async () => {
    const cluster = await start(3);
    const greedy = await RawClient.open(cluster, 'n1');
    const modest = await RawClient.open(cluster, 'n1');
    cluster.world.disk('n1').holdSync();
    const puts = Array.from({ length: REQUESTS_PER_CONNECTION_MAX + 5 }, (_, i) =>
      watch(greedy.put(`g${i}`, 'v', { budgetMs: 30_000 })),
    );
    await cluster.simulation.runUntil(() => puts.filter(({ settled }) => settled).length >= 5);
    const read = await cluster.settle(modest.get('other'));
    expect(read.values).toEqual([]);
    cluster.world.disk('n1').releaseSync();
    await cluster.simulation.runUntil(() => puts.every(({ settled }) => settled));
    expect(puts.filter(({ error }) => error !== undefined)).toHaveLength(5);
  });
});

describe('a client that goes away in the middle of its requests', () => {
  it.each(['hangs up', 'loses power'])('leaves nothing open (it %s)', async (how) => {
    const cluster = await start(10);
    const client = await RawClient.open(cluster, 'n1');
    await cluster.settle(client.put('k', 'v', { write: 'all' }));
    await cluster.simulation.runFor(3_000);
    const connections = cluster.node('n1').status().connections;
    for (const name of ['n2', 'n3']) cluster.world.network.setLink('n1', name, { latencyMs: [200, 300] });
    const scan = {
      type: 'scan',
      partition: 0,
      prefix: '',
      after: '',
      limit: 10,
      read: 'all',
      atLeast: null,
      maxStalenessMs: 0,
    } as const;
    const requests = [
      watch(client.put('k1', 'v', { write: 'all' })),
      watch(client.put('k2', 'v', { attempt: 1 })),
      watch(client.get('k', { read: 'all' })),
      watch(client.request(scan)),
    ];
    await cluster.simulation.runUntil(() => cluster.node('n1').status().requestsInFlight === 4);
    await cluster.simulation.runFor(50);
    if (how === 'hangs up') {
      client.destroy();
      await cluster.simulation.runFor(10);
      expect(cluster.node('n1').status().requestsInFlight).toBe(0);
    } else cluster.world.crash(client.name, { powerOff: true });
    // A powered-off client is found by its silence.
    await cluster.simulation.runFor(45_000);
    expect(openThings(cluster, 'n1')).toBe(0);
    expect(cluster.node('n1').status().connections).toBe(connections - 1);
    expect(requests.every(({ value }) => value === undefined)).toBe(true);
    // The node goes on, and what had been minted is not half done.
    cluster.world.network.calm();
    const next = await RawClient.open(cluster, 'n1');
    expect((await cluster.settle(next.get('k1', { read: 'all' }))).values).toEqual(['v']);
    await cluster.converge(30_000);
  });

  it('a client that reads nothing is cut off, and others are served', async () => {
    const cluster = await start(11);
    const reader = await RawClient.open(cluster, 'n1');
    await cluster.settle(reader.put('big', 'x'.repeat(1_000_000), { write: 'all' }));
    const stuck = await RawClient.open(cluster, 'n1');
    cluster.world.network.block('n1', stuck.name);
    for (let i = 0; i < 100; i++) {
      void stuck.get('big', { read: 1 }).catch(() => undefined);
      await cluster.simulation.runFor(10);
    }
    expect(cluster.counter('n1', 'slow_clients_closed')).toBe(1);
    expect((await cluster.settle(reader.get('big', { read: 1 }))).values).toHaveLength(1);
  });
});

describe('all replicas of a partition down', () => {
  it('a call ends with a typed error within its deadline, whatever it is', async () => {
    const cluster = await start(20);
    const db = await cluster.connect('app', { timeoutMs: 2_000 });
    const ns = db.namespace<string>('default');
    await cluster.settle(ns.put('k', 'v'));
    for (const name of cluster.names) cluster.crash(name);
    const scanned = async (): Promise<void> => {
      for await (const _entry of ns.scan()) expect.unreachable();
    };
    const calls = [() => ns.get('k'), () => ns.put('k', 'w'), () => ns.delete('k'), scanned];
    for (const call of calls) {
      const beganMs = cluster.simulation.nowMs();
      const outcome = watch<unknown>(call());
      await cluster.simulation.runUntil(() => outcome.settled);
      expect(cluster.simulation.nowMs() - beganMs).toBeLessThan(2_100);
      expect(outcome.error).toBeInstanceOf(TrefoilError);
      expect(outcome.error).toMatchObject({ outcome: 'failed' });
      expect(['NoReachableNode', 'ConnectionLost']).toContain((outcome.error as TrefoilError).code);
    }
    await cluster.settle(Promise.all(cluster.names.map((name) => cluster.boot(name))));
    await cluster.allReachable();
    expect((await cluster.settle(ns.get('k'))).value).toBe('v');
  });

  it('behind a silent network as well', async () => {
    const cluster = await start(21);
    const db = await cluster.connect('app', { timeoutMs: 2_000 });
    const ns = db.namespace<string>('default');
    await cluster.settle(ns.put('k', 'v'));
    cluster.world.network.partition('app', cluster.names);
    for (const [call, outcome] of [
      [() => ns.get('k'), 'failed'],
      [() => ns.put('k', 'w'), undefined],
    ] as const) {
      const beganMs = cluster.simulation.nowMs();
      const result = watch<unknown>(call());
      await cluster.simulation.runUntil(() => result.settled);
      expect(cluster.simulation.nowMs() - beganMs).toBeLessThan(2_100);
      expect(result.error).toBeInstanceOf(TrefoilError);
      if (outcome !== undefined) expect(result.error).toMatchObject({ outcome });
    }
  });

  it('one partition without replicas leaves the others served', async () => {
    const cluster = await SimCluster.start({
      seed: 22,
      namespaces: '\n  - { name: default, strategy: leaderless, partitions: 8, replicas: 1 }\n',
    });
    const db = await cluster.connect('app', { timeoutMs: 1_500 });
    const ns = db.namespace<number>('default');
    cluster.crash('n2');
    const outcomes = await cluster.settle(
      ns.batch(Array.from({ length: 64 }, (_, i) => ({ type: 'put', key: `k${i}`, value: i }) as const)),
    );
    const failed = outcomes.filter((result) => result.type === 'error');
    expect(failed.length).toBeGreaterThan(0);
    expect(failed.length).toBeLessThan(64);
    for (const { error } of failed) expect(['NoReachableNode', 'ConnectionLost']).toContain(error.code);
  });
});

describe('a graceful stop', () => {
  it('answers what is in flight, refuses what is new, and leaves nothing to recover', async () => {
    const cluster = await start(30);
    const n1 = await RawClient.open(cluster, 'n1');
    cluster.world.disk('n1').holdSync();
    const put = watch(n1.put('k', 'v', { budgetMs: 30_000 }));
    await cluster.simulation.runUntil(() => cluster.world.disk('n1').holding);
    const stopped = watch(cluster.node('n1').stop());
    await cluster.simulation.runFor(1_000);
    expect(stopped.settled).toBe(false);
    expect(n1.received.some(({ type }) => type === 'goodbye')).toBe(true);
    const late = cluster.settle(n1.put('late', 'v'));
    await expect(late).rejects.toMatchObject({ code: 'ShuttingDown', outcome: 'failed' });
    cluster.world.disk('n1').releaseSync();
    await cluster.simulation.runUntil(() => stopped.settled);
    expect(put.error).toBeUndefined();
    expect(stopped.error).toBeUndefined();
    expect(cluster.world.disk('n1').peek('m/clean')).toBeDefined();
  });

  it('is bounded: a request that cannot be answered does not hold it for ever', async () => {
    const cluster = await start(31);
    const n1 = await RawClient.open(cluster, 'n1');
    cluster.world.network.partition('n1', ['n2', 'n3']);
    const put = watch(n1.put('k', 'v', { budgetMs: 60_000 }));
    await cluster.simulation.runUntil(() => cluster.node('n1').status().requestsInFlight === 1);
    const beganMs = cluster.simulation.nowMs();
    await cluster.stop('n1');
    expect(cluster.simulation.nowMs() - beganMs).toBeLessThan(12_000);
    await cluster.simulation.runFor(10);
    expect(put.value).toBeUndefined();
  });
});

/** Stores that fail while their node lives: of a leader whose group is quiet, and such as lose or cannot read what they hold. */
import { expect, it } from 'vitest';
import { eventLoopTurns } from '../../chaos/event-loop.js';
import { bytesCodec } from '../../src/client/codec.js';
import { TrefoilError } from '../../src/core/errors.js';
import { PROPOSED_BYTES_MAX } from '../../src/core/limits.js';
import type { Storage } from '../../src/runtime/runtime.js';
import { SimulatedCluster } from '../../src/simulation/cluster.js';
import type { DiskImage } from '../../src/simulation/disk.js';
import { SimCluster } from '../support/sim-cluster.js';

const NODES = ['n1', 'n2', 'n3'];

it('is replaced, though its node lives and its group is quiet', async () => {
  const cluster = await SimCluster.start({
    seed: 1,
    namespaces: '\n  - { name: default, strategy: leader-follower, partitions: 8 }\n',
  });
  await cluster.simulation.runUntil(() => NODES.every((node) => cluster.gauge(node, 'quiet') === 8));
  const db = await cluster.connect('c1', { timeoutMs: 10_000 });
  const ns = db.namespace<number>('default');
  for (let i = 0; i < 10; i++) await cluster.settle(ns.put(`k${i}`, i));
  await cluster.simulation.runUntil(() => NODES.every((node) => cluster.gauge(node, 'quiet') === 8));
  const victim = NODES.find((node) => cluster.gauge(node, 'leads') > 0)!;
  cluster.world.disk(victim).failWrites('StorageFailed', 100_000);
  // The first write that reaches it finds out.
  await cluster.settle(Promise.allSettled([ns.put('k0', 0)]));
  for (let i = 0; i < 10 && cluster.counter(victim, 'batches_failed') === 0; i++)
    await cluster.settle(ns.put(`k${i}`, i));
  expect(cluster.counter(victim, 'batches_failed')).toBeGreaterThan(0);
  await cluster.simulation.runFor(5_000);
  for (let i = 0; i < 10; i++) await cluster.settle(ns.put(`k${i}`, i + 1));
  for (let i = 0; i < 10; i++) expect((await cluster.settle(ns.get(`k${i}`))).value).toBe(i + 1);
});

it('whose disk stands still takes no more than so much for it, and is replaced', async () => {
  const cluster = await SimCluster.start({
    seed: 3,
    namespaces: '\n  - { name: default, strategy: leader-follower, partitions: 1 }\n',
  });
  const db = await cluster.connect('c1', { timeoutMs: 10_000 });
  const ns = db.namespace<Uint8Array>('default', { codec: bytesCodec });
  await cluster.settle(ns.put('first', new Uint8Array(1)));
  await cluster.simulation.runFor(5_000);
  const victim = NODES.find((node) => cluster.gauge(node, 'leads') === 1) as string;
  cluster.world.disk(victim).holdSync();
  const value = new Uint8Array(512 * 1024);
  const puts = Array.from({ length: 100 }, (_, i) => ns.put(`k${String(i)}`, value, { timeoutMs: 2_000 }));
  const done = await cluster.settle(Promise.allSettled(puts));
  const kept = done.filter(({ status }) => status === 'fulfilled').length * value.length;
  expect(kept).toBeGreaterThan(PROPOSED_BYTES_MAX / 2);
  expect(kept).toBeLessThanOrEqual(PROPOSED_BYTES_MAX);
  await cluster.simulation.runFor(25_000);
  expect(NODES.filter((node) => cluster.gauge(node, 'leads') === 1)).toEqual([
    expect.not.stringContaining(victim),
  ]);
  await cluster.settle(ns.put('after', value));
  cluster.world.disk(victim).releaseSync();
  await cluster.converge(60_000);
});

it('whose store cannot be read is replaced, lives on, and follows once it can', async () => {
  const cluster = await SimCluster.start({
    seed: 2,
    namespaces: '\n  - { name: default, strategy: leader-follower, partitions: 8 }\n',
  });
  const db = await cluster.connect('c1', { timeoutMs: 10_000 });
  const ns = db.namespace<number>('default');
  for (let i = 0; i < 10; i++) await cluster.settle(ns.put(`k${i}`, i));
  const victim = NODES.find((node) => cluster.gauge(node, 'leads') > 0)!;
  cluster.world.disk(victim).failReads(100_000);
  // The first read that reaches it finds out; the SDK takes it elsewhere.
  for (let i = 0; i < 10; i++) expect((await cluster.settle(ns.get(`k${i}`))).value).toBe(i);
  expect(cluster.counter(victim, 'reads_failed')).toBe(1);
  await cluster.simulation.runFor(5_000);
  expect(cluster.node(victim).status().writesRefused).toBe('NodeReadOnly');
  for (let i = 0; i < 10; i++) await cluster.settle(ns.put(`k${i}`, i + 1));
  for (let i = 0; i < 10; i++) expect((await cluster.settle(ns.get(`k${i}`))).value).toBe(i + 1);
  cluster.world.disk(victim).failReads(0);
  await cluster.converge(30_000);
});

/** A cluster of one group whose nodes' stores are opened by `open`. */
async function startWith(seed: number, open: OpenStorage): Promise<SimulatedCluster> {
  const nodes = NODES.map((id) => `  - { id: ${id}, host: ${id}.test, port: 7000, dataDir: ./${id} }\n`).join(
    '',
  );
  const namespaces = '\n  - { name: default, strategy: leader-follower, partitions: 1 }\n';
  const cluster: SimulatedCluster = new SimulatedCluster({
    seed,
    turns: eventLoopTurns,
    config: `cluster: simulated\nnodes:\n${nodes}namespaces:${namespaces}`,
    wrapRuntime: (name, runtime) => ({
      ...runtime,
      openStorage: (folder) => open(name, () => runtime.openStorage(folder), cluster),
    }),
  });
  await cluster.start();
  await cluster.simulation.runUntil(() => NODES.some((node) => gaugeOf(cluster, node, 'leads') === 1));
  return cluster;
}

type OpenStorage = (
  node: string,
  open: () => Promise<Storage>,
  cluster: SimulatedCluster,
) => Promise<Storage>;

function gaugeOf(cluster: SimulatedCluster, node: string, name: string): number {
  return cluster.node(node).status().gauges[name] ?? 0;
}

function counterOf(cluster: SimulatedCluster, node: string, name: string): number {
  return cluster.node(node).status().counters[name] ?? 0;
}

it('that loses what was written when it is opened anew is refilled, and neither votes nor counts before', async () => {
  let image: DiskImage | undefined;
  const cluster = await startWith(5, (node, open, { world }) => {
    if (node === 'n2' && image !== undefined) world.disk('n2').restore(image);
    if (node === 'n2') image = undefined;
    return open();
  });
  await cluster.simulation.runFor(5_000);
  const db = await cluster.settle(cluster.connect('c', { timeoutMs: 10_000 }));
  const ns = db.namespace<number>('default');
  await cluster.settle(ns.put('k', 1));
  await cluster.simulation.runFor(3_000);
  expect(gaugeOf(cluster, 'n1', 'leads')).toBe(1);
  const earlier = cluster.world.disk('n2').image();
  cluster.crash('n3');
  // Acknowledged by n1 and n2.
  await cluster.settle(ns.put('k', 2));
  await cluster.simulation.runFor(2_000);
  image = earlier;
  cluster.world.disk('n2').failWrites('StorageFailed', 1);
  const other = Promise.allSettled([ns.put('other', 3, { timeoutMs: 500 })]);
  await cluster.simulation.runUntil(() => counterOf(cluster, 'n2', 'batches_failed') === 1);
  cluster.crash('n1');
  await cluster.settle(other);
  await cluster.settle(cluster.restart('n3'));
  await cluster.simulation.runFor(10_000);
  expect(image).toBeUndefined();
  expect(NODES.slice(1).map((node) => gaugeOf(cluster, node, 'leads'))).toEqual([0, 0]);
  await cluster.settle(cluster.restart('n1'));
  expect((await cluster.settle(ns.get('k'))).value).toBe(2);
  await cluster.simulation.runUntil(() => gaugeOf(cluster, 'n2', 'refilling') === 0);
});

it.each([[['n2']], [['n2', 'n3']]])(
  'of %s that cannot be scanned once loses nothing of it',
  async (failing) => {
    const armed = new Set<string>();
    const cluster = await startWith(6, async (node, open) => {
      const storage = await open();
      const scan = storage.scan.bind(storage);
      storage.scan = (range, limit, bytesMax) =>
        range.gte?.startsWith('g/') === true && armed.delete(node)
          ? Promise.reject(new TrefoilError('StorageFailed', 'too many open files'))
          : scan(range, limit, bytesMax);
      return storage;
    });
    const db = await cluster.settle(cluster.connect('c', { timeoutMs: 20_000 }));
    const ns = db.namespace<number>('default');
    await cluster.settle(ns.put('k', 1));
    await cluster.simulation.runFor(5_000);
    for (const node of NODES) cluster.crash(node);
    for (const node of failing) armed.add(node);
    for (const node of NODES) await cluster.settle(cluster.restart(node));
    await cluster.simulation.runFor(10_000);
    expect(failing.map((node) => counterOf(cluster, node, 'reads_failed'))).toEqual(failing.map(() => 1));
    expect(NODES.map((node) => counterOf(cluster, node, 'lives_ended'))).toEqual([0, 0, 0]);
    expect((await cluster.settle(ns.get('k'))).value).toBe(1);
  },
);

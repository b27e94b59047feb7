/** A leader whose store fails while its group is quiet and its node lives. */
import { expect, it } from 'vitest';
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

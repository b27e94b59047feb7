/** A replica that has forgotten, or is far behind: F5, F11 and F12 of the strategy's SPEC. */
import { describe, expect, it } from 'vitest';
import type { Namespace } from '../../src/client/api.js';
import { decodeAppliedState } from '../../src/protocol/applied-state-codec.js';
import { versionedHeader } from '../../src/protocol/versioned-record-codec.js';
import { SimCluster } from '../support/sim-cluster.js';

const NAMESPACES = `
  - { name: default, strategy: leader-follower, partitions: 1, logBytes: 1MiB }
`;

const NODES = ['n1', 'n2', 'n3'];

function leader(cluster: SimCluster): string | undefined {
  return NODES.find((name) => cluster.running(name) && cluster.gauge(name, 'leads') === 1);
}

async function started(seed: number): Promise<{ cluster: SimCluster; ns: Namespace<string> }> {
  const cluster = await SimCluster.start({ seed, namespaces: NAMESPACES });
  await cluster.simulation.runUntil(() => leader(cluster) !== undefined);
  const db = await cluster.connect('c1', { timeoutMs: 20_000 });
  return { cluster, ns: db.namespace<string>('default') };
}

async function fill(cluster: SimCluster, ns: Namespace<string>, count: number, text: string): Promise<void> {
  const puts = Array.from({ length: count }, (_, i) => ns.put(`k${i}`, `${text} ${i}`));
  await cluster.settle(Promise.all(puts));
}

/** The values and sessions of a replica, without the generation that they stand under. */
function state(cluster: SimCluster, node: string): Map<string, string> {
  const found = new Map<string, string>();
  const prefix = 'g/default/0/';
  const disk = cluster.world.disk(node);
  for (const key of disk.keys({ gte: `${prefix}d/`, lt: `${prefix}t` })) {
    const own = /^([ds])\/\d+\/(.*)$/s.exec(key.slice(prefix.length));
    if (own !== null) found.set(`${own[1]}/${own[2]}`, Buffer.from(disk.peek(key)!).toString('base64'));
  }
  return found;
}

/** How far a replica's disk says that it has come, and the latest version among the values of that state. */
function reached(cluster: SimCluster, node: string): { readonly applied: number; readonly newest: number } {
  const disk = cluster.world.disk(node);
  const stored = disk.peek('g/default/0/a');
  if (stored === undefined) return { applied: 0, newest: 0 };
  const { index, generation } = decodeAppliedState(stored);
  const prefix = `g/default/0/d/${generation}/`;
  const keys = disk.keys({ gte: prefix, lt: `${prefix}~` });
  return {
    applied: index,
    newest: Math.max(0, ...keys.map((key) => versionedHeader(disk.peek(key)!).version)),
  };
}

/** Looks every 100 ms only: a status is made anew each time. */
async function until(cluster: SimCluster, met: () => boolean): Promise<void> {
  for (let waitedMs = 0; !met(); waitedMs += 100) {
    if (waitedMs > 60_000) throw new Error('it has not come to that within a minute');
    await cluster.simulation.runFor(100);
  }
}

async function agreed(cluster: SimCluster): Promise<void> {
  await until(cluster, () => NODES.every((name) => cluster.gauge(name, 'quiet') === 1));
  await cluster.simulation.runFor(1_000);
  const [first, ...others] = NODES.map((name) => state(cluster, name));
  expect(first?.size).toBeGreaterThan(0);
  for (const other of others) expect(other).toEqual(first);
}

describe('a replica of a leader-follower group', () => {
  it('that lost its disk is refilled, and neither votes nor counts before', async () => {
    const { cluster, ns } = await started(1);
    await fill(cluster, ns, 50, 'before');
    const victim = NODES.find((name) => name !== leader(cluster))!;
    cluster.crash(victim);
    cluster.world.disk(victim).wipe();
    await cluster.settle(cluster.boot(victim));
    expect(cluster.gauge(victim, 'refilling')).toBe(1);
    await until(cluster, () => cluster.gauge(victim, 'refilling') === 0);
    await agreed(cluster);
    expect(
      cluster.counter(victim, 'snapshots_installed') + cluster.gauge(victim, 'appliedIndex'),
    ).toBeGreaterThan(50);
  });

  it('is not replaced by an empty one: a write that it and a lost disk held is not lost', async () => {
    const { cluster, ns } = await started(2);
    const first = leader(cluster)!;
    const [second, third] = NODES.filter((name) => name !== first) as [string, string];
    cluster.world.network.partition(third, [first, second]);
    await cluster.parted(third, [first, second]);
    await fill(cluster, ns, 10, 'on two');
    // The leader and its copy: one is down, the other has lost its disk. The third has never seen the writes.
    cluster.crash(first);
    cluster.crash(second);
    cluster.world.disk(second).wipe();
    cluster.world.network.heal();
    await cluster.settle(cluster.boot(second));
    await cluster.simulation.runFor(20_000);
    expect(leader(cluster)).toBeUndefined();
    expect(cluster.gauge(second, 'refilling')).toBe(1);
    await cluster.settle(cluster.boot(first));
    expect((await cluster.settle(ns.get('k3'))).value).toBe('on two 3');
    await agreed(cluster);
  });

  it('that is further behind than the log reaches gets the state, and goes on by log', async () => {
    const { cluster, ns } = await started(3);
    const victim = NODES.find((name) => name !== leader(cluster))!;
    cluster.crash(victim);
    await fill(cluster, ns, 300, 'x'.repeat(4_000));
    await fill(cluster, ns, 100, 'later');
    await cluster.settle(cluster.boot(victim));
    await until(cluster, () => cluster.counter(victim, 'snapshots_installed') === 1);
    await fill(cluster, ns, 20, 'last');
    await agreed(cluster);
    expect(cluster.gauge(victim, 'logBytes')).toBeLessThan(1024 * 1024);
  });

  it('has the state of one moment at any time, though it is written to while it travels', async () => {
    const { cluster, ns } = await started(7);
    const victim = NODES.find((name) => name !== leader(cluster))!;
    await fill(cluster, ns, 20, 'old');
    await cluster.simulation.runFor(1_000);
    cluster.crash(victim);
    await fill(cluster, ns, 600, 'x'.repeat(4_000));
    const before = reached(cluster, victim);
    await cluster.settle(cluster.boot(victim));
    const writes: Promise<unknown>[] = [];
    for (let round = 0; cluster.counter(victim, 'snapshots_installed') === 0; round++) {
      expect(round).toBeLessThan(5_000);
      writes.push(ns.put(`k${599 - (round % 600)}`, `new ${round}`));
      await cluster.simulation.runFor(1);
      const { applied, newest } = reached(cluster, victim);
      expect(newest).toBeLessThanOrEqual(applied);
      expect(applied === before.applied || applied > 600).toBe(true);
    }
    await cluster.settle(Promise.all(writes));
    await agreed(cluster);
  });

  it('whose log is damaged begins a new life, and is refilled', async () => {
    const { cluster, ns } = await started(4);
    await fill(cluster, ns, 30, 'v');
    const victim = NODES.find((name) => name !== leader(cluster))!;
    cluster.crash(victim);
    const disk = cluster.world.disk(victim);
    const key = disk.keys({ gte: 'g/default/0/l/', lt: 'g/default/0/l0' }).at(-1)!;
    disk.flipByte(key);
    await cluster.settle(cluster.boot(victim));
    await until(cluster, () => cluster.counter(victim, 'lives_ended') > 0);
    await agreed(cluster);
    expect(cluster.gauge(victim, 'refilling')).toBe(0);
  });

  it('whose store cannot even be read to be emptied tries once a minute, and is refilled when it can be', async () => {
    const { cluster, ns } = await started(8);
    await fill(cluster, ns, 30, 'v');
    const victim = NODES.find((name) => name !== leader(cluster))!;
    cluster.crash(victim);
    const disk = cluster.world.disk(victim);
    const key = disk.keys({ gte: 'g/default/0/l/', lt: 'g/default/0/l0' }).at(-1)!;
    disk.damage(key);
    await cluster.settle(cluster.boot(victim));
    await cluster.simulation.runFor(90_000);
    expect(cluster.counter(victim, 'lives_ended')).toBe(1);
    expect(cluster.world.logLines.filter(({ message }) => message.includes('to empty it'))).toHaveLength(2);
    cluster.crash(victim);
    disk.setBack(disk.image());
    await cluster.settle(cluster.boot(victim));
    await agreed(cluster);
    expect(cluster.gauge(victim, 'refilling')).toBe(0);
  });

  it('whose log is damaged keeps what it has until somebody leads', async () => {
    const { cluster, ns } = await started(6);
    await fill(cluster, ns, 30, 'v');
    await cluster.simulation.runFor(2_000);
    for (const name of NODES) cluster.crash(name);
    const [victim, ...others] = NODES as [string, ...string[]];
    const disk = cluster.world.disk(victim);
    const before = disk.keys({ gte: 'g/default/0/d/', lt: 'g/default/0/d0' });
    disk.flipByte(disk.keys({ gte: 'g/default/0/l/', lt: 'g/default/0/l0' }).at(-1)!);
    await cluster.settle(cluster.boot(victim));
    await cluster.simulation.runFor(10_000);
    expect(cluster.counter(victim, 'lives_ended')).toBe(1);
    expect(disk.keys({ gte: 'g/default/0/d/', lt: 'g/default/0/d0' })).toEqual(before);
    for (const name of others) await cluster.settle(cluster.boot(name));
    await agreed(cluster);
    expect((await cluster.settle(ns.get('k3'))).value).toBe('v 3');
  });

  it('whose record is damaged answers nothing from it, and is refilled', async () => {
    const { cluster, ns } = await started(5);
    await fill(cluster, ns, 30, 'v');
    await cluster.simulation.runFor(2_000);
    const victim = leader(cluster)!;
    const disk = cluster.world.disk(victim);
    const key = disk.keys({ gte: 'g/default/0/d/', lt: 'g/default/0/d0' }).find((k) => k.endsWith('/k7'))!;
    disk.flipByte(key);
    expect((await cluster.settle(ns.get('k7'))).value).toBe('v 7');
    await until(cluster, () => cluster.counter(victim, 'lives_ended') === 1);
    await agreed(cluster);
  });
});

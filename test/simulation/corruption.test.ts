/** L7: a record that fails its checksum is unknown: not served, not merged, not acknowledged over, until repaired. */
import { describe, expect, it } from 'vitest';
import { RawClient } from '../support/raw-client.js';
import { SimCluster } from '../support/sim-cluster.js';

const ONE_PARTITION = `
  - { name: default, strategy: leaderless, partitions: 1 }
`;
const HELD = 'held back';

async function start(seed: number): Promise<{ cluster: SimCluster; n1: RawClient }> {
  const cluster = await SimCluster.start({ seed, namespaces: ONE_PARTITION });
  const n1 = await RawClient.open(cluster, 'n1');
  await cluster.settle(n1.put('k', 'v', { write: 'all' }));
  return { cluster, n1 };
}

function flip(cluster: SimCluster, node: string, key = 'k', offset?: number): void {
  expect(cluster.world.disk(node).flipByte(cluster.placeOf('default', key), offset)).toBe(true);
}

/** Whether the copy on a node's disk can be read. */
function sound(cluster: SimCluster, node: string, key = 'k'): boolean {
  try {
    return cluster.record(node, key) !== undefined;
  } catch {
    return false;
  }
}

async function isolate(cluster: SimCluster, name: string): Promise<void> {
  const others = cluster.names.filter((other) => other !== name);
  cluster.world.network.partition(name, others);
  await cluster.parted(name, others);
}

describe('a flipped byte', () => {
  it('anywhere in a record is found, never served, and repaired from a replica', async () => {
    const { cluster, n1 } = await start(1);
    const length = cluster.world.disk('n1').peek(cluster.placeOf('default', 'k'))!.length;
    for (let offset = 0; offset < length; offset++) {
      flip(cluster, 'n1', 'k', offset);
      expect(sound(cluster, 'n1')).toBe(false);
      const read = await cluster.settle(n1.get('k'));
      expect(read.values, `byte ${offset}`).toEqual(['v']);
      await cluster.simulation.runUntil(() => sound(cluster, 'n1'));
      expect(cluster.stored('n1', 'k')).toEqual(['v']);
    }
    expect(cluster.counter('n1', 'records_corrupt')).toBe(length);
    expect(cluster.counter('n1', 'records_repaired')).toBe(length);
  });

  // Found by seed 4003 of leaderless-disks: the read that began the write was sound again, the one that ended the repair was not,
  // and what the others had held before the write was laid over it: an acknowledged write was gone from its own coordinator.
  it('that comes and goes lets no write in until the repair is over', async () => {
    const { cluster, n1 } = await start(7);
    const { network } = cluster.world;
    network.block('n3', 'n1');
    const steady = cluster.world.disk('n1').impose({ flipRate: 1 });
    await expect(cluster.settle(n1.get('k', { read: 'one' }))).resolves.toMatchObject({
      values: ['v'],
    });
    steady();
    expect(sound(cluster, 'n1')).toBe(true);
    await expect(cluster.settle(n1.put('k', 'new'))).rejects.toMatchObject({ code: 'RecordCorrupt' });
    network.heal();
    await cluster.simulation.runUntil(() => cluster.gauge('n1', 'corruptRecords') === 0);
    await cluster.settle(n1.put('k', 'new', { write: 'all' }));
    expect(cluster.stored('n1', 'k')).toContain('new');
  });

  it('is reported: in the log with group and key, in counters, and as a gauge until repaired', async () => {
    const { cluster, n1 } = await start(2);
    flip(cluster, 'n1');
    await isolate(cluster, 'n1');
    await expect(cluster.settle(n1.get('k', { read: 'one' }))).rejects.toMatchObject({ outcome: 'failed' });
    expect(cluster.gauge('n1', 'corruptRecords')).toBe(1);
    expect(cluster.counter('n1', 'records_corrupt')).toBe(1);
    const line = cluster.world.logLines.find(({ message }) => message.includes('checksum'));
    expect(line).toMatchObject({ name: 'n1', level: 'error', fields: { group: 'default/0', key: 'k' } });
    cluster.world.network.heal();
    await cluster.allReachable();
    await cluster.settle(n1.get('k'));
    await cluster.simulation.runUntil(() => sound(cluster, 'n1'));
    expect(cluster.gauge('n1', 'corruptRecords')).toBe(0);
  });

  it('is not an answer: R = 1 on the damaged replica asks another', async () => {
    const { cluster, n1 } = await start(3);
    flip(cluster, 'n1');
    const read = await cluster.settle(n1.get('k', { read: 1, explain: true }));
    expect(read.values).toEqual(['v']);
    expect(read.explain?.replicas.find(({ node }) => node === 'n1')?.answer).toBe('corrupt');
  });

  it('does not count towards a quorum as an absent key would', async () => {
    const { cluster, n1 } = await start(4);
    cluster.crash('n3');
    await cluster.parted('n3', ['n1', 'n2']);
    flip(cluster, 'n1');
    // With n3 away n1 cannot know what W = 2 acknowledged, so one sound copy is all there is within reach.
    const read = cluster.settle(n1.get('k'));
    await expect(read).rejects.toMatchObject({ code: 'QuorumUnavailable', outcome: 'failed' });
    const scan = cluster.settle(n1.scan(0, {}));
    await expect(scan).rejects.toMatchObject({ code: 'QuorumUnavailable', outcome: 'failed' });
  });

  it('keeps its coordinator from writing over it; the SDK succeeds elsewhere', async () => {
    const { cluster } = await start(5);
    for (const name of cluster.names) {
      flip(cluster, name);
      const client = await RawClient.open(cluster, name);
      const put = cluster.settle(client.put('k', 'blind'));
      await expect(put).rejects.toMatchObject({ code: 'RecordCorrupt', outcome: 'failed' });
      await cluster.simulation.runUntil(() => sound(cluster, name));
      expect(cluster.stored(name, 'k')).toEqual(['v']);
    }
    // The SDK asks the preferred coordinator first, whichever that is.
    const preferred = cluster.map.placement[0]![0]![0]!;
    flip(cluster, preferred);
    const db = await cluster.connect('app');
    const written = await cluster.settle(db.namespace('default').put('k', 'w', { explain: true }));
    expect(written.siblings).toBe(2);
    await cluster.converge(30_000);
  });

  it('keeps a replica from confirming a store: the write is hinted there, and arrives with the repair', async () => {
    const { cluster, n1 } = await start(6);
    flip(cluster, 'n2');
    const { context } = await cluster.settle(n1.get('k', { read: 'one' }));
    const all = cluster.settle(n1.put('k', 'w', { context, write: 'all' }));
    await expect(all).rejects.toMatchObject({ code: 'QuorumNotReached', outcome: 'unknown' });
    await cluster.simulation.runUntil(() => sound(cluster, 'n2'));
    await cluster.converge(30_000);
    expect(cluster.stored('n2', 'k')).toEqual(['w']);
  });

  it('does not spread: neither handoff nor anti-entropy nor repair sends a damaged record', async () => {
    const { cluster } = await start(7);
    flip(cluster, 'n1');
    cluster.crash('n3');
    cluster.world.disk('n3').wipe();
    await cluster.settle(cluster.boot('n3'));
    await cluster.simulation.runUntil(() => sound(cluster, 'n1') && sound(cluster, 'n3'), {
      limitMs: 60_000,
    });
    for (const name of cluster.names) expect(cluster.stored(name, 'k')).toEqual(['v']);
  });

  it('is found by a start, without any read', async () => {
    const { cluster } = await start(8);
    cluster.crash('n2');
    flip(cluster, 'n2');
    await cluster.settle(cluster.boot('n2'));
    await cluster.simulation.runUntil(() => sound(cluster, 'n2'), { limitMs: 30_000 });
    await cluster.converge(30_000);
  });

  it('ends the incarnation: what the copy held may be dots that nobody else has', async () => {
    const { cluster, n1 } = await start(9);
    const before = cluster.node('n1').status().incarnation;
    cluster.world.network.partition('n1', ['n2', 'n3']);
    await cluster.parted('n1', ['n2', 'n3']);
    const alone = await cluster.settle(n1.put('k', HELD, { write: 'one' }));
    flip(cluster, 'n1');
    cluster.world.disk('n1').damage('g/default/0/h/n2/k');
    cluster.world.network.heal();
    await cluster.allReachable();
    await cluster.settle(n1.get('k'));
    await cluster.simulation.runUntil(() => sound(cluster, 'n1'));
    expect(cluster.node('n1').status().incarnation).not.toBe(before);
    // A write that has seen nothing of the lost one does not claim its dot.
    const { context } = await cluster.settle(n1.get('k'));
    await cluster.settle(n1.put('k', 'next', { context, write: 'all' }));
    expect(cluster.record('n2', 'k')!.siblings[0]!.dot.incarnation).not.toBe(before);
    // The writer of the lost value still holds its context: what it writes supersedes only what it saw.
    await cluster.settle(n1.put('k', 'mine', { context: alone.context, write: 'all' }));
    expect(cluster.stored('n2', 'k')).toContain('next');
  });
});

describe('a repair', () => {
  it('does not take a stale copy for all there is, while the replica with the newest is away', async () => {
    const { cluster, n1 } = await start(20);
    // Only n1 and n2 get the second value.
    const n3 = await RawClient.open(cluster, 'n3');
    await isolate(cluster, 'n3');
    const { context } = await cluster.settle(n1.get('k'));
    await cluster.settle(n1.put('k', 'newest', { context }));
    await isolate(cluster, 'n2');
    cluster.world.network.heal('n1', 'n3');
    flip(cluster, 'n1');
    await cluster.simulation.runUntil(() =>
      cluster
        .node('n3')
        .status()
        .peers.some((p) => p.node === 'n1' && p.reachable),
    );
    await cluster.simulation.runFor(20_000);
    // An acknowledged value is on n2 alone now. A quorum without n2 may fail, but must not answer with what was before.
    for (const client of [n1, n3]) {
      const values = await cluster.settle(client.get('k')).then(
        (read) => read.values,
        () => 'refused',
      );
      expect(values).not.toEqual(['v']);
    }
    cluster.world.network.heal();
    await cluster.allReachable();
    await cluster.settle(n1.get('k')).catch(() => undefined);
    await cluster.converge(60_000);
    for (const name of cluster.names) expect(cluster.stored(name, 'k')).toEqual(['newest']);
  });

  it('that found nobody to ask goes on when the peers are back, without a read', async () => {
    const { cluster, n1 } = await start(21);
    await isolate(cluster, 'n1');
    flip(cluster, 'n1');
    await expect(cluster.settle(n1.get('k', { read: 'one' }))).rejects.toMatchObject({ outcome: 'failed' });
    cluster.world.network.heal();
    await cluster.allReachable();
    await cluster.simulation.runUntil(() => sound(cluster, 'n1'), { limitMs: 30_000 });
  });

  it('of a key that nobody else has leaves the damaged copy alone, and reports it', async () => {
    const { cluster, n1 } = await start(22);
    await isolate(cluster, 'n1');
    await cluster.settle(n1.put('alone', 'v', { write: 'one' }));
    flip(cluster, 'n1', 'alone');
    for (const peer of ['n2', 'n3']) cluster.world.disk('n1').damage(`g/default/0/h/${peer}/alone`);
    cluster.world.network.heal();
    await cluster.allReachable();
    // Two sound replicas hold nothing: that is a quorum.
    expect((await cluster.settle(n1.get('alone'))).values).toEqual([]);
    await cluster.simulation.runFor(5_000);
    expect(sound(cluster, 'alone')).toBe(false);
    expect(cluster.gauge('n1', 'corruptRecords')).toBe(1);
  });
});

describe('damage that the store itself reports', () => {
  it('is treated alike: not served, repaired', async () => {
    const { cluster, n1 } = await start(30);
    const place = cluster.placeOf('default', 'k');
    cluster.world.disk('n1').damage(place);
    expect((await cluster.settle(n1.get('k', { read: 1 }))).values).toEqual(['v']);
    await cluster.simulation.runUntil(() => cluster.counter('n1', 'records_repaired') === 1);
    await cluster.simulation.runFor(100);
    cluster.world.disk('n1').damage(place);
    const put = cluster.settle(n1.put('k', 'blind'));
    await expect(put).rejects.toMatchObject({ code: 'RecordCorrupt' });
    await cluster.simulation.runUntil(() => cluster.counter('n1', 'records_repaired') === 2);
  });

  it('in the middle of a scan hides nothing from a client, and is repaired', async () => {
    const { cluster, n1 } = await start(31);
    for (let i = 0; i < 20; i++) await cluster.settle(n1.put(`s${i}`, 'v', { write: 'all' }));
    cluster.world.disk('n1').damage(cluster.placeOf('default', 's3'));
    const page = await cluster.settle(n1.scan(0, { prefix: 's' }));
    expect(page.entries).toHaveLength(20);
    // A start counts its records anew: it cannot, and the difference leads the others to offer the key.
    await cluster.stop('n1');
    cluster.world.disk('n1').damage(cluster.placeOf('default', 's3'));
    await cluster.settle(cluster.boot('n1'));
    await cluster.simulation.runUntil(() => cluster.counter('n1', 'records_repaired') === 1, {
      limitMs: 60_000,
    });
    await cluster.converge(60_000);
  });
});

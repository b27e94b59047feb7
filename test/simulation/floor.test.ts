/** What may be forgotten, and when: tombstones and ended incarnations go below the floor, and only there (L15, L16, L17). */
import { describe, expect, it } from 'vitest';
import { RawClient } from '../support/raw-client.js';
import { bringBack, heldFor, loseTwoHomes, sloppyRig } from '../support/sloppy-rig.js';
import { SimCluster, type SimClusterOptions } from '../support/sim-cluster.js';

const NAMESPACES = `
  - { name: default, strategy: leaderless, partitions: 1 }
  - { name: latest, strategy: leaderless, partitions: 1, conflict: lww }
`;
const PACE = { compareMs: 1_000, pruneMs: 5_000, retryAgeMs: 4_000 };
/** Rounds in all directions, two ticks, and time to spare. */
const PRUNED_MS = 40_000;

function start(seed: number, options: Partial<SimClusterOptions> = {}): Promise<SimCluster> {
  return SimCluster.start({ seed, namespaces: NAMESPACES, pace: PACE, ...options });
}

async function restart(cluster: SimCluster, name: string): Promise<void> {
  await cluster.settle(cluster.boot(name));
  await cluster.allReachable();
}

/** Writes a value and deletes it again, seen by all. */
async function putAndDelete(cluster: SimCluster, client: RawClient, key: string, namespace = 'default') {
  const { context } = await cluster.settle(client.put(key, 'v', { write: 'all', namespace }));
  return cluster.settle(client.put(key, null, { context, write: 'all', namespace }));
}

/** A client that was silent for long has been closed. */
function client(cluster: SimCluster, name = 'n1'): Promise<RawClient> {
  return RawClient.open(cluster, name);
}

function sum(cluster: SimCluster, counter: string): number {
  return cluster.names.reduce((total, name) => total + cluster.counter(name, counter), 0);
}

describe('a tombstone', () => {
  it.each(['default', 'latest'])('goes with its key once all have absorbed it (%s)', async (namespace) => {
    const cluster = await start(1);
    const n1 = await RawClient.open(cluster, 'n1');
    await putAndDelete(cluster, n1, 'k', namespace);
    await cluster.settle(n1.put('other', 'v', { write: 'all', namespace }));
    await cluster.simulation.runFor(PRUNED_MS);
    for (const name of cluster.names) {
      expect(cluster.record(name, 'k', namespace)).toBeUndefined();
      expect(cluster.stored(name, 'other', namespace)).toEqual(['v']);
      expect(cluster.gauge(name, 'tombstones')).toBe(0);
      expect(cluster.gauge(name, 'records')).toBe(1);
    }
    expect(sum(cluster, 'tombstones_removed')).toBe(3);
    expect(sum(cluster, 'tree_drifts')).toBe(0);
    const reader = await client(cluster);
    expect((await cluster.settle(reader.get('k', { namespace }))).values).toEqual([]);
  });

  it('stays while one replica is away, however long; and goes when it is back', async () => {
    const cluster = await start(2);
    const n1 = await RawClient.open(cluster, 'n1');
    const { context } = await cluster.settle(n1.put('k', 'v', { write: 'all' }));
    await cluster.simulation.runFor(PRUNED_MS);
    cluster.crash('n3');
    await cluster.settle((await client(cluster)).put('k', null, { context }));
    await cluster.simulation.runFor(1_000_000);
    for (const name of ['n1', 'n2']) expect(cluster.stored(name, 'k')).toEqual([null]);
    await restart(cluster, 'n3');
    await cluster.simulation.runFor(PRUNED_MS);
    for (const name of cluster.names) expect(cluster.record(name, 'k')).toBeUndefined();
  });

  it('stays while a retry of it may come, whatever the floor', async () => {
    const cluster = await start(3, { pace: { compareMs: 500, pruneMs: 500, retryAgeMs: 60_000 } });
    const n1 = await RawClient.open(cluster, 'n1');
    await putAndDelete(cluster, n1, 'k');
    await cluster.simulation.runFor(55_000);
    for (const name of cluster.names) expect(cluster.stored(name, 'k')).toEqual([null]);
    await cluster.simulation.runFor(90_000);
    for (const name of cluster.names) expect(cluster.record(name, 'k')).toBeUndefined();
  });

  it('beside a value of a last writer stays: it hides that value', async () => {
    const cluster = await start(4);
    const n1 = await RawClient.open(cluster, 'n1');
    const n2 = await RawClient.open(cluster, 'n2');
    cluster.world.network.partition('n1', ['n2', 'n3']);
    await cluster.settle(n1.put('k', 'v', { namespace: 'latest', write: 'one' }));
    await cluster.simulation.runFor(10_000);
    await cluster.settle(n2.put('k', null, { namespace: 'latest', write: 'one' }));
    cluster.world.network.heal();
    await cluster.converge(30_000);
    await cluster.simulation.runFor(PRUNED_MS);
    for (const name of cluster.names) expect(cluster.stored(name, 'k', 'latest')).toEqual([null, 'v'].sort());
    const reader = await client(cluster);
    expect((await cluster.settle(reader.get('k', { namespace: 'latest' }))).values).toEqual([]);
  });

  it('beside siblings that a reader is shown goes alone', async () => {
    const cluster = await start(5);
    const n1 = await RawClient.open(cluster, 'n1');
    await cluster.settle(n1.put('k', 'v', { write: 'all' }));
    await cluster.settle(n1.put('k', null, { write: 'all' }));
    expect(cluster.stored('n2', 'k')).toHaveLength(2);
    await cluster.simulation.runFor(PRUNED_MS);
    for (const name of cluster.names) expect(cluster.stored(name, 'k')).toEqual(['v']);
  });

  it('of an expired value goes like any other', async () => {
    const cluster = await start(6);
    const n1 = await RawClient.open(cluster, 'n1');
    await cluster.settle(n1.put('k', 'v', { ttlMs: 3_000, write: 'all' }));
    // A recount turns it into a tombstone.
    await cluster.simulation.runFor(1_200_000);
    for (const name of cluster.names) expect(cluster.record(name, 'k')).toBeUndefined();
  });
});

describe('what was forgotten does not come back', () => {
  it('a key that is written again after its tombstone went', async () => {
    const cluster = await start(10);
    const n1 = await RawClient.open(cluster, 'n1');
    const deleted = await putAndDelete(cluster, n1, 'k');
    await cluster.simulation.runFor(PRUNED_MS);
    expect(cluster.record('n2', 'k')).toBeUndefined();
    // With the context of the delete, and with none.
    await cluster.settle((await client(cluster)).put('k', 'again', { context: deleted.context }));
    await cluster.converge(30_000);
    for (const name of cluster.names) expect(cluster.stored(name, 'k')).toEqual(['again']);
    await putAndDelete(cluster, await client(cluster), 'l');
    await cluster.simulation.runFor(PRUNED_MS);
    await cluster.settle((await client(cluster)).put('l', 'again'));
    await cluster.simulation.runFor(PRUNED_MS);
    for (const name of cluster.names) expect(cluster.stored(name, 'l')).toEqual(['again']);
  });

  it('a replica that is restored to the old value: it is refilled, and no read shows it', async () => {
    const cluster = await start(11);
    const n1 = await RawClient.open(cluster, 'n1');
    const { context } = await cluster.settle(n1.put('k', 'v', { write: 'all' }));
    const image = cluster.world.disk('n3').image();
    await cluster.settle(n1.put('k', null, { context, write: 'all' }));
    await cluster.simulation.runFor(PRUNED_MS);
    expect(cluster.record('n1', 'k')).toBeUndefined();
    cluster.crash('n3');
    cluster.world.disk('n3').restore(image);
    await cluster.settle(cluster.boot('n3'));
    for (let i = 0; i < 40; i++) {
      const read = cluster.settle(n1.get('k')).catch(() => ({ values: [] }));
      expect((await read).values).toEqual([]);
      await cluster.simulation.runFor(25);
    }
    await cluster.refilled();
    const n3 = await RawClient.open(cluster, 'n3');
    expect((await cluster.settle(n3.get('k', { read: 'one' }))).values).toEqual([]);
    await cluster.simulation.runFor(PRUNED_MS);
    for (const name of cluster.names) expect(cluster.record(name, 'k')).toBeUndefined();
  });

  /*
   * n3 pulls the delete and holds it in memory only, because its disk stands still. Had it told so, the others would forget the
   * tombstone, and a power cut would leave n3 with the value alone, in the same life: nothing would ever take it away.
   */
  it('a replica that had the delete in memory only: what it has absorbed is told when it is on disk', async () => {
    const cluster = await start(14);
    const n1 = await RawClient.open(cluster, 'n1');
    const { context } = await cluster.settle(n1.put('k', 'v', { write: 'all' }));
    await cluster.simulation.runFor(PRUNED_MS);
    cluster.world.disk('n3').holdSync();
    await cluster.settle((await client(cluster)).put('k', null, { context }));
    await cluster.simulation.runFor(PRUNED_MS);
    for (const name of ['n1', 'n2']) expect(cluster.stored(name, 'k')).toEqual([null]);
    cluster.crash('n3', { unsynced: 'lost' });
    await restart(cluster, 'n3');
    await cluster.simulation.runFor(PRUNED_MS);
    for (const name of cluster.names) expect(cluster.record(name, 'k')).toBeUndefined();
    const reader = await client(cluster, 'n3');
    expect((await cluster.settle(reader.get('k', { read: 'one' }))).values).toEqual([]);
  });

  // What ended that life was damage of another key: the replica counts in reads, and has forgotten what it had absorbed.
  it('what a stand-in has kept for a replica that is in a new life since', async () => {
    const rig = await sloppyRig(15, 'sloppy: true', { pace: PACE });
    const { cluster, homes, standIns } = rig;
    const { network } = cluster.world;
    await loseTwoHomes(rig);
    await cluster.settle(rig.client.put('k', 'v'));
    expect(heldFor(cluster, standIns[0], homes[1])).toEqual(['k=v']);
    network.partition(standIns[0], homes);
    await bringBack(rig, homes[1], homes[2]);
    await cluster.simulation.runFor(10_000);
    const reader = await client(cluster, homes[0]);
    const { context } = await cluster.settle(reader.get('k'));
    await cluster.settle(reader.put('k', null, { context, write: 'all' }));
    await cluster.settle(reader.put('other', 'v', { write: 'all' }));
    await cluster.simulation.runFor(PRUNED_MS);
    for (const home of homes) expect(cluster.record(home, 'k')).toBeUndefined();
    network.partition(homes[1], [homes[0], homes[2]]);
    await cluster.parted(homes[1], [homes[0], homes[2]]);
    expect(cluster.world.disk(homes[1]).flipByte(cluster.placeOf('default', 'other'))).toBe(true);
    const n = await client(cluster, homes[1]);
    await cluster.settle(n.get('other', { read: 'one' })).catch(() => undefined);
    network.heal(standIns[0], homes[1]);
    await cluster.simulation.runFor(30_000);
    const late = await client(cluster, homes[1]);
    expect((await cluster.settle(late.get('k', { read: 'one' }))).values).toEqual([]);
    network.heal();
    await cluster.simulation.runFor(PRUNED_MS);
    expect(heldFor(cluster, standIns[0], homes[1])).toEqual([]);
    for (const home of homes) expect(cluster.stored(home, 'k')).toEqual([]);
  });

  it('a session that deleted the key goes on reading it', async () => {
    const cluster = await start(12);
    const n1 = await RawClient.open(cluster, 'n1');
    const { context } = await putAndDelete(cluster, n1, 'k');
    await cluster.simulation.runFor(PRUNED_MS);
    expect(cluster.record('n1', 'k')).toBeUndefined();
    for (const name of cluster.names) {
      const client = await RawClient.open(cluster, name);
      expect((await cluster.settle(client.get('k', { atLeast: context, read: 'one' }))).values).toEqual([]);
    }
  });

  it('a hint for a key that is forgotten is dropped, and blocks nothing', async () => {
    const cluster = await start(13);
    const n1 = await RawClient.open(cluster, 'n1');
    const { context } = await cluster.settle(n1.put('k', 'v', { write: 'all' }));
    await cluster.simulation.runFor(PRUNED_MS);
    cluster.crash('n3');
    await cluster.settle((await client(cluster)).put('k', null, { context }));
    expect(cluster.gauge('n1', 'hints')).toBe(1);
    await restart(cluster, 'n3');
    await cluster.simulation.runFor(PRUNED_MS);
    for (const name of cluster.names) expect(cluster.record(name, 'k')).toBeUndefined();
    expect(cluster.gauge('n1', 'hints')).toBe(0);
  });
});

describe('an ended incarnation', () => {
  it('leaves the contexts once all have absorbed what it wrote', async () => {
    const cluster = await start(20);
    let context: Uint8Array | null = null;
    const write = async (name: string): Promise<void> => {
      const client = await RawClient.open(cluster, name);
      ({ context } = await cluster.settle(client.put('k', `by ${name}`, { context, write: 'all' })));
    };
    // A restart with a new incarnation each time: three entries of n1.
    for (let i = 0; i < 3; i++) {
      await write('n1');
      await cluster.stop('n1');
      await cluster.settle(cluster.boot('n1', { newIncarnation: true }));
      await cluster.allReachable();
      await cluster.refilled();
    }
    await write('n2');
    expect(cluster.record('n2', 'k')!.context).toHaveLength(4);
    await cluster.simulation.runFor(200_000);
    for (const name of cluster.names) {
      expect(cluster.record(name, 'k')!.context.map(([id]) => id.slice(0, 2))).toEqual(['n2']);
      expect(cluster.stored(name, 'k')).toEqual(['by n2']);
    }
    expect(sum(cluster, 'context_entries_removed')).toBe(9);
    const n2 = await client(cluster, 'n2');
    expect((await cluster.settle(n2.get('k', { atLeast: context, read: 'one' }))).values).toEqual(['by n2']);
  });
});

describe('the floor', () => {
  it('rises under a constant load, where trees never agree', async () => {
    const cluster = await start(30, { conditions: { latencyMs: [1, 20] } });
    const db = await cluster.connect('app');
    const ns = db.namespace<number>('default');
    const n1 = await RawClient.open(cluster, 'n1');
    let stop = false;
    const work = async (client: number): Promise<void> => {
      for (let i = 0; !stop; i++) await ns.put(`c${client}/${i % 50}`, i);
    };
    const workers = Promise.all([0, 1, 2, 3].map(work));
    workers.catch(() => undefined);
    await putAndDelete(cluster, n1, 'k');
    const untilGone = cluster.simulation.runUntil(
      () => cluster.names.every((name) => cluster.record(name, 'k') === undefined),
      { limitMs: 60_000 },
    );
    await untilGone;
    stop = true;
    await cluster.settle(workers);
    expect(sum(cluster, 'pull_rounds')).toBeGreaterThan(20);
    await cluster.converge(30_000);
  });

  it('is told once, and then an idle pair says little', async () => {
    let vectors = 0;
    let roots = 0;
    const cluster = await start(31, {
      onMessage: (_from, _to, message) => {
        if (message.type !== 'replica' || message.message.type !== 'compare-root') return;
        roots++;
        if (message.message.absorbed !== null) vectors++;
      },
    });
    const n1 = await RawClient.open(cluster, 'n1');
    await cluster.settle(n1.put('k', 'v', { write: 'all' }));
    await cluster.simulation.runFor(20_000);
    [vectors, roots] = [0, 0];
    await cluster.simulation.runFor(60_000);
    expect(vectors).toBe(0);
    expect(roots).toBeGreaterThan(100);
  });
});

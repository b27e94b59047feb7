/**
 * Sloppy quorums: L21 (strict namespaces count homes only), L22 (W acknowledgements are W disks), L23 (what a stand-in took
 * it keeps until its home has exactly that), L24 (bounds), L25 (stand-ins neither coordinate, nor mint, nor serve).
 */
import { describe, expect, it } from 'vitest';
import { buildClusterMap } from '../../src/cluster/build-map.js';
import { parseClusterConfig, type ClusterConfig } from '../../src/cluster/config.js';
import { STAND_IN_BYTES_MAX, VALUE_BYTES_MAX } from '../../src/core/limits.js';
import { nodeId } from '../../src/core/ids.js';
import { STORE_ANSWER_MS_MAX } from '../../src/replication/leaderless/tuning.js';
import { RawClient } from '../support/raw-client.js';
import {
  bringBack,
  FIVE,
  heldAnywhere,
  heldFor,
  loseTwoHomes,
  saidOften,
  sloppyRig,
  type SloppyRig,
} from '../support/sloppy-rig.js';
import { watch } from '../support/watched.js';

/** Runs until no stand-in holds anything. */
async function handedOver(rig: SloppyRig): Promise<void> {
  await rig.cluster.simulation.runUntil(() => heldAnywhere(rig).length === 0);
}

describe('a sloppy quorum', () => {
  it('is met by a stand-in while two homes are away, and the homes get the write when they are back', async () => {
    const rig = await sloppyRig(1);
    const { cluster, homes, standIns, client } = rig;
    await loseTwoHomes(rig);
    const written = await cluster.settle(client.put('k', 'v', { explain: true }));
    expect(written.explain?.required).toBe('W=2 of N=3, sloppy');
    expect(written.explain?.replicas).toContainEqual({ node: standIns[0], answer: 'held' });
    expect(written.explain?.guarantee).toContain('stand-ins among them');
    expect(heldFor(cluster, standIns[0], homes[1])).toEqual(['k=v']);
    expect(heldFor(cluster, standIns[1], homes[2])).toEqual([]);
    expect(cluster.gauge(standIns[0], 'standInHints')).toBe(1);
    expect(cluster.gauge(standIns[0], 'standInBytes')).toBeGreaterThan(1);
    // Longer than any pause between attempts: what delivers is the word that the home is up.
    await cluster.simulation.runFor(20_000);
    await bringBack(rig, homes[1], homes[2]);
    await handedOver(rig);
    expect(cluster.stored(homes[1], 'k')).toEqual(['v']);
    await cluster.converge(20_000);
    await cluster.simulation.runFor(3_000);
    expect(cluster.gauge(standIns[0], 'standInHints')).toBe(0);
    expect(cluster.gauge(standIns[0], 'standInBytes')).toBe(0);
    expect(cluster.counter(standIns[0], 'hints_delivered')).toBe(1);
  });

  it('asks no stand-in while W homes can be reached', async () => {
    const rig = await sloppyRig(2);
    const { cluster, homes, client } = rig;
    await cluster.settle(client.put('a', 'v'));
    cluster.crash(homes[1]);
    await cluster.parted(homes[0], [homes[1]]);
    await cluster.settle(client.put('b', 'v'));
    await cluster.simulation.runFor(3_000);
    expect(saidOften(rig, 'hold')).toBe(0);
    expect(cluster.counter(homes[0], 'stand_ins_asked')).toBe(0);
  });

  it('asks one when a home is up and does not confirm in time', async () => {
    const rig = await sloppyRig(3);
    const { cluster, homes, standIns, client } = rig;
    for (const home of homes.slice(1)) cluster.world.disk(home).holdSync();
    const write = watch(client.put('k', 'v', { budgetMs: 10_000 }));
    await cluster.simulation.runFor(STORE_ANSWER_MS_MAX - 100);
    expect(saidOften(rig, 'hold')).toBe(0);
    await cluster.simulation.runUntil(() => write.settled);
    expect(write.error).toBeUndefined();
    expect(heldFor(cluster, standIns[0], homes[1])).toEqual(['k=v']);
    expect(saidOften(rig, 'hold')).toBe(1);
  });

  it('takes as many stand-ins as it lacks homes, one disk for each', async () => {
    const rig = await sloppyRig(4);
    const { cluster, homes, standIns, client } = rig;
    await loseTwoHomes(rig);
    await cluster.settle(client.put('k', 'v', { write: 'all' }));
    expect(heldFor(cluster, standIns[0], homes[1])).toEqual(['k=v']);
    expect(heldFor(cluster, standIns[1], homes[2])).toEqual(['k=v']);
    cluster.crash(standIns[1]);
    await cluster.parted(homes[0], [standIns[1]]);
    const short = cluster.settle(client.put('k2', 'v', { write: 'all' }));
    await expect(short).rejects.toMatchObject({ code: 'QuorumUnavailable', outcome: 'failed' });
    expect(cluster.stored(homes[0], 'k2')).toEqual([]);
  });

  it('goes to the next stand-in when one refuses, and is unknown when all do', async () => {
    const rig = await sloppyRig(5);
    const { cluster, homes, standIns, client } = rig;
    await loseTwoHomes(rig);
    cluster.world.disk(standIns[0]).setFreeBytes(0);
    await cluster.settle(client.put('k', 'v'));
    expect(heldFor(cluster, standIns[0], homes[1])).toEqual([]);
    expect(heldFor(cluster, standIns[1], homes[1])).toEqual(['k=v']);
    expect(cluster.counter(standIns[0], 'stand_in_hints_refused')).toBe(1);
    cluster.world.disk(standIns[1]).setFreeBytes(0);
    const refused = cluster.settle(client.put('k2', 'v'));
    await expect(refused).rejects.toMatchObject({ code: 'QuorumNotReached', outcome: 'unknown' });
  });

  it('asks no stand-in before the coordinator has the write on its own disk', async () => {
    const rig = await sloppyRig(15);
    const { cluster, homes, standIns, client } = rig;
    // With hints on disk already, for homes that take none, nothing else is written when the homes are lost.
    await loseTwoHomes(rig);
    await cluster.settle(client.put('k', 'u'));
    for (const home of homes.slice(1)) cluster.world.disk(home).setFreeBytes(1_000_000);
    await bringBack(rig, homes[1], homes[2]);
    await cluster.simulation.runFor(3_000);
    const before = { asked: cluster.counter(homes[0], 'stand_ins_asked'), held: saidOften(rig, 'hold') };
    cluster.world.disk(homes[0]).holdSync();
    const write = watch(client.put('k', 'v', { budgetMs: 20_000 }));
    await cluster.simulation.runUntil(() => cluster.world.disk(homes[0]).holding);
    cluster.crash(homes[1]);
    cluster.crash(homes[2]);
    await cluster.parted(homes[0], [homes[1], homes[2]]);
    await cluster.simulation.runFor(1_000);
    expect(cluster.counter(homes[0], 'stand_ins_asked')).toBe(before.asked + 1);
    expect(saidOften(rig, 'hold')).toBe(before.held);
    cluster.world.disk(homes[0]).releaseSync();
    await cluster.simulation.runUntil(() => write.settled);
    expect(write.error).toBeUndefined();
    expect(heldFor(cluster, standIns[0], homes[1])).toEqual(['k=u|v']);
  });

  it('is acknowledged only once the stand-in has it on disk', async () => {
    const rig = await sloppyRig(6);
    const { cluster, homes, standIns, client } = rig;
    await loseTwoHomes(rig);
    cluster.world.disk(standIns[0]).holdSync();
    const write = watch(client.put('k', 'v'));
    await cluster.simulation.runFor(500);
    expect(write.settled).toBe(false);
    cluster.world.disk(standIns[0]).releaseSync();
    await cluster.simulation.runUntil(() => write.settled);
    expect(write.error).toBeUndefined();
    cluster.crash(standIns[0], { unsynced: 'lost' });
    expect(heldFor(cluster, standIns[0], homes[1])).toEqual(['k=v']);
  });
});

describe('a strict namespace', () => {
  it('never counts, and never asks, a stand-in', async () => {
    const rig = await sloppyRig(10, 'sloppy: false');
    const { cluster, homes, client } = rig;
    await loseTwoHomes(rig);
    const refused = cluster.settle(client.put('k', 'v'));
    await expect(refused).rejects.toMatchObject({ code: 'QuorumUnavailable', outcome: 'failed' });
    await cluster.settle(client.put('k', 'v', { write: 'one' }));
    expect(saidOften(rig, 'hold')).toBe(0);
    expect(cluster.counter(homes[0], 'stand_ins_asked')).toBe(0);
  });

  it('takes nothing to keep, whoever asks', async () => {
    const rig = await sloppyRig(11, 'sloppy: false');
    const { cluster, homes, standIns } = rig;
    const before = cluster.counter(standIns[0], 'messages_for_others');
    await bringHold(rig, standIns[0], homes[1], { home: homes[2], key: 'k' });
    expect(cluster.counter(standIns[0], 'messages_for_others')).toBe(before + 1);
    expect(heldAnywhere(rig)).toEqual([]);
  });
});

describe('what a stand-in took', () => {
  it('survives its crash, and reaches the home though the coordinator is gone for good', async () => {
    const rig = await sloppyRig(20);
    const { cluster, homes, standIns, client } = rig;
    await loseTwoHomes(rig);
    await cluster.settle(client.put('k', 'v'));
    cluster.crash(homes[0]);
    cluster.world.disk(homes[0]).wipe();
    cluster.crash(standIns[0], { unsynced: 'lost' });
    await bringBack(rig, homes[1], standIns[0]);
    await handedOver(rig);
    expect(cluster.stored(homes[1], 'k')).toEqual(['v']);
  });

  it('is one record for a key written often, the newest', async () => {
    const rig = await sloppyRig(21);
    const { cluster, homes, standIns, client } = rig;
    await loseTwoHomes(rig);
    let context: Uint8Array | null = null;
    for (let i = 0; i < 10; i++) {
      ({ context } = await cluster.settle(client.put('k', `v${i}`, { context })));
    }
    expect(heldFor(cluster, standIns[0], homes[1])).toEqual(['k=v9']);
    expect(cluster.gauge(standIns[0], 'standInHints')).toBe(1);
    await bringBack(rig, homes[1], homes[2]);
    await handedOver(rig);
    expect(cluster.stored(homes[1], 'k')).toEqual(['v9']);
  });

  it('merges what two coordinators hand it for one home', async () => {
    const rig = await sloppyRig(22);
    const { cluster, homes, standIns, client } = rig;
    cluster.crash(homes[1]);
    // The two homes left do not see each other, and both see the stand-ins.
    cluster.world.network.partition(homes[0], [homes[2]]);
    await cluster.parted(homes[0], [homes[1], homes[2]]);
    await cluster.parted(homes[2], [homes[1]]);
    const other = await RawClient.open(cluster, homes[2]);
    await cluster.settle(client.put('k', 'a', { write: 'all' }));
    await cluster.settle(other.put('k', 'b', { write: 'all' }));
    const held = standIns.flatMap((standIn) => heldFor(cluster, standIn, homes[1]));
    expect(held.join(' ')).toContain('a');
    expect(held.join(' ')).toContain('b');
    // And from both for the same home, one after the other.
    const records = [homes[0], homes[2]].map((home) =>
      cluster.world.disk(home).peek(cluster.placeOf('default', 'k')),
    );
    for (const [i, from] of [homes[0], homes[2]].entries()) {
      await bringHold(rig, standIns[0], from, { home: homes[1], key: 'k', record: records[i] as Uint8Array });
    }
    expect(heldFor(cluster, standIns[0], homes[1])).toEqual(['k=a|b']);
    cluster.world.network.heal();
    await bringBack(rig, homes[1]);
    await handedOver(rig);
    await cluster.converge(20_000);
    for (const home of homes) expect(cluster.stored(home, 'k')).toEqual(['a', 'b']);
  });

  it('stays when the home confirmed an older record', async () => {
    const rig = await sloppyRig(23);
    const { cluster, homes, standIns, client, said } = rig;
    const [standIn, home] = [standIns[0], homes[1]];
    await loseTwoHomes(rig);
    const first = await cluster.settle(client.put('k', 'first'));
    cluster.world.network.partition(homes[0], [home]);
    await bringBack(rig, home);
    cluster.world.disk(home).holdSync();
    await cluster.simulation.runUntil(() => cluster.world.disk(home).holding);
    expect(said).toContain(`${standIn} ${home} store`);
    // The home is about to confirm the first record to the stand-in, which gets the second, and cannot pass it on.
    cluster.world.network.block(standIn, home);
    await cluster.settle(client.put('k', 'second', { context: first.context }));
    expect(heldFor(cluster, standIn, home)).toEqual(['k=second']);
    cluster.world.disk(home).releaseSync();
    await cluster.simulation.runUntil(() => said.includes(`${home} ${standIn} store-result`));
    await cluster.simulation.runFor(100);
    expect(cluster.stored(home, 'k')).toEqual(['first']);
    expect(heldFor(cluster, standIn, home)).toEqual(['k=second']);
    cluster.world.network.heal();
    cluster.world.network.calm();
    await handedOver(rig);
    expect(cluster.stored(home, 'k')).toEqual(['second']);
  });

  it('brings nothing back that was deleted meanwhile', async () => {
    const rig = await sloppyRig(26);
    const { cluster, homes, standIns, client } = rig;
    await loseTwoHomes(rig);
    const { context } = await cluster.settle(client.put('k', 'old'));
    expect(heldFor(cluster, standIns[0], homes[1])).toEqual(['k=old']);
    cluster.crash(standIns[0]);
    await bringBack(rig, homes[1], homes[2]);
    await cluster.converge(20_000);
    await cluster.settle(client.put('k', null, { context, write: 'all' }));
    await bringBack(rig, standIns[0]);
    expect(heldFor(cluster, standIns[0], homes[1])).toEqual(['k=old']);
    await handedOver(rig);
    await cluster.converge(20_000);
    for (const home of homes) expect(cluster.stored(home, 'k')).toEqual([null]);
    expect((await cluster.settle(client.get('k', { read: 'all' }))).values).toEqual([]);
  });

  it('is delivered though the namespace is strict by then, and nothing new is taken', async () => {
    const rig = await sloppyRig(24);
    const { cluster, homes, standIns, client } = rig;
    await loseTwoHomes(rig);
    await cluster.settle(client.put('k', 'v'));
    const strict = strictConfig();
    for (const name of [homes[0], ...standIns]) cluster.crash(name);
    cluster.world.disk(homes[0]).wipe();
    for (const name of FIVE) await cluster.settle(cluster.boot(name, { config: strict }));
    await handedOver(rig);
    expect(cluster.stored(homes[1], 'k')).toEqual(['v']);
    await bringHold(
      rig,
      standIns[0],
      homes[1],
      { home: homes[2], key: 'k' },
      2,
      buildClusterMap(strict).hash,
    );
    expect(heldAnywhere(rig)).toEqual([]);
    await cluster.stop(standIns[0]);
    await cluster.settle(cluster.boot(standIns[0], { config: strict }));
    expect(cluster.node(standIns[0]).status().groups).toEqual([]);
  });

  it('goes, and is counted, when its bytes are damaged: a disk less, and no false record', async () => {
    const rig = await sloppyRig(25);
    const { cluster, homes, standIns, client } = rig;
    await loseTwoHomes(rig);
    await cluster.settle(client.put('k', 'v'));
    cluster.world.disk(standIns[0]).flipByte(`g/default/0/s/${homes[1]}/k`);
    await bringBack(rig, homes[1], homes[2]);
    await cluster.simulation.runUntil(() => cluster.counter(standIns[0], 'stand_in_hints_damaged') > 0);
    await cluster.converge(20_000);
    for (const home of homes) expect(cluster.stored(home, 'k')).toEqual(['v']);
    expect(cluster.gauge(standIns[0], 'standInHints')).toBe(0);
  });
});

describe('a stand-in', () => {
  it('refuses beyond its bytes, and counts right again after a restart', async () => {
    const rig = await sloppyRig(30);
    const { cluster, homes, standIns, client } = rig;
    await loseTwoHomes(rig);
    const value = 'x'.repeat(VALUE_BYTES_MAX);
    const roomFor = Math.floor(STAND_IN_BYTES_MAX / VALUE_BYTES_MAX) - 1;
    for (let i = 0; i < roomFor; i++) await cluster.settle(client.put(`k${i}`, value));
    expect(cluster.gauge(standIns[0], 'standInHints')).toBe(roomFor);
    expect(cluster.counter(standIns[0], 'stand_in_hints_refused')).toBe(0);
    cluster.crash(standIns[0]);
    await bringBack(rig, standIns[0]);
    await cluster.simulation.runUntil(() => cluster.gauge(standIns[0], 'standInHints') === roomFor);
    await cluster.simulation.runUntil(
      () => sees(rig, homes[0], standIns[0]) && sees(rig, standIns[0], homes[0]),
    );
    await cluster.settle(client.put('one more', value));
    expect(cluster.gauge(standIns[0], 'standInBytes')).toBeLessThanOrEqual(STAND_IN_BYTES_MAX);
    expect(cluster.counter(standIns[0], 'stand_in_hints_refused')).toBe(1);
    expect(heldFor(cluster, standIns[1], homes[1])).toHaveLength(1);
    // A key that it holds already takes its own room again, and no more.
    await cluster.settle(client.put('k0', 'short'));
    expect(cluster.counter(standIns[0], 'stand_in_hints_refused')).toBe(1);
    expect(cluster.gauge(standIns[0], 'standInHints')).toBe(roomFor);
  });

  it('takes records only from homes, for homes, of its partition, and only what is one', async () => {
    const rig = await sloppyRig(31);
    const { cluster, homes, standIns } = rig;
    const [standIn, stranger] = standIns;
    const good = { home: homes[2], key: 'k' };
    await bringHold(rig, standIn, stranger, good);
    await bringHold(rig, standIn, homes[1], { ...good, home: stranger });
    await bringHold(rig, standIn, homes[1], { ...good, key: '' });
    await bringHold(rig, standIn, homes[1], { ...good, record: new Uint8Array([1, 2, 3]) });
    expect(cluster.counter(standIn, 'stand_in_hints_refused')).toBe(4);
    expect(heldAnywhere(rig)).toEqual([]);
    await bringHold(rig, standIn, homes[1], good);
    expect(cluster.counter(standIn, 'stand_in_hints_refused')).toBe(4);
    expect(cluster.counter(standIn, 'stand_in_hints_kept')).toBe(1);
    // A home that is asked to stand in has another map: it says nothing, which is no acknowledgement.
    await bringHold(rig, homes[0], homes[1], good);
    expect(cluster.counter(homes[0], 'messages_refused')).toBe(1);
  });

  it('serves no client, so that with all homes away there are no writes', async () => {
    const rig = await sloppyRig(32);
    const { cluster, homes, standIns } = rig;
    const client = await RawClient.open(cluster, standIns[0]);
    for (const home of homes) cluster.crash(home);
    const refused = { code: 'NotReplica', outcome: 'failed' };
    await expect(cluster.settle(client.put('k', 'v'))).rejects.toMatchObject(refused);
    await expect(cluster.settle(client.get('k'))).rejects.toMatchObject(refused);
    await expect(cluster.settle(client.scan(0, {}))).rejects.toMatchObject(refused);
    const db = await cluster.connect('app', { timeoutMs: 1_000, seeds: [`${standIns[0]}.test:7000`] });
    await expect(cluster.settle(db.namespace('default').put('k', 'v'))).rejects.toMatchObject({
      outcome: 'failed',
    });
    expect(heldAnywhere(rig)).toEqual([]);
  });

  it('is not asked by reads: R = 2 needs two homes, and R = N sees what only stand-ins acknowledged', async () => {
    const rig = await sloppyRig(33);
    const { cluster, homes, standIns, client } = rig;
    await loseTwoHomes(rig);
    await cluster.settle(client.put('k', 'v'));
    const read = cluster.settle(client.get('k'));
    await expect(read).rejects.toMatchObject({ code: 'QuorumUnavailable', outcome: 'failed' });
    // The price: the two that missed it make R without it, until it is handed over.
    for (const standIn of standIns) cluster.crash(standIn);
    cluster.world.network.partition(homes[0], [homes[1], homes[2]]);
    await bringBack(rig, homes[1], homes[2]);
    const other = await RawClient.open(cluster, homes[1]);
    await cluster.simulation.runUntil(() => sees(rig, homes[1], homes[2]) && sees(rig, homes[2], homes[1]));
    expect((await cluster.settle(other.get('k'))).values).toEqual([]);
    cluster.world.network.heal();
    await cluster.simulation.runUntil(() => sees(rig, homes[1], homes[0]) && sees(rig, homes[0], homes[1]));
    expect((await cluster.settle(other.get('k', { read: 'all' }))).values).toEqual(['v']);
  });

  it('minting is not open to it', async () => {
    const rig = await sloppyRig(34);
    await loseTwoHomes(rig);
    await rig.cluster.settle(rig.client.put('k', 'v'));
    const counters = rig.cluster.world.disk(rig.standIns[0]).keys({ gte: 'm/counter/', lt: 'm/counter0' });
    expect(counters).toEqual([]);
    expect(rig.cluster.world.disk(rig.homes[0]).keys({ gte: 'm/counter/', lt: 'm/counter0' })).toHaveLength(
      1,
    );
  });
});

function sees({ cluster }: SloppyRig, from: string, to: string): boolean {
  return cluster
    .node(from)
    .status()
    .peers.some(({ node, reachable }) => node === to && reachable);
}

/** Says `hold` to a node in the name of another, with a record that a home has. */
async function bringHold(
  rig: SloppyRig,
  to: string,
  from: string,
  hold: { readonly home: string; readonly key: string; readonly record?: Uint8Array },
  mapEpoch = rig.cluster.map.epoch,
  mapHash = rig.cluster.map.hash,
): Promise<void> {
  const { cluster, homes, client } = rig;
  if (mapEpoch === 1) await cluster.settle(client.put('source', 'v', { write: 'one' }));
  const place = cluster.placeOf('default', mapEpoch === 1 ? 'source' : 'k');
  const record = hold.record ?? cluster.world.disk(homes[mapEpoch === 1 ? 0 : 1]).peek(place);
  const node = await RawClient.open(cluster, to, { role: 'node', id: from, mapEpoch, mapHash });
  node.send({
    type: 'replica',
    group: 'default/0' as never,
    message: {
      type: 'hold',
      sequence: 1,
      home: nodeId(hold.home),
      key: hold.key,
      record: record ?? new Uint8Array(),
    },
  });
  await cluster.simulation.runFor(20);
  node.destroy();
}

function strictConfig(): ClusterConfig {
  const nodes = FIVE.map((id) => `  - { id: ${id}, host: ${id}.test, port: 7000, dataDir: ./${id} }\n`);
  const namespaces = '  - { name: default, strategy: leaderless, partitions: 1 }\n';
  return parseClusterConfig(
    `cluster: simulated\nepoch: 2\nnodes:\n${nodes.join('')}namespaces:\n${namespaces}`,
    'strict.yaml',
  );
}

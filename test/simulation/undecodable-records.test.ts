/** Bytes with a right checksum that are no record: from a peer they are refused, on disk they end no node. */
import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { HLC_TIME_MAX } from '../../src/core/hlc.js';
import { groupId, incarnationId, namespaceName, nodeId, sessionId } from '../../src/core/ids.js';
import type { LeaderlessMessage } from '../../src/protocol/leaderless-messages.js';
import { encodeRecord } from '../../src/protocol/record-codec.js';
import { RawClient } from '../support/raw-client.js';
import { SimCluster } from '../support/sim-cluster.js';

const PARTITIONS = 2;
const NAMESPACES = `
  - { name: default, strategy: leaderless, partitions: ${PARTITIONS} }
`;

/** Seals a body as a record is sealed. */
function sealed(...body: readonly number[]): Uint8Array {
  const bytes = Buffer.from([0, 0, 0, 0, 1, ...body]);
  bytes.writeUInt32BE(crc32(bytes.subarray(4)), 0);
  return bytes;
}

/** A record of one value. */
function record(hlc: number): Uint8Array {
  const dot = { incarnation: incarnationId('n2.made'), counter: 1 };
  const operation = { session: sessionId('s'), sequence: 1 };
  return encodeRecord({
    context: [[dot.incarnation, dot.counter]],
    siblings: [{ dot, hlc, operation, expiresAt: 0, value: Buffer.from('made') }],
    recentOperations: [],
  });
}

const USELESS: readonly (readonly [string, Uint8Array])[] = [
  ['a header that says nothing', sealed(3, 0, 0, 0, 9, 9)],
  ['a header longer than the bytes', sealed(100, 0, 0)],
  ['a header of endless length', sealed(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f)],
  ['nothing behind its version', sealed(0)],
  ['a time beyond all clocks', record(HLC_TIME_MAX + 1)],
];

/** A cluster whose n2 is down, and what n1 takes for it. */
async function posing(seed: number): Promise<{
  cluster: SimCluster;
  send: (partition: number, message: LeaderlessMessage) => Promise<void>;
}> {
  const cluster = await SimCluster.start({ seed, namespaces: NAMESPACES });
  cluster.crash('n2', { powerOff: true });
  await cluster.parted('n1', ['n2']);
  const { epoch, hash } = cluster.map;
  const peer = await RawClient.open(cluster, 'n1', {
    role: 'node',
    id: nodeId('n2'),
    mapEpoch: epoch,
    mapHash: hash,
  });
  const send = async (partition: number, message: LeaderlessMessage): Promise<void> => {
    const group = groupId(namespaceName('default'), partition);
    peer.send({ type: 'replica', group, message });
    await cluster.simulation.runFor(500);
  };
  return { cluster, send };
}

/** The partition of a key, as its place on disk tells. */
function partitionOf(cluster: SimCluster, key: string): number {
  return cluster.placeOf('default', key) === cluster.recordKey('default', 0, key) ? 0 : 1;
}

/** Goes on for long enough that every sweep and comparison runs, starts anew, and serves the key. */
async function livesOn(cluster: SimCluster, key: string): Promise<void> {
  await cluster.simulation.runFor(15_000);
  cluster.crash('n1');
  await cluster.settle(cluster.boot('n1'));
  await cluster.simulation.runFor(15_000);
  const n1 = await RawClient.open(cluster, 'n1');
  const { context } = await cluster.settle(n1.get(key));
  await cluster.settle(n1.put(key, 'v', { context }));
  expect((await cluster.settle(n1.get(key))).values).toEqual(['v']);
}

describe('a store message', () => {
  it.each(USELESS)('with %s changes nothing', async (_what, bytes) => {
    const { cluster, send } = await posing(1);
    await send(partitionOf(cluster, 'k'), {
      type: 'store',
      sequence: 1,
      key: 'k',
      record: bytes,
      asks: false,
    });
    expect(cluster.world.disk('n1').peek(cluster.placeOf('default', 'k'))).toBeUndefined();
    await livesOn(cluster, 'k');
  });

  it.each(USELESS)('with %s leaves the record that is there', async (_what, bytes) => {
    const { cluster, send } = await posing(2);
    const n1 = await RawClient.open(cluster, 'n1');
    await cluster.settle(n1.put('k', 'mine'));
    await send(partitionOf(cluster, 'k'), {
      type: 'store',
      sequence: 1,
      key: 'k',
      record: bytes,
      asks: false,
    });
    expect(cluster.stored('n1', 'k')).toEqual(['mine']);
    await livesOn(cluster, 'k');
  });

  it('of a key that is none, or of another partition, is refused; of this one it is taken', async () => {
    const { cluster, send } = await posing(3);
    const before = cluster.world.disk('n1').keys({ gte: 'g/', lt: 'g0' });
    const ours = partitionOf(cluster, 'k');
    await send(1 - ours, { type: 'store', sequence: 1, key: 'k', record: record(1), asks: false });
    await send(0, { type: 'store', sequence: 2, key: '', record: record(1), asks: false });
    for (const partition of [0, 1]) {
      await send(partition, {
        type: 'store',
        sequence: 3,
        key: 'x'.repeat(100_000),
        record: record(1),
        asks: false,
      });
    }
    expect(cluster.world.disk('n1').keys({ gte: 'g/', lt: 'g0' })).toEqual(before);
    await send(ours, { type: 'store', sequence: 4, key: 'k', record: record(1), asks: false });
    expect(cluster.stored('n1', 'k')).toEqual(['made']);
  });
});

describe('a stored record', () => {
  it.each(USELESS)('with %s ends no node, and the others answer', async (_what, bytes) => {
    const cluster = await SimCluster.start({ seed: 4, namespaces: NAMESPACES });
    const n1 = await RawClient.open(cluster, 'n1');
    await cluster.settle(n1.put('k', 'v', { write: 'all' }));
    cluster.crash('n1');
    const storage = cluster.world.disk('n1').open();
    const batch = storage.batch();
    batch.put(cluster.placeOf('default', 'k'), bytes);
    await cluster.settle(batch.write({ sync: true }));
    await cluster.settle(storage.close());
    await cluster.settle(cluster.boot('n1'));
    await cluster.allReachable();
    await cluster.simulation.runFor(30_000);
    const again = await RawClient.open(cluster, 'n1');
    expect((await cluster.settle(again.get('k'))).values).toEqual(['v']);
    await cluster.settle(again.scan(partitionOf(cluster, 'k'), {}));
    await cluster.simulation.runFor(15_000);
  });
});

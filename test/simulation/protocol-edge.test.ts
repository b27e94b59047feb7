/** What a node is sent that it must not take, and that it serves the next client all the same. */
import { describe, expect, it } from 'vitest';
import { partitionOfKey } from '../../src/core/hash.js';
import {
  CONNECTION_SILENCE_MS_MAX,
  FRAME_BYTES_MAX,
  HELLO_MS_MAX,
  KEY_BYTES_MAX,
  VALUE_BYTES_MAX,
} from '../../src/core/limits.js';
import { sessionId } from '../../src/core/ids.js';
import { encodeFrame } from '../../src/protocol/codec.js';
import { PROTOCOL_VERSION, type ClientOperation, type Hello } from '../../src/protocol/messages.js';
import { RawClient } from '../support/raw-client.js';
import { SimCluster } from '../support/sim-cluster.js';

const ONE_PARTITION = `
  - { name: default, strategy: leaderless, partitions: 1 }
`;

async function start(seed: number, namespaces = ONE_PARTITION): Promise<SimCluster> {
  return SimCluster.start({ seed, namespaces });
}

/** The node still serves: a new client writes and reads. */
async function expectServes(cluster: SimCluster, node = 'n1'): Promise<void> {
  const next = await RawClient.open(cluster, node);
  await cluster.settle(next.put(next.name, 'v'));
  expect((await cluster.settle(next.get(next.name))).values).toEqual(['v']);
}

function closed(cluster: SimCluster, client: RawClient): Promise<void> {
  return cluster.simulation.runUntil(() => client.closed !== undefined);
}

const put = (key: string, value: Uint8Array | null): ClientOperation => ({
  type: 'put',
  key,
  value,
  context: null,
  ifVersion: null,
  write: null,
  ttlMs: 0,
  operation: { session: sessionId('by-hand'), sequence: 1 },
  lowestOpen: 1,
  attempt: 0,
});

describe('a request that is refused', () => {
  const text = new TextEncoder();
  it.each<[string, string, ClientOperation, string]>([
    ['an unknown namespace', 'UnknownNamespace', put('k', text.encode('v')), 'nowhere'],
    ['an empty key', 'InvalidKey', put('', text.encode('v')), 'default'],
    [
      'a key that is too long',
      'KeyTooLarge',
      put('k'.repeat(KEY_BYTES_MAX + 1), text.encode('v')),
      'default',
    ],
    ['a key too long in bytes only', 'KeyTooLarge', put('é'.repeat(KEY_BYTES_MAX / 2 + 1), null), 'default'],
    ['a value that is too large', 'ValueTooLarge', put('k', new Uint8Array(VALUE_BYTES_MAX + 1)), 'default'],
    [
      'a context that is none',
      'BadContext',
      { ...put('k', null), context: text.encode('garbage') } as ClientOperation,
      'default',
    ],
    [
      'a bound that is none',
      'BadContext',
      { type: 'get', key: 'k', read: null, atLeast: text.encode('garbage'), maxStalenessMs: 0 },
      'default',
    ],
    [
      'several keys at once, where no replica leads',
      'Unsupported',
      {
        type: 'put-all',
        partition: 0,
        puts: [{ key: 'k', value: null, ifVersion: null, ttlMs: 0 }],
        write: null,
        operation: { session: sessionId('by-hand'), sequence: 1 },
        lowestOpen: 1,
        attempt: 0,
      },
      'default',
    ],
    [
      'a session with a group that has none',
      'Unsupported',
      { type: 'open-session', partition: 0 },
      'default',
    ],
    [
      'a condition that only a leader can judge',
      'Unsupported',
      { ...put('k', null), ifVersion: 0 } as ClientOperation,
      'default',
    ],
    [
      'an ack level of the other strategy',
      'BadRequest',
      { ...put('k', null), write: 'leader' } as ClientOperation,
      'default',
    ],
    [
      'a read mode of the other strategy',
      'BadRequest',
      { type: 'get', key: 'k', read: 'linearizable', atLeast: null, maxStalenessMs: 0 },
      'default',
    ],
    [
      'a partition beyond the last',
      'BadRequest',
      {
        type: 'scan',
        partition: 1,
        prefix: '',
        after: '',
        limit: 1,
        read: null,
        atLeast: null,
        maxStalenessMs: 0,
      },
      'default',
    ],
  ])(
    '%s gets %s, its connection goes on, and nothing is stored',
    async (_what, code, operation, namespace) => {
      const cluster = await start(1);
      const client = await RawClient.open(cluster, 'n1');
      const refused = cluster.settle(client.request(operation, { namespace }));
      await expect(refused).rejects.toMatchObject({ code, outcome: 'failed' });
      expect(cluster.world.disk('n1').keys({ gte: 'g/default/0/r/', lt: 'g/default/0/r0' })).toEqual([]);
      expect(cluster.node('n1').status().requestsInFlight).toBe(0);
      await cluster.settle(client.put('k', 'v'));
      await expectServes(cluster);
    },
  );

  it('the largest key and value are taken', async () => {
    const cluster = await start(2);
    const client = await RawClient.open(cluster, 'n1');
    const key = 'k'.repeat(KEY_BYTES_MAX);
    await cluster.settle(client.request(put(key, new Uint8Array(VALUE_BYTES_MAX))));
    expect((await cluster.settle(client.get(key))).values[0]).toHaveLength(VALUE_BYTES_MAX);
  });

  it('an older map gets StaleMap with the newer one', async () => {
    const cluster = await start(3);
    const client = await RawClient.open(cluster, 'n1');
    const stale = cluster.settle(client.request(put('k', null), { epoch: 0 }));
    await expect(stale).rejects.toMatchObject({ code: 'StaleMap', outcome: 'failed' });
    const answer = client.received.at(-1);
    expect(answer).toMatchObject({ type: 'response', result: { map: { hash: cluster.map.hash } } });
  });

  it('a node without a copy answers NotReplica with the map', async () => {
    const cluster = await start(
      4,
      '\n  - { name: default, strategy: leaderless, partitions: 8, replicas: 1 }\n',
    );
    const client = await RawClient.open(cluster, 'n1');
    const placement = cluster.map.placement[0]!;
    const key = Array.from({ length: 100 }, (_, i) => `k${i}`).find(
      (k) => !placement[partitionOfKey(k, 8)]!.some((id) => id === 'n1'),
    )!;
    await expect(cluster.settle(client.put(key, 'v'))).rejects.toMatchObject({
      code: 'NotReplica',
      outcome: 'failed',
    });
    expect(client.received.at(-1)).toMatchObject({ result: { map: { hash: cluster.map.hash } } });
    const partition = placement.findIndex((ids) => !ids.some((id) => id === 'n1'));
    await expect(cluster.settle(client.scan(partition, {}))).rejects.toMatchObject({ code: 'NotReplica' });
  });
});

describe('a frame that is refused', () => {
  const good = encodeFrame([{ type: 'ping', nonce: 1 }]);
  const flipped = Uint8Array.from(good);
  flipped[flipped.length - 1]! ^= 1;

  it.each<[string, string, Uint8Array]>([
    ['nothing', 'MalformedFrame', new Uint8Array(0)],
    ['too short', 'MalformedFrame', Uint8Array.from([1, 2, 3])],
    ['garbage', 'MalformedFrame', Uint8Array.from({ length: 100 }, (_, i) => i)],
    ['a flipped bit', 'MalformedFrame', flipped],
    ['cut short', 'MalformedFrame', good.slice(0, -1)],
    ['too large', 'FrameTooLarge', new Uint8Array(FRAME_BYTES_MAX + 1)],
  ])('%s: %s, the connection closed, the node unharmed', async (_what, code, bytes) => {
    const cluster = await start(10);
    for (const greeted of [true, false]) {
      const client = greeted ? await RawClient.open(cluster, 'n1') : await RawClient.dial(cluster, 'n1');
      client.sendBytes(bytes);
      await closed(cluster, client);
      expect(client.refusal).toMatchObject({ code, outcome: 'unknown' });
    }
    expect(cluster.counter('n1', 'frames_malformed')).toBe(2);
    await expectServes(cluster);
  });

  it('the requests of a connection that sends one are dropped, those of others are not', async () => {
    const cluster = await start(11);
    const [bad, good_] = [await RawClient.open(cluster, 'n1'), await RawClient.open(cluster, 'n1')];
    cluster.world.disk('n1').holdSync();
    const lost = bad.put('a', 'v', { budgetMs: 30_000 });
    lost.catch(() => undefined);
    const kept = good_.put('b', 'v', { budgetMs: 30_000 });
    await cluster.simulation.runUntil(() => cluster.node('n1').status().requestsInFlight === 2);
    bad.sendBytes(Uint8Array.from([0, 0, 0, 0, 0]));
    await closed(cluster, bad);
    await expect(lost).rejects.toThrow();
    expect(cluster.node('n1').status().requestsInFlight).toBe(1);
    cluster.world.disk('n1').releaseSync();
    await cluster.settle(kept);
  });

  it.each(['welcome', 'response', 'replica', 'hello'] as const)('a client may not send %s', async (type) => {
    const cluster = await start(12);
    const client = await RawClient.open(cluster, 'n1');
    const message = {
      welcome: {
        type: 'welcome',
        protocol: PROTOCOL_VERSION,
        cluster: 'x',
        node: cluster.node('n1').id,
        map: null,
      },
      response: { type: 'response', id: 1, result: { type: 'status-result', status: '' } },
      replica: {
        type: 'replica',
        group: cluster.node('n1').status().groups[0]!.group,
        message: { type: 'fetch', sequence: 1, key: 'k' },
      },
      hello: client.hello(),
    }[type] as Parameters<RawClient['send']>[0];
    client.send(message);
    await closed(cluster, client);
    expect(client.refusal?.code).toBe('MalformedFrame');
    await expectServes(cluster);
  });
});

describe('a hello that is refused', () => {
  it.each<[string, string, Partial<Hello>]>([
    ['another protocol version', 'UnsupportedProtocol', { protocol: PROTOCOL_VERSION + 1 }],
    ['another cluster', 'WrongCluster', { cluster: 'another' }],
    ['wrong credentials', 'NotAuthorized', { credentials: 'guess' }],
    ['a node that is not in the map', 'MapConflict', { role: 'node', id: 'n9' }],
    ['a node with the name of the one it calls', 'MapConflict', { role: 'node', id: 'n1' }],
    ['a node without a cluster name', 'WrongCluster', { role: 'node', id: 'n2', cluster: '' }],
    [
      'a node with another map of this epoch',
      'MapConflict',
      { role: 'node', id: 'n2', mapEpoch: 1, mapHash: 'x' },
    ],
  ])('%s: %s, and the connection is closed', async (_what, code, hello) => {
    const cluster = await start(20);
    const client = await RawClient.dial(cluster, 'n1');
    client.send(client.hello(hello));
    await closed(cluster, client);
    expect(client.refusal).toMatchObject({ code, outcome: 'failed' });
    expect(client.welcomed).toBe(false);
    await expectServes(cluster);
  });

  it('a version that is refused is named on both sides', async () => {
    const cluster = await start(21);
    const client = await RawClient.dial(cluster, 'n1');
    client.send(client.hello({ protocol: 99 }));
    await closed(cluster, client);
    expect(client.refusal?.message).toMatch(new RegExp(`${PROTOCOL_VERSION}.*99`));
  });

  it('a request before it is refused', async () => {
    const cluster = await start(22);
    const client = await RawClient.dial(cluster, 'n1');
    const early = client.put('k', 'v');
    early.catch(() => undefined);
    await closed(cluster, client);
    expect(client.refusal?.code).toBe('MalformedFrame');
    expect(cluster.record('n1', 'k')).toBeUndefined();
    await expectServes(cluster);
  });

  it('a connection that never says it is closed after a while', async () => {
    const cluster = await start(23);
    const before = cluster.node('n1').status().connections;
    const mute = await RawClient.dial(cluster, 'n1');
    await cluster.simulation.runFor(2 * HELLO_MS_MAX + 1_000);
    expect(mute.closed).toBeDefined();
    expect(cluster.node('n1').status().connections).toBe(before);
  });

  it('a client that falls silent is closed later, one that pings is not', async () => {
    const cluster = await start(24);
    const silent = await RawClient.open(cluster, 'n1');
    const pinging = await RawClient.open(cluster, 'n1');
    for (let i = 0; i < 50; i++) {
      pinging.send({ type: 'ping', nonce: i });
      await cluster.simulation.runFor(CONNECTION_SILENCE_MS_MAX / 25);
    }
    expect(silent.closed).toBeDefined();
    expect(pinging.closed).toBeUndefined();
    expect(pinging.received.filter(({ type }) => type === 'pong')).toHaveLength(50);
  });
});

describe('credentials', () => {
  it('let in who has them, and nobody else', async () => {
    const cluster = new SimCluster({ seed: 30, namespaces: ONE_PARTITION });
    const config = { ...cluster.config, credentials: 'secret' };
    await cluster.settle(Promise.all(cluster.names.map((name) => cluster.boot(name, { config }))));
    await cluster.allReachable();
    const client = await RawClient.open(cluster, 'n1', { credentials: 'secret' });
    await cluster.settle(client.put('k', 'v', { write: 'all' }));
    const other = await RawClient.dial(cluster, 'n1');
    other.send(other.hello());
    await closed(cluster, other);
    expect(other.refusal?.code).toBe('NotAuthorized');
    expect(JSON.stringify([other.received, cluster.world.logLines])).not.toContain('secret');
  });
});

describe('two nodes with different maps of one epoch', () => {
  it('refuse each other, and say why, until one of them changes', async () => {
    const cluster = new SimCluster({ seed: 40, namespaces: ONE_PARTITION });
    const namespaces = cluster.config.namespaces.map((n) => ({ ...n, write: 'all' as const }));
    await cluster.settle(
      Promise.all([
        cluster.boot('n1'),
        cluster.boot('n2'),
        cluster.boot('n3', { config: { ...cluster.config, namespaces } }),
      ]),
    );
    await cluster.simulation.runFor(10_000);
    const reachable = (name: string): string[] =>
      cluster
        .node(name)
        .status()
        .peers.filter((peer) => peer.reachable)
        .map((peer) => peer.node);
    expect([reachable('n1'), reachable('n2'), reachable('n3')]).toEqual([['n2'], ['n1'], []]);
    const why = cluster.world.logLines.filter(({ message }) => message === 'a peer refuses this node');
    expect(
      why.some(({ name, fields }) => name === 'n3' && String(fields['reason']).includes('MapConflict')),
    ).toBe(true);
    // Said once for each peer, not at every attempt.
    expect(why.length).toBeLessThanOrEqual(4);
    await expectServes(cluster, 'n1');
    cluster.crash('n3');
    cluster.world.disk('n3').wipe();
    await cluster.settle(cluster.boot('n3'));
    await cluster.allReachable();
    await cluster.converge(30_000);
  });
});

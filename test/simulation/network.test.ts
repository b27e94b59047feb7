import { beforeEach, describe, expect, it } from 'vitest';
import type { NodeRuntime } from '../../src/runtime/runtime.js';
import { CONNECT_TIMEOUT_MS } from '../../src/simulation/network.js';
import { SimulatedWorld } from '../../src/simulation/world.js';
import { Peer } from '../contract/network-contract.js';
import { eventLoopTurns } from '../../chaos/event-loop.js';

const ADDRESS = { host: 'anything', port: 7000 };
const frame = (...bytes: number[]): Uint8Array => Uint8Array.from(bytes);

describe('a simulated network', () => {
  let world: SimulatedWorld;
  let accepted: Peer[];
  let nodeA: NodeRuntime;

  const listen = async (node: NodeRuntime): Promise<void> => {
    await node.network.listen(ADDRESS, (connection) => {
      const peer = new Peer();
      peer.connection = connection;
      accepted.push(peer);
      return peer;
    });
  };
  const make = async (seed: number | string): Promise<void> => {
    world = new SimulatedWorld({ seed, turns: eventLoopTurns });
    accepted = [];
    nodeA = world.node('a');
    await listen(world.node('b'));
  };
  beforeEach(() => make(1));

  const connect = (from: NodeRuntime = nodeA): Peer => {
    const peer = new Peer();
    peer.connection = from.network.connect(ADDRESS, peer);
    return peer;
  };
  const pair = async (): Promise<[a: Peer, b: Peer]> => {
    const client = connect();
    await world.simulation.runUntil(() => client.opens === 1);
    return [client, accepted.at(-1) as Peer];
  };
  const firsts = (peer: Peer): (number | undefined)[] => peer.frames.map((bytes) => bytes[0]);

  it('delays frames within the range, and keeps their order', async () => {
    world.network.setConditions({ latencyMs: [10, 50] });
    const [client, server] = await pair();
    const at = world.simulation.nowMs();
    for (let i = 0; i < 200; i++) client.connection.send(frame(i));
    await world.simulation.runFor(9.9);
    expect(server.frames).toHaveLength(0);
    await world.simulation.runUntil(() => server.frames.length === 200);
    expect(world.simulation.nowMs() - at).toBeLessThanOrEqual(50);
    expect(firsts(server)).toEqual(Array.from({ length: 200 }, (_, i) => i));
  });

  it('has a bandwidth where one is set', async () => {
    world.network.setLink('a', 'b', { bytesPerMs: 1000 });
    const [client, server] = await pair();
    const at = world.simulation.nowMs();
    client.connection.send(new Uint8Array(100_000));
    await world.simulation.runUntil(() => server.frames.length === 1);
    expect(world.simulation.nowMs() - at).toBeGreaterThan(100);
  });

  it('loses a frame only with its connection, of which both sides hear late', async () => {
    const [client, server] = await pair();
    world.network.setLink('a', 'b', { lossRate: 1 });
    client.connection.send(frame(1));
    client.connection.send(frame(2));
    await world.simulation.runFor(100);
    expect([client.closed, server.closed]).toEqual([false, false]);
    await world.simulation.runUntil(() => client.closed && server.closed);
    expect(server.frames).toEqual([]);
    expect(client.closes).toEqual(['connection lost']);
    expect(server.closes).toEqual(['connection lost']);
  });

  it('stalls frames behind a partition without closing, counts them, and lets them go on', async () => {
    const [client, server] = await pair();
    world.network.partition('a', ['b', 'c']);
    for (let i = 0; i < 5; i++) client.connection.send(frame(i, 0));
    server.connection.send(frame(9));
    await world.simulation.runFor(60_000);
    expect([client.frames.length, server.frames.length]).toEqual([0, 0]);
    expect(client.connection.bufferedBytes()).toBe(10);
    expect([client.closed, server.closed]).toEqual([false, false]);
    world.network.heal('a', 'b');
    await world.simulation.runUntil(() => server.frames.length === 5 && client.frames.length === 1);
    expect(firsts(server)).toEqual([0, 1, 2, 3, 4]);
    expect(client.connection.bufferedBytes()).toBe(0);
  });

  it('partitions a connection that was begun before anybody listened', async () => {
    world = new SimulatedWorld({ seed: 1, turns: eventLoopTurns });
    accepted = [];
    const client = connect(world.node('a'));
    await listen(world.node('b'));
    await world.simulation.runUntil(() => client.opens === 1);
    world.network.partition('a', 'b');
    client.connection.send(frame(1));
    await world.simulation.runFor(1_000);
    expect(accepted[0]?.frames).toEqual([]);
  });

  it('blocks one way only', async () => {
    const [client, server] = await pair();
    world.network.block('b', 'a');
    client.connection.send(frame(1));
    server.connection.send(frame(2));
    await world.simulation.runFor(10_000);
    expect([firsts(server), firsts(client)]).toEqual([[1], []]);
  });

  it.each(['a>b', 'b>a'])('times out new connections when %s is blocked', async (direction) => {
    const [from, to] = direction.split('>') as [string, string];
    world.network.block(from, to);
    const client = connect();
    await world.simulation.runFor(CONNECT_TIMEOUT_MS - 1);
    expect(client.closed).toBe(false);
    await world.simulation.runFor(2);
    expect(client.closes).toEqual(['connect timed out']);
    world.network.heal();
    await world.simulation.runFor(100);
    expect(accepted.every((peer) => peer.closed)).toBe(true);
    await pair();
  });

  it('goes silent half-open without a word to either side, and lets new connections work', async () => {
    const [client, server] = await pair();
    world.network.halfOpen('a', 'b');
    client.connection.send(frame(1));
    server.connection.send(frame(2));
    await world.simulation.runFor(600_000);
    expect([client.frames.length, server.frames.length]).toEqual([0, 0]);
    expect([client.closed, server.closed]).toEqual([false, false]);
    client.connection.close('no answer');
    await world.simulation.runUntil(() => client.closed);
    expect(client.closes).toEqual(['no answer']);
    expect(server.closed).toBe(false);
    const [again, other] = await pair();
    again.connection.send(frame(3));
    await world.simulation.runUntil(() => other.frames.length === 1);
  });

  it('flips exactly one bit of a corrupted frame, and none of the sender’s', async () => {
    const [client, server] = await pair();
    world.network.setLink('a', 'b', { corruptionRate: 1 });
    const sent = new Uint8Array(50);
    client.connection.send(sent);
    await world.simulation.runUntil(() => server.frames.length === 1);
    const bits = [...(server.frames[0] as Uint8Array)].map(
      (byte) => byte.toString(2).replaceAll('0', '').length,
    );
    expect(bits.reduce((sum, n) => sum + n, 0)).toBe(1);
    expect(sent).toEqual(new Uint8Array(50));
    world.network.calm();
    client.connection.send(sent);
    await world.simulation.runUntil(() => server.frames.length === 2);
    expect(server.frames[1]).toEqual(new Uint8Array(50));
  });

  it('breaks connections on demand', async () => {
    const [client, server] = await pair();
    world.network.breakConnections('b', 'a');
    await world.simulation.runUntil(() => client.closed && server.closed);
    await pair();
  });

  describe('when a process crashes', () => {
    it('tells its peers after what it had sent, refuses them, and tells the dead nothing', async () => {
      const [client, server] = await pair();
      server.connection.send(frame(7));
      client.connection.send(frame(8));
      world.crash('b');
      await world.simulation.runUntil(() => client.closed);
      expect(firsts(client)).toEqual([7]);
      expect(client.closes).toEqual(['connection lost']);
      const refused = connect();
      await world.simulation.runUntil(() => refused.closed);
      expect(refused.closes).toEqual(['connection refused']);
      expect([server.frames.length, server.closes.length]).toEqual([0, 0]);
      await listen(world.node('b'));
      await pair();
    });

    it('lets nothing that still runs of it reach anybody', async () => {
      const [client, server] = await pair();
      const dead = nodeA;
      const closing = connect();
      closing.connection.destroy('just before');
      world.crash('a');
      client.connection.send(frame(1));
      const ghost = connect(dead);
      ghost.connection.send(frame(2));
      let listening = false;
      void listen(dead).then(() => (listening = true));
      await world.simulation.runFor(60_000);
      expect(server.frames).toEqual([]);
      expect(closing.closes).toEqual([]);
      expect([accepted.length, ghost.opens, ghost.closes.length, listening]).toEqual([1, 0, 0, false]);
    });
  });

  describe('when a machine loses power', () => {
    it('is silent, until it is on again and knows nothing of the connection', async () => {
      const [client] = await pair();
      world.crash('b', { powerOff: true });
      await world.simulation.runFor(60_000);
      expect(client.closed).toBe(false);
      const attempt = connect();
      client.connection.send(frame(1));
      await world.simulation.runUntil(() => attempt.closed);
      expect(attempt.closes).toEqual(['connect timed out']);
      expect(client.closed).toBe(false);
      await listen(world.node('b'));
      await world.simulation.runUntil(() => client.closed);
      expect(client.closes).toEqual(['connection lost']);
      await pair();
    });
  });
});

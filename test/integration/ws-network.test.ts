import { createServer, type Socket } from 'node:net';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { createWsNetwork } from '../../src/adapters/ws-network.js';
import { FRAME_BYTES_MAX } from '../../src/core/limits.js';
import type { Listener } from '../../src/runtime/runtime.js';
import { Peer } from '../contract/network-contract.js';

const HOST = '127.0.0.1';

describe('WebSockets', () => {
  const network = createWsNetwork({ connectTimeoutMs: 100 });
  let listener: Listener;
  let accepted: Peer[];
  const until = (predicate: () => boolean): Promise<unknown> =>
    vi.waitUntil(predicate, { timeout: 20_000, interval: 2 });

  beforeEach(async () => {
    accepted = [];
    listener = await network.listen({ host: HOST, port: 0 }, (connection) => {
      const peer = new Peer();
      peer.connection = connection;
      accepted.push(peer);
      return peer;
    });
  });
  afterEach(async () => {
    for (const peer of accepted) peer.connection.destroy('the test ends');
    await until(() => accepted.every((peer) => peer.closed));
    await listener.close();
  });

  const url = (): string => `ws://${HOST}:${String(listener.address.port)}`;
  const foreigner = async (): Promise<WebSocket> => {
    const socket = new WebSocket(url());
    await once(socket, 'open');
    return socket;
  };

  it('closes with 1003 and a reason on text, and goes on for others', async () => {
    const socket = await foreigner();
    socket.send('hello?');
    const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
    expect([code, reason.toString()]).toEqual([1003, 'text frames are not accepted']);
    expect(accepted[0]?.frames).toEqual([]);
    await until(() => accepted[0]?.closed === true);
    const other = await foreigner();
    other.send(Buffer.from('binary'));
    await until(() => accepted[1]?.frames.length === 1);
    other.terminate();
  });

  it('closes with 1009 on a frame that is too large, takes the largest, and tells both sides', async () => {
    const client = new Peer();
    client.connection = network.connect(listener.address, client);
    client.connection.send(new Uint8Array(FRAME_BYTES_MAX));
    await until(() => accepted[0]?.frames.length === 1);
    client.connection.send(new Uint8Array(FRAME_BYTES_MAX + 1));
    await until(() => client.closed && accepted[0]?.closed === true);
    expect(accepted[0]?.closes).toEqual(['the frame is too large']);
    expect(accepted[0]?.frames).toHaveLength(1);
  });

  it('sends close code 1009 over the wire', async () => {
    const socket = await foreigner();
    socket.on('error', () => undefined);
    socket.send(Buffer.alloc(FRAME_BYTES_MAX + 1));
    const [code] = (await once(socket, 'close')) as [number];
    expect(code).toBe(1009);
  });

  it('answers plain HTTP with 426', async () => {
    const response = await fetch(url().replace('ws:', 'http:'));
    expect(response.status).toBe(426);
    expect(response.headers.get('upgrade')).toBe('websocket');
    expect(await response.text()).toContain('Trefoil');
  });

  it.each([
    ['garbage', Buffer.from('\u0000\u0001\u0002 garbage\r\n\r\n')],
    [
      'another upgrade',
      Buffer.from('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n'),
    ],
    ['nothing', Buffer.alloc(0)],
  ])('survives a socket that says %s', async (_what, bytes) => {
    const socket = (await import('node:net')).connect(listener.address.port, HOST);
    socket.on('error', () => undefined);
    socket.write(bytes);
    socket.end();
    socket.resume();
    await once(socket, 'close');
    const after = await foreigner();
    after.terminate();
    expect(accepted).toHaveLength(1);
  });

  it('loses a connection whose bytes are no WebSocket frames any more', async () => {
    const socket = await foreigner();
    socket.on('error', () => undefined);
    (socket as unknown as { _socket: Socket })._socket.write(Buffer.alloc(64, 0xff));
    await until(() => accepted[0]?.closed === true);
    socket.terminate();
  });

  it('gives up a connect that nobody answers', async () => {
    const sockets: Socket[] = [];
    const mute = createServer((socket) => sockets.push(socket)).listen(0, HOST);
    await once(mute, 'listening');
    const client = new Peer();
    client.connection = network.connect(
      { host: HOST, port: (mute.address() as { port: number }).port },
      client,
    );
    await until(() => client.closed);
    expect(client.closes).toEqual(['connect timed out']);
    for (const socket of sockets) socket.destroy();
    mute.close();
  });

  it('ends a close that the other side does not answer', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const mute = new WebSocketServer({ host: HOST, port: 0, autoPong: false });
      // Accepts, then reads nothing any more: a process that was stopped.
      mute.on('connection', (socket) => {
        socket.pause();
      });
      await once(mute, 'listening');
      const client = new Peer();
      client.connection = network.connect(
        { host: HOST, port: (mute.address() as { port: number }).port },
        client,
      );
      await vi.waitUntil(() => client.opens === 1, { timeout: 5000 });
      client.connection.close('bye');
      expect(client.closed).toBe(false);
      vi.advanceTimersByTime(5_000);
      await vi.waitUntil(() => client.closed, { timeout: 5000 });
      expect(client.closes).toEqual(['bye']);
      for (const socket of mute.clients) socket.terminate();
      mute.close();
    } finally {
      vi.useRealTimers();
    }
  });

  it('reports an address that is none by onClose, after the call', async () => {
    const client = new Peer();
    client.connection = network.connect({ host: 'no host', port: 1 }, client);
    expect(client.closed).toBe(false);
    await until(() => client.closed);
    client.connection.destroy('again');
    client.connection.send(new Uint8Array(1));
    expect(client.closes).toHaveLength(1);
  });

  it('says why it cannot listen on an address of another machine', async () => {
    const listening = network.listen({ host: '192.0.2.1', port: 0 }, () => new Peer());
    await expect(listening).rejects.toMatchObject({ code: 'ConfigInvalid' });
  });
});

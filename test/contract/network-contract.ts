/** What every Network must do. An implementation runs it by one call of `describeNetwork`. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type {
  Address,
  Connection,
  ConnectionHandlers,
  Listener,
  Network,
} from '../../src/runtime/runtime.js';

export interface NetworkWorld {
  readonly server: Network;
  readonly client: Network;
  readonly host: string;
  /** Waits until the predicate holds, with a deadline; runs virtual time where there is such. */
  until(predicate: () => boolean): Promise<void>;
  settle<T>(promise: Promise<T>): Promise<T>;
  dispose(): Promise<void>;
}

export interface NetworkKind {
  readonly name: string;
  makeWorld(): Promise<NetworkWorld>;
}

/** One side of a connection, and everything that it was told. */
export class Peer implements ConnectionHandlers {
  readonly frames: Uint8Array[] = [];
  readonly closes: string[] = [];
  opens = 0;
  framesAfterClose = 0;
  connection!: Connection;

  readonly onFrame = (frame: Uint8Array): void => {
    if (this.closes.length > 0) this.framesAfterClose++;
    this.frames.push(frame);
  };

  readonly onClose = (reason: string): void => {
    this.closes.push(reason);
  };

  readonly onOpen = (): void => {
    this.opens++;
  };

  get closed(): boolean {
    return this.closes.length > 0;
  }
}

const frame = (text: string): Uint8Array => new TextEncoder().encode(text);
const texts = (peer: Peer): string[] => peer.frames.map((bytes) => new TextDecoder().decode(bytes));

export function describeNetwork(kind: NetworkKind): void {
  describe(`${kind.name} network`, () => {
    let world: NetworkWorld;
    let listener: Listener;
    let accepted: Peer[];
    let opened: Peer[];

    const listenOn = (address: Address): Promise<Listener> =>
      world.settle(
        world.server.listen(address, (connection) => {
          const peer = new Peer();
          peer.connection = connection;
          accepted.push(peer);
          return peer;
        }),
      );

    beforeEach(async () => {
      world = await kind.makeWorld();
      accepted = [];
      opened = [];
      listener = await listenOn({ host: world.host, port: 0 });
    });

    afterEach(async () => {
      for (const peer of [...accepted, ...opened]) peer.connection.destroy('the test ends');
      await world.until(() => [...accepted, ...opened].every((peer) => peer.closed));
      for (const peer of [...accepted, ...opened]) {
        expect(peer.closes).toHaveLength(1);
        expect(peer.framesAfterClose).toBe(0);
      }
      await world.settle(listener.close());
      await world.dispose();
    });

    const connect = (address: Address = listener.address): Peer => {
      const peer = new Peer();
      peer.connection = world.client.connect(address, peer);
      opened.push(peer);
      return peer;
    };

    const pair = async (): Promise<[client: Peer, server: Peer]> => {
      const client = connect();
      await world.until(() => client.opens === 1 && accepted.length === opened.length);
      return [client, accepted.at(-1) as Peer];
    };

    describe('connecting', () => {
      it('opens both sides, each once, and never within the call', async () => {
        const client = connect();
        expect(client.opens).toBe(0);
        await world.until(() => client.opens > 0);
        expect(accepted).toHaveLength(1);
        expect(accepted[0]?.opens).toBe(1);
        expect(client.opens).toBe(1);
        expect(client.connection.remote).not.toBe('');
        expect(accepted[0]?.connection.remote).not.toBe('');
      });

      it('tells by onClose that nobody is there', async () => {
        const { address } = listener;
        await world.settle(listener.close());
        const client = connect(address);
        expect(client.closed).toBe(false);
        await world.until(() => client.closed);
        expect(client.closes).toEqual(['connection refused']);
        expect(client.opens).toBe(0);
      });

      it('can be given up before it is open', async () => {
        const client = connect();
        client.connection.send(frame('never mind'));
        client.connection.close('changed my mind');
        expect(client.closed).toBe(false);
        await world.until(() => client.closed);
        expect(client.closes).toEqual(['changed my mind']);
        expect(client.opens).toBe(0);
      });

      it('refuses to listen twice, and listens again after closing', async () => {
        expect(listener.address.port).toBeGreaterThan(0);
        await expect(listenOn(listener.address)).rejects.toMatchObject({ code: 'PortInUse' });
        await world.settle(listener.close());
        listener = await listenOn(listener.address);
        await pair();
      });

      it('keeps connections when the listener closes', async () => {
        const [client, server] = await pair();
        await world.settle(listener.close());
        client.connection.send(frame('still here'));
        await world.until(() => server.frames.length === 1);
      });
    });

    describe('frames', () => {
      it('arrive in order, both ways at once, each whole', async () => {
        const [client, server] = await pair();
        const sent = Array.from({ length: 500 }, (_, i) => `${String(i)}${'.'.repeat(i % 97)}`);
        for (const text of sent) {
          client.connection.send(frame(text));
          server.connection.send(frame(`re ${text}`));
        }
        await world.until(() => client.frames.length === 500 && server.frames.length === 500);
        expect(texts(server)).toEqual(sent);
        expect(texts(client)).toEqual(sent.map((text) => `re ${text}`));
      });

      it('may be sent before the connection is open', async () => {
        const client = connect();
        for (const text of ['a', 'b', 'c']) client.connection.send(frame(text));
        await world.until(() => accepted[0]?.frames.length === 3);
        expect(texts(accepted[0] as Peer)).toEqual(['a', 'b', 'c']);
      });

      it('may be empty, and may be large', async () => {
        const [client, server] = await pair();
        const large = Uint8Array.from({ length: 12 * 1024 * 1024 }, (_, i) => (i * 7) & 255);
        client.connection.send(new Uint8Array());
        client.connection.send(large);
        await world.until(() => server.frames.length === 2);
        expect(server.frames[0]?.length).toBe(0);
        expect(Buffer.compare(server.frames[1] as Uint8Array, large)).toBe(0);
      });

      it('belong to the receiver', async () => {
        const [client, server] = await pair();
        const shared = frame('shared');
        client.connection.send(shared);
        client.connection.send(shared);
        await world.until(() => server.frames.length === 2);
        server.frames[0]?.fill(0);
        expect(texts(server)[1]).toBe('shared');
        expect(new TextDecoder().decode(shared)).toBe('shared');
      });

      it('count as buffered until they are gone', async () => {
        const [client, server] = await pair();
        expect(client.connection.bufferedBytes()).toBe(0);
        const megabyte = new Uint8Array(1024 * 1024);
        let before = 0;
        for (let i = 0; i < 64; i++) {
          client.connection.send(megabyte);
          expect(client.connection.bufferedBytes()).toBeGreaterThanOrEqual(before);
          before = client.connection.bufferedBytes();
        }
        expect(before).toBeGreaterThan(16 * 1024 * 1024);
        await world.until(() => server.frames.length === 64 && client.connection.bufferedBytes() === 0);
      });
    });

    describe('closing', () => {
      it('sends what is queued first, and tells both sides why', async () => {
        const [client, server] = await pair();
        for (let i = 0; i < 100; i++) client.connection.send(new Uint8Array(100_000));
        client.connection.close('that was all');
        await world.until(() => client.closed && server.closed);
        expect(server.frames).toHaveLength(100);
        expect(server.closes).toEqual(['that was all']);
        expect(client.closes).toEqual(['that was all']);
      });

      it('works from the side that accepted, too, at once', async () => {
        await world.settle(listener.close());
        listener = await world.settle(
          world.server.listen({ host: world.host, port: 0 }, (connection) => {
            const peer = new Peer();
            peer.connection = connection;
            accepted.push(peer);
            connection.send(frame('sorry'));
            connection.close('full');
            return peer;
          }),
        );
        const client = connect();
        await world.until(() => client.closed && accepted[0]?.closed === true);
        expect(texts(client)).toEqual(['sorry']);
        expect(client.closes).toEqual(['full']);
      });

      it('ignores what is sent afterwards, and closing again', async () => {
        const [client, server] = await pair();
        client.connection.close('first');
        client.connection.send(frame('too late'));
        client.connection.close('second');
        await world.until(() => client.closed && server.closed);
        client.connection.send(frame('later still'));
        client.connection.close('third');
        client.connection.destroy('fourth');
        server.connection.send(frame('me too'));
        expect(server.frames).toEqual([]);
        expect(client.closes).toEqual(['first']);
      });

      it('receives nothing more on the side that closed', async () => {
        const [client, server] = await pair();
        for (let i = 0; i < 50; i++) server.connection.send(frame('on its way'));
        client.connection.close('enough');
        const received = client.frames.length;
        await world.until(() => client.closed && server.closed);
        expect(client.frames).toHaveLength(received);
      });

      it('agrees when both sides close at once', async () => {
        const [client, server] = await pair();
        client.connection.close('c');
        server.connection.close('s');
        await world.until(() => client.closed && server.closed);
      });

      it('takes a long reason, of any characters', async () => {
        const [client, server] = await pair();
        client.connection.close('ü'.repeat(500));
        await world.until(() => client.closed && server.closed);
        expect(server.closes[0]).toMatch(/^ü{20,}$/);
      });

      it('cuts the connection when it is destroyed, without a word to the other side', async () => {
        const [client, server] = await pair();
        client.connection.destroy('done for');
        expect(client.closed).toBe(false);
        await world.until(() => client.closed && server.closed);
        expect(client.closes).toEqual(['done for']);
        expect(server.closes).toEqual(['connection lost']);
      });
    });
  });
}

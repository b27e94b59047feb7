/** A network that tells of every message which leaves through it; nothing else changes. */
import { decodeFrame } from '../../src/protocol/codec.js';
import type { Message } from '../../src/protocol/messages.js';
import type { Connection, Network } from '../../src/runtime/runtime.js';

export type OnMessage = (to: string, message: Message) => void;

/** `to` is the name of the other process. */
export function tappedNetwork(network: Network, onMessage: OnMessage): Network {
  return {
    listen: (address, onConnection) =>
      network.listen(address, (connection) => onConnection(tapped(connection, onMessage))),
    connect: (address, handlers) => tapped(network.connect(address, handlers), onMessage),
  };
}

function tapped(connection: Connection, onMessage: OnMessage): Connection {
  const to = connection.remote.replace(/\.test:\d+$/, '');
  return {
    remote: connection.remote,
    send: (frame) => {
      for (const message of decodeFrame(frame)) onMessage(to, message);
      connection.send(frame);
    },
    bufferedBytes: () => connection.bufferedBytes(),
    close: (reason) => connection.close(reason),
    destroy: (reason) => connection.destroy(reason),
  };
}

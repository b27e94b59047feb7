/**
 * Network over WebSockets (ws): one binary message is one frame.
 *
 * Compression is off (it would hold a window of memory per connection and spend the CPU that we have not),
 * frames are bounded, and a peer that sends text, too much or garbage loses its connection with a reason and
 * costs nothing else. Every socket has an error listener, so none of it can end the process.
 * What is not a WebSocket gets 426 over HTTP, so that a browser on the wrong port is told why.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { TrefoilError } from '../core/errors.js';
import { FRAME_BYTES_MAX } from '../core/limits.js';
import type { Address, Connection, ConnectionHandlers, Listener, Network } from '../runtime/runtime.js';
import { WsConnection } from './ws-connection.js';

/** How long a connect waits to be accepted, where nothing else is asked for. */
const CONNECT_TIMEOUT_MS = 5_000;

/** How long a connection may take to say what it wants. */
const HEADERS_TIMEOUT_MS = 10_000;

const SOCKET_OPTIONS = { perMessageDeflate: false, maxPayload: FRAME_BYTES_MAX } as const;

/**
 * Masking protects proxies from what a browser's script may send; it would cost us a pass over every byte on
 * both sides. A mask of zeros is legal and both ends of ws skip the pass for it.
 */
const NO_MASK = (mask: Buffer): void => {
  mask.fill(0);
};

/** The network; `connectTimeoutMs` bounds how long a connect waits to be accepted. */
export function createWsNetwork(options: { readonly connectTimeoutMs?: number } = {}): Network {
  const { connectTimeoutMs = CONNECT_TIMEOUT_MS } = options;
  return {
    listen,
    connect: (address, handlers) => connect(address, handlers, connectTimeoutMs),
  };
}

async function listen(
  address: Address,
  onConnection: (connection: Connection) => ConnectionHandlers,
): Promise<Listener> {
  const server = createServer((_request, response) => {
    response.writeHead(426, { 'content-type': 'text/plain', upgrade: 'websocket', connection: 'close' });
    response.end('This is a Trefoil node. It speaks its own protocol over WebSocket.\n');
  });
  server.headersTimeout = HEADERS_TIMEOUT_MS;
  await startListening(server, address);

  const sockets = new WebSocketServer({ ...SOCKET_OPTIONS, server, clientTracking: false });
  // The server's own errors come here once it listens; a failed accept is the connecting side's to notice.
  sockets.on('error', () => undefined);
  sockets.on('connection', (socket, request) => {
    const { remoteAddress = 'unknown', remotePort = 0 } = request.socket;
    const connection = new WsConnection(socket, `${remoteAddress}:${String(remotePort)}`);
    connection.attach(onConnection(connection));
    connection.opened();
  });

  const { port } = server.address() as AddressInfo;
  return {
    address: { host: address.host, port },
    close: async () => {
      sockets.close();
      // Its callback would wait for the accepted connections, which are their owners' to close.
      server.close();
      server.closeAllConnections();
    },
  };
}

function startListening(server: Server, { host, port }: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const place = `${host}:${String(port)}`;
      reject(
        error.code === 'EADDRINUSE'
          ? new TrefoilError('PortInUse', `Something listens on ${place} already.`, { cause: error })
          : new TrefoilError('ConfigInvalid', `Cannot listen on ${place}: ${error.message}`, {
              cause: error,
            }),
      );
    });
    server.listen(port, host, () => {
      server.removeAllListeners('error');
      resolve();
    });
  });
}

function connect(address: Address, handlers: ConnectionHandlers, timeoutMs: number): Connection {
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  const place = `${host}:${String(address.port)}`;
  let socket: WebSocket;
  try {
    const options = { ...SOCKET_OPTIONS, generateMask: NO_MASK, followRedirects: false };
    socket = new WebSocket(`ws://${place}/`, options);
  } catch {
    return refused(place, handlers);
  }
  const connection = new WsConnection(socket, place);
  connection.attach(handlers);
  connection.limitConnecting(timeoutMs);
  return connection;
}

/** For an address that cannot be one: says so as any failed connect does, after the call. */
function refused(place: string, handlers: ConnectionHandlers): Connection {
  let told = false;
  const tell = (reason: string): void => {
    if (told) return;
    told = true;
    setImmediate(() => {
      handlers.onClose(reason);
    });
  };
  tell(`${place} is not an address`);
  return {
    remote: place,
    send: () => undefined,
    bufferedBytes: () => 0,
    close: tell,
    destroy: tell,
  };
}

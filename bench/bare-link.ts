/**
 * One WebSocket of the bare pipeline, for its nodes and its client alike: messages posted during a tick leave
 * as one msgpack array at its end. Nothing else: no checksum, no check of what arrives, no heartbeat.
 */
import { Packr } from 'msgpackr';
import { WebSocket } from 'ws';

const packr = new Packr({ useRecords: false });

/** What a message asks or answers. */
export const BARE = {
  /** [PUT, id, key, value] by a client; answered by [DONE, id]. */
  PUT: 1,
  /** [GET, id, key] by a client; answered by [VALUE, id, value or null]. */
  GET: 2,
  /** [STORE, id, key, value] by a coordinator; answered by [DONE, id]. */
  STORE: 3,
  /** [FETCH, id, key] by a coordinator; answered by [VALUE, id, value or null]. */
  FETCH: 4,
  DONE: 5,
  VALUE: 6,
} as const;

/** `[kind, id, ...]` */
export type BareMessage = readonly [
  kind: number,
  id: number,
  keyOrValue?: string | Uint8Array | null,
  value?: Uint8Array,
];

/** As `src/adapters/ws-network.ts` has them: no compression, and a mask of zeros, which ws skips. */
export const WEBSOCKET_OPTIONS = { perMessageDeflate: false, maxPayload: 64 * 1024 * 1024 } as const;

export class BareLink {
  readonly #socket: WebSocket;
  #waiting: BareMessage[] = [];
  #flushAsked = false;

  /** `onMessage` is called for each message, in order. */
  constructor(socket: WebSocket, onMessage: (message: BareMessage, link: BareLink) => void) {
    this.#socket = socket;
    socket.on('message', (data: Buffer) => {
      for (const message of packr.unpack(data) as BareMessage[]) onMessage(message, this);
    });
    // What breaks a link ends it; whoever needs it notices by the close.
    socket.on('error', () => undefined);
  }

  /** Resolves when the connection is open, rejects when it closes before. */
  opened(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.once('open', resolve);
      this.#socket.once('close', () => reject(new Error('the connection could not be opened')));
    });
  }

  onClose(run: () => void): void {
    this.#socket.once('close', run);
  }

  post(message: BareMessage): void {
    this.#waiting.push(message);
    if (this.#flushAsked) return;
    this.#flushAsked = true;
    setImmediate(() => {
      this.#flushAsked = false;
      const messages = this.#waiting;
      this.#waiting = [];
      if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(packr.pack(messages));
    });
  }

  close(): void {
    this.#socket.close();
  }
}

/** Connects to a node of the bare pipeline. */
export async function dialBare(
  port: number,
  onMessage: (message: BareMessage, link: BareLink) => void,
): Promise<BareLink> {
  const link = new BareLink(
    new WebSocket(`ws://127.0.0.1:${port}`, {
      ...WEBSOCKET_OPTIONS,
      generateMask: (mask) => void mask.fill(0),
    }),
    onMessage,
  );
  await link.opened();
  return link;
}

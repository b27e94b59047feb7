/**
 * One WebSocket as a `Connection`. It adds to ws what the contract asks for: frames may be queued before the
 * connection is open, nothing is received after a close from this side, `onClose` comes once and says
 * why, and neither connecting nor closing takes for ever.
 */
import { WebSocket, type RawData } from 'ws';
import type { Connection, ConnectionHandlers } from '../runtime/runtime.js';

/** How long a close waits for what is queued and for the other side's answer. */
const CLOSE_MS_MAX = 5_000;

/** WebSocket close codes (RFC 6455, section 7.4.1). */
const CLOSE_NORMAL = 1000;
const CLOSE_UNSUPPORTED_DATA = 1003;
const CLOSE_TOO_LARGE = 1009;

/** Bytes of UTF-8 that a close frame has for its reason. */
const CLOSE_REASON_BYTES_MAX = 123;

export class WsConnection implements Connection {
  readonly remote: string;
  readonly #socket: WebSocket;
  #handlers: ConnectionHandlers | undefined;
  /** Frames that wait for the connection to open; undefined once it has. */
  #waiting: Uint8Array[] | undefined;
  #waitingBytes = 0;
  /** Why this side closed, once it has: from then on nothing is sent or received. */
  #closing: string | undefined;
  #failure: string | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** `remote` names the other side for people. Give it its handlers by `attach` before the event loop goes on. */
  constructor(socket: WebSocket, remote: string) {
    this.#socket = socket;
    this.remote = remote;
    if (socket.readyState === WebSocket.CONNECTING) this.#waiting = [];
    socket.on('error', (error) => {
      this.#failure ??= describeFailure(error);
    });
  }

  attach(handlers: ConnectionHandlers): void {
    this.#handlers = handlers;
    this.#socket.on('open', () => {
      this.opened();
    });
    this.#socket.on('message', (data, isBinary) => {
      this.#onMessage(data, isBinary);
    });
    this.#socket.on('close', (code, reason) => {
      clearTimeout(this.#timer);
      handlers.onClose(this.#closing ?? this.#failure ?? describeClose(code, reason.toString()));
    });
  }

  /** It can be sent on. */
  opened(): void {
    if (this.#closing !== undefined) return;
    clearTimeout(this.#timer);
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    this.#waitingBytes = 0;
    for (const frame of waiting) this.send(frame);
    this.#handlers?.onOpen?.();
  }

  limitConnecting(timeoutMs: number): void {
    this.#timer = setTimeout(() => {
      this.destroy('connect timed out');
    }, timeoutMs);
  }

  send(frame: Uint8Array): void {
    if (this.#closing !== undefined) return;
    if (this.#waiting !== undefined) {
      this.#waiting.push(frame);
      this.#waitingBytes += frame.length;
    } else if (this.#socket.readyState === WebSocket.OPEN) {
      this.#socket.send(frame, { binary: true, compress: false });
    }
  }

  bufferedBytes(): number {
    return this.#waitingBytes + this.#socket.bufferedAmount;
  }

  close(reason: string): void {
    this.#closeWith(CLOSE_NORMAL, reason);
  }

  destroy(reason: string): void {
    this.#closing ??= reason;
    clearTimeout(this.#timer);
    this.#socket.terminate();
  }

  #closeWith(code: number, reason: string): void {
    if (this.#closing !== undefined) return;
    if (this.#waiting !== undefined) {
      this.destroy(reason);
      return;
    }
    this.#closing = reason;
    this.#socket.close(code, truncate(reason));
    this.#timer = setTimeout(() => {
      this.#socket.terminate();
    }, CLOSE_MS_MAX);
    this.#timer.unref();
  }

  #onMessage(data: RawData, isBinary: boolean): void {
    if (this.#closing !== undefined) return;
    if (isBinary) this.#handlers?.onFrame(data as Buffer);
    else this.#closeWith(CLOSE_UNSUPPORTED_DATA, 'text frames are not accepted');
  }
}

function describeFailure(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'ECONNREFUSED':
      return 'connection refused';
    case 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH':
      return 'the frame is too large';
    default:
      return error.message === '' ? (error.code ?? 'connection failed') : error.message;
  }
}

function describeClose(code: number, reason: string): string {
  if (reason !== '') return reason;
  if (code === CLOSE_TOO_LARGE) return 'the frame is too large';
  return code === CLOSE_NORMAL ? 'closed' : 'connection lost';
}

/** Cuts a reason to what a close frame takes, between characters. */
function truncate(reason: string): string {
  const bytes = Buffer.from(reason);
  if (bytes.length <= CLOSE_REASON_BYTES_MAX) return reason;
  return new TextDecoder().decode(bytes.subarray(0, CLOSE_REASON_BYTES_MAX), { stream: true });
}

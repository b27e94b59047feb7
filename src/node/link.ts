/**
 * One connection as a node uses it: messages posted during a turn leave as one frame at its end.
 *
 * A reader that falls behind is bounded by bytes: a peer loses messages (they are all retried, hinted or
 * repaired), a client loses its connection.
 */
import { asTrefoilError, type TrefoilError } from '../core/errors.js';
import {
  CLIENT_BUFFERED_BYTES_MAX,
  ERROR_MESSAGE_LENGTH_MAX,
  FRAME_BYTES_TARGET,
  PEER_BUFFERED_BYTES_MAX,
} from '../core/limits.js';
import { encodeFrames } from '../protocol/codec.js';
import type { Message, WireError } from '../protocol/messages.js';
import type { Connection } from '../runtime/runtime.js';
import type { Counters } from './counters.js';

export class Link {
  readonly connection: Connection;
  readonly #counters: Counters;
  readonly #waiting: Message[] = [];
  readonly #dirty: Set<Link>;
  #role: 'peer' | 'client' = 'client';

  /** `dirty` gathers the links that have something to send when the turn ends. */
  constructor(connection: Connection, counters: Counters, dirty: Set<Link>) {
    this.connection = connection;
    this.#counters = counters;
    this.#dirty = dirty;
  }

  becomePeer(): void {
    this.#role = 'peer';
  }

  post(message: Message): void {
    this.#waiting.push(message);
    this.#dirty.add(this);
  }

  /** Sends what was posted. */
  flush(): void {
    this.#dirty.delete(this);
    if (this.#waiting.length === 0) return;
    const messages = this.#waiting.splice(0);
    if (this.#fallsBehind(messages.length)) return;
    for (const frame of this.#encode(messages)) {
      this.#counters.add('frames_sent');
      this.connection.send(frame);
    }
  }

  /** Says why, then closes. */
  refuse(error: TrefoilError): void {
    this.post({ type: 'refused', error: wireError(error) });
    this.flush();
    this.connection.close(`${error.code}: ${error.message}`.slice(0, 120));
  }

  /** One message that fits no frame must not take the others with it. */
  #encode(messages: readonly Message[]): Uint8Array[] {
    try {
      return encodeFrames(messages, FRAME_BYTES_TARGET);
    } catch (error) {
      const refusal = asTrefoilError(error);
      if (refusal.code !== 'FrameTooLarge') throw error;
      if (messages.length > 1) return messages.flatMap((message) => this.#encode([message]));
      this.#counters.add('messages_too_large');
      const [message] = messages;
      if (message?.type !== 'response') return [];
      return this.#encode([{ ...message, result: wireError(refusal) }]);
    }
  }

  #fallsBehind(messages: number): boolean {
    const buffered = this.connection.bufferedBytes();
    if (this.#role === 'peer') {
      if (buffered <= PEER_BUFFERED_BYTES_MAX) return false;
      this.#counters.add('messages_dropped', messages);
      return true;
    }
    if (buffered <= CLIENT_BUFFERED_BYTES_MAX) return false;
    this.#counters.add('slow_clients_closed');
    this.connection.destroy('the client reads too slowly');
    return true;
  }
}

/** An error as it travels, the text that it quotes bounded; the `StaleMap` answer adds its map. */
export function wireError(error: TrefoilError): WireError {
  return {
    code: error.code,
    message: error.message.slice(0, ERROR_MESSAGE_LENGTH_MAX),
    outcome: error.outcome,
    retryAfterMs: error.retryAfterMs ?? 0,
    map: null,
    leader: error.leader ?? null,
  };
}

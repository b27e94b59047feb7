/**
 * Accepts connections: greets or refuses them, hands peers' messages to the queue and clients' requests to
 * admission. A frame that cannot be understood is answered with its error and the connection closed; it
 * never costs more than that connection.
 */
import { sameMap } from '../cluster/build-map.js';
import type { ClusterMap } from '../cluster/cluster-map.js';
import { asTrefoilError, TrefoilError } from '../core/errors.js';
import { nodeId, type NodeId } from '../core/ids.js';
import { CONNECTION_SILENCE_MS_MAX, CONNECTIONS_MAX, HELLO_MS_MAX } from '../core/limits.js';
import { decodeFrame } from '../protocol/codec.js';
import { PROTOCOL_VERSION, type Hello, type Message } from '../protocol/messages.js';
import type { Cancel, Connection, ConnectionHandlers, NodeRuntime } from '../runtime/runtime.js';
import type { Counters } from './counters.js';
import { Link } from './link.js';
import type { Requests } from './requests.js';
import type { UpdateQueue } from './update-queue.js';

interface Accepted {
  readonly link: Link;
  /** undefined until the hello. */
  from: { readonly role: 'client' } | { readonly role: 'node'; readonly id: NodeId } | undefined;
  readonly openedMs: number;
  heardMs: number;
}

export interface ServerSetup {
  readonly runtime: NodeRuntime;
  readonly self: NodeId;
  readonly map: ClusterMap;
  readonly credentials: string;
  readonly counters: Counters;
  readonly queue: UpdateQueue;
  readonly requests: Requests;
  readonly dirty: Set<Link>;
  /** JSON text for a `status` request. */
  readonly status: () => string;
  readonly onPeerGreeted: (peer: NodeId) => void;
}

export class Server {
  readonly #setup: ServerSetup;
  readonly #accepted = new Set<Accepted>();
  #sweep: Cancel = () => undefined;
  #closing = false;

  constructor(setup: ServerSetup) {
    this.#setup = setup;
  }

  get size(): number {
    return this.#accepted.size;
  }

  start(): void {
    this.#armSweep();
  }

  accept(connection: Connection): ConnectionHandlers {
    const { counters, dirty, runtime } = this.#setup;
    const nowMs = runtime.clock.monotonicMs();
    const link = new Link(connection, counters, dirty);
    const accepted: Accepted = { link, from: undefined, openedMs: nowMs, heardMs: nowMs };
    this.#accepted.add(accepted);
    if (this.#accepted.size > CONNECTIONS_MAX)
      link.refuse(new TrefoilError('Overloaded', 'too many connections'));
    else if (this.#closing) link.refuse(new TrefoilError('ShuttingDown', 'the node is stopping'));
    return {
      onFrame: (frame) => this.#received(accepted, frame),
      onClose: () => this.#closed(accepted),
    };
  }

  /** Tells clients to go elsewhere; their open requests are still answered. */
  sayGoodbye(reason: string): void {
    this.#closing = true;
    for (const { link, from } of this.#accepted) {
      if (from?.role !== 'client') continue;
      link.post({ type: 'goodbye', reason });
      link.flush();
    }
  }

  closeAll(reason: string): void {
    this.#sweep();
    for (const { link } of this.#accepted) {
      link.flush();
      link.connection.close(reason);
    }
  }

  #received(accepted: Accepted, frame: Uint8Array): void {
    if (!this.#accepted.has(accepted)) return;
    accepted.heardMs = this.#setup.runtime.clock.monotonicMs();
    let messages: Message[];
    try {
      messages = decodeFrame(frame);
    } catch (error) {
      this.#setup.counters.add('frames_malformed');
      this.#drop(accepted, asTrefoilError(error));
      return;
    }
    for (const message of messages) if (!this.#handle(accepted, message)) return;
    accepted.link.flush();
  }

  /** False once the connection has been refused. */
  #handle(accepted: Accepted, message: Message): boolean {
    const { from, link } = accepted;
    if (from === undefined) {
      if (message.type === 'hello') return this.#greet(accepted, message);
      return this.#drop(accepted, new TrefoilError('MalformedFrame', 'a connection must begin with hello'));
    }
    switch (message.type) {
      case 'ping':
        link.post({ type: 'pong', nonce: message.nonce });
        link.flush();
        return true;
      case 'pong':
        return true;
      case 'goodbye':
        return true;
      case 'request': {
        const { operation } = message;
        if (operation.type === 'status') {
          link.post({
            type: 'response',
            id: message.id,
            result: { type: 'status-result', status: this.#setup.status() },
          });
          link.flush();
        } else {
          this.#setup.requests.take(link, message, operation);
        }
        return true;
      }
      case 'replica':
        if (from.role !== 'node') break;
        this.#setup.queue.enqueue(message.group, {
          type: 'message',
          from: from.id,
          message: message.message,
        });
        return true;
      default:
        break;
    }
    return this.#drop(
      accepted,
      new TrefoilError('MalformedFrame', `a ${from.role} may not send ${message.type} here`),
    );
  }

  #greet(accepted: Accepted, hello: Hello): boolean {
    const { map, self } = this.#setup;
    const refusal = this.#refusal(hello);
    if (refusal !== null) return this.#drop(accepted, refusal);
    if (hello.role === 'node') {
      accepted.from = { role: 'node', id: nodeId(hello.id) };
      accepted.link.becomePeer();
    } else {
      accepted.from = { role: 'client' };
    }
    const known = hello.mapEpoch === map.epoch && hello.mapHash === map.hash;
    accepted.link.post({
      type: 'welcome',
      protocol: PROTOCOL_VERSION,
      cluster: map.cluster,
      node: self,
      map: known ? null : map,
    });
    accepted.link.flush();
    if (accepted.from.role === 'node') this.#setup.onPeerGreeted(accepted.from.id);
    return true;
  }

  #refusal(hello: Hello): TrefoilError | null {
    const { map, self, credentials } = this.#setup;
    if (hello.protocol !== PROTOCOL_VERSION) {
      return new TrefoilError(
        'UnsupportedProtocol',
        `node ${self} speaks protocol ${PROTOCOL_VERSION}, the other side ${hello.protocol}`,
      );
    }
    if (hello.cluster !== map.cluster && !(hello.role === 'client' && hello.cluster === '')) {
      return new TrefoilError('WrongCluster', `this is cluster ${map.cluster}, not ${hello.cluster}`);
    }
    if (hello.credentials !== credentials) {
      return new TrefoilError('NotAuthorized', `cluster ${map.cluster} does not accept these credentials`);
    }
    if (hello.role === 'client') return null;
    if (hello.id === self || !map.nodes.some((node) => node.id === hello.id)) {
      return new TrefoilError('MapConflict', `node ${hello.id} is not a peer of ${self} in this map`);
    }
    const theirs = { epoch: hello.mapEpoch, hash: hello.mapHash };
    if (theirs.epoch === map.epoch && !sameMap(theirs, map)) {
      return new TrefoilError(
        'MapConflict',
        `nodes ${self} and ${hello.id} have different maps of the same epoch ${map.epoch}`,
      );
    }
    return null;
  }

  #drop(accepted: Accepted, error: TrefoilError): false {
    this.#accepted.delete(accepted);
    this.#setup.requests.dropLink(accepted.link);
    accepted.link.refuse(error);
    return false;
  }

  #closed(accepted: Accepted): void {
    this.#setup.dirty.delete(accepted.link);
    if (this.#accepted.delete(accepted)) this.#setup.requests.dropLink(accepted.link);
  }

  /** Closes what has gone silent, and what never said hello. */
  #armSweep(): void {
    const { clock, timers } = this.#setup.runtime;
    this.#sweep = timers.after(HELLO_MS_MAX, () => {
      const nowMs = clock.monotonicMs();
      for (const accepted of this.#accepted) {
        const silent = nowMs - accepted.heardMs > CONNECTION_SILENCE_MS_MAX;
        const mute = accepted.from === undefined && nowMs - accepted.openedMs > HELLO_MS_MAX;
        if (silent || mute) accepted.link.connection.destroy(silent ? 'silent for too long' : 'no hello');
      }
      this.#armSweep();
    });
  }
}

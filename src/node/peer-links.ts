/**
 * The links to the other nodes: dialled from here, greeted, pinged, dialled again when lost.
 *
 * Each pair of nodes has two links, one dialled from each side; a node sends its messages on its own. A peer
 * counts as reachable while its link has been welcomed and the phi-accrual detector trusts its pongs. Until
 * then a deadline watches the link: it may have gone half-open before anything was heard on it.
 */
import { FailureDetector } from '../cluster/failure-detector.js';
import type { ClusterMap, NodeEntry } from '../cluster/cluster-map.js';
import { asTrefoilError } from '../core/errors.js';
import type { NodeId } from '../core/ids.js';
import { HEARTBEAT_MS, RECONNECT_MS_MAX, RECONNECT_MS_MIN, WELCOME_MS_MAX } from '../core/limits.js';
import { decodeFrame } from '../protocol/codec.js';
import { PROTOCOL_VERSION, type Message, type ReplicaMessage } from '../protocol/messages.js';
import type { Cancel, NodeRuntime } from '../runtime/runtime.js';
import type { Counters } from './counters.js';
import { Link } from './link.js';
import type { PeerStatus } from './node-status.js';

const DETECTOR = {
  expectedIntervalMs: HEARTBEAT_MS,
  stdDevMsMin: 100,
  acceptablePauseMs: 1_000,
  threshold: 8,
};

export interface PeerHandlers {
  readonly onUp: (peer: NodeId) => void;
  readonly onDown: (peer: NodeId) => void;
}

interface Peer {
  readonly node: NodeEntry;
  link: Link | undefined;
  welcomed: boolean;
  /** Ends a dial that is not welcomed in time. */
  welcomeDeadline: Cancel;
  /** From when on a greeting of the peer replaces a dial that is not welcomed yet. */
  replaceAfterMs: number;
  detector: FailureDetector;
  reconnectMs: number;
  pingedAtMs: number;
  rttMs: number;
  lastRefusal: string;
}

export class PeerLinks {
  readonly #runtime: NodeRuntime;
  readonly #self: NodeId;
  readonly #map: ClusterMap;
  readonly #credentials: string;
  readonly #counters: Counters;
  readonly #handlers: PeerHandlers;
  readonly #dirty: Set<Link>;
  readonly #peers = new Map<NodeId, Peer>();
  readonly #dials = new Set<Cancel>();
  #heartbeat: Cancel = () => undefined;
  #stopped = false;
  #nonce = 0;

  constructor(
    runtime: NodeRuntime,
    self: NodeId,
    map: ClusterMap,
    credentials: string,
    counters: Counters,
    dirty: Set<Link>,
    handlers: PeerHandlers,
  ) {
    this.#runtime = runtime;
    this.#self = self;
    this.#map = map;
    this.#credentials = credentials;
    this.#counters = counters;
    this.#dirty = dirty;
    this.#handlers = handlers;
  }

  start(): void {
    for (const node of this.#map.nodes) {
      if (node.id === this.#self) continue;
      const peer: Peer = {
        node,
        link: undefined,
        welcomed: false,
        welcomeDeadline: () => undefined,
        replaceAfterMs: Infinity,
        detector: new FailureDetector(DETECTOR),
        reconnectMs: RECONNECT_MS_MIN,
        pingedAtMs: 0,
        rttMs: 0,
        lastRefusal: '',
      };
      this.#peers.set(node.id, peer);
      this.#dial(peer);
    }
    this.#beat();
  }

  stop(): void {
    this.#stopped = true;
    this.#heartbeat();
    for (const cancel of this.#dials) cancel();
    for (const peer of this.#peers.values()) {
      peer.welcomeDeadline();
      peer.link?.connection.close('the node stops');
    }
  }

  reachable(peer: NodeId): boolean {
    return this.#peers.get(peer)?.welcomed === true;
  }

  send(to: NodeId, message: ReplicaMessage): void {
    const peer = this.#peers.get(to);
    if (peer?.link === undefined || !peer.welcomed) this.#counters.add('messages_dropped');
    else peer.link.post(message);
  }

  /**
   * A node that was away has greeted us: no need to wait out the pause before the next dial, nor a dial that found
   * it away. Such a dial is replaced once only: two nodes that greet each other at the same time would never be done.
   */
  peerGreeted(id: NodeId): void {
    const peer = this.#peers.get(id);
    if (peer === undefined || peer.welcomed || this.#stopped) return;
    const stale = peer.link;
    if (stale !== undefined && this.#runtime.clock.monotonicMs() < peer.replaceAfterMs) return;
    peer.link = undefined;
    peer.reconnectMs = RECONNECT_MS_MIN;
    this.#dial(peer);
    if (stale === undefined) return;
    peer.replaceAfterMs = Infinity;
    this.#dirty.delete(stale);
    stale.connection.destroy('the peer has greeted us since');
  }

  statuses(): PeerStatus[] {
    const nowMs = this.#runtime.clock.monotonicMs();
    return [...this.#peers.values()].map((peer) => ({
      node: peer.node.id,
      reachable: peer.welcomed,
      phi: Math.min(1000, Math.round(peer.detector.phi(nowMs) * 10) / 10),
      rttMs: Math.round(peer.rttMs * 100) / 100,
    }));
  }

  #dial(peer: Peer): void {
    if (this.#stopped || peer.link !== undefined) return;
    const { host, port } = peer.node;
    const connection = this.#runtime.network.connect(
      { host, port },
      {
        onOpen: () => this.#greet(peer, link),
        onFrame: (frame) => this.#received(peer, link, frame),
        onClose: (reason) => this.#lost(peer, link, reason),
      },
    );
    const link = new Link(connection, this.#counters, this.#dirty);
    link.becomePeer();
    peer.link = link;
    peer.replaceAfterMs = this.#runtime.clock.monotonicMs() + HEARTBEAT_MS;
    peer.welcomeDeadline();
    peer.welcomeDeadline = this.#runtime.timers.after(WELCOME_MS_MAX, () => {
      connection.destroy('the peer did not welcome us in time');
    });
  }

  #greet(peer: Peer, link: Link): void {
    if (peer.link !== link) return;
    link.post({
      type: 'hello',
      protocol: PROTOCOL_VERSION,
      cluster: this.#map.cluster,
      role: 'node',
      id: this.#self,
      credentials: this.#credentials,
      mapEpoch: this.#map.epoch,
      mapHash: this.#map.hash,
    });
    link.flush();
  }

  #received(peer: Peer, link: Link, frame: Uint8Array): void {
    if (peer.link !== link) return;
    try {
      for (const message of decodeFrame(frame)) this.#handle(peer, message);
    } catch (error) {
      this.#counters.add('frames_malformed');
      link.connection.destroy(asTrefoilError(error).message);
    }
  }

  /** On a link that we dialled the other side only greets, refuses and pongs. */
  #handle(peer: Peer, message: Message): void {
    switch (message.type) {
      case 'welcome':
        this.#up(peer);
        return;
      case 'pong':
        peer.detector.heartbeat(this.#runtime.clock.monotonicMs());
        peer.rttMs = this.#runtime.clock.monotonicMs() - peer.pingedAtMs;
        return;
      case 'refused':
        this.#refused(peer, `${message.error.code}: ${message.error.message}`);
        return;
      default:
        return;
    }
  }

  #refused(peer: Peer, reason: string): void {
    peer.reconnectMs = RECONNECT_MS_MAX;
    if (peer.lastRefusal === reason) return;
    peer.lastRefusal = reason;
    this.#runtime.log.write('error', 'a peer refuses this node', { peer: peer.node.id, reason });
  }

  #up(peer: Peer): void {
    if (peer.welcomed) return;
    peer.welcomed = true;
    peer.welcomeDeadline();
    peer.lastRefusal = '';
    peer.reconnectMs = RECONNECT_MS_MIN;
    peer.detector = new FailureDetector(DETECTOR);
    peer.detector.heartbeat(this.#runtime.clock.monotonicMs());
    this.#runtime.log.write('info', 'peer up', { peer: peer.node.id });
    this.#handlers.onUp(peer.node.id);
  }

  #lost(peer: Peer, link: Link, reason: string): void {
    if (peer.link !== link) return;
    peer.link = undefined;
    peer.welcomeDeadline();
    this.#dirty.delete(link);
    if (peer.welcomed) {
      peer.welcomed = false;
      this.#runtime.log.write('info', 'peer down', { peer: peer.node.id, reason });
      this.#handlers.onDown(peer.node.id);
    }
    if (this.#stopped) return;
    const jitterMs = this.#runtime.random.integer(Math.max(1, Math.floor(peer.reconnectMs / 2)));
    const cancel = this.#runtime.timers.after(peer.reconnectMs + jitterMs, () => {
      this.#dials.delete(cancel);
      this.#dial(peer);
    });
    this.#dials.add(cancel);
    peer.reconnectMs = Math.min(RECONNECT_MS_MAX, peer.reconnectMs * 2);
  }

  #beat(): void {
    if (this.#stopped) return;
    const nowMs = this.#runtime.clock.monotonicMs();
    for (const peer of this.#peers.values()) {
      if (!peer.welcomed || peer.link === undefined) continue;
      if (!peer.detector.available(nowMs)) {
        peer.link.connection.destroy('the peer is silent');
        continue;
      }
      peer.pingedAtMs = nowMs;
      peer.link.post({ type: 'ping', nonce: this.#nonce++ % 2 ** 31 });
      peer.link.flush();
    }
    this.#heartbeat = this.#runtime.timers.after(HEARTBEAT_MS, () => this.#beat());
  }
}

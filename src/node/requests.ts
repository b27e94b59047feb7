/**
 * Clients' requests: checked and admitted here once, open until answered.
 *
 * What is refused is refused early and cheaply, before a replica is stepped: bad input, a stale map, a key
 * that lives elsewhere, a deadline already past, too much in flight.
 */
import { findNamespace, replicasOf, type ClusterMap } from '../cluster/cluster-map.js';
import { TrefoilError } from '../core/errors.js';
import { groupId, type GroupId, type NodeId } from '../core/ids.js';
import {
  OVERLOADED_RETRY_AFTER_MS,
  REQUEST_TIMEOUT_MS_MAX,
  REQUESTS_IN_FLIGHT_MAX,
  REQUESTS_PER_CONNECTION_MAX,
} from '../core/limits.js';
import type { ClientRequest, ClientResult } from '../protocol/messages.js';
import type { ReplicaOperation, RequestHandle } from '../replication/strategy.js';
import type { Clock } from '../runtime/runtime.js';
import { checkedPartition } from './checked-operation.js';
import type { Counters } from './counters.js';
import { wireError, type Link } from './link.js';
import type { UpdateQueue } from './update-queue.js';

interface OpenRequest {
  readonly link: Link;
  readonly id: number;
  readonly group: GroupId;
}

export class Requests {
  readonly #self: NodeId;
  readonly #map: ClusterMap;
  readonly #clock: Clock;
  readonly #counters: Counters;
  readonly #queue: UpdateQueue;
  readonly #open = new Map<RequestHandle, OpenRequest>();
  readonly #perLink = new Map<Link, Set<RequestHandle>>();
  readonly #inFlightMax: number;
  #nextHandle: RequestHandle = 1;
  #draining = false;
  #onDrained: (() => void) | undefined;

  constructor(
    self: NodeId,
    map: ClusterMap,
    clock: Clock,
    counters: Counters,
    queue: UpdateQueue,
    inFlightMax = REQUESTS_IN_FLIGHT_MAX,
  ) {
    this.#self = self;
    this.#map = map;
    this.#clock = clock;
    this.#counters = counters;
    this.#queue = queue;
    this.#inFlightMax = inFlightMax;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Takes a request, or answers it with what refuses it. */
  take(link: Link, request: ClientRequest, operation: ReplicaOperation): void {
    try {
      const group = this.#admit(link, request, operation);
      const handle = this.#nextHandle++;
      this.#open.set(handle, { link, id: request.id, group });
      this.#ofLink(link).add(handle);
      this.#counters.add('requests');
      this.#queue.enqueue(group, {
        type: 'request',
        request: handle,
        operation,
        deadlineMs: this.#clock.monotonicMs() + Math.min(request.budgetMs, REQUEST_TIMEOUT_MS_MAX),
        explain: request.explain,
      });
    } catch (error) {
      if (!(error instanceof TrefoilError)) throw error;
      this.#refuse(link, request.id, error);
    }
  }

  /** Answers a request, unless its client has gone. */
  reply(handle: RequestHandle, result: ClientResult | TrefoilError): void {
    const request = this.#open.get(handle);
    if (request === undefined) return;
    this.#open.delete(handle);
    this.#perLink.get(request.link)?.delete(handle);
    const answer = result instanceof TrefoilError ? wireError(result) : result;
    request.link.post({ type: 'response', id: request.id, result: answer });
    if (this.#draining && this.#open.size === 0) this.#onDrained?.();
  }

  /** A client has gone: nobody waits for its answers. */
  dropLink(link: Link): void {
    for (const handle of this.#perLink.get(link) ?? []) {
      const request = this.#open.get(handle);
      this.#open.delete(handle);
      if (request !== undefined) this.#queue.enqueue(request.group, { type: 'cancelled', request: handle });
    }
    this.#perLink.delete(link);
    if (this.#draining && this.#open.size === 0) this.#onDrained?.();
  }

  /** Answers everything that is open with the same error. */
  failAll(error: TrefoilError): void {
    for (const handle of [...this.#open.keys()]) this.reply(handle, error);
  }

  /** Refuses what is new from here on; calls back once nothing is open. */
  drain(onDrained: () => void): void {
    this.#draining = true;
    this.#onDrained = onDrained;
    if (this.#open.size === 0) onDrained();
  }

  #admit(link: Link, request: ClientRequest, operation: ReplicaOperation): GroupId {
    if (this.#draining) throw new TrefoilError('ShuttingDown', `node ${this.#self} is stopping`);
    if (request.budgetMs <= 0) throw new TrefoilError('DeadlineExceeded', 'the time was over on arrival');
    this.#checkLoad(link);
    if (request.epoch < this.#map.epoch) {
      throw new TrefoilError(
        'StaleMap',
        `the map has epoch ${this.#map.epoch}, the request ${request.epoch}`,
      );
    }
    const namespace = findNamespace(this.#map, request.namespace);
    if (namespace === undefined) {
      throw new TrefoilError(
        'UnknownNamespace',
        `there is no namespace ${JSON.stringify(request.namespace)}`,
      );
    }
    const partition = checkedPartition(operation, namespace.entry.partitions);
    if (!replicasOf(this.#map, namespace.index, partition).includes(this.#self)) {
      throw new TrefoilError(
        'NotReplica',
        `node ${this.#self} holds no copy of ${request.namespace}/${partition}`,
      );
    }
    return groupId(namespace.entry.name, partition);
  }

  #checkLoad(link: Link): void {
    const refused = this.#queue.refusesRequests;
    if (refused !== null && refused !== 'Overloaded') {
      throw new TrefoilError(refused, `node ${this.#self} takes no requests now`);
    }
    if (
      refused === 'Overloaded' ||
      this.#open.size >= this.#inFlightMax ||
      this.#ofLink(link).size >= REQUESTS_PER_CONNECTION_MAX
    ) {
      this.#counters.add('requests_overloaded');
      throw new TrefoilError(
        'Overloaded',
        `node ${this.#self} works on ${this.#open.size} requests already`,
        {
          retryAfterMs: OVERLOADED_RETRY_AFTER_MS,
        },
      );
    }
  }

  #refuse(link: Link, id: number, error: TrefoilError): void {
    this.#counters.add('requests_refused');
    const map = error.code === 'StaleMap' || error.code === 'NotReplica' ? this.#map : null;
    link.post({ type: 'response', id, result: { ...wireError(error), map } });
  }

  #ofLink(link: Link): Set<RequestHandle> {
    let handles = this.#perLink.get(link);
    if (handles === undefined) this.#perLink.set(link, (handles = new Set()));
    return handles;
  }
}

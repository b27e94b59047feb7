/**
 * Sessions: read-your-writes and monotonic reads, by remembering per key the context of what was written
 * and read, and asking for answers that have seen it (`atLeast`).
 *
 * The memory is bounded, the least recently used context goes first. Once one of a namespace has gone,
 * a key that is not remembered may be one that was: it is then read from so many replicas that they meet
 * every write of the session (R + W > N, with the weakest W that the session used). What it had only read there is
 * forgotten with the context. Scans ask so many replicas always: see `session-scan.ts`. Rejected: refusing such reads outright, or one context joined over all keys, which could never be satisfied by one key.
 *
 * Of a leader-follower namespace it keeps one number for each partition: how far into the log it has seen. All writes of the partition up to there
 * are in an answer that has applied it, so nothing need be kept by key, and nothing evicted.
 *
 * A session never makes a write supersede anything: only the context of a read, handed on by the
 * application, does that.
 */
import { quorumSize, type LeaderlessNamespace } from '../cluster/cluster-map.js';
import { TrefoilError } from '../core/errors.js';
import { SESSION_CONTEXTS_MAX } from '../core/limits.js';
import { compareKeys } from '../core/text-order.js';
import { contextDominates, mergeContexts } from '../protocol/context-codec.js';
import { decodeValue, encodeValue } from '../protocol/value-codec.js';
import type { Session } from './api.js';

const TOKEN_VERSION = 2;

interface NamespaceMemory {
  readonly contexts: Map<string, Uint8Array>;
  /** The remembered keys where the session has last seen no value. A scan may leave them out. */
  readonly gone: Set<string>;
  evicted: boolean;
  /** The fewest replicas that a write of the session waited for; Infinity before the first. */
  weakestWrite: number;
}

export class ClientSession implements Session {
  readonly #namespaces = new Map<string, NamespaceMemory>();
  /** Every remembered key, the least recently used first: `namespace/key` to its namespace and key. */
  readonly #order = new Map<string, readonly [namespace: string, key: string]>();
  readonly #contextsMax: number;
  /** Leader-follower: by namespace, the highest index of each partition's log that the session has seen. */
  readonly #indexes = new Map<string, Map<number, number>>();

  constructor(contextsMax: number = SESSION_CONTEXTS_MAX) {
    this.#contextsMax = contextsMax;
  }

  /** A session that continues from a token. Throws `BadRequest` where the text is none. */
  static fromToken(token: string, contextsMax?: number): ClientSession {
    const session = new ClientSession(contextsMax);
    try {
      session.#load(decodeValue(Buffer.from(token, 'base64url')));
    } catch (cause) {
      throw new TrefoilError('BadRequest', 'the session token cannot be read', { cause });
    }
    return session;
  }

  token(): string {
    const namespaces = [...this.#namespaces].map(([name, memory]) => [
      name,
      memory.evicted,
      Number.isFinite(memory.weakestWrite) ? memory.weakestWrite : 0,
    ]);
    const contexts = [...this.#order.values()].map(([name, key]) => [
      name,
      key,
      this.contextOf(name, key),
      this.#namespaces.get(name)?.gone.has(key) === true,
    ]);
    const indexes = [...this.#indexes].flatMap(([name, partitions]) =>
      [...partitions].map(([partition, index]) => [name, partition, index]),
    );
    return Buffer.from(encodeValue([TOKEN_VERSION, namespaces, contexts, indexes])).toString('base64url');
  }

  /** What the session has seen of a key, or undefined. */
  contextOf(namespace: string, key: string): Uint8Array | undefined {
    return this.#namespaces.get(namespace)?.contexts.get(key);
  }

  /** Whether an answer with this context has seen all that the session has of the key. */
  satisfiedBy(namespace: string, key: string, context: Uint8Array): boolean {
    const seen = this.contextOf(namespace, key);
    return seen === undefined || contextDominates(key, context, seen);
  }

  /** How many replicas a read of a key must ask, beside what `atLeast` demands: 1 where the context is known. */
  readsNeeded(entry: LeaderlessNamespace, key: string): number {
    const memory = this.#namespaces.get(entry.name);
    if (memory === undefined || !memory.evicted || memory.contexts.has(key)) return 1;
    return this.scanReadsNeeded(entry);
  }

  /** How many replicas a scan must ask so that no key the session wrote is missing from it. */
  scanReadsNeeded(entry: LeaderlessNamespace): number {
    const weakest = this.#namespaces.get(entry.name)?.weakestWrite ?? Infinity;
    // Of a sloppy quorum one node is surely a home: the coordinator.
    const written = entry.sloppy ? 1 : Math.min(weakest, quorumSize(entry.write, entry.replicas));
    return Math.max(1, entry.replicas - written + 1);
  }

  /** The keys after `after` with the prefix that the session has seen a value of and remembers, in order. */
  valuesSeen(namespace: string, prefix: string, after: string): string[] {
    const memory = this.#namespaces.get(namespace);
    if (memory === undefined) return [];
    return [...memory.contexts.keys()]
      .filter((key) => key.startsWith(prefix) && compareKeys(key, after) > 0 && !memory.gone.has(key))
      .sort(compareKeys);
  }

  /** A read of the key gave this context, and values or none. */
  observe(namespace: string, key: string, context: Uint8Array, live = true): void {
    const memory = this.#memory(namespace);
    const seen = memory.contexts.get(key);
    // Answers may come out of order: only one that has seen all the session has can say that nothing is left.
    if (!live && (seen === undefined || contextDominates(key, context, seen))) memory.gone.add(key);
    else memory.gone.delete(key);
    const latest = seen === undefined ? context : mergeContexts(key, seen, context);
    // A copy: the context may be a view of a whole frame, which would live as long as it.
    memory.contexts.set(key, new Uint8Array(latest));
    const name = `${namespace}/${key}`;
    this.#order.delete(name);
    this.#order.set(name, [namespace, key]);
    if (this.#order.size > this.#contextsMax) this.#evict();
  }

  /** A write of the key was acknowledged by `replicas` replicas and gave this context. */
  wrote(namespace: string, key: string, context: Uint8Array, replicas: number, live = true): void {
    const memory = this.#memory(namespace);
    memory.weakestWrite = Math.min(memory.weakestWrite, replicas);
    this.observe(namespace, key, context, live);
  }

  /** How far the session has seen into the log of a leader-follower partition, or undefined. */
  indexOf(namespace: string, partition: number): number | undefined {
    return this.#indexes.get(namespace)?.get(partition);
  }

  /** An answer of a leader-follower partition knew its log up to `index`. */
  observeIndex(namespace: string, partition: number, index: number): void {
    let partitions = this.#indexes.get(namespace);
    if (partitions === undefined) this.#indexes.set(namespace, (partitions = new Map<number, number>()));
    if (index > (partitions.get(partition) ?? 0)) partitions.set(partition, index);
  }

  #evict(): void {
    const [oldest] = this.#order;
    if (oldest === undefined) return;
    const [name, [namespace, key]] = oldest;
    this.#order.delete(name);
    const memory = this.#memory(namespace);
    memory.contexts.delete(key);
    memory.gone.delete(key);
    memory.evicted = true;
  }

  #memory(namespace: string): NamespaceMemory {
    let memory = this.#namespaces.get(namespace);
    if (memory === undefined) {
      memory = { contexts: new Map(), gone: new Set(), evicted: false, weakestWrite: Infinity };
      this.#namespaces.set(namespace, memory);
    }
    return memory;
  }

  /** Takes over a decoded token. Throws on any other shape. */
  #load(decoded: unknown): void {
    const [version, namespaces, contexts, indexes] = decoded as readonly [
      unknown,
      ...(readonly unknown[][])[],
    ];
    // Version 1 knew no leaders.
    if (version !== TOKEN_VERSION && version !== 1) throw new TypeError(`token version ${String(version)}`);
    if (namespaces === undefined || contexts === undefined) throw new TypeError('a token that is too short');
    for (const [name, partition, index] of (version === 1
      ? []
      : indexes) as readonly (readonly unknown[])[]) {
      if (typeof name !== 'string' || !isCount(partition) || !isCount(index))
        throw new TypeError('an index of the token');
      this.observeIndex(name, partition, index);
    }
    for (const [name, evicted, weakest] of namespaces) {
      if (typeof name !== 'string' || typeof evicted !== 'boolean' || typeof weakest !== 'number')
        throw new TypeError('a namespace of the token');
      const memory = this.#memory(name);
      memory.evicted = evicted;
      if (weakest > 0) memory.weakestWrite = weakest;
    }
    for (const [name, key, context, gone] of contexts) {
      if (typeof name !== 'string' || typeof key !== 'string' || !(context instanceof Uint8Array))
        throw new TypeError('a context of the token');
      contextDominates(key, context, context);
      this.observe(name, key, context, gone !== true);
    }
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

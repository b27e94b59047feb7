/**
 * The calls on the keys of one namespace that all its handles share, typed or not: reads, writes and scans, with deadlines,
 * operation ids, and a session where there is one. Below the handles a value is bytes.
 *
 * What a call means is its strategy's affair: `leaderless-calls.ts`, `leader-calls.ts`.
 */
import type { LeaderFollowerNamespace, NamespaceEntry } from '../cluster/cluster-map.js';
import { TrefoilError } from '../core/errors.js';
import { partitionedPart, partitionOfKey } from '../core/hash.js';
import { checkKey } from '../core/keys.js';
import type {
  ClientOperation,
  ClientResult,
  Explanation,
  GetResult,
  PutResult,
} from '../protocol/messages.js';
import type { CallOptions, Context, ReadOptions, ScanOptions, Session, WriteOptions } from './api.js';
import type { AtomicBatch } from './atomic-batch.js';
import { checkLimit, checkScanBound, checkTimeoutMs, writeContext, writeVersion } from './call-options.js';
import type {
  CallLimits,
  CallScope,
  ChangeContent,
  DatabaseParts,
  Found,
  LevelOptions,
  PartitionTarget,
  PutContent,
} from './call-scope.js';
import { leaderRead, leaderScan, leaderWrite, leaderWriteAll } from './leader-calls.js';
import { leaderlessRead, leaderlessScan, leaderlessWrite } from './leaderless-calls.js';
import { ClientSession } from './session.js';

export class KeyCalls implements CallScope {
  readonly name: string;
  readonly parts: DatabaseParts;
  readonly session: ClientSession | undefined;

  constructor(parts: DatabaseParts, name: string, session?: ClientSession) {
    this.parts = parts;
    this.name = name;
    this.session = session;
  }

  /** The same namespace in a session. Throws `BadRequest` for what is none. */
  in(session: Session): KeyCalls {
    if (session instanceof ClientSession) return new KeyCalls(this.parts, this.name, session);
    throw new TrefoilError('BadRequest', 'in() takes what session() gave');
  }

  /** As the map has it. Throws `UnknownNamespace`. */
  get entry(): NamespaceEntry {
    return this.parts.router.namespace(this.name).entry;
  }

  deadlineMs(options: CallOptions): number {
    const { runtime, timeoutMs } = this.parts;
    return runtime.clock.monotonicMs() + checkTimeoutMs(options.timeoutMs ?? timeoutMs);
  }

  async read(
    key: string,
    options: ReadOptions,
    deadlineMs: number,
    atLeast: Uint8Array | null = null,
  ): Promise<GetResult> {
    checkKey(key);
    const { entry } = this;
    const limits = { options, deadlineMs };
    return entry.strategy === 'leaderless'
      ? leaderlessRead(this, entry, key, limits, atLeast)
      : leaderRead(this, entry, key, limits);
  }

  /** Writes a key as its options demand: on a condition, over a context. `ttlMs` of 0 is the namespace's own. */
  async put(
    key: string,
    value: Uint8Array | null,
    ttlMs: number,
    options: WriteOptions,
    deadlineMs: number,
  ): Promise<PutResult> {
    checkKey(key);
    const { entry } = this;
    const limits = { options, deadlineMs };
    if (entry.strategy === 'leaderless') {
      const context = writeContext(key, options, entry);
      const content = { type: 'put', key, value, ttlMs, context, ifVersion: null } as const;
      return leaderlessWrite(this, entry, content, limits, ({ siblings }) => value !== null || siblings > 1);
    }
    const ifVersion = writeVersion(key, options);
    const content = { type: 'put', key, value, ttlMs, context: null, ifVersion } as const;
    return leaderWrite(this, entry, content, limits);
  }

  /**
   * A write of a leaderless namespace that is put together already. `live` says by the answer whether the key has a value after it.
   * Throws `Unsupported` elsewhere.
   */
  async write(
    content: PutContent | ChangeContent,
    options: LevelOptions,
    deadlineMs: number,
    live: (result: PutResult) => boolean,
  ): Promise<PutResult> {
    checkKey(content.key);
    const { entry } = this;
    if (entry.strategy === 'leaderless') {
      return leaderlessWrite(this, entry, content, { options, deadlineMs }, live);
    }
    throw new TrefoilError('Unsupported', `namespace ${this.name} is leader-follower and holds plain values`);
  }

  /** Writes several keys of one partition, all or none. */
  putAll(
    entry: LeaderFollowerNamespace,
    { partition, puts }: AtomicBatch,
    options: LevelOptions,
    deadlineMs: number,
  ): Promise<PutResult> {
    return leaderWriteAll(this, entry, partition, puts, { options, deadlineMs });
  }

  /** The keys that have values, in key order, each as `entryOf` makes it. Bad options throw at once. */
  scan<E>(
    options: ScanOptions,
    entryOf: (key: string, found: Found) => E,
  ): AsyncGenerator<E, void, undefined> {
    const prefix = checkScanBound(options.prefix ?? '');
    const after = checkScanBound(options.after ?? '');
    return this.#scan(prefix, after, checkLimit(options.limit), options, entryOf);
  }

  async *#scan<E>(
    prefix: string,
    after: string,
    limit: number,
    options: ScanOptions,
    entryOf: (key: string, found: Found) => E,
  ): AsyncGenerator<E, void, undefined> {
    const { entry } = this;
    const merge = { partitions: scanned(prefix, entry), after, limit };
    yield* entry.strategy === 'leaderless'
      ? leaderlessScan(this, entry, prefix, merge, options, entryOf)
      : leaderScan(this, entry, prefix, merge, options, entryOf);
  }

  call<R>(
    { partition, to }: PartitionTarget,
    operation: ClientOperation,
    { options, deadlineMs }: CallLimits,
    finish: (result: ClientResult) => R,
  ): Promise<R> {
    const target = { type: 'partition', namespace: this.name, partition, to } as const;
    const { signal, explain = false } = options;
    return this.parts.caller.call({ target, operation, deadlineMs, signal, explain }, finish);
  }
}

/** The partitions that a scan visits: one where the prefix holds a whole `{tag}`. */
function scanned(prefix: string, entry: NamespaceEntry): number[] {
  if (partitionedPart(prefix).length < prefix.length) return [partitionOfKey(prefix, entry.partitions)];
  return Array.from({ length: entry.partitions }, (_, partition) => partition);
}

/** A copy: the token may be a view of a whole frame, which would live as long as it. */
export function publicContext(key: string, token: Uint8Array): Context {
  return { key, token: new Uint8Array(token) };
}

/** The explanation as results carry it: left out where none was asked for. */
export function explained(explain: Explanation | null): { readonly explain?: Explanation } {
  return explain === null ? {} : { explain };
}

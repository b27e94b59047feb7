/**
 * The calls on the keys of one namespace that all its handles share, typed or not: reads, writes and scans, with deadlines,
 * operation ids, and a session where there is one. Below the handles a value is bytes.
 *
 * A session is asked what a read must have seen and told what came back; nothing else knows it.
 */
import { quorumSize, type LeaderlessNamespace, type QuorumLevel } from '../cluster/cluster-map.js';
import { TrefoilError } from '../core/errors.js';
import { partitionedPart, partitionOfKey } from '../core/hash.js';
import { checkKey } from '../core/keys.js';
import { mergeContexts } from '../protocol/context-codec.js';
import type {
  ClientOperation,
  Explanation,
  GetResult,
  PutResult,
  ScanEntry,
  ScanResult,
  WriteOperation,
} from '../protocol/messages.js';
import type { ClientRuntime } from '../runtime/runtime.js';
import type { CallOptions, Context, ReadOptions, ScanOptions, Session, WriteOptions } from './api.js';
import { checkLevel, checkLimit, checkScanBound, checkTimeoutMs, raiseLevel } from './call-options.js';
import type { Caller } from './caller.js';
import type { KeyTurns } from './key-turns.js';
import type { Operations } from './operations.js';
import type { Router } from './router.js';
import { mergePartitions } from './scan.js';
import { scanInSession } from './session-scan.js';
import { ClientSession } from './session.js';

/** What the namespaces of one database share. */
export interface DatabaseParts {
  readonly runtime: ClientRuntime;
  readonly router: Router;
  readonly caller: Caller;
  readonly operations: Operations;
  readonly turns: KeyTurns;
  readonly timeoutMs: number;
}

/** A write as its handle knows it; level and operation id are added here. */
export type WriteContent = WriteOperation extends infer W
  ? W extends WriteOperation
    ? Omit<W, 'write' | 'operation' | 'lowestOpen' | 'attempt'>
    : never
  : never;

/** What a read gave of one key. */
export type Found = Pick<GetResult, 'values' | 'context' | 'explain'>;

export class KeyCalls {
  readonly name: string;
  readonly parts: DatabaseParts;
  readonly #session: ClientSession | undefined;

  constructor(parts: DatabaseParts, name: string, session?: ClientSession) {
    this.parts = parts;
    this.name = name;
    this.#session = session;
  }

  /** The same namespace in a session. Throws `BadRequest` for what is none. */
  in(session: Session): KeyCalls {
    if (session instanceof ClientSession) return new KeyCalls(this.parts, this.name, session);
    throw new TrefoilError('BadRequest', 'in() takes what session() gave');
  }

  /** As the map has it. Throws `UnknownNamespace`. */
  get entry(): LeaderlessNamespace {
    const { entry } = this.parts.router.namespace(this.name);
    if (entry.strategy === 'leaderless') return entry;
    throw new TrefoilError(
      'Unsupported',
      `namespace ${this.name} is leader-follower, and this client is not`,
    );
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
    const session = this.#session;
    const seen = session?.contextOf(this.name, key);
    const operation: ClientOperation = {
      type: 'get',
      key,
      read: this.#readLevel(entry, options, session?.readsNeeded(entry, key) ?? 1),
      atLeast:
        atLeast === null ? (seen ?? null) : seen === undefined ? atLeast : mergeContexts(key, seen, atLeast),
      maxStalenessMs: 0,
    };
    return this.#call(operation, partitionOfKey(key, entry.partitions), options, deadlineMs, (result) => {
      const got = result as GetResult;
      if (got.context !== null) session?.observe(this.name, key, got.context, got.values.length > 0);
      return got;
    });
  }

  /** `live` says by the answer whether the key has a value after the write. */
  async write(
    content: WriteContent,
    options: Pick<WriteOptions, 'write'> & CallOptions,
    deadlineMs: number,
    live: (result: PutResult) => boolean,
  ): Promise<PutResult> {
    const { key } = content;
    checkKey(key);
    const { entry } = this;
    const { operations } = this.parts;
    const write = checkLevel('write', options.write, entry.replicas);
    const operation = operations.open();
    const { lowestOpen } = operations;
    try {
      return await this.#call(
        { ...content, write, operation, lowestOpen, attempt: 0 },
        partitionOfKey(key, entry.partitions),
        options,
        deadlineMs,
        (result) => {
          const put = result as PutResult;
          const replicas = quorumSize(write ?? entry.write, entry.replicas);
          this.#session?.wrote(this.name, key, put.context, replicas, live(put));
          return put;
        },
      );
    } finally {
      operations.close(operation);
    }
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
    const session = this.#session;
    const read = this.#readLevel(entry, options, session?.scanReadsNeeded(entry) ?? 1);
    const fetch = (partition: number, pageAfter: string, pageLimit: number): Promise<ScanResult> => {
      const operation = {
        type: 'scan',
        partition,
        prefix,
        after: pageAfter,
        limit: pageLimit,
        read,
        atLeast: null,
        maxStalenessMs: 0,
      } as const;
      return this.#call(operation, partition, options, this.deadlineMs(options), (r) => r as ScanResult);
    };
    const readLive = async (key: string): Promise<E | undefined> => {
      const found = await this.read(key, options, this.deadlineMs(options));
      return found.values.length > 0 ? entryOf(key, found) : undefined;
    };
    const found = mergePartitions(fetch, { partitions: scanned(prefix, entry), after, limit });
    yield* scanInSession(found, {
      known: session?.valuesSeen(this.name, prefix, after) ?? [],
      limit,
      // Read again where the scan's answer is older than the session.
      take: async (next: ScanEntry) => {
        if (session?.satisfiedBy(this.name, next.key, next.context) === false) return readLive(next.key);
        session?.observe(this.name, next.key, next.context);
        return entryOf(next.key, { ...next, explain: null });
      },
      read: readLive,
    });
  }

  #call<R>(
    operation: ClientOperation,
    partition: number,
    options: CallOptions,
    deadlineMs: number,
    finish: (result: unknown) => R,
  ): Promise<R> {
    const target = { type: 'partition', namespace: this.name, partition } as const;
    const { signal, explain = false } = options;
    return this.parts.caller.call({ target, operation, deadlineMs, signal, explain }, finish);
  }

  #readLevel(entry: LeaderlessNamespace, options: ReadOptions, needed: number): QuorumLevel | null {
    const level = checkLevel('read', options.read, entry.replicas);
    return raiseLevel(level, entry.read, needed, entry.replicas);
  }
}

/** The partitions that a scan visits: one where the prefix holds a whole `{tag}`. */
function scanned(prefix: string, entry: LeaderlessNamespace): number[] {
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

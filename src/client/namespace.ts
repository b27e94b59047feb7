/**
 * A typed namespace: turns the application's calls into operations, and results into entries.
 *
 * Everything is checked and encoded here, once, before a call begins; below, a value is bytes. A session,
 * where there is one, is asked what a read must have seen and told what came back; nothing else knows it.
 */
import { quorumSize, type NamespaceEntry, type QuorumLevel } from '../cluster/cluster-map.js';
import { asTrefoilError, TrefoilError } from '../core/errors.js';
import { partitionedPart, partitionOfKey } from '../core/hash.js';
import { checkKey } from '../core/keys.js';
import { BATCH_OPERATIONS_AT_ONCE } from '../core/limits.js';
import { mergeContexts } from '../protocol/context-codec.js';
import type { ClientOperation, GetResult, PutResult, ScanEntry, ScanResult } from '../protocol/messages.js';
import type { ClientRuntime } from '../runtime/runtime.js';
import type {
  BatchOperation,
  BatchResult,
  CallOptions,
  Context,
  Entry,
  Namespace,
  ReadOptions,
  ScanOptions,
  Session,
  UpdateOptions,
  ValueCodec,
  WriteOptions,
  Written,
} from './api.js';
import {
  checkLevel,
  checkLimit,
  checkScanBound,
  checkTimeoutMs,
  checkTtlMs,
  contextToken,
  raiseLevel,
} from './call-options.js';
import type { Caller } from './caller.js';
import { decodeWith, encodeWith } from './codec.js';
import type { KeyTurns } from './key-turns.js';
import type { Operations } from './operations.js';
import { pauseMs } from './retry.js';
import type { Router } from './router.js';
import { mergePartitions } from './scan.js';
import { scanInSession } from './session-scan.js';
import { ClientSession } from './session.js';
import { latest, runUpdate } from './update.js';

/** What the namespaces of one database share. */
export interface DatabaseParts {
  readonly runtime: ClientRuntime;
  readonly router: Router;
  readonly caller: Caller;
  readonly operations: Operations;
  readonly turns: KeyTurns;
  readonly timeoutMs: number;
}

export class NamespaceHandle<T> implements Namespace<T> {
  readonly name: string;
  readonly #parts: DatabaseParts;
  readonly #codec: ValueCodec<T>;
  readonly #session: ClientSession | undefined;

  constructor(parts: DatabaseParts, name: string, codec: ValueCodec<T>, session?: ClientSession) {
    this.name = name;
    this.#parts = parts;
    this.#codec = codec;
    this.#session = session;
  }

  in(session: Session): Namespace<T> {
    if (session instanceof ClientSession)
      return new NamespaceHandle(this.#parts, this.name, this.#codec, session);
    throw new TrefoilError('BadRequest', 'in() takes what session() gave');
  }

  async get(key: string, options: ReadOptions = {}): Promise<Entry<T>> {
    return this.#get(key, options, this.#deadlineMs(options));
  }

  async put(key: string, value: T, options: WriteOptions = {}): Promise<Written> {
    return this.#put(key, encodeWith(this.#codec, key, value), options, this.#deadlineMs(options));
  }

  async delete(key: string, options: WriteOptions = {}): Promise<Written> {
    return this.#put(key, null, options, this.#deadlineMs(options));
  }

  async update(
    key: string,
    change: (current: T | undefined, siblings: readonly T[]) => T | undefined,
    options: UpdateOptions = {},
  ): Promise<Entry<T>> {
    const deadlineMs = this.#deadlineMs(options);
    return this.#parts.turns.take(`${this.name}/${key}`, deadlineMs, options.signal, () =>
      this.#update(key, change, options, deadlineMs),
    );
  }

  async batch(
    operations: readonly BatchOperation<T>[],
    options: UpdateOptions = {},
  ): Promise<BatchResult<T>[]> {
    const deadlineMs = this.#deadlineMs(options);
    const results = new Array<BatchResult<T>>(operations.length);
    const rest = operations.entries();
    const worker = async (): Promise<void> => {
      for (const [index, operation] of rest) {
        results[index] = await this.#batched(operation, options, deadlineMs);
      }
    };
    const workers = Math.min(BATCH_OPERATIONS_AT_ONCE, operations.length);
    await Promise.all(Array.from({ length: workers }, worker));
    return results;
  }

  scan(options: ScanOptions = {}): AsyncIterableIterator<Entry<T>> {
    const prefix = checkScanBound(options.prefix ?? '');
    const after = checkScanBound(options.after ?? '');
    return this.#scan(prefix, after, checkLimit(options.limit), options);
  }

  // --- One key -------------------------------------------------------------------------------------------

  async #update(
    key: string,
    change: (current: T | undefined, siblings: readonly T[]) => T | undefined,
    options: UpdateOptions,
    deadlineMs: number,
  ): Promise<Entry<T>> {
    const { runtime, router } = this.#parts;
    let changed: T | undefined;
    const end = await runUpdate({
      key,
      repeats: router.namespace(this.name).entry.conflict === 'siblings',
      read: (atLeast) => this.#read(key, options, deadlineMs, atLeast),
      change: (current, values) => {
        const siblings = values.map((view) => decodeWith(this.#codec, key, view.value));
        changed = change(
          current === null ? undefined : decodeWith(this.#codec, key, current.value),
          siblings,
        );
        return changed === undefined ? null : encodeWith(this.#codec, key, changed);
      },
      write: (value, context) => this.#write(key, value, context, options, deadlineMs),
      pause: (round) =>
        new Promise((resolve) => {
          runtime.timers.after(pauseMs(round, 0, runtime.random), resolve);
        }),
    });
    if (end.type === 'found') return this.#entry(key, end.result);
    const { context, explain } = end.result;
    return {
      key,
      value: changed,
      siblings: changed === undefined ? [] : [changed],
      context: publicContext(key, context),
      ...(explain === null ? {} : { explain }),
    };
  }

  async #get(key: string, options: ReadOptions, deadlineMs: number): Promise<Entry<T>> {
    return this.#entry(key, await this.#read(key, options, deadlineMs, null));
  }

  async #put(
    key: string,
    value: Uint8Array | null,
    options: WriteOptions,
    deadlineMs: number,
  ): Promise<Written> {
    const context = contextToken(key, options.context);
    const result = await this.#write(key, value, context, options, deadlineMs);
    return {
      key,
      context: publicContext(key, result.context),
      siblings: result.siblings,
      ...(result.explain === null ? {} : { explain: result.explain }),
    };
  }

  #read(
    key: string,
    options: ReadOptions,
    deadlineMs: number,
    atLeast: Uint8Array | null,
  ): Promise<GetResult> {
    checkKey(key);
    const { entry } = this.#parts.router.namespace(this.name);
    const session = this.#session;
    const seen = session?.contextOf(this.name, key);
    const operation: ClientOperation = {
      type: 'get',
      key,
      read: this.#readLevel(entry, options, session?.readsNeeded(entry, key) ?? 1),
      atLeast:
        atLeast === null ? (seen ?? null) : seen === undefined ? atLeast : mergeContexts(key, seen, atLeast),
    };
    return this.#call(operation, partitionOfKey(key, entry.partitions), options, deadlineMs, (result) => {
      const got = result as GetResult;
      if (got.context !== null) session?.observe(this.name, key, got.context, got.values.length > 0);
      return got;
    });
  }

  async #write(
    key: string,
    value: Uint8Array | null,
    context: Uint8Array | null,
    options: WriteOptions,
    deadlineMs: number,
  ): Promise<PutResult> {
    checkKey(key);
    const { router, operations } = this.#parts;
    const { entry } = router.namespace(this.name);
    const write = checkLevel('write', options.write, entry.replicas);
    const ttlMs = checkTtlMs(options.ttlMs);
    const operation = operations.open();
    try {
      return await this.#call(
        {
          type: 'put',
          key,
          value,
          context,
          write,
          ttlMs,
          operation,
          lowestOpen: operations.lowestOpen,
          attempt: 0,
        },
        partitionOfKey(key, entry.partitions),
        options,
        deadlineMs,
        (result) => {
          const put = result as PutResult;
          const replicas = quorumSize(write ?? entry.write, entry.replicas);
          const live = value !== null || put.siblings > 1;
          this.#session?.wrote(this.name, key, put.context, replicas, live);
          return put;
        },
      );
    } finally {
      operations.close(operation);
    }
  }

  async #batched(
    operation: BatchOperation<T>,
    options: UpdateOptions,
    deadlineMs: number,
  ): Promise<BatchResult<T>> {
    const { type, key } = operation;
    try {
      if (type === 'get') return { type, entry: await this.#get(key, options, deadlineMs) };
      const value = type === 'put' ? encodeWith(this.#codec, key, operation.value) : null;
      const written = await this.#put(key, value, { ...options, ...operation }, deadlineMs);
      return { type, written };
    } catch (error) {
      return { type: 'error', key, error: asTrefoilError(error) };
    }
  }

  // --- Scans ---------------------------------------------------------------------------------------------

  async *#scan(
    prefix: string,
    after: string,
    limit: number,
    options: ScanOptions,
  ): AsyncGenerator<Entry<T>, void, undefined> {
    const { entry } = this.#parts.router.namespace(this.name);
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
      } as const;
      return this.#call(operation, partition, options, this.#deadlineMs(options), (r) => r as ScanResult);
    };
    const found = mergePartitions(fetch, { partitions: scanned(prefix, entry), after, limit });
    yield* scanInSession(found, {
      known: session?.valuesSeen(this.name, prefix, after) ?? [],
      limit,
      take: (next) => this.#inSession(next, options),
      read: (key) => this.#getLive(key, options),
    });
  }

  /** The entry as the session may see it: read again where the scan's answer is older than the session. */
  async #inSession(found: ScanEntry, options: ReadOptions): Promise<Entry<T> | undefined> {
    const session = this.#session;
    if (session?.satisfiedBy(this.name, found.key, found.context) === false) {
      return this.#getLive(found.key, options);
    }
    session?.observe(this.name, found.key, found.context);
    return this.#entry(found.key, { ...found, explain: null });
  }

  async #getLive(key: string, options: ReadOptions): Promise<Entry<T> | undefined> {
    const entry = await this.#get(key, options, this.#deadlineMs(options));
    return entry.siblings.length > 0 ? entry : undefined;
  }

  // --- Shared --------------------------------------------------------------------------------------------

  #call<R>(
    operation: ClientOperation,
    partition: number,
    options: CallOptions,
    deadlineMs: number,
    finish: (result: unknown) => R,
  ): Promise<R> {
    const target = { type: 'partition', namespace: this.name, partition } as const;
    const { signal, explain = false } = options;
    return this.#parts.caller.call({ target, operation, deadlineMs, signal, explain }, finish);
  }

  #deadlineMs(options: CallOptions): number {
    const { runtime, timeoutMs } = this.#parts;
    return runtime.clock.monotonicMs() + checkTimeoutMs(options.timeoutMs ?? timeoutMs);
  }

  #readLevel(entry: NamespaceEntry, options: ReadOptions, needed: number): QuorumLevel | null {
    const level = checkLevel('read', options.read, entry.replicas);
    return raiseLevel(level, entry.read, needed, entry.replicas);
  }

  #entry(key: string, result: Pick<GetResult, 'values' | 'context' | 'explain'>): Entry<T> {
    const { values, context, explain } = result;
    const siblings = values.map((view) => decodeWith(this.#codec, key, view.value));
    const last = latest(values);
    return {
      key,
      value: last === null ? undefined : siblings[values.indexOf(last)],
      siblings,
      context: context === null ? undefined : publicContext(key, context),
      ...(explain === null ? {} : { explain }),
    };
  }
}

/** The partitions that a scan visits: one where the prefix holds a whole `{tag}`. */
function scanned(prefix: string, entry: NamespaceEntry): number[] {
  if (partitionedPart(prefix).length < prefix.length) return [partitionOfKey(prefix, entry.partitions)];
  return Array.from({ length: entry.partitions }, (_, partition) => partition);
}

/** A copy: the token may be a view of a whole frame, which would live as long as it. */
function publicContext(key: string, token: Uint8Array): Context {
  return { key, token: new Uint8Array(token) };
}

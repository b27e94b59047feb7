/**
 * A typed view of a namespace of values: turns the application's calls into operations, and results into entries.
 *
 * Everything is checked and encoded here, once, before a call begins; below (`key-calls.ts`), a value is bytes.
 */
import type { LeaderFollowerNamespace, LeaderlessNamespace } from '../cluster/cluster-map.js';
import { asTrefoilError, TrefoilError } from '../core/errors.js';
import { BATCH_OPERATIONS_AT_ONCE } from '../core/limits.js';
import type { PutResult } from '../protocol/messages.js';
import type {
  BatchOperation,
  BatchOptions,
  BatchResult,
  Entry,
  Namespace,
  ReadOptions,
  ScanOptions,
  Session,
  Updated,
  UpdateOptions,
  ValueCodec,
  WriteOptions,
  Written,
} from './api.js';
import { atomicBatch } from './atomic-batch.js';
import { checkReadsLatest, checkTtlMs } from './call-options.js';
import { decodeWith, encodeWith } from './codec.js';
import type { Found } from './call-scope.js';
import { explained, publicContext, type KeyCalls } from './key-calls.js';
import { checkOperation, checkOptions } from './known-options.js';
import { runLeaderUpdate } from './leader-update.js';
import { pauseMs } from './retry.js';
import { latest, runUpdate } from './update.js';

export class NamespaceHandle<T> implements Namespace<T> {
  readonly #calls: KeyCalls;
  readonly #codec: ValueCodec<T>;

  constructor(calls: KeyCalls, codec: ValueCodec<T>) {
    this.#calls = calls;
    this.#codec = codec;
  }

  get name(): string {
    return this.#calls.name;
  }

  in(session: Session): Namespace<T> {
    return new NamespaceHandle(this.#calls.in(session), this.#codec);
  }

  async get(key: string, options: ReadOptions = {}): Promise<Entry<T>> {
    checkOptions('get', options);
    return this.#get(key, options, this.#calls.deadlineMs(options));
  }

  async put(key: string, value: T, options: WriteOptions = {}): Promise<Written> {
    checkOptions('put', options);
    const bytes = encodeWith(this.#codec, key, value);
    return this.#put(key, bytes, options, this.#calls.deadlineMs(options));
  }

  async delete(key: string, options: WriteOptions = {}): Promise<Written> {
    checkOptions('delete', options);
    return this.#put(key, null, options, this.#calls.deadlineMs(options));
  }

  async update(
    key: string,
    change: (current: T | undefined, siblings: readonly T[]) => T | undefined,
    options: UpdateOptions = {},
  ): Promise<Updated<T>> {
    checkOptions('update', options);
    const deadlineMs = this.#calls.deadlineMs(options);
    return this.#calls.parts.turns.take(`${this.name}/${key}`, deadlineMs, options.signal, () => {
      const { entry } = this.#calls;
      return entry.strategy === 'leaderless'
        ? this.#update(entry, key, change, options, deadlineMs)
        : this.#updateAtLeader(entry, key, change, options, deadlineMs);
    });
  }

  async batch(
    operations: readonly BatchOperation<T>[],
    options: BatchOptions = {},
  ): Promise<BatchResult<T>[]> {
    checkOptions('batch', options);
    const deadlineMs = this.#calls.deadlineMs(options);
    if (options.atomic === true) return this.#batchAtomically(operations, options, deadlineMs);
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
    checkOptions('scan', options);
    return this.#calls.scan(options, (key, found) => this.#entry(key, found));
  }

  async #update(
    entry: LeaderlessNamespace,
    key: string,
    change: (current: T | undefined, siblings: readonly T[]) => T | undefined,
    options: UpdateOptions,
    deadlineMs: number,
  ): Promise<Updated<T>> {
    let changed: T | undefined;
    const ttlMs = checkTtlMs(options.ttlMs);
    const end = await runUpdate({
      key,
      repeats: entry.conflict === 'siblings',
      read: (atLeast) => this.#calls.read(key, options, deadlineMs, atLeast),
      change: (current, values) => {
        const siblings = values.map((view) => decodeWith(this.#codec, key, view.value));
        changed = change(
          current === null ? undefined : decodeWith(this.#codec, key, current.value),
          siblings,
        );
        return changed === undefined ? null : encodeWith(this.#codec, key, changed);
      },
      write: (value, context) =>
        this.#calls.write(
          { type: 'put', key, value, context, ifVersion: null, ttlMs },
          options,
          deadlineMs,
          ({ siblings }) => value !== null || siblings > 1,
        ),
      pause: (round) => this.#pause(round),
    });
    return end.type === 'found' ? this.#entry(key, end.result) : this.#changedEntry(key, changed, end.result);
  }

  /** Where the namespace's own level is `leader`, it waits for a quorum: it must know what comes of its writes. */
  async #updateAtLeader(
    entry: LeaderFollowerNamespace,
    key: string,
    change: (current: T | undefined, siblings: readonly T[]) => T | undefined,
    options: UpdateOptions,
    deadlineMs: number,
  ): Promise<Updated<T>> {
    checkReadsLatest(options, entry, 'update always reads the latest');
    const { ack } = entry;
    let changed: T | undefined;
    const ttlMs = checkTtlMs(options.ttlMs);
    const { runtime } = this.#calls.parts;
    const level = options.ack ?? (ack === 'leader' ? 'quorum' : undefined);
    const end = await runLeaderUpdate({
      read: () => this.#calls.read(key, { ...options, read: 'linearizable' }, deadlineMs),
      change: (found) => {
        const current = found === null ? undefined : decodeWith(this.#codec, key, found.value);
        changed = change(current, current === undefined ? [] : [current]);
        return changed === undefined ? null : encodeWith(this.#codec, key, changed);
      },
      write: (value, ifVersion) => {
        const write = { ...options, ...(level === undefined ? {} : { ack: level }), ifVersion };
        return this.#calls.put(key, value, ttlMs, write, deadlineMs);
      },
      pause: async (round, error) => {
        await this.#pause(round, deadlineMs - runtime.clock.monotonicMs());
        if (runtime.clock.monotonicMs() >= deadlineMs) throw conflicting(key, error);
      },
    });
    return end.type === 'found' ? this.#entry(key, end.result) : this.#changedEntry(key, changed, end.result);
  }

  #pause(round: number, msMax = Infinity): Promise<void> {
    const { runtime } = this.#calls.parts;
    return new Promise((resolve) => {
      runtime.timers.after(Math.max(0, Math.min(msMax, pauseMs(round, 0, runtime.random))), resolve);
    });
  }

  #changedEntry(key: string, changed: T | undefined, result: PutResult): Updated<T> {
    return {
      key,
      value: changed,
      siblings: changed === undefined ? [] : [changed],
      context: publicContext(key, result.context),
      // A deleted key is absent, whichever entry deleted it.
      ...this.#ledBy({ version: changed === undefined ? 0 : result.version, replicas: result.replicas }),
      ...explained(result.explain),
    };
  }

  async #batchAtomically(
    operations: readonly BatchOperation<T>[],
    options: BatchOptions,
    deadlineMs: number,
  ): Promise<BatchResult<T>[]> {
    const { entry } = this.#calls;
    if (entry.strategy === 'leaderless') {
      throw new TrefoilError(
        'Unsupported',
        `an atomic batch needs strategy leader-follower, and namespace ${this.name} is leaderless: put each key`,
      );
    }
    checkReadsLatest(options, entry, 'an atomic batch reads nothing');
    const batch = atomicBatch(operations, entry, options.ttlMs, (key, value) =>
      encodeWith(this.#codec, key, value),
    );
    const result = await this.#calls.putAll(entry, batch, options, deadlineMs);
    return batch.puts.map(({ key, value }) => ({
      type: value === null ? 'delete' : 'put',
      written: this.#written(key, result),
    }));
  }

  async #get(key: string, options: ReadOptions, deadlineMs: number): Promise<Entry<T>> {
    return this.#entry(key, await this.#calls.read(key, options, deadlineMs));
  }

  async #put(
    key: string,
    value: Uint8Array | null,
    options: WriteOptions,
    deadlineMs: number,
  ): Promise<Written> {
    const ttlMs = checkTtlMs(options.ttlMs);
    return this.#written(key, await this.#calls.put(key, value, ttlMs, options, deadlineMs));
  }

  #written(key: string, { context, siblings, version, replicas, explain }: PutResult): Written {
    return {
      key,
      context: publicContext(key, context),
      siblings,
      ...this.#ledBy({ version, replicas }),
      ...explained(explain),
    };
  }

  /** What only results of a namespace with leaders have. */
  #ledBy<Fields>(fields: Fields): Fields | Record<string, never> {
    return this.#calls.entry.strategy === 'leaderless' ? {} : fields;
  }

  async #batched(
    operation: BatchOperation<T>,
    options: UpdateOptions,
    deadlineMs: number,
  ): Promise<BatchResult<T>> {
    const { type, key } = operation;
    try {
      checkOperation(operation);
      if (type === 'get') return { type, entry: await this.#get(key, options, deadlineMs) };
      const value = type === 'put' ? encodeWith(this.#codec, key, operation.value) : null;
      const written = await this.#put(key, value, { ...options, ...operation }, deadlineMs);
      return { type, written };
    } catch (error) {
      return { type: 'error', key, error: asTrefoilError(error) };
    }
  }

  #entry(key: string, { values, context, version, lag, explain }: Found): Entry<T> {
    const siblings = values.map((view) => decodeWith(this.#codec, key, view.value));
    const last = latest(values);
    return {
      key,
      value: last === null ? undefined : siblings[values.indexOf(last)],
      siblings,
      context: context === null ? undefined : publicContext(key, context),
      ...this.#ledBy({ version }),
      ...(lag === null ? {} : { lag }),
      ...explained(explain),
    };
  }
}

function conflicting(key: string, cause: TrefoilError): TrefoilError {
  const message = `update of ${JSON.stringify(key.slice(0, 80))}: other writers came between until the time was up`;
  return new TrefoilError('UpdateConflict', message, { outcome: 'failed', cause });
}

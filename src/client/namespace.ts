/**
 * A typed view of a namespace of values: turns the application's calls into operations, and results into entries.
 *
 * Everything is checked and encoded here, once, before a call begins; below (`key-calls.ts`), a value is bytes.
 */
import { asTrefoilError } from '../core/errors.js';
import { BATCH_OPERATIONS_AT_ONCE } from '../core/limits.js';
import type { PutResult } from '../protocol/messages.js';
import type {
  BatchOperation,
  BatchResult,
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
import { checkTtlMs, contextToken } from './call-options.js';
import { decodeWith, encodeWith } from './codec.js';
import { explained, publicContext, type Found, type KeyCalls } from './key-calls.js';
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
    return this.#get(key, options, this.#calls.deadlineMs(options));
  }

  async put(key: string, value: T, options: WriteOptions = {}): Promise<Written> {
    const bytes = encodeWith(this.#codec, key, value);
    return this.#put(key, bytes, options, this.#calls.deadlineMs(options));
  }

  async delete(key: string, options: WriteOptions = {}): Promise<Written> {
    return this.#put(key, null, options, this.#calls.deadlineMs(options));
  }

  async update(
    key: string,
    change: (current: T | undefined, siblings: readonly T[]) => T | undefined,
    options: UpdateOptions = {},
  ): Promise<Entry<T>> {
    const deadlineMs = this.#calls.deadlineMs(options);
    return this.#calls.parts.turns.take(`${this.name}/${key}`, deadlineMs, options.signal, () =>
      this.#update(key, change, options, deadlineMs),
    );
  }

  async batch(
    operations: readonly BatchOperation<T>[],
    options: UpdateOptions = {},
  ): Promise<BatchResult<T>[]> {
    const deadlineMs = this.#calls.deadlineMs(options);
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
    return this.#calls.scan(options, (key, found) => this.#entry(key, found));
  }

  async #update(
    key: string,
    change: (current: T | undefined, siblings: readonly T[]) => T | undefined,
    options: UpdateOptions,
    deadlineMs: number,
  ): Promise<Entry<T>> {
    const { runtime } = this.#calls.parts;
    let changed: T | undefined;
    const end = await runUpdate({
      key,
      repeats: this.#calls.entry.conflict === 'siblings',
      read: (atLeast) => this.#calls.read(key, options, deadlineMs, atLeast),
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
      ...explained(explain),
    };
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
    const context = contextToken(key, options.context);
    const result = await this.#write(key, value, context, options, deadlineMs);
    return {
      key,
      context: publicContext(key, result.context),
      siblings: result.siblings,
      ...explained(result.explain),
    };
  }

  async #write(
    key: string,
    value: Uint8Array | null,
    context: Uint8Array | null,
    options: WriteOptions,
    deadlineMs: number,
  ): Promise<PutResult> {
    const ttlMs = checkTtlMs(options.ttlMs);
    return this.#calls.write(
      { type: 'put', key, value, context, ifVersion: null, ttlMs },
      options,
      deadlineMs,
      ({ siblings }) => value !== null || siblings > 1,
    );
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

  #entry(key: string, { values, context, explain }: Found): Entry<T> {
    const siblings = values.map((view) => decodeWith(this.#codec, key, view.value));
    const last = latest(values);
    return {
      key,
      value: last === null ? undefined : siblings[values.indexOf(last)],
      siblings,
      context: context === null ? undefined : publicContext(key, context),
      ...explained(explain),
    };
  }
}

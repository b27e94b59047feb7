/**
 * The handles of typed namespaces: counters and sets. Nodes understand what these hold, so there is nothing to
 * resolve: an increment and an add need no read, and concurrent ones all count.
 *
 * What is taken away must have been seen: `remove` and `delete` read first, unless they are given the context of
 * an earlier read, and take away exactly what that saw.
 */
import { TrefoilError } from '../core/errors.js';
import { SET_ELEMENTS_MAX } from '../core/limits.js';
import type { TypedPolicy } from '../core/views.js';
import type { GetResult } from '../protocol/messages.js';
import { decodeValue } from '../protocol/value-codec.js';
import type {
  Changed,
  ChangeOptions,
  Counter,
  CounterEntry,
  ElementSet,
  ReadOptions,
  RemoveOptions,
  ScanOptions,
  Session,
  SetEntry,
  ValueCodec,
} from './api.js';
import { contextToken } from './call-options.js';
import { decodeWith, encodeWith } from './codec.js';
import { checkOptions } from './known-options.js';
import type { ChangeContent, Found, PutContent } from './call-scope.js';
import { explained, publicContext, type KeyCalls } from './key-calls.js';

type WriteContent = PutContent | ChangeContent;

/** What both kinds have in common. */
class TypedCalls {
  readonly calls: KeyCalls;
  readonly #policy: TypedPolicy;

  constructor(calls: KeyCalls, policy: TypedPolicy) {
    this.calls = calls;
    this.#policy = policy;
  }

  in(session: Session): TypedCalls {
    return new TypedCalls(this.calls.in(session), this.#policy);
  }

  async read(key: string, options: ReadOptions, deadlineMs?: number): Promise<GetResult> {
    this.#check();
    return this.calls.read(key, options, deadlineMs ?? this.calls.deadlineMs(options));
  }

  async write(
    content: WriteContent,
    options: ChangeOptions,
    deadlineMs = this.calls.deadlineMs(options),
  ): Promise<Changed> {
    this.#check();
    const result = await this.calls.write(content, options, deadlineMs, ({ siblings }) => siblings > 0);
    return {
      key: content.key,
      context: publicContext(content.key, result.context),
      ...explained(result.explain),
    };
  }

  /** Writes what `content` makes of the context given or, without one, of a read; unless there is nothing to take away. */
  async takeAway(
    key: string,
    options: RemoveOptions,
    wanted: (found: GetResult) => boolean,
    content: (context: Uint8Array) => WriteContent,
  ): Promise<Changed> {
    checkOptions('a removal from a counter or a set', options);
    const deadlineMs = this.calls.deadlineMs(options);
    const given = contextToken(key, options.context);
    if (given !== null) return this.write(content(given), options, deadlineMs);
    const found = await this.read(key, options, deadlineMs);
    if (found.context !== null && wanted(found))
      return this.write(content(found.context), options, deadlineMs);
    return {
      key,
      context: found.context === null ? undefined : publicContext(key, found.context),
      ...explained(found.explain),
    };
  }

  async *scan<E>(
    options: ScanOptions,
    entryOf: (key: string, found: Found) => E,
  ): AsyncGenerator<E, void, undefined> {
    checkOptions('scan', options);
    this.#check();
    yield* this.calls.scan(options, entryOf);
  }

  /** Throws `Unsupported` unless the namespace is of this kind. */
  #check(): void {
    const { entry } = this.calls;
    if (entry.strategy !== 'leaderless') {
      throw new TrefoilError(
        'Unsupported',
        `namespace ${this.calls.name} is ${entry.strategy} and holds plain values: change them with update(), which loses nothing; ` +
          `${this.#policy}() needs a leaderless namespace with conflict: ${this.#policy}`,
      );
    }
    const { conflict } = entry;
    if (conflict === this.#policy) return;
    throw new TrefoilError(
      'Unsupported',
      `namespace ${this.calls.name} has conflict: ${conflict}; ${this.#policy}() needs conflict: ${this.#policy}`,
    );
  }
}

export class CounterHandle implements Counter {
  readonly #typed: TypedCalls;

  constructor(calls: KeyCalls | TypedCalls) {
    this.#typed = calls instanceof TypedCalls ? calls : new TypedCalls(calls, 'counter');
  }

  get name(): string {
    return this.#typed.calls.name;
  }

  in(session: Session): Counter {
    return new CounterHandle(this.#typed.in(session));
  }

  async increment(key: string, by = 1, options: ChangeOptions = {}): Promise<Changed> {
    if (!Number.isSafeInteger(by)) {
      throw new TrefoilError('BadRequest', `by is ${by}: it must be a whole number within 2^53 - 1`);
    }
    checkOptions('a change of a counter or a set', options);
    const change = { kind: 'increment', by } as const;
    return this.#typed.write({ type: 'change', key, change, context: null }, options);
  }

  async get(key: string, options: ReadOptions = {}): Promise<CounterEntry> {
    checkOptions('get', options);
    return counterEntry(key, await this.#typed.read(key, options));
  }

  async delete(key: string, options: RemoveOptions = {}): Promise<Changed> {
    return this.#typed.takeAway(
      key,
      options,
      ({ values }) => values.length > 0,
      (context) => ({ type: 'put', key, value: null, context, ifVersion: null, ttlMs: 0 }),
    );
  }

  scan(options: ScanOptions = {}): AsyncIterableIterator<CounterEntry> {
    return this.#typed.scan(options, counterEntry);
  }
}

function counterEntry(key: string, { values: [total], context, explain }: Found): CounterEntry {
  return {
    key,
    value: total === undefined ? 0 : (decodeValue(total.value) as number),
    context: context === null ? undefined : publicContext(key, context),
    ...explained(explain),
  };
}

export class ElementSetHandle<T> implements ElementSet<T> {
  readonly #typed: TypedCalls;
  readonly #codec: ValueCodec<T>;

  constructor(calls: KeyCalls | TypedCalls, codec: ValueCodec<T>) {
    this.#typed = calls instanceof TypedCalls ? calls : new TypedCalls(calls, 'set');
    this.#codec = codec;
  }

  get name(): string {
    return this.#typed.calls.name;
  }

  in(session: Session): ElementSet<T> {
    return new ElementSetHandle(this.#typed.in(session), this.#codec);
  }

  async add(key: string, elements: readonly T[], options: ChangeOptions = {}): Promise<Changed> {
    checkOptions('a change of a counter or a set', options);
    const change = { kind: 'add', elements: this.#encoded(key, elements) } as const;
    return this.#typed.write({ type: 'change', key, change, context: null }, options);
  }

  async remove(key: string, elements: readonly T[], options: RemoveOptions = {}): Promise<Changed> {
    const change = { kind: 'remove', elements: this.#encoded(key, elements) } as const;
    return this.#typed.takeAway(
      key,
      options,
      (found) => change.elements.some((element) => holds(found, element)),
      (context) => ({ type: 'change', key, change, context }),
    );
  }

  async get(key: string, options: ReadOptions = {}): Promise<SetEntry<T>> {
    checkOptions('get', options);
    return this.#entry(key, await this.#typed.read(key, options));
  }

  async has(key: string, element: T, options: ReadOptions = {}): Promise<boolean> {
    checkOptions('get', options);
    return holds(await this.#typed.read(key, options), encodeWith(this.#codec, key, element));
  }

  async delete(key: string, options: RemoveOptions = {}): Promise<Changed> {
    return this.#typed.takeAway(
      key,
      options,
      ({ values }) => values.length > 0,
      (context) => ({ type: 'put', key, value: null, context, ifVersion: null, ttlMs: 0 }),
    );
  }

  scan(options: ScanOptions = {}): AsyncIterableIterator<SetEntry<T>> {
    return this.#typed.scan(options, (key, found) => this.#entry(key, found));
  }

  #encoded(key: string, elements: readonly T[]): Uint8Array[] {
    if (!Array.isArray(elements) || elements.length === 0 || elements.length > SET_ELEMENTS_MAX) {
      const message = `elements must be an array of 1 to ${SET_ELEMENTS_MAX}`;
      throw new TrefoilError('BadRequest', message);
    }
    return elements.map((element) => encodeWith(this.#codec, key, element));
  }

  #entry(key: string, { values, context, explain }: Found): SetEntry<T> {
    return {
      key,
      elements: values.map(({ value }) => decodeWith(this.#codec, key, value)),
      context: context === null ? undefined : publicContext(key, context),
      ...explained(explain),
    };
  }
}

function holds({ values }: Found, element: Uint8Array): boolean {
  return values.some(({ value }) => Buffer.compare(value, element) === 0);
}

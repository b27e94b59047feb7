/**
 * Registers of a namespace that keeps siblings: blind writes, writes that cover what was read, deletes,
 * read-modify-writes. A read's value is the list of live siblings. Every written value is unique, and every write
 * says in `seen` which values its context had been shown: what it may supersede, and nothing else.
 */
import type { Context, Database, Namespace } from '../../src/client/api.js';
import type { Value } from '../history/history.js';
import { completeRead, completeWrite } from './completing.js';
import { keyNames, planOpenLoop, readEach, weighted, type Step } from './planning.js';
import type {
  Completion,
  OperationLog,
  PlannedOperation,
  Workload,
  WorkloadClient,
  WorkloadOptions,
} from './workload.js';
import { levelsOf, namespaceOf, type CallLevels } from './namespaces.js';

/** What one client knows of a key: the context it would write with, and what that context was shown. */
interface Knowledge {
  readonly context: Context;
  readonly shown: readonly string[];
}

export const siblings: Workload = {
  name: 'siblings',
  summary: 'registers that keep siblings: read, write (blind or with a context), delete, update',
  plan: (random, options) =>
    planOpenLoop(random, options, (serial, key) => {
      const value = `v${String(serial)}`;
      return weighted<Step>(random, [
        [8, { f: 'read', key, value: null }],
        [3, { f: 'write', key, value, blind: true }],
        [3, { f: 'write', key, value }],
        [1, { f: 'delete', key, value: null }],
        [2, { f: 'update', key, value }],
      ]);
    }),
  client: (database, options) => new SiblingsClient(database, options),
  finalReads: (options) => readEach(keyNames(options), (key) => ({ f: 'read', key, value: null })),
};

class SiblingsClient implements WorkloadClient {
  readonly #namespace: Namespace<string>;
  readonly #levels: CallLevels;
  readonly #known = new Map<string, Knowledge>();

  constructor(database: Database, options: WorkloadOptions) {
    this.#namespace = namespaceOf(database, options);
    this.#levels = levelsOf(database, options);
  }

  perform(operation: PlannedOperation, log: OperationLog): Promise<Completion> {
    const { f, value } = operation;
    const key = operation.key as string;
    const known = operation.blind === true ? undefined : this.#known.get(key);
    switch (f) {
      case 'read':
        return completeRead(operation, () => this.#read(key));
      case 'write':
        return completeWrite(operation, () => this.#write(key, value as string, known, log));
      case 'delete':
        return completeWrite(operation, () => this.#write(key, null, known, log));
      default:
        return completeWrite(operation, () => this.#update(key, value as string, log));
    }
  }

  async #read(key: string): Promise<Value> {
    const { siblings, context } = await this.#namespace.get(key, this.#levels.reads);
    if (context !== undefined) this.#known.set(key, { context, shown: siblings });
    return siblings;
  }

  async #write(
    key: string,
    value: string | null,
    known: Knowledge | undefined,
    log: OperationLog,
  ): Promise<Value> {
    const shown = known?.shown ?? [];
    log.seen(shown);
    const options = {
      ...this.#levels.writes,
      ...(known === undefined ? {} : { context: known.context }),
    };
    const { context } = await (value === null
      ? this.#namespace.delete(key, options)
      : this.#namespace.put(key, value, options));
    this.#known.set(key, { context, shown: value === null ? shown : [...shown, value] });
    return value;
  }

  /** Each attempt is a write of its own, under a value of its own: others may have read the one before, and superseded it. */
  async #update(key: string, value: string, log: OperationLog): Promise<Value> {
    const attempts: string[] = [];
    let written = value;
    const { context, siblings: left } = await this.#namespace.update(
      key,
      (_current, found) => {
        if (attempts.length > 0) {
          written = `${value}~${String(attempts.length)}`;
          log.again(written);
        }
        // An attempt supersedes those before it as well, though they are not shown to it.
        log.seen([...found, ...attempts]);
        attempts.push(written);
        return written;
      },
      this.#levels.updates,
    );
    if (context !== undefined) this.#known.set(key, { context, shown: left });
    return written;
  }
}

/**
 * The handle that `connect` gives: one router, one caller, one client session for operation ids, shared by
 * all its namespaces.
 */
import type { ClusterMap } from '../cluster/cluster-map.js';
import { TrefoilError } from '../core/errors.js';
import { REQUEST_TIMEOUT_MS_DEFAULT, SDK_CLOSE_MS_MAX } from '../core/limits.js';
import type { StatusResult } from '../protocol/messages.js';
import type { ClientRuntime } from '../runtime/runtime.js';
import type {
  CallOptions,
  ConnectOptions,
  Counter,
  Database,
  ElementSet,
  Namespace,
  NamespaceOptions,
  Session,
} from './api.js';
import { checkTimeoutMs, parseSeed } from './call-options.js';
import { Caller } from './caller.js';
import { msgpackCodec } from './codec.js';
import type { DatabaseParts } from './call-scope.js';
import { GroupSessions } from './group-sessions.js';
import { KeyCalls } from './key-calls.js';
import { KeyTurns } from './key-turns.js';
import { checkOptions } from './known-options.js';
import { NamespaceHandle } from './namespace.js';
import { Operations } from './operations.js';
import { Router } from './router.js';
import { ClientSession } from './session.js';
import { CounterHandle, ElementSetHandle } from './typed-namespace.js';

const SESSION_ID_LENGTH = 20;

/**
 * Connects on a given runtime and resolves once one node has answered with the cluster map.
 *
 * Rejects with `NoReachableNode` when no seed answers within `timeoutMs`; at once when every seed refuses
 * for good (`WrongCluster`, `UnsupportedProtocol`, `NotAuthorized`); with `BadRequest` for bad options.
 */
export async function connectWith(runtime: ClientRuntime, options: ConnectOptions): Promise<Database> {
  checkOptions('connect', options);
  const seeds = options.seeds.map(parseSeed);
  if (seeds.length === 0) throw new TrefoilError('BadRequest', 'connect needs at least one seed');
  const timeoutMs = checkTimeoutMs(options.timeoutMs ?? REQUEST_TIMEOUT_MS_DEFAULT);
  const id = runtime.random.text(SESSION_ID_LENGTH);
  return new Promise((resolve, reject) => {
    const router: Router = new Router(runtime, {
      seeds,
      cluster: options.cluster,
      credentials: options.credentials ?? '',
      id,
      onMap: () => {
        cancelWatch();
        resolve(database);
      },
    });
    const caller = new Caller(runtime, router);
    const database = new TrefoilDatabase({
      runtime,
      router,
      caller,
      operations: new Operations(id),
      groupSessions: new GroupSessions(runtime, caller),
      turns: new KeyTurns(runtime),
      timeoutMs,
    });
    const giveUp = (error: TrefoilError): void => {
      cancelWatch();
      caller.stop();
      router.close(error);
      reject(error);
    };
    const cancelWatch = watchSeeds(runtime, router, timeoutMs, giveUp);
    caller.start();
  });
}

/** Calls back when the seeds have had their time, or have all refused for good. Returns how to stop it. */
function watchSeeds(
  runtime: ClientRuntime,
  router: Router,
  timeoutMs: number,
  giveUp: (error: TrefoilError) => void,
): () => void {
  const untilMs = runtime.clock.monotonicMs() + timeoutMs;
  const look = (): void => {
    const refusal = router.seedRefusal();
    if (refusal !== undefined) return giveUp(refusal);
    if (runtime.clock.monotonicMs() >= untilMs) {
      const message = `no seed answered within ${timeoutMs} ms (${router.seedReasons()})`;
      return giveUp(new TrefoilError('NoReachableNode', message));
    }
    cancel = runtime.timers.after(SEED_LOOK_MS, look);
  };
  let cancel = runtime.timers.after(SEED_LOOK_MS, look);
  return () => cancel();
}

/** How often the progress with the seeds is looked at. */
const SEED_LOOK_MS = 20;

class TrefoilDatabase implements Database {
  readonly #parts: DatabaseParts;
  #closing: Promise<void> | undefined;

  constructor(parts: DatabaseParts) {
    this.#parts = parts;
  }

  get map(): ClusterMap {
    // A database is handed out once there is a map.
    return this.#parts.router.map as ClusterMap;
  }

  namespace<T = unknown>(name: string, options: NamespaceOptions<T> = {}): Namespace<T> {
    checkOptions('namespace', options);
    return new NamespaceHandle<T>(new KeyCalls(this.#parts, name), options.codec ?? msgpackCodec<T>());
  }

  counter(name: string): Counter {
    return new CounterHandle(new KeyCalls(this.#parts, name));
  }

  set<T = unknown>(name: string, options: NamespaceOptions<T> = {}): ElementSet<T> {
    checkOptions('namespace', options);
    return new ElementSetHandle<T>(new KeyCalls(this.#parts, name), options.codec ?? msgpackCodec<T>());
  }

  session(token?: string): Session {
    return token === undefined ? new ClientSession() : ClientSession.fromToken(token);
  }

  async nodeStatus(node: string, options: CallOptions = {}): Promise<unknown> {
    checkOptions('nodeStatus', options);
    const { runtime, caller, timeoutMs } = this.#parts;
    const deadlineMs = runtime.clock.monotonicMs() + checkTimeoutMs(options.timeoutMs ?? timeoutMs);
    const target = { type: 'node', node } as const;
    const operation = { type: 'status' } as const;
    return caller.call(
      { target, operation, deadlineMs, signal: options.signal, explain: false },
      (result) => JSON.parse((result as StatusResult).status) as unknown,
    );
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { runtime, caller, router } = this.#parts;
    await new Promise<void>((resolve) => {
      const cancel = runtime.timers.after(SDK_CLOSE_MS_MAX, resolve);
      caller.close(() => {
        cancel();
        resolve();
      });
    });
    caller.stop();
    router.close(new TrefoilError('Cancelled', 'the client closed the database', { outcome: 'failed' }));
  }
}

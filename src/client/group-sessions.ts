/**
 * Sessions with leader-follower replica groups: what the operation ids of writes are made of there.
 *
 *     first write of a partition ──> open-session ──> its log index names the session ──> writes: session, sequence, lowest open
 *
 * One for each group, opened when a write needs it and shared by all writes of the database. Writes that come while it is being opened
 * wait for that one attempt, each until its own deadline. A group forgets a session that was long unused, or when it has too many:
 * whoever is told so (`SessionExpired`) says it here, and the next write opens a new one.
 */
import { asTrefoilError, TrefoilError } from '../core/errors.js';
import { SDK_PULSE_MS } from '../core/limits.js';
import type { SessionResult } from '../protocol/messages.js';
import type { ClientRuntime } from '../runtime/runtime.js';
import type { Caller } from './caller.js';
import { Operations } from './operations.js';
import { withOutcome } from './wire-error.js';

interface Waiter {
  readonly deadlineMs: number;
  readonly signal: AbortSignal | undefined;
  readonly begin: (operations: Operations) => void;
  readonly refuse: (error: TrefoilError) => void;
}

interface Group {
  readonly namespace: string;
  readonly partition: number;
  operations: Operations | undefined;
  /** Until when the session is being tried for; undefined while it is not. */
  triedUntilMs: number | undefined;
  readonly waiters: Set<Waiter>;
}

export class GroupSessions {
  readonly #runtime: Pick<ClientRuntime, 'clock' | 'timers'>;
  readonly #caller: Caller;
  /** As many as there are partitions at most. */
  readonly #groups = new Map<string, Group>();
  #watching = false;

  constructor(runtime: Pick<ClientRuntime, 'clock' | 'timers'>, caller: Caller) {
    this.#runtime = runtime;
    this.#caller = caller;
  }

  /** The open session of a group, or undefined. */
  open(namespace: string, partition: number): Operations | undefined {
    return this.#groups.get(`${namespace}/${partition}`)?.operations;
  }

  /**
   * The session of a group, once it is open. Rejects, with outcome `failed`: with what refuses the session, or with `DeadlineExceeded`
   * or `Cancelled`.
   */
  opened(
    namespace: string,
    partition: number,
    deadlineMs: number,
    signal: AbortSignal | undefined,
  ): Promise<Operations> {
    const group = this.#group(namespace, partition);
    return new Promise((begin, refuse) => {
      group.waiters.add({ deadlineMs, signal, begin, refuse });
      if (group.triedUntilMs === undefined) this.#try(group);
      this.#watch();
    });
  }

  /** The group no longer knows the session. */
  expired(namespace: string, partition: number, operations: Operations): void {
    const group = this.#groups.get(`${namespace}/${partition}`);
    if (group?.operations === operations) group.operations = undefined;
  }

  #group(namespace: string, partition: number): Group {
    const name = `${namespace}/${partition}`;
    let group = this.#groups.get(name);
    if (group === undefined) {
      group = { namespace, partition, operations: undefined, triedUntilMs: undefined, waiters: new Set() };
      this.#groups.set(name, group);
    }
    return group;
  }

  /** Tries for as long as the one that has the most time may wait. */
  #try(group: Group): void {
    const { namespace, partition, waiters } = group;
    const deadlineMs = Math.max(...[...waiters].map((waiter) => waiter.deadlineMs));
    group.triedUntilMs = deadlineMs;
    const target = { type: 'partition', namespace, partition, to: 'leader' } as const;
    const operation = { type: 'open-session', partition } as const;
    const spec = { target, operation, deadlineMs, signal: undefined, explain: false };
    this.#caller
      .call(spec, (result) => (result as SessionResult).session)
      .then(
        (session) => this.#begin(group, new Operations(session)),
        (error: unknown) => this.#refuse(group, deadlineMs, asTrefoilError(error)),
      );
  }

  #begin(group: Group, operations: Operations): void {
    group.operations = operations;
    group.triedUntilMs = undefined;
    const waiters = [...group.waiters];
    group.waiters.clear();
    for (const { begin } of waiters) begin(operations);
  }

  /** Those that came later and have more time try again, where that can help. */
  #refuse(group: Group, triedUntilMs: number, error: TrefoilError): void {
    group.triedUntilMs = undefined;
    for (const waiter of [...group.waiters]) {
      if (error.retryable && waiter.deadlineMs > triedUntilMs) continue;
      group.waiters.delete(waiter);
      waiter.refuse(withOutcome(error, 'failed'));
    }
    if (group.waiters.size > 0) this.#try(group);
  }

  /** Looks after deadlines and signals, only while somebody waits. */
  #watch(): void {
    if (this.#watching) return;
    this.#watching = true;
    this.#runtime.timers.after(SDK_PULSE_MS, () => {
      this.#watching = false;
      const nowMs = this.#runtime.clock.monotonicMs();
      let waiting = 0;
      for (const group of this.#groups.values()) {
        for (const waiter of group.waiters) {
          const refusal = refusedNow(waiter, group, nowMs);
          if (refusal === undefined) continue;
          group.waiters.delete(waiter);
          waiter.refuse(refusal);
        }
        waiting += group.waiters.size;
      }
      if (waiting > 0) this.#watch();
    });
  }
}

/** Who has as much time as the attempt itself is told by that, which knows why it came to nothing. */
function refusedNow(waiter: Waiter, group: Group, nowMs: number): TrefoilError | undefined {
  const what = `a session with the replica group ${group.namespace}/${group.partition}`;
  if (waiter.signal?.aborted === true) {
    return new TrefoilError('Cancelled', `cancelled while ${what} was being opened`, { outcome: 'failed' });
  }
  if (waiter.deadlineMs > nowMs || waiter.deadlineMs === group.triedUntilMs) return undefined;
  return new TrefoilError('DeadlineExceeded', `the time was up before ${what} was open`);
}

/**
 * Sessions with leader-follower replica groups: what the operation ids of writes are made of there.
 *
 *     first write of a partition ──> open-session ──> its log index names the session ──> writes: session, sequence, lowest open
 *
 * One for each group, opened when a write needs it and shared by all writes of the database. Writes that come while it is being opened
 * wait for that one attempt, each until its own deadline. A group forgets a session that was long unused, or when it has too many:
 * whoever is told so (`SessionExpired`) leaves it, and the next write opens a new one. So it is where one write is so slow that the group
 * would have to keep too many results of those after it.
 */
import { asTrefoilError, type TrefoilError } from '../core/errors.js';
import { REQUESTS_WAITING_MAX } from '../core/limits.js';
import type { SessionResult } from '../protocol/messages.js';
import type { ClientRuntime } from '../runtime/runtime.js';
import type { Caller } from './caller.js';
import { Operations } from './operations.js';
import { WaitingRooms } from './waiting-rooms.js';
import { withOutcome } from './wire-error.js';

interface Group {
  readonly namespace: string;
  readonly partition: number;
  operations: Operations | undefined;
  /** Until when the session is being tried for; undefined while it is not. */
  triedUntilMs: number | undefined;
}

export class GroupSessions {
  readonly #caller: Caller;
  /** As many as there are partitions at most. */
  readonly #groups = new Map<string, Group>();
  /** One for each group. */
  readonly #rooms: WaitingRooms<Operations>;

  constructor(runtime: Pick<ClientRuntime, 'clock' | 'timers'>, caller: Caller) {
    this.#caller = caller;
    this.#rooms = new WaitingRooms(runtime, {
      waitersMax: REQUESTS_WAITING_MAX,
      what: (name) => `a session with the replica group ${name}`,
      // Who has as much time as the attempt itself is told by that, which knows why it came to nothing.
      told: (name, deadlineMs) => this.#groups.get(name)?.triedUntilMs === deadlineMs,
    });
  }

  /** The open session of a group, or undefined. */
  open(namespace: string, partition: number): Operations | undefined {
    return this.#groups.get(nameOf({ namespace, partition }))?.operations;
  }

  /**
   * The session of a group, once it is open. Rejects, with outcome `failed`: with what refuses the session, or with `DeadlineExceeded`,
   * `Cancelled` or `Overloaded`.
   */
  opened(
    namespace: string,
    partition: number,
    deadlineMs: number,
    signal: AbortSignal | undefined,
  ): Promise<Operations> {
    const group = this.#group(namespace, partition);
    const opened = this.#rooms.wait(nameOf(group), deadlineMs, signal);
    if (group.triedUntilMs === undefined) this.#try(group);
    return opened;
  }

  /** No more writes begin in this session: the group no longer knows it, or holds as many of its results as it may. */
  leave(namespace: string, partition: number, operations: Operations): void {
    const group = this.#groups.get(nameOf({ namespace, partition }));
    if (group?.operations === operations) group.operations = undefined;
  }

  #group(namespace: string, partition: number): Group {
    const name = nameOf({ namespace, partition });
    let group = this.#groups.get(name);
    if (group === undefined) {
      group = { namespace, partition, operations: undefined, triedUntilMs: undefined };
      this.#groups.set(name, group);
    }
    return group;
  }

  /** Tries for as long as the one that has the most time may wait; not at all where nobody waits. */
  #try(group: Group): void {
    const { namespace, partition } = group;
    const deadlineMs = this.#rooms.latestDeadlineMs(nameOf(group));
    if (deadlineMs === undefined) return;
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
    this.#rooms.admitAll(nameOf(group), operations);
  }

  /** Those that came later and have more time try again, where that can help. */
  #refuse(group: Group, triedUntilMs: number, error: TrefoilError): void {
    group.triedUntilMs = undefined;
    this.#rooms.refuse(
      nameOf(group),
      withOutcome(error, 'failed'),
      (deadlineMs) => !error.retryable || deadlineMs <= triedUntilMs,
    );
    this.#try(group);
  }
}

function nameOf({ namespace, partition }: Pick<Group, 'namespace' | 'partition'>): string {
  return `${namespace}/${partition}`;
}

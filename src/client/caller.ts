/**
 * Carries calls out: routes each attempt, decides on retries, and ends what is late or cancelled.
 *
 * A call is one object with one promise, however many attempts it takes; attempts continue by callbacks.
 * One pulse for the whole database looks at every deadline and every connection's silence, so that no call
 * has a timer of its own (a pause before a retry does: that is off the hot path).
 */
import { asTrefoilError, TrefoilError } from '../core/errors.js';
import { LEADER_REDIRECTS_AT_ONCE, SDK_IDLE_PULSE_MS, SDK_PULSE_MS } from '../core/limits.js';
import type { ClientResult, WireError } from '../protocol/messages.js';
import type { Cancel, ClientRuntime } from '../runtime/runtime.js';
import { Call, type CallHost, type CallSpec } from './call.js';
import type { NodeConnection } from './connection.js';
import { decideRetry, pauseMs } from './retry.js';
import type { Router } from './router.js';
import { errorFromWire, withMessage } from './wire-error.js';

/** A pulse later than this by its plan means that the whole process stood still. */
const STALL_MS = 250;

export class Caller implements CallHost {
  readonly #runtime: ClientRuntime;
  readonly #router: Router;
  readonly #open = new Set<Call>();
  #cancelPulse: Cancel | undefined;
  #pulseEveryMs = SDK_PULSE_MS;
  #lastPulseMs = 0;
  /** Whether a call began since the last pulse. */
  #busy = false;
  #closed = false;
  #whenIdle: (() => void) | undefined;

  constructor(runtime: ClientRuntime, router: Router) {
    this.#runtime = runtime;
    this.#router = router;
  }

  /** Starts to pulse: from here on time passes for calls and connections. */
  start(): void {
    this.#armPulse(SDK_PULSE_MS);
    this.#router.pulse(this.nowMs(), false);
  }

  nowMs(): number {
    return this.#runtime.clock.monotonicMs();
  }

  mapEpoch(): number {
    return this.#router.map?.epoch ?? 0;
  }

  /** Carries out a call; `finish` makes its value of the result. Rejects with `TrefoilError` only. */
  call<T>(spec: CallSpec, finish: (result: ClientResult) => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const call = new Call(spec, this, (result) => {
        this.#forget(call);
        if (result instanceof TrefoilError) return reject(result);
        try {
          resolve(finish(result));
        } catch (error) {
          reject(asTrefoilError(error));
        }
      });
      this.#open.add(call);
      if (this.#closed) return call.fail(new TrefoilError('BadRequest', 'the database is closed'));
      if (spec.signal?.aborted === true) return call.fail(this.#cancelled(call));
      if (spec.deadlineMs <= this.nowMs()) return call.expire();
      this.#busy = true;
      if (this.#pulseEveryMs !== SDK_PULSE_MS) this.#armPulse(SDK_PULSE_MS);
      this.#dispatch(call);
    });
  }

  /** Waits until no call is open, then calls back; new calls are refused. */
  close(idle: () => void): void {
    this.#closed = true;
    this.#whenIdle = idle;
    if (this.#open.size === 0) idle();
  }

  /** Ends every open call and the pulse. */
  stop(): void {
    this.#closed = true;
    this.#cancelPulse?.();
    this.#cancelPulse = undefined;
    for (const call of [...this.#open]) {
      call.fail(
        new TrefoilError('Cancelled', `${call.describe()}: the database was closed`, { outcome: 'failed' }),
      );
    }
  }

  // --- One attempt ---------------------------------------------------------------------------------------

  #dispatch(call: Call): void {
    let connection: NodeConnection | undefined;
    try {
      connection = this.#route(call);
    } catch (error) {
      return call.fail(error as TrefoilError);
    }
    if (connection === undefined) return this.#unreachable(call);
    call.connection = connection;
    call.lastAddress = connection.address;
    if (!connection.submit(call)) {
      call.connection = undefined;
      const message = `${call.describe()}: too many requests wait for ${connection.address}`;
      call.fail(new TrefoilError('Overloaded', message, { retryAfterMs: SDK_PULSE_MS }));
    }
  }

  #route(call: Call): NodeConnection | undefined {
    const { target } = call.spec;
    if (target.type === 'node') return this.#router.connectionTo(target.node);
    const { index } = this.#router.namespace(target.namespace);
    switch (target.to) {
      case 'leader':
        return this.#router.pickLeader(index, target.partition, call.avoid);
      case 'first':
        return this.#router.pick(index, target.partition, call.avoid);
      case 'any':
        return this.#router.pickAny(index, target.partition, call.avoid);
    }
  }

  #unreachable(call: Call): void {
    this.#router.refresh();
    const error = new TrefoilError('NoReachableNode', `${call.describe()}: ${this.#whoIsUnreachable(call)}`);
    this.#retry(call, error, pauseMs(call.retries + 1, 0, this.#runtime.random), false);
  }

  #whoIsUnreachable(call: Call): string {
    const { target } = call.spec;
    if (target.type === 'node') return `it cannot be reached (${this.#router.reasons([target.node])})`;
    const { index } = this.#router.namespace(target.namespace);
    const replicas = this.#router.map?.placement[index]?.[target.partition] ?? [];
    return `no replica can be reached (${this.#router.reasons(replicas)})`;
  }

  answered(call: Call, result: ClientResult | WireError): void {
    if ('type' in result) return call.succeed(result);
    if (result.map !== null) this.#router.adopt(result.map);
    if (result.code === 'NotReplica') this.#router.refresh();
    this.#failed(call, errorFromWire(result));
  }

  lost(call: Call, error: TrefoilError): void {
    // What ends a connection, be it a refusal for good, says nothing about the other replicas.
    const { message, outcome } = error;
    this.#failed(call, new TrefoilError('ConnectionLost', `${call.describe()}: ${message}`, { outcome }));
  }

  #failed(call: Call, error: TrefoilError): void {
    if ((error.code === 'NotLeader' || error.code === 'NoLeader') && this.#followed(call, error)) return;
    const remainingMs = call.spec.deadlineMs - this.nowMs();
    const decision = decideRetry(error, call.retries, remainingMs, this.#runtime.random);
    if (decision.type === 'retry') return this.#retry(call, error, decision.afterMs, decision.elsewhere);
    call.note(error);
    // What no retry can change is the answer; what only time ran out on is not all that was met.
    call.fail(error.retryable ? this.exhausted(call, error) : error);
  }

  /** What ends a call whose time or retries are used up: what tells most of all that it met, and what each replica said. */
  exhausted(call: Call, last: TrefoilError): TrefoilError {
    const { attempts, spec } = call;
    const error = attempts?.best ?? last;
    if (attempts === undefined || spec.target.type !== 'partition' || error.code === 'NoReachableNode')
      return error;
    const { namespace, partition } = spec.target;
    const told = this.#router.told(namespace, partition, (address) => attempts.saidBy(address));
    return told.length < 2 ? error : withMessage(error, `${error.message} (${told.join(', ')})`);
  }

  /** Goes on at the leader that an answer names. False where that is not possible, or was done too often: then as with any error. */
  #followed(call: Call, error: TrefoilError): boolean {
    const { target } = call.spec;
    if (target.type !== 'partition' || call.spec.deadlineMs <= this.nowMs()) return false;
    const leader = this.#router.noteLeader(
      target.namespace,
      target.partition,
      error.leader,
      call.lastAddress,
    );
    if (leader === undefined || call.redirects >= LEADER_REDIRECTS_AT_ONCE) return false;
    call.redirects++;
    call.note(error);
    call.avoid?.delete(leader.address);
    this.#dispatch(call);
    return true;
  }

  #retry(call: Call, error: TrefoilError, afterMs: number, elsewhere: boolean): void {
    call.note(error);
    call.retries++;
    // Any replica's failure is a reason to ask another, where any will do.
    const another = elsewhere || (call.spec.target.type === 'partition' && call.spec.target.to === 'any');
    if (another && call.lastAddress !== undefined) this.#avoid(call, call.lastAddress);
    if (afterMs <= 0) return this.#dispatch(call);
    call.cancelPause = this.#runtime.timers.after(afterMs, () => {
      call.cancelPause = undefined;
      this.#dispatch(call);
    });
  }

  /** Once all replicas have failed a call that looks for the leader, or for any replica, it begins its round anew. */
  #avoid(call: Call, address: string): void {
    const avoid = (call.avoid ??= new Set());
    const { target } = call.spec;
    avoid.add(address);
    if (target.type !== 'partition' || target.to === 'first') return;
    if (avoid.size < this.#router.replicaCount(target.namespace, target.partition)) return;
    avoid.clear();
    avoid.add(address);
  }

  // --- The end of a call ---------------------------------------------------------------------------------

  #forget(call: Call): void {
    this.#open.delete(call);
    call.cancelPause?.();
    call.connection?.withdraw(call);
    call.connection = undefined;
    if (this.#open.size === 0) this.#whenIdle?.();
  }

  #cancelled(call: Call): TrefoilError {
    return new TrefoilError('Cancelled', `${call.describe()}: cancelled by the caller`, {
      outcome: 'failed',
    });
  }

  // --- Time ----------------------------------------------------------------------------------------------

  #armPulse(everyMs: number): void {
    this.#cancelPulse?.();
    this.#pulseEveryMs = everyMs;
    this.#lastPulseMs = this.nowMs();
    this.#cancelPulse = this.#runtime.timers.after(everyMs, () => this.#pulse());
  }

  #pulse(): void {
    const nowMs = this.nowMs();
    const stalled = nowMs - this.#lastPulseMs > this.#pulseEveryMs + STALL_MS;
    this.#armPulse(
      this.#busy || this.#open.size > 0 || this.#router.map === undefined ? SDK_PULSE_MS : SDK_IDLE_PULSE_MS,
    );
    this.#busy = false;
    this.#router.pulse(nowMs, stalled);
    for (const call of this.#open) {
      if (call.spec.deadlineMs <= nowMs) call.expire();
      // Looked at here rather than listened to: one signal may stand for thousands of calls.
      else if (call.spec.signal?.aborted === true) call.fail(this.#cancelled(call));
    }
  }
}

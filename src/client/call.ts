/**
 * One call, from the application's request to its one result, over as many attempts as it takes.
 *
 * The call remembers what may be concluded: once an attempt of a write may have arrived and was not
 * answered `failed`, the call can only end well or `unknown`, whatever later attempts say. Attempts after
 * that carry a higher `attempt`, so that the node looks for the operation before it applies it.
 */
import { TrefoilError } from '../core/errors.js';
import { ANY_REPLICA_MS_MIN } from '../core/limits.js';
import type { ClientOperation, ClientRequest, ClientResult, WireError } from '../protocol/messages.js';
import type { Cancel } from '../runtime/runtime.js';
import { Attempts } from './attempts.js';
import type { Carried, NodeConnection } from './connection.js';
import { withOutcome } from './wire-error.js';

/** Whom a call is for: a replica of a partition, or one node. */
export type CallTarget =
  | {
      readonly type: 'partition';
      readonly namespace: string;
      readonly partition: number;
      /**
       * `leader`: the replica that leads, where there is one. `first`: the map's first that is connected. `any` of those that are
       * connected, by chance.
       */
      readonly to: 'first' | 'leader' | 'any';
    }
  | { readonly type: 'node'; readonly node: string };

export interface CallSpec {
  readonly target: CallTarget;
  readonly operation: ClientOperation;
  /** On the monotonic clock. */
  readonly deadlineMs: number;
  readonly signal: AbortSignal | undefined;
  readonly explain: boolean;
}

/** What a call needs of the one that carries it out. */
export interface CallHost {
  nowMs(): number;
  mapEpoch(): number;
  answered(call: Call, result: ClientResult | WireError): void;
  lost(call: Call, error: TrefoilError): void;
  /** What ends a call whose time is up, where `last` is the last that it met. */
  exhausted(call: Call, last: TrefoilError): TrefoilError;
}

export class Call implements Carried {
  readonly spec: CallSpec;
  readonly #host: CallHost;
  readonly #settle: (result: ClientResult | TrefoilError) => void;

  /** The connection that carries the current attempt. */
  connection: NodeConnection | undefined = undefined;
  requestId = 0;
  /** The address of the latest attempt. */
  lastAddress: string | undefined = undefined;
  retries = 0;
  /** How often it went to a leader that an answer named, without a pause. */
  redirects = 0;
  /** Addresses that failed this call. */
  avoid: Set<string> | undefined = undefined;
  /** What its attempts met; undefined while none has failed. */
  attempts: Attempts | undefined = undefined;
  cancelPause: Cancel | undefined = undefined;
  /** Whether the current attempt has left. */
  #sent = false;
  /** Attempts of a write that may have had an effect. */
  #uncertain = 0;

  constructor(spec: CallSpec, host: CallHost, settle: (result: ClientResult | TrefoilError) => void) {
    this.spec = spec;
    this.#host = host;
    this.#settle = settle;
  }

  get bytesEstimate(): number {
    const { operation } = this.spec;
    if (operation.type === 'put') return 64 + operation.key.length + (operation.value?.length ?? 0);
    if (operation.type === 'put-all') {
      return operation.puts.reduce((bytes, p) => bytes + 16 + p.key.length + (p.value?.length ?? 0), 64);
    }
    if (operation.type !== 'change' || operation.change.kind === 'increment') return 64;
    return operation.change.elements.reduce((bytes, e) => bytes + 5 + e.length, 64 + operation.key.length);
  }

  request(id: number): ClientRequest {
    this.requestId = id;
    this.#sent = true;
    const { target, operation, explain, deadlineMs } = this.spec;
    const repeated = this.#uncertain > 0 && 'attempt' in operation;
    return {
      type: 'request',
      id,
      epoch: this.#host.mapEpoch(),
      budgetMs: Math.max(1, Math.ceil(Math.min(deadlineMs - this.#host.nowMs(), this.#patienceMs()))),
      namespace: target.type === 'partition' ? target.namespace : '',
      explain,
      operation: repeated ? { ...operation, attempt: this.#uncertain } : operation,
    };
  }

  answered(result: ClientResult | WireError): void {
    this.connection = undefined;
    this.#sent = false;
    this.#host.answered(this, result);
  }

  lost(error: TrefoilError, sent: boolean): void {
    this.connection = undefined;
    this.#sent = false;
    this.#host.lost(this, sent && this.#isWrite() ? error : withOutcome(error, 'failed'));
  }

  /** Takes note of an attempt's error before it is retried or given up. */
  note(error: TrefoilError): void {
    // That no node can be reached is nobody's answer.
    const address = error.code === 'NoReachableNode' ? undefined : this.lastAddress;
    if (this.attempts === undefined) this.attempts = new Attempts(error, address);
    else this.attempts.note(error, address);
    if (error.outcome === 'unknown' && this.#isWrite()) this.#uncertain++;
  }

  succeed(result: ClientResult): void {
    this.#settle(result);
  }

  /** Ends the call with an error, whose outcome is made to fit what the attempts may have done. */
  fail(error: TrefoilError): void {
    // A group remembers what it made of an operation: refused by its condition is refused for ever, whichever attempt arrived first.
    const judged = error.code === 'ConditionFailed' && error.outcome === 'failed';
    const uncertain = this.#isWrite() && !judged && (this.#uncertain > 0 || this.#sent);
    this.#settle(
      uncertain ? withOutcome(error, 'unknown') : this.#isWrite() ? error : withOutcome(error, 'failed'),
    );
  }

  /** Its time is up. */
  expire(): void {
    if (this.#sent) this.note(new TrefoilError('Timeout', `${this.describe()}: no answer in time`));
    const { attempts } = this;
    this.fail(
      attempts === undefined
        ? new TrefoilError('DeadlineExceeded', `${this.describe()}: the time was up before it was sent`)
        : this.#host.exhausted(this, attempts.best),
    );
  }

  /** For messages: what the call does, and to what. */
  describe(): string {
    const { target, operation } = this.spec;
    if (target.type === 'node') return `status of ${target.node}`;
    if (operation.type === 'scan') return `scan of ${target.namespace}/${target.partition}`;
    if (operation.type === 'status') return 'status';
    if (operation.type === 'open-session') {
      return `opening a session with ${target.namespace}/${target.partition}`;
    }
    if (operation.type === 'put-all') {
      return `atomic batch of ${operation.puts.length} in ${target.namespace}/${target.partition}`;
    }
    return `${verbOf(operation)} of ${JSON.stringify(operation.key.slice(0, 80))} in ${target.namespace}`;
  }

  /**
   * How long one attempt may take. A follower that is cut off from its leader waits as long as it is given for what a session has seen;
   * where any replica will do, another is asked in time. The longer, the more attempts there were: all may be slow.
   */
  #patienceMs(): number {
    const { target } = this.spec;
    if (target.type !== 'partition' || target.to !== 'any') return Infinity;
    return ANY_REPLICA_MS_MIN * 2 ** Math.min(this.retries, 20);
  }

  #isWrite(): boolean {
    return 'attempt' in this.spec.operation;
  }
}

function verbOf(operation: ClientOperation): string {
  if (operation.type === 'change') return operation.change.kind;
  return operation.type === 'put' && operation.value === null ? 'delete' : operation.type;
}

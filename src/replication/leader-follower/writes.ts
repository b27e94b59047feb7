/**
 * Clients' writes on their way through the log: queued during a turn, given their indexes at its end, answered when what they asked
 * for is reached.
 *
 *     begin ──> queued ──take──> in the log ──own disk, its session lives──> ack: leader
 *                                           ──applied──> ack: quorum
 *                                           ──applied, and on every disk that can be reached──> ack: all
 *
 * What is refused before it is in the log is `failed`. Once it is, only its result can say so: a leader that is deposed answers `unknown`,
 * and the client's retry, which carries the same operation id, finds out.
 */
import { TrefoilError } from '../../core/errors.js';
import type { AckLevel } from '../../cluster/cluster-map.js';
import type { HlcTime } from '../../core/hlc.js';
import type { NodeId } from '../../core/ids.js';
import { partitionOfKey } from '../../core/hash.js';
import {
  OVERLOADED_RETRY_AFTER_MS,
  PROPOSALS_MAX,
  PROPOSED_BYTES_MAX,
  UNAPPLIED_WRITES_MAX,
} from '../../core/limits.js';
import type { Command, LogEntry, LoggedPut } from '../../protocol/log-codec.js';
import type {
  ClientResult,
  OpenSessionOperation,
  PutAllOperation,
  PutOfAll,
  PutOperation,
  WriteLevel,
} from '../../protocol/messages.js';
import { decodeLeaderContext, encodeLeaderContext } from '../../protocol/leader-context-codec.js';
import type { Asked, Effects, Turn } from '../strategy.js';
import { explainWrite } from './explain.js';
import type { GroupFacts } from './group-facts.js';
import type { Leadership } from './raft/leadership.js';
import { majorityOf } from './raft/quorum.js';
import { sessionIndex } from './session-table.js';
import type { ApplyResult, StateMachine } from './state-machine.js';
import { commandBytes } from './stored-segments.js';

export type LoggedOperation = PutOperation | PutAllOperation | OpenSessionOperation;

/** Built field by field, as a read is: a spread of so many takes V8's slow path. */
interface Write extends Asked {
  readonly operation: LoggedOperation;
  readonly command: Command;
  readonly bytes: number;
  readonly ack: AckLevel;
  /** 0 until it is in the log. */
  index: number;
  /** undefined until then. */
  entry: LogEntry | undefined;
  /** Set once the entry is applied; of interest where the answer still waits for replicas. */
  result: ApplyResult | undefined;
}

export class Writes {
  readonly #facts: GroupFacts;
  #queued: Write[] = [];
  /** In the log, by index, in order. */
  readonly #logged = new Map<number, Write>();
  /** The bytes of those that were answered and are not applied, by index. A log that commits nothing would grow for ever without a bound for them. */
  readonly #unapplied = new Map<number, number>();
  /** Of all these. */
  #bytes = 0;
  /** Of those in the log, how many wait for more than to be applied. */
  #waitForDisks = 0;

  constructor(facts: GroupFacts) {
    this.#facts = facts;
  }

  get size(): number {
    return this.#queued.length + this.#logged.size;
  }

  /** What they take together with those that were answered and are not applied. */
  get bytes(): number {
    return this.#bytes;
  }

  get hasQueued(): boolean {
    return this.#queued.length > 0;
  }

  /** Takes a write that this leader can log, of which `unwritten` bytes are not on its disk yet. Throws what refuses it. */
  begin(
    { request, deadlineMs, explain }: Asked,
    operation: LoggedOperation,
    unwritten: number,
    turn: Turn,
  ): void {
    const ack = this.#ackOf(operation);
    const command = this.#command(operation);
    this.#checkReachable(ack, turn);
    const bytes = commandBytes(command);
    this.#checkRoom(bytes, unwritten);
    this.#bytes += bytes;
    this.#queued.push({
      request,
      operation,
      deadlineMs,
      explain,
      command,
      bytes,
      ack,
      index: 0,
      entry: undefined,
      result: undefined,
    });
  }

  /** The entries of what is queued, the first at `index`, after those of the group's own that come with them. */
  take(index: number, term: number, tick: () => HlcTime, own: readonly Command[]): LogEntry[] {
    const entries: LogEntry[] = [];
    const add = (command: Command): number =>
      entries.push({ index: index + entries.length, term, hlc: tick(), command });
    for (const command of own) add(command);
    for (const write of this.#queued) {
      write.index = index + add(write.command) - 1;
      write.entry = entries.at(-1);
      this.#logged.set(write.index, write);
      if (write.ack !== 'quorum') this.#waitForDisks++;
    }
    this.#queued = [];
    return entries;
  }

  /** An entry was applied, with this result. */
  applied(index: number, result: ApplyResult, leadership: Leadership | undefined, effects: Effects): void {
    const write = this.#logged.get(index);
    if (write === undefined) return this.#forget(index);
    write.result = result;
    if (write.ack !== 'all' || result.type !== 'ok') this.#answer(write, result, leadership, effects);
  }

  /** Answers what waited for this replica's own disk, or for the others'. */
  advance(leadership: Leadership, stable: number, state: StateMachine, effects: Effects): void {
    if (this.#waitForDisks === 0) return;
    for (const write of this.#logged.values()) {
      if (write.ack === 'leader') {
        // Where it may yet be refused, by a session that has ended, only its result can tell.
        if (write.index > stable || write.entry === undefined || !state.willTake(write.entry)) continue;
        this.#answer(write, { type: 'ok', version: write.index }, leadership, effects);
      } else if (write.ack === 'all' && write.result !== undefined) {
        const { index } = write;
        if (leadership.voters.holders(index) < this.#facts.namespace.minReplicas) continue;
        if (!leadership.voters.heldByReachable(index)) continue;
        this.#answer(write, write.result, leadership, effects);
      }
    }
  }

  /** This replica leads no more: what is in the log may yet be committed, the rest has had no effect. */
  deposed(leader: NodeId | null, effects: Effects): void {
    const message = `node ${this.#facts.self} leads ${this.#facts.group} no more`;
    for (const write of this.#queued)
      effects.replyEarly(
        write.request,
        new TrefoilError('NotLeader', message, { leader: leader ?? undefined }),
      );
    for (const write of this.#logged.values())
      effects.replyEarly(
        write.request,
        new TrefoilError('NotLeader', message, { leader: leader ?? undefined, outcome: 'unknown' }),
      );
    this.#queued = [];
    this.#logged.clear();
    this.#unapplied.clear();
    this.#bytes = 0;
    this.#waitForDisks = 0;
  }

  /** Ends what is late. */
  sweep(nowMs: number, effects: Effects): void {
    const late = this.#queued.filter((write) => write.deadlineMs <= nowMs);
    this.#queued = this.#queued.filter((write) => write.deadlineMs > nowMs);
    for (const write of late) {
      this.#bytes -= write.bytes;
      effects.replyEarly(
        write.request,
        new TrefoilError('DeadlineExceeded', 'the write was not begun in time'),
      );
    }
    for (const write of this.#logged.values()) {
      if (write.deadlineMs > nowMs) continue;
      const why =
        write.result === undefined ? 'the write was not committed' : 'not all replicas had the write';
      this.#end(write);
      effects.replyEarly(write.request, new TrefoilError('Timeout', `${why} in time`));
    }
  }

  #answer(write: Write, result: ApplyResult, leadership: Leadership | undefined, effects: Effects): void {
    this.#end(write);
    effects.replyEarly(write.request, this.#replyTo(write, result, leadership, effects));
  }

  #end({ index, ack, bytes, result }: Write): void {
    this.#logged.delete(index);
    if (result === undefined) this.#unapplied.set(index, bytes);
    else this.#bytes -= bytes;
    if (ack !== 'quorum') this.#waitForDisks--;
  }

  #forget(index: number): void {
    const bytes = this.#unapplied.get(index);
    if (bytes === undefined) return;
    this.#bytes -= bytes;
    this.#unapplied.delete(index);
  }

  #checkRoom(bytes: number, unwritten: number): void {
    const { size: unapplied } = this.#unapplied;
    const { self, group } = this.#facts;
    if (
      this.size >= PROPOSALS_MAX ||
      unapplied >= UNAPPLIED_WRITES_MAX ||
      this.#bytes + bytes > PROPOSED_BYTES_MAX
    ) {
      throw overloaded(
        `${this.size} writes of ${group} are under way already, ${unapplied} more are in its log and not committed`,
      );
    }
    // The others may have them, and they be committed: this node's memory would still hold all that its disk does not take.
    if (unwritten + bytes > PROPOSED_BYTES_MAX)
      throw overloaded(`the disk of node ${self} is ${unwritten} bytes behind the log of ${group}`);
  }

  #replyTo(
    write: Write,
    result: ApplyResult,
    leadership: Leadership | undefined,
    effects: Effects,
  ): ClientResult | TrefoilError {
    const repeated = write.operation.type !== 'open-session' && write.operation.attempt > 0;
    switch (result.type) {
      case 'ok': {
        const replicas = Math.max(1, leadership?.voters.holders(write.index) ?? 1);
        if (write.ack === 'all' && replicas < this.#facts.replicas.length) effects.count('acks_degraded');
        return {
          type: 'put-result',
          context: encodeLeaderContext({ version: result.version, index: write.index }),
          siblings: write.operation.type === 'put' && write.operation.value === null ? 0 : 1,
          version: result.version,
          replicas,
          explain: write.explain ? explainWrite(this.#facts, write.ack, write.index, leadership) : null,
        };
      }
      case 'session':
        return { type: 'session-result', session: result.session };
      case 'condition-failed':
        return new TrefoilError('ConditionFailed', conditionText(write.operation, result));
      case 'session-expired':
        return new TrefoilError('SessionExpired', `${this.#facts.group} knows no such session`, {
          outcome: repeated ? 'unknown' : 'failed',
        });
      case 'forgotten':
        return new TrefoilError('OperationForgotten', 'the client has said that this operation is over');
      case 'too-many-open':
        return new TrefoilError('Overloaded', 'too many operations of the session are open', {
          outcome: repeated ? 'unknown' : 'failed',
        });
      case 'damaged':
        return new TrefoilError(
          'RecordCorrupt',
          `the value that the write depends on is damaged at node ${this.#facts.self}`,
          // It was passed over by a state that is not on disk yet: after a crash the value may read whole, and the entry be applied.
          { outcome: 'unknown' },
        );
      case 'none':
        return new TrefoilError('StorageFailed', `the state of ${this.#facts.group} here is damaged`);
    }
  }

  #ackOf(operation: LoggedOperation): AckLevel {
    if (operation.type === 'open-session') return 'quorum';
    const ack = ackLevel(operation.write) ?? this.#facts.namespace.ack;
    if (ack !== 'leader') return ack;
    if (operation.type === 'put-all' || isConditional(operation)) {
      const what = operation.type === 'put-all' ? 'an atomic batch' : 'a conditional write';
      throw new TrefoilError(
        'Unsupported',
        `${what} has no result before it is applied: use ack quorum or all instead of leader`,
      );
    }
    // What became of the first attempt only the log can tell.
    return operation.attempt > 0 ? 'quorum' : ack;
  }

  #command(operation: LoggedOperation): Command {
    if (operation.type === 'open-session') return { type: 'open-session' };
    const session = sessionIndex(operation.operation.session);
    if (session === null) {
      throw new TrefoilError(
        'SessionExpired',
        `${JSON.stringify(operation.operation.session)} is no session of ${this.#facts.group}: open one`,
      );
    }
    const { lowestOpen } = operation;
    const { sequence } = operation.operation;
    if (operation.type === 'put-all') {
      for (const { key } of operation.puts) this.#checkPartition(key);
      return {
        type: 'put-all',
        session,
        sequence,
        lowestOpen,
        puts: operation.puts.map((p) => this.#toLog(p)),
      };
    }
    const ifVersion =
      operation.ifVersion ??
      (operation.context === null ? null : decodeLeaderContext(operation.context).version);
    return { type: 'put', session, sequence, lowestOpen, put: this.#toLog({ ...operation, ifVersion }) };
  }

  #checkPartition(key: string): void {
    const { namespace, partition, group } = this.#facts;
    if (partitionOfKey(key, namespace.partitions) === partition) return;
    throw new TrefoilError('BadRequest', `${JSON.stringify(key)} is not of ${group}`);
  }

  #toLog({ key, value, ifVersion, ttlMs }: PutOfAll): LoggedPut {
    return { key, value, ifVersion, ttlMs: value === null ? 0 : ttlMs || this.#facts.namespace.ttlMs };
  }

  /** What can never be reached in time is refused before it is in the log. */
  #checkReachable(ack: AckLevel, turn: Turn): void {
    const { replicas, peers, namespace, group } = this.#facts;
    const needed = ack === 'all' ? namespace.minReplicas : majorityOf(replicas.length);
    const reachable = 1 + peers.filter((peer) => turn.reachable(peer)).length;
    if (ack === 'leader' || reachable >= needed) return;
    throw new TrefoilError(
      'QuorumUnavailable',
      `${needed} of ${replicas.length} replicas of ${group} are needed, ${reachable} can be reached`,
    );
  }
}

function overloaded(message: string): TrefoilError {
  return new TrefoilError('Overloaded', message, { retryAfterMs: OVERLOADED_RETRY_AFTER_MS });
}

function isConditional({ ifVersion, context }: PutOperation): boolean {
  return ifVersion !== null || context !== null;
}

function ackLevel(level: WriteLevel | null): AckLevel | null {
  if (level === null || level === 'leader' || level === 'quorum' || level === 'all') return level;
  throw new TrefoilError(
    'BadRequest',
    `write ${level} is for leaderless namespaces: use ack leader, quorum or all`,
  );
}

function conditionText(
  operation: LoggedOperation,
  { actual, place }: Extract<ApplyResult, { readonly type: 'condition-failed' }>,
): string {
  const put = operation.type === 'put-all' ? operation.puts[place] : operation;
  const key = put !== undefined && 'key' in put ? JSON.stringify(put.key.slice(0, 80)) : 'the key';
  return actual === 0 ? `${key} is absent` : `${key} has version ${actual}`;
}

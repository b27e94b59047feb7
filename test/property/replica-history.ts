/**
 * Random histories of one key, run through the real records and through the causal model side by side.
 *
 * A history is a list of steps over two to four replicas and two clients. It keeps the rule on which plain
 * version vectors stand, that an incarnation mints only while it holds or has superseded what it minted
 * before: a replica that restarts from an older copy goes on under a new incarnation (unless a test plants
 * exactly that fault). After every step the touched replica must hold what the model says.
 */
import fc from 'fast-check';
import { incarnationId, sessionId, type IncarnationId } from '../../src/core/ids.js';
import { CONTEXT_DOTS_MAX, RECENT_OPERATIONS_MAX } from '../../src/core/limits.js';
import {
  applyQuestion,
  dotsOfOperation,
  EMPTY_CONTEXT,
  EMPTY_RECORD,
  expireSiblings,
  forgetsOperations,
  highestHlc,
  sameOperation,
  type applyWrite,
  type CausalContext,
  type mergeRecords,
  type OperationId,
  type Sibling,
} from '../../src/core/record.js';
import { join, sameDot, type Dot } from '../../src/core/version-vector.js';
import {
  modelAsk,
  modelExpire,
  modelMerge,
  modelWrite,
  NEW_REPLICA,
  NOTHING_SEEN,
  pastOf,
  union,
  type ModelContext,
  type WriteEvent,
} from './causal-model.js';
import { compareCopy, compareViews, remembersBeyond, WINDOWS, type Copy } from './record-comparison.js';

/** What is on trial. `keepsIncarnation` plants the fault of minting on after memory was lost. */
export interface Subject {
  readonly merge: typeof mergeRecords;
  readonly write: typeof applyWrite;
  readonly keepsIncarnation?: boolean;
}

type Step =
  | {
      readonly type: 'write';
      readonly at: number;
      readonly client: number;
      /** What the write supersedes: nothing, what the client has seen, or that and all that the replica holds. */
      readonly covers: 'nothing' | 'seen' | 'local';
      readonly remove: boolean;
      readonly expiresAt: number;
      readonly hlc: number;
      /** Counters that other keys took in between. */
      readonly gap: number;
    }
  | { readonly type: 'retry'; readonly at: number; readonly which: number; readonly hlc: number }
  /** A retry is announced, and perhaps never minted. */
  | { readonly type: 'ask'; readonly at: number; readonly which: number; readonly hlc: number }
  | { readonly type: 'read'; readonly client: number; readonly replicas: readonly boolean[] }
  | { readonly type: 'send'; readonly from: number }
  | { readonly type: 'deliver'; readonly to: number; readonly which: number; readonly again: boolean }
  | { readonly type: 'sync'; readonly from: number; readonly to: number }
  | { readonly type: 'expire'; readonly at: number; readonly wallMs: number }
  | { readonly type: 'save'; readonly at: number }
  | { readonly type: 'restart'; readonly at: number; readonly from: 'memory' | 'saved' | 'empty' };

export interface History {
  readonly replicas: number;
  readonly steps: readonly Step[];
  /** Which of the records that were reached the laws are tried on. */
  readonly picks: readonly number[];
}

const replica = fc.nat({ max: 3 });
const client = fc.nat({ max: 1 });
const anything = fc.nat({ max: 1_000 });
const hlc = fc.nat({ max: 12 });
const wallMs = fc.constantFrom(5, 10, 20);

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.record<Step & { readonly type: 'write' }>({
      type: fc.constant('write'),
      at: replica,
      client,
      covers: fc.constantFrom('nothing', 'seen', 'seen', 'local'),
      remove: fc.boolean(),
      expiresAt: fc.constantFrom(0, 0, 5, 10, 20),
      hlc,
      gap: fc.nat({ max: 2 }),
    }),
  },
  { weight: 5, arbitrary: fc.record({ type: fc.constant('retry'), at: replica, which: anything, hlc }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('ask'), at: replica, which: anything, hlc }) },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('read'),
      client,
      replicas: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('send'), from: replica }) },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('deliver'),
      to: replica,
      which: anything,
      again: fc.boolean(),
    }),
  },
  { weight: 5, arbitrary: fc.record({ type: fc.constant('sync'), from: replica, to: replica }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('expire'), at: replica, wallMs }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('save'), at: replica }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('restart'),
      at: replica,
      from: fc.constantFrom('memory', 'saved', 'empty'),
    }),
  },
);

export const histories: fc.Arbitrary<History> = fc.record({
  replicas: fc.integer({ min: 2, max: 4 }),
  steps: fc.array(step, { minLength: 1, maxLength: 32, size: 'max' }),
  picks: fc.array(anything, { minLength: 6, maxLength: 6 }),
});

interface Client {
  readonly context: CausalContext;
  readonly model: ModelContext;
}

interface Issued {
  readonly operation: OperationId;
  readonly writer: Client;
  readonly expiresAt: number;
  readonly value: Uint8Array | null;
}

interface Replica {
  copy: Copy;
  saved: Copy;
  incarnation: IncarnationId;
}

const BLANK: Copy = { record: EMPTY_RECORD, model: NEW_REPLICA };
const STRANGER: Client = { context: EMPTY_CONTEXT, model: NOTHING_SEEN };

/** What happened in a run, so that a test can tell that its histories were not dull. */
export interface Reached {
  /** Every record that was held or sent, in order, with what the model knew then. */
  readonly copies: readonly Copy[];
  readonly siblingsMost: number;
  readonly repeatedOperations: number;
  readonly hidden: number;
  readonly redelivered: number;
  readonly lostMemory: number;
  readonly expired: number;
  readonly forgotOperations: number;
  /** Records that remembered an operation only because it was retried. */
  readonly keptRetried: number;
  /** Records in which a question was closed. */
  readonly closedQuestions: number;
}

/** Runs a history and throws at the first step after which the subject and the model disagree. */
export function runHistory(subject: Subject, history: History): Reached {
  const run = new Run(subject, history.replicas);
  for (const next of history.steps) run.step(next);
  return run.reached();
}

class Run {
  readonly #subject: Subject;
  readonly #replicas: Replica[];
  readonly #clients: Client[] = [STRANGER, STRANGER];
  readonly #inFlight: Copy[] = [];
  readonly #issued: Issued[] = [];
  readonly #counters = new Map<IncarnationId, number>();
  readonly #copies: Copy[] = [BLANK];
  #incarnations = 0;
  #siblingsMost = 0;
  #repeatedOperations = 0;
  #hidden = 0;
  #redelivered = 0;
  #lostMemory = 0;
  #expired = 0;
  #forgotOperations = 0;
  #keptRetried = 0;
  #closedQuestions = 0;

  constructor(subject: Subject, replicas: number) {
    this.#subject = subject;
    this.#replicas = Array.from({ length: replicas }, () => ({
      copy: BLANK,
      saved: BLANK,
      incarnation: this.#newIncarnation(),
    }));
  }

  reached(): Reached {
    return {
      copies: this.#copies,
      siblingsMost: this.#siblingsMost,
      repeatedOperations: this.#repeatedOperations,
      hidden: this.#hidden,
      redelivered: this.#redelivered,
      lostMemory: this.#lostMemory,
      expired: this.#expired,
      forgotOperations: this.#forgotOperations,
      keptRetried: this.#keptRetried,
      closedQuestions: this.#closedQuestions,
    };
  }

  step(next: Step): void {
    switch (next.type) {
      case 'write':
        return this.#write(next);
      case 'retry':
        return this.#retry(next);
      case 'ask':
        return this.#ask(next);
      case 'read':
        return this.#read(next);
      case 'send':
        this.#inFlight.push(this.#replica(next.from).copy);
        return;
      case 'deliver':
        return this.#deliver(next);
      case 'sync':
        return this.#absorb(this.#replica(next.to), this.#replica(next.from).copy);
      case 'expire':
        return this.#expire(next);
      case 'save': {
        const at = this.#replica(next.at);
        at.saved = at.copy;
        return;
      }
      case 'restart':
        return this.#restart(next);
    }
  }

  #write(next: Step & { readonly type: 'write' }): void {
    const at = this.#replica(next.at);
    const writer = next.covers === 'nothing' ? STRANGER : this.#client(next.client);
    const operation: OperationId = { session: sessionId('session'), sequence: this.#issued.length };
    const issued: Issued = {
      operation,
      writer: next.covers === 'local' ? havingRead(writer, at.copy) : writer,
      expiresAt: next.remove ? 0 : next.expiresAt,
      value: next.remove ? null : Uint8Array.of(this.#issued.length),
    };
    this.#issued.push(issued);
    const event = this.#mint(at, issued, next.hlc, next.gap, {});
    this.#clients[next.client] = afterWriting(issued.writer, at.copy, event);
  }

  /** The client did not hear of its write and asks another coordinator, which may or may not know of it. */
  #retry(next: Step & { readonly type: 'retry' }): void {
    const issued = this.#issued[next.which % Math.max(1, this.#issued.length)];
    const at = this.#replica(next.at);
    if (issued === undefined || dotsOfOperation(at.copy.record, issued.operation).length > 0) return;
    if (forgetsOperations(at.copy.record, 0)) return;
    const told = [...at.copy.model.told].some((e) => sameOperation(e.operation, issued.operation));
    if (told) throw new Error('a replica forgot an operation and does not say that it forgets');
    this.#repeatedOperations++;
    this.#mint(at, issued, next.hlc, 0, { retried: true });
  }

  #ask(next: Step & { readonly type: 'ask' }): void {
    const issued = this.#issued[next.which % Math.max(1, this.#issued.length)];
    const at = this.#replica(next.at);
    if (issued === undefined || dotsOfOperation(at.copy.record, issued.operation).length > 0) return;
    const question = { dot: this.#dot(at, 0), hlc: next.hlc + 1, operation: issued.operation };
    const nothing = { expiresAt: 0, value: null, past: new Set<WriteEvent>() };
    this.#hold(at, {
      record: applyQuestion(at.copy.record, question),
      model: modelAsk(at.copy.model, { ...question, ...nothing, question: true }),
    });
  }

  #mint(
    at: Replica,
    issued: Issued,
    drawnHlc: number,
    gap: number,
    mark: { readonly retried?: true },
  ): WriteEvent {
    const dot = this.#dot(at, gap);
    const { operation, expiresAt, value } = issued;
    const written: Sibling = {
      dot,
      hlc: Math.max(issued.writer.context.hlc, drawnHlc) + 1,
      operation,
      expiresAt,
      value,
      ...mark,
    };
    const event: WriteEvent = { ...written, past: pastOf(at.copy.model, issued.writer.model) };
    this.#hold(at, {
      record: this.#subject.write(at.copy.record, issued.writer.context, written),
      model: modelWrite(at.copy.model, event, WINDOWS),
    });
    return event;
  }

  #dot(at: Replica, gap: number): Dot {
    const counter = (this.#counters.get(at.incarnation) ?? 0) + 1 + gap;
    this.#counters.set(at.incarnation, counter);
    return { incarnation: at.incarnation, counter };
  }

  #read(next: Step & { readonly type: 'read' }): void {
    const asked = this.#replicas.filter((_, i) => next.replicas[i]).map((r) => r.copy);
    if (asked.length === 0) return;
    const answer = asked.reduce((a, b) => this.#mergeCopies(a, b));
    this.#check(answer);
    this.#clients[next.client] = havingRead(STRANGER, answer);
  }

  #deliver(next: Step & { readonly type: 'deliver' }): void {
    if (this.#inFlight.length === 0) return;
    const index = next.which % this.#inFlight.length;
    const message = this.#inFlight[index];
    if (message === undefined) return;
    if (next.again) this.#redelivered++;
    else this.#inFlight.splice(index, 1);
    this.#absorb(this.#replica(next.to), message);
  }

  #absorb(at: Replica, from: Copy): void {
    this.#hold(at, this.#mergeCopies(at.copy, from));
  }

  #expire(next: Step & { readonly type: 'expire' }): void {
    const at = this.#replica(next.at);
    const record = expireSiblings(at.copy.record, next.wallMs);
    if (record !== at.copy.record) this.#expired++;
    this.#hold(at, { record, model: modelExpire(at.copy.model, next.wallMs) });
  }

  #restart(next: Step & { readonly type: 'restart' }): void {
    const at = this.#replica(next.at);
    if (next.from !== 'memory') this.#lostMemory++;
    if (next.from === 'saved') at.copy = at.saved;
    if (next.from === 'empty') at.copy = at.saved = BLANK;
    if (this.#subject.keepsIncarnation !== true) at.incarnation = this.#newIncarnation();
  }

  #mergeCopies(a: Copy, b: Copy): Copy {
    return { record: this.#subject.merge(a.record, b.record), model: modelMerge(a.model, b.model, WINDOWS) };
  }

  #hold(at: Replica, copy: Copy): void {
    at.copy = copy;
    this.#copies.push(copy);
    this.#siblingsMost = Math.max(this.#siblingsMost, copy.record.siblings.length);
    this.#check(copy);
  }

  #check(copy: Copy): void {
    compareCopy(copy);
    this.#hidden += compareViews(copy);
    if (copy.model.closed.size > 0) this.#closedQuestions++;
    if (copy.model.told.size > RECENT_OPERATIONS_MAX) this.#forgotOperations++;
    const { siblings, recentOperations } = copy.record;
    if (siblings.length + recentOperations.length > RECENT_OPERATIONS_MAX && remembersBeyond(copy)) {
      this.#keptRetried++;
    }
  }

  #replica(index: number): Replica {
    return at(this.#replicas, index);
  }

  #client(index: number): Client {
    return at(this.#clients, index);
  }

  /** Names whose order has nothing to do with the order in which they are given. */
  #newIncarnation(): IncarnationId {
    this.#incarnations++;
    return incarnationId(`i${String((this.#incarnations * 37) % 101).padStart(3, '0')}`);
  }
}

function at<T>(list: readonly T[], index: number): T {
  const found = list[index % list.length];
  if (found === undefined) throw new Error('an empty list has no element');
  return found;
}

/** What a client has seen after it read a copy, beside what it had seen before. */
function havingRead(before: Client, copy: Copy): Client {
  return {
    context: {
      vector: join(before.context.vector, copy.record.context),
      dots: before.context.dots,
      hlc: Math.max(before.context.hlc, highestHlc(copy.record)),
    },
    model: { seen: union(before.model.seen, copy.model.known), exact: before.model.exact },
  };
}

/** What a writer may claim to have seen: all that the record has seen, or only its own write where others stand beside it. */
function afterWriting(writer: Client, copy: Copy, event: WriteEvent): Client {
  const hlcSeen = Math.max(writer.context.hlc, event.hlc);
  if (copy.record.siblings.every((s) => sameDot(s.dot, event.dot))) {
    const context = {
      vector: copy.record.context,
      dots: [],
      hlc: Math.max(hlcSeen, highestHlc(copy.record)),
    };
    return { context, model: { seen: copy.model.known, exact: [] } };
  }
  return {
    context: {
      vector: writer.context.vector,
      dots: [...writer.context.dots, event.dot].slice(-CONTEXT_DOTS_MAX),
      hlc: hlcSeen,
    },
    model: { seen: writer.model.seen, exact: [...writer.model.exact, event].slice(-CONTEXT_DOTS_MAX) },
  };
}

/**
 * What happened in a run, as plain data that a page can draw: processes, messages, faults, operations.
 * A recorder is given to a world or is not there; without one nothing is recorded and nothing is paid. It
 * never changes what happens: a run with and without it has the same trace hash.
 *
 * It is bounded. Of messages the latest are kept, because a failure shows at the end; of the rest the
 * first, because a fault schedule and a plan are short. What was dropped is counted.
 */

export interface TraceProcess {
  readonly atMs: number;
  readonly name: string;
  readonly what: 'start' | 'crash' | 'power-off' | 'exit' | 'pause' | 'resume';
}

/** How a frame fared. `lost` with its connection; `dropped` alone; `late`, overtaken; `duplicate`, a second copy. */
export type MessageFate = 'whole' | 'corrupted' | 'lost' | 'dropped' | 'late' | 'duplicate';

/** One message of a frame, as whoever can read frames tells it. */
export interface CarriedMessage {
  readonly name: string;
  /** The key that it names, if it names one. */
  readonly key: string | null;
  /** Ties an answer to its question: equal on both, and the latest between the two processes is meant. */
  readonly exchange: string | null;
  readonly isAnswer: boolean;
  /** What else it says, for people; may be empty. */
  readonly detail: string;
}

export interface TraceMessage {
  readonly from: string;
  readonly to: string;
  /** Number of the connection, in the order in which they were made. */
  readonly connection: number;
  readonly sentMs: number;
  /** When the receiving process took it; null if it never did. */
  arrivedMs: number | null;
  readonly sizeBytes: number;
  readonly fate: MessageFate;
  /** What the frame carried, where the recorder was told how to read it. */
  readonly carried?: readonly CarriedMessage[];
}

export interface TraceFault {
  readonly name: string;
  /** The nodes that it is about; empty for all. */
  readonly nodes: readonly string[];
  /** For people. */
  readonly detail: string;
  readonly beganMs: number;
  endedMs: number | null;
}

export interface TraceOperation {
  readonly client: string;
  readonly f: string;
  readonly key: string | null;
  /** Value asked and value answered, as text. */
  readonly input: string;
  output: string | null;
  readonly invokedMs: number;
  completedMs: number | null;
  outcome: 'ok' | 'fail' | 'info' | null;
}

export interface Trace {
  readonly processes: readonly TraceProcess[];
  readonly messages: readonly TraceMessage[];
  readonly faults: readonly TraceFault[];
  readonly operations: readonly TraceOperation[];
  /** Entries beyond the bounds. */
  readonly dropped: {
    readonly processes: number;
    readonly messages: number;
    readonly faults: number;
    readonly operations: number;
  };
}

export interface TraceOptions {
  readonly messagesMax?: number;
  /** Of processes, faults and operations each. */
  readonly othersMax?: number;
  /** Tells what a frame carries. Called once a frame, with the bytes as they were sent. */
  readonly describe?: (frame: Uint8Array) => readonly CarriedMessage[];
}

const MESSAGES_MAX_DEFAULT = 50_000;
const OTHERS_MAX_DEFAULT = 20_000;

export class TraceRecorder {
  readonly #messagesMax: number;
  readonly #othersMax: number;
  readonly #describe: TraceOptions['describe'];
  readonly #processes: TraceProcess[] = [];
  #messages: TraceMessage[] = [];
  readonly #faults: TraceFault[] = [];
  readonly #operations: TraceOperation[] = [];
  readonly #dropped = { processes: 0, messages: 0, faults: 0, operations: 0 };

  constructor(options: TraceOptions = {}) {
    this.#messagesMax = options.messagesMax ?? MESSAGES_MAX_DEFAULT;
    this.#othersMax = options.othersMax ?? OTHERS_MAX_DEFAULT;
    this.#describe = options.describe;
  }

  process(entry: TraceProcess): void {
    if (this.#processes.length < this.#othersMax) this.#processes.push(entry);
    else this.#dropped.processes++;
  }

  /** Returns the entry, on which the arrival is noted. */
  message(entry: Omit<TraceMessage, 'carried'>, frame: Uint8Array): TraceMessage {
    const recorded = this.#describe === undefined ? entry : { ...entry, carried: this.#describe(frame) };
    this.#messages.push(recorded);
    // Twice the bound before the oldest go at once: taking one off the front each time would move all the others.
    if (this.#messages.length >= 2 * this.#messagesMax) this.#trim();
    return recorded;
  }

  /** Returns the entry, on which the end is noted. */
  fault(entry: TraceFault): TraceFault {
    if (this.#faults.length < this.#othersMax) this.#faults.push(entry);
    else this.#dropped.faults++;
    return entry;
  }

  /** Returns the entry, on which the completion is noted. */
  operation(entry: TraceOperation): TraceOperation {
    if (this.#operations.length < this.#othersMax) this.#operations.push(entry);
    else this.#dropped.operations++;
    return entry;
  }

  /** A copy of everything so far. */
  trace(): Trace {
    this.#trim();
    return structuredClone({
      processes: this.#processes,
      messages: this.#messages,
      faults: this.#faults,
      operations: this.#operations,
      dropped: this.#dropped,
    });
  }

  #trim(): void {
    const surplus = this.#messages.length - this.#messagesMax;
    if (surplus <= 0) return;
    this.#messages = this.#messages.slice(surplus);
    this.#dropped.messages += surplus;
  }
}

/**
 * What a history says of one key of a store with siblings: its writes, which of them had seen which, its reads.
 *
 *     seen       w.seen holds v: the context of w had been shown v, so w supersedes v where w has effect
 *     superseded by an acknowledged write that had seen v, or had seen a write that had seen v, and so on: a context
 *                covers what the siblings it was shown had covered. From the first such acknowledgement on, v is gone
 *     reflected  a read reflects v if it shows v, or something reached from v over writes that had seen each other
 *                and may have had effect by then; a delete shows nothing, so reaching one is enough
 *
 * All checkers of this folder argue over these three, and never over a model of the store's state. They need every
 * written value to be unique per key: where one is not, they answer `unknown`. Rejected: asking for every read and
 * every write whether some third write can explain them, as the first campaign's judge did: cubic, and blind to a write that can
 * only have been superseded by one that has vanished itself.
 */
import type { Operation, Value } from '../../history/history.js';
import type { Verdict } from '../verdict.js';

export interface WriteEntry {
  readonly operation: Operation;
  /** null for a delete. */
  readonly value: Value;
  /** The writes whose values its context had been shown. Values that nobody wrote are left out. */
  readonly seen: readonly WriteEntry[];
  /** The writes that had seen it and did not fail, by invocation. */
  readonly successors: readonly WriteEntry[];
  /** The acknowledged write that superseded it first, itself or over others. */
  readonly supersededBy: WriteEntry | undefined;
}

export interface ReadEntry {
  readonly operation: Operation;
  /** The siblings, as the read listed them. */
  readonly shown: readonly Value[];
  /** The writes of the shown values, each once; values that nobody wrote to this key are left out. */
  readonly entries: ReadonlySet<WriteEntry>;
}

export interface KeyLedger {
  readonly key: string;
  /** By invocation, failed ones too. */
  readonly writes: readonly WriteEntry[];
  /** The same, every write after those that had seen it; not simply by invocation, since an update may see what began after it did. */
  readonly latestFirst: readonly WriteEntry[];
  /** By what `identityOf` gives for their values. */
  readonly byValue: ReadonlyMap<unknown, WriteEntry>;
  /** Those that were answered, by invocation, the final one too. */
  readonly reads: readonly ReadEntry[];
  /** The judge's last read: after healing, from all replicas. */
  readonly final: ReadEntry | undefined;
  /** Whether some read lists siblings; false for a plain register. */
  readonly multiValued: boolean;
}

export interface PromiseOptions {
  /** The process that reads everything after healing. */
  readonly judge?: number | string;
}

/** Options of checkers that argue over reads under way, which promise something only at quorum levels. */
export interface ReadPromiseOptions extends PromiseOptions {
  /** Whether the read overlaps every acknowledged write in a replica (R + W > N). All do, by default. */
  readonly isQuorumRead?: (read: Operation) => boolean;
}

export const JUDGE_DEFAULT = 'judge';

/** Equal values have equal identities, as keys of a `Map`. */
export function identityOf(value: Value): unknown {
  if (value === null || typeof value !== 'object') return value;
  return `\u0000${JSON.stringify(value, (_, part: unknown) => (part instanceof Map ? [...part.entries()] : part))}`;
}

export function isAcknowledged(write: WriteEntry): boolean {
  return write.operation.outcome === 'ok';
}

/** Event index from which on a write is certainly superseded; Infinity where it is not. */
export function supersededAt(write: WriteEntry): number {
  return write.supersededBy?.operation.completedAt ?? Infinity;
}

/** The ledgers of a history by key, in the order of their first operations; or a verdict, where its values are not unique. */
export function ledgersOf(
  operations: readonly Operation[],
  options: PromiseOptions = {},
): readonly KeyLedger[] | Verdict {
  const drafts = new Map<string, LedgerDraft>();
  for (const operation of operations) {
    const key = operation.key ?? '';
    let draft = drafts.get(key);
    if (draft === undefined) drafts.set(key, (draft = new LedgerDraft(key)));
    draft.add(operation);
  }
  const ledgers: KeyLedger[] = [];
  for (const draft of drafts.values()) {
    const ledger = draft.finish(options.judge ?? JUDGE_DEFAULT);
    if ('validity' in ledger) return ledger;
    ledgers.push(ledger);
  }
  return ledgers;
}

interface WriteDraft extends WriteEntry {
  readonly seen: WriteDraft[];
  readonly successors: WriteDraft[];
  supersededBy: WriteDraft | undefined;
}

class LedgerDraft {
  readonly #key: string;
  readonly #writes: WriteDraft[] = [];
  readonly #reads: Operation[] = [];

  constructor(key: string) {
    this.#key = key;
  }

  add(operation: Operation): void {
    if (operation.f === 'read') {
      if (operation.outcome === 'ok') this.#reads.push(operation);
      return;
    }
    const value = writtenBy(operation);
    if (value === undefined) return;
    this.#writes.push({ operation, value, seen: [], successors: [], supersededBy: undefined });
  }

  finish(judge: number | string): KeyLedger | Verdict {
    this.#writes.sort((a, b) => a.operation.invokedAt - b.operation.invokedAt);
    this.#reads.sort((a, b) => a.invokedAt - b.invokedAt);
    const byValue = new Map<unknown, WriteDraft>();
    for (const write of this.#writes) {
      if (write.value === null) continue;
      const identity = identityOf(write.value);
      if (byValue.has(identity)) return notUnique(this.#key, byValue.get(identity) as WriteDraft, write);
      byValue.set(identity, write);
    }
    this.#link(byValue);
    const latestFirst = successorsFirst(this.#writes);
    supersede(latestFirst);
    const reads = this.#reads.map((read) => readEntry(read, byValue));
    return {
      key: this.#key,
      writes: this.#writes,
      latestFirst,
      byValue,
      reads,
      final: reads.findLast((read) => read.operation.process === judge),
      multiValued: reads.some((read) => Array.isArray(read.operation.output)),
    };
  }

  #link(byValue: ReadonlyMap<unknown, WriteDraft>): void {
    for (const write of this.#writes) {
      for (const value of seenBy(write.operation)) {
        const earlier = byValue.get(identityOf(value));
        if (earlier === undefined || earlier === write) continue;
        write.seen.push(earlier);
        if (write.operation.outcome !== 'fail') earlier.successors.push(write);
      }
    }
  }
}

/** By depth-first search without recursion: a write is taken once all its successors are. */
function successorsFirst(writes: readonly WriteDraft[]): WriteDraft[] {
  const ordered: WriteDraft[] = [];
  const begun = new Set<WriteDraft>();
  for (const write of writes.toReversed()) {
    if (begun.has(write)) continue;
    begun.add(write);
    const trail = [{ write, next: 0 }];
    for (let at = trail.at(-1); at !== undefined; at = trail.at(-1)) {
      const successor = at.write.successors[at.next++];
      if (successor === undefined) {
        ordered.push(at.write);
        trail.pop();
      } else if (!begun.has(successor)) {
        begun.add(successor);
        trail.push({ write: successor, next: 0 });
      }
    }
  }
  return ordered;
}

/** Of each write the acknowledged one that superseded it first. The fate of who had seen it is known by then. */
function supersede(latestFirst: readonly WriteDraft[]): void {
  for (const write of latestFirst) {
    if (write.operation.outcome === 'fail') continue;
    const { completedAt } = write.operation;
    const by = completedAt < supersededAt(write) ? write : write.supersededBy;
    if (by === undefined) continue;
    for (const earlier of write.seen) {
      if (by.operation.completedAt < supersededAt(earlier)) earlier.supersededBy = by;
    }
  }
}

/** The value an operation leaves under its key, null for a delete, undefined where it does not write. */
function writtenBy(operation: Operation): Value | undefined {
  switch (operation.f) {
    case 'write':
      return operation.input;
    case 'delete':
      return null;
    case 'update':
      return operation.output ?? operation.input;
    case 'cas':
      return Array.isArray(operation.input) ? ((operation.input as readonly Value[])[1] ?? null) : undefined;
    default:
      return undefined;
  }
}

/** The values that the writer's context had been shown. */
export function seenBy(operation: Operation): readonly Value[] {
  if (operation.f !== 'cas') return operation.seen ?? [];
  const [expected] = Array.isArray(operation.input) ? (operation.input as readonly Value[]) : [];
  return expected === undefined || expected === null ? [] : [expected];
}

/** What a read lists: nothing, one value, or siblings. */
export function shownBy(read: Operation): readonly Value[] {
  if (read.output === null) return [];
  return Array.isArray(read.output) ? (read.output as readonly Value[]) : [read.output];
}

function readEntry(operation: Operation, byValue: ReadonlyMap<unknown, WriteEntry>): ReadEntry {
  const shown = shownBy(operation);
  const entries = new Set<WriteEntry>();
  for (const value of shown) {
    const write = byValue.get(identityOf(value));
    if (write !== undefined) entries.add(write);
  }
  return { operation, shown, entries };
}

function notUnique(key: string, first: WriteEntry, second: WriteEntry): Verdict {
  return {
    validity: 'unknown',
    reason: `key ${key} is written the same value twice, so reads do not tell which write they show`,
    witness: {
      lines: [`both write ${JSON.stringify(second.value)} to key ${key}`],
      operations: [first.operation, second.operation],
    },
  };
}

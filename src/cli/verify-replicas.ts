/**
 * Holds a ledger against the replicas, or whoever else can be read: reads every key from every one of them, its own copy, and counts.
 *
 *   missing    the replica has not seen an acknowledged write, or shows another value than the one acknowledged
 *   differing  the replicas hold different versions or values of the key
 *
 * A key that is level is both nowhere missing and nowhere differing.
 */
import { hashBytes } from '../core/hash.js';
import { CONTEXT_ORDERS } from './context-order.js';
import type { LedgerEntry } from './ledger.js';

/** What a read of a key gave. */
export interface Copy {
  readonly values: readonly { readonly value: Uint8Array }[];
  /** null: nothing was ever seen of the key. */
  readonly context: Uint8Array | null;
}

/** Who is asked: a replica for its own copies, say. */
export interface CopyReader {
  get(namespace: string, key: string): Promise<Copy>;
}

export interface Verdict {
  readonly keys: number;
  /** Copies read: keys times replicas. */
  readonly copies: number;
  /** Copies that show what was acknowledged. */
  readonly right: number;
  /** `node namespace/key` for each copy that does not. */
  readonly missing: readonly string[];
  /** Keys of which the replicas do not all hold the same. */
  readonly differing: readonly string[];
  /** What to look at again: everything that is missing or differing. */
  readonly unlevel: readonly LedgerEntry[];
}

/** Keys read at once. */
const AT_ONCE = 128;

/** Reads all entries from all readers. `onKey` is called after each key. Rejects where a replica cannot be read. */
export async function verifyReplicas(
  entries: readonly LedgerEntry[],
  readers: ReadonlyMap<string, CopyReader>,
  onKey: () => void = () => undefined,
): Promise<Verdict> {
  const missing: string[] = [];
  const differing: string[] = [];
  const unlevel: LedgerEntry[] = [];
  const nodes = [...readers.keys()];
  const verifyOne = async (entry: LedgerEntry): Promise<void> => {
    const copies = await Promise.all(
      [...readers.values()].map((reader) => reader.get(entry.namespace, entry.key)),
    );
    const wrong = nodes.filter((_, i) => !showsAcknowledged(entry, copies[i]));
    const same = copies.every((copy) => sameCopy(entry, copy, copies[0]));
    missing.push(...wrong.map((node) => `${node} ${entry.namespace}/${entry.key}`));
    if (!same) differing.push(`${entry.namespace}/${entry.key}`);
    if (wrong.length > 0 || !same) unlevel.push(entry);
    onKey();
  };
  // One queue, many workers: a slow key delays only its own worker.
  const queue = entries.values();
  const work = async (): Promise<void> => {
    for (const entry of queue) await verifyOne(entry);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  const copies = entries.length * nodes.length;
  return { keys: entries.length, copies, right: copies - missing.length, missing, differing, unlevel };
}

/** Whether one copy has seen every acknowledged write of its key and shows what they left. */
export function showsAcknowledged(entry: LedgerEntry, copy: Copy | undefined): boolean {
  if (copy === undefined || copy.context === null) return false;
  const order = CONTEXT_ORDERS[entry.strategy];
  if (!order.hasSeen(entry.key, copy.context, entry.context)) return false;
  // Writes that came after the last acknowledged one (a retry whose answer was lost) may show another value.
  if (entry.value === undefined || order.isBeyond(entry.key, copy.context, entry.context)) return true;
  if (entry.value === null) return copy.values.length === 0;
  const [only] = copy.values;
  return copy.values.length === 1 && only !== undefined && hashBytes(only.value) === entry.value;
}

function sameCopy({ strategy, key }: LedgerEntry, a: Copy | undefined, b: Copy | undefined): boolean {
  if (a === undefined || b === undefined) return false;
  if (a.context === null || b.context === null) return a.context === b.context;
  const order = CONTEXT_ORDERS[strategy];
  return (
    !order.isBeyond(key, a.context, b.context) &&
    !order.isBeyond(key, b.context, a.context) &&
    a.values.length === b.values.length &&
    a.values.every((view, i) => {
      const other = b.values[i];
      return other !== undefined && Buffer.compare(view.value, other.value) === 0;
    })
  );
}

/**
 * The answers of one read and what they add up to. Pure, apart from the coordinator's input and output.
 *
 * Replicas answer with the bytes they store. When those are the same, as they nearly always are, they are decoded
 * once and nothing is merged; a replica is stale when its bytes are not those of the merge. Bytes that pass their checksum
 * and still cannot be decoded are a damaged answer, like any other damage.
 */
import type { NodeId } from '../../core/ids.js';
import { EMPTY_RECORD, mergeRecords, sameRecord, type KeyRecord } from '../../core/record.js';
import type { ReplicaAnswer } from '../../protocol/messages.js';
import { decodeCheckedRecord, encodeRecord } from '../../protocol/record-codec.js';
import { sameBytes } from './same-bytes.js';

/**
 * The stored bytes, their checksum verified, null for an absent key, or why there are none. What a replica that is refilling
 * holds may be too little, or what the others have forgotten: it counts for nothing.
 */
export type ReadAnswer = Uint8Array | null | 'corrupt' | 'unreachable' | 'refilling';

export interface MergedRead {
  readonly record: KeyRecord;
  /** null: no replica that answered holds the key. */
  readonly bytes: Uint8Array | null;
}

/** A record as it was told: replicas that told the same share one. */
interface Told {
  readonly record: KeyRecord;
  readonly bytes: Uint8Array;
}

export class ReadAnswers {
  readonly #answers = new Map<NodeId, Told | null | 'corrupt' | 'unreachable' | 'refilling'>();

  /** Takes an answer, and says whether the replica told what it holds. */
  add(replica: NodeId, answer: ReadAnswer): boolean {
    const kept = answer === null || typeof answer === 'string' ? answer : this.#decoded(answer);
    this.#answers.set(replica, kept);
    return typeof kept !== 'string';
  }

  /** The replica was sent the merge, and is taken to hold it. */
  brought(replica: NodeId, record: KeyRecord, bytes: Uint8Array): void {
    this.#answers.set(replica, { record, bytes });
  }

  /** How many replicas could not tell because they are refilling. */
  get refilling(): number {
    return [...this.#answers.values()].filter((answer) => answer === 'refilling').length;
  }

  /** How many replicas told what they hold. */
  get count(): number {
    let count = 0;
    for (const answer of this.#answers.values()) if (typeof answer !== 'string') count++;
    return count;
  }

  /** The join of all that was told. */
  merge(): MergedRead {
    let merged: Told | undefined;
    for (const told of this.#answers.values()) {
      if (told === null || typeof told === 'string' || told.bytes === merged?.bytes) continue;
      merged = merged === undefined ? told : join(merged, told);
    }
    return merged ?? { record: EMPTY_RECORD, bytes: null };
  }

  /** The replicas that told of something other than the merge. */
  stale(merged: MergedRead): NodeId[] {
    const { bytes } = merged;
    const stale: NodeId[] = [];
    if (bytes === null) return stale;
    for (const [replica, told] of this.#answers) {
      if (told === null || (typeof told !== 'string' && !sameBytes(told.bytes, bytes))) stale.push(replica);
    }
    return stale;
  }

  explain(replicas: readonly NodeId[], merged: MergedRead): ReplicaAnswer[] {
    const stale = this.stale(merged);
    return replicas.map((node) => ({ node, answer: this.#word(node, stale) }));
  }

  #decoded(bytes: Uint8Array): Told | 'corrupt' {
    for (const told of this.#answers.values()) {
      if (told !== null && typeof told !== 'string' && sameBytes(told.bytes, bytes)) return told;
    }
    try {
      return { record: decodeCheckedRecord(bytes), bytes };
    } catch {
      return 'corrupt';
    }
  }

  #word(node: NodeId, stale: readonly NodeId[]): ReplicaAnswer['answer'] {
    const answer = this.#answers.get(node);
    if (answer === undefined) return 'waiting';
    if (typeof answer === 'string') return answer;
    if (stale.includes(node)) return answer === null ? 'absent' : 'stale';
    return answer === null ? 'absent' : 'current';
  }
}

/** Nearly always one side has seen all that the other has: then its bytes are the merge. */
function join(a: Told, b: Told): Told {
  const record = mergeRecords(a.record, b.record);
  if (sameRecord(record, a.record)) return a;
  if (sameRecord(record, b.record)) return b;
  return { record, bytes: encodeRecord(record) };
}

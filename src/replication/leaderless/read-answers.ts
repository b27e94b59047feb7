/**
 * The answers of one read and what they add up to. Pure, apart from the coordinator's input and output.
 *
 * Replicas answer with the bytes they store. When those are the same, as they nearly always are, one is decoded
 * and nothing is merged; a replica is stale when its bytes are not those of the merge.
 */
import type { NodeId } from '../../core/ids.js';
import { EMPTY_RECORD, mergeRecords, type KeyRecord } from '../../core/record.js';
import type { ReplicaAnswer } from '../../protocol/messages.js';
import { decodeCheckedRecord, encodeRecord } from '../../protocol/record-codec.js';
import { sameBytes } from './local-records.js';

/** The stored bytes, null for an absent key, or why there are none. */
export type ReadAnswer = Uint8Array | null | 'corrupt' | 'unreachable';

export interface MergedRead {
  readonly record: KeyRecord;
  /** null: no replica that answered holds the key. */
  readonly bytes: Uint8Array | null;
}

export class ReadAnswers {
  readonly #answers = new Map<NodeId, ReadAnswer>();

  add(replica: NodeId, answer: ReadAnswer): void {
    this.#answers.set(replica, answer);
  }

  /** How many replicas told what they hold. */
  get count(): number {
    let count = 0;
    for (const answer of this.#answers.values()) if (typeof answer !== 'string') count++;
    return count;
  }

  /** The join of all that was told. */
  merge(): MergedRead {
    let merged: MergedRead = { record: EMPTY_RECORD, bytes: null };
    for (const answer of this.#answers.values()) {
      if (answer === null || typeof answer === 'string') continue;
      if (merged.bytes === null) {
        merged = { record: decodeCheckedRecord(answer), bytes: answer };
      } else if (!sameBytes(merged.bytes, answer)) {
        const record = mergeRecords(merged.record, decodeCheckedRecord(answer));
        merged = { record, bytes: encodeRecord(record) };
      }
    }
    return merged;
  }

  /** The replicas that told of something other than the merge. */
  stale(merged: MergedRead): NodeId[] {
    const { bytes } = merged;
    if (bytes === null) return [];
    return [...this.#answers]
      .filter(([, answer]) => answer === null || (typeof answer !== 'string' && !sameBytes(answer, bytes)))
      .map(([replica]) => replica);
  }

  explain(replicas: readonly NodeId[], merged: MergedRead): ReplicaAnswer[] {
    const stale = this.stale(merged);
    return replicas.map((node) => ({ node, answer: this.#word(node, stale) }));
  }

  #word(node: NodeId, stale: readonly NodeId[]): ReplicaAnswer['answer'] {
    const answer = this.#answers.get(node);
    if (answer === undefined) return 'waiting';
    if (typeof answer === 'string') return answer;
    if (stale.includes(node)) return answer === null ? 'absent' : 'stale';
    return answer === null ? 'absent' : 'current';
  }
}

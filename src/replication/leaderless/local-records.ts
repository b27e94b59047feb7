/**
 * The records that this replica holds, and the hash tree over them.
 *
 * Every read verifies the checksum. A record that fails is *unknown, not absent*: nothing is merged from it
 * and nothing is written over it but its repair (`restore`). Every write goes through `#put`, so the tree
 * and the store cannot disagree.
 */
import { mergeRecords, sameRecord, type KeyRecord } from '../../core/record.js';
import { checkRecord, decodeCheckedRecord, encodeRecord, recordHeader } from '../../protocol/record-codec.js';
import { RecountedTree } from './recounted-tree.js';
import type { Effects, Turn } from '../strategy.js';

/** Where records stand among a replica's own keys. */
export const RECORDS = 'r/';
/** The end of the records' range. */
export const RECORDS_END = 'r0';

/** The stored bytes, null where the key is absent, or word that the copy here is damaged. */
export type LocalCopy = Uint8Array | null | 'corrupt';

export class LocalRecords {
  readonly tree = new RecountedTree();

  read(turn: Turn, key: string): LocalCopy {
    const stored = turn.read(RECORDS + key);
    if (stored === undefined) return null;
    return stored !== 'damaged' && checkRecord(stored) ? stored : 'corrupt';
  }

  /** Replaces the copy read in this same step. */
  write(effects: Effects, key: string, before: Uint8Array | null, after: Uint8Array): void {
    this.tree.replace(key, before === null ? null : recordHeader(before), recordHeader(after));
    effects.put(RECORDS + key, after);
  }

  /**
   * Merges a record from elsewhere into the local one. `corrupt`: the local copy is damaged and was left alone.
   * `unusable`: the incoming bytes are damaged.
   */
  absorb(
    turn: Turn,
    effects: Effects,
    key: string,
    incoming: Uint8Array,
  ): 'changed' | 'unchanged' | 'corrupt' | 'unusable' {
    if (!checkRecord(incoming)) return 'unusable';
    const local = this.read(turn, key);
    if (local === 'corrupt') return 'corrupt';
    if (local === null) {
      this.write(effects, key, null, incoming);
      return 'changed';
    }
    if (sameBytes(local, incoming)) return 'unchanged';
    const mine = decodeCheckedRecord(local);
    const theirs = decodeCheckedRecord(incoming);
    const merged = mergeRecords(theirs, mine);
    if (sameRecord(merged, mine)) return 'unchanged';
    // Nearly always the incoming record has seen all that the local one has: then its bytes are the merge.
    this.write(effects, key, local, sameRecord(merged, theirs) ? incoming : encodeRecord(merged));
    return 'changed';
  }

  /** Writes a repaired record over a damaged one. What the damaged one had given the tree is unknown: it must be recounted. */
  restore(effects: Effects, key: string, record: KeyRecord): void {
    effects.put(RECORDS + key, encodeRecord(record));
    this.tree.distrust();
  }
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

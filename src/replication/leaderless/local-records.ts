/**
 * The records that this replica holds, and the hash tree over them.
 *
 * Every read verifies the checksum. A record that fails is *unknown, not absent*: nothing is merged from it
 * and nothing is written over it but its repair (`restore`). Every write goes through `write`, so the tree
 * and the store cannot disagree.
 *
 * A checksum that holds says only that the bytes are those that somebody made. What comes from elsewhere is
 * therefore decoded before it is stored, so that reads need not: what is stored can be decoded.
 */
import { TrefoilError } from '../../core/errors.js';
import { checkKey } from '../../core/keys.js';
import {
  EMPTY_RECORD,
  highestHlc,
  knowsMoreQuestions,
  mergeSeen,
  sameRecord,
  type KeyRecord,
} from '../../core/record.js';
import { dominates, EMPTY_VECTOR, type VersionVector } from '../../core/version-vector.js';
import {
  checkRecord,
  decodeCheckedRecord,
  encodeRecord,
  isTombstone,
  recordHeader,
} from '../../protocol/record-codec.js';
import { RecountedTree, type Counted } from './recounted-tree.js';
import type { Effects, Turn } from '../strategy.js';
import type { Floor } from './floor.js';
import { sameBytes } from './same-bytes.js';

/** Where records stand among a replica's own keys. */
export const RECORDS = 'r/';
/** The end of the records' range. */
export const RECORDS_END = 'r0';

/**
 * What became of a record from elsewhere. `corrupt`: the local copy is damaged and was left alone. `unusable`: the incoming bytes are
 * no record, or the key is no key.
 */
export type Absorbed = 'changed' | 'unchanged' | 'corrupt' | 'unusable';

/** The stored bytes, null where the key is absent, or word that the copy here is damaged. */
export type LocalCopy = Uint8Array | null | 'corrupt';

/** The record that is held after a merge; none where both sides had the same, nothing was merged, or nothing is left. */
interface Merged {
  readonly outcome: Absorbed;
  readonly held: KeyRecord | undefined;
  readonly theirs: KeyRecord;
}

function nothing(outcome: Absorbed): Merged {
  return { outcome, held: undefined, theirs: EMPTY_RECORD };
}

export class LocalRecords {
  readonly tree = new RecountedTree();
  /** A tombstone beside values was written or met since the last pass that removes such ones: no count has them. */
  mixed = false;
  /**
   * Keys whose copy was found damaged and is not repaired yet: corrupt, whatever a read of them gives now. A medium that
   * flips bits now and then would else let a write in, which the repair under way, with older answers, then overwrites.
   */
  readonly damaged = new Set<string>();
  readonly #floor: Floor;

  constructor(floor: Floor) {
    this.#floor = floor;
  }

  read(turn: Turn, key: string): LocalCopy {
    return this.damaged.has(key) ? 'corrupt' : this.readStored(turn, key);
  }

  /** What the store gives, also of a key that is being repaired. */
  readStored(turn: Turn, key: string): LocalCopy {
    const stored = turn.read(RECORDS + key);
    if (stored === undefined) return null;
    return stored !== 'damaged' && checkRecord(stored) ? stored : 'corrupt';
  }

  /** Replaces the copy read in this same step. */
  write(effects: Effects, key: string, before: Uint8Array | null, after: Uint8Array): void {
    this.tree.replace(key, before === null ? null : counted(before), counted(after));
    effects.put(RECORDS + key, after);
  }

  /** A record was decoded on its way in, or met: says what no count of bytes does. */
  note(record: KeyRecord): void {
    if (record.siblings.length > 1 && record.siblings.some((s) => s.value === null)) this.mixed = true;
  }

  /** Removes the copy read in this same step. */
  remove(effects: Effects, key: string, before: Uint8Array): void {
    this.tree.replace(key, counted(before), null);
    effects.delete(RECORDS + key);
  }

  /**
   * Merges a record from elsewhere into the local one. What this replica has absorbed and does not hold is superseded
   * (docs/adr/0008). `seenThere`: the same of the holder of the incoming record, where it is known; null is the record
   * of a holder that has none.
   */
  absorb(
    turn: Turn,
    effects: Effects,
    key: string,
    incoming: Uint8Array | null,
    seenThere: VersionVector = EMPTY_VECTOR,
  ): Absorbed {
    return this.#merge(turn, effects, key, incoming, seenThere).outcome;
  }

  /**
   * Merges a record that its coordinator wants stored. `tell` is what this replica then holds, where the coordinator `asks`, or must
   * know it before its write counts: there are questions about retried operations that it has not met (docs/adr/0011).
   */
  store(
    turn: Turn,
    effects: Effects,
    key: string,
    incoming: Uint8Array,
    asks: boolean,
  ): { readonly outcome: Absorbed; readonly tell: Uint8Array | null } {
    const { outcome, held, theirs } = this.#merge(turn, effects, key, incoming, EMPTY_VECTOR);
    const tells = held !== undefined && (asks || knowsMoreQuestions(held, theirs));
    return { outcome, tell: tells ? encodeRecord(held) : null };
  }

  #merge(
    turn: Turn,
    effects: Effects,
    key: string,
    incoming: Uint8Array | null,
    seenThere: VersionVector,
  ): Merged {
    const local = this.read(turn, key);
    if (local === 'corrupt') return nothing('corrupt');
    if (local !== null && incoming !== null && sameBytes(local, incoming)) return nothing('unchanged');
    const theirs = incoming === null ? EMPTY_RECORD : usableRecord(incoming);
    if (theirs === undefined || !isKey(key)) return nothing('unusable');
    turn.observe(highestHlc(theirs));
    const mine = local === null ? EMPTY_RECORD : decodedOrNone(local);
    if (mine === undefined) return nothing('corrupt');
    const seenHere = this.#floor.absorbed(turn);
    const merged = this.#floor.pruned(mergeSeen(theirs, mine, seenThere, seenHere), turn);
    if (merged === null) {
      if (local === null) return nothing('unchanged');
      this.remove(effects, key, local);
      return nothing('changed');
    }
    const result = { held: merged, theirs };
    if (local !== null && sameRecord(merged, mine)) return { outcome: 'unchanged', ...result };
    if (local === null && merged.siblings.length === 0 && dominates(seenHere, merged.context))
      return nothing('unchanged');
    // Nearly always the incoming record has seen all that the local one has: then its bytes are the merge.
    const bytes = incoming !== null && sameRecord(merged, theirs) ? incoming : encodeRecord(merged);
    this.note(merged);
    this.write(effects, key, local, bytes);
    return { outcome: 'changed', ...result };
  }

  /** Writes a repaired record over a damaged one. What the damaged one had given the tree is unknown: it must be recounted. */
  restore(effects: Effects, key: string, record: KeyRecord): void {
    effects.put(RECORDS + key, encodeRecord(record));
    this.tree.distrust();
  }
}

/** What a checked record adds to the tree. */
export function counted(bytes: Uint8Array): Counted {
  return { header: recordHeader(bytes), tombstone: isTombstone(bytes) };
}

/** The record of bytes from elsewhere, or undefined where they are none that can be stored and merged. */
export function usableRecord(bytes: Uint8Array): KeyRecord | undefined {
  return checkRecord(bytes) ? decodedOrNone(bytes) : undefined;
}

/** The record of bytes that have passed `checkRecord`, or undefined where they were never a record. */
export function decodedOrNone(bytes: Uint8Array): KeyRecord | undefined {
  try {
    return decodeCheckedRecord(bytes);
  } catch (error) {
    if (error instanceof TrefoilError) return undefined;
    throw error;
  }
}

/** Whether a text from elsewhere can be a key. */
export function isKey(key: string): boolean {
  try {
    checkKey(key);
    return true;
  } catch (error) {
    if (error instanceof TrefoilError) return false;
    throw error;
  }
}

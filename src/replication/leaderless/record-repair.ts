/**
 * Repairs records whose local copy is damaged: asks every other replica, merges what they hold, and writes
 * that over the damage. Until then the key is neither merged from nor coordinated on here.
 *
 * So many of them must answer that one holds what W replicas had acknowledged, this one included. With fewer
 * the key stays unknown here: a stale copy written over the damage would count in quorums as if it were current.
 *
 * The damaged copy may have held dots minted here that no other copy has, so its discovery ends the
 * incarnation: the next dot minted for this key cannot cover them unseen. And it ends this replica's life: whatever it has
 * claimed to have absorbed, it may no longer hold of this key.
 */
import { mergeRecords, type KeyRecord } from '../../core/record.js';
import type { Effects, Turn } from '../strategy.js';
import type { Floor } from './floor.js';
import { witnessesNeeded, type GroupMembers } from './group-members.js';
import { usableRecord, type LocalRecords } from './local-records.js';
import type { PeerCalls } from './peer-calls.js';
import { REPAIR_ANSWER_MS_MAX, REPAIR_RETRY_MS, REPAIRS_MAX } from './tuning.js';

export const REPAIR = 'repair';

export class RecordRepair {
  readonly #members: GroupMembers;
  readonly #records: LocalRecords;
  readonly #calls: PeerCalls;
  readonly #running = new Set<string>();
  /** Damaged keys that no other replica holds anything of: there is nothing to repair them from. */
  readonly #alone = new Set<string>();
  readonly #floor: Floor;
  readonly #onTreeBroken: () => void;

  constructor(
    members: GroupMembers,
    records: LocalRecords,
    calls: PeerCalls,
    floor: Floor,
    onTreeBroken: () => void,
  ) {
    this.#floor = floor;
    this.#onTreeBroken = onTreeBroken;
    this.#members = members;
    this.#records = records;
    this.#calls = calls;
  }

  /** Keys known to be damaged here. */
  get size(): number {
    return this.#records.damaged.size;
  }

  /** Whether a key is damaged of which others may hold something that is not here. */
  get pending(): boolean {
    return this.#records.damaged.size > this.#alone.size;
  }

  /** Starts to repair a key, unless that is under way. */
  begin(key: string, turn: Turn, effects: Effects): void {
    this.#report(key, turn, effects);
    if (this.#running.has(key) || this.#running.size >= REPAIRS_MAX) return;
    const asked = this.#members.peers.filter((peer) => turn.reachable(peer));
    if (asked.length < this.#answersNeeded || turn.writesRefused !== null) {
      effects.setTimer(REPAIR, REPAIR_RETRY_MS);
      return;
    }
    this.#running.add(key);
    let waiting = asked.length;
    let answers = 0;
    let merged: KeyRecord | undefined;
    for (const peer of asked) {
      this.#calls.fetch(
        effects,
        peer,
        key,
        turn.monotonicMs + REPAIR_ANSWER_MS_MAX,
        (answer, turnNow, effectsNow) => {
          if (answer?.status === 'absent') answers++;
          // Of one that is refilling nothing is taken: it may hold what the others have forgotten.
          const found = answer?.status === 'found' ? answer.record : null;
          const theirs = found === null ? undefined : usableRecord(found);
          if (theirs !== undefined) {
            merged = merged === undefined ? theirs : mergeRecords(merged, theirs);
            answers++;
          }
          if (--waiting > 0) return;
          this.#running.delete(key);
          if (answers >= this.#answersNeeded) {
            const alone = merged === undefined && answers === this.#members.peers.length;
            if (alone && this.#records.damaged.has(key)) this.#alone.add(key);
            this.#finish(key, merged, turnNow, effectsNow);
          } else effectsNow.setTimer(REPAIR, REPAIR_RETRY_MS);
        },
      );
    }
  }

  /** Tries again what could not be repaired. */
  resume(turn: Turn, effects: Effects): void {
    for (const key of [...this.#records.damaged]) this.begin(key, turn, effects);
  }

  /** Of the N - 1 others: any so many have one among them that holds a write which W confirmed. */
  get #answersNeeded(): number {
    return Math.max(1, witnessesNeeded(this.#members));
  }

  #report(key: string, turn: Turn, effects: Effects): void {
    this.#alone.delete(key);
    if (this.#records.damaged.has(key)) return;
    if (this.#records.damaged.size >= REPAIRS_MAX) {
      // What is forgotten here the next count must find again.
      this.#records.damaged.clear();
      this.#alone.clear();
      this.#records.tree.distrust();
    }
    this.#records.damaged.add(key);
    effects.count('records_corrupt');
    effects.log('error', 'a record on disk failed its checksum', { group: this.#members.group, key });
    effects.endIncarnation(`record damaged in ${this.#members.group}`);
    this.#floor.beginLife(turn, effects);
    this.#onTreeBroken();
  }

  #finish(key: string, merged: KeyRecord | undefined, turn: Turn, effects: Effects): void {
    // Nothing was written meanwhile: what can be read again is what was there.
    if (this.#records.readStored(turn, key) !== 'corrupt') {
      this.#records.damaged.delete(key);
      this.#alone.delete(key);
      return;
    }
    if (turn.writesRefused !== null) effects.setTimer(REPAIR, REPAIR_RETRY_MS);
    // Nobody else holds the key: the damaged copy is all there is, and stays.
    if (merged === undefined || turn.writesRefused !== null) return;
    this.#records.restore(effects, key, merged);
    // A round that began while the key was unknown has compared what it was before.
    this.#onTreeBroken();
    this.#records.damaged.delete(key);
    effects.count('records_repaired');
    effects.log('info', 'a damaged record was repaired from another replica', {
      group: this.#members.group,
      key,
    });
  }
}

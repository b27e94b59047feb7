/**
 * Recounts the hash tree in paced chunks: after a start, when it is distrusted, and now and then. On the way it turns
 * what has expired into tombstones and finds what is damaged.
 *
 * A range that the store cannot read ends a recount without a tree: one over the rest would differ from every peer's in
 * all that was left out. Which keys stand in the range only others know, so one of them is asked for the keys of all
 * leaves; each is then read by itself, and what is damaged is repaired. The next recount follows after a pause that
 * doubles. A tree that was counted before the damage goes on.
 */
import { expireSiblings } from '../../core/record.js';
import { decodeCheckedRecord, encodeRecord } from '../../protocol/record-codec.js';
import { ALL_LEAVES } from '../shared/hash-tree.js';
import type { Effects, ReplicaEvent, Turn } from '../strategy.js';
import type { Floor } from './floor.js';
import type { GroupMembers } from './group-members.js';
import { counted, RECORDS, RECORDS_END, type LocalRecords } from './local-records.js';
import type { RecordRepair } from './record-repair.js';
import { PACED_CHUNK_ENTRIES, PACED_CHUNK_PAUSE_MS, RECOUNT_DAMAGED_MS, RECOUNT_MS } from './tuning.js';

type Scanned = Extract<ReplicaEvent, { readonly type: 'scanned' }>;

/** Names both the timer and the scan. */
export const RECOUNT = 'recount';

export class TreeRecount {
  readonly #members: GroupMembers;
  readonly #records: LocalRecords;
  readonly #repair: RecordRepair;
  readonly #floor: Floor;
  #from = '';
  /** After damage: no recount before this, and the pause after the next damage. */
  #notBeforeMs = 0;
  #pauseMs = RECOUNT_DAMAGED_MS;
  /** A range was found damaged and no peer could be asked yet. */
  #toAsk = false;
  #turnOf = 0;

  constructor(members: GroupMembers, records: LocalRecords, repair: RecordRepair, floor: Floor) {
    this.#members = members;
    this.#records = records;
    this.#repair = repair;
    this.#floor = floor;
  }

  start(effects: Effects): void {
    this.#from = this.#records.tree.startRecount();
    this.#readChunk(effects);
  }

  /** Starts one if none runs and none has to wait. */
  wanted(turn: Turn, effects: Effects): void {
    if (this.#toAsk) this.#askPeer(turn, effects);
    if (!this.#records.tree.recounting && turn.monotonicMs >= this.#notBeforeMs) this.start(effects);
  }

  timer(effects: Effects): void {
    if (this.#records.tree.recounting) this.#readChunk(effects);
    else this.start(effects);
  }

  /** Says whether a tree is counted now that was not before. */
  scanned(scanned: Scanned, turn: Turn, effects: Effects): boolean {
    if (scanned.damaged) {
      this.#damaged(turn, effects);
      return false;
    }
    const before = this.#records.tree.current;
    const keys = scanned.entries.map(([stored]) => stored.slice(RECORDS.length));
    for (const key of keys) this.#tend(key, turn, effects);
    const end = scanned.more ? (keys.at(-1) ?? null) : null;
    const chunk = this.#records.tree.countChunk(keys, end, (key) => {
      const local = this.#records.read(turn, key);
      return local === null || local === 'corrupt' ? null : counted(local);
    });
    if (chunk.next !== null) {
      this.#from = chunk.next;
      effects.setTimer(RECOUNT, PACED_CHUNK_PAUSE_MS);
      return false;
    }
    this.#pauseMs = RECOUNT_DAMAGED_MS;
    if (chunk.drifted) effects.count('tree_drifts');
    effects.setTimer(RECOUNT, RECOUNT_MS + turn.random.integer(RECOUNT_MS / 2));
    return before === undefined && this.#records.tree.current !== undefined;
  }

  #readChunk(effects: Effects): void {
    effects.scan(RECOUNT, { gte: RECORDS + this.#from, lt: RECORDS_END }, PACED_CHUNK_ENTRIES);
  }

  #damaged(turn: Turn, effects: Effects): void {
    this.#records.tree.abandonRecount();
    effects.count('scans_damaged');
    effects.log('error', 'a range of records cannot be read; the others are asked what stands in it', {
      group: this.#members.group,
      from: this.#from,
      againMs: this.#pauseMs,
    });
    this.#notBeforeMs = turn.monotonicMs + this.#pauseMs;
    effects.setTimer(RECOUNT, this.#pauseMs);
    this.#pauseMs = Math.min(2 * this.#pauseMs, RECOUNT_MS);
    this.#askPeer(turn, effects);
  }

  /** Asks one of the others, in turn, for all its keys. */
  #askPeer(turn: Turn, effects: Effects): void {
    const reachable = this.#members.peers.filter((peer) => turn.reachable(peer));
    const peer = reachable[this.#turnOf++ % Math.max(1, reachable.length)];
    this.#toAsk = peer === undefined;
    if (peer !== undefined)
      effects.send(peer, { type: 'differing-leaves', round: 0, life: '', leaves: ALL_LEAVES });
  }

  #tend(key: string, turn: Turn, effects: Effects): void {
    const local = this.#records.read(turn, key);
    if (local === 'corrupt') return this.#repair.begin(key, turn, effects);
    if (local === null || turn.writesRefused !== null) return;
    const record = decodeCheckedRecord(local);
    this.#floor.noteContext(record.context, turn);
    this.#records.note(record);
    const expired = expireSiblings(record, turn.wallMs);
    if (expired !== record) this.#records.write(effects, key, local, encodeRecord(expired));
  }
}

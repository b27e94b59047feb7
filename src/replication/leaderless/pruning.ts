/**
 * Removes what every replica has absorbed and nobody needs any more: tombstones, and the entries of ended incarnations in
 * contexts (docs/adr/0008).
 *
 *     tick: below the floor ──> tick: for as long as a retry may take: ripe ──> tick: all minted until then is absorbed: prunable ──> scan
 *
 * A retry that another coordinator applied has a dot of its own, and what hides it is the memory of the operation. So that memory
 * goes only when every dot that may be such a twin has been absorbed by all as well. Ages are told by this node's monotonic
 * clock; the wall clock is asked too, and never alone. Ticks fall on multiples of the interval by the wall clock, so that replicas
 * prune together and their trees differ for moments only. Nothing is scanned where nothing can go. When a life begins anywhere in
 * the group, the looks begin anew.
 */
import { encodeRecord } from '../../protocol/record-codec.js';
import {
  ALL_COUNTERS,
  counterOf,
  dominates,
  EMPTY_VECTOR,
  meet,
  sameVector,
  type VersionVector,
} from '../../core/version-vector.js';
import { hlcWallMs } from '../../core/hlc.js';
import { highestHlc, type KeyRecord } from '../../core/record.js';
import type { Effects, ReplicaEvent, Turn } from '../strategy.js';
import type { Floor } from './floor.js';
import { decodedOrNone, RECORDS, RECORDS_END, type LocalRecords } from './local-records.js';
import type { RecordRepair } from './record-repair.js';
import { PACED_CHUNK_ENTRIES, PACED_CHUNK_PAUSE_MS } from './tuning.js';

type Scanned = Extract<ReplicaEvent, { readonly type: 'scanned' }>;

/** Names both the timer of the tick and the scan. */
export const PRUNE = 'prune';
export const PRUNE_CHUNK = 'prune-chunk';

export class Pruning {
  readonly #records: LocalRecords;
  readonly #repair: RecordRepair;
  readonly #floor: Floor;
  readonly #pace: { readonly pruneMs: number; readonly retryAgeMs: number };
  /** The floor as it was at a tick. */
  #candidate: { readonly floor: VersionVector; readonly sinceMs: number } | undefined;
  /** What was below the floor for long enough, and all that had been minted anywhere by then. */
  #ripe: { readonly floor: VersionVector; readonly cut: VersionVector } | undefined;
  /** `Floor.lives` at the last tick. */
  #lives = 0;
  /** The last complete pass: what was prunable, and records that it left although they hold something to remove. */
  #swept: VersionVector = EMPTY_VECTOR;
  #left = 0;
  /** Of them those that only the wall clock keeps. */
  #young = 0;
  #running = false;
  #passLeft = 0;
  #passYoung = 0;
  #after = '';

  constructor(
    records: LocalRecords,
    repair: RecordRepair,
    floor: Floor,
    pace: { readonly pruneMs: number; readonly retryAgeMs: number },
  ) {
    this.#records = records;
    this.#repair = repair;
    this.#floor = floor;
    this.#pace = pace;
  }

  open(turn: Turn, effects: Effects): void {
    const { pruneMs } = this.#pace;
    effects.setTimer(PRUNE, pruneMs - (Math.floor(turn.wallMs) % pruneMs));
  }

  timer(timer: string, turn: Turn, effects: Effects): void {
    if (timer === PRUNE_CHUNK) return this.#readChunk(effects);
    this.open(turn, effects);
    if (this.#lives !== this.#floor.lives) {
      // The cut may name dots that were lost with a disk, and that nobody will ever absorb.
      this.#lives = this.#floor.lives;
      this.#candidate = undefined;
      this.#ripe = undefined;
    }
    const floor = this.#floor.floor(turn);
    this.#ripen(floor, turn);
    const ripe = this.#ripe;
    if (ripe === undefined || !dominates(floor, ripe.cut)) return;
    this.#ripe = undefined;
    // A replica that began a new life meanwhile has taken the floor down with it.
    const prunable = meet(ripe.floor, floor);
    this.#floor.setPrunable(prunable);
    if (this.#running || !this.#worthAPass(prunable)) return;
    this.#running = true;
    this.#passLeft = 0;
    this.#passYoung = 0;
    this.#records.mixed = false;
    this.#after = '';
    this.#readChunk(effects);
  }

  scanned(scanned: Scanned, turn: Turn, effects: Effects): void {
    if (!this.#running) return;
    if (scanned.damaged || turn.writesRefused !== null) {
      this.#running = false;
      return;
    }
    for (const [stored] of scanned.entries) this.#tend(stored.slice(RECORDS.length), turn, effects);
    const last = scanned.entries.at(-1)?.[0];
    if (scanned.more && last !== undefined) {
      this.#after = last.slice(RECORDS.length);
      effects.setTimer(PRUNE_CHUNK, PACED_CHUNK_PAUSE_MS);
      return;
    }
    this.#running = false;
    this.#left = this.#passLeft;
    this.#young = this.#passYoung;
    this.#swept = this.#floor.prunable;
  }

  /** No retry of what was below the floor at the last look can be minted any more: those that were are in the cut. */
  #ripen(floor: VersionVector, turn: Turn): void {
    const candidate = this.#candidate;
    this.#candidate ??= { floor, sinceMs: turn.monotonicMs };
    if (candidate === undefined || this.#ripe !== undefined) return;
    const { retryAgeMs } = this.#pace;
    if (turn.monotonicMs - candidate.sinceMs < retryAgeMs) return;
    // Half of that age is the longest request, the other half is for clocks, which do not matter here.
    const cut = this.#floor.cut(candidate.sinceMs + retryAgeMs / 2, turn);
    if (cut === undefined) return;
    this.#ripe = { floor: meet(candidate.floor, floor), cut };
    this.#candidate = { floor, sinceMs: turn.monotonicMs };
  }

  /** Something can have come below the floor since the last pass, and there is something that it may free. */
  #worthAPass(prunable: VersionVector): boolean {
    if (prunable.length === 0) return false;
    if (sameVector(prunable, this.#swept)) return this.#young > 0;
    if (this.#left > 0 || this.#records.mixed || this.#records.tree.counts.tombstones > 0) return true;
    return prunable.some(
      ([incarnation, counter]) =>
        counter === ALL_COUNTERS && counterOf(this.#swept, incarnation) !== ALL_COUNTERS,
    );
  }

  #readChunk(effects: Effects): void {
    if (!this.#running) return;
    effects.scan(PRUNE, { gt: RECORDS + this.#after, lt: RECORDS_END }, PACED_CHUNK_ENTRIES);
  }

  #tend(key: string, turn: Turn, effects: Effects): void {
    const local = this.#records.read(turn, key);
    if (local === null) return;
    if (local === 'corrupt') return this.#repair.begin(key, turn, effects);
    const record = decodedOrNone(local);
    if (record === undefined) return;
    this.#floor.noteContext(record.context, turn);
    const pruned = this.#floor.pruned(record, turn);
    if (pruned === null) {
      this.#records.remove(effects, key, local);
      effects.count('tombstones_removed', record.siblings.length);
      effects.count('context_entries_removed', record.context.length);
      return;
    }
    if (pruned !== record) {
      this.#records.write(effects, key, local, encodeRecord(pruned));
      effects.count('tombstones_removed', record.siblings.length - pruned.siblings.length);
      effects.count('context_entries_removed', record.context.length - pruned.context.length);
    }
    const tombstones = record.siblings.some((s) => s.value === null);
    if (!tombstones && record.siblings.length > 0 && !this.#namesEnded(pruned)) return;
    this.#passLeft++;
    const latestMs = Math.max(hlcWallMs(highestHlc(record)), ...record.siblings.map((s) => s.expiresAt));
    if (latestMs + this.#pace.retryAgeMs > turn.wallMs) this.#passYoung++;
  }

  /** Whether an incarnation is named that has ended: its entry goes once all that the record has seen is below the floor. */
  #namesEnded({ context, siblings }: KeyRecord): boolean {
    const { prunable } = this.#floor;
    return context.some(
      ([incarnation]) =>
        counterOf(prunable, incarnation) === ALL_COUNTERS &&
        !siblings.some((s) => s.dot.incarnation === incarnation),
    );
  }
}

/**
 * Pull rounds: in each this replica takes over all that one peer had absorbed when the round began, and may then claim the
 * same of itself (docs/adr/0008).
 *
 *     peer: compare-root (what it has absorbed, its root)     equal roots: complete at once
 *     ──> compare-branches ──> <── compare-leaves <──         leaves that are equal once are done with
 *     ──> differing-leaves ──> <── offer-keys <──             leaves that stay different are offered
 *     ──> pull ──> <── fetch-result <──                       and what differs in them is merged
 *     no leaf open: complete
 *
 * Both replicas only ever learn more, so a leaf that agreed at any moment of the round need not be looked at again: that
 * is why a round ends under a constant load, where the roots never agree. Whatever is lost, refused or damaged on the
 * way leaves its leaf open; a round that stalls is given up and has claimed nothing. Every answer comes from the life of
 * the peer that the round began with, so that what the peer lacks is superseded there and not lost.
 */
import type { NodeId } from '../../core/ids.js';
import { afterKey } from '../../core/text-order.js';
import type { CompareLeaves, OfferKeys } from '../../protocol/leaderless-messages.js';
import { recordHeader } from '../../protocol/record-codec.js';
import {
  differingHashes,
  digestBytes,
  hashAt,
  leafOfKey,
  LEAVES_PER_BRANCH,
  recordDigest,
} from '../shared/hash-tree.js';
import type { Effects, ReplicaEvent, Turn } from '../strategy.js';
import type { Floor, RoundTerms } from './floor.js';
import { RECORDS, RECORDS_END, type LocalRecords } from './local-records.js';
import type { PeerCalls } from './peer-calls.js';
import type { RecordRepair } from './record-repair.js';
import { sameBytes } from './same-bytes.js';
import {
  COMPARE_AGAIN_MS,
  DIFFERING_ROUNDS_MAX,
  OFFER_FETCHES_MAX,
  OFFERED_RANGES_MAX,
  PACED_CHUNK_ENTRIES,
  ROUND_STALLED_MS,
  STORE_ANSWER_MS_MAX,
} from './tuning.js';

/** A leaf that differs: both hashes, and in how many comparisons in a row it has differed. */
interface Suspect {
  readonly mine: bigint;
  readonly theirs: bigint;
  readonly times: number;
}

/** A range of keys that was offered, with all that the peer holds of the asked leaves in it. */
interface OfferedRange {
  after: string;
  readonly end: string | null;
  readonly keys: ReadonlySet<string>;
}

/** Leaves whose keys are being offered. */
interface Asked {
  /** Named in each offer: one for leaves that were asked for before may come late, or twice. */
  readonly id: number;
  readonly leaves: ReadonlySet<number>;
  /** Every key up to this one has been offered; null: all. */
  offeredTo: string | null;
  pulling: number;
  /** Ranges still to be compared with what stands here. The first is being read. */
  readonly ranges: OfferedRange[];
  /** Something was dropped, refused or damaged: the leaves stay open. */
  failed: boolean;
}

interface Round {
  readonly id: number;
  readonly terms: RoundTerms;
  /** The peer may have forgotten what this replica still holds: keys that it does not offer are looked at too. */
  readonly lacking: boolean;
  /** Leaves that have not agreed yet; undefined: all. */
  open: Set<number> | undefined;
  suspects: ReadonlyMap<number, Suspect>;
  suspectedMs: number;
  asked: Asked | undefined;
  progressMs: number;
}

type Scanned = Extract<ReplicaEvent, { readonly type: 'scanned' }>;

export const PULL = 'pull:';

export class PullRounds {
  readonly #records: LocalRecords;
  readonly #calls: PeerCalls;
  readonly #repair: RecordRepair;
  readonly #floor: Floor;
  readonly #rounds = new Map<NodeId, Round>();
  #nextId: number;
  /** A difference that lasts was found: the peer may lack something too. */
  readonly #onDifference: (peer: NodeId, turn: Turn, effects: Effects) => void;

  constructor(
    records: LocalRecords,
    calls: PeerCalls,
    repair: RecordRepair,
    floor: Floor,
    firstId: number,
    onDifference: (peer: NodeId, turn: Turn, effects: Effects) => void,
  ) {
    this.#records = records;
    this.#calls = calls;
    this.#repair = repair;
    this.#floor = floor;
    this.#nextId = firstId + 1;
    this.#onDifference = onDifference;
  }

  /** The roots are equal: all that the peer has absorbed is here. */
  agreed(peer: NodeId, terms: RoundTerms | undefined, turn: Turn, effects: Effects): void {
    this.#rounds.delete(peer);
    if (terms !== undefined) this.#complete(peer, terms, turn, effects);
  }

  /** The roots differ: begins a round, or lets one go on that is under way. */
  begin(peer: NodeId, terms: RoundTerms | undefined, turn: Turn, effects: Effects): void {
    const running = this.#rounds.get(peer);
    if (running !== undefined) {
      const stalled = turn.monotonicMs - running.progressMs > ROUND_STALLED_MS;
      if (!stalled && (terms === undefined || terms.life === running.terms.life)) return;
      this.#rounds.delete(peer);
    }
    if (terms === undefined || !turn.reachable(peer)) return;
    const round: Round = {
      id: this.#nextId++,
      terms,
      lacking: this.#floor.mayLack(peer),
      open: undefined,
      suspects: new Map(),
      suspectedMs: -Infinity,
      asked: undefined,
      progressMs: turn.monotonicMs,
    };
    this.#rounds.set(peer, round);
    this.#compare(peer, round, effects);
  }

  /** The peer is away, and what it answers next may come from another life. */
  abandon(peer: NodeId): void {
    this.#rounds.delete(peer);
  }

  /** What was here is no longer: no round may claim it. */
  abandonAll(): void {
    this.#rounds.clear();
  }

  timer(peer: NodeId, effects: Effects): void {
    const round = this.#rounds.get(peer);
    if (round !== undefined && round.asked === undefined) this.#compare(peer, round, effects);
  }

  /** The peer's hashes of the leaves under the branches that differ. */
  leaves(peer: NodeId, message: CompareLeaves, turn: Turn, effects: Effects): void {
    const round = this.#rounds.get(peer);
    const tree = this.#records.tree.current;
    if (round === undefined || round.id !== message.round || tree === undefined) return;
    round.progressMs = turn.monotonicMs;
    const differing = new Map<number, Suspect>();
    for (const [branch, theirs] of message.branches) {
      const mine = tree.leavesOf(branch);
      for (const place of differingHashes(theirs, mine)) {
        if (place >= LEAVES_PER_BRANCH || theirs.length !== mine.length) return this.abandon(peer);
        const leaf = branch * LEAVES_PER_BRANCH + place;
        const times = (round.suspects.get(leaf)?.times ?? 0) + 1;
        differing.set(leaf, { mine: hashAt(mine, place), theirs: hashAt(theirs, place), times });
      }
    }
    round.open =
      round.open === undefined
        ? new Set(differing.keys())
        : new Set([...round.open].filter((leaf) => differing.has(leaf)));
    if (round.open.size === 0) return this.#end(peer, round, turn, effects);
    if (round.asked !== undefined) return;
    const lasting = this.#lasting(round, round.open, differing, turn);
    if (lasting.length > 0) this.#ask(peer, round, lasting, turn, effects);
    else effects.setTimer(PULL + peer, COMPARE_AGAIN_MS);
  }

  /** Keys of the leaves that were asked for. */
  offered(peer: NodeId, message: OfferKeys, turn: Turn, effects: Effects): void {
    const round = this.#rounds.get(peer);
    const asked = round?.asked;
    if (round === undefined || asked === undefined || asked.id !== message.round) return;
    round.progressMs = turn.monotonicMs;
    if (message.after !== asked.offeredTo || turn.writesRefused !== null)
      return this.#again(peer, round, effects);
    asked.offeredTo = message.end;
    for (const [key, digest] of message.entries) {
      const local = this.#records.read(turn, key);
      if (local === 'corrupt') {
        asked.failed = true;
        this.#repair.begin(key, turn, effects);
        continue;
      }
      if (local !== null && sameBytes(digestBytes(recordDigest(key, recordHeader(local))), digest)) continue;
      this.#pull(peer, round, asked, key, turn, effects);
    }
    if (round.lacking) {
      const keys = new Set(message.entries.map(([key]) => key));
      if (asked.ranges.length >= OFFERED_RANGES_MAX) {
        asked.failed = true;
        effects.count('offers_dropped');
      } else if (asked.ranges.push({ after: message.after, end: message.end, keys }) === 1) {
        this.#readRange(peer, asked, effects);
      }
    }
    this.#settle(peer, round, asked, turn, effects);
  }

  /** What stands here in the first of the ranges that were offered. */
  scanned(peer: NodeId, scanned: Scanned, turn: Turn, effects: Effects): void {
    const round = this.#rounds.get(peer);
    const asked = round?.asked;
    const range = asked?.ranges[0];
    if (round === undefined || asked === undefined || range === undefined) return;
    round.progressMs = turn.monotonicMs;
    if (scanned.damaged || turn.writesRefused !== null) asked.failed = true;
    else {
      for (const [stored] of scanned.entries) {
        const key = stored.slice(RECORDS.length);
        if (range.keys.has(key) || !asked.leaves.has(leafOfKey(key))) continue;
        this.#merge(round, asked, key, null, turn, effects);
      }
    }
    const last = scanned.entries.at(-1)?.[0].slice(RECORDS.length);
    if (scanned.more && last !== undefined && !asked.failed) range.after = last;
    else asked.ranges.shift();
    if (asked.ranges.length > 0) this.#readRange(peer, asked, effects);
    this.#settle(peer, round, asked, turn, effects);
  }

  #compare(peer: NodeId, round: Round, effects: Effects): void {
    const tree = this.#records.tree.current;
    if (tree === undefined) return;
    const { id, terms } = round;
    effects.send(peer, { type: 'compare-branches', round: id, life: terms.life, branches: tree.branches() });
  }

  /**
   * Open leaves that differ as they did a while ago. One whose hashes have moved on is most likely being written, so it is looked
   * at again; but not for ever, since a busy key must not hide a stale one beside it.
   */
  #lasting(
    round: Round,
    open: ReadonlySet<number>,
    differing: ReadonlyMap<number, Suspect>,
    turn: Turn,
  ): number[] {
    if (this.#floor.refilling) return [...open];
    if (turn.monotonicMs - round.suspectedMs < COMPARE_AGAIN_MS / 2) return [];
    const before = round.suspects;
    round.suspects = differing;
    round.suspectedMs = turn.monotonicMs;
    return [...open].filter((leaf) => {
      const now = differing.get(leaf) as Suspect;
      const then = before.get(leaf);
      return now.times >= DIFFERING_ROUNDS_MAX || (then?.mine === now.mine && then.theirs === now.theirs);
    });
  }

  #ask(peer: NodeId, round: Round, leaves: readonly number[], turn: Turn, effects: Effects): void {
    effects.count('anti_entropy_differences', leaves.length);
    const id = this.#nextId++;
    round.asked = { id, leaves: new Set(leaves), offeredTo: '', pulling: 0, ranges: [], failed: false };
    effects.send(peer, { type: 'differing-leaves', round: id, life: round.terms.life, leaves });
    this.#onDifference(peer, turn, effects);
  }

  #pull(peer: NodeId, round: Round, asked: Asked, key: string, turn: Turn, effects: Effects): void {
    if (asked.pulling >= OFFER_FETCHES_MAX) {
      asked.failed = true;
      return effects.count('offers_dropped');
    }
    asked.pulling++;
    const deadlineMs = turn.monotonicMs + STORE_ANSWER_MS_MAX;
    const question = { peer, life: round.terms.life, key };
    this.#calls.pull(effects, question, deadlineMs, (answer, turnNow, effectsNow) => {
      asked.pulling--;
      if (this.#rounds.get(peer)?.asked !== asked) return;
      round.progressMs = turnNow.monotonicMs;
      const told = answer?.status === 'found' || answer?.status === 'absent';
      if (!told || turnNow.writesRefused !== null) asked.failed = true;
      else this.#merge(round, asked, key, answer.record, turnNow, effectsNow);
      this.#settle(peer, round, asked, turnNow, effectsNow);
    });
  }

  /** Merges what the peer holds of a key. */
  #merge(
    round: Round,
    asked: Asked,
    key: string,
    record: Uint8Array | null,
    turn: Turn,
    effects: Effects,
  ): void {
    const merged = this.#records.absorb(turn, effects, key, record, round.terms.absorbed);
    if (merged === 'changed') effects.count('anti_entropy_repairs');
    if (merged === 'corrupt') this.#repair.begin(key, turn, effects);
    if (merged === 'corrupt' || merged === 'unusable') asked.failed = true;
  }

  /** When all that was offered is in, its leaves are done with. */
  #settle(peer: NodeId, round: Round, asked: Asked, turn: Turn, effects: Effects): void {
    // A damaged record found on the way has ended every round.
    if (this.#rounds.get(peer)?.asked !== asked) return;
    if (asked.offeredTo !== null || asked.pulling > 0 || asked.ranges.length > 0) return;
    if (asked.failed) return this.#again(peer, round, effects);
    for (const leaf of asked.leaves) round.open?.delete(leaf);
    round.asked = undefined;
    if (round.open?.size === 0) this.#end(peer, round, turn, effects);
    else effects.setTimer(PULL + peer, COMPARE_AGAIN_MS);
  }

  #again(peer: NodeId, round: Round, effects: Effects): void {
    round.asked = undefined;
    effects.setTimer(PULL + peer, COMPARE_AGAIN_MS);
  }

  #end(peer: NodeId, round: Round, turn: Turn, effects: Effects): void {
    this.#rounds.delete(peer);
    this.#complete(peer, round.terms, turn, effects);
  }

  /** While a record here is damaged, nothing can be claimed of its key. */
  #complete(peer: NodeId, terms: RoundTerms, turn: Turn, effects: Effects): void {
    if (this.#repair.pending) return;
    effects.count('pull_rounds');
    this.#floor.completed(peer, terms, turn, effects);
  }

  #readRange(peer: NodeId, asked: Asked, effects: Effects): void {
    const range = asked.ranges[0];
    if (range === undefined) return;
    const from = { gt: RECORDS + range.after };
    // Up to and including `end`.
    const lt = range.end === null ? RECORDS_END : RECORDS + afterKey(range.end);
    effects.scan(PULL + peer, { ...from, lt }, PACED_CHUNK_ENTRIES);
  }
}

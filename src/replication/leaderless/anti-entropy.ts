/**
 * Anti-entropy: finds by hash trees what hints and read repair have missed, and fetches it.
 *
 *     A ── compare-root ──> B              equal roots: no answer, one message in all
 *     A <── compare-branches ── B
 *     A ── compare-leaves ──> B            B waits, compares again: writes under way are no difference
 *     A <── differing-leaves ── B          both now offer the keys of these leaves, with digests,
 *     A <── offer-keys ──> B               and each fetches what differs from its own
 *
 * Everything is pulled and merged, so a lost or repeated message costs time, never correctness. A replica takes
 * part only once its own tree is counted.
 */
import type { NodeId } from '../../core/ids.js';
import type { LeaderlessMessage } from '../../protocol/leaderless-messages.js';
import { checkRecord, recordHeader } from '../../protocol/record-codec.js';
import {
  differingHashes,
  digestBytes,
  leafOfKey,
  LEAVES_PER_BRANCH,
  recordDigest,
  hashAt,
} from '../shared/hash-tree.js';
import type { Effects, ReplicaEvent, Turn } from '../strategy.js';
import type { GroupMembers } from './group-members.js';
import { RECORDS, RECORDS_END, sameBytes, type LocalRecords } from './local-records.js';
import type { PeerCalls } from './peer-calls.js';
import type { RecordRepair } from './record-repair.js';
import {
  COMPARE_AGAIN_MS,
  COMPARE_MS,
  DIFFERING_ROUNDS_MAX,
  OFFER_FETCHES_MAX,
  PACED_CHUNK_ENTRIES,
  PACED_CHUNK_PAUSE_MS,
  STORE_ANSWER_MS_MAX,
} from './tuning.js';
import { RECOUNT, TreeRecount } from './tree-recount.js';

type Scanned = Extract<ReplicaEvent, { readonly type: 'scanned' }>;

/** A leaf that differs from a peer's: both hashes, and in how many comparisons in a row it has differed. */
interface Suspect {
  readonly mine: bigint;
  readonly theirs: bigint;
  readonly rounds: number;
}

/** The leaves that differed from a peer's at a time. */
interface Suspicion {
  readonly atMs: number;
  readonly leaves: ReadonlyMap<number, Suspect>;
}

/** Leaves whose keys are being offered to a peer, and how far the scan has come. */
interface Offer {
  readonly leaves: ReadonlySet<number>;
  after: string;
}

export const COMPARE = 'compare';
export const COMPARE_SOON = 'compare-soon:';
export const OFFER = 'offer:';

export class AntiEntropy {
  readonly #members: GroupMembers;
  readonly #records: LocalRecords;
  readonly #calls: PeerCalls;
  readonly #repair: RecordRepair;
  readonly #suspicions = new Map<NodeId, Suspicion>();
  readonly #offers = new Map<NodeId, Offer>();
  /** Fetches under way from each peer. */
  readonly #fetches = new Map<NodeId, number>();
  readonly #recount: TreeRecount;
  #turnOf = 0;

  constructor(members: GroupMembers, records: LocalRecords, calls: PeerCalls, repair: RecordRepair) {
    this.#members = members;
    this.#records = records;
    this.#calls = calls;
    this.#repair = repair;
    this.#recount = new TreeRecount(members, records, repair);
  }

  open(turn: Turn, effects: Effects): void {
    this.#recount.start(effects);
    this.#armCompare(turn, effects);
  }

  timer(timer: string, turn: Turn, effects: Effects): void {
    if (timer === RECOUNT) {
      this.#recount.timer(effects);
    } else if (timer === COMPARE) {
      this.#armCompare(turn, effects);
      this.#compareNext(turn, effects);
    } else if (timer.startsWith(COMPARE_SOON)) {
      this.compareWith(timer.slice(COMPARE_SOON.length) as NodeId, turn, effects);
    } else if (timer.startsWith(OFFER)) {
      this.#readOfferChunk(timer.slice(OFFER.length) as NodeId, effects);
    }
  }

  /** Asks a peer whether we agree. */
  compareWith(peer: NodeId, turn: Turn, effects: Effects): void {
    const tree = this.#records.tree.current;
    if (tree === undefined) {
      this.#recount.wanted(turn, effects);
      return;
    }
    if (turn.reachable(peer)) effects.send(peer, { type: 'compare-root', root: tree.root() });
  }

  /** A comparison with this peer soon: it is back, and may have missed things. */
  compareSoon(peer: NodeId, turn: Turn, effects: Effects): void {
    effects.setTimer(COMPARE_SOON + peer, COMPARE_AGAIN_MS + turn.random.integer(2 * COMPARE_AGAIN_MS));
  }

  message(from: NodeId, message: LeaderlessMessage, turn: Turn, effects: Effects): void {
    // Pulling is always safe, and may be what makes the tree countable.
    if (message.type === 'offer-keys') return this.#takeOffer(from, message.entries, turn, effects);
    const tree = this.#records.tree.current;
    if (tree === undefined) return;
    switch (message.type) {
      case 'compare-root':
        if (sameBytes(message.root, tree.root())) this.#suspicions.delete(from);
        else effects.send(from, { type: 'compare-branches', branches: tree.branches() });
        return;
      case 'compare-branches': {
        const differing = differingHashes(message.branches, tree.branches());
        const branches = differing.map((branch) => [branch, tree.leavesOf(branch)] as const);
        if (branches.length > 0) effects.send(from, { type: 'compare-leaves', branches });
        return;
      }
      case 'compare-leaves': {
        const leaves = new Map<number, Suspect>();
        for (const [branch, theirs] of message.branches) {
          const mine = tree.leavesOf(branch);
          for (const leaf of differingHashes(theirs, mine)) {
            const suspect = { mine: hashAt(mine, leaf), theirs: hashAt(theirs, leaf), rounds: 1 };
            leaves.set(branch * LEAVES_PER_BRANCH + leaf, suspect);
          }
        }
        this.#suspect(from, leaves, turn, effects);
        return;
      }
      case 'differing-leaves':
        this.#offer(from, message.leaves, effects);
        return;
      default:
        return;
    }
  }

  /** A chunk of a recount or of an offer has been read. */
  scanned(scanned: Scanned, turn: Turn, effects: Effects): void {
    if (scanned.scan === RECOUNT) this.#recount.scanned(scanned, turn, effects);
    else if (scanned.scan.startsWith(OFFER)) {
      this.#offerChunk(scanned.scan.slice(OFFER.length) as NodeId, scanned, turn, effects);
    }
  }

  /** All groups of a node compare in the same turn, so that their messages share a frame. A timer may fire a little early. */
  #armCompare(turn: Turn, effects: Effects): void {
    const leftMs = COMPARE_MS - (Math.floor(turn.monotonicMs) % COMPARE_MS);
    effects.setTimer(COMPARE, leftMs < COMPARE_MS / 2 ? leftMs + COMPARE_MS : leftMs);
  }

  /** The other replicas take turns. */
  #compareNext(turn: Turn, effects: Effects): void {
    const { peers } = this.#members;
    const peer = peers[this.#turnOf++ % Math.max(1, peers.length)];
    if (peer !== undefined) this.compareWith(peer, turn, effects);
  }

  /**
   * A leaf that differs as it did a while ago is offered by both sides. One whose hashes have moved on is most likely being
   * written, so it is looked at again; but not for ever, since a busy key must not hide a stale one beside it.
   */
  #suspect(peer: NodeId, leaves: ReadonlyMap<number, Suspect>, turn: Turn, effects: Effects): void {
    const before = this.#suspicions.get(peer);
    if (before !== undefined && turn.monotonicMs - before.atMs < COMPARE_AGAIN_MS / 2) return;
    const lasting: number[] = [];
    const now = new Map<number, Suspect>();
    for (const [leaf, suspect] of leaves) {
      const then = before?.leaves.get(leaf);
      const rounds = (then?.rounds ?? 0) + 1;
      const still = then !== undefined && then.mine === suspect.mine && then.theirs === suspect.theirs;
      if (still || rounds >= DIFFERING_ROUNDS_MAX) lasting.push(leaf);
      else now.set(leaf, { ...suspect, rounds });
    }
    this.#suspicions.set(peer, { atMs: turn.monotonicMs, leaves: now });
    if (lasting.length > 0) {
      effects.send(peer, { type: 'differing-leaves', leaves: lasting });
      this.#offer(peer, lasting, effects);
    } else if (leaves.size > 0) {
      effects.setTimer(COMPARE_SOON + peer, COMPARE_AGAIN_MS);
    }
  }

  #offer(peer: NodeId, leaves: readonly number[], effects: Effects): void {
    if (this.#offers.has(peer) || leaves.length === 0) return;
    effects.count('anti_entropy_differences', leaves.length);
    this.#offers.set(peer, { leaves: new Set(leaves), after: RECORDS });
    this.#readOfferChunk(peer, effects);
  }

  #readOfferChunk(peer: NodeId, effects: Effects): void {
    const offer = this.#offers.get(peer);
    if (offer === undefined) return;
    effects.scan(OFFER + peer, { gt: offer.after, lt: RECORDS_END }, PACED_CHUNK_ENTRIES);
  }

  #offerChunk(peer: NodeId, scanned: Scanned, turn: Turn, effects: Effects): void {
    const offer = this.#offers.get(peer);
    if (offer === undefined) return;
    if (scanned.damaged) effects.count('scans_damaged');
    const entries: (readonly [string, Uint8Array])[] = [];
    for (const [stored, bytes] of scanned.entries) {
      const key = stored.slice(RECORDS.length);
      if (!offer.leaves.has(leafOfKey(key))) continue;
      if (checkRecord(bytes)) entries.push([key, digestBytes(recordDigest(key, recordHeader(bytes)))]);
      else this.#repair.begin(key, turn, effects);
    }
    if (entries.length > 0) effects.send(peer, { type: 'offer-keys', entries });
    const last = scanned.entries.at(-1)?.[0];
    if (scanned.more && last !== undefined && turn.reachable(peer)) {
      offer.after = last;
      effects.setTimer(OFFER + peer, PACED_CHUNK_PAUSE_MS);
      return;
    }
    this.#offers.delete(peer);
    this.compareSoon(peer, turn, effects);
  }

  #takeOffer(
    peer: NodeId,
    entries: readonly (readonly [string, Uint8Array])[],
    turn: Turn,
    effects: Effects,
  ): void {
    if (turn.writesRefused !== null) return;
    for (const [key, digest] of entries) {
      const local = this.#records.read(turn, key);
      if (local === 'corrupt') {
        this.#repair.begin(key, turn, effects);
        continue;
      }
      if (local !== null && sameBytes(digestBytes(recordDigest(key, recordHeader(local))), digest)) continue;
      this.#fetch(peer, key, turn, effects);
    }
  }

  /** Fetches and merges a record, if there is room; when all that were under way are in, looks what is left. */
  #fetch(peer: NodeId, key: string, turn: Turn, effects: Effects): void {
    const open = this.#fetches.get(peer) ?? 0;
    if (open >= OFFER_FETCHES_MAX) return effects.count('offers_dropped');
    this.#fetches.set(peer, open + 1);
    const deadlineMs = turn.monotonicMs + STORE_ANSWER_MS_MAX;
    this.#calls.fetch(effects, peer, key, deadlineMs, (answer, turnNow, effectsNow) => {
      const left = (this.#fetches.get(peer) ?? 1) - 1;
      this.#fetches.set(peer, left);
      if (left === 0) this.compareSoon(peer, turnNow, effectsNow);
      if (!answer?.record || turnNow.writesRefused !== null) return;
      if (this.#records.absorb(turnNow, effectsNow, key, answer.record) === 'changed') {
        effectsNow.count('anti_entropy_repairs');
      }
    });
  }
}

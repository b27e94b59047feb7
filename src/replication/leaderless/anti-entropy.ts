/**
 * Anti-entropy: finds by hash trees what hints and read repair have missed. Replicas take turns in comparing:
 *
 *     A ── compare-root ──> B        equal roots: no answer, one message in all, and B has absorbed what A has
 *                                    else B begins a pull round with A (`pull-rounds.ts`), which A serves from here
 *
 * Everything is pulled and merged, so a lost or repeated message costs time, never correctness. A replica takes part only
 * once its own tree is counted, and speaks for itself only while what it holds in memory is what its store holds.
 */
import type { NodeId } from '../../core/ids.js';
import type {
  CompareBranches,
  DifferingLeaves,
  LeaderlessMessage,
  Pull,
} from '../../protocol/leaderless-messages.js';
import { checkRecord, recordHeader } from '../../protocol/record-codec.js';
import { differingHashes, digestBytes, leafOfKey, recordDigest } from '../shared/hash-tree.js';
import type { Effects, ReplicaEvent, Turn } from '../strategy.js';
import type { Floor } from './floor.js';
import type { GroupMembers } from './group-members.js';
import { RECORDS, RECORDS_END, type LocalRecords } from './local-records.js';
import type { PeerCalls } from './peer-calls.js';
import { PULL, PullRounds } from './pull-rounds.js';
import type { RecordRepair } from './record-repair.js';
import { sameBytes } from './same-bytes.js';
import {
  COMPARE_AGAIN_MS,
  OFFER_FETCHES_MAX,
  PACED_CHUNK_ENTRIES,
  PACED_CHUNK_PAUSE_MS,
  STORE_ANSWER_MS_MAX,
} from './tuning.js';
import { RECOUNT, TreeRecount } from './tree-recount.js';

type Scanned = Extract<ReplicaEvent, { readonly type: 'scanned' }>;
type OfferedKey = readonly [key: string, digest: Uint8Array];

/** Leaves whose keys are being offered to a peer, and how far the scan has come. */
interface Offer {
  readonly round: number;
  readonly leaves: ReadonlySet<number>;
  /** The key that the scan has come to, and the one that the last message came to. */
  scannedTo: string;
  offeredTo: string;
  entries: OfferedKey[];
}

export const COMPARE = 'compare';
export const COMPARE_SOON = 'compare-soon:';
export const OFFER = 'offer:';

export class AntiEntropy {
  readonly #members: GroupMembers;
  readonly #records: LocalRecords;
  readonly #calls: PeerCalls;
  readonly #repair: RecordRepair;
  readonly #floor: Floor;
  readonly #rounds: PullRounds;
  readonly #offers = new Map<NodeId, Offer>();
  /** Records being fetched from each peer because it offered them outside of a round. */
  readonly #fetches = new Map<NodeId, number>();
  readonly #recount: TreeRecount;
  readonly #compareMs: number;
  #turnOf = 0;

  constructor(
    members: GroupMembers,
    records: LocalRecords,
    calls: PeerCalls,
    repair: RecordRepair,
    floor: Floor,
    compareMs: number,
    firstRound: number,
  ) {
    this.#members = members;
    this.#records = records;
    this.#calls = calls;
    this.#repair = repair;
    this.#floor = floor;
    this.#compareMs = compareMs;
    this.#recount = new TreeRecount(members, records, repair, floor);
    this.#rounds = new PullRounds(records, calls, repair, floor, firstRound, (peer, turn, effects) =>
      this.compareSoon(peer, turn, effects),
    );
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
    } else if (timer.startsWith(PULL)) {
      this.#rounds.timer(timer.slice(PULL.length) as NodeId, effects);
    }
  }

  /** Asks a peer whether we agree, and tells it what is absorbed here. */
  compareWith(peer: NodeId, turn: Turn, effects: Effects): void {
    const tree = this.#records.tree.current;
    if (tree === undefined) {
      this.#recount.wanted(turn, effects);
      return;
    }
    if (!speaksForItself(turn) || !turn.reachable(peer)) return;
    effects.send(peer, this.#floor.greeting(peer, tree.root(), turn));
  }

  /** A comparison with this peer soon: it is back, and may have missed things. */
  compareSoon(peer: NodeId, turn: Turn, effects: Effects): void {
    effects.setTimer(COMPARE_SOON + peer, COMPARE_AGAIN_MS + turn.random.integer(2 * COMPARE_AGAIN_MS));
  }

  peerUp(peer: NodeId, turn: Turn, effects: Effects): void {
    this.compareSoon(peer, turn, effects);
    // At once as well: a replica that counts in no read waits for this. What it answers may find no link yet.
    if (this.#records.tree.current !== undefined) this.compareWith(peer, turn, effects);
  }

  peerDown(peer: NodeId): void {
    this.#rounds.abandon(peer);
    this.#offers.delete(peer);
  }

  /** This replica's life has ended: nothing that was begun in it may go on. */
  lifeEnded(): void {
    this.#rounds.abandonAll();
    for (const [peer, { round }] of this.#offers) if (round !== 0) this.#offers.delete(peer);
  }

  message(from: NodeId, message: LeaderlessMessage, turn: Turn, effects: Effects): void {
    switch (message.type) {
      case 'compare-root': {
        const terms = this.#floor.hear(from, message, turn, effects);
        const tree = this.#records.tree.current;
        if (tree === undefined || !speaksForItself(turn)) return;
        if (sameBytes(message.root, tree.root())) this.#rounds.agreed(from, terms, turn, effects);
        else this.#rounds.begin(from, terms, turn, effects);
        // It needs what is told here, or this replica what is told there.
        if (message.refilling || terms === undefined) this.compareSoon(from, turn, effects);
        return;
      }
      case 'compare-branches':
        this.#serveBranches(from, message, turn, effects);
        return;
      case 'compare-leaves':
        this.#rounds.leaves(from, message, turn, effects);
        return;
      case 'differing-leaves':
        this.#serveOffer(from, message, turn, effects);
        return;
      case 'offer-keys':
        if (message.round === 0) this.#takeOffer(from, message.entries, turn, effects);
        else this.#rounds.offered(from, message, turn, effects);
        return;
      case 'pull':
        this.#servePull(from, message, turn, effects);
        return;
      default:
        return;
    }
  }

  /** A chunk of a recount, of an offer, or of what is compared with one, has been read. */
  scanned(scanned: Scanned, turn: Turn, effects: Effects): void {
    const { scan } = scanned;
    if (scan === RECOUNT) {
      const counted = this.#recount.scanned(scanned, turn, effects);
      if (counted) for (const peer of this.#members.peers) this.compareWith(peer, turn, effects);
    } else if (scan.startsWith(OFFER)) {
      this.#offerChunk(scan.slice(OFFER.length) as NodeId, scanned, turn, effects);
    } else if (scan.startsWith(PULL)) {
      this.#rounds.scanned(scan.slice(PULL.length) as NodeId, scanned, turn, effects);
    }
  }

  /** All groups of a node compare in the same turn, so that their messages share a frame. A timer may fire a little early. */
  #armCompare(turn: Turn, effects: Effects): void {
    const everyMs = this.#compareMs;
    const leftMs = everyMs - (Math.floor(turn.monotonicMs) % everyMs);
    effects.setTimer(COMPARE, leftMs < everyMs / 2 ? leftMs + everyMs : leftMs);
  }

  /** The other replicas take turns. */
  #compareNext(turn: Turn, effects: Effects): void {
    const { peers } = this.#members;
    const peer = peers[this.#turnOf++ % Math.max(1, peers.length)];
    if (peer !== undefined) this.compareWith(peer, turn, effects);
  }

  // --- What a peer's round asks of this replica ------------------------------------------------------

  /** Whether it can answer for the life that a peer's round is about. */
  #isLife(life: string, turn: Turn): boolean {
    return life === this.#floor.life && speaksForItself(turn);
  }

  #serveBranches(peer: NodeId, message: CompareBranches, turn: Turn, effects: Effects): void {
    const tree = this.#records.tree.current;
    if (tree === undefined || !this.#isLife(message.life, turn)) return;
    const differing = differingHashes(message.branches, tree.branches());
    const branches = differing.map((branch) => [branch, tree.leavesOf(branch)] as const);
    effects.send(peer, { type: 'compare-leaves', round: message.round, branches });
  }

  /** Outside of a round whoever asks lacks a tree: it may have all keys. */
  #serveOffer(peer: NodeId, message: DifferingLeaves, turn: Turn, effects: Effects): void {
    const { round, life, leaves } = message;
    if (this.#records.tree.current === undefined || leaves.length === 0) return;
    if (round !== 0 && !this.#isLife(life, turn)) return;
    this.#offers.set(peer, { round, leaves: new Set(leaves), scannedTo: '', offeredTo: '', entries: [] });
    this.#readOfferChunk(peer, effects);
  }

  #servePull(peer: NodeId, { sequence, life, key }: Pull, turn: Turn, effects: Effects): void {
    const local = this.#records.read(turn, key);
    if (local === 'corrupt') this.#repair.begin(key, turn, effects);
    if (local === 'corrupt' || !this.#isLife(life, turn)) {
      const now = this.#floor.life;
      effects.send(peer, { type: 'fetch-result', sequence, status: 'corrupt', record: null, life: now });
      return;
    }
    const status = local === null ? 'absent' : 'found';
    effects.send(peer, { type: 'fetch-result', sequence, status, record: local, life });
  }

  #readOfferChunk(peer: NodeId, effects: Effects): void {
    const offer = this.#offers.get(peer);
    if (offer === undefined) return;
    effects.scan(OFFER + peer, { gt: RECORDS + offer.scannedTo, lt: RECORDS_END }, PACED_CHUNK_ENTRIES);
  }

  #offerChunk(peer: NodeId, scanned: Scanned, turn: Turn, effects: Effects): void {
    const offer = this.#offers.get(peer);
    if (offer === undefined) return;
    if (scanned.damaged) effects.count('scans_damaged');
    for (const [stored, bytes] of scanned.entries) {
      const key = stored.slice(RECORDS.length);
      if (!offer.leaves.has(leafOfKey(key))) continue;
      if (checkRecord(bytes)) offer.entries.push([key, digestBytes(recordDigest(key, recordHeader(bytes)))]);
      else this.#repair.begin(key, turn, effects);
    }
    // A record that turned out damaged ends this life, and the offer with it; so does a range that cannot be read.
    if (this.#offers.get(peer) !== offer) return;
    if (scanned.damaged && offer.round !== 0) {
      this.#offers.delete(peer);
      return;
    }
    const last = scanned.entries.at(-1)?.[0].slice(RECORDS.length);
    const more = scanned.more && last !== undefined && turn.reachable(peer);
    if (more) {
      offer.scannedTo = last;
      effects.setTimer(OFFER + peer, PACED_CHUNK_PAUSE_MS);
      if (offer.entries.length === 0) return;
    } else {
      this.#offers.delete(peer);
    }
    const { round, entries, offeredTo: after } = offer;
    const end = more ? offer.scannedTo : null;
    effects.send(peer, { type: 'offer-keys', round, after, end, entries });
    offer.offeredTo = offer.scannedTo;
    offer.entries = [];
  }

  // --- Offers outside of a round ---------------------------------------------------------------------

  /** Pulling is always safe, and may be what makes the tree countable. */
  #takeOffer(peer: NodeId, entries: readonly OfferedKey[], turn: Turn, effects: Effects): void {
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

/** After a failed batch the memory and the store may differ until the store is opened anew: then nothing is claimed. */
function speaksForItself(turn: Turn): boolean {
  return turn.writesRefused !== 'NodeReadOnly';
}

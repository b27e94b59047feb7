/**
 * What this replica has absorbed of its whole group, what the others say they have, and the floor below which everyone
 * has absorbed everything (docs/adr/0008).
 *
 *     absorbed (i -> c)   for every dot (i, n <= c) of the group: its key's record here holds it, or it is superseded here
 *     floor               the element-wise minimum of what all replicas have absorbed, as far as they have told
 *     life                names an unbroken memory: what was told under an earlier life counts for nothing
 *
 * `absorbed` is raised by minting (what is minted is held) and by completed pull rounds, never by a clock. It begins
 * empty with each life. A life ends where records may be lost: a new or restored store, an unclean stop of a buffered one, a
 * damaged record.
 *
 * A replica whose store has lost records is *refilling*: it counts in no read until completed rounds with others have brought
 * back whatever W replicas had acknowledged.
 */
import { quorumSize } from '../../cluster/cluster-map.js';
import { hashText } from '../../core/hash.js';
import { incarnationId, type IncarnationId, type NodeId } from '../../core/ids.js';
import { ABSORBED_ENTRIES_MAX } from '../../core/limits.js';
import { pruneRecord } from '../../core/record-pruning.js';
import type { KeyRecord } from '../../core/record.js';
import {
  ALL_COUNTERS,
  counterOf,
  EMPTY_VECTOR,
  join,
  meet,
  sameVector,
  type VersionEntry,
  type VersionVector,
} from '../../core/version-vector.js';
import { decodeFloor, encodeFloor, type StoredFloor } from '../../protocol/floor-codec.js';
import type { CompareRoot } from '../../protocol/leaderless-messages.js';
import { digestBytes } from '../shared/hash-tree.js';
import type { Effects, Turn } from '../strategy.js';
import { DurableVector } from './durable-vector.js';
import { witnessesNeeded, type GroupMembers } from './group-members.js';
import { sameBytes } from './same-bytes.js';
import { NEW_CLUSTER_WAIT_MS, ORPHANS_AFTER_MS } from './tuning.js';

const FLOOR = 'f/floor';
const NO_STAMP = new Uint8Array(8);

/** What a peer has told of itself. */
interface Told {
  readonly life: string;
  readonly stamp: Uint8Array;
  readonly refilling: boolean;
  /** When it last told anything. */
  readonly atMs: number;
  /** Undefined until told under this life. */
  readonly absorbed: VersionVector | undefined;
}

/** What a pull round that was begun with a peer will have taken over when it completes. */
export interface RoundTerms {
  readonly life: string;
  /** What the peer had absorbed before the round began. */
  readonly absorbed: VersionVector;
  readonly refilling: boolean;
  /** The peer knew of this replica's life: whatever it forgot since, this replica had told it. */
  readonly known: boolean;
  /** The peer has heard an earlier life of this replica. */
  readonly remembers: boolean;
  /** `Floor.lives` when the round began. */
  readonly lives: number;
}

export class Floor {
  readonly #members: GroupMembers;
  readonly #store: string;
  readonly #retryAgeMs: number;
  #state: StoredFloor;
  readonly #told = new Map<NodeId, Told>();
  /** What each peer has last heard of this replica. */
  readonly #heard = new Map<NodeId, { readonly life: string; readonly stamp: Uint8Array }>();
  /** Own incarnations of earlier lives, met in records, that no vector names. */
  readonly #orphans = new Set<IncarnationId>();
  #lifeBeganMs = 0;
  #lives = 0;
  /** The peers that were pulled from since all lives of the group are as they are now. */
  readonly #pulledSince = new Set<NodeId>();
  #prunable: VersionVector = EMPTY_VECTOR;
  // What the state and the minter add up to, until one of them changes.
  #own: VersionEntry = [incarnationId(''), 0];
  #absorbed: VersionVector = EMPTY_VECTOR;
  /** What of it may be told: a crash takes back the rest within the same life. */
  readonly #durable = new DurableVector();
  #stamped: VersionVector | undefined;
  #stamp: Uint8Array = NO_STAMP;

  constructor(members: GroupMembers, store: string, retryAgeMs: number) {
    this.#members = members;
    this.#store = store;
    this.#retryAgeMs = retryAgeMs;
    this.#state = newState(store, '');
  }

  /** Takes up the life that the store remembers, or begins one. */
  open(turn: Turn, effects: Effects): void {
    const stored = turn.read(FLOOR);
    const last = stored === undefined || stored === 'damaged' ? undefined : decodeFloor(stored);
    this.#lifeBeganMs = turn.monotonicMs;
    if (last !== undefined && last.store === this.#store) this.#state = last;
    else {
      const met = last?.met ?? [];
      const refilling = this.#members.peers.length > 0;
      this.#begin({ refilling, unsure: false, fresh: refilling && stored === undefined, met }, turn, effects);
    }
    this.noteIncarnation(turn, effects);
  }

  /** A record was lost: what was claimed of the whole group no longer holds. Its key is repaired by itself. */
  beginLife(turn: Turn, effects: Effects): void {
    const { refilling, met } = this.#state;
    const unsure = !refilling && this.#members.peers.length > 0;
    this.#begin({ refilling, unsure, fresh: false, met }, turn, effects);
    this.noteIncarnation(turn, effects);
  }

  get life(): string {
    return this.#state.life;
  }

  /** Records may be missing here: this replica counts in no read. */
  get refilling(): boolean {
    return this.#state.refilling;
  }

  /**
   * Whether this life knows enough to ignore what was superseded and forgotten long ago. Replicas in an unbroken life send nothing
   * such; stand-ins may.
   */
  get knowsOld(): boolean {
    return !this.#state.refilling && !this.#state.unsure;
  }

  /** Rises when a life begins in the group, as far as this replica hears of it. What was noted of all before it may be lost. */
  get lives(): number {
    return this.#lives;
  }

  get entries(): number {
    return this.#state.absorbed.length;
  }

  /** Everything that this replica has absorbed. */
  absorbed(turn: Turn): VersionVector {
    const { incarnation, counter } = turn.lastMinted();
    if (this.#own[0] !== incarnation || this.#own[1] !== counter) {
      this.#own = [incarnation, counter];
      this.#changed();
    }
    return this.#absorbed;
  }

  /** What everyone has absorbed, as far as everyone has told. */
  floor(turn: Turn): VersionVector {
    let floor = this.absorbed(turn);
    for (const peer of this.#members.peers) {
      const absorbed = this.#told.get(peer)?.absorbed;
      if (absorbed === undefined) return EMPTY_VECTOR;
      floor = meet(floor, absorbed);
    }
    return floor;
  }

  /** What anyone has absorbed, and so minted, as far as everyone has told since then; undefined where one has been silent. */
  cut(sinceMs: number, turn: Turn): VersionVector | undefined {
    let cut = this.absorbed(turn);
    for (const peer of this.#members.peers) {
      const told = this.#told.get(peer);
      if (told?.absorbed === undefined || told.atMs < sinceMs) return undefined;
      cut = join(cut, told.absorbed);
    }
    return cut;
  }

  /** What explains what a record of a peer leaves out, in an answer of the life in which it was told. */
  toldBy(peer: NodeId): { readonly life: string; readonly absorbed: VersionVector } {
    const { life = '', absorbed = EMPTY_VECTOR } = this.#told.get(peer) ?? {};
    return { life, absorbed };
  }

  // --- Pruning -------------------------------------------------------------------------------------

  /** What has been below the floor for as long as a retry may take to come. */
  get prunable(): VersionVector {
    return this.#prunable;
  }

  setPrunable(prunable: VersionVector): void {
    this.#prunable = prunable;
  }

  /** The record without what everyone may forget; null where it goes as a whole. */
  pruned(record: KeyRecord, turn: Turn): KeyRecord | null {
    if (this.#prunable.length === 0) return record;
    return pruneRecord(record, {
      prunable: this.#prunable,
      wallMs: turn.wallMs,
      ageMs: this.#retryAgeMs,
      conflict: this.#members.namespace.conflict,
    });
  }

  // --- What replicas tell each other ---------------------------------------------------------------

  /** To be called at the end of each step. */
  stepped(turn: Turn, effects: Effects): void {
    this.#durable.note(this.absorbed(turn), effects);
  }

  /**
   * The comparison that opens a round: the root, and what the peer has not heard yet. The root may be newer than the vector:
   * this replica only ever learns more.
   */
  greeting(peer: NodeId, root: Uint8Array, turn: Turn): CompareRoot {
    const absorbed = this.#durable.current(turn);
    const stamp = this.#stampOf(absorbed);
    const heard = this.#heard.get(peer);
    const told = this.#told.get(peer);
    return {
      type: 'compare-root',
      root,
      life: this.#state.life,
      stamp,
      heardLife: told?.absorbed === undefined ? '' : told.life,
      heardStamp: told?.absorbed === undefined ? NO_STAMP : told.stamp,
      refilling: this.#state.refilling,
      remembers: told !== undefined && this.#metLife(peer) !== told.life,
      absorbed: heard?.life === this.#state.life && sameBytes(heard.stamp, stamp) ? null : absorbed,
    };
  }

  /** Takes what a peer tells, and says on what terms a round with it can begin now; undefined where it has told too little. */
  hear(peer: NodeId, message: CompareRoot, turn: Turn, effects: Effects): RoundTerms | undefined {
    const { life, stamp, refilling, remembers, heardLife, heardStamp } = message;
    this.#meet(peer, life, refilling, effects);
    if (remembers && this.#state.fresh) this.#notFresh(effects);
    this.#heard.set(peer, { life: heardLife, stamp: heardStamp });
    const before = this.#told.get(peer);
    const same = before?.life === life;
    // What was to be forgotten was measured by what the peer had absorbed in a life that is over.
    if (before !== undefined && !same) this.#prunable = EMPTY_VECTOR;
    if (!same) this.#lifeBegan();
    // Within a life a peer absorbs ever more: an older vector claims less, never too much.
    const absorbed = message.absorbed ?? (same ? before.absorbed : undefined);
    const kept = message.absorbed === null && same ? before.stamp : stamp;
    this.#told.set(peer, { life, stamp: kept, refilling, absorbed, atMs: turn.monotonicMs });
    // A greeting that was overtaken has an older root than the vector that is known by now: one would be claimed for the other.
    if (absorbed === undefined || !sameBytes(kept, stamp)) return undefined;
    const known = heardLife === this.#state.life;
    return { life, absorbed, refilling, remembers, known, lives: this.#lives };
  }

  /** Whether the peer may have forgotten something on the word of an earlier life of this replica. */
  mayLack(peer: NodeId): boolean {
    return !this.#state.knownBy.includes(peer);
  }

  /** A pull round is complete: all that the peer had absorbed when it began is here, on disk or in the batch before this one. */
  completed(peer: NodeId, terms: RoundTerms, turn: Turn, effects: Effects): void {
    const before = this.#state;
    const pulled = withName(before.pulled, peer);
    const sources = terms.refilling ? before.sources : withName(before.sources, peer);
    const knownBy = terms.known ? withName(before.knownBy, peer) : before.knownBy;
    const { peers } = this.#members;
    const { fresh } = before;
    const newTo = fresh && terms.known ? withName(before.newTo, peer) : before.newTo;
    const filled =
      sources.length >= witnessesNeeded(this.#members) ||
      pulled.length >= peers.length ||
      (fresh && this.#isNew(newTo, turn));
    const refilling = before.refilling && !filled;
    const unsure = before.unsure && !filled;
    this.#state = { ...before, pulled, sources, knownBy, newTo, refilling, unsure };
    const absorbed = bounded(before.absorbed, join(before.absorbed, terms.absorbed));
    this.#keep(absorbed, before, effects);
    if (terms.lives === this.#lives) this.#pulledSince.add(peer);
    this.#claimOrphans(turn, effects);
    if (before.refilling && !refilling) {
      effects.count('refills_completed');
      effects.log('info', 'refilled: this replica counts in reads again', { group: this.#members.group });
    }
  }

  /** A record's context was read: it may name incarnations of this node from lives it has forgotten. */
  noteContext(context: VersionVector, turn: Turn): void {
    for (const [incarnation] of context) {
      if (this.#orphans.size >= ABSORBED_ENTRIES_MAX) return;
      if (ownerOf(incarnation) !== this.#members.self || turn.mayMint(incarnation)) continue;
      if (counterOf(this.#state.absorbed, incarnation) !== ALL_COUNTERS) this.#orphans.add(incarnation);
    }
  }

  /**
   * An incarnation of this life that mints no more has given no dot that is not here. Called at the start of each step: a
   * new incarnation is written down before it mints.
   */
  noteIncarnation(turn: Turn, effects: Effects): void {
    const { incarnation } = turn.lastMinted();
    const before = this.#state;
    if (before.own.at(-1) === incarnation) return;
    const ended = before.own.filter((own) => own !== incarnation && !turn.mayMint(incarnationId(own)));
    const others = before.own.filter((own) => own !== incarnation && !ended.includes(own));
    this.#state = { ...before, own: [...others, incarnation] };
    this.#keep(this.#withEnded(ended.map(incarnationId)), before, effects);
  }

  /**
   * Whether the cluster is new, so that there is nothing to bring back: a majority remembers no earlier life of this replica, nor
   * does anyone else that can be reached. Others that lost their disks too remember nothing, so one that is only slow to be reached
   * is waited for. One that stays away cannot be told from one that has never been there.
   */
  #isNew(newTo: readonly string[], turn: Turn): boolean {
    const { peers } = this.#members;
    if (newTo.length >= peers.length) return true;
    if (newTo.length + 1 < quorumSize('quorum', peers.length + 1)) return false;
    if (turn.monotonicMs - this.#lifeBeganMs < NEW_CLUSTER_WAIT_MS) return false;
    return peers.every((peer) => newTo.includes(peer) || !turn.reachable(peer));
  }

  /** Somebody remembers an earlier life: the store was not new, it was lost. */
  #notFresh(effects: Effects): void {
    this.#state = { ...this.#state, fresh: false };
    effects.put(FLOOR, encodeFloor(this.#state));
  }

  #metLife(peer: NodeId): string | undefined {
    return this.#state.met.find(([name]) => name === peer)?.[1];
  }

  /** Keeps the first life of a peer that was heard of, then the latest that was whole. */
  #meet(peer: NodeId, life: string, refilling: boolean, effects: Effects): void {
    const known = this.#metLife(peer);
    if (known === life || (known !== undefined && refilling)) return;
    const met = [...this.#state.met.filter(([name]) => name !== peer), [peer, life] as const];
    this.#state = { ...this.#state, met };
    effects.put(FLOOR, encodeFloor(this.#state));
  }

  #begin(
    kept: Pick<StoredFloor, 'refilling' | 'unsure' | 'fresh' | 'met'>,
    turn: Turn,
    effects: Effects,
  ): void {
    const again = this.#state.life !== '';
    this.#state = { ...newState(this.#store, turn.random.text(8)), ...kept };
    this.#prunable = EMPTY_VECTOR;
    this.#lifeBeganMs = turn.monotonicMs;
    this.#lifeBegan();
    this.#durable.reset();
    this.#stamped = undefined;
    this.#changed();
    if (again) effects.count('lives_begun');
    effects.put(FLOOR, encodeFloor(this.#state));
  }

  #lifeBegan(): void {
    this.#lives++;
    this.#pulledSince.clear();
  }

  /**
   * The dots of incarnations from before a life began: whatever there is of them, some other replica holds, and all of
   * them have been pulled from while none of them lost anything: else one that was pulled from early may have got them since
   * from one that then lost its disk. Not at once, so that nothing is on its way any more; and never where stand-ins may
   * keep writes that no replica holds.
   */
  #claimOrphans(turn: Turn, effects: Effects): void {
    const { peers, self, namespace } = this.#members;
    if (namespace.sloppy || this.#pulledSince.size < peers.length) return;
    if (turn.monotonicMs - this.#lifeBeganMs < ORPHANS_AFTER_MS) return;
    const vectors = [this.#state.absorbed, ...[...this.#told.values()].map((told) => told.absorbed ?? [])];
    const named = vectors.flatMap((vector) => vector.map(([incarnation]) => incarnation));
    const orphans = [...named, ...this.#orphans].filter(
      (incarnation) =>
        ownerOf(incarnation) === self &&
        !turn.mayMint(incarnation) &&
        !this.#state.own.includes(incarnation) &&
        counterOf(this.#state.absorbed, incarnation) !== ALL_COUNTERS,
    );
    this.#orphans.clear();
    if (orphans.length > 0) this.#keep(this.#withEnded(orphans), this.#state, effects);
  }

  #withEnded(ended: readonly IncarnationId[]): VersionVector {
    let absorbed = this.#state.absorbed;
    for (const incarnation of ended) absorbed = join(absorbed, [[incarnation, ALL_COUNTERS]]);
    return bounded(this.#state.absorbed, absorbed);
  }

  #keep(absorbed: VersionVector, before: StoredFloor, effects: Effects): void {
    const now = { ...this.#state, absorbed };
    this.#state = now;
    const same =
      sameVector(absorbed, before.absorbed) &&
      now.refilling === before.refilling &&
      now.unsure === before.unsure &&
      now.own === before.own &&
      now.pulled === before.pulled &&
      now.sources === before.sources &&
      now.knownBy === before.knownBy &&
      now.newTo === before.newTo;
    if (same) return;
    this.#changed();
    effects.put(FLOOR, encodeFloor(now));
  }

  #changed(): void {
    const { absorbed } = this.#state;
    this.#absorbed = this.#own[1] > 0 ? join(absorbed, [this.#own]) : absorbed;
  }

  #stampOf(absorbed: VersionVector): Uint8Array {
    if (this.#stamped !== absorbed) {
      this.#stamp = digestBytes(hashText(JSON.stringify([this.#state.life, absorbed])));
      this.#stamped = absorbed;
    }
    return this.#stamp;
  }
}

function newState(store: string, life: string): StoredFloor {
  const nobody = { own: [], pulled: [], sources: [], knownBy: [], newTo: [], met: [] };
  return { store, life, refilling: false, unsure: false, fresh: false, absorbed: [], ...nobody };
}

function withName(names: readonly string[], name: string): readonly string[] {
  return names.includes(name) ? names : [...names, name];
}

/** At the limit no new incarnation is taken in: what it minted stays above the floor, and is kept. */
function bounded(before: VersionVector, after: VersionVector): VersionVector {
  if (after.length <= ABSORBED_ENTRIES_MAX) return after;
  return after.filter(([incarnation]) => counterOf(before, incarnation) > 0);
}

/** The node that minted under an incarnation: its name stands before the last dot. */
function ownerOf(incarnation: IncarnationId): string {
  return incarnation.slice(0, incarnation.lastIndexOf('.'));
}

/**
 * Leaderless replication (DeCandia et al., "Dynamo", 2007): any replica coordinates; N, R and W decide what is
 * promised. `SPEC.md` beside this file numbers the invariants and names the tests that hold them.
 *
 * This file only routes events to the parts:
 *
 *     request ──> WriteCoordinator | ReadCoordinator | ScanCoordinator      foreground
 *     message ──> here (store, fetch) | PeerCalls (answers) | AntiEntropy
 *     timer   ──> sweep | HintedHandoff | AntiEntropy                       background
 */
import { TrefoilError } from '../../core/errors.js';
import { partitionOfKey } from '../../core/hash.js';
import type { NodeId } from '../../core/ids.js';
import { unreachable } from '../../core/invariant.js';
import type { Fetch, Store } from '../../protocol/leaderless-messages.js';
import { isLeaderlessMessage } from '../../protocol/leaderless-codec.js';
import type { PeerMessage } from '../../protocol/messages.js';
import type {
  Effects,
  Replica,
  ReplicaEvent,
  ReplicaSetup,
  ReplicaStatus,
  StrategyDefinition,
  Turn,
} from '../strategy.js';
import { AntiEntropy } from './anti-entropy.js';
import { Floor } from './floor.js';
import { groupMembers, type GroupMembers } from './group-members.js';
import { HANDOFF, HintedHandoff, replicaHints } from './hinted-handoff.js';
import { LocalRecords } from './local-records.js';
import { PeerCalls } from './peer-calls.js';
import { PRUNE, PRUNE_CHUNK, Pruning } from './pruning.js';
import { ReadCoordinator } from './read-coordinator.js';
import { RecordRepair, REPAIR } from './record-repair.js';
import { PAGE, SCAN, ScanCoordinator } from './scan-coordinator.js';
import { StandInReplica } from './stand-in.js';
import { COMPARE_MS, PRUNE_MS, RETRY_AGE_MS_MAX, SWEEP_MS } from './tuning.js';
import { StoreRounds } from './store-rounds.js';
import { WriteCoordinator } from './write-coordinator.js';

const SWEEP = 'sweep';
const SPECULATE = 'speculate';

export const leaderless: StrategyDefinition = {
  name: 'leaderless',
  open(setup, turn, effects) {
    const replica = new LeaderlessReplica(setup, turn);
    replica.open(turn, effects);
    return replica;
  },
  openStandIn: (setup, turn, effects) => StandInReplica.open(setup, turn, effects),
};

class LeaderlessReplica implements Replica {
  readonly #members: GroupMembers;
  readonly #floor: Floor;
  readonly #records: LocalRecords;
  readonly #calls: PeerCalls;
  readonly #repair: RecordRepair;
  readonly #hints: HintedHandoff;
  readonly #writes: WriteCoordinator;
  readonly #rounds: StoreRounds;
  readonly #reads: ReadCoordinator;
  readonly #scans: ScanCoordinator;
  readonly #antiEntropy: AntiEntropy;
  readonly #pruning: Pruning;
  #sweeping = false;
  /** When the timer for speculative questions fires; Infinity while it is not set. */
  #speculateAtMs = Infinity;

  constructor(setup: ReplicaSetup, turn: Turn) {
    const members = groupMembers(setup);
    const calls = new PeerCalls(turn.random.integer(2 ** 31));
    const { compareMs = COMPARE_MS, pruneMs = PRUNE_MS, retryAgeMs = RETRY_AGE_MS_MAX } = setup.pace ?? {};
    this.#members = members;
    this.#floor = new Floor(members, setup.store, retryAgeMs);
    this.#records = new LocalRecords(this.#floor);
    const repair = new RecordRepair(members, this.#records, calls, this.#floor, () =>
      this.#antiEntropy.lifeEnded(),
    );
    this.#calls = calls;
    this.#repair = repair;
    this.#hints = new HintedHandoff(members.peers, replicaHints(members, this.#records), calls);
    this.#rounds = new StoreRounds(members, this.#records, calls, this.#hints);
    this.#writes = new WriteCoordinator(members, this.#records, calls, this.#rounds, repair, this.#floor);
    this.#reads = new ReadCoordinator(members, this.#records, calls, repair, this.#floor);
    this.#scans = new ScanCoordinator(members, this.#records, calls, repair, this.#floor);
    const firstRound = turn.random.integer(2 ** 31);
    this.#antiEntropy = new AntiEntropy(
      members,
      this.#records,
      calls,
      repair,
      this.#floor,
      compareMs,
      firstRound,
    );
    this.#pruning = new Pruning(this.#records, repair, this.#floor, { pruneMs, retryAgeMs });
  }

  open(turn: Turn, effects: Effects): void {
    this.#floor.open(turn, effects);
    this.#hints.open(effects);
    this.#antiEntropy.open(turn, effects);
    this.#pruning.open(turn, effects);
    this.#floor.stepped(turn, effects);
  }

  step(event: ReplicaEvent, turn: Turn, effects: Effects): void {
    this.#floor.noteIncarnation(turn, effects);
    switch (event.type) {
      case 'request':
        this.#request(event, turn, effects);
        break;
      case 'cancelled':
        this.#scans.cancel(event.request);
        break;
      case 'message':
        this.#message(event.from, event.message, turn, effects);
        break;
      case 'timer':
        this.#timer(event.timer, turn, effects);
        break;
      case 'durable':
        this.#rounds.durable(event.token, turn, effects);
        break;
      case 'peer-up':
        this.#hints.begin(event.peer, turn, effects);
        this.#antiEntropy.peerUp(event.peer, turn, effects);
        break;
      case 'peer-down':
        this.#antiEntropy.peerDown(event.peer);
        this.#calls.peerDown(event.peer, turn, effects);
        break;
      case 'map-changed':
      case 'turn-end':
        break;
      case 'scanned':
        this.#scanned(event, turn, effects);
        break;
      default:
        unreachable(event);
    }
    this.#floor.stepped(turn, effects);
    this.#armSweep(effects);
    this.#armSpeculation(turn, effects);
  }

  status(): ReplicaStatus {
    return {
      group: this.#members.group,
      strategy: 'leaderless',
      gauges: {
        openWrites: this.#rounds.size,
        openReads: this.#reads.size,
        openScans: this.#scans.size,
        openPeerCalls: this.#calls.size,
        records: this.#records.tree.counts.records,
        tombstones: this.#records.tree.counts.tombstones,
        hints: this.#hints.size,
        corruptRecords: this.#repair.size,
        refilling: this.#floor.refilling ? 1 : 0,
        floorIncarnations: this.#floor.entries,
        treeReady: this.#records.tree.current === undefined ? 0 : 1,
      },
    };
  }

  #request(event: Extract<ReplicaEvent, { readonly type: 'request' }>, turn: Turn, effects: Effects): void {
    const { operation } = event;
    try {
      switch (operation.type) {
        case 'get':
          this.#reads.begin({ ...event, operation }, turn, effects);
          break;
        case 'put':
        case 'change':
          this.#writes.begin({ ...event, operation }, turn, effects);
          break;
        case 'scan':
          this.#scans.begin({ ...event, operation }, turn, effects);
          break;
        case 'put-all':
        case 'open-session':
          throw new TrefoilError('Unsupported', needsLeader(operation.type, this.#members.namespace.name));
        default:
          unreachable(operation);
      }
    } catch (error) {
      if (!(error instanceof TrefoilError)) throw error;
      effects.reply(event.request, error);
    }
  }

  #message(from: NodeId, message: PeerMessage, turn: Turn, effects: Effects): void {
    if (!isLeaderlessMessage(message)) {
      // As below: the sender's map is another one.
      throw new TrefoilError(
        'BadRequest',
        `${this.#members.group} is leaderless and knows no ${message.type}`,
      );
    }
    switch (message.type) {
      case 'store':
        this.#store(from, message, turn, effects);
        break;
      case 'fetch':
        this.#fetch(from, message, turn, effects);
        break;
      case 'fetch-page':
        this.#scans.pageFor(from, message, effects);
        break;
      case 'hold':
        // Meant for a stand-in: the sender's map is another one. No answer is no acknowledgement.
        throw new TrefoilError('BadRequest', `${this.#members.self} is a replica of ${this.#members.group}`);
      case 'store-result':
      case 'fetch-result':
      case 'fetch-page-result':
        this.#calls.answered(from, message, turn, effects);
        break;
      default:
        this.#antiEntropy.message(from, message, turn, effects);
    }
  }

  #store(from: NodeId, { sequence, key, record, asks }: Store, turn: Turn, effects: Effects): void {
    const { namespace, partition, peers } = this.#members;
    // What a stand-in keeps may be older than what all homes have forgotten. It keeps it until it is taken.
    const early = !peers.includes(from) && !this.#floor.knowsOld;
    const mayTake = turn.writesRefused === null && !early;
    const ours = mayTake && partitionOfKey(key, namespace.partitions) === partition;
    const { outcome, tell } = ours ? this.#records.store(turn, effects, key, record, asks) : NOT_OURS;
    if (outcome === 'corrupt') this.#repair.begin(key, turn, effects);
    const status = outcome === 'corrupt' ? 'corrupt' : outcome === 'unusable' ? 'refused' : 'stored';
    const wallMs = asks ? Math.floor(turn.wallMs) : 0;
    effects.send(from, { type: 'store-result', sequence, status, record: tell, wallMs });
  }

  #fetch(from: NodeId, { sequence, key }: Fetch, turn: Turn, effects: Effects): void {
    const local = this.#records.read(turn, key);
    if (local === 'corrupt') this.#repair.begin(key, turn, effects);
    const held = local === null ? 'absent' : local === 'corrupt' ? 'corrupt' : 'found';
    const status = held !== 'corrupt' && this.#floor.refilling ? 'refilling' : held;
    const record = local === 'corrupt' ? null : local;
    effects.send(from, { type: 'fetch-result', sequence, status, record, life: this.#floor.life });
  }

  #timer(timer: string, turn: Turn, effects: Effects): void {
    if (timer === SWEEP) {
      this.#sweeping = false;
      this.#calls.sweep(turn, effects);
      this.#rounds.sweep(turn, effects);
      this.#reads.sweep(turn, effects);
      this.#scans.sweep(turn, effects);
    } else if (timer === SPECULATE) {
      this.#speculateAtMs = Infinity;
      this.#reads.speculate(turn, effects);
      this.#scans.speculate(turn, effects);
    } else if (timer === PRUNE || timer === PRUNE_CHUNK) {
      this.#pruning.timer(timer, turn, effects);
    } else if (timer === REPAIR) {
      this.#repair.resume(turn, effects);
    } else if (timer.startsWith(HANDOFF)) {
      this.#hints.begin(timer.slice(HANDOFF.length) as NodeId, turn, effects);
    } else {
      this.#antiEntropy.timer(timer, turn, effects);
    }
  }

  #scanned(event: Extract<ReplicaEvent, { readonly type: 'scanned' }>, turn: Turn, effects: Effects): void {
    if (event.scan.startsWith(HANDOFF)) {
      this.#hints.page(event.scan.slice(HANDOFF.length) as NodeId, event, turn, effects);
    } else if (event.scan.startsWith(SCAN) || event.scan.startsWith(PAGE)) {
      this.#scans.scanned(event, turn, effects);
    } else if (event.scan === PRUNE) {
      this.#pruning.scanned(event, turn, effects);
    } else {
      this.#antiEntropy.scanned(event, turn, effects);
    }
  }

  /** Deadlines are looked after only while something is open. */
  #armSweep(effects: Effects): void {
    if (this.#sweeping) return;
    if (this.#calls.size + this.#rounds.size + this.#reads.size + this.#scans.size === 0) return;
    this.#sweeping = true;
    effects.setTimer(SWEEP, SWEEP_MS);
  }

  /**
   * One timer for all open reads, set for the earliest that may want a spare replica. Whole milliseconds: a rest that is too
   * small to move the clock on would fire for ever.
   */
  #armSpeculation(turn: Turn, effects: Effects): void {
    const atMs = Math.min(this.#reads.speculateAtMs, this.#scans.speculateAtMs);
    if (atMs >= this.#speculateAtMs) return;
    this.#speculateAtMs = atMs;
    effects.setTimer(SPECULATE, Math.max(1, Math.ceil(atMs - turn.monotonicMs)));
  }
}

const NOT_OURS = { outcome: 'unusable', tell: null } as const;

function needsLeader(operation: 'put-all' | 'open-session', namespace: string): string {
  return operation === 'put-all'
    ? `several keys are written all or none only where one replica leads (strategy leader-follower); namespace ${namespace} is leaderless: put each key`
    : `namespace ${namespace} is leaderless: its writes need no session with the replica group, any session id will do`;
}

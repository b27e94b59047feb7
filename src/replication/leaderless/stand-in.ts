/**
 * A stand-in: keeps records for replicas of a group that are away, on a node that holds no replica of it, and delivers them
 * (Dynamo, section 4.6; docs/adr/0009).
 *
 *     hold ──> merge with what is held for that home, put ──fsync──> store-result ──> counts towards W
 *     home up ──> store to it ──> confirmed exactly what is held? ──> delete
 *
 * It coordinates nothing, mints nothing and answers no reads: it knows only what it was handed. What it refuses is no
 * acknowledgement. Whatever it took it delivers, also when the config no longer names it.
 */
import { replicasOf, type LeaderlessNamespace } from '../../cluster/cluster-map.js';
import { standInsOf } from '../../cluster/placement.js';
import { TrefoilError } from '../../core/errors.js';
import { partitionOfKey } from '../../core/hash.js';
import type { NodeId } from '../../core/ids.js';
import { invariant } from '../../core/invariant.js';
import { STAND_IN_BYTES_MAX } from '../../core/limits.js';
import { mergeRecords, sameRecord } from '../../core/record.js';
import type { Hold, StoreResult } from '../../protocol/leaderless-messages.js';
import type { PeerMessage } from '../../protocol/messages.js';
import { checkRecord, decodeCheckedRecord, encodeRecord } from '../../protocol/record-codec.js';
import type { Effects, Replica, ReplicaEvent, ReplicaSetup, ReplicaStatus, Turn } from '../strategy.js';
import { leaderlessNamespace } from './group-members.js';
import { HANDOFF, HintedHandoff, NO_BYTES } from './hinted-handoff.js';
import { isKey, usableRecord } from './local-records.js';
import { sameBytes } from './same-bytes.js';
import { PeerCalls } from './peer-calls.js';
import { SWEEP_MS } from './tuning.js';

const SWEEP = 'sweep';

export class StandInReplica implements Replica {
  readonly #setup: ReplicaSetup;
  readonly #namespace: LeaderlessNamespace;
  readonly #homes: readonly NodeId[];
  /** Whether the map names this node; else it only delivers what an earlier map had it take. */
  readonly #takes: boolean;
  readonly #calls: PeerCalls;
  readonly #hints: HintedHandoff;
  #sweeping = false;

  static open(setup: ReplicaSetup, turn: Turn, effects: Effects): StandInReplica {
    const replica = new StandInReplica(setup, turn);
    replica.#hints.open(effects);
    return replica;
  }

  private constructor(setup: ReplicaSetup, turn: Turn) {
    const { map, namespaceIndex, partition, self } = setup;
    const namespace = leaderlessNamespace(setup);
    this.#setup = setup;
    this.#namespace = namespace;
    this.#homes = replicasOf(map, namespaceIndex, partition);
    invariant(!this.#homes.includes(self), 'a stand-in is opened where there is no replica');
    this.#takes = namespace.sloppy && standInsOf(map, namespaceIndex, partition).includes(self);
    this.#calls = new PeerCalls(turn.random.integer(2 ** 31));
    this.#hints = new HintedHandoff(
      this.#homes,
      {
        prefix: 's/',
        bytesMax: STAND_IN_BYTES_MAX,
        cost: (key, record) => key.length + record.length,
        record: (home, key, turnNow, effects) => this.#held(home, key, turnNow, effects) ?? null,
      },
      this.#calls,
    );
  }

  step(event: ReplicaEvent, turn: Turn, effects: Effects): void {
    switch (event.type) {
      case 'message':
        this.#message(event.from, event.message, turn, effects);
        break;
      case 'timer':
        if (event.timer.startsWith(HANDOFF)) {
          this.#hints.begin(event.timer.slice(HANDOFF.length) as NodeId, turn, effects);
        } else {
          this.#sweeping = false;
          this.#calls.sweep(turn, effects);
        }
        break;
      case 'peer-up':
        this.#hints.begin(event.peer, turn, effects);
        break;
      case 'peer-down':
        this.#calls.peerDown(event.peer, turn, effects);
        break;
      case 'scanned':
        this.#hints.page(event.scan.slice(HANDOFF.length) as NodeId, event, turn, effects);
        break;
      case 'request':
        effects.reply(event.request, new TrefoilError('NotReplica', 'a stand-in serves no requests'));
        break;
      default:
        break;
    }
    if (this.#sweeping || this.#calls.size === 0) return;
    this.#sweeping = true;
    effects.setTimer(SWEEP, SWEEP_MS);
  }

  status(): ReplicaStatus {
    return {
      group: this.#setup.group,
      strategy: 'leaderless',
      gauges: {
        standInHints: this.#hints.size,
        standInBytes: this.#hints.bytes,
      },
    };
  }

  #message(from: NodeId, message: PeerMessage, turn: Turn, effects: Effects): void {
    switch (message.type) {
      case 'hold': {
        const status = this.#hold(from, message, turn, effects);
        if (status === 'stored') effects.count('stand_in_hints_kept');
        else effects.count('stand_in_hints_refused');
        effects.send(from, {
          type: 'store-result',
          sequence: message.sequence,
          status,
          record: null,
          wallMs: 0,
        });
        break;
      }
      case 'store-result':
        this.#calls.answered(from, message, turn, effects);
        break;
      default:
        throw new TrefoilError('BadRequest', `${this.#setup.self} only stands in for ${this.#setup.group}`);
    }
  }

  #hold(from: NodeId, hold: Hold, turn: Turn, effects: Effects): StoreResult['status'] {
    const { home, key, record } = hold;
    const { partition } = this.#setup;
    const mayTake = this.#takes && turn.writesRefused === null;
    if (!mayTake || !this.#homes.includes(from) || !this.#homes.includes(home)) return 'refused';
    if (!isKey(key) || partitionOfKey(key, this.#namespace.partitions) !== partition) return 'refused';
    const theirs = usableRecord(record);
    if (theirs === undefined) return 'refused';
    const before = turn.read(this.#hints.place(home, key));
    const held = this.#held(home, key, turn, effects);
    if (held !== undefined && sameBytes(held, record)) return 'stored';
    let joined = record;
    if (held !== undefined) {
      const merged = mergeRecords(theirs, decodeCheckedRecord(held));
      joined = sameRecord(merged, theirs) ? record : encodeRecord(merged);
      if (sameBytes(held, joined)) return 'stored';
    }
    const replaced = before === 'damaged' ? NO_BYTES : before;
    return this.#hints.hold(home, key, joined, replaced, turn, effects) ? 'stored' : 'refused';
  }

  /** What is held for a home; undefined also where that is damaged: it cannot be delivered, and the other W - 1 disks remain. */
  #held(home: NodeId, key: string, turn: Turn, effects: Effects): Uint8Array | undefined {
    const stored = turn.read(this.#hints.place(home, key));
    if (stored === undefined || (stored !== 'damaged' && checkRecord(stored))) return stored;
    effects.count('stand_in_hints_damaged');
    effects.log('error', 'a record held for a replica is damaged', { group: this.#setup.group, home, key });
    return undefined;
  }
}

/**
 * The coordinator's part in a sloppy quorum: asks stand-ins to keep the record of one write for home replicas that lack it,
 * as many as W is short of and no more. While W home replicas can be reached, no stand-in is asked, and the quorum is strict.
 *
 * Each stand-in is asked once for a write, and each home has one stand-in at a time: W acknowledgements are W disks.
 */
import type { NodeId } from '../../core/ids.js';
import type { Effects, Turn, WriteMark } from '../strategy.js';
import type { GroupMembers } from './group-members.js';
import type { PeerCalls } from './peer-calls.js';
import { STORE_ANSWER_MS_MAX } from './tuning.js';
import type { WriteTally } from './write-tally.js';

export class StandIns {
  readonly #members: GroupMembers;
  readonly #calls: PeerCalls;
  readonly #tally: WriteTally;
  readonly #key: string;
  readonly #record: Uint8Array;
  readonly #mark: WriteMark;
  readonly #onAnswer: (turn: Turn, effects: Effects) => void;
  /** The homes for which some stand-in keeps the record, or has been asked to. */
  readonly #keptFor = new Set<NodeId>();

  constructor(
    members: GroupMembers,
    calls: PeerCalls,
    write: {
      readonly tally: WriteTally;
      readonly key: string;
      readonly record: Uint8Array;
      /** Of the coordinator's own copy. */
      readonly mark: WriteMark;
    },
    onAnswer: (turn: Turn, effects: Effects) => void,
  ) {
    this.#members = members;
    this.#calls = calls;
    this.#tally = write.tally;
    this.#key = write.key;
    this.#record = write.record;
    this.#mark = write.mark;
    this.#onAnswer = onAnswer;
  }

  /** Asks for what the tally is short of, as far as there are stand-ins. */
  ask(turn: Turn, effects: Effects): void {
    while (this.#tally.shortfall > 0) {
      const home = this.#tally.missed.find((replica) => !this.#keptFor.has(replica));
      const standIn = this.#members.standIns.find(
        (node) => turn.reachable(node) && !this.#tally.hasStandIn(node),
      );
      if (home === undefined || standIn === undefined) return;
      this.#askOne(home, standIn, turn, effects);
    }
  }

  #askOne(home: NodeId, standIn: NodeId, turn: Turn, effects: Effects): void {
    this.#keptFor.add(home);
    this.#tally.addStandIn(standIn);
    effects.count('stand_ins_asked');
    effects.waitFor(this.#mark);
    const held = { home, key: this.#key, record: this.#record };
    const deadlineMs = turn.monotonicMs + STORE_ANSWER_MS_MAX;
    this.#calls.hold(effects, standIn, held, deadlineMs, (answer, turnNow, effectsNow) => {
      const kept = answer?.status === 'stored';
      this.#tally.answer(standIn, kept ? 'held' : 'unreachable');
      if (!kept) this.#keptFor.delete(home);
      this.#onAnswer(turnNow, effectsNow);
    });
  }
}

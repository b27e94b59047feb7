/** What a leader looks after from time to time: who should lead, and values whose time has come. */
import type { NodeId } from '../../core/ids.js';
import { hlcWallMs } from '../../core/hlc.js';
import { SCAN_PAGE_ENTRIES_MAX } from '../../core/limits.js';
import type { Command } from '../../protocol/log-codec.js';
import type { Effects, Turn } from '../strategy.js';
import type { GroupFacts } from './group-facts.js';
import type { Scanned } from './opening.js';
import type { Raft } from './raft/raft.js';
import { dataPrefix, findDue, type StateMachine } from './state-machine.js';
import {
  BALANCE_MS,
  EXPIRE_KEYS_MAX,
  EXPIRE_MS,
  HANDOVER_ENTRIES_MAX,
  HANDOVERS_DOUBLED_MAX,
} from './tuning.js';

export const BALANCE = 'balance';
export const EXPIRE = 'expire';

export class Upkeep {
  readonly #facts: GroupFacts;
  /** The generation that a search for due values goes through. */
  #searched: number | undefined;
  /** Whether a page of it is under way. Another one only begins when it has come to its end, however long that takes. */
  #searching = false;
  /** Whether the present search has moved the group's clock. */
  #ticked = false;
  /** Whether the latest search has met values that will be due. */
  #expiring = false;
  /** Where the log ended when it was last looked at. */
  #lastIndex = 0;
  /** How often this leadership was to be handed over; each time takes no writes for a while. */
  #handovers = 0;

  constructor(facts: GroupFacts) {
    this.#facts = facts;
  }

  /** This replica has become the leader. */
  begin(turn: Turn, effects: Effects): void {
    this.#handovers = 0;
    this.#lastIndex = 0;
    effects.setTimer(EXPIRE, EXPIRE_MS);
    if (this.#facts.peers.length > 0) effects.setTimer(BALANCE, BALANCE_MS + turn.random.integer(BALANCE_MS));
  }

  end(effects: Effects): void {
    this.#searched = undefined;
    this.#searching = false;
    effects.cancelTimer(EXPIRE);
    effects.cancelTimer(BALANCE);
  }

  /**
   * Hands the group to the preferred leader, or to anyone else while this node's disk takes no writes or has not taken since the last time what
   * was in the log by then. Returns to whom.
   */
  balance(raft: Raft, turn: Turn, effects: Effects): NodeId | undefined {
    const { self, replicas } = this.#facts;
    const [preferred] = replicas;
    const stalled = raft.log.stable < this.#lastIndex;
    this.#lastIndex = raft.log.last.index;
    const unfit = stalled || turn.writesRefused !== null;
    if (preferred === self && !unfit) {
      // Nothing to look after but the disk.
      effects.setTimer(BALANCE, BALANCE_MS * 5);
      return undefined;
    }
    effects.setTimer(BALANCE, BALANCE_MS);
    const others = replicas.filter((id) => id !== self);
    // The one that was asked last may be full as well.
    const first = this.#handovers % others.length;
    const candidates = unfit ? [...others.slice(first), ...others.slice(0, first)] : replicas.slice(0, 1);
    for (const node of candidates) {
      const follower = raft.leadership?.follower(node);
      if (follower?.counts !== true || !turn.reachable(node)) continue;
      if (raft.log.last.index - follower.match > HANDOVER_ENTRIES_MAX) continue;
      if (!raft.transfer(node, turn.monotonicMs)) continue;
      // One that does not take it this time, since its disk is full perhaps, is asked more and more rarely.
      effects.setTimer(BALANCE, BALANCE_MS * 2 ** Math.min(++this.#handovers, HANDOVERS_DOUBLED_MAX));
      return node;
    }
    return undefined;
  }

  /** Begins a search for values whose time has come. */
  search(state: StateMachine, seenExpiring: boolean, effects: Effects): void {
    effects.setTimer(EXPIRE, EXPIRE_MS);
    if (this.#searching) return;
    // The first search tells whether there are any from before.
    if (this.#searched !== undefined && !seenExpiring && !this.#expiring && this.#facts.namespace.ttlMs === 0)
      return;
    this.#searched = state.generation;
    this.#searching = true;
    this.#ticked = false;
    this.#expiring = false;
    const prefix = dataPrefix(state.generation);
    effects.scan(EXPIRE, { gte: prefix, lt: afterSlash(prefix) }, SCAN_PAGE_ENTRIES_MAX);
  }

  /**
   * A page of the search: the entries that take away what is due by the group's clock. In a group that nobody writes to that stands still: where
   * a value is due by this node's own, an entry moves it.
   */
  scanned(event: Scanned, state: StateMachine, turn: Turn, effects: Effects): Command[] {
    this.#searching = false;
    if (this.#searched !== state.generation || event.damaged) return [];
    this.#expiring ||= findDue(state.generation, event.entries, Infinity).length > 0;
    const due = findDue(state.generation, event.entries, hlcWallMs(state.clock));
    const commands: Command[] = [];
    if (!this.#ticked && findDue(state.generation, event.entries, turn.wallMs).length > due.length) {
      this.#ticked = true;
      commands.push({ type: 'tick' });
    }
    for (let at = 0; at < due.length; at += EXPIRE_KEYS_MAX)
      commands.push({ type: 'expire', keys: due.slice(at, at + EXPIRE_KEYS_MAX) });
    const [last] = event.entries.at(-1) ?? [];
    if (event.more && last !== undefined) {
      this.#searching = true;
      const lt = afterSlash(dataPrefix(state.generation));
      effects.scan(EXPIRE, { gt: last, lt }, SCAN_PAGE_ENTRIES_MAX);
    }
    return commands;
  }
}

/** The end of the keys with a prefix that ends in a slash: `0` follows it. */
function afterSlash(prefix: string): string {
  return `${prefix.slice(0, -1)}0`;
}

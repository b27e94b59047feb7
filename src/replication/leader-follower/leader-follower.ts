/**
 * Leader-follower replication: one Raft group for each partition. `SPEC.md` beside this file numbers the invariants and names the tests
 * that hold them; docs/adr/0017 has what the papers leave open.
 *
 *     opening ──its memory is read──> open
 *        ^  └──it is damaged, or another store's──┐  └──it proves damaged──┐
 *        └──────somebody leads the group────── distrusting <───────────────┘
 *
 * A replica that cannot rely on what is stored takes no part. It empties its store, to be refilled, only when a leader is heard: before that
 * it may be the last copy that there is, for a person to save.
 *
 * This file knows only which of the three it is. Reading order: `raft/raft.ts`, `raft/leadership.ts`, then `open-group.ts` and what it is made
 * of: `durable-log.ts`, `applier.ts`, `state-machine.ts`, `writes.ts`, `reads.ts`, `snapshot-sender.ts`, `joining.ts`.
 */
import { TrefoilError } from '../../core/errors.js';
import { encodeHardState, type StoredHardState } from '../../protocol/hard-state-codec.js';
import type {
  AppendEntries,
  AppendEntriesResult,
  InstallSnapshot,
} from '../../protocol/leader-follower-messages.js';
import type { PeerMessage } from '../../protocol/messages.js';
import type {
  Effects,
  Replica,
  ReplicaEvent,
  ReplicaSetup,
  ReplicaStatus,
  StrategyDefinition,
  Turn,
  WriteMark,
} from '../strategy.js';
import { groupFacts, type GroupFacts } from './group-facts.js';
import { OpenGroup } from './open-group.js';
import { joinAnswer } from './joining.js';
import {
  COPIED_STORE,
  endedLife,
  HARD_STATE_KEY,
  NO_STORE,
  Opening,
  OPENING,
  startingState,
  type Opened,
} from './opening.js';

/** Asks to be heard by whoever leads, while what is stored cannot be relied on. */
const CALL = 'call';
const CALL_MS = 1_000;

/** Between two attempts to empty a store that cannot be read. */
const EMPTY_AGAIN_MS = 60_000;

export const leaderFollower: StrategyDefinition = {
  name: 'leader-follower',
  open(setup, turn, effects) {
    const replica = new LeaderFollowerReplica(setup);
    replica.open(turn, effects);
    return replica;
  },
};

class LeaderFollowerReplica implements Replica {
  readonly #facts: GroupFacts;
  #opening: Opening | undefined;
  #group: OpenGroup | undefined;
  /** When a store that could not be read may be tried again. */
  #emptiesAfterMs = -Infinity;
  /** The hard state of a replica that does not rely on what else is stored, and the write of it. */
  #distrusting: { readonly hard: StoredHardState; readonly put: WriteMark } | undefined;

  constructor(setup: ReplicaSetup) {
    this.#facts = groupFacts(setup);
  }

  open(turn: Turn, effects: Effects): void {
    // Read-only after a failure of the storage: nothing is promised until the replica is opened anew.
    if (turn.writesRefused === 'NodeReadOnly') return this.#resign(effects);
    const { hard, trusted, changed, copied } = startingState(this.#facts, turn);
    if (!trusted) return this.#distrust(hard, copied ? COPIED_STORE : NO_STORE, effects);
    this.#opening = new Opening(hard, { wipe: false, alone: this.#facts.peers.length === 0 });
    this.#opened(this.#opening.begin(changed, turn, effects), turn, effects);
  }

  step(event: ReplicaEvent, turn: Turn, effects: Effects): void {
    if (turn.writesRefused === 'NodeReadOnly') return this.#refuse(event, 'NodeReadOnly', effects);
    if (event.type === 'scanned' && event.scan.startsWith(OPENING)) {
      const opening = this.#opening;
      if (opening !== undefined) this.#opened(opening.scanned(event, turn, effects), turn, effects);
    } else if (this.#distrusting !== undefined) {
      this.#whileDistrusting(this.#distrusting, event, turn, effects);
    } else if (this.#group !== undefined) {
      this.#group.step(event, turn, effects);
      const { damage, durable } = this.#group;
      if (damage !== null) this.#endLife(damage, durable.hard, turn, effects);
    } else {
      this.#refuse(event, 'NoLeader', effects);
    }
  }

  status(): ReplicaStatus {
    const gauges = this.#group?.gauges() ?? { refilling: 1 };
    return { group: this.#facts.group, strategy: 'leader-follower', gauges };
  }

  /** It leads no more, if it did: a group that is quiet would not notice, since the node lives. */
  #resign(effects: Effects): void {
    for (const peer of this.#facts.peers) effects.sendEarly(peer, { type: 'wake', term: 0 });
  }

  #refuse(event: ReplicaEvent, code: 'NodeReadOnly' | 'NoLeader', effects: Effects): void {
    if (event.type !== 'request') return;
    const { self, group } = this.#facts;
    const why =
      code === 'NodeReadOnly'
        ? 'has a store that failed'
        : this.#distrusting === undefined
          ? `is still reading its log of ${group}`
          : `cannot rely on what it has stored of ${group}, and waits for a leader to refill it`;
    effects.replyEarly(event.request, new TrefoilError(code, `node ${self} ${why}`));
  }

  #opened(opened: Opened | 'opening' | 'damaged', turn: Turn, effects: Effects): void {
    if (opened === 'opening' || this.#opening === undefined) return;
    const { hard, wiping } = this.#opening;
    this.#opening = undefined;
    if (opened === 'damaged' && wiping) this.#cannotEmpty(hard, turn, effects);
    else if (opened === 'damaged') this.#endLife('what is stored of it', hard, turn, effects);
    else this.#group = new OpenGroup(this.#facts, opened, turn, effects);
  }

  #endLife(damage: string, hard: StoredHardState, turn: Turn, effects: Effects): void {
    const { self, group } = this.#facts;
    effects.count('lives_ended');
    effects.log('error', 'a replica has found its memory damaged; it waits to be refilled', {
      group,
      damage,
    });
    this.#group?.abandon(new TrefoilError('RecordCorrupt', `${damage} at node ${self} is damaged`), effects);
    this.#group = undefined;
    this.#distrust(endedLife(this.#facts, turn, hard), NO_STORE, effects);
  }

  /** What cannot be read cannot be emptied either. Whoever leads is heard all the time: a life for each attempt would do nothing but write. */
  #cannotEmpty(hard: StoredHardState, turn: Turn, effects: Effects): void {
    this.#emptiesAfterMs = turn.monotonicMs + EMPTY_AGAIN_MS;
    effects.log(
      'error',
      'a replica cannot read its store to empty it; replace the disk, or the data folder',
      {
        group: this.#facts.group,
      },
    );
    this.#distrust(hard, NO_STORE, effects);
  }

  /** `store`: no store's name, so that whoever opens this one trusts it no more than this replica does, until it is empty. */
  #distrust(hard: StoredHardState, store: typeof NO_STORE | typeof COPIED_STORE, effects: Effects): void {
    effects.put(HARD_STATE_KEY, encodeHardState({ ...hard, store }));
    this.#distrusting = { hard, put: effects.mark() };
    effects.setTimer(CALL, CALL_MS);
  }

  #whileDistrusting(
    { hard, put }: { readonly hard: StoredHardState; readonly put: WriteMark },
    event: ReplicaEvent,
    turn: Turn,
    effects: Effects,
  ): void {
    if (event.type === 'timer' && event.timer === CALL) {
      effects.setTimer(CALL, CALL_MS);
      for (const peer of this.#facts.peers)
        if (turn.reachable(peer)) effects.send(peer, { type: 'wake', term: hard.term });
    } else if (event.type === 'message' && event.message.type === 'join-query') {
      effects.waitFor(put);
      effects.send(event.from, joinAnswer(hard, event.message, { last: 0, commit: 0 }));
    } else if (event.type === 'message' && isOfLeader(event.message) && event.message.term < hard.term) {
      // It would go on leading in a term that this replica may not follow in, and never refill it.
      effects.waitFor(put);
      effects.send(event.from, outranking(hard));
    } else if (
      event.type === 'message' &&
      isOfLeader(event.message) &&
      turn.monotonicMs >= this.#emptiesAfterMs
    ) {
      this.#distrusting = undefined;
      effects.cancelTimer(CALL);
      // Before the first of it goes.
      effects.put(HARD_STATE_KEY, encodeHardState({ ...hard, store: NO_STORE }));
      this.#opening = new Opening(hard, { wipe: true, alone: false });
      this.#opened(this.#opening.begin(false, turn, effects), turn, effects);
    } else {
      this.#refuse(event, 'NoLeader', effects);
    }
  }
}

function isOfLeader(message: PeerMessage): message is AppendEntries | InstallSnapshot {
  return message.type === 'append-entries' || message.type === 'install-snapshot';
}

/** Tells a leader that there is a later term. */
function outranking({ term, life }: StoredHardState): AppendEntriesResult {
  const nothing = { round: 0, index: 0, hintIndex: 0, hintTerm: 0 };
  return { type: 'append-entries-result', term, life, joining: true, status: 'rejected', ...nothing };
}

/**
 * Leader-follower replication: one Raft group for each partition. `SPEC.md` beside this file numbers the invariants and names the tests
 * that hold them; docs/adr/0017 has what the papers leave open.
 *
 *     opening ──its memory is read──> open ──its memory proves damaged──> opening, in a new life
 *
 * This file knows only which of the two it is. Reading order: `raft/raft.ts`, `raft/leadership.ts`, then `open-group.ts` and what it is made
 * of: `durable-log.ts`, `applier.ts`, `state-machine.ts`, `writes.ts`, `reads.ts`, `snapshot-sender.ts`, `joining.ts`.
 */
import { TrefoilError } from '../../core/errors.js';
import type {
  Effects,
  Replica,
  ReplicaEvent,
  ReplicaSetup,
  ReplicaStatus,
  StrategyDefinition,
  Turn,
} from '../strategy.js';
import { groupFacts, type GroupFacts } from './group-facts.js';
import { OpenGroup } from './open-group.js';
import { endedLife, Opening, OPENING, startingState, type Opened } from './opening.js';

/** Begins to read what is there once more, after it could not be read. */
const REOPEN = 'reopen';
const REOPEN_MS = 1_000;

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
  readonly #electionMs: number | undefined;
  #opening: Opening | undefined;
  #group: OpenGroup | undefined;

  constructor(setup: ReplicaSetup) {
    this.#facts = groupFacts(setup);
    this.#electionMs = setup.pace?.electionMs;
  }

  open(turn: Turn, effects: Effects): void {
    // Read-only after a failure of the storage: nothing is promised until the replica is opened anew.
    if (turn.writesRefused === 'NodeReadOnly') return this.#resign(effects);
    const { hard, wipe, changed } = startingState(this.#facts, turn);
    this.#opening = new Opening(hard, wipe);
    this.#opened(this.#opening.begin(changed, turn, effects), turn, effects);
  }

  step(event: ReplicaEvent, turn: Turn, effects: Effects): void {
    if (turn.writesRefused === 'NodeReadOnly') return this.#refuse(event, 'NodeReadOnly', effects);
    if (event.type === 'scanned' && event.scan.startsWith(OPENING)) {
      const opening = this.#opening;
      if (opening !== undefined) this.#opened(opening.scanned(event, turn, effects), turn, effects);
    } else if (event.type === 'timer' && event.timer === REOPEN) {
      this.#beginAnew(turn, effects);
    } else if (this.#group !== undefined) {
      this.#group.step(event, turn, effects);
      if (this.#group.damage !== null) this.#endLife(this.#group.damage, turn, effects);
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
    const why = code === 'NoLeader' ? `is still reading its log of ${group}` : 'has a store that failed';
    effects.replyEarly(event.request, new TrefoilError(code, `node ${self} ${why}`));
  }

  #opened(opened: Opened | 'opening' | 'damaged', turn: Turn, effects: Effects): void {
    if (opened === 'opening') return;
    if (opened === 'damaged') {
      effects.count('lives_ended');
      effects.log('error', 'what is stored of a group is damaged; it will be refilled', {
        group: this.#facts.group,
      });
      effects.setTimer(REOPEN, REOPEN_MS);
      return;
    }
    this.#opening = undefined;
    this.#group = new OpenGroup(this.#facts, opened, this.#electionMs, turn, effects);
  }

  /** Whatever was read so far is not relied on: a new life, from an empty store. */
  #beginAnew(turn: Turn, effects: Effects): void {
    if (this.#opening === undefined) return;
    const hard = endedLife(this.#facts, turn, this.#opening.hard);
    this.#opening = new Opening(hard, true);
    this.#opened(this.#opening.begin(true, turn, effects), turn, effects);
  }

  #endLife(damage: string, turn: Turn, effects: Effects): void {
    const group = this.#group as OpenGroup;
    this.#group = undefined;
    effects.count('lives_ended');
    effects.log('error', 'a replica has found its memory damaged; it will be refilled', {
      group: this.#facts.group,
      damage,
    });
    group.abandon(
      new TrefoilError('RecordCorrupt', `${damage} at node ${this.#facts.self} is damaged`),
      effects,
    );
    this.#opening = new Opening(endedLife(this.#facts, turn, group.durable.hard), true);
    this.#opened(this.#opening.begin(true, turn, effects), turn, effects);
  }
}

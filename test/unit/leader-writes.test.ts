/** How many writes a leader takes at once, and how many that it has answered before they are applied. */
import { expect, it } from 'vitest';
import { groupId, namespaceName } from '../../src/core/ids.js';
import { PROPOSALS_MAX, PROPOSED_BYTES_MAX, UNAPPLIED_WRITES_MAX } from '../../src/core/limits.js';
import type { PutOperation } from '../../src/protocol/messages.js';
import type { GroupFacts } from '../../src/replication/leader-follower/group-facts.js';
import type { Leadership } from '../../src/replication/leader-follower/raft/leadership.js';
import type { StateMachine } from '../../src/replication/leader-follower/state-machine.js';
import { Writes } from '../../src/replication/leader-follower/writes.js';
import type { Effects, Turn } from '../../src/replication/strategy.js';

const FACTS = {
  self: 'n1',
  group: groupId(namespaceName('test'), 0),
  replicas: ['n1', 'n2', 'n3'],
  peers: ['n2', 'n3'],
  namespace: { ack: 'quorum', partitions: 1, minReplicas: 2, ttlMs: 0 },
} as unknown as GroupFacts;
const TURN = { reachable: () => true } as unknown as Turn;
const LEADERSHIP = { voters: { holders: () => 1 } } as unknown as Leadership;
const STATE = { willTake: () => true } as unknown as StateMachine;

class Leader {
  readonly writes = new Writes(FACTS);
  answered = 0;
  #last = 0;
  readonly #effects = { replyEarly: () => this.answered++ } as unknown as Effects;

  put(write: 'leader' | 'quorum', bytes = 1, unwritten = 0): void {
    const operation = {
      type: 'put',
      key: 'k',
      value: new Uint8Array(bytes),
      context: null,
      ifVersion: null,
      write,
      ttlMs: 0,
      operation: { session: '1', sequence: 1 },
      lowestOpen: 1,
      attempt: 0,
    } as unknown as PutOperation;
    this.writes.begin({ request: 1, deadlineMs: 1_000, explain: false }, operation, unwritten, TURN);
  }

  /** Puts what is queued in the log and on the leader's own disk. */
  log(): void {
    this.#last += this.writes.take(this.#last + 1, 1, () => 1, []).length;
    this.writes.advance(LEADERSHIP, this.#last, STATE, this.#effects);
  }

  apply(index: number): void {
    this.writes.applied(index, { type: 'ok', version: index }, LEADERSHIP, this.#effects);
  }
}

const overloaded = expect.objectContaining({ code: 'Overloaded' }) as Error;

it('takes as many writes as may be open, and more when they are answered', () => {
  const leader = new Leader();
  for (let i = 0; i < PROPOSALS_MAX; i++) leader.put('quorum');
  expect(() => leader.put('quorum')).toThrow(overloaded);
  leader.log();
  expect(() => leader.put('quorum')).toThrow(overloaded);
  leader.apply(1);
  leader.put('quorum');
  expect(leader.answered).toBe(1);
});

it('takes as many bytes as may be open, and tells how many are', () => {
  const leader = new Leader();
  leader.put('quorum', PROPOSED_BYTES_MAX / 2);
  leader.put('quorum', PROPOSED_BYTES_MAX / 2 - 1_000);
  expect(() => leader.put('quorum', 1_000)).toThrow(overloaded);
  leader.log();
  leader.apply(2);
  leader.put('quorum', 1_000);
  expect(leader.writes.bytes).toBeGreaterThan(PROPOSED_BYTES_MAX / 2 + 1_000);
  leader.log();
  leader.apply(1);
  leader.apply(3);
  expect(leader.writes.bytes).toBe(0);
});

it('answers `ack: leader` before it is applied, up to as many as the log may hold unapplied', () => {
  const leader = new Leader();
  for (let i = 0; i < UNAPPLIED_WRITES_MAX; i++) {
    leader.put('leader');
    if (i % 1_000 === 0) leader.log();
  }
  leader.log();
  expect(leader.answered).toBe(UNAPPLIED_WRITES_MAX);
  expect(leader.writes.size).toBe(0);
  expect(() => leader.put('leader')).toThrow(overloaded);
  leader.apply(1);
  leader.put('leader');
  expect(() => {
    leader.log();
    leader.put('quorum');
  }).toThrow(overloaded);
});

it('takes no more than its own disk can be behind, whatever the others have', () => {
  const leader = new Leader();
  leader.put('quorum', 1_000, PROPOSED_BYTES_MAX - 2_000);
  expect(() => leader.put('quorum', 1_000, PROPOSED_BYTES_MAX - 500)).toThrow(overloaded);
});

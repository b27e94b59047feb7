/** A session's bound is met by what a replica had absorbed only in the life that answers. */
import { describe, expect, it } from 'vitest';
import { TrefoilError } from '../../src/core/errors.js';
import { groupId, incarnationId, namespaceName, nodeId } from '../../src/core/ids.js';
import { encodeContext } from '../../src/protocol/context-codec.js';
import type { FetchResult, LeaderlessMessage } from '../../src/protocol/leaderless-messages.js';
import { Floor } from '../../src/replication/leaderless/floor.js';
import type { GroupMembers } from '../../src/replication/leaderless/group-members.js';
import { LocalRecords } from '../../src/replication/leaderless/local-records.js';
import { PeerCalls } from '../../src/replication/leaderless/peer-calls.js';
import { ReadCoordinator } from '../../src/replication/leaderless/read-coordinator.js';
import type { RecordRepair } from '../../src/replication/leaderless/record-repair.js';
import type { Effects, Turn } from '../../src/replication/strategy.js';
import { testMap } from '../support/scripted-node.js';

const [SELF, PEER] = [nodeId('n1'), nodeId('n2')];
const SEEN = incarnationId('n2.x');

/** Reads a key that n2 told to have absorbed in life `told`, and that it does not hold when it answers in life `answering`. */
function readWith(told: string, answering: string): unknown {
  const namespace = testMap(2).namespaces[0];
  if (namespace?.strategy !== 'leaderless') throw new Error('the map has a leaderless namespace');
  const members: GroupMembers = {
    group: groupId(namespaceName('photos'), 0),
    self: SELF,
    partition: 0,
    namespace: { ...namespace, read: 2 },
    replicas: [SELF, PEER],
    peers: [PEER],
    standIns: [],
  };
  const replies: unknown[] = [];
  const sent: LeaderlessMessage[] = [];
  const turn = {
    monotonicMs: 1_000,
    wallMs: 1_000,
    random: { text: () => 'life-of-n1', integer: () => 1 },
    read: () => undefined,
    reachable: () => true,
    mayMint: () => true,
    lastMinted: () => ({ incarnation: incarnationId('n1.x'), counter: 0 }),
  } as unknown as Turn;
  const effects = {
    put: () => undefined,
    count: () => undefined,
    log: () => undefined,
    mark: () => 0,
    waitFor: () => undefined,
    send: (_to: string, message: LeaderlessMessage) => sent.push(message),
    reply: (_request: number, result: unknown) => replies.push(result),
  } as unknown as Effects;
  const floor = new Floor(members, 'store', 1_000);
  floor.open(turn, effects);
  const greeting = {
    type: 'compare-root',
    root: new Uint8Array(8),
    life: told,
    stamp: new Uint8Array(8),
    heardLife: floor.life,
    heardStamp: new Uint8Array(8),
    refilling: false,
    remembers: false,
    absorbed: [[SEEN, 5]],
  } as const;
  const terms = floor.hear(PEER, { ...greeting, absorbed: [] }, turn, effects);
  if (terms !== undefined) floor.completed(PEER, terms, turn, effects);
  floor.hear(PEER, greeting, turn, effects);
  const calls = new PeerCalls(1);
  const reads = new ReadCoordinator(members, new LocalRecords(floor), calls, {} as RecordRepair, floor);
  const atLeast = encodeContext('k', { vector: [[SEEN, 5]], dots: [], hlc: 0 });
  reads.begin(
    {
      type: 'request',
      request: 1,
      operation: { type: 'get', key: 'k', read: null, atLeast, maxStalenessMs: 0 },
      deadlineMs: 5_000,
      explain: false,
    },
    turn,
    effects,
  );
  for (const message of sent) {
    if (message.type !== 'fetch') continue;
    const { sequence } = message;
    const answer: FetchResult = {
      type: 'fetch-result',
      sequence,
      status: 'absent',
      record: null,
      life: answering,
    };
    calls.answered(PEER, answer, turn, effects);
  }
  expect(replies).toHaveLength(1);
  return replies[0];
}

describe("a session's bound", () => {
  it('is met by a replica that absorbed and forgot what the session has seen', () => {
    expect(readWith('a', 'a')).toMatchObject({ type: 'get-result', values: [] });
  });

  it('is not met by what the replica had absorbed in a life that is over', () => {
    const reply = readWith('a', 'b');
    expect(reply).toBeInstanceOf(TrefoilError);
    expect(reply).toMatchObject({ code: 'SessionNotSatisfied' });
  });
});

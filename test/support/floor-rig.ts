/** A floor without a node around it. */
import { groupId, incarnationId, namespaceName, type NodeId } from '../../src/core/ids.js';
import type { LeaderlessMessage } from '../../src/protocol/leaderless-messages.js';
import { Floor } from '../../src/replication/leaderless/floor.js';
import type { GroupMembers } from '../../src/replication/leaderless/group-members.js';
import type { Effects, Turn } from '../../src/replication/strategy.js';
import { testMap } from './scripted-node.js';

/** The floor of one replica among its peers, and a step of it; `minted` is how many dots it has given. */
export function floorRig(self: NodeId, peers: readonly NodeId[], sloppy = false) {
  const entry = testMap(2).namespaces[0];
  if (entry?.strategy !== 'leaderless') throw new Error('the map has a leaderless namespace');
  const namespace = { ...entry, replicas: 1 + peers.length, sloppy };
  const group = groupId(namespaceName('photos'), 0);
  const replicas = [self, ...peers];
  const members: GroupMembers = {
    group,
    self,
    partition: 0,
    namespace,
    replicas,
    peers,
    standIns: [],
  };
  const state = { minted: 0, nowMs: 1_000, away: new Array<NodeId>() };
  const sent: LeaderlessMessage[] = [];
  const own = incarnationId(`${self}.x`);
  const turn = {
    get monotonicMs() {
      return state.nowMs;
    },
    wallMs: 1_000,
    random: { text: () => `life-of-${self}` },
    writesRefused: null,
    read: () => undefined,
    reachable: (peer: NodeId) => !state.away.includes(peer),
    written: () => true,
    mayMint: (incarnation: string) => incarnation === own,
    lastMinted: () => ({ incarnation: own, counter: state.minted }),
  } as unknown as Turn;
  const effects = {
    put: () => undefined,
    mark: () => 0,
    count: () => undefined,
    log: () => undefined,
    setTimer: () => undefined,
    send: (_to: NodeId, message: LeaderlessMessage) => sent.push(message),
  } as unknown as Effects;
  const floor = new Floor(members, 'store', 1_000);
  floor.open(turn, effects);
  return { floor, turn, effects, state, sent, own };
}

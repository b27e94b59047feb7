/**
 * A random life of a group of Raft cores, from a seed: cuts, loss, duplicates, messages that overtake each other, crashes, disks that stall or
 * are lost by a minority, transfers, compactions, proposals and rounds; and then peace, in which the group must recover.
 */
import type { NodeId } from '../../src/core/ids.js';
import { SeededRandom } from '../../src/simulation/random.js';
import { RaftCluster } from './raft-cluster.js';
import type { Replica } from './raft-replica.js';

export interface Schedule {
  readonly voters: number;
  readonly seed: number;
  readonly traced?: boolean;
  readonly kind: keyof typeof KINDS;
}

const ELECTION_MS = 100;
/** Peace must bring a leader, everything committed, and everyone back in this time. */
const RECOVERY_MS = 20 * ELECTION_MS;
/** How long a message may take. */
const STRAGGLER_MS = 400;

/** Runs a schedule to its end. Throws what the checker says, with the schedule and where it ended. */
export function runSchedule(schedule: Schedule): RaftCluster {
  const cluster = clusterOf(schedule);
  try {
    storm(cluster, new SeededRandom(`storm/${schedule.voters}/${schedule.seed}`), KINDS[schedule.kind]);
    peace(cluster);
  } catch (cause) {
    const { voters, seed, kind } = schedule;
    const lines = [
      `schedule { voters: ${voters}, seed: ${seed}, kind: ${kind} }`,
      ...cluster.trace,
      standings(cluster),
    ];
    throw new RangeError(`${(cause as Error).message}\n${lines.join('\n')}`, { cause });
  }
  return cluster;
}

const pick = <T>(random: SeededRandom, from: readonly T[]): T => from[random.integer(from.length)] as T;

/** Mostly short, sometimes very long. */
function tailed(random: SeededRandom, typical: number, longest: number): number {
  return random.float() < 0.9 ? random.float() * typical : random.float() * longest;
}

function clusterOf({ voters, seed, kind, traced = false }: Schedule): RaftCluster {
  const random = new SeededRandom(`schedule/${voters}/${seed}`);
  const [typicalMs, longestMs] = pick(random, [
    [1, 1],
    [10, 10],
    [5, 150],
    [20, STRAGGLER_MS],
  ] as const);
  const [diskMs, diskLongestMs] = pick(random, [
    [1, 1],
    [10, 30],
    [3, 300],
  ] as const);
  const loss = pick(random, [0, 0, 0.02, 0.2]);
  const twice = pick(random, [0, 0, 0.05, 0.3]);
  const fifo = typicalMs === 1;
  const cluster: RaftCluster = new RaftCluster({
    voters,
    learners: pick(random, [0, 0, 0, 1]),
    electionMs: ELECTION_MS,
    heartbeatMs: 20,
    clockBoundMs: pick(random, [0, 0, 10]),
    // So little that what a follower lacks comes in many messages: always where leaders die in the middle of that.
    appendBytesMax: kind === 'succession' ? 1 : pick(random, [1, 10_000]),
    seed: random.integer(2 ** 32),
    latencyMs: (r) => (fifo || calmed(cluster) ? 1 : tailed(r, typicalMs, longestMs)),
    copies: (r) => {
      if (calmed(cluster)) return 1;
      return r.float() < loss ? 0 : r.float() < twice ? 2 : 1;
    },
    diskMs: (r) => (calmed(cluster) ? 1 : tailed(r, diskMs, diskLongestMs)),
    traced,
  });
  cluster.linksLoseMessages = kind === 'succession' || random.float() < 0.5;
  return cluster;
}

function storm(cluster: RaftCluster, random: SeededRandom, strikes: typeof misfortune): void {
  const steps = 20 + random.integer(100);
  for (let step = 0; step < steps; step++) {
    cluster.run(tailed(random, 40, 400));
    strikes(cluster, random, step);
  }
}

const atPeace = new WeakSet<RaftCluster>();
const calmed = (cluster: RaftCluster): boolean => atPeace.has(cluster);

function misfortune(cluster: RaftCluster, random: SeededRandom, step: number): void {
  const id = pick(random, cluster.ids);
  const other = pick(random, cluster.ids);
  const leader = cluster.leader ?? id;
  const drawn = random.integer(100);
  if (drawn < 30) {
    const to = random.float() < 0.8 ? leader : id;
    for (let more = random.integer(3); more >= 0; more--) cluster.propose(to, `v${step}.${more}`);
  } else if (drawn < 40) cluster.askRound(random.float() < 0.7 ? leader : id);
  else if (drawn < 50) cluster.cut(id, other, { silent: random.float() < 0.5 });
  else if (drawn < 54) cluster.isolate([leader], { silent: random.float() < 0.5 });
  else if (drawn < 58) cluster.isolate([id, other], { silent: random.float() < 0.5 });
  else if (drawn < 64) cluster.healAll();
  else if (drawn < 74) cluster.crash(random.float() < 0.4 ? leader : id);
  else if (drawn < 84) restartOne(cluster, random);
  else if (drawn < 88) cluster.transfer(leader, other);
  else if (drawn < 92) cluster.compact(id);
  else if (drawn < 94) cluster.step(id, ({ log, commit }) => log.forget(Math.min(commit, log.stable), 10));
  else if (drawn < 97) cluster.hold(id);
  else cluster.release(id);
}

/** Leaders that come and go, and take entries along that nobody else has: the paper's figure 8, over and over. */
function succession(cluster: RaftCluster, random: SeededRandom, step: number): void {
  const drawn = random.float();
  if (drawn < 0.4) crashOnNews(cluster, random);
  else if (drawn < 0.6) unheard(cluster, random, `v${step}`);
  else restartOne(cluster, random, 0);
}

/** A leader dies in the moment in which it was elected or commits something, or soon after and unheard. */
function crashOnNews(cluster: RaftCluster, random: SeededRandom): void {
  const standing = (): string =>
    cluster.leader === undefined ? '' : `${cluster.leader} ${cluster.raft(cluster.leader).commit}`;
  const before = standing();
  cluster.runUntil(() => cluster.leader !== undefined && standing() !== before, 3 * ELECTION_MS);
  if (random.float() < 0.5) unheard(cluster, random, 'news');
  if (cluster.leader !== undefined) cluster.crash(cluster.leader);
}

/** What a leader takes for a while stays with it. */
function unheard(cluster: RaftCluster, random: SeededRandom, text: string): void {
  const { leader } = cluster;
  if (leader === undefined) return;
  cluster.isolate([leader], { silent: true });
  for (let more = random.integer(3); more > 0; more--) cluster.propose(leader, `${text}.${more}`);
  cluster.run(tailed(random, 10, ELECTION_MS));
  cluster.healAll();
}

const KINDS = { misfortune, succession } as const;

/** One that crashed starts, with its disk or without: as long as a minority has forgotten something at any time. */
function restartOne(cluster: RaftCluster, random: SeededRandom, lossRate = 0.5): void {
  const down = cluster.ids.map((id) => cluster.replica(id)).filter(({ raft }) => raft === undefined);
  if (down.length === 0) return;
  const chosen = pick(random, down);
  const forgetful = cluster.ids.filter((id) => id !== chosen.id && hasForgotten(cluster.replica(id)));
  const minority = Math.ceil(cluster.voters.length / 2) - 1;
  const lostDisk = random.float() < lossRate && forgetful.length < minority;
  cluster.restart(chosen.id, { lostDisk });
}

const hasForgotten = ({ disk }: Replica): boolean => disk.hard.standing === 'joining';

function peace(cluster: RaftCluster): void {
  atPeace.add(cluster);
  cluster.note('peace');
  for (const id of cluster.ids) {
    cluster.release(id);
    cluster.restart(id);
  }
  cluster.healAll();
  recovers(cluster, 'a leader', () => cluster.leader !== undefined);
  cluster.run(ELECTION_MS);
  let proposed: number | null = null;
  recovers(cluster, 'a proposal taken', () => {
    const { leader } = cluster;
    proposed ??= leader === undefined ? null : cluster.propose(leader, 'at peace');
    return proposed !== null;
  });
  const last = proposed ?? 0;
  recovers(cluster, 'everything committed everywhere', () =>
    cluster.alive.every(({ raft }) => (raft?.commit ?? 0) >= last),
  );
  recovers(cluster, 'everyone a member', () =>
    cluster.alive.every(({ raft }) => raft?.standing === 'member'),
  );
  // Messages of the storm may still come, and wake the group.
  cluster.run(STRAGGLER_MS);
  recovers(cluster, 'quiet', () => cluster.alive.every(({ raft }) => raft?.quiet === true));
  cluster.run(2 * ELECTION_MS);
  if (cluster.pending > 0) cluster.checker.fail('liveness: a quiet group still talks');
}

function recovers(cluster: RaftCluster, what: string, holds: () => boolean): void {
  if (!cluster.runUntil(holds, RECOVERY_MS)) cluster.checker.fail(`liveness: no ${what}`);
}

function standings(cluster: RaftCluster): string {
  return cluster.ids
    .map((id: NodeId) => {
      const { raft } = cluster.replica(id);
      return raft === undefined
        ? `${id} down`
        : `${id} ${raft.role} ${raft.standing} term ${raft.term} log ${raft.log.last.index}@${raft.log.last.term} stable ${raft.log.stable} commit ${raft.commit} leader ${raft.leader ?? '-'}${raft.quiet ? ' quiet' : ''}`;
    })
    .join('\n');
}

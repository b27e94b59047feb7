/**
 * A group of Raft cores on virtual time, for tests of the protocol alone: a map stands for each disk, a list of events for the network.
 *
 * It keeps the rules that the core asks of its owner. What a turn wants written is one write; writes reach the disk in order. A message that is not
 * early leaves when this turn's write and all before it are on disk; an early one waits only for hard states that are not there yet.
 * Every step is watched by a `RaftChecker`, and told in a line of the trace.
 */
import { nodeId, type NodeId } from '../../src/core/ids.js';
import type { InstallSnapshot, LeaderFollowerMessage } from '../../src/protocol/leader-follower-messages.js';
import { Raft } from '../../src/replication/leader-follower/raft/raft.js';
import type { Outgoing, Ready } from '../../src/replication/leader-follower/raft/raft-types.js';
import { RaftLog } from '../../src/replication/leader-follower/raft/raft-log.js';
import { SeededRandom } from '../../src/simulation/random.js';
import { RaftChecker } from './raft-checker.js';
import type { ClusterOptions } from './raft-cluster-options.js';
import { applyChange, emptyDisk, newReplica, type Replica } from './raft-replica.js';
import { changeText, hardText, messageText } from './raft-trace.js';
import { segmentOf, TEXT_SEGMENTS } from './text-segments.js';

type Message = LeaderFollowerMessage;

interface Event {
  readonly atMs: number;
  readonly sequence: number;
  readonly run: () => void;
}

export class RaftCluster {
  readonly options: ClusterOptions;
  readonly ids: readonly NodeId[];
  readonly voters: readonly NodeId[];
  readonly random: SeededRandom;
  readonly trace: string[] = [];
  readonly checker: RaftChecker;
  nowMs = 0;
  /** Messages of which this says true are lost. */
  loses: (from: NodeId, to: NodeId, message: Message) => boolean = () => false;
  /** Whether what is under way on a link is lost with it. */
  linksLoseMessages = true;
  readonly #replicas = new Map<NodeId, Replica>();
  readonly #cut = new Set<string>();
  /** Links that are cut without either end knowing. */
  readonly #silent = new Set<string>();
  #events: Event[] = [];
  #sequence = 0;
  #lives = 0;

  constructor(options: ClusterOptions = {}) {
    this.options = options;
    this.random = new SeededRandom(options.seed ?? 1);
    const voters = options.voters ?? 3;
    const count = voters + (options.learners ?? 0);
    this.ids = Array.from({ length: count }, (_, at) => nodeId(`n${at + 1}`));
    this.voters = this.ids.slice(0, voters);
    this.checker = new RaftChecker(this);
    for (const id of this.ids) {
      const disk = emptyDisk('member', ++this.#lives);
      const given = options.disks?.[id];
      if (given !== undefined) {
        disk.hard = { ...disk.hard, term: Math.max(given.term ?? 0, given.log.at(-1) ?? 0) };
        given.log.forEach((term, at) =>
          disk.segments.set(at + 1, segmentOf([{ index: at + 1, term, text: `${term}.${at + 1}` }])),
        );
      }
      const replica = newReplica(id, disk);
      this.#replicas.set(id, replica);
    }
    for (const id of this.ids) this.#start(this.replica(id));
  }

  // --- Looking -------------------------------------------------------------------------------------------

  replica(id: NodeId | string): Replica {
    const found = this.#replicas.get(nodeId(id));
    if (found === undefined) throw new RangeError(`no replica ${id}`);
    return found;
  }

  raft(id: NodeId | string): Raft {
    const { raft } = this.replica(id);
    if (raft === undefined) throw new RangeError(`${id} is down`);
    return raft;
  }

  get alive(): readonly Replica[] {
    return [...this.#replicas.values()].filter(({ raft }) => raft !== undefined);
  }

  /** Who leads in the highest term. */
  get leader(): NodeId | undefined {
    const leaders = this.alive.filter(({ raft }) => raft?.role === 'leader');
    return leaders.sort((a, b) => (b.raft?.term ?? 0) - (a.raft?.term ?? 0))[0]?.id;
  }

  /** The terms of a replica's log, in memory, from index 1 on; 0 for what is compacted. */
  terms(id: NodeId | string): number[] {
    const { log } = this.raft(id);
    return Array.from({ length: log.last.index }, (_, at) => log.termAt(at + 1) ?? 0);
  }

  /** How many messages are under way. */
  get pending(): number {
    return this.#events.length;
  }

  // --- Time ----------------------------------------------------------------------------------------------

  run(ms: number): void {
    const untilMs = this.nowMs + ms;
    while (this.#next(untilMs));
    this.nowMs = untilMs;
  }

  /** Runs until something holds. Returns whether it does, within that time. */
  runUntil(holds: () => boolean, ms = 5_000): boolean {
    const untilMs = this.nowMs + ms;
    while (!holds()) {
      if (this.#next(untilMs)) continue;
      this.nowMs = untilMs;
      return false;
    }
    return true;
  }

  /** Elects a leader, the first replica unless another is asked for, and waits until the whole group has its first entry. */
  elect(id: NodeId | string = 'n1'): Raft {
    let elected = false;
    for (let attempt = 0; attempt < 10 && !elected; attempt++) {
      this.campaign(id);
      elected = this.runUntil(() => this.leader === nodeId(id), 20);
    }
    if (!elected) throw new RangeError(`${id} was not elected`);
    this.runUntil(() => this.alive.every(({ raft }) => (raft?.commit ?? 0) >= this.raft(id).log.last.index));
    return this.raft(id);
  }

  /** A replica's patience ends now, as if its clock had run ahead. */
  campaign(id: NodeId | string): void {
    this.step(id, (raft) => {
      if (raft.role !== 'leader' && raft.dueMs < Infinity) raft.tick(raft.dueMs);
    });
  }

  later(ms: number, run: () => void): void {
    const event = { atMs: this.nowMs + ms, sequence: ++this.#sequence, run };
    let at = this.#events.length;
    while (at > 0 && (this.#events[at - 1] as Event).atMs > event.atMs) at--;
    this.#events.splice(at, 0, event);
  }

  #next(untilMs: number): boolean {
    const [event] = this.#events;
    let due: Replica | undefined;
    let dueMs = event?.atMs ?? Infinity;
    for (const replica of this.#replicas.values()) {
      const ms = Math.max(this.nowMs, replica.raft?.dueMs ?? Infinity);
      if (ms < dueMs) {
        due = replica;
        dueMs = ms;
      }
    }
    if (dueMs > untilMs) return false;
    this.nowMs = Math.max(this.nowMs, dueMs);
    if (due === undefined) {
      this.#events.shift();
      event?.run();
    } else {
      this.step(due.id, (raft) => raft.tick(this.nowMs));
    }
    return true;
  }

  // --- What happens to it ----------------------------------------------------------------------------------

  /** Does something to a core, and then all that it asks for. Nothing where it is down. */
  step(id: NodeId | string, act: (raft: Raft) => void): void {
    const replica = this.replica(id);
    if (replica.raft === undefined) return;
    act(replica.raft);
    this.#turn(replica);
  }

  /** A leader's own new entry. Returns its index; null where this replica takes none. */
  propose(id: NodeId | string, text: string): number | null {
    const { raft } = this.replica(id);
    if (raft?.leadership === undefined || raft.leadership.transferring) return null;
    const index = raft.log.last.index + 1;
    this.note(`${id} is given ${text}`);
    this.step(id, () => raft.propose(segmentOf([{ index, term: raft.term, text }]), this.nowMs));
    return index;
  }

  transfer(id: NodeId | string, to: NodeId | string): void {
    this.note(`${id} is asked to hand over to ${to}`);
    this.step(id, (raft) => raft.transfer(nodeId(to), this.nowMs));
  }

  /** Asks a leader for a round; the checker holds it to what was committed by now. */
  askRound(id: NodeId | string): void {
    this.step(id, (raft) => {
      if (raft.leadership !== undefined) this.checker.asked(raft, raft.leadership.askRound(this.nowMs));
    });
  }

  /** Gives up what a replica has applied. */
  compact(id: NodeId | string, index = Infinity): void {
    this.step(id, (raft) => {
      const replica = this.replica(id);
      replica.deleted.push(...raft.log.compact(Math.min(raft.commit, index)));
      this.note(`${id} compacts its log up to ${raft.log.base.index}`);
    });
  }

  crash(id: NodeId | string): void {
    const replica = this.replica(id);
    if (replica.raft === undefined) return;
    this.note(`${id} crashes`);
    replica.raft = undefined;
    replica.run++;
    replica.writes = [];
    replica.deleted = [];
    replica.installed = [];
    replica.owesNoop = false;
    for (const peer of this.ids) {
      if (!this.isCut(id, peer) || this.#silent.delete(linkOf(id, peer))) this.#tellDown(peer, replica.id);
    }
  }

  restart(id: NodeId | string, { lostDisk = false } = {}): void {
    const replica = this.replica(id);
    if (replica.raft !== undefined) return;
    this.note(`${id} starts${lostDisk ? ' with an empty disk' : ''}`);
    if (lostDisk) Object.assign(replica.disk, emptyDisk('joining', ++this.#lives));
    this.#start(replica);
  }

  // --- The network -----------------------------------------------------------------------------------------

  isCut(a: NodeId | string, b: NodeId | string): boolean {
    return this.#cut.has(linkOf(a, b));
  }

  /** Cuts a link. `silent`: neither end is told. */
  cut(a: NodeId | string, b: NodeId | string, { silent = false } = {}): void {
    if (this.isCut(a, b) || a === b) return;
    this.#cut.add(linkOf(a, b));
    if (silent) this.#silent.add(linkOf(a, b));
    if (silent || this.replica(a).raft === undefined || this.replica(b).raft === undefined) return;
    this.#tellDown(nodeId(a), nodeId(b));
    this.#tellDown(nodeId(b), nodeId(a));
  }

  heal(a: NodeId | string, b: NodeId | string): void {
    if (!this.#cut.delete(linkOf(a, b))) return;
    if (!this.#silent.delete(linkOf(a, b))) this.#tellUp(nodeId(a), nodeId(b));
  }

  /** Cuts off some replicas from the others. */
  isolate(ids: readonly string[], { silent = false } = {}): void {
    this.note(`${ids.join(', ')} ${ids.length > 1 ? 'are' : 'is'} cut off`);
    for (const a of ids) {
      for (const b of this.ids) if (!ids.includes(b)) this.cut(a, b, { silent });
    }
  }

  healAll(): void {
    this.note('all links are whole');
    for (const a of this.ids) for (const b of this.ids) if (a < b) this.heal(a, b);
  }

  #connected(a: NodeId | string, b: NodeId | string): boolean {
    if (this.replica(a).raft === undefined || this.replica(b).raft === undefined) return false;
    return !this.isCut(a, b) || this.#silent.has(linkOf(a, b));
  }

  #tellDown(id: NodeId, peer: NodeId): void {
    this.step(id, (raft) => raft.peerDown(peer, this.nowMs));
  }

  #tellUp(a: NodeId, b: NodeId): void {
    if (!this.#connected(a, b)) return;
    this.step(a, (raft) => raft.peerUp(b, this.nowMs));
    this.step(b, (raft) => raft.peerUp(a, this.nowMs));
  }

  /** Puts a message on its way, as if it had been sent. */
  send(from: NodeId | string, to: NodeId | string, message: Message): void {
    this.checker.leaves(this.replica(from), nodeId(to), message);
    const lost = this.isCut(from, to) || this.loses(nodeId(from), nodeId(to), message);
    if (this.options.traced) this.note(`${from} ${lost ? '-x' : '->'} ${to}  ${messageText(message)}`);
    if (lost) return;
    const copies = this.options.copies?.(this.random) ?? 1;
    const runs = [this.replica(from).run, this.replica(to).run];
    for (let copy = 0; copy < copies; copy++) {
      this.later(this.options.latencyMs?.(this.random) ?? 1, () => {
        const ended = runs[0] !== this.replica(from).run || runs[1] !== this.replica(to).run;
        if (this.linksLoseMessages && (this.isCut(from, to) || ended)) return;
        this.deliver(nodeId(from), nodeId(to), message);
      });
    }
  }

  deliver(from: NodeId, to: NodeId, message: Message): void {
    const replica = this.replica(to);
    this.step(to, (raft) => {
      if (message.type === 'install-snapshot') this.#install(replica, raft, from, message);
      else if (message.type === 'install-snapshot-result') {
        const known = raft.leadership?.follower(from)?.life === message.life;
        if (known && message.term === raft.term) raft.snapshotEnded(from, message.snapshot, this.nowMs);
      } else raft.step(from, message, this.nowMs);
    });
  }

  // --- Snapshots, one piece each; the snapshot's number is its index --------------------------------------------

  #install(replica: Replica, raft: Raft, from: NodeId, message: InstallSnapshot): void {
    if (!raft.heardLeader(from, message.term, this.nowMs)) return;
    const position = { index: message.index, term: message.indexTerm };
    if (message.index > raft.commit) replica.deleted.push(...raft.installed(position));
    replica.installed.push({
      to: from,
      message: {
        type: 'install-snapshot-result',
        term: message.term,
        life: replica.disk.life,
        snapshot: message.index,
        received: '',
        status: 'installed',
      },
    });
  }

  #sendSnapshot(replica: Replica, raft: Raft, to: NodeId): void {
    const index = raft.commit;
    this.send(replica.id, to, {
      type: 'install-snapshot',
      term: raft.term,
      snapshot: index,
      index,
      indexTerm: raft.log.termAt(index) as number,
      after: '',
      entries: [],
      last: true,
    });
    // A piece that is lost is given up after a while.
    const { run } = replica;
    this.later(4 * (this.options.heartbeatMs ?? 20), () => {
      const { raft: now } = replica;
      if (replica.run === run && now === raft && now.leadership?.follower(to)?.state === 'snapshot')
        this.step(replica.id, () => now.snapshotEnded(to, null, this.nowMs));
    });
  }

  // --- Turns and disks ---------------------------------------------------------------------------------------

  #turn(replica: Replica): void {
    const raft = replica.raft as Raft;
    if (replica.owesNoop) {
      replica.owesNoop = false;
      if (raft.role === 'leader') {
        const index = raft.log.last.index + 1;
        raft.propose(segmentOf([{ index, term: raft.term, text: 'noop' }]), this.nowMs);
      }
    }
    const ready = raft.ready(this.nowMs);
    this.checker.turned(replica, raft, ready);
    this.#write(replica, raft, ready);
    for (const { peer, from } of ready.fetches) this.#fetch(replica, raft, peer, from);
    for (const peer of ready.snapshots) this.#sendSnapshot(replica, raft, peer);
  }

  #write(replica: Replica, raft: Raft, ready: Ready): void {
    const { deleted, installed, id } = replica;
    const writes =
      ready.hard !== null || ready.changes.length > 0 || deleted.length > 0 || installed.length > 0;
    if (writes) {
      if (this.options.traced) {
        if (ready.hard !== null) this.note(`${id} writes ${hardText(ready.hard)}`);
        for (const change of ready.changes) this.note(`${id} writes ${changeText(change)}`);
      }
      const { base } = raft.log;
      const index = raft.commit;
      const applied = { index, term: raft.log.termAt(index) as number };
      replica.writes.push({ ready, applied, deleted, base, after: [] });
      replica.deleted = [];
      replica.installed = [];
    }
    for (const outgoing of [...ready.messages, ...installed.map((m) => ({ ...m, early: false }))])
      this.#sendWhenDue(replica, outgoing);
    const { run } = replica;
    if (writes) {
      this.later(this.options.diskMs?.(this.random) ?? 1, () => {
        if (replica.run === run && !replica.held) this.flush(id, 1);
      });
    }
  }

  #sendWhenDue(replica: Replica, { to, message, early }: Outgoing): void {
    const { writes } = replica;
    const waitsFor = early ? writes.filter(({ ready }) => ready.hard !== null).at(-1) : writes.at(-1);
    if (waitsFor === undefined) this.send(replica.id, to, message);
    else waitsFor.after.push({ to, message });
  }

  hold(id: NodeId | string): void {
    this.replica(id).held = true;
  }

  /** Writes reach the disk again, those that waited first. */
  release(id: NodeId | string): void {
    this.replica(id).held = false;
    this.flush(id);
  }

  /** The oldest writes reach the disk. */
  flush(id: NodeId | string, count = Infinity): void {
    const replica = this.replica(id);
    for (let done = 0; done < count; done++) {
      const write = replica.writes.shift();
      if (write === undefined) return;
      const { disk } = replica;
      if (write.ready.hard !== null) disk.hard = write.ready.hard;
      for (const first of write.deleted) disk.segments.delete(first);
      for (const change of write.ready.changes) applyChange(disk.segments, change);
      disk.base = write.base;
      disk.applied = write.applied;
      for (const { to, message } of write.after) this.send(id, to, message);
      this.step(id, (raft) => raft.persisted(write.ready.through));
    }
  }

  #fetch(replica: Replica, raft: Raft, peer: NodeId, from: number): void {
    this.later(this.options.diskMs?.(this.random) ?? 1, () => {
      const { disk } = replica;
      const found = [...disk.segments.values()].sort((a, b) => a.first - b.first);
      const segments = found.filter(({ last }) => last >= from).slice(0, 4);
      if (replica.raft === raft) this.step(replica.id, () => raft.fetched(peer, from, segments));
    });
  }

  // --- Starts ------------------------------------------------------------------------------------------------

  #start(replica: Replica): void {
    const { disk, id } = replica;
    let log = new RaftLog(TEXT_SEGMENTS, disk.base);
    for (const segment of [...disk.segments.values()].sort((a, b) => a.first - b.first)) log.restore(segment);
    if (log.termAt(disk.applied.index) !== disk.applied.term) {
      this.checker.fail(`${id} has applied ${disk.applied.index} and its log on disk does not hold it`);
      log = new RaftLog(TEXT_SEGMENTS, disk.applied);
    }
    const { electionMs = 100, heartbeatMs = 20, clockBoundMs = 0, appendBytesMax = 10_000 } = this.options;
    const random = this.random.fork(`${id}/${replica.run}`);
    replica.raft = new Raft(
      {
        self: id,
        voters: this.voters,
        learners: this.ids.filter((other) => !this.voters.includes(other)),
        electionMs,
        heartbeatMs,
        appendBytesMax,
        clockBoundMs,
        codec: TEXT_SEGMENTS,
        random: {
          float: () => this.options.patience?.[this.ids.indexOf(id)] ?? random.float(),
          integer: (bound) => random.integer(bound),
          text: (length) => random.text(length),
        },
      },
      { hard: disk.hard, log, commit: disk.applied.index, life: disk.life },
      this.nowMs,
      {
        became: (role, term) => {
          this.note(`${id} becomes ${role}, term ${term}`);
          if (role !== 'leader') return;
          replica.owesNoop = true;
          this.checker.elected(replica, term);
        },
      },
    );
    this.checker.started(replica);
    for (const peer of this.ids) {
      if (peer === id) continue;
      if (this.#connected(id, peer)) this.#tellUp(id, peer);
      else if (this.nowMs > 0) this.#tellDown(id, peer);
    }
  }

  note(line: string): void {
    if (this.options.traced) this.trace.push(`${this.nowMs.toFixed(0).padStart(5)} ms  ${line}`);
  }
}

function linkOf(a: NodeId | string, b: NodeId | string): string {
  return a < b ? `${a}-${b}` : `${b}-${a}`;
}

/**
 * Replicas that forget what is below the floor, beside full causal histories that forget nothing.
 *
 * Each replica keeps records, what it has absorbed, and what the others told, by the rules of docs/adr/0008 and with the
 * product's merge and pruning; rounds, messages, crashes and losses come in any order. Beside each record stands the set of all
 * writes that the replica has heard of, each with its whole past. What a replica shows must be what that set says.
 */
import { incarnationId, sessionId, type IncarnationId } from '../../src/core/ids.js';
import { pruneRecord } from '../../src/core/record-pruning.js';
import { applyWrite, EMPTY_RECORD, mergeSeen, type KeyRecord } from '../../src/core/record.js';
import { ALL_COUNTERS, counterOf, join, meet, type VersionVector } from '../../src/core/version-vector.js';
import type { ConflictPolicy } from '../../src/core/views.js';

interface Write {
  readonly name: string;
  readonly deletes: boolean;
  readonly past: ReadonlySet<Write>;
}

type Known = ReadonlySet<Write>;

interface Copy {
  readonly record: KeyRecord;
  readonly known: Known;
}

const NOTHING: Copy = { record: EMPTY_RECORD, known: new Set() };

interface Replica {
  readonly id: number;
  life: number;
  incarnation: IncarnationId;
  counter: number;
  /** Incarnations of this life. */
  own: IncarnationId[];
  ended: IncarnationId[];
  copies: Copy[];
  absorbed: VersionVector;
  refilling: boolean;
  sources: Set<number>;
  pulled: Set<number>;
  knownBy: Set<number>;
  told: Map<number, { readonly life: number; readonly absorbed: VersionVector }>;
  candidate: VersionVector | undefined;
  prunable: VersionVector;
}

interface Message {
  readonly from: number;
  readonly to: number;
  readonly key: number;
  readonly copy: Copy;
}

interface Round {
  readonly puller: number;
  readonly source: number;
  readonly life: number;
  readonly pullerLife: number;
  readonly absorbed: VersionVector;
  readonly lacking: boolean;
  readonly known: boolean;
  readonly sourceRefilling: boolean;
  readonly left: number[];
}

export interface WorldRules {
  readonly replicas: number;
  readonly keys: number;
  readonly conflict: ConflictPolicy;
  /** W - 1 disks may be lost: a refill needs as many sources. */
  readonly witnesses: number;
  /** Breaks a rule, to see that the check would find it. */
  readonly broken?: 'claims-at-begin' | 'prunes-by-entry' | 'keeps-old-life' | 'ignores-life';
}

export class FloorWorld {
  readonly #rules: WorldRules;
  readonly replicas: Replica[];
  #messages: Message[] = [];
  #rounds: Round[] = [];
  /** What clients have read: per key the context and the writes. */
  readonly #contexts: (Copy | undefined)[];
  #serial = 0;

  constructor(rules: WorldRules) {
    this.#rules = rules;
    this.#contexts = new Array<Copy | undefined>(rules.keys).fill(undefined);
    this.replicas = Array.from({ length: rules.replicas }, (_, id) => this.#newReplica(id));
    for (const replica of this.replicas) replica.refilling = false;
  }

  // --- What happens ----------------------------------------------------------------------------------

  /** A client reads at a replica, and remembers. */
  read(at: number, key: number): void {
    const replica = this.#replica(at);
    if (!replica.refilling) this.#contexts[key] = this.#copy(replica, key);
  }

  /** A client writes, with or without what was read last. */
  write(at: number, key: number, deletes: boolean, withContext: boolean): void {
    const replica = this.#replica(at);
    const copy = this.#copy(replica, key);
    const seen = withContext ? (this.#contexts[key] ?? NOTHING) : NOTHING;
    const dot = { incarnation: replica.incarnation, counter: ++replica.counter };
    const name = `${dot.incarnation}:${dot.counter}`;
    const write: Write = { name, deletes, past: new Set(seen.known) };
    const written = {
      dot,
      hlc: ++this.#serial,
      operation: { session: sessionId('s'), sequence: this.#serial },
      expiresAt: 0,
      value: deletes ? null : Buffer.from(name),
    };
    const record = applyWrite(copy.record, { vector: seen.record.context, dots: [], hlc: 0 }, written);
    this.#put(replica, key, { record, known: new Set([...copy.known, ...seen.known, write]) });
  }

  send(from: number, to: number, key: number): void {
    const [sender, receiver] = [this.#replica(from), this.#replica(to)];
    if (sender === receiver || this.#messages.length > 20) return;
    const copy = this.#copy(sender, key);
    if (copy.record === EMPTY_RECORD) return;
    this.#messages.push({ from: sender.id, to: receiver.id, key, copy });
  }

  deliver(which: number, again: boolean): void {
    const message = this.#messages[which % Math.max(1, this.#messages.length)];
    if (message === undefined) return;
    if (!again) this.#messages = this.#messages.filter((m) => m !== message);
    this.#absorb(this.#replica(message.to), message.key, message.copy, []);
  }

  lose(which: number): void {
    const message = this.#messages[which % Math.max(1, this.#messages.length)];
    this.#messages = this.#messages.filter((m) => m !== message);
  }

  /** One replica tells another what it has absorbed. */
  tell(from: number, to: number): void {
    const [sender, receiver] = [this.#replica(from), this.#replica(to)];
    if (sender === receiver) return;
    const before = receiver.told.get(sender.id);
    if (before?.life !== sender.life && this.#rules.broken !== 'keeps-old-life') receiver.prunable = [];
    if (before !== undefined && this.#rules.broken === 'keeps-old-life' && before.life !== sender.life)
      return;
    receiver.told.set(sender.id, { life: sender.life, absorbed: this.#absorbed(sender) });
  }

  /** A source tells, and the other begins to pull from it. */
  beginRound(puller: number, source: number): void {
    const [to, from] = [this.#replica(puller), this.#replica(source)];
    if (to === from || this.#rounds.length > 6) return;
    this.tell(source, puller);
    const absorbed = this.#absorbed(from);
    this.#rounds.push({
      puller: to.id,
      source: from.id,
      life: from.life,
      pullerLife: to.life,
      absorbed,
      lacking: !to.knownBy.has(from.id),
      known: from.told.get(to.id)?.life === to.life,
      sourceRefilling: from.refilling,
      left: Array.from({ length: this.#rules.keys }, (_, key) => key),
    });
    if (this.#rules.broken === 'claims-at-begin') to.absorbed = join(to.absorbed, absorbed);
  }

  /** One key of a round is pulled; with the last one the round is complete. */
  pull(which: number): void {
    const round = this.#rounds[which % Math.max(1, this.#rounds.length)];
    if (round === undefined) return;
    const [to, from] = [this.#replica(round.puller), this.#replica(round.source)];
    const lifeOver = from.life !== round.life && this.#rules.broken !== 'ignores-life';
    if (lifeOver || to.life !== round.pullerLife) {
      this.#rounds = this.#rounds.filter((r) => r !== round);
      return;
    }
    const key = round.left.pop();
    if (key !== undefined) {
      const copy = this.#copy(from, key);
      // A peer offers what it holds; what it does not hold matters only where it may have forgotten on an old word.
      if (copy.record !== EMPTY_RECORD || round.lacking) this.#absorb(to, key, copy, round.absorbed);
      else {
        const mine = this.#copy(to, key);
        to.copies[key] = { ...mine, known: new Set([...mine.known, ...copy.known]) };
      }
    }
    if (round.left.length === 0) this.#complete(round, to);
  }

  /** The floor is looked at: what was below it at the last look may go from now on. */
  tick(at: number): void {
    const replica = this.#replica(at);
    const floor = this.floor(replica);
    if (replica.candidate !== undefined) replica.prunable = meet(replica.candidate, floor);
    replica.candidate = floor;
  }

  prune(at: number, key: number): void {
    const replica = this.#replica(at);
    const copy = this.#copy(replica, key);
    this.#put(replica, key, copy);
  }

  /** A new incarnation without any loss. */
  endIncarnation(at: number): void {
    const replica = this.#replica(at);
    replica.ended.push(replica.incarnation);
    this.#beginIncarnation(replica);
  }

  /** A disk is lost, or set back to what it was; one at a time. */
  loseDisk(at: number, keep: readonly Copy[] | undefined): void {
    if (this.replicas.some((r) => r.refilling)) return;
    const old = this.#replica(at);
    const replica = this.#newReplica(old.id);
    replica.life = ++this.#serial;
    if (keep !== undefined) replica.copies = [...keep];
    this.replicas[old.id] = replica;
    this.#messages = this.#messages.filter((m) => m.from !== old.id && m.to !== old.id);
  }

  backup(at: number): readonly Copy[] {
    return [...this.#replica(at).copies];
  }

  // --- What must hold --------------------------------------------------------------------------------

  /** What some replica that counts in reads shows and should not, or should and does not. */
  wrong(): string[] {
    const found: string[] = [];
    for (const replica of this.replicas) {
      if (replica.refilling) continue;
      for (let key = 0; key < this.#rules.keys; key++) {
        const copy = this.#copy(replica, key);
        const shown = values(copy.record).join(' ');
        const should = survivors(copy.known).join(' ');
        if (shown !== should)
          found.push(`replica ${replica.id} key ${key}: shows [${shown}], not [${should}]`);
      }
    }
    return found;
  }

  /** Everything is delivered, told and pulled until nothing is left to forget. */
  settle(): void {
    for (let pass = 0; pass < 6; pass++) {
      while (this.#messages.length > 0) this.deliver(0, false);
      this.#rounds = [];
      for (const to of this.replicas) for (const from of this.replicas) this.tell(from.id, to.id);
      for (const to of this.replicas) {
        for (const from of this.replicas) {
          if (to === from) continue;
          this.#rounds = [];
          this.beginRound(to.id, from.id);
          while (this.#rounds.length > 0) this.pull(0);
        }
      }
      for (const replica of this.replicas) this.#claimOrphans(replica);
      for (const to of this.replicas) for (const from of this.replicas) this.tell(from.id, to.id);
      for (const replica of this.replicas) {
        this.tick(replica.id);
        for (let key = 0; key < this.#rules.keys; key++) this.prune(replica.id, key);
      }
    }
  }

  /** What should be forgotten by now and is not, or differs between replicas. */
  left(): string[] {
    const found: string[] = [];
    for (let key = 0; key < this.#rules.keys; key++) {
      const copies = this.replicas.map((replica) => this.#copy(replica, key));
      const texts = new Set(copies.map(({ record }) => JSON.stringify(record, textOfBytes)));
      if (texts.size > 1) found.push(`key ${key} differs: ${[...texts].join(' | ')}`);
      for (const { record } of copies) {
        const tombstones = record.siblings.filter((s) => s.value === null).length;
        const hides = this.#rules.conflict !== 'siblings' && tombstones < record.siblings.length;
        if (tombstones > 0 && !hides) found.push(`key ${key} keeps a tombstone`);
        if (record.siblings.length === 0 && record.context.length > 0)
          found.push(`key ${key} keeps a context`);
        for (const [incarnation] of record.context) {
          const alive = this.replicas.some((r) => r.incarnation === incarnation);
          const carried = record.siblings.some((s) => s.dot.incarnation === incarnation);
          if (!alive && !carried) found.push(`key ${key} keeps the entry of ${incarnation}`);
        }
      }
    }
    return found;
  }

  floor(replica: Replica): VersionVector {
    let floor = this.#absorbed(replica);
    for (const peer of this.replicas) {
      if (peer.id === replica.id) continue;
      const told = replica.told.get(peer.id);
      if (told === undefined) return [];
      floor = meet(floor, told.absorbed);
    }
    return floor;
  }

  // --- The rules -------------------------------------------------------------------------------------

  #absorbed(replica: Replica): VersionVector {
    let absorbed = replica.absorbed;
    if (replica.counter > 0) absorbed = join(absorbed, [[replica.incarnation, replica.counter]]);
    for (const own of replica.ended) absorbed = join(absorbed, [[own, ALL_COUNTERS]]);
    return absorbed;
  }

  #absorb(replica: Replica, key: number, theirs: Copy, seenThere: VersionVector): void {
    const mine = this.#copy(replica, key);
    const record = mergeSeen(theirs.record, mine.record, seenThere, this.#absorbed(replica));
    this.#put(replica, key, { record, known: new Set([...mine.known, ...theirs.known]) });
  }

  #put(replica: Replica, key: number, copy: Copy): void {
    const { conflict, broken } = this.#rules;
    const rules = { prunable: replica.prunable, wallMs: 2 ** 60, ageMs: 0, conflict };
    let record = pruneRecord(copy.record, rules) ?? EMPTY_RECORD;
    if (broken === 'prunes-by-entry') record = withoutAbsorbed(record, replica.prunable);
    replica.copies[key] = { ...copy, record };
  }

  #complete(round: Round, to: Replica): void {
    this.#rounds = this.#rounds.filter((r) => r !== round);
    to.absorbed = join(to.absorbed, round.absorbed);
    to.pulled.add(round.source);
    if (!round.sourceRefilling) to.sources.add(round.source);
    if (round.known) to.knownBy.add(round.source);
    if (to.sources.size >= this.#rules.witnesses || to.pulled.size >= this.replicas.length - 1)
      to.refilling = false;
  }

  #claimOrphans(replica: Replica): void {
    if (replica.pulled.size < this.replicas.length - 1 || this.#messages.length > 0) return;
    const named = this.replicas.flatMap((r) => [
      ...r.absorbed.map(([id]) => id),
      ...r.copies.flatMap(({ record }) => record.context.map(([id]) => id)),
    ]);
    for (const incarnation of named) {
      const mine = incarnation.startsWith(`r${replica.id}.`) && incarnation !== replica.incarnation;
      if (!mine || counterOf(replica.absorbed, incarnation) === ALL_COUNTERS) continue;
      replica.absorbed = join(replica.absorbed, [[incarnation, ALL_COUNTERS]]);
    }
  }

  #newReplica(id: number): Replica {
    const replica: Replica = {
      id,
      life: 0,
      incarnation: incarnationId(''),
      counter: 0,
      own: [],
      ended: [],
      copies: Array.from({ length: this.#rules.keys }, () => NOTHING),
      absorbed: [],
      refilling: true,
      sources: new Set(),
      pulled: new Set(),
      knownBy: new Set(),
      told: new Map(),
      candidate: undefined,
      prunable: [],
    };
    this.#beginIncarnation(replica);
    return replica;
  }

  #beginIncarnation(replica: Replica): void {
    replica.incarnation = incarnationId(`r${replica.id}.${String(++this.#serial).padStart(8, '0')}`);
    replica.counter = 0;
    replica.own.push(replica.incarnation);
  }

  #replica(at: number): Replica {
    return this.replicas[at % this.replicas.length] as Replica;
  }

  #copy(replica: Replica, key: number): Copy {
    return replica.copies[key] as Copy;
  }
}

function values(record: KeyRecord): string[] {
  return record.siblings
    .flatMap(({ value }) => (value === null ? [] : [Buffer.from(value).toString()]))
    .sort();
}

function survivors(known: Known): string[] {
  const all = [...known];
  return all
    .filter((w) => !w.deletes && !all.some((other) => other.past.has(w)))
    .map((w) => w.name)
    .sort();
}

/** What the product must not do: forget entries one by one, whatever else the record has seen. */
function withoutAbsorbed(record: KeyRecord, prunable: VersionVector): KeyRecord {
  const carried = (id: IncarnationId): boolean => record.siblings.some((s) => s.dot.incarnation === id);
  const context = record.context.filter(([id, counter]) => carried(id) || counterOf(prunable, id) < counter);
  const kept = record.recentOperations.filter((o) => context.some(([id]) => id === o.dot.incarnation));
  return { ...record, context, recentOperations: kept };
}

function textOfBytes(_key: string, value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value).toString() : value;
}

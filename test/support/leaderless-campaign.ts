/**
 * A campaign: clients at random work on a few keys while nodes crash, links break, disks fail and clocks jump;
 * then everything is repaired, and what is left must be explainable.
 *
 * Every value written is unique, and the campaign knows for each write which values its writer had been shown. From
 * that alone it judges, without looking inside:
 *
 *   lost          an acknowledged value is gone, and no write that had seen it can have superseded it
 *   resurrected   a value is back that an acknowledged write had seen and superseded
 *   from nowhere  a value is shown that nobody wrote, or whose write certainly failed
 *   doubled       one write shows as two siblings
 *   stale         with R + W > N, a read misses a value acknowledged before it began
 */
import type { Context, Database, Entry, Namespace } from '../../src/client/api.js';
import { partitionOfKey } from '../../src/core/hash.js';
import { TrefoilError, type Outcome } from '../../src/core/errors.js';
import type { Random } from '../../src/runtime/runtime.js';
import type { DiskImage } from '../../src/simulation/disk.js';
import { History, type Write } from './campaign-history.js';
import { SimCluster } from './sim-cluster.js';

const KEYS = ['a', 'b', 'c', 'd', 'e'];
const CLIENTS = 3;

const SLOPPY = {
  nodes: ['n1', 'n2', 'n3', 'n4', 'n5'],
  namespaces:
    '\n  - { name: default, strategy: leaderless, partitions: 2, read: one, write: all, sloppy: true }\n',
};

/** Calls end after 1.5 s here, and no retry comes later. */
const FORGETTING = { pace: { compareMs: 400, pruneMs: 3_000, retryAgeMs: 2_900 } };

export interface CampaignOptions {
  readonly seed: number;
  /** Virtual time under faults. */
  readonly faultMs?: number;
  readonly faults?: boolean;
  /** Five nodes, W = 3 of 3 with stand-ins, and faults that take two nodes at once. Reads may be stale then. */
  readonly sloppy?: boolean;
  /** Tombstones go within seconds; one disk is lost and restored from old copies again and again; in the end all keys are deleted. */
  readonly forgetting?: boolean;
}

export interface CampaignReport {
  readonly seed: number;
  readonly violations: readonly string[];
  readonly operations: number;
  readonly acknowledged: number;
  readonly unknown: number;
  readonly failed: number;
  readonly faults: readonly string[];
  readonly traceHash: string;
  readonly counters: Readonly<Record<string, number>>;
}

/** What one client knows of a key: the context it would write with, and what that context was shown. */
interface Knowledge {
  readonly context: Context;
  readonly seen: ReadonlySet<string>;
}

class Campaign {
  readonly #cluster: SimCluster;
  readonly #random: Random;
  readonly #history = new History();
  readonly #faults: string[] = [];
  /** Nodes whose disk had a byte flipped. */
  readonly #flipped = new Set<string>();
  readonly #untilMs: number;
  readonly #sloppy: boolean;
  readonly #forgetting: boolean;
  #serial = 0;

  constructor(cluster: SimCluster, seed: number, faultMs: number, sloppy: boolean, forgetting: boolean) {
    this.#forgetting = forgetting;
    this.#sloppy = sloppy;
    this.#cluster = cluster;
    this.#random = cluster.simulation.random.fork(`campaign/${seed}`);
    this.#untilMs = cluster.simulation.nowMs() + faultMs;
  }

  async run(seed: number, withFaults: boolean): Promise<CampaignReport> {
    const cluster = this.#cluster;
    const databases: Database[] = [];
    for (let i = 0; i < CLIENTS; i++) databases.push(await cluster.connect(`c${i}`, { timeoutMs: 1_500 }));
    const work = databases.map((db) => this.#client(db.namespace<string>('default')));
    const chaos = withFaults ? this.#chaos() : Promise.resolve();
    await cluster.settle(Promise.all([...work, chaos]), 600_000);
    await this.#heal();
    const violations: string[] = [];
    try {
      await cluster.converge(60_000);
    } catch (error) {
      violations.push(`diverged: ${String(error)}`);
    }
    if (this.#sloppy) violations.push(...(await this.#undelivered()));
    await this.#served();
    const finals = await this.#finals(await cluster.connect('judge'));
    violations.push(...this.#history.violations(finals, !this.#sloppy));
    if (this.#forgetting) violations.push(...(await this.#forgotten()));
    const outcome = (o: Write['outcome']): number =>
      this.#history.writes.filter((w) => w.outcome === o).length;
    return {
      seed,
      violations,
      operations: this.#history.writes.length + this.#history.reads.length,
      acknowledged: outcome('ok'),
      unknown: outcome('unknown'),
      failed: outcome('failed'),
      faults: this.#faults,
      traceHash: cluster.simulation.traceHash(),
      counters: this.#counters(),
    };
  }

  // --- Clients ---

  async #client(ns: Namespace<string>): Promise<void> {
    const known = new Map<string, Knowledge>();
    while (this.#cluster.simulation.nowMs() < this.#untilMs) {
      const key = KEYS[this.#random.integer(KEYS.length)] as string;
      switch (this.#random.integer(8)) {
        case 0:
          await this.#write(ns, known, key, undefined);
          break;
        case 1:
        case 2:
          await this.#write(ns, known, key, known.get(key));
          break;
        case 3:
          await this.#write(ns, known, key, known.get(key), true);
          break;
        case 4:
          await this.#update(ns, key);
          break;
        default:
          await this.#read(ns, known, key);
      }
      await this.#sleep(this.#random.integer(120));
    }
  }

  async #read(ns: Namespace<string>, known: Map<string, Knowledge>, key: string): Promise<void> {
    const beganMs = this.#cluster.simulation.nowMs();
    let entry: Entry<string>;
    try {
      entry = await ns.get(key);
    } catch (error) {
      if (!(error instanceof TrefoilError)) throw error;
      return;
    }
    const endedMs = this.#cluster.simulation.nowMs();
    this.#history.reads.push({ key, beganMs, endedMs, values: entry.siblings });
    if (entry.context !== undefined)
      known.set(key, { context: entry.context, seen: new Set(entry.siblings) });
  }

  async #write(
    ns: Namespace<string>,
    known: Map<string, Knowledge>,
    key: string,
    with_: Knowledge | undefined,
    remove = false,
  ): Promise<void> {
    const value = remove ? null : `v${this.#serial++}`;
    const seen = with_?.seen ?? new Set<string>();
    const write = this.#begin(key, value, seen);
    const options = with_ === undefined ? {} : { context: with_.context };
    try {
      const written = await (value === null ? ns.delete(key, options) : ns.put(key, value, options));
      this.#end(write, 'ok');
      known.set(key, { context: written.context, seen: value === null ? seen : new Set([...seen, value]) });
    } catch (error) {
      if (!(error instanceof TrefoilError)) throw error;
      this.#end(write, error.outcome);
    }
  }

  /** Each call of `change` is a write of its own that has seen what it was given. */
  async #update(ns: Namespace<string>, key: string): Promise<void> {
    const tries: Write[] = [];
    try {
      await ns.update(key, (_current, siblings) => {
        const previous = tries.at(-1);
        if (previous !== undefined) this.#end(previous, 'unknown');
        const write = this.#begin(key, `v${this.#serial++}`, new Set(siblings));
        tries.push(write);
        return write.value ?? undefined;
      });
      this.#end(tries.at(-1) as Write, 'ok');
    } catch (error) {
      if (!(error instanceof TrefoilError)) throw error;
      const last = tries.at(-1);
      if (last !== undefined) this.#end(last, 'unknown');
    }
  }

  #begin(key: string, value: string | null, seen: ReadonlySet<string>): Write {
    const write: Write = {
      key,
      value,
      seen,
      beganMs: this.#cluster.simulation.nowMs(),
      ackedMs: Infinity,
      outcome: 'open',
    };
    this.#history.writes.push(write);
    return write;
  }

  #end(write: Write, outcome: Outcome | 'ok'): void {
    write.outcome = outcome;
    if (outcome === 'ok') write.ackedMs = this.#cluster.simulation.nowMs();
  }

  // --- Faults ---

  async #chaos(): Promise<void> {
    const { world, names } = this.#cluster;
    // Only one disk is ever damaged: two damaged copies of one record may be all that W = 2 had promised.
    const damaged = names[this.#random.integer(names.length)] as string;
    let image: DiskImage | undefined;
    while (this.#cluster.simulation.nowMs() < this.#untilMs) {
      await this.#sleep(300 + this.#random.integer(1_500));
      const name = names[this.#random.integer(names.length)] as string;
      const others = names.filter((other) => other !== name);
      const fault = this.#forgetting
        ? this.#random.integer(15)
        : this.#random.integer(this.#sloppy ? 13 : 11);
      this.#note(`${fault} ${name}`);
      if (this.#forgetting && fault >= 11) {
        if (fault === 11) image = world.disk(damaged).image();
        else await this.#loseDisk(damaged, fault === 12 ? image : undefined);
        continue;
      }
      switch (fault) {
        case 0:
        case 1:
          await this.#crashAndRestart(name, this.#random.integer(4) === 0);
          break;
        case 2:
          world.network.partition(name, others);
          await this.#sleep(200 + this.#random.integer(4_000));
          world.network.heal();
          break;
        case 3:
          world.network.block(name, others[0] as string);
          await this.#sleep(200 + this.#random.integer(3_000));
          world.network.heal();
          break;
        case 4:
          world.network.setConditions({ lossRate: 0.005, corruptionRate: 0.005, latencyMs: [0.1, 60] });
          await this.#sleep(2_000);
          world.network.calm();
          break;
        case 5:
          this.#flip(damaged);
          break;
        case 6:
          // What was written by a clock an hour ahead is old enough to go in an hour.
          world.setClockOffset(name, (this.#random.integer(3) - 1) * (this.#forgetting ? 60_000 : 3_600_000));
          break;
        case 7:
          world.disk(name).failWrites('StorageFailed', 1 + this.#random.integer(3));
          await this.#sleep(1_000);
          break;
        case 8:
          world.disk(name).setTimes({ fsyncMs: [20, 200] });
          await this.#sleep(1_500);
          world.disk(name).setTimes({ fsyncMs: [0.3, 2] });
          break;
        case 9:
          await this.#cutAllPower();
          break;
        case 11:
          await Promise.all([this.#crashAndRestart(name, true), this.#crashAndRestart(others[0]!, false)]);
          break;
        case 12:
          for (const side of [name, others[1]!]) {
            world.network.partition(
              side,
              names.filter((other) => other !== name && other !== others[1]),
            );
          }
          await this.#sleep(200 + this.#random.integer(4_000));
          world.network.heal();
          break;
        default:
          for (let i = 0; i < CLIENTS; i++) world.network.breakConnections(`c${i}`, name);
      }
    }
  }

  async #crashAndRestart(name: string, powerOff: boolean): Promise<void> {
    if (!this.#cluster.running(name)) return;
    this.#cluster.crash(name, { powerOff });
    await this.#sleep(100 + this.#random.integer(5_000));
    await this.#boot(name);
  }

  /** A new disk, empty or with what an old copy held. */
  async #loseDisk(name: string, image: DiskImage | undefined): Promise<void> {
    if (!this.#cluster.running(name)) return;
    const { world } = this.#cluster;
    this.#cluster.crash(name);
    if (image === undefined) world.disk(name).wipe();
    else world.disk(name).restore(image);
    await this.#sleep(100 + this.#random.integer(1_000));
    await this.#boot(name);
  }

  /** Disks are slow, so that writes are under way, when everything stops at once and forgets what no fsync covered. */
  async #cutAllPower(): Promise<void> {
    const { world, names } = this.#cluster;
    for (const name of names) world.disk(name).setTimes({ fsyncMs: [20, 200] });
    await this.#sleep(200 + this.#random.integer(400));
    for (const name of names)
      if (this.#cluster.running(name)) this.#cluster.crash(name, { unsynced: 'lost' });
    for (const name of names) world.disk(name).setTimes({ fsyncMs: [0.3, 2] });
    await this.#sleep(this.#random.integer(1_000));
    for (const name of names) if (!this.#cluster.running(name)) await this.#boot(name);
  }

  /** A disk that still fails keeps a node from starting; an operator would try again. */
  async #boot(name: string): Promise<void> {
    for (;;) {
      try {
        await this.#cluster.boot(name);
        return;
      } catch (error) {
        if (!(error instanceof TrefoilError)) throw error;
        this.#cluster.world.exit(name);
        await this.#sleep(500);
      }
    }
  }

  #flip(name: string): void {
    const key = KEYS[this.#random.integer(KEYS.length)] as string;
    const stored = this.#cluster.recordKey('default', partitionOfKey(key, 2), key);
    if (this.#cluster.world.disk(name).flipByte(stored)) this.#flipped.add(name);
  }

  async #heal(): Promise<void> {
    const { world, names } = this.#cluster;
    world.network.heal();
    world.network.calm();
    for (const name of names) {
      world.setClockOffset(name, 0);
      world.disk(name).failWrites('StorageFailed', 0);
      world.disk(name).setTimes({ fsyncMs: [0.3, 2] });
      if (!this.#cluster.running(name)) await this.#cluster.settle(this.#boot(name));
    }
    // A connection that lost a frame just before breaks only now, with the answers that were on their way.
    await this.#cluster.simulation.runFor(2_500);
    await this.#cluster.allReachable();
    // A flipped byte that nobody reads is found by the next recount: a restart begins one on every group.
    for (const name of this.#flipped) {
      await this.#cluster.stop(name);
      await this.#cluster.settle(this.#boot(name));
      await this.#cluster.allReachable();
    }
  }

  /** What stand-ins still hold though every home is up. */
  async #undelivered(): Promise<string[]> {
    const held = (): string[] =>
      this.#cluster.names.filter((name) => this.#cluster.gauge(name, 'standInHints') > 0);
    const untilMs = this.#cluster.simulation.nowMs() + 60_000;
    while (held().length > 0 && this.#cluster.simulation.nowMs() < untilMs) {
      await this.#cluster.simulation.runFor(500);
    }
    return held().map((name) => `undelivered: ${name}`);
  }

  /** Every key can be read from all replicas. After the check of agreement, because such a read repairs. */
  async #served(): Promise<void> {
    const db = await this.#cluster.connect('healer');
    for (const key of KEYS) {
      await this.#cluster.settle(db.namespace('default').get(key, { read: 'all', timeoutMs: 10_000 }));
    }
  }

  /** When every key is deleted, and every replica has heard of it, nothing is left of them. */
  async #forgotten(): Promise<string[]> {
    const cluster = this.#cluster;
    const ns = (await cluster.connect('gardener')).namespace<string>('default');
    for (const key of KEYS) {
      const { context } = await cluster.settle(ns.get(key, { read: 'all' }));
      const options = context === undefined ? {} : { context };
      await cluster.settle(ns.delete(key, { write: 'all', ...options }));
    }
    await cluster.simulation.runFor(240_000);
    return cluster.names.flatMap((name) =>
      KEYS.filter((key) => cluster.record(name, key) !== undefined).map(
        (key) => `not forgotten: ${key} on ${name}, ${JSON.stringify(cluster.record(name, key)?.context)}`,
      ),
    );
  }

  async #finals(db: Database): Promise<Map<string, readonly string[]>> {
    const finals = new Map<string, readonly string[]>();
    for (const key of KEYS) {
      const entry = await this.#cluster.settle(db.namespace<string>('default').get(key, { read: 'all' }));
      finals.set(key, entry.siblings);
    }
    return finals;
  }

  #counters(): Record<string, number> {
    const sum: Record<string, number> = {};
    for (const name of this.#cluster.names) {
      const { counters } = this.#cluster.node(name).status();
      for (const [counter, value] of Object.entries(counters)) sum[counter] = (sum[counter] ?? 0) + value;
    }
    return sum;
  }

  #note(fault: string): void {
    this.#faults.push(`${this.#cluster.simulation.nowMs().toFixed(0)} ms: ${fault}`);
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.#cluster.simulation.schedule(ms, 'campaign', resolve));
  }
}

/** Runs one campaign on virtual time and reports what it could not explain. */
export async function runCampaign(options: CampaignOptions): Promise<CampaignReport> {
  const { sloppy = false, forgetting = false } = options;
  const kind = { ...(sloppy ? SLOPPY : {}), ...(forgetting ? FORGETTING : {}) };
  const cluster = await SimCluster.start({ seed: options.seed, ...kind });
  const campaign = new Campaign(cluster, options.seed, options.faultMs ?? 20_000, sloppy, forgetting);
  return campaign.run(options.seed, options.faults ?? true);
}

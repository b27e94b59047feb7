/**
 * Three real nodes of a leader-follower namespace; every few seconds the one that leads most is killed with SIGKILL, under load, and started
 * again. What all clients did and saw is judged for linearizability, and every acknowledged write must be there in the end.
 * In full: KILL_MINUTES=2 npx vitest run test/integration/failover-campaign.test.ts; HISTORY=FILE keeps the history, as EDN for Jepsen's checkers.
 *
 *     registers     reads, writes and compare-and-set on a few keys of each partition; keys are left for new ones after a while
 *     own keys      each client also writes keys that nobody else writes, and remembers what was acknowledged
 */
import { createWriteStream } from 'node:fs';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkLinearizable } from '../../chaos/checkers/linearizability/check-linearizable.js';
import type { HistoryEvent } from '../../chaos/history/history.js';
import { operationsOf } from '../../chaos/history/pairing.js';
import { ednLine } from '../../chaos/history/write-history.js';
import { HistoryRecorder } from '../../chaos/run/recorder.js';
import type { Completion } from '../../chaos/workloads/workload.js';
import { spawnNode, type NodeProcess } from '../../src/cli/node-process.js';
import { readNodeStates } from '../../src/cli/node-states.js';
import { pollUntil } from '../../src/cli/poll.js';
import { partitionOfKey } from '../../src/core/hash.js';
import { connect, TrefoilError, type Database, type Namespace } from '../../src/index.js';
import { makeCluster, type TestCluster } from '../support/cli-program.js';

const KILL_MINUTES = Number(process.env['KILL_MINUTES'] ?? 0);
const KILL_MS = KILL_MINUTES > 0 ? 5_000 : 3_500;
/** After its death a node stays away for so long. */
const AWAY_MS = 1_500;
const KILLS = Math.max(2, Math.round((KILL_MINUTES * 60_000) / KILL_MS));
const CLIENTS = 64;
const PARTITIONS = 4;
/** Registers in use at one time, in each partition. */
const REGISTERS = 3;
/** Operations on a register before it is left: what is checked costs more than its length. */
const REGISTER_OPERATIONS = 400;
const TIMEOUT_MS = 5_000;
/** A client whose call failed waits so long: a refusal must not become a busy loop. */
const ERROR_PAUSE_MS = 5;

describe('a leader-follower cluster', () => {
  let cluster: TestCluster;
  let databases: Database[] = [];
  const processes = new Map<string, NodeProcess>();
  const startNode = async (id: string): Promise<void> => {
    processes.set(id, await spawnNode({ configFile: cluster.configFile, id, logLevel: 'warn' }));
  };

  beforeEach(async () => {
    const settings = `name: default, strategy: leader-follower, replicas: 3, partitions: ${PARTITIONS}`;
    cluster = await makeCluster('failover', 3, [settings]);
    await Promise.all(cluster.nodes.map(startNode));
    const seeds = cluster.seeds.split(',');
    databases = await Promise.all(
      Array.from({ length: CLIENTS }, () => connect({ seeds, timeoutMs: TIMEOUT_MS })),
    );
  }, 60_000);

  afterEach(async () => {
    await Promise.all(databases.map((db) => db.close()));
    await Promise.all([...processes.values()].map((node) => node.kill()));
    cluster.remove();
  });

  it(
    `is linearizable through ${KILLS} kills of its leader`,
    { timeout: 120_000 + 4 * KILLS * KILL_MS },
    async () => {
      const [first] = databases as [Database, ...Database[]];
      await writtenOnce(first);
      const campaign = new Campaign();
      const load = databases.map((db, client) => campaign.run(db.namespace<string>('default'), client));
      const failovers: Failover[] = [];
      for (let kill = 0; kill < KILLS; kill++) {
        await pause(kill === 0 ? KILL_MS / 2 : KILL_MS - AWAY_MS);
        const { node, partitions } = await leaderOfMost(first);
        failovers.push({ node, partitions, atMs: performance.now() });
        await processes.get(node)?.kill();
        await pause(AWAY_MS);
        await startNode(node);
      }
      await pause(KILL_MS - AWAY_MS);
      campaign.stop();
      await Promise.all(load);

      const namespace = first.namespace<string>('default');
      await campaign.readAll(namespace);
      const missing = await campaign.missing(namespace);
      const gaps = failovers.map((failover) => campaign.longestGapMs(failover));
      const { events } = campaign;
      await keep(events);
      const verdict = checkLinearizable(operationsOf(events), { model: 'cas-register' });
      console.log(
        `${campaign.summary()}; ${failovers.length} leaders killed (${failovers.map((f) => f.node).join(', ')}); ` +
          `longest time without a successful write in a partition that the killed node led: ` +
          `p50 ${quantile(gaps, 0.5)} ms, p99 ${quantile(gaps, 0.99)} ms, max ${quantile(gaps, 1)} ms; ${verdict.reason}`,
      );
      expect(verdict).toMatchObject({ validity: 'valid' });
      expect(missing).toEqual([]);
      expect(campaign.acknowledged).toBeGreaterThan(KILLS * 100);
    },
  );
});

interface Failover {
  readonly node: string;
  /** Those that it led. */
  readonly partitions: readonly number[];
  readonly atMs: number;
}

/** The clients' work, its history, and what was acknowledged. */
class Campaign {
  readonly #beganMs = performance.now();
  readonly #recorder = new HistoryRecorder(CLIENTS, () => performance.now() - this.#beganMs);
  /** In use, for each partition; the number makes a register's name. */
  readonly #registers: { key: string; operations: number }[][];
  readonly #usedKeys: string[] = [];
  readonly #owned = new Map<string, string>();
  /** When writes were acknowledged, for each partition, in order. */
  readonly #ackedMs: number[][] = Array.from({ length: PARTITIONS }, () => []);
  readonly #bad = new Map<string, number>();
  #keys = 0;
  #values = 0;
  #running = true;
  #endedMs = 0;

  constructor() {
    this.#registers = Array.from({ length: PARTITIONS }, (_, partition) =>
      Array.from({ length: REGISTERS }, () => ({ key: this.#newKey(partition), operations: 0 })),
    );
  }

  get events(): readonly HistoryEvent[] {
    return this.#recorder.events;
  }

  get acknowledged(): number {
    return this.#ackedMs.reduce((sum, acked) => sum + acked.length, 0);
  }

  /** One client's work until `stop`. */
  async run(namespace: Namespace<string>, client: number): Promise<void> {
    for (let turn = 0; this.#running; turn++) {
      const done =
        turn % 4 === 3 ? this.#writeOwn(namespace, client, turn) : this.#onRegister(namespace, client);
      if (!(await done)) await pause(ERROR_PAUSE_MS);
    }
  }

  stop(): void {
    this.#running = false;
    this.#endedMs = performance.now();
  }

  /** Reads every register once more: these reads end the history. */
  async readAll(namespace: Namespace<string>): Promise<void> {
    for (const key of this.#usedKeys) {
      const read = this.#recorder.begin({ id: 0, atMs: 0, client: 0, f: 'read', key, value: null });
      read.complete({ type: 'ok', value: (await namespace.get(key)).value ?? null });
    }
  }

  /** Acknowledged writes of own keys that are not there. */
  async missing(namespace: Namespace<string>): Promise<string[]> {
    const there = new Map<string, string | undefined>();
    for await (const { key, value } of namespace.scan({ prefix: 'own/' })) there.set(key, value);
    return [...this.#owned].filter(([key, value]) => there.get(key) !== value).map(([key]) => key);
  }

  /** The longest time after a kill, up to the next one or the end, in which a partition that lost its leader acknowledged no write. */
  longestGapMs({ partitions, atMs }: Failover): number {
    const untilMs = Math.min(this.#endedMs, atMs + KILL_MS);
    const gaps = partitions.map((partition) => {
      const acked = (this.#ackedMs[partition] ?? []).filter((at) => at > atMs && at < untilMs);
      const moments = [atMs, ...acked, untilMs];
      return Math.max(...moments.slice(1).map((at, i) => at - (moments[i] as number)));
    });
    return Math.max(...gaps);
  }

  summary(): string {
    const bad = [...this.#bad].map(([code, count]) => `${count} ${code}`).join(', ') || 'none';
    return `${this.events.length} events, ${this.acknowledged} writes acknowledged, not ok: ${bad}`;
  }

  async #onRegister(namespace: Namespace<string>, client: number): Promise<boolean> {
    const partition = anyOf(PARTITIONS);
    const register = this.#registerOf(partition);
    const { key } = register;
    const choice = anyOf(3);
    if (choice === 0) return this.#read(namespace, client, key);
    const value = `v${++this.#values}`;
    if (choice === 1) {
      return this.#record(client, partition, 'write', key, value, () => namespace.put(key, value));
    }
    // What is compared is the version: no value is ever written twice, so that says as much.
    const shown = await this.#shown(namespace, key);
    if (shown === undefined) return false;
    const fromTo = [shown.value ?? null, value];
    return this.#record(client, partition, 'cas', key, fromTo, () =>
      namespace.put(key, value, { ifVersion: shown.version ?? 0 }),
    );
  }

  async #read(namespace: Namespace<string>, client: number, key: string): Promise<boolean> {
    const read = this.#recorder.begin({ id: 0, atMs: 0, client, f: 'read', key, value: null });
    const shown = await this.#shown(namespace, key);
    // A read that failed had no effect.
    read.complete(
      shown === undefined ? { type: 'fail', value: null } : { type: 'ok', value: shown.value ?? null },
    );
    return shown !== undefined;
  }

  async #shown(
    namespace: Namespace<string>,
    key: string,
  ): Promise<{ value: string | undefined; version?: number } | undefined> {
    try {
      return await namespace.get(key);
    } catch (error) {
      this.#note(error);
      return undefined;
    }
  }

  async #record(
    client: number,
    partition: number,
    f: 'write' | 'cas',
    key: string,
    value: string | (string | null)[],
    write: () => Promise<unknown>,
  ): Promise<boolean> {
    const operation = this.#recorder.begin({ id: 0, atMs: 0, client, f, key, value });
    const type = await this.#acknowledgedBy(partition, write);
    operation.complete({ type, value });
    return type === 'ok';
  }

  async #writeOwn(namespace: Namespace<string>, client: number, turn: number): Promise<boolean> {
    const key = `own/${client}/${turn}`;
    const value = `photo ${turn} `.padEnd(200, '.');
    const write = (): Promise<unknown> => namespace.put(key, value);
    const type = await this.#acknowledgedBy(partitionOfKey(key, PARTITIONS), write);
    if (type === 'ok') this.#owned.set(key, value);
    return type === 'ok';
  }

  async #acknowledgedBy(partition: number, write: () => Promise<unknown>): Promise<Completion['type']> {
    try {
      await write();
      this.#ackedMs[partition]?.push(performance.now());
      return 'ok';
    } catch (error) {
      this.#note(error);
      return error instanceof TrefoilError && error.outcome === 'failed' ? 'fail' : 'info';
    }
  }

  #note(error: unknown): void {
    if (!(error instanceof TrefoilError)) throw error;
    const what = `${error.code} (${error.outcome})`;
    this.#bad.set(what, (this.#bad.get(what) ?? 0) + 1);
  }

  #registerOf(partition: number): { key: string; operations: number } {
    const registers = this.#registers[partition] ?? [];
    const place = anyOf(REGISTERS);
    let register = registers[place];
    if (register === undefined || register.operations >= REGISTER_OPERATIONS)
      register = registers[place] = { key: this.#newKey(partition), operations: 0 };
    register.operations++;
    return register;
  }

  #newKey(partition: number): string {
    for (;;) {
      const key = `r${++this.#keys}`;
      if (partitionOfKey(key, PARTITIONS) !== partition) continue;
      this.#usedKeys.push(key);
      return key;
    }
  }
}

/** Every partition has a leader that takes writes. */
async function writtenOnce(db: Database): Promise<void> {
  const keys = Array.from({ length: 8 * PARTITIONS }, (_, i) => `first-${i}`);
  await Promise.all(keys.map((key) => db.namespace<string>('default').put(key, 'x', { timeoutMs: 20_000 })));
}

async function leaderOfMost(db: Database): Promise<{ node: string; partitions: number[] }> {
  const most = await pollUntil(
    async () => {
      const states = await readNodeStates(db);
      const led = states.map(({ node, status }) => ({
        node,
        partitions: (status?.groups ?? [])
          .filter(({ gauges }) => gauges['leads'] === 1)
          .map(({ group }) => Number(group.slice(group.lastIndexOf('/') + 1))),
      }));
      const [first] = led.toSorted((a, b) => b.partitions.length - a.partitions.length);
      return first !== undefined && first.partitions.length > 0 ? first : undefined;
    },
    { deadlineMs: 10_000, everyMs: 50 },
  );
  if (most === undefined) throw new Error('no node leads');
  return most;
}

async function keep(events: readonly HistoryEvent[]): Promise<void> {
  const file = process.env['HISTORY'];
  if (file === undefined) return;
  const stream = createWriteStream(file);
  for (const event of events) stream.write(`${ednLine(event)}\n`);
  stream.end();
  await once(stream, 'finish');
}

function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return Math.round(sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? 0);
}

function anyOf(count: number): number {
  return Math.floor(Math.random() * count);
}

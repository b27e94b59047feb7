/**
 * One run of an experiment on virtual time:
 *
 *     start ──▶ fault phase: clients work, faults come and go ──▶ healing: all is repaired ──▶ agreed? ──▶ final reads ──▶ checks
 *
 * The nodes and clients are the real ones. Everything that happens follows from the experiment, the seed and the plan
 * (which follows from both, unless one is given), so a run can be repeated exactly: `traceHash` says that it was.
 *
 * Agreement is judged before the final reads, because those ask all replicas and would repair what they find. Where the
 * experiment says that reads shall heal (`heal.by`), they come first, and it is judged whether they did. Where it asks whether
 * deleted keys are forgotten, all are deleted at the very end.
 */
import { performance } from 'node:perf_hooks';
import { TrefoilError } from '../../src/core/errors.js';
import type { Database } from '../../src/client/api.js';
import { SimulatedCluster, type SimulatedClusterOptions } from '../../src/simulation/cluster.js';
import type { TraceRecorder } from '../../src/simulation/trace.js';
import type { GroupCopies } from '../../src/simulation/copies.js';
import type { Validity } from '../checkers/verdict.js';
import { eventLoopTurns } from '../event-loop.js';
import { clusterConfigText, type Experiment } from '../experiments/experiment.js';
import { usedNamespace } from '../experiments/used-namespace.js';
import { beginFault, isInstant, type EndFault } from '../faults/apply-fault.js';
import type { Fault } from '../faults/fault.js';
import type { HistoryEvent } from '../history/history.js';
import type { PlannedOperation, WorkloadClient } from '../workloads/workload.js';
import { WORKLOADS } from '../workloads/workloads.js';
import { runChecks, type CheckResult } from './checks.js';
import { forgetAll } from './forgetting.js';
import { planRun, workloadOptions, type Plan } from './plan.js';
import { HistoryRecorder } from './recorder.js';

/** How long the final reads may take, each. */
const FINAL_READ_MS_MAX = 10_000;

/** Time that clients get, past the fault phase, to end what they began: their own budget and something over. */
const LAST_CALLS_MS = 5_000;

/** A connection that broke is noticed by its ends only after a while, also when the fault that broke it is over. */
const LOSS_NOTICED_MS = 2_500;

/** How long nodes may take to start and find each other where `heal.withinMs` counts from the reads. */
const REPAIRED_MS_MAX = 10_000;

export interface SimulateOptions {
  readonly experiment: Experiment;
  readonly seed: number;
  /** What the seed draws, where absent. */
  readonly plan?: Plan;
  /** Sees the cluster before anything runs in it. */
  readonly prepare?: (cluster: SimulatedCluster) => void;
  /** Records what happens; changes nothing of it. */
  readonly trace?: TraceRecorder;
}

export interface RunResult {
  readonly experiment: string;
  readonly seed: number;
  /** The worst of the promised checks. */
  readonly verdict: Validity;
  /** The promised checks first. */
  readonly checks: readonly CheckResult[];
  readonly traceHash: string;
  readonly virtualMs: number;
  /** Virtual time at which the fault phase, and with it the history, began. */
  readonly beganMs: number;
  readonly realMs: number;
  /** Operations that were begun, final reads included. */
  readonly operations: number;
  readonly outcomes: { readonly ok: number; readonly fail: number; readonly info: number };
  /** Planned operations whose client was still busy when the fault phase ended. */
  readonly notBegun: number;
  readonly faults: number;
  /** The sums of all nodes' counters, also of those that ended. */
  readonly counters: Readonly<Record<string, number>>;
  readonly history: readonly HistoryEvent[];
}

export async function simulate(options: SimulateOptions): Promise<RunResult> {
  const startedMs = performance.now();
  const run = new Run(options);
  const checks = await run.checks();
  return run.result(checks, performance.now() - startedMs);
}

class Run {
  readonly #experiment: Experiment;
  readonly #seed: number;
  readonly #plan: Plan;
  readonly #cluster: SimulatedCluster;
  readonly #history: HistoryRecorder;
  /** Faults that have begun and not ended. */
  readonly #ending = new Set<EndFault>();
  #beganMs = 0;
  #agreeUntilMs = 0;
  #notBegun = 0;
  #checks: CheckResult[] = [];

  constructor({ experiment, seed, plan, prepare, trace }: SimulateOptions) {
    this.#experiment = experiment;
    this.#seed = seed;
    this.#plan = plan ?? planRun(experiment, seed);
    this.#cluster = new SimulatedCluster({
      seed,
      config: clusterConfigText(experiment),
      pace: paceOf(experiment),
      turns: eventLoopTurns,
      ...(trace === undefined ? {} : { trace }),
    });
    prepare?.(this.#cluster);
    this.#history = new HistoryRecorder(experiment.workload.clients, () => this.#nowMs());
  }

  /** Runs all phases. What fails on the way is a finding, not an error: the seed found it. */
  async checks(): Promise<readonly CheckResult[]> {
    try {
      await this.#cluster.start();
      await this.#faultPhase();
      await this.#repairAll();
      const { by } = this.#experiment.heal;
      if (by === 'reads') await this.#finalReads();
      const copies = await this.#agree();
      if (by === 'background') await this.#finalReads();
      const remains = await this.#forget();
      const evidence = { history: this.#history.events, copies, counters: this.#cluster.counters(), remains };
      const checked = runChecks(this.#experiment, evidence);
      // What failed on the way, and is also asked for by name, is told once: with the bytes that differ.
      const told = this.#checks.filter(
        ({ name }) => !checked.some((check) => check.name === name && check.verdict.validity === 'invalid'),
      );
      this.#checks = [...told, ...checked];
    } catch (error) {
      this.#fail('runs', error);
    }
    return this.#checks;
  }

  result(checks: readonly CheckResult[], realMs: number): RunResult {
    const { events } = this.#history;
    const ended = (type: HistoryEvent['type']): number => events.filter((e) => e.type === type).length;
    const promised = checks.filter((check) => check.promised).map(({ verdict }) => verdict.validity);
    return {
      experiment: this.#experiment.name,
      seed: this.#seed,
      verdict: promised.includes('invalid') ? 'invalid' : promised.includes('unknown') ? 'unknown' : 'valid',
      checks,
      traceHash: this.#cluster.simulation.traceHash(),
      virtualMs: this.#cluster.simulation.nowMs(),
      beganMs: this.#beganMs,
      realMs,
      operations: ended('invoke'),
      outcomes: { ok: ended('ok'), fail: ended('fail'), info: ended('info') },
      notBegun: this.#notBegun,
      faults: this.#plan.faults.length,
      counters: this.#cluster.counters(),
      history: events,
    };
  }

  // --- The fault phase -------------------------------------------------------------------------------

  async #faultPhase(): Promise<void> {
    const { clients } = this.#experiment.workload;
    const options = workloadOptions(this.#experiment);
    const workload = WORKLOADS[this.#experiment.workload.name];
    const databases = await this.#cluster.settle(
      Promise.all(Array.from({ length: clients }, (_, i) => this.#cluster.connect(`c${String(i)}`))),
    );
    this.#beganMs = this.#cluster.simulation.nowMs();
    for (const fault of this.#plan.faults) this.#scheduleFault(fault);
    const work = databases.map((database, i) =>
      this.#work(
        workload.client(database, options),
        this.#plan.operations.filter(({ client }) => client === i),
      ),
    );
    // A defect in a workload is told at the end of the phase, and must not end the process before.
    const done = Promise.all(work);
    done.catch(() => undefined);
    const { durationMs } = this.#experiment;
    await this.#cluster.simulation.run({ untilMs: this.#beganMs + durationMs });
    await this.#cluster.settle(done, options.timeoutMs + LAST_CALLS_MS);
    await this.#closeAll(databases);
  }

  #scheduleFault(fault: Fault): void {
    const { simulation } = this.#cluster;
    simulation.schedule(fault.atMs, `begin ${fault.fault}`, () => {
      const end = beginFault(this.#cluster, fault);
      if (isInstant(fault)) return;
      this.#ending.add(end);
      simulation.schedule(fault.forMs, `end ${fault.fault}`, () => {
        this.#ending.delete(end);
        void end();
      });
    });
  }

  /** One client: each operation at its time, or when the one before it is done. */
  async #work(client: WorkloadClient, operations: readonly PlannedOperation[]): Promise<void> {
    for (const operation of operations) {
      if (operation.atMs > this.#nowMs()) await this.#cluster.sleep(operation.atMs - this.#nowMs());
      if (this.#nowMs() > this.#experiment.durationMs) {
        this.#notBegun++;
        continue;
      }
      await this.#perform(client, operation);
    }
  }

  async #perform(client: WorkloadClient, operation: PlannedOperation, process?: string): Promise<boolean> {
    const known = client.prepare?.(operation) ?? operation;
    const open = this.#history.begin(known, process);
    const completion = await client.perform(known, open);
    open.complete(completion);
    return completion.type === 'ok';
  }

  /** Clients that go on after their work could write into what is being judged. */
  async #closeAll(databases: readonly Database[]): Promise<void> {
    await this.#cluster.settle(Promise.all(databases.map((database) => database.close())));
    databases.forEach((_, i) => {
      this.#cluster.disconnect(`c${String(i)}`);
    });
  }

  // --- Healing ---------------------------------------------------------------------------------------

  /** Ends every fault and starts every node. */
  async #repairAll(): Promise<void> {
    const cluster = this.#cluster;
    const { withinMs, by } = this.#experiment.heal;
    const repairMs = by === 'reads' ? REPAIRED_MS_MAX : withinMs;
    this.#agreeUntilMs = cluster.simulation.nowMs() + withinMs;
    await cluster.settle(Promise.all([...this.#ending].map((end) => end())), repairMs);
    await cluster.settle(Promise.all(cluster.names.map((name) => cluster.restart(name))), repairMs);
    if (by === 'background') await cluster.settle(cluster.sleep(LOSS_NOTICED_MS));
    await cluster.allReachable(repairMs);
    if (by === 'background') await this.#recountDamaged();
  }

  /** Waits for agreement. */
  async #agree(): Promise<readonly GroupCopies[]> {
    const cluster = this.#cluster;
    const { withinMs, by } = this.#experiment.heal;
    const leftMs = by === 'reads' ? withinMs : this.#agreeUntilMs - cluster.simulation.nowMs();
    try {
      await cluster.converge(leftMs);
    } catch (error) {
      this.#fail('converged', error);
    }
    return cluster.copies();
  }

  /** A record whose bits have flipped on disk, and that nobody reads, is found by the count that follows a start. */
  async #recountDamaged(): Promise<void> {
    const cluster = this.#cluster;
    const damaged = new Set(
      this.#plan.faults.flatMap((f) =>
        f.fault === 'rotten-record' || f.fault === 'flipping-reads' ? [f.node] : [],
      ),
    );
    for (const name of damaged) {
      await cluster.settle(cluster.stop(name));
      await cluster.settle(cluster.restart(name));
      await cluster.allReachable();
    }
  }

  /** Every key can be read from all replicas, and what they say is the end of the history. */
  async #finalReads(): Promise<void> {
    const workload = WORKLOADS[this.#experiment.workload.name];
    const options = {
      ...workloadOptions(this.#experiment),
      read: strictestRead(this.#experiment),
      session: false,
      timeoutMs: FINAL_READ_MS_MAX,
    };
    const judge = workload.client(await this.#cluster.settle(this.#cluster.connect('judge')), options);
    const unanswered: string[] = [];
    for (const read of workload.finalReads(options)) {
      const ok = await this.#cluster.settle(this.#perform(judge, read, 'judge'));
      if (!ok) unanswered.push(read.key ?? read.f);
    }
    this.#checks.push({
      name: 'served',
      promised: true,
      verdict:
        unanswered.length === 0
          ? {
              validity: 'valid',
              reason: `after healing every key is read ${options.read === 'all' ? 'from all replicas' : 'from its leader'}`,
            }
          : { validity: 'invalid', reason: `after healing no answer for ${unanswered.join(', ')}` },
    });
  }

  /** Where it is asked for, deletes all keys, and resolves with what is left of them. */
  async #forget(): Promise<readonly string[] | undefined> {
    const { checks, heal } = this.#experiment;
    if (![...checks.promised, ...checks.reported].includes('forgotten')) return undefined;
    const gardener = await this.#cluster.settle(this.#cluster.connect('gardener'));
    const options = { ...workloadOptions(this.#experiment), timeoutMs: FINAL_READ_MS_MAX };
    return forgetAll(this.#cluster, gardener, options, heal.forgetWithinMs);
  }

  #fail(name: CheckResult['name'], error: unknown): void {
    if (!(error instanceof Error)) throw error;
    const trace = error instanceof TrefoilError ? [] : (error.stack ?? '').split('\n').slice(1, 6);
    this.#checks.push({
      name,
      promised: true,
      verdict: {
        validity: 'invalid',
        reason: error.message,
        witness: { lines: trace.map((line) => line.trim()), operations: [] },
      },
    });
  }

  #nowMs(): number {
    return this.#cluster.simulation.nowMs() - this.#beganMs;
  }
}

function strictestRead(experiment: Experiment): 'all' | 'linearizable' {
  return usedNamespace(experiment).strategy === 'leader-follower' ? 'linearizable' : 'all';
}

/** What an experiment sets, and nothing else. */
function paceOf({ cluster }: Experiment): NonNullable<SimulatedClusterOptions['pace']> {
  const set = Object.entries(cluster.pace).filter(([, value]) => value !== undefined);
  return Object.fromEntries(set);
}

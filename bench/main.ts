/**
 * `npm run bench -- leaderless` (or `leader-follower`): measures Trefoil beside other stores and reports. `docs/benchmarks.md`
 * says how to read it. A bench measures and never asserts: it fails only where it could not measure.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname } from 'node:path';
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { runExperiment, type ExperimentPlan } from './experiment.js';
import type { Scenario } from './load-messages.js';
import { measureIdle } from './idle.js';
import { etcd } from './etcd.js';
import { measureCatchUp } from './catch-up.js';
import { describeMachine, type Machine } from './machine.js';
import { killAll } from './processes.js';
import { summarize, table } from './report.js';
import {
  barePipeline,
  trefoil,
  trefoilLeaderFollower,
  trefoilOnePartition,
  type Subject,
} from './subjects.js';
import { WORKLOADS, type Workload } from './workload.js';

/** Named experiments. The last subject is the yardstick that the others are divided by. */
const EXPERIMENTS: Readonly<Record<string, readonly Subject[]>> = {
  leaderless: [trefoil, barePipeline],
  'leader-follower': [trefoilLeaderFollower, trefoilOnePartition, etcd, barePipeline],
};

/** Experiments of their own kind: each prints its report. */
const OTHERS = ['idle', 'catch-up'] as const;

const WARM_UP_MS_MAX = 1_000;

/** How long an idle cluster is watched. */
const IDLE_SECONDS = 30;

interface BenchArguments {
  readonly experiment: string;
  readonly clients: readonly number[];
  readonly workloads: readonly Workload[];
  readonly seconds: number;
  readonly records: number;
  readonly runs: number;
  readonly durability: 'sync' | 'buffered';
  readonly only: string | undefined;
  readonly dataDir: string;
  readonly json: boolean;
  readonly out: string | undefined;
  readonly cpuProf: string | undefined;
  readonly loadProcesses: number;
  readonly groups: number | undefined;
  readonly entries: number;
  readonly logBytes: readonly string[];
}

function parseArguments(): BenchArguments {
  return yargs(hideBin(process.argv))
    .scriptName('npm run bench --')
    .command('$0 <experiment>', 'measure Trefoil beside other stores on the same work', (command) =>
      command.positional('experiment', {
        describe: 'which experiment',
        choices: [...Object.keys(EXPERIMENTS), ...OTHERS],
        demandOption: true,
      }),
    )
    .option('clients', {
      describe: 'concurrent logical clients, by commas',
      default: '64,512',
      requiresArg: true,
      coerce: (text: unknown) => listOf(text, (item) => positiveInteger(item, '--clients')),
    })
    .option('workloads', {
      describe: `which of ${WORKLOADS.join(',')}`,
      default: WORKLOADS.join(','),
      requiresArg: true,
      coerce: (text: unknown) => listOf(text, workloadOf),
    })
    .option('seconds', { describe: 'length of each measured window', type: 'number', default: 2.5 })
    .option('records', { describe: 'photos stored beforehand', type: 'number', default: 20_000 })
    .option('runs', { describe: 'repetitions; medians are reported', type: 'number', default: 3 })
    .option('durability', { choices: ['sync', 'buffered'] as const, default: 'sync' as const })
    .option('only', { describe: 'one subject alone, say for a profile', type: 'string', requiresArg: true })
    .option('data-dir', {
      describe: 'where the data lies meanwhile; on tmpfs a sync costs nothing',
      default: tmpdir(),
      requiresArg: true,
    })
    .option('json', { describe: 'print JSON instead of the table', type: 'boolean', default: false })
    .option('out', { describe: 'also write the JSON to this file', type: 'string', requiresArg: true })
    .option('cpu-prof', {
      describe: 'write a CPU profile of every process into this folder',
      type: 'string',
      requiresArg: true,
    })
    .option('load-processes', { describe: 'processes that share the clients', type: 'number', default: 1 })
    .option('groups', {
      describe: 'idle: leader-follower groups of a cluster, instead of local-3.yaml',
      type: 'number',
      requiresArg: true,
    })
    .option('entries', { describe: 'catch-up: entries that are missed', type: 'number', default: 1_000_000 })
    .option('log-bytes', {
      describe: 'catch-up: logBytes of the namespace, by commas; one run for each',
      default: '1GiB,16MiB',
      requiresArg: true,
      coerce: (text: unknown) => listOf(text, (item) => item),
    })
    .check(({ seconds, records, runs, loadProcesses, entries, experiment, durability }) => {
      positiveInteger(String(loadProcesses), '--load-processes');
      positiveInteger(String(entries), '--entries');
      if (experiment === 'leader-follower' && durability !== 'sync')
        throw new Error('--durability: leader-follower has no other than sync');
      if (!(seconds > 0)) throw new Error('--seconds must be above 0');
      positiveInteger(String(records), '--records');
      positiveInteger(String(runs), '--runs');
      return true;
    })
    .strict()
    .help()
    .version(false)
    .parseSync() as unknown as BenchArguments;
}

function listOf<T>(text: unknown, parse: (item: string) => T): T[] {
  return String(text)
    .split(',')
    .map((item) => parse(item.trim()));
}

function positiveInteger(text: string, option: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`${option} must be positive integers`);
  return value;
}

function workloadOf(text: string): Workload {
  const workload = WORKLOADS.find((known) => known === text);
  if (workload === undefined) throw new Error(`--workloads: one of ${WORKLOADS.join(', ')}, not ${text}`);
  return workload;
}

function planOf(argv: BenchArguments, onSkipped: (what: string) => void): ExperimentPlan {
  const all = EXPERIMENTS[argv.experiment] ?? [];
  const asked = argv.only === undefined ? all : all.filter((subject) => subject.name === argv.only);
  if (asked.length === 0) throw new Error(`--only: one of ${all.map((subject) => subject.name).join(', ')}`);
  const subjects = asked.filter((subject) => {
    const reason = subject.unavailable?.();
    if (reason !== undefined) onSkipped(`${subject.name} is left out: ${reason}`);
    return reason === undefined;
  });
  if (subjects.length === 0) throw new Error('there is nothing to measure');
  const scenarios = argv.workloads.flatMap((workload) =>
    argv.clients.map((clients): Scenario => ({ workload, clients })),
  );
  const measuredMs = argv.seconds * 1000;
  return {
    subjects,
    scenarios,
    runs: argv.runs,
    warmUpMs: Math.min(WARM_UP_MS_MAX, measuredMs / 3),
    measuredMs,
    loadProcesses: argv.loadProcesses,
    records: argv.records,
    durability: argv.durability,
    dataParent: argv.dataDir,
    cpuProfileDir: argv.cpuProf,
  };
}

function introduction(plan: ExperimentPlan, machine: Machine): string {
  return [
    `${machine.cpu}, ${machine.cores} cores, ${(machine.memoryBytes / 2 ** 30).toFixed(0)} GB, Node ${machine.node}, ${machine.platform}`,
    `append and sync 16 KiB in ${plan.dataParent}: ${machine.syncMs.toFixed(2)} ms; load average ${machine.loadAverage.toFixed(1)}`,
    `durability: ${plan.durability}; ${plan.loadProcesses} load process(es); ${plan.runs} runs of ${plan.measuredMs / 1000} s each; medians; ${plan.records} photos of 200 bytes stored beforehand`,
    ...plan.subjects.map((subject) => `${subject.name}: ${subject.description}`),
  ].join('\n');
}

/** Exit codes as a shell gives them for these signals. */
const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;

function endOnSignals(): void {
  for (const [signal, code] of Object.entries(SIGNALS)) {
    process.once(signal, () => {
      killAll();
      process.exit(code);
    });
  }
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

async function main(): Promise<void> {
  endOnSignals();
  const argv = parseArguments();
  if (argv.experiment === 'idle') {
    const lines = await measureIdle(IDLE_SECONDS, argv.dataDir, argv.groups);
    process.stdout.write(`${lines.join('\n')}\n`);
    return;
  }
  if (argv.experiment === 'catch-up') {
    const { entries, logBytes, seconds } = argv;
    for (const bytes of logBytes) {
      const lines = await measureCatchUp(
        {
          entries,
          logBytes: bytes,
          pacedSeconds: seconds,
          dataParent: argv.dataDir,
          cpuProfileDir: argv.cpuProf,
        },
        say,
      );
      process.stdout.write(`${lines.join('\n')}\n`);
    }
    return;
  }
  const plan = planOf(argv, say);
  const machine = describeMachine(plan.dataParent);
  if (!argv.json) process.stdout.write(`${introduction(plan, machine)}\n\n`);
  const samples = await runExperiment(plan, say);
  const yardstick = EXPERIMENTS[argv.experiment]?.at(-1)?.name ?? '';
  const results = summarize(samples, yardstick);
  const json = JSON.stringify(
    {
      experiment: argv.experiment,
      date: new Date().toISOString(),
      command: ['npm run bench --', ...hideBin(process.argv)].join(' '),
      machine,
      yardstick,
      results,
      samples,
    },
    null,
    2,
  );
  process.stdout.write(argv.json ? `${json}\n` : `\n${table(results)}\n`);
  if (argv.out !== undefined) {
    mkdirSync(dirname(argv.out), { recursive: true });
    writeFileSync(argv.out, `${json}\n`);
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});

/**
 * `npm run bench -- leaderless`: measures Trefoil beside the bare pipeline and reports. `docs/benchmarks.md`
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
import { describeMachine, type Machine } from './machine.js';
import { killAll } from './processes.js';
import { summarize, table } from './report.js';
import { barePipeline, trefoil, type Subject } from './subjects.js';
import { WORKLOADS, type Workload } from './workload.js';

/** Named experiments. The last subject is the yardstick that the others are divided by. */
const EXPERIMENTS: Readonly<Record<string, readonly Subject[]>> = {
  leaderless: [trefoil, barePipeline],
};

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
}

function parseArguments(): BenchArguments {
  return yargs(hideBin(process.argv))
    .scriptName('npm run bench --')
    .command('$0 <experiment>', 'measure Trefoil beside other stores on the same work', (command) =>
      command.positional('experiment', {
        describe: 'which experiment',
        choices: [...Object.keys(EXPERIMENTS), 'idle'],
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
    .check(({ seconds, records, runs }) => {
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

function planOf(argv: BenchArguments): ExperimentPlan {
  const all = EXPERIMENTS[argv.experiment] ?? [];
  const subjects = argv.only === undefined ? all : all.filter((subject) => subject.name === argv.only);
  if (subjects.length === 0)
    throw new Error(`--only: one of ${all.map((subject) => subject.name).join(', ')}`);
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
    `durability: ${plan.durability}; ${plan.runs} runs of ${plan.measuredMs / 1000} s each; medians; ${plan.records} photos of 200 bytes stored beforehand`,
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

async function main(): Promise<void> {
  endOnSignals();
  const argv = parseArguments();
  if (argv.experiment === 'idle') {
    const lines = await measureIdle(IDLE_SECONDS, argv.dataDir);
    process.stdout.write(`${lines.join('\n')}\n`);
    return;
  }
  const plan = planOf(argv);
  const machine = describeMachine(plan.dataParent);
  const say = (text: string): void => void process.stderr.write(`${text}\n`);
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

/** `trefoil sim ...` as a shell sees it: what it prints, what it writes, its exit codes, and what it leaves behind. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { trefoilProgram } from '../../src/cli/node-process.js';
import { runTrefoil, type Ran } from '../support/cli-program.js';
import { SMALL_EXPERIMENT } from '../support/experiments.js';

let folder: string;
/** Keeps what it promises. */
let calm: string;
/** Promises what no such cluster keeps: that a crash costs nothing where one replica acknowledges and none is asked. */
let broken: string;

const sim = (...args: string[]): Promise<Ran> => runTrefoil(['sim', ...args], { deadlineMs: 120_000 });

interface Json {
  readonly [field: string]: unknown;
}
const json = (ran: Ran): Json => JSON.parse(ran.stdout) as Json;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'trefoil-sim-'));
  calm = join(folder, 'calm.yaml');
  writeFileSync(calm, `${SMALL_EXPERIMENT.replace('name: small', 'name: calm')}durationMs: 1000\n`);
  broken = join(folder, 'broken.yaml');
  // Registers under last-writer-wins are not linearizable while replicas are apart.
  writeFileSync(
    broken,
    `name: broken
summary: promises too much
cluster:
  nodes: 3
  namespaces:
    - { name: data, strategy: leaderless, conflict: lww, partitions: 1, read: one, write: one }
workload: { name: register, namespace: data, rate: 200, keys: 1 }
durationMs: 1500
faults:
  schedule:
    - { fault: partition, shape: one, order: [n1, n2, n3], atMs: 100, forMs: 1000 }
    - { fault: reset, node: n2, atMs: 1200 }
checks: { promised: [linearizable] }
`,
  );
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('sim run', () => {
  it('tells a run in JSON, the same one every time', async () => {
    const [one, two] = await Promise.all([
      sim('run', calm, '--seed', '5', '--json'),
      sim('run', calm, '--seed', '5', '--twice', '--json'),
    ]);
    expect(one.code, one.stderr).toBe(0);
    const run = json(one);
    expect(run).toMatchObject({ experiment: 'calm', seed: 5, verdict: 'valid', failure: null });
    expect(run['traceHash']).toMatch(/^[0-9a-f]{16}$/);
    for (const field of ['virtualMs', 'realMs', 'operations']) expect(run[field]).toBeGreaterThan(0);
    expect(json(two)['traceHash']).toBe(run['traceHash']);
  });

  it('tells a person the checks, promised ones apart', async () => {
    const { code, stdout } = await sim('run', calm);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^calm, seed 1: 0 faults, \d+ operations/);
    expect(stdout).toMatch(/^ {4}converged +valid {4}the replicas of all 2 groups agree byte for byte$/m);
    expect(stdout).toMatch(/^valid {2}trace [0-9a-f]{16} {2}[\d.]+ virtual s in [\d.]+ s/m);
  });

  it.each([
    ['h.edn', /^\{:index 0, :time \d+, :process \d+, :type :invoke/],
    ['h.jsonl', /^\{"index":0,"time":\d+,"process":\d+,"type":"invoke"/],
  ])('writes the history as %s', async (name, firstLine) => {
    const file = join(folder, name);
    const ran = await sim('run', calm, '--history', file, '--json');
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    expect(lines[0]).toMatch(firstLine);
    expect(lines.filter((line) => /"?:?type"?:? ?:?"?invoke/.test(line))).toHaveLength(
      Number(json(ran)['operations']),
    );
  });

  it('refuses a check that is not for such a workload', async () => {
    const file = join(folder, 'untold.yaml');
    writeFileSync(file, readFileSync(calm, 'utf8').replace('[converged]', '[converged, linearizable]'));
    const { code, stderr } = await sim('run', file, '--out', folder);
    expect(code).toBe(2);
    expect(stderr).toContain(`${file}:8: checks.promised.1: `);
  });
});

describe('a failure', () => {
  it('ends a hunt with exit code 1 and one command, which fails again with the same trace', async () => {
    const out = join(folder, 'one');
    const hunted = await sim('hunt', broken, '--runs', '30', '--jobs', '2', '--out', out);
    expect(hunted.code, hunted.stderr).toBe(1);
    const commands = [...hunted.stdout.matchAll(/trefoil (sim replay (\S+))/g)];
    expect(commands).toHaveLength(1);
    const [, command = '', file = ''] = commands[0] ?? [];
    expect(readdirSync(out).map((name) => join(out, name))).toEqual([file]);
    expect(hunted.stdout).toMatch(/^broken, seed \d+: linearizable: /m);

    const failure = JSON.parse(readFileSync(file, 'utf8')) as {
      readonly plan: { readonly operations: unknown[] };
      readonly drawn: { readonly operations: number };
      readonly check: string;
      readonly traceHash: string;
    };
    expect(failure.check).toBe('linearizable');
    expect(failure.plan.operations.length).toBeLessThan(Math.min(20, failure.drawn.operations));

    const replayed = await sim(...command.split(' ').slice(1));
    expect(replayed.code).toBe(1);
    expect(replayed.stdout).toContain('the same trace, event by event');
    const machine = await sim(...command.split(' ').slice(1), '--json');
    expect(json(machine)).toMatchObject({
      sameTrace: true,
      traceHash: failure.traceHash,
      verdict: 'invalid',
    });

    writeFileSync(file, readFileSync(file, 'utf8').replace(failure.traceHash, '0'.repeat(16)));
    expect((await sim('replay', file)).stdout).toContain('not the trace of the file (0000000000000000)');
  });

  it('does not end a hunt that is told to go on', async () => {
    const out = join(folder, 'many');
    const args = ['hunt', broken, calm, '--runs', '4', '--keep-going', '--jobs', '2', '--out', out];
    const report = json(await sim(...args, '--json'));
    expect(report['runs']).toBe(8);
    expect(report['interrupted']).toBe(false);
    const failures = report['failures'] as { readonly experiment: string; readonly file: string }[];
    expect(failures.length).toBeGreaterThan(1);
    expect(failures.every(({ experiment }) => experiment === 'broken')).toBe(true);
    expect(failures.map(({ file }) => file).sort()).toEqual(
      readdirSync(out)
        .map((name) => join(out, name))
        .sort(),
    );
  });

  it('of a worker that dies is told with its reason, and the others go on', async () => {
    const hunted = startHunt('--runs', '3', '--jobs', '1', '--keep-going', '--json');
    await until(() => childrenOf(hunted.pid).length === 1);
    for (const pid of childrenOf(hunted.pid)) process.kill(pid, 'SIGKILL');
    const { code, stdout } = await hunted.ended;
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      runs: 3,
      failures: [
        {
          experiment: 'calm',
          seed: 1,
          check: 'runs',
          reason: 'the worker process ended with SIGKILL:',
          file: null,
        },
      ],
    });
  });
});

describe('a hunt', () => {
  it('in which every promise held is exit code 0', async () => {
    const { code, stdout } = await sim('hunt', calm, '--runs', '3', '--seed', '7', '--twice');
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^3 runs of 1 experiment from seed 7, \d+ operations, .* times faster in each process\nevery promise held\n$/,
    );
  });

  it.each(['SIGINT', 'SIGTERM'] as const)(
    'that %s ends tells what it has, and leaves no process',
    async (signal) => {
      const hunted = startHunt('--runs', '1000000', '--jobs', '2');
      await until(() => childrenOf(hunted.pid).length === 2);
      const workers = childrenOf(hunted.pid);
      process.kill(hunted.pid, signal);
      const { code, stdout } = await hunted.ended;
      expect(code).toBe(signal === 'SIGINT' ? 130 : 143);
      expect(stdout).toMatch(/interrupted after [\d,]+ of 1,000,000 runs/);
      await until(() => workers.every((pid) => !isAlive(pid)));
    },
  );
});

describe('what cannot be done is exit code 2, with help', () => {
  it.each<[string, readonly string[], RegExp]>([
    [
      'an experiment that there is not',
      ['run', 'no-such'],
      /there is no experiment no-such; trefoil sim list/,
    ],
    ['a file that there is not', ['hunt', './no-such.yaml'], /there is no file \.\/no-such\.yaml/],
    [
      'a bug that there is not',
      ['run', '--bug', 'no-such'],
      /there is no planted bug no-such; trefoil sim list --bugs/,
    ],
    [
      'a bug that there is not, in named experiments',
      ['hunt', 'leaderless-bank', '--bug', 'no-such'],
      /there is no planted bug no-such/,
    ],
    ['bugs that there are not', ['bugs', 'no-such'], /there is no planted bug no-such/],
    ['a seed that is none', ['run', '--seed', 'x'], /--seed must be a whole number/],
    ['no minutes at all', ['run', '--minutes', '0'], /--minutes must be above 0/],
    [
      'too few minutes',
      ['run', '--minutes', '0.001'],
      /leaderless-everything of 0\.001 minutes:\d+: durationMs: Too small/,
    ],
    ['a failure file that there is not', ['replay', 'no-such.json'], /cannot read no-such\.json/],
    ['no command', [], /name what to do: run, hunt, replay/],
  ])('%s', async (_what, args, said) => {
    const { code, stderr, stdout } = await sim(...args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(said);
  });

  it('two experiments of one name', async () => {
    const { code, stderr } = await sim('hunt', calm, calm, '--runs', '1', '--out', folder);
    expect(code).toBe(2);
    expect(stderr).toMatch(/two experiments are called calm/);
  });

  it.each([
    ['a hunt', ['hunt', '--runs', '1', '--out']],
    ['a history', ['run', '--history']],
  ])('a place that cannot be written, for %s', async (_what, [command = '', ...options]) => {
    // A file stands where a folder would have to be.
    const { code, stderr } = await sim(command, calm, ...options, join(calm, 'place'));
    expect(code).toBe(2);
    expect(stderr).toMatch(/^error: BadRequest: cannot write /);
  });

  it('a file of another kind', async () => {
    const { code, stderr } = await sim('replay', calm);
    expect(code).toBe(2);
    expect(stderr).toContain('is not JSON: a failure file is what trefoil sim hunt writes');
  });

  it('an experiment that is wrong, with its lines', async () => {
    const file = join(folder, 'wrong.yaml');
    writeFileSync(file, SMALL_EXPERIMENT.replace('nodes: 3', 'nodes: 0').replace('siblings', 'sibling'));
    const { code, stderr } = await sim('run', file);
    expect(code).toBe(2);
    expect(stderr).toContain(`${file}:4: cluster.nodes: Too small`);
    expect(stderr).toContain(`${file}:7: workload.name: "sibling" is none of`);
  });
});

describe('sim list', () => {
  it('names the experiments with what they are about, and the bugs', async () => {
    const [experiments, bugs, table] = await Promise.all([
      sim('list', '--json'),
      sim('list', '--bugs', '--json'),
      sim('list'),
    ]);
    const names = (ran: Ran): unknown[] =>
      (JSON.parse(ran.stdout) as { name: string; summary: string }[]).map(({ name }) => name);
    expect(names(experiments)).toContain('leaderless-everything');
    expect(names(bugs)).toContain('skip-read-repair');
    expect(table.stdout).toMatch(/^leaderless-everything +three nodes that keep siblings/m);
  });
});

interface RunningHunt {
  readonly pid: number;
  readonly ended: Promise<{ readonly code: number | null; readonly stdout: string }>;
}

/** A hunt of the calm experiment, under way. */
function startHunt(...args: string[]): RunningHunt {
  const program = [trefoilProgram(), 'sim', 'hunt', calm, '--out', folder, ...args];
  const child = spawn(process.execPath, program, { stdio: ['ignore', 'pipe', 'ignore'] });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  return {
    pid: child.pid ?? 0,
    ended: new Promise((resolve) => {
      child.once('close', (code) => {
        resolve({ code, stdout });
      });
    }),
  };
}

/** The processes that a process has started (Linux). */
function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${String(pid)}/task/${String(pid)}/children`, 'utf8').trim();
  return text === '' ? [] : text.split(' ').map(Number);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('it did not come true');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The command line in leader-follower namespaces, against three real nodes. */
import { cpSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pollUntil } from '../../src/cli/poll.js';
import {
  makeCluster,
  runTrefoil,
  type Ran,
  type RunOptions,
  type TestCluster,
} from '../support/cli-program.js';

interface UpJson {
  readonly nodes: readonly { readonly pid: number }[];
}
interface StatusJson {
  readonly nodes: readonly { readonly state: string; readonly epoch: number | null }[];
  readonly withoutLeader: readonly string[];
  readonly groups: readonly unknown[];
}
interface EntryJson {
  readonly value: unknown;
  readonly context: string | null;
  readonly version: number;
  readonly lag?: { readonly entries: number };
}

let cluster: TestCluster;
let pids: number[] = [];

const trefoil = (args: readonly string[], options: RunOptions = {}): Promise<Ran> =>
  runTrefoil(args, { ...options, env: { TREFOIL_SEEDS: cluster.seeds } });

async function json<T>(args: readonly string[]): Promise<T> {
  const ran = await trefoil([...args, '--json']);
  expect([ran.code, ran.stderr]).toEqual([0, '']);
  return JSON.parse(ran.stdout) as T;
}

beforeAll(async () => {
  cluster = await makeCluster('cli-leaders', 3, [
    'name: default, strategy: leader-follower, replicas: 3, partitions: 4, guarantee: linearizable',
    'name: every, strategy: leader-follower, replicas: 3, partitions: 1, ack: all, minReplicas: 2',
    'name: plain, strategy: leaderless, replicas: 3, partitions: 4',
  ]);
  const { nodes } = await json<UpJson>(['cluster', 'up', '--config', cluster.configFile]);
  pids = nodes.map(({ pid }) => pid);
});

afterAll(async () => {
  await runTrefoil(['cluster', 'down', '--config', cluster.configFile]);
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Stopped, as it should be.
    }
  }
  cluster.remove();
});

describe('keys of a namespace with leaders', () => {
  it('are put on conditions', async () => {
    expect(await trefoil(['put', 'seat', 'ada', '--if-absent'])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^stored seat, version \d+\n$/) as string,
    });
    const second = await trefoil(['put', 'seat', 'bob', '--if-absent']);
    expect(second.code).toBe(1);
    expect(second.stderr).toContain('error: ConditionFailed');
    const { value, version, context } = await json<EntryJson>(['get', 'seat']);
    expect(value).toBe('ada');
    expect(version).toBeGreaterThan(0);
    expect((await trefoil(['get', 'seat', '--explain'])).stderr).toContain(`\nversion      ${version}\n`);
    expect((await trefoil(['put', 'seat', 'bob', '--if-version', String(version)])).code).toBe(0);
    expect((await trefoil(['delete', 'seat', '--context', context ?? ''])).code).toBe(1);
    expect((await trefoil(['delete', 'seat', '--if-version', String(version)])).code).toBe(1);
    expect(await trefoil(['get', 'seat'])).toMatchObject({ code: 0, stdout: 'bob\n', stderr: '' });
    expect((await trefoil(['delete', 'seat'])).code).toBe(0);
    expect((await trefoil(['get', 'seat'])).code).toBe(5);
  });

  it('are counted exactly by update, from many processes', async () => {
    await Promise.all(Array.from({ length: 4 }, () => trefoil(['update', 'n', '--increment', '2'])));
    expect((await trefoil(['get', 'n'])).stdout).toBe('8\n');
  });

  it('are read by mode', async () => {
    await trefoil(['put', 'mode', 'x', '--ack', 'all']);
    expect((await trefoil(['get', 'mode', '--read', 'linearizable'])).stdout).toBe('x\n');
    for (const mode of ['session', 'follower'])
      expect((await trefoil(['get', 'mode', '--read', mode, '--max-staleness', '5s'])).stdout).toBe('x\n');
    expect((await trefoil(['scan', '--prefix', 'mode', '--read', 'follower'])).stdout).toBe('mode\tx\n');
  });

  it('are written together, or not at all', async () => {
    const batch = (lines: readonly string[], more: readonly string[] = []): Promise<Ran> =>
      trefoil(['batch', ...more], { input: Buffer.from(`${lines.join('\n')}\n`) });
    const first = ['{"put":"{o}/1","value":{"n":1},"ifAbsent":true}', '{"put":"{o}/2","value":2}'];
    expect(await batch(first, ['--atomic'])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(
        /^stored \{o\}\/1, version (\d+)\nstored \{o\}\/2, version \1\n$/,
      ) as string,
    });
    const second = ['{"put":"{o}/2","value":3}', '{"put":"{o}/1","value":3,"ifAbsent":true}'];
    expect((await batch(second, ['--atomic'])).code).toBe(1);
    expect((await trefoil(['get', '{o}/2'])).stdout).toBe('2\n');
    // Without it, each for itself.
    const apart = await batch(second);
    expect([apart.code, apart.stdout]).toEqual([
      3,
      expect.stringMatching(/^stored \{o\}\/2, version \d+\nfailed \{o\}\/1: ConditionFailed/),
    ]);
    expect((await batch(['{"put":"a","value":1}', 'b'])).stderr).toContain('line 2 is not JSON');
    expect((await batch(first, ['--atomic', '-n', 'plain'])).stderr).toContain('Unsupported');
  });

  it('refuse what is for the other strategy, with what to use', async () => {
    for (const [args, why] of [
      [['get', 'k', '--read', 'quorum'], "'linearizable', 'session' or 'follower'"],
      [['update', 'k', '--increment', '1', '--read', 'quorum'], 'update always reads the latest'],
      [['get', 'k', '--max-staleness', '1s'], "read with 'follower' or 'session'"],
      [['put', 'k', 'v', '--write', 'all'], 'use ack'],
      [['put', 'k', 'v', '--ack', 'leader', '--if-absent'], "use ack 'quorum' or 'all'"],
      [['put', 'k', 'v', '--ack', 'all', '-n', 'plain'], 'use write'],
      [['put', 'k', 'v', '--if-absent', '-n', 'plain'], 'leader-follower'],
      [['increment', 'k'], 'update()'],
      [['get', 'k', '--read', 'most'], '--read must be'],
    ] as const) {
      const ran = await trefoil(args);
      expect([ran.code, ran.stdout]).toEqual([2, '']);
      expect(ran.stderr).toContain(why);
    }
  });
});

it('cluster status counts leaders', async () => {
  const asked = await pollUntil(
    async () => {
      const lines = (await trefoil(['cluster', 'status'])).stdout.split('\n');
      const leads = lines.slice(1, 4).map((line) => Number(line.trim().split(/ {2,}/)[5]));
      // One leader for each partition, once all of them have been elected.
      return leads.reduce((sum, n) => sum + n, 0) === 5 ? lines[0] : undefined;
    },
    { deadlineMs: 20_000, everyMs: 200 },
  );
  expect(asked).toContain('LEADS  BEHIND');
  const ran = await trefoil(['cluster', 'status', '--groups']);
  expect([ran.code, ran.stderr]).toEqual([0, '']);
  const [, groups = ''] = ran.stdout.split('\n\n');
  expect(groups.split('\n').map((line) => line.split(/ {2,}/)[0])).toEqual([
    'GROUP',
    ...[0, 1, 2, 3].map((partition) => `default/${partition}`),
    'every/0',
  ]);
  expect(groups).toMatch(/^default\/0 +n[123] +[\d,]+ +[\d,]+ +n[123] [\d,]+, n[123] [\d,]+$/m);
  const { withoutLeader, groups: told } = await json<StatusJson>(['cluster', 'status', '--groups']);
  expect([withoutLeader, told.length]).toEqual([[], 5]);
});

it('config check tells both strategies apart', async () => {
  const ran = await trefoil(['config', 'check', cluster.configFile]);
  expect(ran.code).toBe(0);
  expect(ran.stdout).toMatch(/default +leader-follower +3 +linearizable +quorum +4 +- +sync +none/);
  expect(ran.stdout).toContain('linearizable: a read sees every write acknowledged before it began');
  expect(ran.stdout).toContain('read-your-writes: R+W = 2+2 > N = 3');
});

describe('with ack all', () => {
  const every = (...args: string[]): Promise<Ran> => trefoil([...args, '-n', 'every']);

  it('nothing is noted while all replicas have what is written', async () => {
    for (const args of [
      ['put', 'k', 'v'],
      ['update', 'k', '--append', 'w'],
      ['delete', 'k'],
    ])
      expect(await every(...args)).toMatchObject({ code: 0, stderr: '' });
  });

  it('a write that a dead node lacks says so, and to machines how many have it', async () => {
    process.kill(pids[1] as number, 'SIGKILL');
    const degraded = { code: 0, stderr: 'note: on 2 of 3 replicas; n2 cannot be reached\n' };
    expect(await every('put', 'k', 'v')).toMatchObject(degraded);
    expect(await every('update', 'k', '--append', 'w')).toMatchObject({ ...degraded, stdout: 'vw\n' });
    expect(await every('delete', 'k')).toMatchObject({ ...degraded, stdout: 'deleted k\n' });
    expect((await every('put', 'k', 'v', '--explain')).stderr).toMatch(
      /^note: on 2 of 3 replicas; n2 cannot be reached\ncoordinator [^]*\n {2}n2 {2}unreachable\n/,
    );
    // A majority was asked for, and has it.
    expect(await every('put', 'k', 'v', '--ack', 'quorum')).toMatchObject({ code: 0, stderr: '' });
    const lines = Buffer.from('{"put":"a","value":1}\n{"delete":"b"}\n');
    const batch = (...more: string[]): Promise<Ran> =>
      trefoil(['batch', '-n', 'every', ...more], { input: lines });
    expect((await batch('--atomic')).stderr).toBe(
      'note: 2 of 2 writes are on fewer than 3 replicas; n2 cannot be reached\n',
    );
    const told = (await batch('--json')).stdout.trim().split('\n');
    expect(told.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { key: 'a', result: 'stored', replicas: 2 },
      { key: 'b', result: 'deleted', replicas: 2 },
    ]);
    expect(await json(['update', 'k', '--append', 'x', '-n', 'every'])).toMatchObject({ replicas: 2 });
  });
});

it('help says which strategy an option is for, and what a line of a batch may be', async () => {
  const help = async (command: string): Promise<string> =>
    (await trefoil([command, '--help'])).stdout.replaceAll(/\s+/g, ' ');
  const [put, update, batch] = await Promise.all(['put', 'update', 'batch'].map(help));
  expect(put).toMatch(/--write leaderless: .*--ack with a leader: .*--if-version with a leader: /);
  expect(update).toMatch(/--read leaderless: .*--resolve leaderless: /);
  expect(batch).toContain('give their keys a common {tag}');
  expect(batch).toContain('{"put":KEY,"value":JSON,"ttlMs":N} {"delete":KEY} With a leader either may have');
});

describe('cluster status where something is amiss', () => {
  const config = (): string[] => ['--config', cluster.configFile];
  const kill = (index: number): boolean => process.kill(pids[index] ?? 0, 'SIGKILL');
  /** Asks until the answer has this line; the exit code must be `code` then. */
  const status = async (line: RegExp, code: number, args: readonly string[] = []): Promise<string> => {
    const ran = await pollUntil(
      async () => {
        const asked = await trefoil(['cluster', 'status', ...args]);
        return line.test(asked.stdout) ? asked : undefined;
      },
      { deadlineMs: 20_000, everyMs: 200 },
    );
    expect([ran?.code, ran?.stderr], String(line)).toEqual([code, '']);
    return ran?.stdout ?? '';
  };

  it('says which nodes run another epoch', async () => {
    const up = await json<UpJson>(['cluster', 'up', ...config()]);
    pids = up.nodes.map(({ pid }) => pid);
    kill(2);
    await status(/^n3 .* down /m, 3);
    const changed = join(cluster.folder, 'changed.yaml');
    writeFileSync(changed, readFileSync(cluster.configFile, 'utf8').replace('\n', '\nepoch: 2\n'));
    const { nodes } = await json<UpJson>(['cluster', 'up', '--config', changed]);
    pids = nodes.map(({ pid }) => pid);
    await status(
      /^cluster cli-leaders, epochs differ: 3 of 3 nodes up\nepoch 1 at n1, n2; epoch 2 at n3\n$/m,
      0,
    );
  });

  it('counts the partitions that have no leader', async () => {
    kill(1);
    kill(2);
    const lost = /^5 of 5 partitions have no leader among the nodes that answer$/m;
    const text = await status(lost, 3, config());
    expect(text).toMatch(/^n1 .* up +0\/\d +0 +- /m);
    expect((await trefoil(['put', 'k', 'v', '--timeout', '500ms'])).code).toBe(1);
  });

  it('has a table of a config whose nodes are all down', async () => {
    kill(0);
    const text = await status(/: 0 of 3 nodes up$/m, 3, [...config(), '--timeout', '500ms']);
    expect(text.match(/^n[123] .* down +- /gm)).toHaveLength(3);
    const told = await trefoil(['cluster', 'status', '--json', ...config(), '--timeout', '500ms']);
    const { nodes, withoutLeader } = JSON.parse(told.stdout) as StatusJson;
    expect(nodes.map(({ state, epoch }) => [state, epoch])).toEqual(Array(3).fill(['down', null]));
    expect(withoutLeader).toHaveLength(5);
  });

  it('says what to do where it cannot know the nodes', async () => {
    const ran = await trefoil(['cluster', 'status', '--timeout', '500ms']);
    expect([ran.code, ran.stdout]).toEqual([1, '']);
    expect(ran.stderr).toMatch(/^error: NoReachableNode: .*\n {2}next: .*cluster status --config FILE/);
  });
});

it('a cluster whose folders were all restored goes on when it is told that they can be trusted', async () => {
  // The one that the nodes were last started with.
  const config = ['--config', join(cluster.folder, 'changed.yaml')];
  const up = async (...args: string[]): Promise<void> => {
    const { nodes } = await json<UpJson>(['cluster', 'up', ...config, ...args]);
    pids = nodes.map(({ pid }) => pid);
  };
  await up();
  expect((await trefoil(['put', 'kept', 'v'])).code).toBe(0);
  await trefoil(['cluster', 'down', ...config]);
  for (const node of ['n1', 'n2', 'n3']) {
    const folder = join(cluster.folder, 'data', node);
    cpSync(folder, `${folder}.copy`, { recursive: true });
    rmSync(folder, { recursive: true });
    renameSync(`${folder}.copy`, folder);
  }
  await up();
  expect(await trefoil(['cluster', 'status'])).toMatchObject({
    code: 3,
    stdout: expect.stringContaining('5 of 5 partitions have no leader') as string,
  });
  const refused = await trefoil(['get', 'kept', '--timeout', '1s']);
  expect(refused.stderr).toMatch(/NoLeader: .*cannot rely on what it has stored/);
  expect(await trefoil(['cluster', 'up', '--trust-store', ...config])).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^error: BadRequest: --trust-store .* stop what runs/) as string,
  });
  await trefoil(['cluster', 'down', ...config]);
  await up('--trust-store');
  expect((await trefoil(['get', 'kept'])).stdout).toBe('v\n');
});

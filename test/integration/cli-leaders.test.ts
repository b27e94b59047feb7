/** The command line in leader-follower namespaces, against three real nodes. */
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
interface EntryJson {
  readonly value: unknown;
  readonly context: string | null;
  readonly version: number;
  readonly lag?: { readonly entries: number };
}

let cluster: TestCluster;
let pids: readonly number[] = [];

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
      stdout: 'stored seat\n',
    });
    const second = await trefoil(['put', 'seat', 'bob', '--if-absent']);
    expect(second.code).toBe(1);
    expect(second.stderr).toContain('error: ConditionFailed');
    const { value, version, context } = await json<EntryJson>(['get', 'seat']);
    expect(value).toBe('ada');
    expect(version).toBeGreaterThan(0);
    expect((await trefoil(['put', 'seat', 'bob', '--if-version', String(version)])).code).toBe(0);
    expect((await trefoil(['delete', 'seat', '--context', context ?? ''])).code).toBe(1);
    expect((await trefoil(['delete', 'seat', '--if-version', String(version)])).code).toBe(1);
    expect((await trefoil(['get', 'seat'])).stdout).toBe('bob\n');
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
      stdout: 'stored {o}/1\nstored {o}/2\n',
    });
    const second = ['{"put":"{o}/2","value":3}', '{"put":"{o}/1","value":3,"ifAbsent":true}'];
    expect((await batch(second, ['--atomic'])).code).toBe(1);
    expect((await trefoil(['get', '{o}/2'])).stdout).toBe('2\n');
    // Without it, each for itself.
    const apart = await batch(second);
    expect([apart.code, apart.stdout]).toEqual([
      3,
      expect.stringMatching(/^stored \{o\}\/2\nfailed \{o\}\/1: ConditionFailed/),
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
      return leads.reduce((sum, n) => sum + n, 0) === 4 ? lines[0] : undefined;
    },
    { deadlineMs: 20_000, everyMs: 200 },
  );
  expect(asked).toContain('LEADS  BEHIND');
});

it('config check tells both strategies apart', async () => {
  const ran = await trefoil(['config', 'check', cluster.configFile]);
  expect(ran.code).toBe(0);
  expect(ran.stdout).toMatch(/default +leader-follower +3 +linearizable +quorum +4 +- +sync +none/);
  expect(ran.stdout).toContain('linearizable: a read sees every write acknowledged before it began');
  expect(ran.stdout).toContain('read-your-writes: R+W = 2+2 > N = 3');
});
